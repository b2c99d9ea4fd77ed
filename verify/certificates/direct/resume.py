"""Taking up a search from the certificate of an earlier one: its cells are made again, and bounded.

What is read is not trusted: the cells cover all inputs whatever the file says, and every bound is
worked out anew.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from verify.certificates.digest import digest
from verify.certificates.direct.cells import Cells, halves, tightened
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.direct.search import Search
from verify.errors import InputError

_MOST_NODES = 10**7


def resumed(search: Search, certificate: EnclosureCertificate, horizon: int | None) -> Search:
    """Return a search over the same inputs, with the cells of the certificate.

    Args:
        search: nothing halved yet.
        certificate: of an enclosure of the same models, from the same length to the same horizon.
        horizon: that horizon.

    Raises:
        InputError: it is about other models or other lengths, or its cells make no sense.
    """
    pair, data = search.table.pair, certificate.data
    weights = {"f": digest(pair.f), "g": digest(pair.g)}
    wanted = {"weights": weights, "start": search.start, "horizon": horizon}
    for name, right in wanted.items():
        if data.get(name) != right:
            raise InputError("resume", f"{name} = {data.get(name)}", f"{name} = {right}")
    given = data.get("pieces")
    if not isinstance(given, list) or len(given) != len(search.table.pieces):
        raise InputError("resume", "other pieces", f"{len(search.table.pieces)} pieces")
    try:
        return _replayed(search, [piece["tree"] for piece in given])
    except (TypeError, LookupError, ValueError, ArithmeticError) as problem:
        raise InputError("resume", f"a tree of cells: {problem}", "one that `save` wrote") from None


def _replayed(search: Search, trees: list[list[Any]]) -> Search:
    table = search.table
    if sum(map(len, trees)) > _MOST_NODES:
        raise ValueError("too many nodes")
    follow = [_second_halves(tree) for tree in trees]
    cells = tightened(table, Cells.roots(table))
    # Where each node of the search stands in the tree of its piece.
    place = {number: 0 for number in range(len(trees))}
    leaves, nodes = [cells[:0]], len(trees)
    splits = []
    while len(cells):
        entries = [
            trees[piece][place[node]]
            for piece, node in zip(cells.piece.tolist(), cells.node.tolist(), strict=True)
        ]
        divided = np.array([entry is not None for entry in entries])
        leaves.append(cells[~divided])
        cells = cells[divided]
        if not len(cells):
            break
        parts, values = np.zeros(len(cells), dtype=np.intp), np.zeros(len(cells))
        found = (entry for entry in entries if entry is not None)
        for k, (coordinate, value) in enumerate(found):
            parts[k], values[k] = _read(search, int(cells.piece[k]), coordinate, value)
        cells = replace(cells, part=parts)
        for k, (piece, node) in enumerate(
            zip(cells.piece.tolist(), cells.node.tolist(), strict=True)
        ):
            place[nodes + 2 * k] = place[node] + 1
            place[nodes + 2 * k + 1] = follow[piece][place[node]]
        splits.append((cells.node, parts, values, nodes))
        children = halves(cells, values, nodes)
        nodes += len(children)
        cells = tightened(table, children)
    return Search.taken_up(table, Cells.joined(leaves), splits, nodes)


def _second_halves(tree: list[Any]) -> list[int]:
    """Return, for each node of a tree in preorder, where its second half stands; −1 for leaves."""
    result = [-1] * len(tree)
    waiting: list[list[int]] = []  # nodes, and how many of their halves are complete
    for number, entry in enumerate(tree):
        if number and not waiting:
            raise ValueError("nodes after the end of the tree")
        if waiting and waiting[-1][1] == 1:
            result[waiting[-1][0]] = number
        if entry is not None:
            waiting.append([number, 0])
            continue
        while waiting:
            waiting[-1][1] += 1
            if waiting[-1][1] < 2:
                break
            waiting.pop()
    if waiting or not tree:
        raise ValueError("the tree ends too soon")
    return result


def _read(search: Search, piece: int, coordinate: Any, value: Any) -> tuple[int, float]:
    """Return the number of a coordinate and the value at which it is halved, as floats have it."""
    coordinates = search.table.coordinate[piece].tolist()
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"value {value}")
    if coordinate == "T":
        return len(coordinates), max(number, 1.0)
    return coordinates.index(coordinate), min(max(number, 0.0), 1.0)
