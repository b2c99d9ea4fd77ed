"""`average_worst`: the largest average error at a length, over all functions of the share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from verify.errors import InputError
from verify.tightness.average.certify import Heights, Problem, attained, pair, proved
from verify.tightness.average.law import Branch, Law, branches
from verify.tightness.average.program import solve
from verify.tightness.exact.worst import in_units, rational

LONGEST = 1000
"""T is at most this."""

MOST = {False: 150, True: 80}
"""N is at most this at a length T, and in the limit: there are about N²/3 shares."""

_GRID = 10**9

_POINTS = 2000
"""About as many points the limit's grid has, so that both sides meet within a percent or less."""


@dataclass(frozen=True, eq=False)
class AverageWorst:
    """Both sides of sup E_T|f − g| over the pairs that agree on average up to N.

    Attributes:
        low: attained, exactly, by the pair f = h, g = 0 (rounded down to 10⁻⁹ε).
        high: proved for every pair by a dual solution in exact arithmetic (rounded up).
        slope: Lipschitz constant of the difference f − g.
        epsilon, length, at, prior, query: what was asked.
        heights: for each branch, share → h/ε of the pair, exact.
    """

    low: Fraction
    high: Fraction
    slope: Fraction
    epsilon: Fraction
    length: int
    at: int | None
    prior: tuple[Fraction, Fraction]
    query: bool
    heights: Heights

    def __str__(self) -> str:
        """Return both sides in one line."""
        where = "T → ∞" if self.at is None else f"T = {self.at}"
        return (
            f"{float(self.low):.6f} ≤ largest average error at {where} ≤ {float(self.high):.6f}, "
            f"for slope {self.slope}, ε = {self.epsilon}, N = {self.length}"
        )


def average_worst(
    *,
    slope: Any,
    epsilon: Any,
    length: int,
    at: int | None,
    prior: tuple[Any, Any] = (1, 1),
    query: bool = False,
) -> AverageWorst:
    """The largest E_T|f − g| if E_n|f − g| ≤ ε for all n ≤ N: two tokens, uniform attention.

    f and g are functions of the share of token 1; their difference h is Lipschitz. h may be taken
    ≥ 0, since |h| has the same averages and no larger slope; then f = h, g = 0 is a pair.

    Args:
        slope: Lipschitz constant of f − g in the share: Λ if g = 0, 2Λ for all pairs of
            Λ-Lipschitz functions.
        epsilon: ε > 0, at least slope/10⁶.
        length: N, from 1 to 150; 80 if `at` is None.
        at: T > N, at most 1000; None: the limit T → ∞, for whole parameters of the prior.
        prior: parameters of token 1 and token 0 of the Dirichlet prior; rational, positive.
        query: f and g may also depend on the last token.

    Raises:
        InputError: an argument is none of those.
        VerifyError: the solver of linear programs gives up.
    """
    rise, agreement = rational("slope", slope), rational("epsilon", epsilon)
    ones, zeros = (rational("prior", p) for p in prior)
    _check(length, at)
    if at is None and not ones.denominator == zeros.denominator == 1:
        raise InputError("prior", prior, "whole numbers if `at` is None; or give a length T")
    parts = branches(ones, zeros, query)
    problem = Problem(parts, in_units("slope", rise, agreement), length, at)
    if at is None:
        goals = tuple(_limit_goal(branch, length) for branch in parts)
    else:
        goals = tuple(branch.at(at) for branch in parts)
    solution = solve(parts, problem.slope, length, goals)
    heights = pair(problem, solution)
    low, high = attained(problem, heights), proved(problem, solution)
    return AverageWorst(
        Fraction(math.floor(low * _GRID), _GRID) * agreement,
        Fraction(math.ceil(high * _GRID), _GRID) * agreement,
        rise,
        agreement,
        length,
        at,
        (ones, zeros),
        query,
        heights,
    )


def _check(length: int, at: int | None) -> None:
    whole = isinstance(length, int) and not isinstance(length, bool)
    most = MOST[at is None]
    if not whole or not 1 <= length <= most:
        raise InputError("length", length, f"a whole number from 1 to {most}")
    if at is not None and not (isinstance(at, int) and length < at <= LONGEST):
        raise InputError("at", at, f"a length from {length + 1} to {LONGEST}, or None")


def _limit_goal(branch: Branch, length: int) -> Law:
    """The prior on a grid: the shares of short inputs, and equal parts of what lies between.

    A weight is the integral of the hat function of its point.
    """
    shares = set().union(*(branch.at(n) for n in range(1, length + 1)))
    known = sorted(shares | {Fraction(0), Fraction(1)})
    parts = min(32, max(4, _POINTS // len(known)))
    points = [
        left + (right - left) * Fraction(k, parts)
        for left, right in pairwise(known)
        for k in range(parts)
    ]
    points.append(known[-1])
    goal = dict.fromkeys(points, Fraction(0))
    ends = [[branch.primitive(k, v) for k in (0, 1)] for v in points]
    for (left, (mass, first)), (right, (more, further)) in pairwise(zip(points, ends, strict=True)):
        mass, first = more - mass, further - first
        goal[right] += (first - left * mass) / (right - left)
        goal[left] += (right * mass - first) / (right - left)
    return goal
