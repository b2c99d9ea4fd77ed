"""The pairs behind the necessary lengths for average error, exhibited with exact laws."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import beta, binom

import bounds
from verify import measure
from verify.average import average_error, exact_average_error
from verify.errors import InputError
from verify.model.reference import reference
from verify.witnesses.average import (
    circulation,
    fair_coin,
    prime_tents,
    rare_class,
    rare_token,
    ring,
    window,
)

pytestmark = [
    pytest.mark.covers(
        "attack",
        "derived.lower_average",
        "derived.lower_average_class",
        "derived.lower_average_one_column",
        "derived.lower_average_softmax_one_column",
        "derived.lower_average_softmax",
        "derived.lower_average_softmax_dirichlet",
        "derived.lower_average_two_layer",
        "derived.lower_average_two_layer_argmax",
    ),
    pytest.mark.covers(
        "tightness",
        "derived.lower_average",
        "derived.lower_average_class",
        "derived.lower_average_one_column",
        "derived.lower_average_softmax_one_column",
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


def shares_mean(f, n, outputs):
    """E f under Dir(1, 1): the number of ones is uniform on 0..n."""
    return sum(outputs(f, j, n) for j in range(n + 1)) / (n + 1)


def tents_of(prime, c):
    def value(_, j, n):
        scaled = Fraction(j * prime, n)
        nearest = round(scaled)
        return max(c - abs(scaled - nearest), 0) / prime if 0 < nearest < prime else Fraction(0)

    return value


@pytest.mark.parametrize("prime", [3, 13, 37, 131])
@pytest.mark.parametrize("c", [Fraction(1, 2), Fraction(8, 25), Fraction(1, 9)])
def test_tents_at_a_prime_length_in_rational_numbers(prime, c):
    """‖f‖_n ≤ c²/T for n < T, with equality of the claim at T, exactly."""
    means = [shares_mean(None, n, tents_of(prime, c)) for n in range(1, prime + 1)]
    assert max(means[:-1]) <= c**2 / prime
    assert means[-1] == c / prime * Fraction(prime - 1, prime + 1)
    # A control: a composite length is met by the shares of its divisors.
    composite = prime * 5
    assert prime == 3 or shares_mean(None, prime, tents_of(composite, c)) > c**2 / composite


def test_the_registered_length_without_positions():
    """λ/ε = 1280, target 3ε: agreement up to 130 does not do, whatever the attention."""
    slope, prime = 1280, 131
    c = Fraction(math.isqrt(10**12 * prime // slope), 10**6)
    means = [shares_mean(None, n, tents_of(prime, c)) for n in range(1, prime + 1)]
    assert slope * max(means[:-1]) <= 1
    assert slope * means[-1] > 3
    for attention, name in (("argmax", ""), ("softmax", "_softmax")):
        key = f"derived.lower_average{name}_one_column"
        found = bounds.required_length(theorem=key, epsilon=1, lipschitz=slope)
        assert (found.length, found.theorem.setting.attention) == (131, attention)


@pytest.mark.parametrize("ratio", [Fraction(9, 8), Fraction(3, 2), Fraction(2), Fraction(3)])
def test_prime_tents_below_twice_epsilon(ratio):
    """Targets in (ε, 2ε) take η/2 for ε: the length grows with ε, and the pair is still one."""
    epsilon, slope = Fraction(1, 100), Fraction(2)
    eta = epsilon * ratio
    key = "derived.lower_average_one_column"
    given = {"theorem": key, "epsilon": epsilon, "target": eta, "lipschitz": slope}
    last = bounds.required_length(**given).length
    assert last >= bounds.required_length(**given | {"epsilon": min(epsilon, eta / 2)}).length
    within = min(epsilon, eta / 2)
    c = math.sqrt(float(within * last / slope))

    def average(n):
        heights = (c / last - abs(j / n - round(j * last / n) / last) for j in range(1, n))
        return float(slope) * sum(max(h, 0.0) for h in heights) / (n + 1)

    assert c <= 0.5
    assert max(average(n) for n in range(1, last)) <= within
    assert average(last) > eta


def test_prime_tents_is_the_model_it_claims():
    pair = prime_tents(13, Fraction(2, 5))
    soft = replace(pair.f, precision_bits=None)
    rng = np.random.default_rng(1)
    for n in (1, 2, 5, 12, 13, 14):
        for j in range(n + 1):
            x = rng.permutation([1] * j + [0] * (n - j))
            expected = float(tents_of(13, Fraction(2, 5))(None, j, n))
            assert pair.f(x)[0] == pytest.approx(expected, abs=1e-12)
            assert soft(x)[0] == pytest.approx(expected, abs=1e-12)
        mean = exact_average_error(pair.f, pair.g, n, law=pair.law).mean if n < 9 else 0.0
        assert mean <= pair.short_error(n)
    found = measure(pair.f, pair.g)
    assert found.assume >= {"no_lag_bias", "shared_logits", "common_order"}
    for height in (0, 0.6):
        with pytest.raises(InputError):
            prime_tents(13, height)
    with pytest.raises(InputError, match="a prime"):
        prime_tents(15, 0.3)


def class_mean(n, q, width):
    """E of the bump: the number M of class symbols is binomial, the ones a fair coin each."""
    total = 0.0
    for m, p in enumerate(binom.pmf(np.arange(n + 1), n, q)):
        if m and p > 1e-15:
            ones = np.arange(m + 1)
            total += p * (binom.pmf(ones, m, 0.5) * tent(np.abs(ones / m - 0.5), width)).sum()
    return total


@pytest.mark.parametrize("q", [Fraction(1), Fraction(1, 2), Fraction(1, 10)])
def test_rare_class(q):
    pair = rare_class(round(400 / q), q)
    width = 400**-0.5
    for n in (1, 2, 7, 60, round(40 / q)):
        assert class_mean(n, float(q), width) <= pair.short_error(n) + 1e-12
    late = class_mean(pair.long_length, float(q), width)
    assert pair.long_error <= late <= 0.2409 * width
    assert 0.23 * width < late
    for n in (2, 5):
        exact = exact_average_error(pair.f, pair.g, n, law=pair.law).mean
        assert exact == pytest.approx(class_mean(n, float(q), width), abs=1e-12)
    found = measure(pair.f, pair.g)
    assert found.assume >= {"no_lag_bias", "shared_logits", "common_order"}
    with pytest.raises(InputError):
        rare_class(100, Fraction(1, 100))


def test_rare_class_at_the_registered_length():
    """λ = 125·target: the mean exceeds the target at T, and not ε up to the value."""
    target, slope, q = Fraction(1), 125, Fraction(1, 4)
    root = (0.2408 - math.sqrt(0.2408**2 - 6.84 / slope)) / 3.42
    long = math.ceil(4 * root**-2) - 1
    pair = rare_class(long, q)
    assert slope * pair.long_error > target
    for eps in (Fraction(1, 3), Fraction(1, 2)):
        found = bounds.required_length(
            theorem="derived.lower_average_class",
            epsilon=eps,
            target=target,
            lipschitz=slope,
            class_probability=q,
        )
        assert slope * pair.short_error(found.length) <= eps * 1.000001
        assert found.length < long
