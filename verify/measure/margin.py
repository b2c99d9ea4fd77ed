"""Exact logit margins of a one-layer model: which logits a query can meet, and how far apart.

`margin` is the paper's: the least positive difference of two logits that one query (token and
residue) can meet [izzo2025, section 4]. `margin_realised` is what hardmax attention needs: the
least gap, over all inputs, between the largest logit of the input and its next smaller one. It is
never below `margin`, and attention is hardmax on all inputs of length T ≥ 2^(p/margin_realised).
(Merely to ask that one input has both logits gains nothing: two that exclude each other are two
tokens at one lag, and the same two tokens further back differ by as much.)

A logit a is the largest one of some input only if every position can be given a token whose logit
is at most a: the query's own position first of all. If that fails first at lag l, inputs are of
length at most l. Beyond lag τ only residues matter, so lags up to τ + 2Δ show every case.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby
from typing import Any, NamedTuple

from bounds.numbers import exact
from verify.errors import InputError
from verify.measure.dyadic import Dyadic
from verify.measure.size import Progress, no_progress
from verify.measure.value_types import content_columns, minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_integer


class Key(NamedTuple):
    """A key that a query can meet: its token, its residue, and its lag (None: any lag > τ)."""

    token: int
    residue: int
    lag: int | None


@dataclass(frozen=True)
class LogitLevel:
    """One value (with a tolerance: one group of values) among the logits of a query.

    Attributes:
        logit: the greatest logit of the level, exactly, before the scaling by log T.
        spread: greatest minus least logit of the level; 0 without a tolerance.
        keys: all keys that have it.
    """

    logit: Fraction
    spread: Fraction
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class HeadMargins:
    """Margins of one head over all its queries; None where no two logits differ.

    Attributes:
        margin: least positive difference of two logits possible for one query.
        margin_realised: least gap between the two largest distinct logits of one input.
        largest_gap: greatest difference of two logits possible for one query.
        ties_merged: number of distinct logits that the tolerance made equal to a neighbour,
            summed over queries.
    """

    margin: Fraction | None
    margin_realised: Fraction | None
    largest_gap: Fraction
    ties_merged: int


class _Level(NamedTuple):
    """A distinct logit of one query: its numerator, its group of ties, the keys that have it."""

    numerator: int
    group: int
    keys: list[Key]


def head_margins(
    f: LimitTransformer,
    head: int,
    tie_tolerance: Fraction | None,
    progress: Progress = no_progress,
) -> HeadMargins:
    """Return the margins of one head of the only layer, over every query type."""
    logits = _QueryLogits(f, head, tie_tolerance)
    margin: int | None = None
    realised: int | None = None
    largest, merged = 0, 0
    for query in range(logits.types):
        values = logits.distinct(query)
        starts = logits.groups(values)
        largest = max(largest, values[-1] - values[0])
        merged += len(values) - len(starts)
        gaps = [values[k] - values[k - 1] for k in starts[1:]]
        margin = min([*gaps, margin] if margin is not None else gaps, default=None)
        # No gap below the largest logit of an input is less than the one to the next group.
        if gaps and (realised is None or min(gaps) < realised):
            found = logits.realised_gaps(query, logits.levels(query), realised)
            realised = min([*found, realised] if realised is not None else found, default=None)
        progress(f"margins of head {head}", query + 1, logits.types)
    unit = logits.unit
    return HeadMargins(
        None if margin is None else margin * unit,
        None if realised is None else realised * unit,
        largest * unit,
        merged,
    )


def logit_levels(
    f: LimitTransformer, token: int, residue: int, head: int = 0, tie_tolerance: Any = None
) -> tuple[LogitLevel, ...]:
    """Return all logits that one query can meet, the largest first, each with its keys.

    Args:
        f: a model with one layer; its logits are exact, as rational numbers.
        token: the query's token, 0..|Σ|−1.
        residue: the query's position modulo Δ, 0..Δ−1, Δ the smallest period of the positions.
        head: 0..H−1.
        tie_tolerance: logits this near are one level; None (default): only equal ones.

    Raises:
        InputError: an argument is out of its range, or f has more than one layer.
    """
    check_one_layer("f", f)
    ranges = {"token": f.vocabulary_size, "residue": minimal_period(f), "head": f.heads[0]}
    numbers = []
    for (name, count), given in zip(ranges.items(), (token, residue, head), strict=True):
        number = as_integer(given)
        if number is None or not 0 <= number < count:
            raise InputError(name, given, f"an integer, 0..{count - 1}")
        numbers.append(number)
    token, residue, head = numbers
    logits = _QueryLogits(f, head, read_tolerance(tie_tolerance))
    groups: defaultdict[int, list[_Level]] = defaultdict(list)
    for level in logits.levels(residue * f.vocabulary_size + token):
        groups[level.group].append(level)
    return tuple(
        LogitLevel(
            group[-1].numerator * logits.unit,
            (group[-1].numerator - group[0].numerator) * logits.unit,
            tuple(key for level in reversed(group) for key in level.keys),
        )
        for _, group in sorted(groups.items(), reverse=True)
    )


def check_one_layer(name: str, f: LimitTransformer) -> None:
    """Raise InputError if the model has more than one layer."""
    if len(f.layers) != 1:
        allowed = "one layer: a logit margin is defined for one layer in finite precision"
        raise InputError(f"{name}.layers", len(f.layers), allowed)


def read_tolerance(value: Any) -> Fraction | None:
    """Return a tolerance as an exact number, or None.

    Raises:
        InputError: not a rational number ≥ 0.
    """
    if value is None:
        return None
    try:
        number = exact(value)
    except ValueError as problem:
        raise InputError("tie_tolerance", value, f"None, or a number ≥ 0; {problem}") from None
    if not isinstance(number, Fraction) or number < 0:
        raise InputError("tie_tolerance", value, "None, or a rational number ≥ 0")
    return number


class _QueryLogits:
    """All logits of one head, as integers in one unit, query after query."""

    def __init__(self, f: LimitTransformer, head: int, tolerance: Fraction | None) -> None:
        self._parts = _Parts(f, head)
        bias = Dyadic.of(f.layers[0].heads[head].lag_bias[: minimal_locality(f) + 1])
        exponent = max(self._parts.exponent, bias.exponent)
        self._factor = 1 << (exponent - self._parts.exponent)
        self.types = self._parts.types
        self.period = minimal_period(f)
        self.vocabulary_size = f.vocabulary_size
        self.bias: list[int] = [
            n << (exponent - bias.exponent) for n in bias.numerators.ravel().tolist()
        ]
        self.unit = Fraction(1, 2) ** exponent
        self.tolerance = 0 if tolerance is None else tolerance / self.unit

    def column(self, query: int) -> list[int]:
        """Return the content logits of all keys for one query type."""
        column = self._parts.column(query)
        return column if self._factor == 1 else [n * self._factor for n in column]

    def distinct(self, query: int) -> list[int]:
        """Return the distinct logits that a query type can meet, the least first."""
        column = self.column(query)
        residue, token = divmod(query, self.vocabulary_size)
        found = set(column)
        for lag, bias in enumerate(self.bias):
            first = (residue - lag) % self.period * self.vocabulary_size
            if lag == 0:
                found.add(column[first + token] + bias)
            elif bias:
                found.update(n + bias for n in column[first : first + self.vocabulary_size])
        return sorted(found)

    def groups(self, values: list[int]) -> list[int]:
        """Return the places at which a new group of ties begins."""
        if not self.tolerance:
            return list(range(len(values)))
        far = (k for k in range(1, len(values)) if values[k] - values[k - 1] > self.tolerance)
        return [0, *far]

    def levels(self, query: int) -> list[_Level]:
        """Return the distinct logits of a query type with their keys, the least first."""
        holders: defaultdict[int, list[Key]] = defaultdict(list)
        column = self.column(query)
        residue, token = divmod(query, self.vocabulary_size)
        for lag, bias in enumerate(self.bias):
            r = (residue - lag) % self.period
            for s in [token] if lag == 0 else range(self.vocabulary_size):
                holders[column[r * self.vocabulary_size + s] + bias].append(Key(s, r, lag))
        for number, logit in enumerate(column):
            r, s = divmod(number, self.vocabulary_size)
            holders[logit].append(Key(s, r, None))
        values = sorted(holders)
        starts = self.groups(values)
        ends = [*starts[1:], len(values)]
        return [
            _Level(values[k], group, holders[values[k]])
            for group, (start, end) in enumerate(zip(starts, ends, strict=True))
            for k in range(start, end)
        ]

    def realised_gaps(self, query: int, levels: list[_Level], below: int | None) -> list[int]:
        """Return, for each level that can be the largest of an input, its gap to the next one.

        Only gaps less than `below` are looked for, where that is given.
        """
        lags: dict[int, list[int]] = {}

        def lags_of(number: int, length: int) -> set[int]:
            if number not in lags:
                lags[number] = self._lags(query, levels[number].keys)
            return {lag for lag in lags[number] if lag < length}

        longest = self._longest(query)
        gaps = []
        for _, group in groupby(enumerate(levels), key=lambda pair: pair[1].group):
            members = [number for number, _ in group]
            length = longest(levels[members[-1]].numerator)
            for top in members:
                for other in reversed(range(members[0])):
                    gap = levels[top].numerator - levels[other].numerator
                    if below is not None and gap >= below:
                        break
                    own, second = lags_of(top, length), lags_of(other, length)
                    if own and second and len(own | second) > 1:
                        gaps.append(gap)
                        break
        return gaps

    def _lags(self, query: int, keys: list[Key]) -> list[int]:
        """Return the lags ≤ τ + 2Δ at which the keys can sit."""
        residue, far = query // self.vocabulary_size, len(self.bias)
        lags = {key.lag for key in keys if key.lag is not None}
        for key in keys:
            if key.lag is None:
                first = far + (residue - far - key.residue) % self.period
                lags |= {first, first + self.period}
        return sorted(lags)

    def _longest(self, query: int) -> Callable[[int], int]:
        """Return the function: length of the longest input without a logit above `largest`.

        A length beyond τ + 2Δ stands for any length; 0: there is no such input.
        """
        residue, far = query // self.vocabulary_size, len(self.bias)
        # Greatest of the least logits of the lags so far: the first one above is the limit.
        needed = list(accumulate(self._least(query), max))

        def longest(largest: int) -> int:
            lag = bisect_right(needed, largest)
            if lag < len(needed):
                return lag - (lag - residue) % self.period
            return far + 2 * self.period

        return longest

    def _least(self, query: int) -> list[int]:
        """Return the least logit that the position at each lag 0..τ + Δ can be given."""
        column, size = self.column(query), self.vocabulary_size
        floor = [min(column[r * size : (r + 1) * size]) for r in range(self.period)]
        residue = query // size
        bias = self.bias + [0] * self.period
        least = [floor[(residue - lag) % self.period] + b for lag, b in enumerate(bias)]
        least[0] = column[query] + self.bias[0]
        return least


class _Parts:
    """Content logits of one head, of which a part is in memory at a time."""

    def __init__(self, f: LimitTransformer, head: int) -> None:
        self._f, self._head = f, head
        self._rest = content_columns(f, head)
        self._start, self._columns = next(self._rest)
        self.types, self.exponent = self._columns.shape[0], self._columns.exponent

    def column(self, query: int) -> list[int]:
        """Return the numerators of all keys for one query; fast for queries in their order."""
        if query < self._start:
            self._rest = content_columns(self._f, self._head)
            self._start, self._columns = next(self._rest)
        while query >= self._start + self._columns.shape[1]:
            self._start, self._columns = next(self._rest)
        column: list[int] = self._columns.numerators[:, query - self._start].tolist()
        return column
