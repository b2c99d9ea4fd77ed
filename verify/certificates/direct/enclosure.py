"""`enclose`: sup |f − g| over all inputs of length from_length … horizon, from both sides."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from bounds.numbers import exact
from verify.certificates.contexts import Pair, pair_of
from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.certificate import EnclosureCertificate, enclosure_certificate
from verify.certificates.direct.inputs import attained
from verify.certificates.direct.pieces import least_start, pieces
from verify.certificates.direct.resume import resumed
from verify.certificates.direct.search import Found, Search
from verify.certificates.direct.table import Table
from verify.certificates.input_class import PairInputs
from verify.certificates.ladder import read_length
from verify.certificates.window import (
    LIMIT,
    LengthAgreement,
    Progress,
    evaluate,
    float_down,
    float_up,
    plan,
)
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer
from verify.model.validation import in_range
from verify.tables import show_fraction, write_json

CELL = 50
"""Evaluations of count vectors that take as long as a cell."""

TOLERANCE = Fraction(1, 10_000)


@dataclass(frozen=True)
class Enclosure:
    """Both sides of sup |f − g|, largest output, over all inputs of length from_length … horizon.

    Attributes:
        from_length: the shortest length.
        horizon: the longest; None: every length.
        tolerance: the width asked for.
        high: no input is above this.
        found: the largest |f − g| found, with its input; evaluated in ball arithmetic.
        shorter: lengths at which all inputs were looked at one by one: those too short for cells.
        cells: how many cells were bounded; pieces: of how many formulas for f − g.
        finished: whether the width asked for was reached.
    """

    from_length: int
    horizon: int | None
    tolerance: Fraction
    high: Fraction
    found: LengthAgreement
    shorter: dict[int, LengthAgreement]
    cells: int
    pieces: int
    finished: bool
    search: Search = field(repr=False, compare=False)

    @property
    def low(self) -> Fraction:
        """Attained by `worst`."""
        return self.largest.low

    @property
    def width(self) -> Fraction:
        """high − low."""
        return self.high - self.low

    @property
    def worst(self) -> CountedInput:
        """The input with the largest |f − g| found."""
        return self.largest.worst

    @property
    def largest(self) -> LengthAgreement:
        """The largest |f − g| found, at any length."""
        return max([self.found, *self.shorter.values()], key=lambda entry: entry.low)

    def resume(self, *, limit: int = LIMIT, progress: Progress | None = None) -> Enclosure:
        """Go on where this one stopped, with a further budget.

        Args:
            limit: evaluations to do at most; a cell counts as 50.
            progress: called with the evaluations done and `limit`.
        """
        more = self.search.cells + max(limit // CELL, 1)
        finished = run(self.search, _level(self.tolerance), more, counted(progress, limit))
        return enclosure_of(
            self.search, finished, self.from_length, self.horizon, self.tolerance, self.shorter
        )

    def certificate(self) -> EnclosureCertificate:
        """Return what `verify.recheck` can check: every cell with the bound claimed for all.

        Raises:
            InputError: lengths beyond 2^900 had to be told apart (a lag bias very near 1).
        """
        return enclosure_certificate(
            self.search,
            from_length=self.from_length,
            horizon=self.horizon,
            start=self.search.start,
            high=self.high,
            low=self.low,
            worst=self.worst,
            claim=str(self),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; both sides rounded outward."""
        return {
            "low": float_down(self.low),
            "high": float_up(self.high),
            "from_length": self.from_length,
            "horizon": self.horizon,
            "tolerance": str(self.tolerance),
            "finished": self.finished,
            "cells": self.cells,
            "pieces": self.pieces,
            "worst": self.worst.to_dict(),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result as JSON; an existing file stays until the new one is complete."""
        write_json(path, self.to_dict())

    def __str__(self) -> str:
        """Return the enclosure in one line."""
        to = "any length" if self.horizon is None else f"length {show_long(self.horizon)}"
        rest = "" if self.finished else f" (wider than {show_fraction(self.tolerance)}: stopped)"
        return (
            f"{float_down(self.low):.5f} ≤ largest |f − g| over all inputs from length "
            f"{show_long(self.from_length)} to {to} ≤ {float_up(self.high):.5f}{rest}"
        )

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<Enclosure {self}>"


@usual_float_errors
def enclose(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    horizon: int | None,
    from_length: int = 1,
    tolerance: Any = TOLERANCE,
    limit: int = LIMIT,
    progress: Progress | None = None,
    resume: EnclosureCertificate | None = None,
) -> Enclosure:
    """Return both sides of sup |f − g| over all inputs of length from_length … horizon.

    The inputs of all lengths are boxes of token shares and ranges of lengths; the box with the
    largest bound is halved until the bound is within the tolerance of what some input attains.
    When the budget ends, or after Ctrl-C, the enclosure is wider, `.finished` is False, and
    `.resume()` goes on. [docs/theory/certificates.md, Every length at once]

    Args:
        f: a model of one layer, in finite precision or both in infinite precision (softmax).
        g: the other one, with the same |Σ| and number of outputs.
        horizon: the longest length; None: every length, to infinity (softmax always; finite
            precision where logits are equal or far apart and attention is never left to one rare
            token beside others).
        from_length: the shortest length.
        tolerance: the width asked for, > 0.
        limit: evaluations to do at most; a cell counts as 50.
        progress: called with the evaluations done and `limit`.
        resume: `.certificate()` of an earlier enclosure of the same pair and lengths, saved and
            loaded or not: its cells are made again and bounded, and the work goes on from there.

    Raises:
        InputError: an argument is not usable, or the pair is not covered at every length.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    pair = pair_of(f, g, None)
    if horizon is not None:
        horizon = read_length("horizon", horizon, 1, or_none=True)
    from_length = read_length("from_length", from_length, 1)
    if horizon is not None and from_length > horizon:
        raise InputError("from_length", from_length, f"at most the horizon, {horizon}")
    width = _read_tolerance(tolerance)
    check_limit(limit)
    start = max(from_length, least_start(pair))
    if horizon is not None and start > horizon:
        allowed = f"at least {start}; verify.agreement looks at shorter lengths one by one"
        raise InputError("horizon", horizon, allowed)
    shorter = shorter_lengths(f, g, from_length, start, limit)
    search = search_of(pair, start, horizon)
    if resume is not None:
        search = resumed(search, resume, horizon)
    budget = search.cells + max(limit // CELL, 1)
    finished = run(search, _level(width), budget, counted(progress, limit))
    return enclosure_of(search, finished, from_length, horizon, width, shorter)


def search_of(pair: Pair, start: int, horizon: int | None) -> Search:
    """Return a search over all inputs of length start … horizon, nothing halved yet."""
    return Search.of(Table.of(pair, list(pieces(pair, start, horizon))))


def shorter_lengths(
    f: LimitTransformer, g: LimitTransformer, first: int, start: int, limit: int
) -> dict[int, LengthAgreement]:
    """Look at all inputs of length first … start − 1, one by one.

    Raises:
        InputError: that takes more than `limit` evaluations.
    """
    lengths = range(first, start)
    if not lengths:
        return {}
    return evaluate(plan(PairInputs(f, g), lengths, limit)).by_length


def run(
    search: Search,
    settled: Callable[[Search], float],
    limit: int,
    progress: Callable[[int], None] | None,
    found: Callable[[Found], bool] | None = None,
) -> bool:
    """Run a search; an interruption (Ctrl-C) ends it like a spent budget."""
    search.interrupted = False
    try:
        return search.run(settled, limit, progress, found)
    except KeyboardInterrupt:
        search.interrupted = True
        return False


def counted(progress: Progress | None, limit: int) -> Callable[[int], None] | None:
    """Return what tells `progress` of cells as evaluations."""
    if progress is None:
        return None
    return lambda cells: progress(CELL * cells, limit)


def check_limit(limit: Any) -> None:
    """Raise InputError unless `limit` is an integer ≥ 1."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("limit", limit, "an integer ≥ 1")


def _level(tolerance: Fraction) -> Callable[[Search], float]:
    # A little is left for what evaluation in ball arithmetic may find less than the search did.
    width = float(tolerance) * (1 - 2.0**-7)
    return lambda search: search.lower + width


def enclosure_of(
    search: Search,
    finished: bool,
    from_length: int,
    horizon: int | None,
    tolerance: Fraction,
    shorter: dict[int, LengthAgreement],
) -> Enclosure:
    """Return the enclosure that a search has reached by now."""
    found = attained(search.table, search.best_or_any, float(tolerance) / 128, search.start)
    in_range("unembedding", search.upper)
    high = max([Fraction(search.upper), found.low, *(entry.high for entry in shorter.values())])
    result = Enclosure(
        from_length=from_length,
        horizon=horizon,
        tolerance=tolerance,
        high=high,
        found=found,
        shorter=shorter,
        cells=search.cells,
        pieces=len(search.table.pieces),
        finished=finished,
        search=search,
    )
    return replace(result, finished=finished and result.width <= tolerance)


def _read_tolerance(tolerance: Any) -> Fraction:
    allowed = 'a rational number > 0: an int, float, Fraction or text such as "1/10000"'
    try:
        number = exact(tolerance)
    except ValueError as problem:
        raise InputError("tolerance", tolerance, f"{allowed}; {problem}") from None
    if not isinstance(number, Fraction) or number <= 0:
        raise InputError("tolerance", tolerance, allowed)
    return number
