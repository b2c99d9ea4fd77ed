"""The pairs behind the necessary lengths for average error, exhibited with exact laws."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import beta, binom

from verify.average import average_error, exact_average_error
from verify.errors import InputError
from verify.model.reference import reference
from verify.witnesses.average import circulation, fair_coin, rare_token, ring, window

pytestmark = [
    pytest.mark.covers(
        "attack",
        "derived.lower_average",
        "derived.lower_average_softmax",
        "derived.lower_average_softmax_dirichlet",
        "derived.lower_average_two_layer",
        "derived.lower_average_two_layer_argmax",
    ),
    pytest.mark.covers(
        "tightness",
        "derived.lower_average",
        "derived.lower_average_softmax",
        "derived.lower_average_softmax_dirichlet",
        "derived.lower_average_two_layer",
        "derived.lower_average_two_layer_argmax",
    ),
]


def tent(v, width):
    return np.maximum(np.minimum(v, width - v), 0.0)


def ring_mean(n, width):
    """E of the bump at length n: the total count is uniform, its split hypergeometric."""
    odd, even, total = (n + 1) // 2, n // 2, 0.0

    def log_choose(a, b):
        return gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1)

    for ones in range(1, n + 1):
        first = np.arange(max(0, ones - even), min(ones, odd) + 1)
        split = log_choose(odd, first) + log_choose(even, ones - first) - log_choose(n, ones)
        total += (np.exp(split) * tent(np.abs(2 * first - ones) / ones, width)).sum()
    return total / (n + 1)


def test_ring_is_the_statistic_it_claims():
    pair = ring(64)
    rng = np.random.default_rng(0)
    for _ in range(300):
        n = int(rng.integers(2, 70))
        x = (rng.random(n) < rng.choice([0.02, 0.3, 0.9])).astype(int)
        odd, even = x[0::2].sum(), x[1::2].sum()
        expected = tent(abs(odd - even) / (odd + even), 1 / 8) if odd + even else 0.0
        assert pair.f(x)[0] == pytest.approx(expected, abs=1e-12)
        assert pair.g(x)[0] == 0.0
    for n in (2, 5, 9):
        exact = exact_average_error(pair.f, pair.g, n, law=pair.law).mean
        assert exact == pytest.approx(ring_mean(n, 1 / 8), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("long_length", [400, 3600])
def test_ring_is_small_before_and_large_at_its_length(long_length):
    pair = ring(long_length)
    width = long_length**-0.5
    for n in {1, 2, 3, 10, int(1 / width) + 1, long_length // 40, long_length // 9}:
        assert ring_mean(n, width) <= pair.short_error(n)
    late = ring_mean(long_length, width)
    assert late >= pair.long_error
    assert 0.10 < late / width < 0.1563  # towards c₁ = 0.1563
    measured = average_error(pair.f, pair.g, long_length, law=pair.law, samples=2000, largest=width)
    assert measured.low <= late <= measured.high
    # So far before T the error is a third of what it is at T.
    assert ring_mean(max(2, long_length // 2000), width) * 3 < late


def share_mean(n, function, lag=0.0, has_lag=False):
    """E of a function of the attention share of token 1, fair coin, weight n^lag at lag 1."""
    if n == 1 or not has_lag:
        ones = np.arange(n + 1)
        return (binom.pmf(ones, n, 0.5) * function(ones / n)).sum()
    ones, weight = np.arange(n), n**lag
    return 0.5 * sum(
        (binom.pmf(ones, n - 1, 0.5) * function((ones + weight * x) / (n - 1 + weight))).sum()
        for x in (0, 1)
    )


@pytest.mark.parametrize("long_length", [100, 10_000])
def test_fair_coin(long_length):
    pair = fair_coin(long_length)
    width = long_length**-0.5

    def bump(share):
        return tent(np.abs(share - 0.5), width)

    for n in (*range(1, 60), 101, 500, 997, long_length):
        assert share_mean(n, bump) <= pair.short_error(n) * (1 + 1e-12)
    late = share_mean(long_length, bump)
    assert late >= pair.long_error
    assert late / width == pytest.approx(0.2408, abs=width)
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 40):
        x = rng.integers(2, size=n)
        assert pair.f(x)[0] == pytest.approx(bump(x.mean()), abs=1e-12)


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.2075, 0.25, 0.3, 0.3691, 0.42, 0.49])
def test_window_for_every_agreement_length(margin):
    """N = 1, 2, 3, … on: no 'large enough' is needed; n = 3 comes closest to the bound."""
    for agreement in (1, 2, 3, 4, 5, 9, 16, 20, 150, 1000):
        half = agreement**-margin / 64

        def bump(share, half=half):
            return np.maximum(half - np.abs(share - 0.5), 0.0)

        lengths = {*range(1, min(agreement, 40) + 1), agreement, agreement // 2 + 1}
        worst = max(share_mean(n, bump, 1 - margin, True) for n in lengths)
        assert worst <= 0.28 * half
    pair = window(150, margin)
    rng = np.random.default_rng(2)
    for n in (1, 2, 5, 60):
        x = rng.integers(2, size=n)
        weight = np.ones(n)
        if n > 1:
            weight[-2] = n ** (1 - margin)
        share = (weight * x).sum() / weight.sum()
        assert pair.f(x)[0] == pytest.approx(
            max(150**-margin / 64 - abs(share - 0.5), 0), abs=1e-12
        )


def test_window_reaches_its_height_in_the_end():
    pair = window(10, 0.4)
    half = 10**-0.4 / 64

    def bump(share):
        return np.maximum(half - np.abs(share - 0.5), 0.0)

    means = [share_mean(n, bump, 0.6, True) / half for n in (10, 10**3, 10**6)]
    assert means[0] < means[1] < 0.28 < 0.6 < means[2]
    assert pair.long_error == half


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "rest"), [("1/4", 1), ("1/2", "3/2"), (1, 3)])
def test_rare_token(alpha, rest):
    agreement = 12
    pair = rare_token(agreement, alpha, rest)
    for n in (1, 5, 11, 12):
        for ones in range(n + 1):
            x = np.array([1] * ones + [0] * (n - ones))
            assert abs(pair.f(x)[0]) <= 1e-12
    assert pair.f(np.array([1] + [0] * agreement))[0] > 1e-3  # one token longer
    q = (np.arange(200_000) + 0.5) / 200_000
    q = beta.ppf(q, float(pair.law.alpha[1]), float(pair.law.alpha[0]))
    share = (agreement - 1) * q / ((agreement - 1) * q + 1 - q)
    limit = tent(share, 0.5).mean()
    assert pair.long_error <= limit
    measured = average_error(pair.f, pair.g, 10**9, law=pair.law, samples=4000, largest=0.25)
    assert measured.low <= limit <= measured.high


@pytest.mark.slow
def test_circulation():
    pair = circulation(100)
    chi = [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]
    rng = np.random.default_rng(3)
    for _ in range(25):
        x = rng.integers(3, size=int(rng.integers(1, 40)))
        mean = sum(chi[s][t] for s, t in itertools.pairwise(x)) / len(x)
        assert reference(pair.f, x)[0] == pytest.approx(tent(abs(mean), 0.1), abs=1e-12)
    for n in range(1, 8):
        assert exact_average_error(pair.f, pair.g, n, law=pair.law).mean <= pair.short_error(n)
    # Long inputs by the statistic alone: every value is rare, and the bump is met at T.
    length, samples = 10_000, 1500
    width = length**-0.5
    late, counts = [], []
    for _ in range(samples):
        x = rng.choice(3, size=length, p=rng.dirichlet([1, 1, 1]))
        steps = (x[1:] - x[:-1]) % 3
        total = int((steps == 1).sum() - (steps == 2).sum())
        late.append(tent(abs(total) / length, width))
        counts.append(total)
    frequency = np.unique(counts, return_counts=True)[1].max() / samples
    assert frequency * math.sqrt(length) <= 18.8
    error = 4 * np.std(late) / math.sqrt(samples)
    assert abs(np.mean(late) - 0.2105 * width) <= error + 0.03 * width


@pytest.mark.parametrize(
    "build",
    [
        lambda: ring(5),
        lambda: ring(2),
        lambda: fair_coin(1),
        lambda: window(0, 0.2),
        lambda: window(5, 0.5),
        lambda: rare_token(9, 1, 1),
        lambda: rare_token(20, 0, 1),
        lambda: circulation(16),
        lambda: fair_coin(True),
    ],
)
def test_what_is_no_witness(build):
    with pytest.raises(InputError, match="allowed"):
        build()
