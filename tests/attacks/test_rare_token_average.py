"""Two heads and a rare token (Theorem A5): the mean of the bump, exactly, long against short.

q ~ Beta(α, b), m ones of n symbols, D = (ones at odd) − (ones at even positions), o = D/m − m/n,
f = min(o, w − o)_+. Claims, for α < ½: E f at n ≈ w^(−3) is at least c·w^(1+α) with a constant,
and falls below any share of it at n = δw^(−3) as δ falls.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.special import betaln, gammaln

from verify import Head, Layer, LimitTransformer
from verify.average import DirichletLaw, exact_average_error


def log_choose(n, m):
    return gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)


def scaled_mean(alpha, rest, n, width):
    """E f / w^(1+α) at length n."""
    odd, even = (n + 1) // 2, n // 2
    total = 0.0
    for m in range(1, n + 1):
        low, high = m * m / n, m * m / n + width * m  # the values of D where f ≠ 0
        first = np.arange(max(0, math.floor((low + m) / 2), m - even), min(odd, m) + 1)
        first = first[(2 * first - m > low) & (2 * first - m < high)]
        if first.size:
            o = (2 * first - m) / m - m / n
            p = log_choose(odd, first) + log_choose(even, m - first) - log_choose(n, m)
            p += log_choose(n, m) + betaln(alpha + m, rest + n - m) - betaln(alpha, rest)
            total += (np.exp(p) * np.minimum(o, width - o)).sum()
    return total / width ** (1 + alpha)


def pair(width):
    """The model: coordinates 1, token 1, token 0, sign of the residue (odd +), o, output."""
    embedding = np.array([[1.0, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    positions = np.array([[0.0, 0, 0, -1, 0, 0], [0, 0, 0, 1, 0, 0]])
    prefer, compare, share = (np.zeros((6, 6)) for _ in range(3))
    prefer[1, 0] = 4.0
    compare[4, 3], compare[4, 2] = 1.0, -1.0
    share[4, 1] = -1.0
    heads = (Head(prefer, compare, [0.0]), Head(np.zeros((6, 6)), share, [0.0]))
    mlp_in, mlp_out = np.zeros((3, 6)), np.zeros((6, 3))
    mlp_in[:, 4], mlp_out[5] = 1.0, [1, -2, 1]
    layer = Layer(heads, mlp_in, -np.array([0.0, width / 2, width]), mlp_out)
    read = np.zeros((1, 6))
    read[0, 5] = 1.0
    return LimitTransformer(embedding, positions, (layer,), read, 4)


@pytest.mark.parametrize("n", [3, 6, 9])
def test_the_model_has_this_mean(n):
    f, width = pair(0.4), 0.4
    g = LimitTransformer(f.embedding, f.positions, f.layers, 0 * f.unembedding, 4)
    for alpha in ("1/10", "2/5"):
        law = DirichletLaw([1, alpha])
        exact = exact_average_error(f, g, n, law=law).mean
        a = float(law.alpha[1])
        assert exact == pytest.approx(scaled_mean(a, 1, n, width) * width ** (1 + a), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_long_inputs_have_the_mean_that_short_ones_have_not(alpha):
    long, short = [], []
    for width in (1 / 10, 1 / 14, 1 / 20):
        scale = round(width**-3)
        long.append(scaled_mean(alpha, 1, scale, width))
        short.append(scaled_mean(alpha, 1, scale // 10, width))
    # w^(1+α) is the size at w^(−3) …
    assert max(long) < 1.3 * min(long)
    # … and at w^(−3)/10 less: by δ^((1−α)/3) in the limit
    assert all(sooner < later * 0.6 for later, sooner in zip(long, short, strict=True))
    if alpha == 0.1:
        assert [long[0], long[2]] == pytest.approx([0.0102, 0.0115], rel=0.02)
        assert [short[0], short[2]] == pytest.approx([0.0043, 0.0052], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_single_values_of_short_inputs_count_less_and_less(alpha):
    """At n near w^(−3/5) single pairs (m, D) meet the bump: w^((2+α)/5) or less, o(w^α)."""
    peaks = []
    for width in (1e-2, 1e-3, 1e-4):
        lengths = {round(width**-0.6 * k / 4) for k in range(2, 30)}
        peaks.append(max(scaled_mean(alpha, 1, n, width) for n in lengths) * width)
    slopes = [math.log10(a / b) for a, b in itertools.pairwise(peaks)]
    assert min(slopes) >= 1 + (2 + alpha) / 5 - alpha  # of E f/w^α, against w
    assert peaks[0] / 1e-2 < scaled_mean(alpha, 1, 2744, 1 / 14)


def test_the_one_head_rate_would_be_too_slow():
    """A control: at n = w^(−2), the length of one head, the mean is far from w^(1+α)."""
    width = 1 / 20
    assert scaled_mean(0.1, 1, round(width**-2), width) < 0.5 * scaled_mean(0.1, 1, 4000, width)
