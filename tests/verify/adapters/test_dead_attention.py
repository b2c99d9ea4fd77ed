"""fold_dead_attention: the same function with fewer layers, where attention writes a constant."""

import numpy as np
import pytest

from tests.helpers.foreign_forward import random_block
from verify import Head, Layer, LimitTransformer
from verify.adapters import Block, build, fold_dead_attention

D = 4
HOW = {"vectors": "row", "logits": "plain", "causal": True}


def model(dead, *, period=1, hidden=3, biases=True):
    """Three layers, those named in `dead` with values that read nothing of the token."""
    rng = np.random.default_rng(0)
    blocks = [random_block(rng, D, hidden=hidden, biases=biases) for _ in range(3)]
    for number in dead:
        blocks[number]["W_V"] *= 0
    for block in blocks:
        if not hidden:
            del block["W_in"], block["W_out"]
            block.pop("b_in", None), block.pop("b_out", None)
    return build(
        embedding=rng.normal(size=(3, D)),
        blocks=[Block(**block) for block in blocks],
        unembedding=rng.normal(size=(D, 2)),
        positions=rng.normal(size=(period, D)),
        period=period,
        positions_start=0,
        **HOW,
    )


def same(f, g):
    rng = np.random.default_rng(1)
    for length in (1, 2, 3, 8):
        x = rng.integers(0, 3, length)
        np.testing.assert_allclose(f(x), g(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("dead", "left"), [([], 3), ([0], 2), ([0, 1], 1), ([0, 1, 2], 1), ([1], 3), ([1, 2], 3)]
)
@pytest.mark.parametrize("biases", [False, True])
def test_first_layers_are_folded(dead, left, biases):
    f = model(dead, biases=biases)
    folded = fold_dead_attention(f)
    assert len(folded.layers) == left
    same(f, folded)


@pytest.mark.parametrize(("hidden", "left"), [(0, 2), (3, 3)])
def test_with_positions_only_without_a_network(hidden, left):
    f = model([0], period=2, hidden=hidden)
    folded = fold_dead_attention(f)
    assert (len(folded.layers), folded.period) == (left, 2)
    same(f, folded)


def test_values_that_tell_tokens_apart_are_alive():
    value = np.zeros((D, D))
    value[0, 1] = 1e-300
    layer = Layer((Head(np.zeros((D, D)), value, [0.0]),))
    embedding = np.zeros((2, D))
    embedding[1, 1] = 1.0
    f = LimitTransformer(embedding, np.zeros((1, D)), (layer, layer), np.eye(D), None)
    assert fold_dead_attention(f) == f
