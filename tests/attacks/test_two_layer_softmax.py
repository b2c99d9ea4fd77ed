"""The balanced map of two softmax layers, attacked from the statements of its theorems.

Simulation lemma: p(w, μ) with range of diameter D, L-Lipschitz in the histogram (TV), values in m
dimensions; d = S − 1 + m, n = θK(K+1)/2 + τ + 1, η = 1/(K+1). Every x with |x| ≥ n has z, |z| = n,
with the same last τ+1 tokens, averages of p within η[(4d+6)L + (4τ/θ+2d)D] + 2(τ+1)D/n, and token
frequencies within 2dη + (τ+1)/n.

Two layers (constants: `softmax_constants`): d = S − 1 + ranks of f and g, and

    |F(x) − F(z)| ≤ Λ₂{η_q(1 + D₂D_Y‖M‖/4) + e^(R₂)[2ℓ₂β(τ+1)n^(−γ̄)/(1−γ̄)
                        + η((4d+6)ℓ₂β′ + (4τ/θ+2d)D₂) + 2(τ+1)D₂/n]},
    η_q = β′(2dη + (τ+1)/n) + 2β(τ+1)n^(−γ̄).

With positions of period Δ: n = Δθ K(K+1)/2 + a ≡ |x|, τ+1 ≤ a ≤ τ+Δ; d = Δ(S−1) + ranks, 4d+8 for
4d+6, θΔ for θ under 4τ, and a for τ+1 where the end of x is appended.
"""

import math

import numpy as np
import pytest

import bounds
import verify
from tests.helpers.softmax_constants import constants
from tests.helpers.softmax_models import random_model
from verify import Head, Layer, LimitTransformer
from verify.simulation.softmax.balanced import simulate_balanced

pytestmark = pytest.mark.covers("attack", "derived.two_layer_softmax")

REGIMES = ("token", "balanced", "position", "negative")


def hostile(rng, length, size, period, pieces):
    """Inputs made against averages, against windows of growing blocks, and against residues."""
    top = size - 1
    index = np.arange(length)
    blocks = np.arange(1, pieces + 1).cumsum() / (pieces * (pieces + 1) / 2) * length
    block = np.searchsorted(blocks, index, side="right").clip(0, pieces - 1)
    start = np.concatenate([[0], blocks])[block]
    inside = (index - start) / (np.concatenate([[0], blocks])[block + 1] - start)
    doubling = np.floor(np.log2(index + 1)).astype(int)
    once = np.zeros(length, dtype=np.int64)
    once[[0, length // 2, length - 3]] = top
    return {
        "runs": index // max(2, int(length**0.4)) % size,
        "doubling runs": doubling % size,
        "halves": (index >= length // 2) * top,
        "half of each block": (inside < 0.5) * top,
        "every other block": block % 2 * top,
        "a drift": (rng.random(length) < index / length) * top,
        "once": once,
        "period": index % (period + 1) % size,
        "residues": (index % period == 0) * top if period > 1 else index % 2 * top,
        "by chance": rng.integers(size, size=length),
    }


def shape(n, length, period, theta, locality):
    """K and a of a length n = Δθ K(K+1)/2 + a; fails if it is not of this form."""
    a = next(a for a in range(locality + 1, locality + period + 1) if (a - length) % period == 0)
    pieces = (math.isqrt(1 + 8 * (n - a) // (period * theta)) - 1) // 2
    assert n == period * theta * pieces * (pieces + 1) // 2 + a
    return pieces, a


def claim(c, n, a, pieces, d, theta, *, locality, period, turns=True, leak=True):
    """The error of one model; `locality` and `period` of the pair.

    turns: with the terms in d; leak: with those for lag biases at finite positions.
    """
    eta = 1 / (pieces + 1)
    start = c.beta * (locality + 1) * n**-c.rate * leak
    total = c.accuracy(c.beta_histogram * (2 * d * eta * turns + a / n) + 2 * start)
    extra = 6 if period == 1 else 8
    for _, reach, d2, l2, _ in c.heads:
        balance = eta * (
            (4 * d + extra) * l2 * c.beta_histogram + (4 * locality / (theta * period) + 2 * d) * d2
        )
        total += math.exp(reach) * (
            2 * l2 * start / (1 - c.rate) + balance * turns + 2 * a * d2 / n
        )
    return c.readout * total


def attack(x, f, g, *, length, theta=1):
    """Largest error / claim of the two models; checks length, end, residue and frequencies."""
    s = simulate_balanced(x, f, g, length=length, theta=theta)
    z, models = s.short, [constants(m) for m in (f, g)]
    locality, period = max(c.locality for c in models), math.lcm(*(c.period for c in models))
    pieces, a = shape(len(z), len(x), period, theta, locality)
    assert len(z) == s.length <= length
    assert np.array_equal(z[-a:], x[-a:])
    size = models[0].tokens
    d = period * (size - 1) + sum(c.rank for c in models)
    frequencies = [
        np.bincount(np.arange(1, len(y) + 1) % period * size + y, minlength=period * size) / len(y)
        for y in (x, z)
    ]
    moved = np.abs(frequencies[0] - frequencies[1]).sum() / 2
    assert moved <= 2 * d / (pieces + 1) + a / len(z)
    ratios = []
    for model, c, reported in zip((f, g), models, (s.error_f, s.error_g), strict=True):
        change = model(x) - model(z)
        assert reported == pytest.approx(np.abs(change).max(), abs=1e-12)
        claimed = claim(c, len(z), a, pieces, d, theta, locality=locality, period=period)
        ratios.append(float(np.linalg.norm(change)) / claimed)
    return max(ratios)


@pytest.mark.slow
@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize("regime", REGIMES)
def test_random_pairs_on_hostile_inputs(regime, period):
    rng = np.random.default_rng([REGIMES.index(regime), period])
    worst = 0.0
    for locality, size, theta, length, total in ((1, 2, 1, 90, 700), (2, 3, 3, 200, 1200)):
        f = random_model(
            rng,
            layers=2,
            regimes=[regime, "token"],
            size=size,
            locality=locality,
            scale=0.3,
            period=period,
        )
        g = random_model(rng, layers=2, regimes=[regime], size=size, scale=0.8, last=2)
        for x in hostile(rng, total + int(rng.integers(5)), size, period, 12).values():
            worst = max(worst, attack(x, f, g, length=length, theta=theta))
    assert 0 < worst <= 1


def copier(size, lag, bias=40.0, period=1, positions=None):
    """No MLP: layer 1 copies the token `lag` ago (bias 0: the mean so far), layer 2 averages all."""
    d = 2 * size
    tokens, copy = np.eye(size, d), np.zeros((d, d))
    copy[size:, :size] = np.eye(size)
    lag_bias = np.zeros(lag + 1)
    lag_bias[lag] = bias
    second = np.zeros((d, d))
    second[0, size] = 1.0  # one number: how often token 0 was copied
    return LimitTransformer(
        tokens,
        np.zeros((1, d)) if positions is None else positions,
        (
            Layer((Head(np.zeros((d, d)), copy, lag_bias),)),
            Layer((Head(np.zeros((d, d)), second, np.zeros(1)),)),
        ),
        np.eye(1, d),
        None,
    )


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 1, 3])
def test_plain_averages_with_small_constants(lag):
    # β′ = 0 for copied tokens, R₂ = 0, no MLP, rank 1: as little room as the claim leaves.
    rng = np.random.default_rng(lag)
    f, g = copier(2, lag), copier(2, lag, bias=0.0)
    worst = 0.0
    for total, length in ((130, 40), (900, 60), (1500, 300)):
        for x in hostile(rng, total, 2, 1, 10).values():
            worst = max(worst, attack(x, f, g, length=length))
    assert 0.005 <= worst <= 1


def test_terms_of_the_balancing_are_needed():
    # Copying with a bias of 40 does not leak. x changes within each block: the claim holds, but
    # not without its terms in d.
    f, total, length = copier(2, 1), 10_000, 1200
    x = hostile(np.random.default_rng(0), total, 2, 1, 48)["half of each block"]
    s = simulate_balanced(x, f, length=length, theta=1)
    pieces, a = shape(s.length, total, 1, 1, 1)
    whole, part = (
        claim(
            constants(f), s.length, a, pieces, 2, 1, locality=1, period=1, turns=turns, leak=False
        )
        for turns in (True, False)
    )
    assert part < s.error_f <= whole


def test_truncation_violates_the_claim():
    # The control: the last n symbols of x instead of the balanced z.
    f = copier(2, 1)
    x = (np.arange(60_000) < 30_000).astype(np.int64)
    s = simulate_balanced(x, f, length=3000, theta=1)
    pieces, a = shape(s.length, len(x), 1, 1, 1)
    claimed = claim(constants(f), s.length, a, pieces, 2, 1, locality=1, period=1, leak=False)
    assert s.error_f <= claimed < float(np.abs(f(x) - f(x[-s.length :])).max())


# ------------------------------------------------------------------ the lemma


def first_layer(f, x):
    """Outputs of one head without lag bias or MLP at every position, from running histograms."""
    (head,) = f.layers[0].heads
    e = f.embedding
    counts = np.cumsum(np.eye(len(e))[x], axis=0)
    weights = np.exp(e @ head.query_key @ e.T)[:, x].T * counts
    return e[x] + weights @ (e @ head.value.T) / weights.sum(1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("logits", [0.0, 1.0, 3.0])
def test_averages_of_a_tilted_histogram(logits):
    # p(w, μ) = E_w + tilt of μ: layer 1 without lag bias is p exactly, layer 2 takes its mean.
    rng = np.random.default_rng(int(logits))
    worst = 0.0
    for size in (2, 3):
        e = rng.normal(size=(size, 2))
        head = Head(rng.normal(size=(2, 2)) * logits, rng.normal(size=(2, 2)), np.zeros(1))
        mean = Head(np.zeros((2, 2)), np.eye(2), np.zeros(1))
        f = LimitTransformer(e, np.zeros((1, 2)), (Layer((head,)), Layer((mean,))), np.eye(2), None)
        c = constants(f)
        d, (_, _, diam, _, rank) = size + 1, c.heads[0]
        assert rank == 2
        for total, length, theta in ((200, 60, 1), (1000, 250, 2)):
            for x in hostile(rng, total, size, 1, 10).values():
                z = simulate_balanced(x, f, length=length, theta=theta).short
                pieces, _ = shape(len(z), total, 1, theta, 0)
                error = np.linalg.norm(first_layer(f, x).mean(0) - first_layer(f, z).mean(0))
                bound = ((4 * d + 6) * c.beta + 2 * d * diam) / (pieces + 1) + 2 * diam / len(z)
                worst = max(worst, float(error) / bound)
    assert 0 < worst <= 1


def test_registered_length_of_the_lemma():
    # n of the registry is of the form θK(K+1)/2 + τ + 1, and the lemma's error there is ≤ ε.
    rng = np.random.default_rng(4)
    for _ in range(200):
        d, theta, locality = (int(v) for v in rng.integers(1, 9, size=3))
        amplitude, lipschitz, epsilon = (float(v) for v in 10 ** rng.uniform(-2, 2, size=3))
        r = bounds.required_length(
            theorem="derived.simulation",
            averages_error=repr(epsilon),
            amplitude=repr(amplitude),
            lipschitz_histogram=repr(lipschitz),
            dimension=d,
            locality=locality - 1,
            block=theta,
        )
        pieces, a = shape(r.length, r.length, 1, theta, locality - 1)
        turns = (4 * d + 6) * lipschitz + (4 * (locality - 1) / theta + 2 * d) * 2 * amplitude
        error = turns / (pieces + 1) + 2 * a * 2 * amplitude / r.length
        assert error <= epsilon * (1 + 1e-9)


# ------------------------------------------------------------------ lengths


def full_complexity(c, d, theta, locality, period):
    """C_F of the theorem: the claim at n with η ≤ √(θΔ/n) and n^(−γ̄) taken out."""
    root, extra = math.sqrt(theta * period), 6 if period == 1 else 8
    end = locality + period if period > 1 else locality + 1
    total = c.accuracy(c.beta_histogram * (2 * d * root + end) + 2 * c.beta * (locality + 1))
    for _, reach, d2, l2, _ in c.heads:
        total += math.exp(reach) * (
            2 * l2 * c.beta * (locality + 1) / (1 - c.rate)
            + root
            * (
                (4 * d + extra) * l2 * c.beta_histogram
                + (4 * locality / (theta * period) + 2 * d) * d2
            )
            + 2 * end * d2
        )
    return c.readout * total


@pytest.mark.parametrize("period", [1, 2, 5])
def test_registered_length_has_a_z_within_the_error(period):
    # N of the registry from C_F, then the largest n = Δθ K(K+1)/2 + a ≤ N: the claim is ≤ s there.
    rng = np.random.default_rng(period)
    key = "derived.two_layer_softmax" + ("_periodic" if period > 1 else "")
    for _ in range(40):
        c = constants(random_model(rng, layers=2, regimes=["balanced"], scale=0.3, period=period))
        theta, locality = int(rng.integers(1, 9)), c.locality
        d = period * (c.tokens - 1) + c.rank
        complexity = full_complexity(c, d, theta, locality, period)
        s = complexity * float(10 ** rng.uniform(-2.5, 0.3))
        parameters = dict(period=period) if period > 1 else {}
        name = "complexity_periodic" if period > 1 else "complexity_balanced"
        r = bounds.required_length(
            theorem=key,
            epsilon=repr(float(s)),
            **{name: repr(float(complexity * (1 + 1e-12)))},
            positional_margin=repr(float(c.gamma)),
            locality=locality,
            block=theta,
            vocabulary_size=c.tokens,
            **parameters,
        )
        for a in range(locality + 1, locality + period + 1):
            pieces = (math.isqrt(1 + 8 * ((r.length - a) // (period * theta))) - 1) // 2
            assert pieces >= 1
            n = period * theta * pieces * (pieces + 1) // 2 + a
            error = claim(c, n, a, pieces, d, theta, locality=locality, period=period)
            assert error <= s * (1 + 1e-9)


def test_simulation_at_a_wanted_error():
    rng = np.random.default_rng(11)
    f = random_model(rng, layers=2, regimes=["token"], scale=0.1)
    g = random_model(rng, layers=2, regimes=["balanced"], scale=0.1)
    pair = [constants(f), constants(g)]
    d = 1 + sum(c.rank for c in pair)
    epsilon = float(max(full_complexity(c, d, 1, 1, 1) for c in pair) / 20)
    shortened = 0
    for x in hostile(rng, 3000, 2, 1, 12).values():
        s = verify.simulate(x, f, g, epsilon=repr(epsilon))
        assert max(np.abs(m(x) - m(s.short)).max() for m in (f, g)) <= epsilon
        assert s.length <= max(1, 1.5 * 20 ** max(2, *(1 / c.gamma for c in pair)))
        shortened += s.length < len(x)
    assert shortened
