"""The certificate of a branch and bound: its cells, so that every bound can be worked out again.

The claim. Let h = f − g and |h| the largest output. Then |h| ≤ high on every input of the lengths
from_length … horizon (horizon null: of every length from from_length on), and |h| ≥ low on the
input `worst`.

The format: plain JSON, `EnclosureCertificate.to_dict()`. Rational numbers are strings "a" or
"a/b", exact. Types, contexts, lags and exact logits are those of
`verify.certificates.certificate`: type r·|Σ| + s, Δ the least common multiple of the models' least
periods, τ the larger locality; head i has the logit a_i(t) = y_tᵀ query_key y_query for a key of
type t, and the lag bias φ_i(l).

    format, version     "lgbounds enclosure certificate", 1
    weights             {"f": SHA-256, "g": SHA-256}, as `verify.certificates.digest` says
    vocabulary_size, period, locality
    precision           "finite" or "infinite": that of both models
    from_length, horizon, low, high
    worst               an input with |h| ≥ low, as `CountedInput.to_dict` gives it: "counts" by
                        residue and token of the positions 1..T−τ−1, "suffix" the last
                        min(T, τ+1) tokens, "length"; long integers as hexadecimal text "0x…";
                        null with low = 0
    start               the first length that the pieces speak of: finite precision: at least
                        τ + Δ + 1; infinite: at least max(1, 1 + the largest counted lag). All
                        inputs of the lengths from_length … start − 1 are to be looked at one by one
    pieces              a list; each piece with the tree of its cells
    claim, not_claimed  in words

The *counted lags*: in finite precision all lags 0..τ; in infinite precision those at which some
head has a bias other than 0. All other positions, 1..T without the counted lags, are *free*. Of
residue r there are n_r(T) free positions.

Each piece:

    residue             T mod Δ
    tokens              [[lag, token], …]: the tokens at the counted lags and at lag 0, by lag
    levels              infinite precision: null. Finite: for each head (those of f, then of g) the
                        largest logit present, a rational number
    first, last         lengths ≡ residue; last null: no end
    tree                the cells, in preorder: null for a cell that is not divided; else
                        [coordinate, value]: divided in two, the first half's tree following
                        first. Coordinate t, a type: share of the representative t (see below)
                        among the free positions of its residue; halves: share ≤ value, share ≥
                        value. Coordinate "T": halves: T ≤ value, T ≥ value + 1

The inputs of a piece: length T ≡ residue, first ≤ T ≤ last; the given tokens at the given lags;
in finite precision the largest logit present of each head i is levels[i]. In finite precision the
pieces that are not listed hold no input: for given residue and tokens, let v be levels, U = {t:
a_i(t) ≤ v_i for all i}. There are inputs only if all counted lags have logits ≤ v_i, U meets every
residue, and each v_i is the logit of a type of U or of a counted lag. For each such v the pieces
listed cover all lengths ≡ residue from start to the horizon without a gap, and on each of them the
relative weights that are dropped are the same from first to last, in every head that is not inert
(see below) at first.

*Representatives.* On a piece, head i *sees* a free type t (in finite precision: t in U) if its
weight is not dropped: T^(−(v_i − a_i(t))) > 2^−p at T = first; in infinite precision it sees all.
A head is *inert* if its seen types and its counted lags that are not dropped all have one value.
Types of one residue are alike if every head that is not inert either sees neither, or sees both
with equal logits and values; and if both or neither have the logit v_i, for each head i whose level
no counted lag has (infinite precision: if both or neither are the query's type, where lag 0 is not
counted). The representative of alike types is the least of them, and its share is theirs together.

A cell is a box of shares of representatives and a range of lengths. Its inputs have integer counts,
n_r(T) in all for residue r, at least one token with logit v_i for each head i whose level no
counted lag has, and the query's token where lag 0 is not counted. On every cell that is not divided
|h| ≤ high for all its inputs; some cells have none.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.certificates.counted_input import CountedInput
from verify.certificates.digest import digest
from verify.certificates.direct.codes import PLAIN
from verify.certificates.direct.pieces import Piece
from verify.certificates.direct.search import Search
from verify.certificates.fields import (
    Kind,
    objects,
    rational,
    short_of,
    text,
    wrong_fields,
)
from verify.errors import InputError
from verify.files import read_json
from verify.tables import write_json

FORMAT = "lgbounds enclosure certificate"
VERSION = 1
NOT_CLAIMED = (
    "Nothing is said about inputs shorter than from_length or longer than the horizon.",
    "It speaks of the limit transformers with exactly these weights, in exact arithmetic; not of a "
    "float implementation of them, nor of other weights.",
)

Tree = list[list[Any] | None]


def _pieces(value: Any) -> bool:
    return objects(value) and all(isinstance(piece.get("tree"), list) for piece in value)


_FIELDS: dict[str, Kind] = {"claim": text, "low": rational, "high": rational, "pieces": _pieces}


@dataclass(frozen=True)
class EnclosureCertificate:
    """A bound of |f − g| over all inputs of some lengths, with the cells on which it rests.

    Attributes:
        data: the whole certificate in the format of this module's text.
    """

    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"<EnclosureCertificate: {self.data['claim']}>"

    @property
    def low(self) -> Fraction:
        """What is attained."""
        return Fraction(self.data["low"])

    @property
    def high(self) -> Fraction:
        """What is proved."""
        return Fraction(self.data["high"])

    @property
    def cells(self) -> int:
        """How many cells are not divided: each is a bound to be worked out."""
        return sum(node is None for piece in self.data["pieces"] for node in piece["tree"])

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the plain data."""
        copy: dict[str, Any] = json.loads(json.dumps(self.data))
        return copy

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate as JSON; an existing file stays until the new one is complete."""
        write_json(path, self.data)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> EnclosureCertificate:
        """Read a certificate that `save` wrote; `verify.recheck` says whether it is true.

        Raises:
            InputError: the file cannot be read, or is no certificate of this version.
        """
        try:
            data = read_json(path)
        except (OSError, ValueError, TypeError) as error:
            raise InputError("path", path, f"a JSON file that can be read; {error}") from error
        found = (data.get("format"), data.get("version")) if isinstance(data, dict) else None
        if found != (FORMAT, VERSION):
            allowed = f"a file of format {FORMAT!r}, version {VERSION}"
            raise InputError("path", path, f"{allowed}; this one has {short_of(found)}")
        wrong = wrong_fields(data, _FIELDS)
        if wrong:
            allowed = f"a file of format {FORMAT!r}; missing in this one, or of another kind"
            raise InputError("path", path, f"{allowed}: {wrong}")
        return EnclosureCertificate(data)


def enclosure_certificate(
    search: Search,
    *,
    from_length: int,
    horizon: int | None,
    start: int,
    high: Fraction,
    low: Fraction,
    worst: CountedInput | None,
    claim: str,
) -> EnclosureCertificate:
    """Return the certificate of a search all of whose bounds are at most `high`."""
    pair = search.table.pair
    pieces = []
    for piece, tree in zip(search.table.pieces, _trees(search, high), strict=True):
        if piece.last is None or piece.last >= start:
            pieces.append({**_piece_data(search, piece, start), "tree": tree})
    return EnclosureCertificate(
        {
            "format": FORMAT,
            "version": VERSION,
            "weights": {"f": digest(pair.f), "g": digest(pair.g)},
            "vocabulary_size": pair.vocabulary_size,
            "period": pair.period,
            "locality": pair.locality,
            "precision": "finite" if pair.finite else "infinite",
            "from_length": from_length,
            "horizon": horizon,
            "low": str(low),
            "high": str(high),
            "worst": None if worst is None else worst.to_dict(),
            "start": start,
            "pieces": pieces,
            "claim": claim,
            "not_claimed": list(NOT_CLAIMED),
        }
    )


def _piece_data(search: Search, piece: Piece, start: int) -> dict[str, Any]:
    pair = search.table.pair
    tokens = {lag: kind % pair.vocabulary_size for lag, kind in piece.lags.items()}
    tokens.setdefault(0, piece.query % pair.vocabulary_size)
    levels = [
        str(v * head.unit) for v, head in zip(piece.levels, pair.heads, strict=bool(piece.levels))
    ]
    first = max(piece.first, start)
    first += (piece.residue - first) % pair.period
    return {
        "residue": piece.residue,
        "tokens": [list(item) for item in sorted(tokens.items())],
        "levels": levels or None,
        "first": first,
        "last": piece.last,
    }


def _trees(search: Search, high: Fraction) -> list[Tree]:
    """Return the tree of each piece in preorder.

    A cell may owe its bound to the cell that it is a half of; that one is then not divided.

    Raises:
        InputError: lengths beyond 2^900 were told apart, which the format cannot say.
    """
    table = search.table
    coordinates = table.coordinate.shape[1]
    divided: dict[int, tuple[int, float, int]] = {}
    above: dict[int, int] = {}
    for nodes, parts, values, first in search.splits:
        for k, (node, part, value) in enumerate(
            zip(nodes.tolist(), parts.tolist(), values.tolist(), strict=True)
        ):
            divided[node] = (part, value, first + 2 * k)
            above[first + 2 * k] = above[first + 2 * k + 1] = node
    own = {
        node: bound
        for nodes, bounds in search.bounds
        for node, bound in zip(nodes.tolist(), bounds.tolist(), strict=True)
    }
    for node in [n for n, bound in own.items() if bound > high and n not in divided]:
        while node in above and own.get(node, 0.0) > high:
            node = above[node]
        divided.pop(node, None)
    trees = []
    for number in range(len(table.pieces)):
        tree: Tree = []
        stack = [number]
        while stack:
            found = divided.get(stack.pop())
            if found is None:
                tree.append(None)
                continue
            part, value, first = found
            if part == coordinates and value > PLAIN:
                allowed = "lengths told apart up to 2^900 only; these lag biases are too near 1"
                raise InputError("certificate", "lengths beyond 2^900 told apart", allowed)
            if part == coordinates:
                tree.append(["T", int(value)])
            else:
                tree.append([int(table.coordinate[number, part]), value])
            stack += [first + 1, first]
        trees.append(tree)
    return trees
