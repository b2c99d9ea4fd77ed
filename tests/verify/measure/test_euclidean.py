"""Λ of the average theorems: above L, true for means of random values, needed where L fails."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

from verify import Head, Layer, LimitTransformer, measure, reference


def uniform_model(values, unembedding, mlp=(None, None, None), bits=8):
    """Equal logits: the attention output is the mean of the tokens' values, (|Σ|, d)."""
    tokens, width = values.shape
    total = tokens + width
    embedding = np.hstack([np.eye(tokens), np.zeros((tokens, width))])
    value = np.zeros((total, total))
    value[tokens:, :tokens] = values.T
    outputs = np.hstack([np.zeros((len(unembedding), tokens)), unembedding])
    if mlp[0] is not None:
        mlp_in = np.hstack([np.zeros((len(mlp[0]), tokens)), mlp[0]])
        mlp = (mlp_in, mlp[1], np.vstack([np.zeros((tokens, len(mlp[0]))), mlp[2]]))
    head = Head(np.zeros((total, total)), value, [0])
    return LimitTransformer(embedding, np.zeros((1, total)), (Layer((head,), *mlp),), outputs, bits)


def tents(tokens, bits=8):
    """Σ over tokens of relu(share − 1/K): the distance of the shares from the uniform law."""
    into = np.hstack([np.eye(tokens), np.zeros((tokens, 1))])
    back = np.vstack([np.zeros((tokens, tokens)), np.ones((1, tokens))])
    values = np.hstack([np.eye(tokens), np.zeros((tokens, 1))])
    readout = [[0] * tokens + [1]]
    return uniform_model(values, readout, (into, np.full(tokens, -1 / tokens), back), bits)


def output(f, mean):
    """F of a mean of values, for a query that the readout does not see; (o,)."""
    tokens = f.vocabulary_size
    layer = f.layers[0]
    u = np.concatenate([np.zeros(tokens), mean])
    hidden = np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0)
    return (u + hidden @ layer.mlp_out.T) @ f.unembedding.T


@pytest.mark.parametrize("bits", [8, None])
@pytest.mark.parametrize("tokens", [4, 16, 64])
def test_tents_have_l_two_and_lambda_root_of_twice_the_tokens(tokens, bits):
    c = measure(tents(tokens, bits))
    assert c.lipschitz == 2
    assert c.lipschitz_euclidean >= c.lipschitz
    assert float(c.lipschitz_euclidean) == pytest.approx(math.sqrt(2 * tokens), rel=1e-12)
    assert c.parameters()["lipschitz_euclidean"] == c.lipschitz_euclidean
    assert f"{math.sqrt(2 * tokens):.4g}" in c.table()


def test_on_a_line_lambda_is_the_steepest_slope():
    c = measure(tents(2))
    assert c.lipschitz == c.lipschitz_euclidean == 1  # |share − 1/2|
    assert c.lipschitz_sharp == 2


def mean_tent(tokens, length):
    """E f exactly: K times E relu(B/n − 1/K), B binomial."""
    counts = np.arange(length + 1)
    weights = binom.pmf(counts, length, 1 / tokens)
    return tokens * float(weights @ np.maximum(counts / length - 1 / tokens, 0))


def fixed_law_periods(constant, s):
    """k of Theorem A2′ with q* = 1 and τ + Δ = 1."""
    return math.ceil(max(4 * (2 + math.sqrt(2)) ** 2 * constant**2 / s**2, 2 * constant / s))


@pytest.mark.slow
def test_the_theorem_is_false_with_l_and_true_with_lambda():
    """E|f(x) − f(z)| ≥ E f(z) − lim E f = E f(z) must be ≤ s at the length of Theorem A2′."""
    s = 0.1
    f = tents(4)
    for x in itertools.product(range(4), repeat=5):
        shares = np.bincount(x, minlength=4) / 5
        assert reference(f, x)[0] == pytest.approx(np.maximum(shares - 1 / 4, 0).sum())
    with_l = fixed_law_periods(2, s)
    assert with_l + 1 == 18652
    assert mean_tent(4096, with_l + 1) > 0.17 > s
    for tokens in (64, 4096):
        length = fixed_law_periods(math.sqrt(2 * tokens), s) + 1
        assert mean_tent(tokens, length) <= s


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_mean_of_n_values_stays_within_lambda_over_root_2n(seed):
    """E max_o |F(mean of n values) − F(v̄)| ≤ Λ/√(2n): the step of A2′ that needs a norm."""
    rng = np.random.default_rng(seed)
    tokens, width, hidden = int(rng.integers(2, 7)), int(rng.integers(1, 4)), seed % 6
    outputs = int(rng.integers(1, 5))
    mlp = (rng.normal(size=(hidden, width)), rng.normal(size=hidden))
    mlp = (*mlp, rng.normal(size=(width, hidden))) if hidden else (None, None, None)
    f = uniform_model(rng.normal(size=(tokens, width)), rng.normal(size=(outputs, width)), mlp)
    values = f.layers[0].heads[0].value[tokens:, :tokens].T
    constant = float(measure(f).lipschitz_euclidean)
    assert constant >= float(measure(f).lipschitz)
    law = rng.dirichlet(np.full(tokens, 0.7))
    centre = output(f, law @ values)
    for n in (1, 3, 20):
        counts = rng.multinomial(n, law, size=3000)
        moved = np.abs(output_many(f, counts / n @ values) - centre).max(axis=1)
        error = 4 * moved.std() / math.sqrt(len(moved))
        assert moved.mean() - error <= constant / math.sqrt(2 * n)


def output_many(f, means):
    return np.array([output(f, mean) for mean in means])


def test_several_outputs_need_more_than_the_worst_one():
    """All sign patterns of 8 tokens as outputs: the largest error grows with the tokens.

    Each output alone has values in [−1, 1], a diameter of 2; but E max_o |f_o − E f_o| exceeds
    2/√(2n), so the constant of the largest output is not the largest constant of an output.
    """
    tokens = 8
    signs = np.array([[1, *rest] for rest in itertools.product((1, -1), repeat=tokens - 1)])
    f = uniform_model(np.eye(tokens), signs.astype(float))
    alone = uniform_model(np.eye(tokens), signs[5:6].astype(float))
    assert float(measure(alone).lipschitz_euclidean) == pytest.approx(2, rel=1e-15)
    rng = np.random.default_rng(0)
    n = 400
    shares = rng.multinomial(n, np.full(tokens, 1 / tokens), size=4000) / n
    largest = np.abs((shares - 1 / tokens) @ signs.T).max(axis=1).mean()
    assert largest > 1.05 * 2 / math.sqrt(2 * n)
    assert largest <= float(measure(f).lipschitz_euclidean) / math.sqrt(2 * n)


@pytest.mark.parametrize("seed", range(15))
def test_lambda_against_its_definition_for_one_output(seed):
    """Never above Σ_k of the diameters of the affine pieces, nor above operator norms."""
    rng = np.random.default_rng(seed)
    width, hidden = 3, seed % 4
    mlp = (
        (
            rng.normal(size=(hidden, width)),
            rng.normal(size=hidden),
            rng.normal(size=(width, hidden)),
        )
        if hidden
        else (None, None, None)
    )
    layer = Layer(
        tuple(Head(rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), [0.5]) for _ in range(2)), *mlp
    )
    f = LimitTransformer(
        rng.normal(size=(3, 3)), rng.normal(size=(2, 3)), (layer,), rng.normal(size=(1, 3)), 8
    )
    found = float(measure(f).lipschitz_euclidean)
    types = (f.positions[:, None] + f.embedding[None]).reshape(-1, 3)
    pieces, operator = 0.0, 0.0
    for head in layer.heads:
        values = types @ head.value.T
        pieces += np.ptp(values @ f.unembedding[0])
        gains = np.abs(f.unembedding[0] @ layer.mlp_out)
        pieces += sum(g * np.ptp(values @ a) for g, a in zip(gains, layer.mlp_in, strict=True))
        norm = 0.0
        if hidden:
            norm = np.linalg.norm(layer.mlp_in, 2) * np.linalg.norm(layer.mlp_out, 2)
        diameter = np.linalg.norm(values[:, None] - values[None], axis=-1).max()
        operator += np.linalg.norm(f.unembedding) * (1 + norm) * diameter
    assert found <= min(pieces, operator) * (1 + 1e-7)


def test_softmax_with_two_layers_has_one_constant_for_both():
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), [0])
    f = LimitTransformer(
        np.eye(2), np.zeros((1, 2)), (Layer((head,)), Layer((head,))), np.eye(2), None
    )
    c = measure(f)
    assert c.lipschitz_euclidean == c.lipschitz > 0
    assert "lipschitz_euclidean" not in c.parameters()


def test_a_suffix_class_is_its_lag_and_its_value_type():
    """τ = 1, φ = (0, 9), V copies the token: ..aq and ..bq attend to lag 1 and differ by 1.

    With the lag alone as the class the two attentions would be equal and no L finite.
    """
    head = Head(np.zeros((3, 3)), np.eye(3), [0, 9])
    f = LimitTransformer(np.eye(3), np.zeros((1, 3)), (Layer((head,)),), [[1, 0, 0]], 8)
    c = measure(f)
    assert c.lipschitz == 1
    moved = reference(f, [1, 1, 0, 2])[0] - reference(f, [1, 1, 1, 2])[0]
    assert moved == 1 == c.lipschitz * Fraction(1)  # all attention moves: TV = 1
