"""Average error of two softmax layers on Markov inputs, attacked from the statement.

x is a stationary chain with kernel P and law π; λ = norm of P on mean-zero functions of L²(π),
Θ = (1+λ)/(1−λ), m = max(1, ⌈ln(1/π_min)/ln(1/λ)⌉). With z = the last n symbols of x, |x| = T,
E|f(x) − f(z)| ≤ b(n) + b(T), and with the constants of `softmax_constants`

    b(n) = Λ₂{η_q(1 + D₂D_Y‖M‖/4) + e^(R₂)[ℓ₂β(τ+1)n^(−γ̄)/(1−γ̄) + ℓ₂β′√((S−1)Θ/n)
              + D₂√((2τ+Θ)/n) + (2τ+1+m)D₂/n]},   η_q = β(τ+1)n^(−γ′) + ½β′√((S−1)Θ/n).

All inputs are enumerated, with their exact probabilities; frequencies of tokens or of pairs of
tokens over long inputs are counted by dynamic programming.
"""

import itertools
import math

import numpy as np
import pytest

import bounds
from tests.helpers.softmax_constants import constants
from tests.helpers.softmax_models import random_model
from verify import Head, Layer, LimitTransformer

REGIMES = ("token", "balanced", "position", "negative")


def stationary(kernel):
    vectors = np.linalg.lstsq(
        np.vstack([kernel.T - np.eye(len(kernel)), np.ones(len(kernel))]),
        np.concatenate([np.zeros(len(kernel)), [1.0]]),
        rcond=None,
    )[0]
    assert np.allclose(vectors @ kernel, vectors)
    return vectors


def contraction(kernel, law):
    root = np.sqrt(law)
    return float(np.linalg.norm(root[:, None] * kernel / root - np.outer(root, root), 2))


def random_chain(rng, size):
    """Mixing, sticky, rotating or with a rare token; λ < 1."""
    kind = rng.integers(4)
    kernel = rng.dirichlet(np.full(size, 0.7), size=size)
    if kind == 1:
        kernel = 0.05 * kernel + 0.95 * np.eye(size)
    if kind == 2:
        kernel = 0.2 * kernel + 0.8 * np.roll(np.eye(size), 1, axis=1)
    if kind == 3:
        kernel = 0.3 * kernel + 0.7 * np.eye(size)[0]
    kernel = 0.99 * kernel + 0.01 / size
    law = stationary(kernel)
    return kernel, law, contraction(kernel, law)


def claim(c, n, *, size, contraction, least, independent=False):
    """b(n); `independent`: as if tokens were independent (Θ = 1, m = 0 in the last term)."""
    theta = (1 + contraction) / (1 - contraction)
    m = max(1, math.ceil(math.log(1 / least) / math.log(1 / contraction)))
    tau = c.locality
    fluctuation, ends = math.sqrt(2 * tau + theta), 2 * tau + 1 + m
    if independent:
        theta, fluctuation, ends = 1.0, math.sqrt(tau + 0.5), 2 * tau + 1
    histogram = c.beta_histogram * math.sqrt((size - 1) * theta / n)
    total = c.accuracy(c.beta * (tau + 1) * n ** -min(c.gamma, 1) + histogram / 2)
    for _, reach, d2, l2, _ in c.heads:
        total += math.exp(reach) * (
            l2 * c.beta * (tau + 1) * n**-c.rate / (1 - c.rate)
            + l2 * histogram
            + d2 * fluctuation / math.sqrt(n)
            + d2 * ends / n
        )
    return c.readout * total


# ------------------------------------------------------------------ all inputs


def all_outputs(f, inputs):
    """f on a batch of inputs, straight from the definition (Δ = 1, softmax)."""
    y = f.embedding[inputs] + f.positions[0]
    length = inputs.shape[1]
    lag = np.subtract.outer(np.arange(length), np.arange(length))
    for layer in f.layers:
        added = np.zeros_like(y)
        for head in layer.heads:
            phi = np.append(head.lag_bias, 0.0)[np.clip(lag, 0, len(head.lag_bias))]
            scale = np.log(np.arange(1, length + 1))[:, None] * phi
            logits = np.einsum("bjd,de,bie->bij", y, head.query_key, y) + scale
            logits = np.where(lag >= 0, logits, -np.inf)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            added += weights @ (y @ head.value.T)
        y = y + added
        if layer.mlp_in is not None:
            y = y + np.maximum(y @ layer.mlp_in.T + layer.mlp_bias, 0) @ layer.mlp_out.T
    return y[:, -1] @ f.unembedding.T


def exact_error(f, n, total, kernel, law):
    size = len(law)
    x = np.array(list(itertools.product(range(size), repeat=total)))
    p = law[x[:, 0]] * np.prod(kernel[x[:, :-1], x[:, 1:]], axis=1)
    assert p.sum() == pytest.approx(1)
    change = all_outputs(f, x) - all_outputs(f, x[:, -n:])
    return float(p @ np.linalg.norm(change, axis=1))


@pytest.mark.parametrize("regime", REGIMES)
def test_all_short_inputs(regime):
    rng = np.random.default_rng(REGIMES.index(regime))
    worst = 0.0
    for size, n, total in ((2, 3, 9), (2, 6, 8), (3, 2, 6)):
        for scale in (0.05, 0.5):
            f = random_model(
                rng,
                layers=2,
                regimes=[regime, "token"],
                size=size,
                scale=scale,
                locality=int(rng.integers(3)),
            )
            x = rng.integers(size, size=(1, total))
            assert all_outputs(f, x)[0] == pytest.approx(f(x[0]), abs=1e-9)
            c = constants(f)
            for _ in range(3):
                kernel, law, norm = random_chain(rng, size)
                bound = sum(
                    claim(c, k, size=size, contraction=norm, least=law.min()) for k in (n, total)
                )
                worst = max(worst, exact_error(f, n, total, kernel, law) / bound)
    assert 0 < worst <= 1


# ------------------------------------------------------------------ frequencies


def frequency(lag):
    """Two tokens, no MLP: share of positions whose token `lag` before is 0 (bias 40: no leak)."""
    copy, second = np.zeros((4, 4)), np.zeros((4, 4))
    copy[2:, :2] = np.eye(2)
    second[0, 2] = 1.0
    bias = np.zeros(lag + 1)
    bias[lag] = 40.0
    zero = np.zeros((4, 4))
    first, last = Head(zero, copy, bias), Head(zero, second, np.zeros(1))
    return LimitTransformer(
        np.eye(2, 4), np.zeros((1, 4)), (Layer((first,)), Layer((last,))), np.eye(1, 4), None
    )


def counts(kernel, start, steps):
    """P(number of zeros among the next `steps` tokens = j, last token), given the token before."""
    law = np.zeros((steps + 1, 2))
    law[0, start] = 1.0
    for _ in range(steps):
        moved = law @ kernel
        law = np.stack([np.concatenate([[0.0], moved[:-1, 0]]), moved[:, 1]], axis=1)
    return law


def frequency_error(kernel, law, n, total):
    """E|share of zeros in x − share in its last n|, exactly."""
    here = law[:, None] * kernel  # token before the first: stationary as well
    before = sum(here[s].sum() * counts(kernel, s, total - n) for s in range(2))
    error = 0.0
    for s in range(2):
        after = counts(kernel, s, n).sum(1)
        j1, j2 = np.arange(total - n + 1)[:, None], np.arange(n + 1)[None]
        error += float(before[:, s] @ np.abs((j1 + j2) / total - j2 / n) @ after)
    return error


CHAINS = [(p, q) for p in (0.5, 0.1, 0.01, 0.001) for q in (0.5, 0.1, 0.01, 0.9, 0.99)]


def test_frequencies_on_sticky_and_rotating_chains():
    # Only D₂√((2τ+Θ)/n) + (2τ+1+m)D₂/n is left of the claim, D₂ = 1.
    worst = 0.0
    for p, q in CHAINS:
        kernel = np.array([[1 - p, p], [q, 1 - q]])
        law = stationary(kernel)
        norm = contraction(kernel, law)
        assert norm == pytest.approx(abs(1 - p - q), abs=1e-9)
        theta = (1 + norm) / (1 - norm)
        m = max(1, math.ceil(math.log(1 / law.min()) / math.log(1 / norm))) if norm > 1e-12 else 1
        for n, total in ((5, 50), (40, 400), (150, 500)):
            bound = sum(math.sqrt(theta / k) + (1 + m) / k for k in (n, total))
            worst = max(worst, frequency_error(kernel, law, n, total) / bound)
    assert 0.1 <= worst <= 1


def test_the_model_of_frequencies_is_within_its_claim():
    # The same shares by a model: at lag 0 it counts tokens, and the claim is that of its constants.
    f, rng = frequency(0), np.random.default_rng(0)
    c = constants(f)
    assert (c.readout, c.beta_histogram, c.heads[0][1]) == (1.0, 0.0, 0.0)
    x = rng.integers(2, size=50)
    assert f(x)[0] - (x[-1] == 0) == pytest.approx((x == 0).mean())
    kernel = np.array([[0.9, 0.1], [0.2, 0.8]])
    law = stationary(kernel)
    error = exact_error(frequency(1), 4, 9, kernel, law)
    c = constants(frequency(1))
    bound = sum(claim(c, k, size=2, contraction=0.7, least=law.min()) for k in (4, 9))
    assert 0 < error <= bound


def test_independence_does_not_do_for_a_chain():
    # Θ = 1 and no m, as for independent tokens: violated by a chain that rarely moves.
    kernel = np.array([[0.999, 0.001], [0.001, 0.999]])
    law = stationary(kernel)
    for n, total in ((100, 800), (200, 900)):
        error = frequency_error(kernel, law, n, total)
        assert error > sum(math.sqrt(0.5 / k) + 1 / k for k in (n, total))
        assert error <= sum(math.sqrt(1999 / 2 / k) + 1 / k for k in (n, total))


# ------------------------------------------------------------------ the registry


def test_registered_length_makes_the_claim_small_enough():
    # C: the constant for independent tokens, 2b(n) at √n = 1 in every term.
    rng = np.random.default_rng(3)
    for i in range(60):
        f = random_model(
            rng, layers=2, regimes=[REGIMES[i % 4]], scale=0.3, locality=int(rng.integers(4))
        )
        c, size = constants(f), 2
        tau = c.locality
        constant = c.accuracy(c.beta * (tau + 1) + c.beta_histogram / 2)
        for _, reach, d2, l2, _ in c.heads:
            constant += math.exp(reach) * (
                l2 * c.beta * (tau + 1) / (1 - c.rate)
                + l2 * c.beta_histogram
                + d2 * (math.sqrt(tau + 0.5) + 2 * tau + 1)
            )
        constant *= 2 * c.readout
        _, law, norm = random_chain(rng, size)
        s = float(constant * 10 ** rng.uniform(-2, 0))
        r = bounds.required_length(
            theorem="derived.average_softmax_two_layer_markov",
            epsilon=repr(s),
            complexity_average=repr(float(constant * (1 + 1e-12))),
            positional_margin=repr(float(c.gamma)),
            locality=tau,
            vocabulary_size=size,
            spectral_gap=repr(float((1 - norm) * (1 - 1e-12))),
            stationary_min=repr(float(law.min())),
        )
        n = 2.0**r.log2_length * (1 + 1e-12)
        bound = claim(c, n, size=size, contraction=norm, least=law.min())
        assert 2 * bound <= s * (1 + 1e-9)
