"""verify.adapters.build: any convention, biases, positions; compared with a NumPy forward pass."""

import re
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.foreign_forward import columns, forward, random_block
from verify import InputError, WeightsError, reference
from verify.adapters import Block, build

TOKENS, D, OUTPUTS = 3, 4, 2
PLAIN = {"vectors": "row", "logits": "plain", "causal": True}


def weights(layers, seed=0, **options):
    rng = np.random.default_rng(seed)
    return {
        "embedding": rng.normal(size=(TOKENS, D)),
        "unembedding": rng.normal(size=(D, OUTPUTS)),
        "blocks": [random_block(rng, D, **options) for _ in range(layers)],
    }


def as_blocks(blocks):
    return [Block(**block) for block in blocks]


def agrees(f, w, lengths=(1, 2, 3, 7, 12), seed=1, **how):
    rng = np.random.default_rng(seed)
    for length in lengths:
        x = rng.integers(0, TOKENS, length)
        expected = forward(x, w["embedding"], w["blocks"], w["unembedding"], **how)
        np.testing.assert_allclose(f(x), expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(reference(f, x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("biases", [False, True])
def test_every_layer_and_bias_counts(layers, biases):
    w = weights(layers, biases=biases)
    bias = np.arange(OUTPUTS) * biases
    f = build(**w | {"blocks": as_blocks(w["blocks"])}, unembedding_bias=bias, **PLAIN)
    assert f.dimension == D + biases
    agrees(f, w, bias=bias)


@pytest.mark.parametrize("name", ["b_Q", "b_K", "b_V", "b_O", "b_in", "b_out"])
def test_each_bias_alone(name):
    w = weights(2)
    for block in w["blocks"]:
        for key in [key for key in block if key.startswith("b_") and key != name]:
            del block[key]
    f = build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN)
    assert f.dimension == D + (name in ("b_Q", "b_V", "b_O"))
    agrees(f, w)


def test_the_bias_of_keys_changes_nothing():
    w = weights(1)
    f = build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN)
    del w["blocks"][0]["b_K"]
    assert build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN) == f


def test_both_conventions_are_the_same_model():
    w = weights(2)
    rows = build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN)
    turned = {"blocks": as_blocks(map(columns, w["blocks"])), "unembedding": w["unembedding"].T}
    assert build(**w | turned, **PLAIN | {"vectors": "column"}) == rows


def test_square_matrices_in_the_wrong_convention_are_another_model():
    w = weights(1, heads=1, d_head=D, d_v=D, hidden=D)
    block = Block(**w["blocks"][0])
    right = build(embedding=w["embedding"], blocks=[block], unembedding=np.eye(D), **PLAIN)
    wrong = build(
        embedding=w["embedding"],
        blocks=[block],
        unembedding=np.eye(D),
        **PLAIN | {"vectors": "column"},
    )
    assert abs(right([0, 1, 2]) - wrong([0, 1, 2])).max() > 0.1


def test_scale_is_explicit_or_one_over_the_root_of_the_head_width():
    w = weights(1)
    block = Block(**w["blocks"][0])
    agrees(build(**w | {"blocks": [replace(block, scale=0.25)]}, **PLAIN), w, scale=0.25)
    root = replace(block, scale=1 / np.sqrt(3))
    assert build(**w | {"blocks": [root]}, **PLAIN) == build(**w | {"blocks": [block]}, **PLAIN)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("kind", ["residual", "queries_and_keys"])
def test_positions_that_repeat(start, kind):
    w = weights(2)
    cycle = np.random.default_rng(3).normal(size=(3, D))
    table = np.tile(cycle, (5, 1))
    common = {**w, "blocks": as_blocks(w["blocks"]), "positions_in": kind} | PLAIN
    f = build(**common, positions=table, positions_start=start, period=3)
    assert f.period == 3
    agrees(f, w, positions=table, start=start, shortformer=kind == "queries_and_keys")
    # Only the rows of one period, and of two: the same.
    for rows in (cycle, table[:6]):
        assert build(**common, positions=rows, positions_start=start, period=3) == f


def test_the_start_of_positions_matters():
    w = weights(1)
    table = np.random.default_rng(3).normal(size=(3, D))
    common = {**w, "blocks": as_blocks(w["blocks"]), "positions": table, "period": 3} | PLAIN
    zero, one = (build(**common, positions_start=start) for start in (0, 1))
    assert abs(zero([0, 1, 2, 0]) - one([0, 1, 2, 0])).max() > 0.1


def test_a_row_before_the_first_token_is_unused():
    w = weights(1)
    cycle = np.random.default_rng(3).normal(size=(2, D))
    padded = np.vstack([np.zeros((1, D)), np.tile(cycle, (7, 1))])
    common = {**w, "blocks": as_blocks(w["blocks"]), "period": 2} | PLAIN
    f = build(**common, positions=padded, positions_start=1)
    agrees(f, w, positions=padded, start=1)
    assert f == build(**common, positions=cycle, positions_start=0)


def test_learned_positions_as_a_period_agree_as_far_as_they_go():
    w = weights(2)
    table = np.random.default_rng(3).normal(size=(12, D))
    blocks = as_blocks(w["blocks"])
    f = build(**w | {"blocks": blocks}, positions=table, positions_start=0, period=12, **PLAIN)
    agrees(f, w, positions=table)


def test_logits_times_the_logarithm_of_the_length():
    w = weights(2)
    log = PLAIN | {"logits": "log", "precision_bits": 60}
    f = build(**w | {"blocks": as_blocks(w["blocks"])}, **log)
    assert f.precision_bits == 60
    agrees(f, w, log=True)


def test_one_layer_need_not_be_causal():
    w = weights(1)
    f = build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN | {"causal": False})
    agrees(f, w, causal=False)
    w = weights(2)
    with pytest.raises(InputError, match=r"^causal: got False .*more than one layer of attention"):
        build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN | {"causal": False})


def test_lag_bias_is_taken_as_it_is():
    w = weights(1)
    block = Block(**w["blocks"][0], lag_bias=[[1.0, 2.0], [0.0, -1.0]])
    f = build(**w | {"blocks": [block]}, **PLAIN)
    assert [head.lag_bias.tolist() for head in f.layers[0].heads] == [[1.0, 2.0], [0.0, -1.0]]


def test_jax_arrays_are_taken():
    w = weights(2)
    blocks = [Block(**{k: jnp.asarray(v) for k, v in block.items()}) for block in w["blocks"]]
    f = build(embedding=jnp.asarray(w["embedding"]), blocks=blocks,
              unembedding=jnp.asarray(w["unembedding"]), **PLAIN)  # fmt: skip
    rounded = {k: np.asarray(jnp.asarray(w[k]), dtype=float) for k in ("embedding", "unembedding")}
    rounded["blocks"] = [
        {k: np.asarray(jnp.asarray(v), dtype=float) for k, v in block.items()}
        for block in w["blocks"]
    ]
    agrees(f, rounded)


GOOD = weights(1)
ROWS = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vectors": "left"}, "vectors: got 'left'"),
        ({"logits": "logn"}, "logits: got 'logn'"),
        ({"logits": "log"}, "precision_bits: got None .*p = 24"),
        ({"precision_bits": 8}, "precision_bits: got 8 .*multiplies logits by log T"),
        ({"causal": None}, "causal: got None"),
        ({"blocks": []}, "blocks: got .*at least one Block"),
        ({"blocks": [GOOD["blocks"][0]]}, r"blocks\[0\]: got .*a verify.adapters.Block"),
        ({"positions": ROWS}, "period: got None .*no longer input exists"),
        ({"positions": ROWS, "period": 3}, "positions_start: got None .*libraries differ"),
        ({"positions": ROWS, "period": 4}, "period: got 4 .*from 1 to 3"),
        ({"positions": ROWS, "period": 2, "positions_start": 0}, "rows 0 and 2 differ"),
        ({"positions": ROWS, "period": 1, "positions_start": 1}, "rows 1 and 2 differ"),
        ({"positions": ROWS, "period": 3, "positions_start": 3}, "positions_start: got 3"),
        ({"positions": ROWS, "period": 3, "positions_start": True}, "positions_start: got True"),
        ({"positions": ROWS[:, :3], "period": 3, "positions_start": 0}, r"positions: .*d = 4"),
        ({"period": 2}, "period: got 2 .*None where there are no positions"),
        ({"positions_start": 1}, "positions_start: got 1 .*None where there are no positions"),
        ({"positions_in": "keys"}, "positions_in: got 'keys' .*Shortformer"),
        ({"unembedding": np.zeros((3, 2))}, r"unembedding: .*shape \(d, o\)"),
        ({"unembedding_bias": [1.0]}, r"unembedding_bias: .*shape \(o,\) = \(2,\)"),
        ({"embedding": [[np.nan] * 4]}, "embedding: got nan"),
        ({"embedding": np.zeros((3, 5)), "unembedding": np.zeros((5, 2))}, "width d = 5"),
    ],
)
def test_refusals(change, words):
    arguments = GOOD | {"blocks": as_blocks(GOOD["blocks"])} | PLAIN
    with pytest.raises((InputError, WeightsError), match=words):
        build(**arguments | change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"W_K": np.zeros((2, 4, 2))}, "blocks[0].W_K: got"),
        ({"W_K": np.zeros((1, 4, 3))}, "2 heads, as in W_Q"),
        ({"W_Q": np.zeros((4, 3))}, "blocks[0].W_Q: got"),
        ({"b_V": np.zeros((2, 3))}, "blocks[0].b_V: got"),
        ({"b_O": np.zeros(3)}, "blocks[0].b_O: got"),
        ({"W_in": None}, "blocks[0].W_in: got None"),
        ({"W_out": np.zeros((4, 5))}, "shape (5, 4)"),
        ({"b_in": np.zeros(4)}, "blocks[0].b_in: got"),
        ({"lag_bias": np.zeros((3, 1))}, "blocks[0].lag_bias: got"),
        ({"scale": "half"}, "scale: got 'half'"),
        ({"scale": float("inf")}, "scale: got inf"),
    ],
)
def test_refused_blocks(change, words):
    blocks = [Block(**GOOD["blocks"][0] | change)]
    with pytest.raises((InputError, WeightsError), match=re.escape(words)):
        build(**GOOD | {"blocks": blocks}, **PLAIN)


def test_weights_whose_products_overflow_are_refused():
    w = weights(1)
    w["blocks"][0]["W_Q"] = w["blocks"][0]["W_K"] = np.full((2, D, 3), 1e200)
    with pytest.raises(WeightsError, match="query_key: got inf"):
        build(**w | {"blocks": as_blocks(w["blocks"])}, **PLAIN)
