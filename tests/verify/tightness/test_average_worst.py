"""The worst average error: certificates checked again, and pairs that must lie below it."""

import math
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

from verify.errors import InputError
from verify.tightness import average_length, average_worst
from verify.tightness.average.certify import Problem, proved
from verify.tightness.average.law import branches
from verify.tightness.average.program import Solution, solve


@pytest.mark.parametrize("prior", [(1, 1), (Fraction(1, 3), 2)])
def test_the_law_of_the_share_by_enumeration(prior):
    """P(x) of a string under the prior is a ratio of rising factorials of its counts."""
    ones, zeros = (Fraction(p) for p in prior)

    def rising(a, n):
        return math.prod(a + k for k in range(n))

    for query in (False, True):
        parts = branches(ones, zeros, query)
        for n in (1, 2, 5):
            expected = [{} for _ in parts]
            for x in product((0, 1), repeat=n):
                j = sum(x)
                chance = rising(ones, j) * rising(zeros, n - j) / rising(ones + zeros, n)
                own = expected[1 - x[-1] if query else 0]
                own[Fraction(j, n)] = own.get(Fraction(j, n), 0) + chance
            assert [branch.at(n) for branch in parts] == expected


@pytest.mark.parametrize(
    ("slope", "length", "at", "prior", "published"),
    [
        (80, 7, 11, (1, 1), 3.07),
        (320, 15, 17, (1, 1), 4.73),
        (1280, 33, 37, (1, 1), 6.37),
        (1280, 29, 31, (3, 3), 6.90),
    ],
)
def test_both_sides_meet_and_the_pair_is_a_pair(slope, length, at, prior, published):
    worst = average_worst(slope=slope, epsilon=1, length=length, at=at, prior=prior)
    assert worst.low <= worst.high <= worst.low + Fraction(1, 10**6)
    assert float(worst.low) == pytest.approx(published, abs=0.006)
    (heights,) = worst.heights
    rows = sorted(heights.items())
    assert all(h >= 0 for h in heights.values())
    assert all(abs(h - g) <= slope * (w - v) for (v, g), (w, h) in pairwise(rows))

    def mean(n):
        a, b = prior
        weights = [math.comb(j + a - 1, j) * math.comb(n - j + b - 1, n - j) for j in range(n + 1)]
        total = sum(w * heights[Fraction(j, n)] for j, w in enumerate(weights))
        return Fraction(total) / sum(weights)

    assert max(mean(n) for n in range(1, length + 1)) <= 1
    assert worst.low <= mean(at) < worst.low + Fraction(1, 10**8)


def test_the_limit_is_another_number():
    worst = average_worst(slope=80, epsilon="1/2", length=3, at=None)
    assert 0 < worst.high - worst.low < Fraction(1, 100) * worst.low
    (heights,) = worst.heights
    shares = np.linspace(0, 1, 20_001)
    known = np.array([float(v) for v in heights])
    values = np.array([float(h) for h in heights.values()])
    cones = [values + 160 * abs(known - v) for v in shares]
    average = np.mean([cone.min() for cone in cones]) / 2
    assert average == pytest.approx(float(worst.low), rel=1e-3)


@pytest.mark.parametrize("at", [5, None])
@pytest.mark.parametrize("query", [False, True])
def test_every_dual_solution_bounds_every_pair(at, query):
    """Weak duality, with prices and floors that nobody optimised."""
    draw = np.random.default_rng(3)
    best = average_worst(slope=12, epsilon=1, length=3, at=at, query=query)
    parts = branches(Fraction(1), Fraction(1), query)
    problem = Problem(parts, Fraction(12), 3, at)
    goals = tuple(branch.at(6 if at is None else at) for branch in parts)
    start = solve(parts, Fraction(12), 3, goals)
    for _ in range(20):
        prices = draw.uniform(0, 2, 3)
        floors = tuple(draw.uniform(0, 1, len(p)) for p in start.points)
        given = Solution(start.points, start.heights, prices, floors)
        assert proved(problem, given) >= best.low


def test_the_tents_at_a_prime_are_below_and_not_far():
    """Proposition A8 with c = √(εT/Λ): √(Λε/T)·(T − 1)/(T + 1) at T = 37."""
    worst = average_worst(slope=1280, epsilon=1, length=36, at=37)
    tents = math.sqrt(1280 / 37) * 36 / 38
    assert tents <= worst.high
    assert worst.low <= 1.2 * tents


def test_the_query_gives_more_room():
    one = average_worst(slope=80, epsilon=1, length=7, at=11)
    two = average_worst(slope=80, epsilon=1, length=7, at=11, query=True)
    assert one.high < two.low


@pytest.mark.parametrize(("slope", "length"), [(10, 2), (20, 3)])
def test_exact_lengths(slope, length):
    found = average_length(slope=slope, epsilon=1, target=3)
    assert (found.insufficient, found.length) == (length - 1, length)
    assert str(length) in str(found)


@pytest.mark.slow
@pytest.mark.parametrize(("slope", "length"), [(40, 5)])
def test_longer_exact_lengths(slope, length):
    assert average_length(slope=slope, epsilon=1, target=3).length == length


def test_the_distance_to_the_limit():
    """The coupling behind `checked_to`: the mean of |U − k/T| is (2T + 1)/(6T(T + 1))."""
    for at in (1, 2, 7, 30):
        total = Fraction(0)
        for k in range(at + 1):
            left, right, middle = Fraction(k, at + 1), Fraction(k + 1, at + 1), Fraction(k, at)
            assert left <= middle <= right
            total += ((middle - left) ** 2 + (right - middle) ** 2) / 2
        assert total == Fraction(2 * at + 1, 6 * at * (at + 1))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"slope": -1}, "slope"),
        ({"epsilon": 0}, "epsilon"),
        ({"epsilon": "1e-400"}, "slope"),
        ({"length": 0}, "length"),
        ({"length": 100, "at": None}, "length"),
        ({"at": 3}, "at"),
        ({"prior": (1, 0)}, "prior"),
        ({"prior": ("1/2", 1), "at": None}, "prior"),
    ],
)
def test_refusals(change, name):
    with pytest.raises(InputError, match=name):
        average_worst(**{"slope": 8, "epsilon": 1, "length": 3, "at": 5, **change})


def test_refusals_of_lengths():
    with pytest.raises(InputError, match="target"):
        average_length(slope=8, epsilon=1, target=1)
    with pytest.raises(InputError, match="longest"):
        average_length(slope=8, epsilon=1, target=3, longest=0)
