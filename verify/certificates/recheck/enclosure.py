"""The checker of enclosure certificates: |f − g| ≤ high on all inputs of some lengths.

Format: the text of `verify.certificates.direct.certificate`; nothing of the code there is used.
Order: the head of the certificate; the input with |f − g| ≥ low; the short lengths, input by input;
the pieces, which must cover all longer lengths; the cells of each piece. A cell that is not divided
is bounded anew (`cells`); where the bound is above `high`, the cell is divided further, within
limits, before it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import inf, isfinite
from os import PathLike
from typing import Any

import numpy as np

from verify.certificates.recheck.cells import (
    LONGEST,
    Cell,
    Tight,
    counts_within,
    halves,
    largest,
    tightened,
)
from verify.certificates.recheck.inputs import (
    Evaluator,
    SingleInput,
    all_inputs,
    free_positions,
    how_many_inputs,
)
from verify.certificates.recheck.intervals import floats_around
from verify.certificates.recheck.models import ExactPair, Types, digest_of
from verify.certificates.recheck.pieces import Context, Levels, Numbers, Piece
from verify.certificates.recheck.reading import HasData, Line, decimal, read, short_text
from verify.model.weights import Weights

MOST_INPUTS = 50_000
MOST_NODES = 200_000
MOST_FURTHER = 2_000
MOST_FURTHER_OF_ONE = 400


@dataclass(frozen=True)
class RecheckedEnclosure:
    """What was checked; the claim of the certificate follows from the weights.

    Attributes:
        from_length, horizon: |f − g| ≤ high on all inputs of these lengths (None: no end).
        low, high: |f − g| ≥ low on one of them.
        start: from which length on the pieces speak.
        inputs: how many shorter inputs were looked at, one by one.
        pieces, cells: how many there are; each cell was bounded.
        further: how many more cells were needed, because a bound here was larger.
    """

    from_length: int
    horizon: int | None
    low: Fraction
    high: Fraction
    start: int
    inputs: int
    pieces: int
    cells: int
    further: int


def recheck_enclosure(
    certificate: HasData | str | PathLike[str], f: Weights, g: Weights
) -> RecheckedEnclosure:
    """Check every line of a certificate against the weights, without the code that made it.

    `claim` and `not_claimed` are words for people: nothing rests on them, and they are not read.

    Args:
        certificate: an EnclosureCertificate, or the path of a JSON file that holds one.
        f, g: the models: one layer, in the precision that the certificate names, equal
            vocabularies and output dimensions.

    Raises:
        CertificateError: the first wrong line: its path, what stands there, what is right.
        InputError: the file cannot be read, or f, g are no such models.
    """
    top = Line(read(certificate), "")
    top.fields(
        "format version weights vocabulary_size period locality precision from_length horizon "
        "low high worst start pieces claim not_claimed"
    )
    top["format"].equals("lgbounds enclosure certificate")
    top["version"].equals(1)
    precision = top["precision"]
    precision.must(precision.value in ("finite", "infinite"), '"finite" or "infinite"')
    return _Checker(top, ExactPair(f, g, finite=precision.value == "finite"), f, g).check()


class _Checker:
    """One certificate and one pair."""

    def __init__(self, top: Line, pair: ExactPair, f: Weights, g: Weights) -> None:
        self._top, self._pair = top, pair
        top["weights"].equals({"f": digest_of(f), "g": digest_of(g)})
        top["vocabulary_size"].equals(pair.vocabulary)
        top["period"].equals(pair.period)
        top["locality"].equals(pair.lags - 1)
        lags = range(pair.lags)
        self._counted: Types = frozenset(
            lag for lag in lags if pair.finite or any(head.bias(lag) for head in pair.heads)
        )
        self._first = _length(top["from_length"], 1)
        self._horizon = None
        if top["horizon"].value is not None:
            self._horizon = _length(top["horizon"], self._first)
        self._low, self._high = top["low"].at_least(0), top["high"].rational()
        top["high"].must(self._low <= self._high, "no less than low")
        least = pair.lags + pair.period if pair.finite else 1 + max(self._counted, default=0)
        self._start = _length(top["start"], least)
        self._evaluator, self._numbers = Evaluator(pair), Numbers(pair)
        self._below = floats_around(self._high)[0]
        self._further = self._nodes = self._cells = 0

    def check(self) -> RecheckedEnclosure:
        """Check what is left after the head of the certificate."""
        self._check_worst()
        inputs = self._check_short_inputs()
        lines = self._top["pieces"].entries()
        self._check_pieces(lines)
        return RecheckedEnclosure(
            self._first,
            self._horizon,
            self._low,
            self._high,
            self._start,
            inputs,
            len(lines),
            self._cells,
            self._further,
        )

    # Single inputs.

    def _check_worst(self) -> None:
        line = self._top["worst"]
        if line.value is None:
            self._top["low"].must(self._low == 0, "0, as there is no worst input")
            return
        x = self._input(line)
        low, high = self._evaluator.error(x, self._low, below=False)
        line.must(low >= self._low, f"an input with |f − g| ≥ {decimal(self._low)}; {_about(high)}")

    def _input(self, line: Line) -> SingleInput:
        line.fields("counts suffix length")
        pair, size = self._pair, self._pair.vocabulary
        length = _length(line["length"], self._first)
        if self._horizon is not None:
            line["length"].must(length <= self._horizon, f"at most the horizon {self._horizon}")
        lags = min(length, pair.lags)
        tokens = []
        for token in line["suffix"].entries(lags):
            tokens.append(token.integer(0))
            token.must(tokens[-1] < size, f"a token below {size}")
        counts: dict[int, int] = {}
        for r, row in enumerate(line["counts"].entries(pair.period)):
            numbers = [_length(entry, 0) for entry in row.entries(size)]
            counts |= {r * size + s: n for s, n in enumerate(numbers)}
            right = free_positions(length, r, pair.period, frozenset(range(lags)))
            row.must(sum(numbers) == right, f"numbers with the sum {right}")
        at_lag = {
            lag: (length - lag) % pair.period * size + s for lag, s in enumerate(tokens[::-1])
        }
        return SingleInput(length, counts, at_lag, at_lag[0])

    def _check_short_inputs(self) -> int:
        last = self._start - 1 if self._horizon is None else min(self._start - 1, self._horizon)
        number = 0
        for length in range(self._first, last + 1):
            number += how_many_inputs(self._pair, length)
            self._top["start"].must(
                number <= MOST_INPUTS,
                f"less: the inputs from from_length to start − 1 are more than {MOST_INPUTS}, "
                "which is too many to look at one by one",
            )
        for length in range(self._first, last + 1):
            for x in all_inputs(self._pair, length):
                found = self._evaluator.error(x, self._high, below=True)
                self._top["high"].must(found[1] <= self._high, _wrong_at(x, found))
        return number

    # The pieces are complete.

    def _check_pieces(self, lines: list[Line]) -> None:
        pair, whole = self._pair, self._top["pieces"]
        lags = sorted(self._counted | {0})
        by_context: dict[tuple[int, ...], list[Line]] = {}
        for line in lines:
            line.fields("residue tokens levels first last tree")
            residue = line["residue"].integer(0)
            line["residue"].must(residue < pair.period, f"below the period {pair.period}")
            tokens = []
            for lag, entry in zip(lags, line["tokens"].entries(len(lags)), strict=True):
                both = entry.entries(2)
                both[0].equals(lag)
                tokens.append(both[1].integer(0))
                both[1].must(tokens[-1] < pair.vocabulary, f"a token below {pair.vocabulary}")
            by_context.setdefault((residue, *tokens), []).append(line)
            nodes = line["tree"].value
            line["tree"].must(isinstance(nodes, list), "a list")
            self._nodes += len(nodes)
            line["tree"].must(self._nodes <= MOST_NODES, f"at most {MOST_NODES} nodes in all trees")
        needed = [r for r in range(pair.period) if not self._over(self._next(r, self._start))]
        contexts = len(needed) * pair.vocabulary ** len(lags)
        whole.must(contexts <= len(lines), f"all pieces: at least {contexts}")
        for residue in needed:
            for tokens_of in product(range(pair.vocabulary), repeat=len(lags)):
                key = (residue, *tokens_of)
                words = f"residue {residue}, tokens {list(tokens_of)}"
                whole.must(key in by_context, f"all pieces; none has {words}")
        for key, own in by_context.items():
            context = Context.of(pair, key[0], dict(zip(lags, key[1:], strict=True)), self._counted)
            self._check_context(context, own, key[0] in needed)

    def _next(self, residue: int, length: int) -> int:
        """Return the least length ≡ residue that is at least `length`."""
        return length + (residue - length) % self._pair.period

    def _over(self, length: int) -> bool:
        return self._horizon is not None and length > self._horizon

    def _check_context(self, context: Context, lines: list[Line], needed: bool) -> None:
        by_levels: dict[Levels | None, list[Line]] = {}
        for line in lines:
            levels: Levels | None = None
            if self._pair.finite:
                entries = line["levels"].entries(len(self._pair.heads))
                levels = tuple(entry.rational() for entry in entries)
            else:
                line["levels"].equals(None)
            by_levels.setdefault(levels, []).append(line)
        everything: Types = frozenset(range(self._pair.period * self._pair.vocabulary))
        right: dict[Levels | None, Types] = {None: everything}
        if self._pair.finite:
            right = dict(context.all_levels(len(by_levels)).items())
        for found, (line, *_) in by_levels.items():
            line["levels"].must(found in right, "levels of an input with these tokens")
        if needed:
            words = f"residue {context.residue}, tokens at lags as in {lines[0].path}"
            for levels in right:
                text = None if levels is None else [str(v) for v in levels]
                self._top["pieces"].must(
                    levels in by_levels, f"all pieces; none has {words}, levels {short_text(text)}"
                )
        for levels, own in by_levels.items():
            self._check_blocks(context, levels, right[levels], own)

    def _check_blocks(
        self, context: Context, levels: Levels | None, allowed: Types, lines: list[Line]
    ) -> None:
        """Check that the pieces of a context and of levels cover all lengths without a gap."""
        residue, blocks = context.residue, []
        for line in lines:
            first, last = _length(line["first"], 1), None
            line["first"].must(first == self._next(residue, first), f"a length ≡ {residue}")
            if line["last"].value is not None:
                last = _length(line["last"], 1)
            blocks.append((first, last, line))
        blocks.sort(key=lambda block: (block[0], block[1] is None, block[1] or 0))
        reach: int | None = self._next(residue, self._start)
        for first, last, line in blocks:
            line["first"].must(reach is not None, "no piece: the one before has no end")
            line["last"].must(last is None or last >= first, "no less than first")
            line["first"].must(first == reach, f"{reach}, after the piece before")
            piece = Piece(context, self._numbers, levels, allowed, first, last)
            self._check_piece(line, piece)
            reach = None if last is None else self._next(residue, last + 1)
        if reach is not None and not self._over(reach):
            line = blocks[-1][2]
            line["last"].must(False, f"the horizon {self._horizon}, or a piece from {reach} on")

    # The cells of a piece.

    def _check_piece(self, line: Line, piece: Piece) -> None:
        changes = piece.changes_at()
        line["last"].must(changes is None, f"less: {changes}")
        leaves = self._leaves(line["tree"], piece)
        self._cells += len(leaves)
        tight = [(node, tightened(piece, cell)) for node, cell in leaves]
        self._bound(line["tree"], piece, [(node, cell) for node, cell in tight if cell is not None])

    def _leaves(self, line: Line, piece: Piece) -> list[tuple[int, Cell]]:
        """Return the cells that are not divided, each with the number of its node."""
        places = {t: k for k, t in enumerate(piece.representatives)}
        number = len(places)
        whole = Cell(piece.first, piece.last, (0.0,) * number, (1.0,) * number)
        stack, leaves = [whole], []
        for k, node in enumerate(line.value):
            line.must(bool(stack), f"a tree that ends after {k} nodes")
            cell = stack.pop()
            if node is None:
                leaves.append((k, cell))
                continue
            here = Line(node, f"{line.path}[{k}]")
            coordinate, value = here.entries(2)
            where: Any = coordinate.value
            if where == "T":
                stack += self._length_halves(cell, value)
                continue
            known = type(where) is int and where in places
            coordinate.must(known, f'"T" or one of {piece.representatives}')
            good = type(value.value) in (int, float) and isfinite(_float(value.value))
            value.must(good and 0 <= value.value <= 1, "a number from 0 to 1")
            at, share = places[where], float(value.value)
            high = (*cell.high[:at], min(cell.high[at], share), *cell.high[at + 1 :])
            low = (*cell.low[:at], max(cell.low[at], share), *cell.low[at + 1 :])
            second = Cell(cell.first, cell.last, low, cell.high)
            stack += [second, Cell(cell.first, cell.last, cell.low, high)]
        line.must(not stack, f"a tree with {len(stack)} more cells")
        return leaves

    def _length_halves(self, cell: Cell, value: Line) -> list[Cell]:
        """Return the halves of a cell, the second one first."""
        middle = _length(value, 1)
        last = middle if cell.last is None else min(middle, cell.last)
        return [
            Cell(max(cell.first, middle + 1), cell.last, cell.low, cell.high),
            Cell(cell.first, last, cell.low, cell.high),
        ]

    def _bound(self, tree: Line, piece: Piece, cells: list[tuple[int, Tight]]) -> None:
        if not cells:
            return
        bounds = largest(piece, [tight.cell for _, tight in cells], self._below)
        for (node, tight), bound in zip(cells, bounds.tolist(), strict=True):
            if not bound <= self._below:
                self._divide(tree, node, piece, tight, bound)

    def _divide(self, tree: Line, node: int, piece: Piece, tight: Tight, bound: float) -> None:
        """Divide a cell until |f − g| ≤ high in all parts, or refuse it."""
        waiting, limit = [(bound, tight)], min(MOST_FURTHER, self._further + MOST_FURTHER_OF_ONE)
        while waiting:
            bound, tight = waiting.pop()
            leaf = Line(tree.value[node], f"{tree.path}[{node}]")
            right = f"a cell where |f − g| ≤ {decimal(self._high)}"
            x = self._input_within(piece, tight)
            if x is not None:
                found = self._evaluator.error(x, self._high, below=True)
                leaf.must(found[0] <= self._high, f"{right}; {_wrong_at(x, found)}")
                if tight.counts is not None and found[1] <= self._high:
                    continue
            best: tuple[float, list[tuple[float, Tight]]] = (inf, [])
            if tight.counts is None and self._further < limit:
                best = self._best_way(piece, tight.cell)
            leaf.must(best[0] < inf, f"{right}; only |f − g| ≤ {bound:.6g} was found here")
            self._further += 2
            waiting += best[1]

    def _best_way(self, piece: Piece, cell: Cell) -> tuple[float, list[tuple[float, Tight]]]:
        """Return the halves of a cell that are still above high, divided in the best of all ways.

        The best way leaves the least sum of what is above high.
        """
        ways = [[tightened(piece, half) for half in way] for way in halves(piece, cell)]
        if not ways:
            return inf, []
        parts = [tight for way in ways for tight in way if tight is not None]
        cells = [tight.cell for tight in parts]
        bounds = iter(largest(piece, cells, self._below).tolist() if parts else [])
        best: tuple[float, list[tuple[float, Tight]]] = (inf, [])
        for way in ways:
            open_parts = []
            for tight in way:
                if tight is not None:
                    bound = next(bounds)
                    if not bound <= self._below:
                        open_parts.append((bound, tight))
            excess = sum(min(bound, 1e300) - self._below for bound, _ in open_parts)
            if excess < best[0]:
                best = (excess, sorted(open_parts, key=lambda part: part[0]))
        return best

    def _input_within(self, piece: Piece, tight: Tight) -> SingleInput | None:
        """Return an input of a cell, near its middle; None if none was found."""
        found = counts_within(piece, tight.cell)
        if tight.counts is not None:
            found = tight.cell.first, tight.counts
        if found is None or found[0] > LONGEST:
            return None
        length, counts = found
        of_types = dict(zip(piece.representatives, counts, strict=True))
        return SingleInput(length, of_types, piece.context.at_lag, piece.context.query)


def _length(line: Line, least: int) -> int:
    """Require an integer that may be a length; very long ones may be hexadecimal text."""
    value = line.value
    if isinstance(value, str) and value[:2] == "0x" and len(value) < 1000:
        try:
            value = int(value, 16)
        except ValueError:
            value = None
    good = type(value) is int and least <= value <= LONGEST
    line.must(good, f"an integer, at least {least}, at most 10^1000")
    return int(value)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float(np.inf)


def _about(number: Fraction) -> str:
    return f"here it is at most {float(number):.9g}"


def _wrong_at(x: SingleInput, found: tuple[Fraction, Fraction]) -> str:
    """Say what |f − g| is on an input."""
    counts = {t: n for t, n in x.counts.items() if n}
    where = f"length {short_text(x.length)}, types {short_text(counts)}, at lags {dict(x.at_lag)}"
    return f"at least {decimal(found[0])}, which |f − g| is at {where}"


__all__ = ["RecheckedEnclosure", "recheck_enclosure"]
