"""Average error with one order of the tokens (Theorem A6): its steps attacked with exact sums.

Tokens i.i.d. given a Dirichlet law, before a common end. M counts the symbols of the first class
that occurs, given that no earlier class does: BetaBin(n; a', b'), a' ≥ α₀, a' + b' ≤ t = A + τ + Δ.
Claims, for n ≥ k₀ = max{2m₀(0.99βϑ)^(−1/α₀), m₀t/α₀, m₀(1 + √Δ/2)}, β = α₀B(α₀, t − α₀),
ϑ = 1 − 1/κ, m₀ ≥ 4 ln(100/ϑ), and every length ≥ n:

(1) P(M = j) does not grow with the length for j < m₀, and P(M ≥ m₀) grows by at most κ;
(2) with M ≥ m₀ the mean over the class is within D/√(2m₀) of its mean given the composition;
(3) with j < m₀ symbols at positions drawn one by one, residues maximally coupled, a fraction of at
    most √(2/m₀) differs.
"""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from scipy.special import betaln, gammaln

pytestmark = pytest.mark.covers("attack", "derived.one_layer_average_common_order")


def log_beta_binomial(n, a, b, j):
    choose = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    return choose + betaln(a + j, b + n - j) - betaln(a, b)


def enough(m, alpha, total, density):
    theta = 1 - 1 / density
    assert m >= 4 * math.log(100 / theta)
    log_beta = math.log(alpha) + betaln(alpha, total - alpha)
    rare = 2 * m * math.exp(-(math.log(0.99 * theta) + log_beta) / alpha)
    return math.ceil(max(rare, m * total / alpha))


@pytest.mark.parametrize("alpha", [0.4, 0.5, 1.0, 3.0])
def test_density(alpha):
    rng = np.random.default_rng(int(20 * alpha))
    largest = 0.0
    for _ in range(25):
        total = alpha + 1 + rng.exponential(3)
        density = float(rng.choice([1.05, 1.5, 3, 30]))
        m = math.ceil(4 * math.log(100 / (1 - 1 / density))) + int(rng.integers(0, 100))
        n = enough(m, alpha, total, density)
        a = alpha + rng.choice([0, rng.uniform(0, total - alpha) * 0.9])
        b = (total - a) * rng.choice([1, 0.5])
        j = np.arange(m)
        short = np.exp(log_beta_binomial(n, a, b, j))
        for long in (n + 1, 2 * n, 50 * n, 1000 * n):
            later = np.exp(log_beta_binomial(long, a, b, j))
            assert (later <= short * (1 + 1e-5)).all()
            ratio = (1 - later.sum()) / (1 - short.sum())
            assert ratio <= density
            largest = max(largest, (ratio - 1) / (density - 1))
    assert largest > 0.05  # κ is used


def test_shorter_inputs_are_not_dense_enough():
    """Controls: a tenth of the rare length breaks κ; below m₀t/α₀ the pmf grows somewhere."""
    alpha, total, density = 0.5, 2.0, 1.05
    m = math.ceil(4 * math.log(100 / (1 - 1 / density)))
    n = enough(m, alpha, total, density) // 100
    short = np.exp(log_beta_binomial(n, alpha, total - alpha, np.arange(m))).sum()
    later = np.exp(log_beta_binomial(10**9 * n, alpha, total - alpha, np.arange(m))).sum()
    assert (1 - later) / (1 - short) > density
    n, j = 3 * m, m - 1
    grown = log_beta_binomial(n + 1, alpha, 5.0, j) - log_beta_binomial(n, alpha, 5.0, j)
    assert grown > 0


def test_pmf_falls_exactly_where_it_is_said_to():
    """p_{n+1}(j) ≤ p_n(j) iff j(a + b − 1) ≤ a(n + 1), in rational numbers."""

    def ratio(n, a, b, j):
        return F(n + 1, n + 1 - j) * (b + n - j) / (a + b + n)

    for a, b in itertools.product([F(1, 7), F(1), F(5, 2)], [F(1, 3), F(4)]):
        for n, j in itertools.product(range(1, 30), range(30)):
            if j <= n:
                assert (ratio(n, a, b, j) <= 1) == (j * (a + b - 1) <= a * (n + 1))


def mean_deviation(members, share, values, columns):
    """E|class mean − its mean|: two columns of `columns` positions, two tokens, D = 1."""
    centre = sum(
        p * (values[0][r] * share + values[1][r] * (1 - share)) / 2 for r in (0, 1) for p in (1,)
    )
    total = 0.0
    for first in range(max(0, members - columns), min(members, columns) + 1):
        ways = math.comb(columns, first) * math.comb(columns, members - first)
        ways /= math.comb(2 * columns, members)
        for i in range(first + 1):
            for j in range(members - first + 1):
                p = math.comb(first, i) * math.comb(members - first, j)
                p *= share ** (i + j) * (1 - share) ** (members - i - j)
                size = i * values[0][0] + (first - i) * values[1][0]
                size += j * values[0][1] + (members - first - j) * values[1][1]
                total += ways * p * abs(size / members - centre)
    return total


def test_class_mean():
    rng, worst = np.random.default_rng(4), 0.0
    tables = [((1, 0), (0, 1)), ((1, 0), (1, 0)), ((1, 1), (0, 0))]
    for case in range(40):
        values = tables[case % 3] if case < 9 else rng.uniform(size=(2, 2))
        spread = np.ptp(values)
        members = int(rng.integers(1, 12))
        columns = members + int(rng.integers(0, 10))
        share = float(rng.choice([0.5, 0.1, rng.uniform()]))
        found = mean_deviation(members, share, values, columns)
        assert found <= spread / math.sqrt(2 * members) + 1e-12
        worst = max(worst, found * math.sqrt(2 * members) / spread)
    assert worst > 0.5


def mismatched(draws, short, long):
    """Mean fraction of residues that differ, two columns, exactly: `short` and `long` a column."""
    states, total = {(0, 0): 1.0}, 0.0
    for step in range(draws):
        after = {}
        for (here, there), p in states.items():
            z = (short - here) / (2 * short - step)
            x = (long - there) / (2 * long - step)
            total += p * abs(z - x)
            both, neither = min(z, x), min(1 - z, 1 - x)
            moves = {
                (here + 1, there + 1): both,
                (here, there): neither,
                (here + 1, there): max(z - x, 0),
                (here, there + 1): max(x - z, 0),
            }
            for state, q in moves.items():
                if q > 0:
                    after[state] = after.get(state, 0.0) + p * q
        states = after
    return total / draws


def test_residues():
    worst = 0.0
    for m in (2, 5, 12, 25):
        least = math.ceil(m * (1 + math.sqrt(2) / 2) / 2)
        for draws, short, more in itertools.product(
            sorted({1, 2, m // 2, m - 1}), (least, 3 * least), (0, 1, 10**6)
        ):
            if 1 <= draws < m:
                found = mismatched(draws, short, short + more)
                step_by_step = 2 / 3 * math.sqrt(m) / (2 * short - m)
                assert found <= step_by_step + 1e-12
                assert step_by_step <= math.sqrt(2 / m) + 1e-12
                worst = max(worst, found / step_by_step)
    assert worst > 0.1
