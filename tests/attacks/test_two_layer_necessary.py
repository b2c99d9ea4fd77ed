"""The averages behind two necessary lengths of two softmax layers, attacked from the statements.

Windows. Letters 0..k−1, |x| = n; h_i is the histogram of x_1..x_i in which, for γ > 1, the last
τ + 1 tokens count i^(1−γ) times; o_i the law on letters with weight i^(1+max(γ, 1)) on lags 1..τ
and 1 on every other position; A(x) = mean of TV(h_i, uniform) + 1 − o_i(x_i). Claim:
A ≥ min(0.0017, 0.09·√(kτ/n)), where γ > 1 and n < 24kτ: A ≥ 1/(60k).

Changes. Two letters, τ = 1; c_i = 1[x_i ≠ x_(i−1)]; A(x) = mean of |h_i(0) − ½| + c_i with weights
e^(R·c_i). Claim: A ≥ min(1/21, 0.495·√(e^R/n)).
"""

import itertools
import math
import os
from functools import partial

import numpy as np
import pytest

import bounds
import verify
from verify import witnesses
from verify.witnesses.two_layer_softmax import distance_and_changes, distance_and_windows

pytestmark = pytest.mark.covers(
    "attack",
    "derived.lower_softmax_locality",
    "derived.lower_softmax_range",
    "derived.lower_two_layer",
    "derived.lower_logit_range",
)

EFFORT = int(os.environ.get("TWO_LAYER_NECESSARY_EFFORT", "1"))
"""1 in the suite; 100 for the run whose counts docs/theory/softmax.md reports."""


def shares(x, letters, tau, gamma):
    """h_i, from the definition: (n, k)."""
    n = len(x)
    lengths = np.arange(1, n + 1)
    prefix = np.zeros((n + 1, letters))
    prefix[lengths, x] = 1.0
    prefix = prefix.cumsum(axis=0)
    suffix = prefix[lengths] - prefix[np.maximum(lengths - tau - 1, 0)]
    weight = lengths[:, None] ** (1.0 - max(gamma, 1.0))
    counted = prefix[1:] - suffix * (1 - weight)
    return counted / counted.sum(axis=1, keepdims=True)


def others(x, tau, gamma):
    """1 − o_i(x_i), from the definition."""
    n = len(x)
    lengths = np.arange(1, n + 1)
    late = lengths ** (1.0 + max(gamma, 1.0))
    prefix = np.zeros((n + 1, x.max() + 1))
    prefix[lengths, x] = 1.0
    prefix = prefix.cumsum(axis=0)
    window = prefix[lengths - 1] - prefix[np.maximum(lengths - 1 - tau, 0)]
    same = window[lengths - 1, x]
    before = np.minimum(lengths - 1, tau)
    alike = (prefix[lengths, x] - same) + late * same
    return 1 - alike / (lengths - before + late * before)


def windows(x, letters, tau, gamma=1):
    distance = np.abs(shares(x, letters, tau, gamma) - 1 / letters).sum(axis=1) / 2
    return (distance + others(x, tau, gamma)).mean()


def changes(x, reach, gamma=1):
    turned = np.concatenate([[False], x[1:] != x[:-1]])
    weight = np.where(turned, math.exp(reach), 1.0)
    value = np.abs(shares(x, 2, 1, gamma)[:, 0] - 0.5) + turned
    return (weight * value).sum() / weight.sum()


def windows_claim(n, letters, tau, gamma=1):
    if gamma > 1 and n < 24 * letters * tau:
        return min(0.0017, 1 / (60 * letters))
    return min(0.0017, 0.09 * math.sqrt(letters * tau / n))


def changes_claim(n, reach):
    return min(1 / 21, 0.495 * math.sqrt(math.exp(reach) / n))


def strings(letters, longest):
    """Every string up to a renaming of letters, so many as to use k^longest at most."""
    for n in range(1, longest + 1):
        for rest in itertools.product(range(letters), repeat=n - 1):
            yield np.array((0, *rest))


def structured(n, letters, tau, rng):
    """Runs of every length, growing ones, unequal ones, runs with noise, sticky chains."""
    index = np.arange(n)
    for run in sorted({*np.geomspace(1, n, 12).astype(int), tau, tau + 1, 2 * tau}):
        yield index // run % letters
        yield (index + run // 2) // run % letters
        noisy = index // run % letters
        noisy[rng.random(n) < 1 / (tau + 1) / 4] = 0
        yield noisy
        sticky = rng.random(n) < 1 / run
        yield (sticky * rng.integers(1, letters, n)).cumsum() % letters
    yield np.floor(np.log2(index + 1)).astype(int) % letters
    yield np.floor(np.sqrt(index)).astype(int) % letters
    for first in (0.1, 0.5):
        yield (index > first * n) * (index // max(1, int(math.sqrt(n))) % letters)


def descended(x, value, letters, steps, rng):
    """A string from x by moves that lower the value: a letter, a border, a block copied."""
    best, n = value(x), len(x)
    for _ in range(steps):
        y = x.copy()
        kind = rng.integers(3)
        i, j = sorted(rng.integers(n, size=2))
        if kind == 0:
            y[i] = rng.integers(letters)
        elif kind == 1:
            y[i:j] = y[i]
        else:
            y[i:j] = (y[i:j] + 1) % letters
        found = value(y)
        if found <= best:
            x, best = y, found
    return best


CASES = [(2, 1), (2, 3), (3, 2), (4, 1)]


def test_the_models_compute_the_averages():
    rng = np.random.default_rng(0)
    for (letters, tau), gamma in itertools.product(CASES, (0.5, 1, 2)):
        f = distance_and_windows(letters, tau, gamma)
        for n in (1, 2, tau + 1, tau + 2, 40):
            x = rng.integers(letters, size=n)
            assert f(x)[0] == pytest.approx(windows(x, letters, tau, gamma), abs=1e-12)
            assert verify.reference(f, x)[0] == pytest.approx(f(x)[0], abs=1e-12)
    for reach, gamma in itertools.product((0, 1, 5), (0.5, 1, 2)):
        f = distance_and_changes(reach, gamma)
        for n in (1, 2, 3, 40):
            x = rng.integers(2, size=n)
            assert f(x)[0] == pytest.approx(changes(x, reach, gamma), abs=1e-12)
            assert verify.reference(f, x)[0] == pytest.approx(f(x)[0], abs=1e-12)


@pytest.mark.slow
def test_no_short_string_is_below_the_claims():
    least = []
    for letters, longest in ((2, 9 + (EFFORT > 1) * 4), (3, 6 + (EFFORT > 1) * 2)):
        for x in strings(letters, longest):
            n = len(x)
            for tau, gamma in ((1, 1), (2, 1), (n, 1), (1, 2), (2, 3)):
                found = windows(x, letters, tau, gamma)
                assert found >= windows_claim(n, letters, tau, gamma)
                least.append(found / math.sqrt(letters * tau / n))
                if (letters, tau) == (2, 1):  # the pair of derived.lower_two_layer, every γ ≥ 1
                    assert found >= 0.2 / math.sqrt(n)
            if letters == 2:
                for reach, gamma in ((0, 1), (2, 1), (6, 1), (0, 2), (2, 3)):
                    found = changes(x, reach, gamma)
                    assert found >= changes_claim(n, reach)
    assert min(least) >= 0.09
    if EFFORT > 1:
        print(len(least), min(least))


@pytest.mark.slow
def test_no_long_string_is_below_the_claims():
    """All regimes: n up to 24kτ, up to 784kτ, beyond; and what is furthest below √(kτ/n)."""
    rng = np.random.default_rng(1)
    tried, ratios, weighed = 0, [], []
    for (letters, tau), factor, gamma in itertools.product(CASES, (8, 100, 1000, 4000), (1, 2)):
        n = factor * letters * tau
        if n > 4000 * EFFORT:
            continue
        for x in structured(n, letters, tau, rng):
            found = windows(x, letters, tau, gamma)
            assert found >= windows_claim(n, letters, tau, gamma)
            if (letters, tau) == (2, 1):
                assert found >= 0.2 / math.sqrt(n)
            ratios.append(found / math.sqrt(letters * tau / n))
            tried += 1
    for n, reach, gamma in itertools.product((30, 1000, 3000), (0, 1, 3), (1, 2)):
        for x in structured(n, 2, 1, rng):
            found = changes(x, reach, gamma)
            assert found >= changes_claim(n, reach)
            weighed.append(found / math.sqrt(math.exp(reach) / n))
            tried += 1
    for (letters, tau), gamma in itertools.product(CASES, (1, 2)):
        n = 30 * letters * tau
        start = np.arange(n) // max(2, int(math.sqrt(n * tau / letters))) % letters
        found = descended(
            start,
            partial(windows, letters=letters, tau=tau, gamma=gamma),
            letters,
            20 * EFFORT,
            rng,
        )
        assert found >= windows_claim(n, letters, tau, gamma)
        ratios.append(found / math.sqrt(letters * tau / n))
    for reach in (0, 2):
        start = np.arange(300) // 20 % 2
        found = descended(start, partial(changes, reach=reach), 2, 20 * EFFORT, rng)
        assert found >= changes_claim(300, reach)
        weighed.append(found / math.sqrt(math.exp(reach) / 300))
    assert tried > 1000
    if EFFORT > 1:
        print(tried, min(ratios), min(weighed))


def test_one_layer_of_any_margin_has_no_small_positive_attention():
    """Bias 1 − γ on the last token, logit R on letter 0, x_n = 1: σ is 0 or ≥ e^R/(e^R + n − 1)."""
    for x, gamma, reach in itertools.product(strings(2, 9), (1, 1.5, 4), (0, 3)):
        y = np.append(1 - x, 1)
        n = len(y)
        weight = np.where(y == 0, math.exp(reach), 1.0)
        weight[-1] *= n ** (1.0 - gamma)
        attention = weight[y == 0].sum() / weight.sum()
        least = math.exp(reach) / (math.exp(reach) + n - 1)
        assert attention == 0 or attention >= least - 1e-15


def test_changes_cost_what_the_proof_says():
    """Σ w_i ≥ τ(m−1)(¼ − α²): m stretches of positions with less than α other letters before."""
    rng = np.random.default_rng(2)
    tight = []
    for _ in range(150 * EFFORT):
        letters, tau = rng.integers(2, 5), rng.integers(1, 9)
        n = int(rng.integers(30, 200))
        run = rng.integers(1, 3 * tau + 2)
        x = ((rng.random(n) < 1 / run) * rng.integers(1, letters, n)).cumsum() % letters
        if rng.random() < 0.3:
            x = np.arange(n) // run % letters
        lags = np.array([np.mean(x[i - tau : i] != x[i]) for i in range(tau, n)])
        for alpha in (0.05, 0.2, 0.4):
            good = x[tau:][lags < alpha]
            stretches = 1 + np.count_nonzero(good[1:] != good[:-1])
            bound = tau * (stretches - 1) * (0.25 - alpha**2)
            assert lags.sum() >= bound - 1e-9
            tight.append(bound / max(lags.sum(), 1e-9))
    assert max(tight) > 0.3


def test_the_second_layer_weighs_changes_as_the_proof_says():
    """A ≥ (S/n + U)/(1 + U), U = e^R(m − 1)/n for m runs, and S/n ≥ 1/(8m) − m/(8n²) [− 1/(2n)]."""
    rng = np.random.default_rng(3)
    for _ in range(300 * EFFORT):
        n, reach, gamma = int(rng.integers(1, 200)), rng.choice([0, 1, 4]), rng.choice([1, 3])
        x = (rng.random(n) < rng.choice([0.02, 0.2, 0.8])).cumsum() % 2
        runs = 1 + np.count_nonzero(x[1:] != x[:-1])
        distance = np.abs(shares(x, 2, 1, gamma)[:, 0] - 0.5).sum() / n
        more = math.exp(reach) * (runs - 1) / n
        assert changes(x, reach, gamma) >= (distance + more) / (1 + more) - 1e-12
        least = 1 / (8 * runs) - runs / (8 * n**2) - (gamma > 1) / (2 * n)
        assert distance >= least - 1e-12


@pytest.mark.parametrize(
    "pair",
    [
        witnesses.windows(10),
        witnesses.windows(9, 3, 2, "5/2", 2),
        witnesses.changes(10, 2),
        witnesses.changes(10, 0, 4, 3),
    ],
    ids=lambda pair: pair.key,
)
def test_necessary_lengths_are_below_what_suffices_for_their_pairs(pair):
    measured = verify.measure(pair.f, pair.g)
    entry = bounds.theorem(pair.key)
    own = {k: v for k, v in pair.parameters.items() if k in entry.parameters or k == "heads"}
    of_both = measured.parameters()
    enough = bounds.required_length(error="linf", **of_both, epsilon=0, target=own["target"])
    for given in (own, of_both | own):
        needed = bounds.required_length(theorem=pair.key, **given)
        assert 0.9 * pair.agree_up_to <= needed.length <= pair.agree_up_to + 1
        assert needed.length < enough.length
    with pytest.raises(bounds.ParameterError, match="that of the pair"):
        bounds.required_length(theorem=pair.key, **own, complexity_balanced=100)
