"""`exact_worst`: the largest |f − g| at any length, over all Lipschitz heads that agree up to N."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Any

import numpy as np

from bounds.errors import ParameterError
from bounds.numbers import exact
from verify.errors import InputError
from verify.tightness.exact.boxes import (
    at_the_limit_region,
    distance_at_the_limit,
    distance_off_the_limit,
    largest,
    off_the_limit_region,
)
from verify.tightness.exact.graph import ShortInputs
from verify.tightness.exact.patterns import NestedPatterns

BOXES = 4000
"""Boxes of shares that are looked at, by default, before the inputs off the limit are given up."""

_SLACK = 1e-3
"""By how much, in units of ε, both sides may differ for |Σ| = 4."""

STEEPEST = 10**6
"""L/ε is at most this."""

MOST_INPUTS = {True: 30_000, False: 200_000}
"""Short inputs are listed: at most so many where paths with three ε-edges count, and else."""


@dataclass(frozen=True)
class ExactWorst:
    """The worst case over all pairs of heads that agree within ε up to N.

    Attributes:
        patterns, lipschitz, epsilon, length: what was asked; L of f and of g, ε, N.
        value: the largest |f − g| at inputs in which the share of A in all tokens tends to 0, as
            the exact length of a path, which bounds it from above; |Σ| = 4: an upper bound.
        low: certified lower bound: `value` less the rounding of float64; |Σ| = 4: by branch and
            bound.
        law: where it is: the law on Σ that f sees in the limit, o last; g sees only o.
        others_high: bound on |f − g| at all other inputs, as far as it had to be found (at most
            `value` if `complete`).
        complete: whether no input of any length has more than `value`.
    """

    patterns: NestedPatterns
    lipschitz: Fraction
    epsilon: Fraction
    length: int
    value: Fraction
    low: float
    law: tuple[Fraction, ...]
    others_high: float
    complete: bool

    def __str__(self) -> str:
        """Return the result in one line."""
        rest = "at any input" if self.complete else "as the share of A tends to 0"
        return (
            f"largest |f − g| {rest}: {self.value} = {float(self.value):.6g}, for L = "
            f"{self.lipschitz}, ε = {self.epsilon}, N = {self.length}"
        )


def exact_worst(
    patterns: NestedPatterns,
    *,
    lipschitz: Any,
    epsilon: Any,
    length: int,
    boxes: int = BOXES,
) -> ExactWorst:
    """The largest |f − g| at any length if |f − g| ≤ ε on all inputs of length ≤ N.

    The maximum is over all f, g that are L-Lipschitz in the total variation of the law of the
    tokens that they attend to, and over all inputs. Source:
    [derived, docs/theory/one_layer_argmax.md#one-layer-duality] and docs/tightness_exact.md.

    Args:
        patterns: what the heads attend to.
        lipschitz: L of f and of g, for every query; a positive rational number.
        epsilon: ε > 0, rational, at least L/10⁶.
        length: N, from 2 to 55; tied: to 244; four tokens: to 27.
        boxes: how many boxes of shares are looked at for the inputs off the limit; 0: none.
            |Σ| = 4: in the limit, too.

    Raises:
        InputError: an argument is none of those.
    """
    slope, agreement = rational("lipschitz", lipschitz), rational("epsilon", epsilon)
    check_length("length", length, longest_listed(patterns))
    if not isinstance(boxes, int) or boxes < 0:
        raise InputError("boxes", boxes, "a whole number, at least 0")
    short = ShortInputs(patterns, length, in_units("lipschitz", slope, agreement))
    limit = at_the_limit(patterns, short, boxes)
    # The lemma for shares below 1/N needs a path that starts at an input with tokens of A.
    others, closed = np.inf, False
    if boxes and limit.high < 1 + short.slope:
        others, closed = off_the_limit(patterns, short, length, float(limit.high), boxes)
    return ExactWorst(
        patterns,
        slope,
        agreement,
        length,
        limit.high * agreement,
        limit.low * float(agreement),
        limit.law,
        others * float(agreement),
        closed,
    )


def rational(name: str, given: Any) -> Fraction:
    """Read a positive rational number.

    Raises:
        InputError: it is none.
    """
    try:
        number = exact(given)
    except (ParameterError, TypeError, ValueError):
        number = None
    if not isinstance(number, Fraction) or number <= 0:
        raise InputError(name, given, 'a positive rational number such as 6 or "1/10"')
    return number


def in_units(name: str, given: Fraction, epsilon: Fraction) -> Fraction:
    """Divide by ε what is not too large for float64 beside it.

    Raises:
        InputError: it is.
    """
    if given > STEEPEST * epsilon:
        raise InputError(name, given, f"at most {STEEPEST:,}·ε")
    return given / epsilon


def longest_listed(patterns: NestedPatterns, detours: bool = True) -> int:
    """The largest N whose inputs are not too many to list; `detours`: for targets above 3ε."""
    length, size = 2, patterns.vocabulary_size
    while comb(length + size, size) <= MOST_INPUTS[detours]:
        length += 1
    return length


def check_length(name: str, length: int, longest: int) -> None:
    """Refuse an N that is no length or too long to list.

    Raises:
        InputError: it is.
    """
    if not isinstance(length, int) or isinstance(length, bool) or not 2 <= length <= longest:
        raise InputError(name, length, f"a whole number from 2 to {longest}")


@dataclass(frozen=True)
class Limit:
    """Both sides of the worst distance at ν = 0, in units of ε, and the law that f sees there."""

    high: Fraction
    low: float
    law: tuple[Fraction, ...]


def at_the_limit(patterns: NestedPatterns, short: ShortInputs, boxes: int = BOXES) -> Limit:
    """The worst distance where g sees only o.

    |Σ| = 3: f's law is any on s₁, s₂: between neighbours among the short inputs' laws the distance
    is the lower of two straight lines, of slopes L and −L. Tied: f sees s₁ only. |Σ| = 4: branch
    and bound.
    """
    if patterns.vocabulary_size == 4:
        found = largest(
            distance_at_the_limit(short),
            at_the_limit_region(patterns),
            short,
            max(boxes, 1),
            slack=_SLACK,
        )
        inner = [Fraction(p) for p in found.at[:-1].tolist()]
        law = (*inner, 1 - sum(inner, start=Fraction(0)), Fraction(0))
        return Limit(Fraction(found.high), found.low - short.rounding, law)
    _, paths = short.from_limit()
    known = [
        (Fraction(int(c[0]), int(c.sum())), path.length)
        for c, path in zip(short.f_counts, paths, strict=True)
        if patterns.tied or c[-1] == 0  # free: what sees only o is at distance 1
    ]
    if patterns.tied:
        # The distance in f is the share of o, 1 minus that of s₁.
        top = min(cost + short.slope * (1 - share) for share, cost in known)
        return Limit(top, float(top) - short.rounding, (Fraction(1), Fraction(0)))
    peaks = []
    for (left, low), (right, high) in pairwise(sorted(known)):
        top = (low + high + short.slope * (right - left)) / 2
        peaks.append((top, left + (top - low) / short.slope))
    top, share = max(peaks)
    top = min(top, 1 + short.slope)
    return Limit(top, float(top) - short.rounding, (share, 1 - share, Fraction(0)))


def exceeded_at_the_limit(
    patterns: NestedPatterns, short: ShortInputs, goal: Fraction, boxes: int
) -> tuple[bool, bool]:
    """Whether the target may be exceeded at ν = 0, and whether it certainly is; unit: ε."""
    if patterns.vocabulary_size < 4:
        limit = at_the_limit(patterns, short)
        return limit.high > goal, limit.low > goal
    found = largest(
        distance_at_the_limit(short),
        at_the_limit_region(patterns),
        short,
        max(boxes, 1),
        float(goal),
    )
    return not found.closed, found.low - short.rounding > goal


def off_the_limit(
    patterns: NestedPatterns, short: ShortInputs, length: int, goal: float, boxes: int
) -> tuple[float, bool]:
    """Bound the distance, in units of ε, at inputs whose share ν of A is at least 1/N.

    Below 1/N the distance is at most that at ν = 0: every short input with tokens of A has
    ν_z ≥ 1/N, and is no further for g than at ν = 0; others need not begin a path.

    Returns:
        An upper bound, and whether it is at most `goal`.
    """
    if patterns.tied:  # finitely many s₁, ν → 0
        cost, _ = short.from_limit()
        nodes = float(cost[short.f_counts[:, 0] > 0].max()) + short.rounding
        if nodes > goal:
            return nodes, False
    found = largest(
        distance_off_the_limit(patterns, short, length),
        off_the_limit_region(patterns, length),
        short,
        boxes,
        goal,
        stop=not patterns.tied,  # there boxes hold laws of f that no long input shows
    )
    return found.high, found.closed
