"""Tokens drawn against infinitely many: both sides of the proposition, in rational arithmetic.

`a` is e^R: the largest weight over the least.
"""

from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, factorial, prod

import numpy as np
import pytest

C0_SQUARED = Fraction(2_914_213, 10**6)
"""A little below c₀² = 3/2 + √2."""


def mean_distance(law, n):
    """E|o_n − o_∞| for a law of (probability, weight, value): over all multisets of n tokens."""
    limit = sum(p * w * v for p, w, v in law) / sum(p * w for p, w, v in law)
    total = Fraction(0)
    for drawn in combinations_with_replacement(range(len(law)), n):
        counts = [drawn.count(token) for token in range(len(law))]
        ways = factorial(n) // prod(map(factorial, counts))
        chance = ways * prod(law[t][0] ** c for t, c in enumerate(counts))
        mass = sum(c * law[t][1] for t, c in enumerate(counts))
        output = sum(c * law[t][1] * law[t][2] for t, c in enumerate(counts)) / mass
        total += chance * abs(output - limit)
    return total


def random_law(rng):
    tokens = int(rng.integers(2, 4))
    parts = [Fraction(int(k)) for k in rng.integers(1, 30, tokens) ** rng.integers(1, 3)]
    weights = [Fraction(int(k), 8) for k in rng.integers(1, 200, tokens)]
    values = [Fraction(int(k), 7) for k in rng.integers(-20, 21, tokens)]
    return [(p / sum(parts), w, v) for p, w, v in zip(parts, weights, values, strict=True)]


def test_the_mean_is_never_above_the_bound():
    rng = np.random.default_rng(7)
    closest = Fraction(0)
    for _ in range(60):
        law = random_law(rng)
        n = int(rng.integers(1, 11))
        a = max(w for _, w, _ in law) / min(w for _, w, _ in law)
        diameter = max(v for *_, v in law) - min(v for *_, v in law)
        square = mean_distance(law, n) ** 2 * n
        assert square <= C0_SQUARED * diameter**2 * a
        if diameter:
            closest = max(closest, square / (diameter**2 * a))
    assert closest > Fraction(1, 50)


@pytest.mark.parametrize(
    "a", [Fraction(2), Fraction(5, 2), Fraction(7), Fraction(40), Fraction(99)]
)
def test_the_rare_token_needs_the_exponential(a):
    law, n = [(1 / a, a, Fraction(1)), (1 - 1 / a, Fraction(1), Fraction(0))], int(a / 2)
    limit = 1 / (2 - 1 / a)
    mean = sum(
        comb(n, k) * (1 / a) ** k * (1 - 1 / a) ** (n - k) * abs(k * a / (k * a + n - k) - limit)
        for k in range(n + 1)
    )
    if n <= 3:
        assert mean == mean_distance(law, n)
    assert mean >= Fraction(1, 4)
    assert mean**2 * n >= a / 64
    assert mean**2 * n <= C0_SQUARED * a


@pytest.mark.parametrize("a", [Fraction(1), Fraction(3, 2), Fraction(199, 100)])
def test_below_two_a_fair_coin_does(a):
    law = [(Fraction(1, 2), Fraction(1), Fraction(v)) for v in (0, 1)]
    assert mean_distance(law, 1) ** 2 >= a / 64


def test_without_the_exponential_the_bound_is_false():
    """The constant c₀ alone, or e^(R/4), does not bound every law."""
    a = Fraction(10**6)
    mean_is_at_least = Fraction(1, 4)
    n = int(a / 2)
    assert mean_is_at_least**2 * n > C0_SQUARED
    assert mean_is_at_least**4 * n**2 > C0_SQUARED**2 * a
