"""Constants of every layer: by hand, against states that occur, padded, and fed to `bounds`."""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import bounds
from tests.helpers.deep_softmax import random_model, true_states
from verify import Head, InputError, Layer, LimitTransformer, measure
from verify.measure import depth_constants
from verify.measure.softmax_depth import largest_change, padded

KINDS = ("balanced", "position dominant", "token dominant", "none")


def test_three_layers_by_hand():
    """Embeddings ±1 in one dimension, V = 1/2, M = 1/4: every norm is a number."""
    head = Head([[0.25]], [[0.5]], [0.0, 1.0])
    layer = Layer((head,))
    f = LimitTransformer([[1.0], [-1.0]], [[0.0]], (layer,) * 3, [[3.0]], None)
    c = measure(f)
    assert (c.layers, c.locality, c.positional_margin) == (3, 1, 1)
    first, second, third = c.depth_constants.f
    assert first.heads[0] == bounds.HeadConstants(F(1, 2), 1, lag_bias="balanced")
    # D_Y = 2 + 1 = 3, Y = 1 + 1/2
    middle = second.heads[0]
    assert middle.value_diameter == F(3, 2)
    assert middle.query_lipschitz == F(3, 4)
    assert middle.logit_range == F(9, 8)
    assert middle.tilt_lipschitz == F(1, 2) + F(3, 8) * F(3, 2)
    assert (middle.value_rank, middle.score_rank, middle.lag_bias) == (1, 1, "balanced")
    # D_Y = 3 + 3/2, Y = 9/4
    assert third.heads[0].value_diameter == F(9, 4)
    assert third.heads[0].logit_range == F(1, 4) * F(9, 2) * F(9, 4)
    assert (first.lipschitz, second.lipschitz, third.lipschitz) == (1, 1, 3)
    assert [layer.locality for layer in c.depth_constants.f] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("period", [1, 2])
def test_states_that_occur_stay_within_the_constants(seed, period):
    rng = np.random.default_rng(seed)
    f = random_model(rng, rng.permutation(KINDS).tolist(), tokens=3, width=3, period=period)
    (layers, _) = depth_constants((f,)).models
    inputs = [rng.integers(3, size=30) for _ in range(4)] + [np.zeros(20, int), np.ones(20, int)]
    states = [true_states(f, x) for x in inputs]
    for level, (layer, constants) in enumerate(zip(f.layers, layers, strict=True)):
        y = np.concatenate([one[level] for one in states])
        for head, found in zip(layer.heads, constants.heads, strict=True):
            values, logits = y @ head.value.T, y @ head.query_key @ y.T
            spread = np.linalg.norm(values[:, None] - values[None], axis=2).max()
            assert spread <= float(found.value_diameter) + 1e-12
            assert np.ptp(logits, axis=0).max() <= float(found.logit_range) + 1e-12
            if level:
                moved = y @ head.query_key
                diameter = np.linalg.norm(moved[:, None] - moved[None], axis=2).max()
                assert diameter <= float(found.query_lipschitz) + 1e-12
                assert found.value_rank == np.linalg.matrix_rank(head.value)
    outputs = [f(x) for x in inputs]
    assert np.ptp(outputs) <= float(largest_change(f, layers))


def test_padding_changes_no_output_and_no_constant():
    rng = np.random.default_rng(7)
    for kinds in (("balanced",), ("balanced", "none"), ("none", "balanced", "position dominant")):
        f = random_model(rng, kinds)
        x = rng.integers(2, size=40)
        for depth in range(len(kinds), 5):
            longer = padded(f, depth)
            assert len(longer.layers) == depth
            assert longer(x) == pytest.approx(f(x), abs=1e-12)
    f, g = random_model(rng, ("balanced", "none")), random_model(rng, ("none",) * 4)
    c = measure(f, g)
    assert c.layers == 4
    alone = depth_constants((f,)).f
    assert c.depth_constants.f[0] == alone[0]
    assert c.depth_constants.f[-1] == alone[-1]
    for layer in c.depth_constants.f[1:-1]:
        assert layer == bounds.LayerConstants(1, 0)


def test_lag_bias_in_the_second_layer_has_a_length_now():
    f = random_model(np.random.default_rng(1), ("balanced", "balanced"), scale=0.2, scores=0.1)
    c = measure(f)
    assert set(c.parameters()) >= {"depth_constants", "positional_margin", "locality"}
    assert "complexity_balanced" not in c.parameters()
    answer = bounds.required_length(error="linf", epsilon="1/10", **c.parameters())
    assert answer.theorem.key == "derived.softmax_deep"
    assert "layers of f" in c.table()
    assert "depth" not in repr(c)
    plain = replace(f, layers=(f.layers[0], Layer((Head(np.eye(2), np.eye(2), [0.0]),))))
    assert measure(plain).depth_constants is None


def test_without_a_lag_bias_nothing_has_to_be_near_its_limit():
    f = random_model(np.random.default_rng(2), ("none",) * 3, scale=0.2, scores=0.1)
    c = measure(f)
    assert c.assume == {"no_lag_bias"}
    answer = bounds.required_length(error="linf", epsilon="1/10", assume=c.assume, **c.parameters())
    assert answer.theorem.key == "derived.softmax_deep"


def test_three_layers_in_finite_precision_are_refused():
    layer = Layer((Head(np.eye(2), np.eye(2), [0.0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,) * 3, np.eye(2), 8)
    with pytest.raises(InputError, match="one layer"):
        measure(f)
    g = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,) * 2, np.eye(2), 8)
    with pytest.raises(InputError, match="number of layers of g"):
        measure(f, g)
