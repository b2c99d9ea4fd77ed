"""The lemmas behind the average-error theorems, attacked one by one with exact sums."""

import math
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import betabinom, binom

from verify.average.last_symbols import tail_mean

C0 = 1 + 1 / math.sqrt(2)


def tail_mean_exact(t, a, b, theta):
    """E min(1, (t/q)^θ), q ~ Beta(a, b), by quadrature in s = −log q."""
    with mp.workdps(20):
        log_t = mp.log(t)

        def density(s):
            q = mp.exp(-s)
            return mp.exp(-a * s) * (1 - q) ** (b - 1) / mp.beta(a, b)

        near = mp.quad(lambda s: density(s) * mp.exp(theta * (log_t + s)), [0, -log_t / 2, -log_t])
        return float(near + mp.betainc(a, b, 0, t, regularized=True))


@pytest.mark.slow
@pytest.mark.parametrize("theta", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("a", [0.1, 0.3, 0.5, 0.50001, 0.8, 1.0, 1.00001, 1.5, 3.0, 8.0])
def test_cut_off_negative_moments_are_bounded(a, theta):
    for total in (a + 1, a + 2.5, a + 20):
        for t in (1e-9, 1e-4, 0.03, 0.5, 0.999):
            exact = tail_mean_exact(t, a, total - a, theta)
            assert exact <= tail_mean(t, a, total, theta) * (1 + 1e-9)
    # The bound is no mere formality: it is sharp within a factor of 5 at small t.
    assert tail_mean(1e-9, a, a + 1, theta) <= 5 * tail_mean_exact(1e-9, a, 1.0, theta)


@pytest.mark.parametrize("theta", [0.5, 1.0])
def test_the_bound_is_monotone_across_its_branches(theta):
    for total_alpha in (1.3, 5.0, 50.0):
        masses = np.linspace(0.02, total_alpha, 300)
        for t in (1e-8, 1e-4, 1e-2):
            values = [tail_mean(t, a, total_alpha + 1, theta) for a in masses]
            # From θ on the bound never rises (below, its minimum over (S) may).
            above = [v for a, v in zip(masses, values, strict=True) if a >= theta]
            assert all(x >= y * (1 - 1e-12) for x, y in pairwise(above))


def kappa(a, b, points=400):
    """The supremum that Lemma C0 bounds, on a grid, in 30 digits."""
    with mp.workdps(30):
        best = mp.mpf(0)
        for i in range(1, points):
            x = mp.sin(mp.pi * i / (2 * points)) ** 2
            f = mp.betainc(a, b, 0, x, regularized=True)
            mean = mp.mpf(a) / (a + b)
            below = x * f - mean * mp.betainc(a + 1, b, 0, x, regularized=True)
            above = below - (x - mean)
            density = x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b)
            best = max(best, 2 * (a + b) * below * above / (x**2 * (1 - x) ** 2 * density))
        return float(best)


@pytest.mark.parametrize(
    ("a", "b"), [(1, 1), (0.5, 0.5), (0.2, 0.2), (0.05, 1), (2, 5), (5, 5), (0.3, 8), (12, 0.1)]
)
def test_lemma_c0(a, b):
    found = kappa(mp.mpf(a), mp.mpf(b), 60)
    certified = 2 / (1 + min(a, b)) if max(a, b) <= 1 else 2
    assert found <= certified * (1 + 1e-9)
    if max(a, b) <= 1:
        assert found >= 0.97 * certified  # attained at an end


@pytest.mark.parametrize(("a", "b"), [(0.2, 0.2), (0.5, 2), (1, 1), (3, 0.4), (5, 5), (30, 2)])
def test_lemma_a3_1_urn_against_its_limit(a, b):
    bound = a * b * 2 / (a + b) + 2 + max(a, b)
    x = np.linspace(0, 1, 40_001)
    middle = (x[1:] + x[:-1]) / 2
    limit = betainc(a, b, middle)
    for n in (1, 2, 5, 20, 100, 500):
        steps = np.cumsum(betabinom.pmf(np.arange(n + 1), n, a, b))
        law = steps[np.minimum(np.floor(middle * n).astype(int), n)]
        distance = np.abs(law - limit).sum() * (x[1] - x[0])
        assert distance <= bound / n
        assert distance >= 0.05 / n  # Θ(1/n): the rate is right


@pytest.mark.parametrize("seed", range(40))
def test_core_inequality_of_a1_for_fixed_token_probabilities(seed):
    """E‖o − m_z‖ ≤ c₀ D/√t, exactly, with a class over two residues and ties in the suffix."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 60))
    q = rng.choice([1e-3, 0.02, 0.2, 0.5, 0.9, 1.0], size=2)
    ties = int(rng.integers(0, 4))
    values = rng.choice([0.0, 1.0], size=2)  # one value per residue: variance at its largest
    tie_sum = ties * float(rng.integers(0, 2))
    missing = float(rng.integers(0, 2))  # what attention falls back to without the class
    counts = [np.arange(k + 1), np.arange(k + 1)]
    joint = binom.pmf(counts[0], k, q[0])[:, None] * binom.pmf(counts[1], k, q[1])[None, :]
    size = counts[0][:, None] + counts[1][None, :] + ties
    total = values[0] * counts[0][:, None] + values[1] * counts[1][None, :] + tie_sum
    output = np.where(size > 0, total / np.maximum(size, 1), missing)
    t = k * q.sum()
    mean = float((q * values).sum() / q.sum())
    centre = (t * mean + tie_sum) / (t + ties)
    assert (joint * np.abs(output - centre)).sum() <= C0 / math.sqrt(t) + 1e-12


def test_core_inequality_of_c8_where_its_bound_is_small():
    """Bigram classes in an i.i.d. fair coin: windows overlap, so variances grow by 2τ + 1."""
    rng = np.random.default_rng(0)
    tau, length, samples = 1, 700, 1500
    x = rng.integers(2, size=(samples, length))
    grams = 2 * x[:, 1:] + x[:, :-1]
    clean = length - 4 * tau - 1
    for members, value in [((1, 2), (1, 0)), ((3, 0), (1, 0)), ((3,), (1,))]:
        counts = [(grams == m).sum(axis=1) for m in members]
        size = np.maximum(sum(counts), 1)
        mean = sum(c * v for c, v in zip(counts, value, strict=True)) / size
        t = clean * len(members) / 4
        bound = C0 * math.sqrt((2 * tau + 1) / t) + (4 * tau + 1) / t
        centre = sum(value) / len(members)
        assert np.abs(mean - centre).mean() <= bound < 0.3


def test_variance_of_chain_averages():
    """C5: Var Σ g ≤ n Θ Var g, and the density after m steps is at most 2; exact powers."""
    for p, r in [(0.3, 0.6), (0.05, 0.1), (0.9, 0.95), (0.5, 0.5)]:
        kernel = np.array([[1 - p, p], [r, 1 - r]])
        law = np.array([r, p]) / (p + r)
        norm = abs(1 - p - r)
        theta = (1 + norm) / (1 - norm)
        g = np.array([1.0, 0.0]) - law[0]
        variance = law @ g**2
        for n in (1, 2, 7, 40):
            power, total = np.eye(2), 0.0
            for lag in range(n):
                total += (n if lag == 0 else 2 * (n - lag)) * (law * g) @ power @ g
                power = power @ kernel
            assert total <= n * theta * variance * (1 + 1e-9)
        steps = 1 if norm < 1e-12 else max(1, math.ceil(math.log(1 / law.min()) / -math.log(norm)))
        assert (np.linalg.matrix_power(kernel, steps) / law).max() <= 2 * (1 + 1e-9)
