"""Both sides of the linear program in exact arithmetic, from a solution in floats. Unit: ε.

Primal: the heights are made Lipschitz from below and scaled until E_n h ≤ 1 for all n ≤ N: a true
pair f = h, g = 0. Dual: for prices y_n ≥ 0 and floors ρ ≥ 0 whose total mass is that of
Σ y_n P_n − P_T, put G(v) = (P_T − Σ y_n P_n + ρ)[0, v], so that G(1) = 0. Summation by parts
gives E_T h ≤ Σ y_n + slope·∫|G| for every h ≥ 0 of the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from verify.tightness.average.law import Branch, Law
from verify.tightness.average.program import Solution

_DIGITS = 2**44
Heights = tuple[dict[Fraction, Fraction], ...]


@dataclass(frozen=True)
class Problem:
    """The linear program: T is `at`, or None for the limit."""

    branches: tuple[Branch, ...]
    slope: Fraction
    length: int
    at: int | None


def pair(problem: Problem, solution: Solution) -> Heights:
    """Return heights h at the points, exactly in the class."""
    found = []
    for points, heights in zip(solution.points, solution.heights, strict=True):
        rounded = [Fraction(max(0, round(h * _DIGITS)), _DIGITS) for h in heights.tolist()]
        for order in (range(1, len(points)), range(len(points) - 2, -1, -1)):
            for k in order:
                near = k - 1 if order.step > 0 else k + 1
                cone = rounded[near] + problem.slope * abs(points[k] - points[near])
                rounded[k] = min(rounded[k], cone)
        found.append(dict(zip(points, rounded, strict=True)))
    largest = max(mean(problem, tuple(found), n) for n in range(1, problem.length + 1))
    scale = max(largest, Fraction(1))
    return tuple({v: h / scale for v, h in own.items()} for own in found)


def mean(problem: Problem, heights: Heights, length: int) -> Fraction:
    """Return E_n h, exactly; all shares of length n must be points."""
    return sum(
        (
            weight * own[v]
            for branch, own in zip(problem.branches, heights, strict=True)
            for v, weight in branch.at(length).items()
        ),
        start=Fraction(0),
    )


def attained(problem: Problem, heights: Heights) -> Fraction:
    """Return E_T h for the highest Lipschitz extension of h, exactly: a lower bound."""
    if problem.at is not None:
        return mean(problem, heights, problem.at)
    total = Fraction(0)
    for branch, own in zip(problem.branches, heights, strict=True):
        for (left, low), (right, high) in pairwise(own.items()):
            # h + slope·(v − left) up to the top, then down to the right
            top = (left + right + (high - low) / problem.slope) / 2
            total += _linear(branch, left, top, low - problem.slope * left, problem.slope)
            total += _linear(branch, top, right, high + problem.slope * right, -problem.slope)
    return total


def _linear(branch: Branch, a: Fraction, b: Fraction, start: Fraction, rise: Fraction) -> Fraction:
    """∫ from a to b of start + rise·v under the prior."""
    mass, first = (branch.primitive(k, b) - branch.primitive(k, a) for k in (0, 1))
    return start * mass + rise * first


def proved(problem: Problem, solution: Solution) -> Fraction:
    """Return an upper bound of E_T h over the class, by the dual solution."""
    prices = [Fraction(max(0, round(y * _DIGITS)), _DIGITS) for y in solution.prices.tolist()]
    missing = 1 - sum(prices, start=Fraction(0))
    if missing > 0:
        prices[-1] += missing
    bound = sum(prices, start=Fraction(0))
    parts = zip(problem.branches, solution.points, solution.floors, strict=True)
    for branch, points, floors in parts:
        rounded = [Fraction(max(0, round(r * _DIGITS)), _DIGITS) for r in floors.tolist()]
        _balance(rounded, branch.weight * (sum(prices, start=Fraction(0)) - 1))
        known = dict(zip(points, rounded, strict=True))
        for n, price in enumerate(prices, start=1):
            if price:
                for v, weight in branch.at(n).items():
                    known[v] -= price * weight
        if problem.at is not None:
            area = _steps(points, known, branch.at(problem.at))
        else:
            area = _against_prior(branch, points, known)
        bound += problem.slope * area
    return bound


def _balance(floors: list[Fraction], total: Fraction) -> None:
    """Change floors ≥ 0 a little so that their sum is `total` ≥ 0."""
    excess = sum(floors, start=Fraction(0)) - total
    if excess < 0:
        floors[floors.index(max(floors))] -= excess
    while excess > 0:
        largest = floors.index(max(floors))
        less = min(excess, floors[largest])
        floors[largest] -= less
        excess -= less


def _steps(points: Sequence[Fraction], known: dict[Fraction, Fraction], goal: Law) -> Fraction:
    """∫|G| where G is constant between points."""
    area, level = Fraction(0), Fraction(0)
    for left, right in pairwise(points):
        level += known[left] + goal.get(left, Fraction(0))
        area += abs(level) * (right - left)
    return area


def _against_prior(
    branch: Branch, points: Sequence[Fraction], known: dict[Fraction, Fraction]
) -> Fraction:
    """A bound on ∫|F − c| with the prior's distribution F and a step function c, from above.

    |F − c| ≤ |F − F(r)| + |F(r) − c| for a point r near the root, and F is monotone.
    """
    area, level = Fraction(0), Fraction(0)
    for left, right in pairwise(points):
        level -= known[left]  # c on this interval
        low, high = branch.primitive(0, left), branch.primitive(0, right)
        if level <= low or level >= high:
            area += abs(_area(branch, left, right) - level * (right - left))
            continue
        root = _root(branch, left, right, level)
        value = branch.primitive(0, root)
        area += value * (root - left) - _area(branch, left, root)
        area += _area(branch, root, right) - value * (right - root)
        area += abs(value - level) * (right - left)
    return area


def _area(branch: Branch, a: Fraction, b: Fraction) -> Fraction:
    """∫ F from a to b: v·F − ∫ v dF."""
    ends = (v * branch.primitive(0, v) - branch.primitive(1, v) for v in (a, b))
    first, last = ends
    return last - first


def _root(branch: Branch, left: Fraction, right: Fraction, level: Fraction) -> Fraction:
    """A share where F is nearly `level`: bisection, to 2⁻⁴⁰ of the interval."""
    if branch.ones == branch.zeros == 1:
        return level / branch.weight
    low, high = left, right
    for _ in range(30):
        middle = (low + high) / 2
        if branch.primitive(0, middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2
