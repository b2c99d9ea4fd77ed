"""Two softmax layers: running histograms equal the definition; other forms use the definition."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.random_models import LARGEST_LAG_BIAS, assert_same, random_model
from verify import Head, InputError, Layer, LimitTransformer, WeightsError, reference, summarise
from verify.model.forward import mixtures, two_layer


@pytest.mark.slow
@settings(max_examples=500)
@given(
    seed=st.integers(0, 2**32),
    vocabulary_size=st.integers(1, 6),
    period=st.integers(1, 5),
    locality=st.integers(0, 4),
    heads=st.integers(1, 3),
    length=st.integers(1, 90) | st.integers(1, 7),
    regime=st.none() | st.sampled_from(sorted(LARGEST_LAG_BIAS)),
    logits=st.sampled_from([0.1, 3.0]),
    ties=st.booleans(),
    block=st.sampled_from([1, 1 << 15]),
    few=st.sampled_from([0, 16]),
    widest=st.sampled_from([-1.0, 600.0]),
)
def test_the_fast_pass_is_the_reference(seed, length, block, few, widest, **form):
    rng = np.random.default_rng(seed)
    f = random_model(rng, layers=2, **form)
    x = rng.integers(0, f.vocabulary_size, size=length)
    assert f.method == "histograms"
    with pytest.MonkeyPatch.context() as patch:
        for module in (two_layer, mixtures):
            patch.setattr(module, "_BLOCK_ENTRIES", block)  # 1: blocks of 64 positions
        patch.setattr(mixtures, "_FEW", few)
        patch.setattr(mixtures, "_WIDEST", widest)  # −1: an exponential for each key
        assert_same(f(x), reference(f, x))


def scaled(f, first, second):
    """Return f with the content logits of its layers multiplied."""
    factors = (first, second)
    layers = tuple(
        dataclasses.replace(
            layer,
            heads=tuple(
                dataclasses.replace(head, query_key=factor * head.query_key) for head in layer.heads
            ),
        )
        for layer, factor in zip(f.layers, factors, strict=True)
    )
    return dataclasses.replace(f, layers=layers)


@pytest.mark.parametrize("regime", sorted(LARGEST_LAG_BIAS))
@pytest.mark.parametrize("second", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_large_logits(seed, second, regime):
    rng = np.random.default_rng(seed)
    f = random_model(
        rng, vocabulary_size=3, period=2, locality=2, heads=2, layers=2, regime=regime, logits=500.0
    )
    f = scaled(f, 1.0, second)
    x = rng.integers(0, 3, size=200)
    keys = (f.embedding[:, None] + f.positions[None]).reshape(-1, f.dimension)
    assert np.abs(keys @ f.layers[0].heads[0].query_key @ keys.T).max() > 500
    assert_same(f(x), reference(f, x))


@pytest.mark.parametrize("phi", [-2000.0, -40.0, 40.0, 2000.0])
def test_large_lag_biases_neither_overflow_nor_lose_all_weight(phi):
    rng = np.random.default_rng(1)
    f = random_model(rng, vocabulary_size=2, period=1, locality=2, heads=2, layers=2)
    layers = tuple(
        dataclasses.replace(
            layer,
            heads=tuple(
                dataclasses.replace(head, lag_bias=np.array(bias))
                for head, bias in zip(layer.heads, ([phi, phi, phi], [0.0, phi]), strict=True)
            ),
        )
        for layer in f.layers
    )
    f = dataclasses.replace(f, layers=layers)
    for length in (1, 2, 3, 4, 50):
        x = rng.integers(0, 2, size=length)
        assert_same(f(x), reference(f, x))


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129, 130, 193])
def test_block_boundaries(length, monkeypatch):
    for module in (two_layer, mixtures):
        monkeypatch.setattr(module, "_BLOCK_ENTRIES", 1)
    rng = np.random.default_rng(length)
    f = random_model(rng, vocabulary_size=3, period=3, locality=4, heads=2, layers=2)
    x = rng.integers(0, 3, size=length)
    assert_same(f(x), reference(f, x))


@pytest.mark.slow
def test_a_long_input():
    rng = np.random.default_rng(2)
    f = random_model(rng, vocabulary_size=4, period=2, locality=3, heads=2, layers=2)
    x = rng.choice(4, size=6000, p=[0.9, 0.09, 0.009, 0.001])
    assert_same(f(x), reference(f, x))


def test_a_closed_form_at_a_length_beyond_the_reference():
    """First layer: running mean of the tokens; second: mean of these running means."""
    value = np.array([[0.0, 0.0], [1.0, 0.0]])  # token from the first to the second coordinate
    mean = Head(np.zeros((2, 2)), value, np.zeros(1))
    second = Head(np.zeros((2, 2)), np.array([[0.0, 0.0], [0.0, 1.0]]), np.zeros(1))
    f = LimitTransformer(
        np.array([[0.0, 0.0], [1.0, 0.0]]),
        np.zeros((1, 2)),
        (Layer((mean,)), Layer((second,))),
        np.array([[0.0, 1.0]]),
        None,
    )
    length = 500_000
    x = (np.random.default_rng(3).random(length) < np.linspace(0, 1, length)).astype(np.uint8)
    running = np.cumsum(x) / np.arange(1, length + 1)
    assert f(x) == pytest.approx([running[-1] + running.mean()], rel=1e-12)


def test_first_layer_outputs_at_all_positions():
    rng = np.random.default_rng(4)
    f = random_model(rng, vocabulary_size=3, period=2, locality=2, heads=2, layers=2)
    one = LimitTransformer(f.embedding, f.positions, f.layers[:1], np.eye(f.dimension), None)
    x = rng.integers(0, 3, size=100)
    first = two_layer._FirstLayer(f, summarise(x, 3, 2, f.locality))
    light = mixtures.Mixtures(f, first.types, first.tables, first.biases)
    assert light.usable
    careful = [block for _, block in first.outputs(x)]
    mixed = [light.outputs @ block for _, block in light.blocks(x)]
    for blocks in (careful, mixed):
        y = np.concatenate(blocks, axis=1)
        assert y.shape == (f.dimension, 100)
        for i in range(1, 101):
            assert_same(y[:, i - 1], reference(one, x[:i]))


def test_memory_does_not_grow_with_the_length():
    rng = np.random.default_rng(5)
    f = random_model(rng, vocabulary_size=4, period=1, locality=2, heads=2, layers=2)
    peaks = []
    for length in (100_000, 400_000):
        x = rng.integers(0, 4, size=length, dtype=np.uint8)
        f(x[:100])
        tracemalloc.start()
        f(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= peaks[0] + 100_000


@pytest.mark.parametrize(("layers", "precision_bits"), [(2, 6), (3, None), (3, 6)])
def test_other_forms_use_the_definition(layers, precision_bits):
    rng = np.random.default_rng(6)
    f = random_model(
        rng,
        vocabulary_size=3,
        period=2,
        locality=2,
        heads=2,
        layers=layers,
        precision_bits=precision_bits,
    )
    assert f.method == "definition"
    x = rng.integers(0, 3, size=40)
    assert f(x).tolist() == reference(f, x).tolist()


@pytest.mark.parametrize("x", [[], [0.0], [[0]], [0, 3], [-1, 0], [True], None, "0"])
def test_bad_inputs_are_refused(x):
    rng = np.random.default_rng(7)
    form = {"vocabulary_size": 3, "period": 1, "locality": 1, "heads": 1}
    for layers, precision_bits in ((1, 8), (1, None), (2, None), (2, 8), (3, None)):
        f = random_model(rng, layers=layers, precision_bits=precision_bits, **form)
        with pytest.raises(InputError, match=r"^x.*: got .*allowed: "):
            f(x)


def test_overflow_is_an_error():
    rng = np.random.default_rng(8)
    f = random_model(rng, vocabulary_size=2, period=1, locality=1, heads=1, layers=2)
    x = rng.integers(0, 2, size=30)
    first, second = f.layers
    wide = dataclasses.replace(second.heads[0], query_key=np.full((4, 4), 1e308))
    steep = dataclasses.replace(first.heads[0], lag_bias=[1.7e308, 1.7e308])
    for name, layers in {
        "query_key": (first, dataclasses.replace(second, heads=(wide,))),
        "lag_bias": (dataclasses.replace(first, heads=(steep,)), second),
    }.items():
        with pytest.raises(
            WeightsError, match=rf"^{name}: got .*weights whose results float64 can hold"
        ):
            dataclasses.replace(f, layers=layers)(x)
