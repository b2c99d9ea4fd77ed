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

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from bounds.numbers import exact
from verify.errors import InputError
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import content_logits, minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer


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


def head_margins(f: LimitTransformer, head: int, tie_tolerance: Fraction | None) -> HeadMargins:
    """Return the margins of one head of the only layer, over every query type."""
    query_logits = _QueryLogits(f, head, tie_tolerance)
    all_pairs: list[int] = []
    realised: list[int] = []
    largest, merged = 0, 0
    for query in range(query_logits.types):
        levels = query_logits.levels(query)
        largest = max(largest, levels[-1].numerator - levels[0].numerator)
        merged += len(levels) - 1 - levels[-1].group
        neighbours = pairwise(levels)
        all_pairs += [b.numerator - a.numerator for a, b in neighbours if a.group != b.group]
        realised += query_logits.realised_gaps(query, levels)
    unit = query_logits.unit
    return HeadMargins(
        min(all_pairs) * unit if all_pairs else None,
        min(realised) * unit if realised else None,
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
    for (name, count), given in zip(ranges.items(), (token, residue, head), strict=True):
        whole = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
        if not whole or not 0 <= given < count:
            raise InputError(name, given, f"an integer, 0..{count - 1}")
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
    """All logits of one head, as integers in one unit."""

    def __init__(self, f: LimitTransformer, head: int, tolerance: Fraction | None) -> None:
        content = content_logits(f, head)
        bias = Dyadic.of(f.layers[0].heads[head].lag_bias[: minimal_locality(f) + 1])
        common = concatenate([content.reshape(-1), bias])
        self.types = content.shape[0]
        self.period = minimal_period(f)
        self.vocabulary_size = f.vocabulary_size
        self.content = common.numerators[: self.types**2].reshape(content.shape)
        self.bias: list[int] = common.numerators[self.types**2 :].tolist()
        self.unit = Fraction(1, 2) ** common.exponent
        self.tolerance = 0 if tolerance is None else tolerance / self.unit

    def levels(self, query: int) -> list[_Level]:
        """Return the distinct logits of a query type, the least first."""
        holders: defaultdict[int, list[Key]] = defaultdict(list)
        column: list[int] = self.content[:, query].tolist()
        residue, token = divmod(query, self.vocabulary_size)
        for lag, bias in enumerate(self.bias):
            r = (residue - lag) % self.period
            for s in [token] if lag == 0 else range(self.vocabulary_size):
                holders[column[r * self.vocabulary_size + s] + bias].append(Key(s, r, lag))
        for number, logit in enumerate(column):
            r, s = divmod(number, self.vocabulary_size)
            holders[logit].append(Key(s, r, None))
        levels: list[_Level] = []
        for logit in sorted(holders):
            near = bool(levels) and logit - levels[-1].numerator <= self.tolerance
            group = (levels[-1].group + (not near)) if levels else 0
            levels.append(_Level(logit, group, holders[logit]))
        return levels

    def realised_gaps(self, query: int, levels: list[_Level]) -> list[int]:
        """Return, for each level that can be the largest of an input, its gap to the next one."""
        lags = [self._lags(query, level.keys) for level in levels]
        gaps = []
        for _, group in groupby(enumerate(levels), key=lambda pair: pair[1].group):
            members = [number for number, _ in group]
            length = self._longest(query, levels[members[-1]].numerator)
            for top in members:
                own = {lag for lag in lags[top] if lag < length}
                for other in reversed(range(members[0]) if own else ()):
                    second = {lag for lag in lags[other] if lag < length}
                    if second and len(own | second) > 1:
                        gaps.append(levels[top].numerator - levels[other].numerator)
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

    def _longest(self, query: int, largest: int) -> int:
        """Return the length of the longest input without a logit above `largest`.

        A length beyond τ + 2Δ stands for any length; 0: there is no such input.
        """
        residue, far = query // self.vocabulary_size, len(self.bias)
        for lag, least in enumerate(self._least(query)):
            if least > largest:
                return lag - (lag - residue) % self.period
        return far + 2 * self.period

    def _least(self, query: int) -> list[int]:
        """Return the least logit that the position at each lag 0..τ + Δ can be given."""
        column = self.content[:, query].reshape(self.period, self.vocabulary_size).min(axis=1)
        residue = query // self.vocabulary_size
        bias = self.bias + [0] * self.period
        least = [int(column[(residue - lag) % self.period]) + b for lag, b in enumerate(bias)]
        least[0] = int(self.content[query, query]) + self.bias[0]
        return least
