"""What a model keeps between calls changes no result, and cannot become wrong."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from tests.helpers.random_models import assert_same, random_model
from verify import InputError, LimitTransformer, WeightsError, reference
from verify.model.forward import mixtures, tables, two_layer
from verify.model.summary import summary_of
from verify.simulation.softmax.rounding import softmax_rounding

SIZES = {"vocabulary_size": 3, "period": 2, "locality": 2, "heads": 2}
FORMS = [(1, 4), (1, None), (2, None)]


def kept(f):
    return vars(f).get(tables._NAME)


def test_weights_cannot_be_made_writeable():
    f = random_model(np.random.default_rng(0), **SIZES)
    head = f.layers[0].heads[0]
    for array in (f.embedding, f.positions, f.unembedding, f.layers[0].mlp_in, head.query_key):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
        assert array.view().flags.writeable is False


@pytest.mark.parametrize(("layers", "precision_bits"), FORMS)
@pytest.mark.parametrize("length", [1, 2, 3, 40, 20_000])
def test_every_form_of_an_input_gives_the_same_bits(layers, precision_bits, length):
    rng = np.random.default_rng(length)
    f = random_model(rng, layers=layers, precision_bits=precision_bits, **SIZES)
    x = rng.integers(0, 3, size=length)
    expected = f(x)
    if length <= 40:
        assert_same(expected, reference(f, x))
    forms = [x.astype(f"{order}{kind}{size}") for order in "<>" for kind in "iu" for size in "1248"]
    forms += [np.repeat(x, 2)[::2], x[::-1].copy()[::-1], np.stack([x, x], axis=1)[:, 0]]
    forms += [np.repeat(x.astype("u1"), 3)[::3], np.repeat(x.astype(">i4"), 3)[1::3]]
    read_only = x.copy()
    read_only.flags.writeable = False
    forms += [read_only, x.tolist(), tuple(x.tolist()), memoryview(x)]
    unaligned = np.frombuffer(b"." + x.tobytes(), dtype="u1")[1:].view("<i8")
    for form in [*forms, unaligned]:
        assert f(form).tobytes() == expected.tobytes()
    constant = np.broadcast_to(np.int16(2), length)
    assert f(constant).tobytes() == f(np.full(length, 2)).tobytes()


@pytest.mark.parametrize(("layers", "precision_bits"), FORMS)
@pytest.mark.parametrize("x", [[], np.zeros(0, dtype="u1"), np.zeros((0, 3), dtype=int)[:, 0]])
def test_an_empty_input_is_refused(layers, precision_bits, x):
    rng = np.random.default_rng(0)
    f = random_model(rng, layers=layers, precision_bits=precision_bits, **SIZES)
    with pytest.raises(InputError, match="at least one token"):
        f(x)


@pytest.mark.parametrize("vocabulary_size", [100, 128, 129, 200, 255, 256, 257, 300])
@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", ">u4", "i8"])
def test_tokens_are_checked_whatever_their_type(vocabulary_size, dtype):
    """Read as unsigned, −1 is a token of a large vocabulary."""
    f = random_model(
        np.random.default_rng(0),
        vocabulary_size=vocabulary_size,
        period=1,
        locality=0,
        heads=1,
    )
    limits = np.iinfo(dtype)
    for token in (-1, limits.min, vocabulary_size - 1, vocabulary_size, limits.max):
        if not limits.min <= token <= limits.max:
            continue
        x = np.array([0, 0, token, 0], dtype=dtype)
        if 0 <= token < vocabulary_size:
            assert_same(f(x), reference(f, x))
        else:
            with pytest.raises(InputError, match=rf"^x\[2\]: got {token} "):
                f(x)


@pytest.mark.parametrize(("layers", "precision_bits"), FORMS)
def test_threads_give_the_same_bits(layers, precision_bits):
    rng = np.random.default_rng(7)
    f = random_model(rng, layers=layers, precision_bits=precision_bits, **SIZES)
    inputs = [rng.integers(0, 3, size=n) for n in rng.integers(1, 400, size=40)]
    alone = copy.deepcopy(f)
    expected = [alone(x).tobytes() for x in inputs]
    start = Barrier(8)

    def run(shift):
        start.wait()
        order = [(k + 5 * shift) % len(inputs) for k in range(len(inputs))]
        return all(f(inputs[k]).tobytes() == expected[k] for k in order)

    assert kept(f) is None
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))
    assert kept(f) is not None


@pytest.mark.parametrize("precision_bits", [None, 4])
def test_what_is_kept_does_not_depend_on_the_calls_before(precision_bits):
    rng = np.random.default_rng(8)
    f = random_model(rng, precision_bits=precision_bits, **SIZES)
    inputs = [rng.integers(0, 3, size=n) for n in (1, 2, 5, 30, 31, 200)]
    first = [f(x).tobytes() for x in inputs]
    assert [f(x).tobytes() for x in inputs[::-1]] == first[::-1]
    assert [copy.deepcopy(f)(x).tobytes() for x in inputs] == first


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        dataclasses.replace,
        lambda f: pickle.loads(pickle.dumps(f)),
        lambda f: dataclasses.replace(f, precision_bits=None),
        lambda f: dataclasses.replace(f, embedding=f.embedding.astype(np.float32) + 1),
        lambda f: dataclasses.replace(f, embedding=-f.embedding),
    ],
)
def test_tables_are_not_passed_on(again):
    rng = np.random.default_rng(9)
    f = random_model(rng, precision_bits=6, **SIZES)
    x = rng.integers(0, 3, size=50)
    before = f(x)
    data = pickle.dumps(f)
    g = again(f)
    assert kept(f) is not None
    assert kept(g) is None
    assert_same(g(x), reference(g, x))
    assert kept(g) is not kept(f)
    assert f(x).tobytes() == before.tobytes()
    assert pickle.dumps(f) == data
    assert f == pickle.loads(data)
    assert hash(f) == hash(pickle.loads(data))


def test_models_that_are_equal_have_tables_of_their_own():
    """0.0 and −0.0 are equal; so are the models, and each keeps its own numbers."""
    rng = np.random.default_rng(10)
    f = random_model(rng, **SIZES)
    zero, minus = (
        dataclasses.replace(f, embedding=np.full_like(f.embedding, sign)) for sign in (0.0, -0.0)
    )
    assert zero == minus
    zero([0, 1])
    assert kept(minus) is None
    minus([0, 1])
    assert kept(minus) is not kept(zero)


@pytest.mark.parametrize("precision_bits", [None, 5])
@pytest.mark.parametrize("limit", ["_MOST_KEYS", "_MOST_LOGITS"])
def test_models_too_large_to_keep(monkeypatch, precision_bits, limit):
    rng = np.random.default_rng(11)
    f = random_model(rng, precision_bits=precision_bits, ties=True, **SIZES)
    monkeypatch.setattr(tables, limit, 0)
    for length in (1, 4, 33, 64, 65):
        x = rng.integers(0, 3, size=length)
        assert_same(f(x), reference(f, x))
    assert kept(f)._scores == {}
    assert (kept(f)._keys is None) == (limit == "_MOST_KEYS")


def test_what_is_kept_is_bounded():
    rng = np.random.default_rng(12)
    f = random_model(
        rng, vocabulary_size=700, period=1, locality=1, heads=3, precision_bits=4, dimension=2
    )
    for token in range(700):
        f([token, 5, token])
    entries = sum(scores.logits.size for scores in kept(f)._scores.values())
    assert 0.9 * tables._MOST_LOGITS <= entries <= tables._MOST_LOGITS
    wide = random_model(rng, vocabulary_size=40_000, period=1, locality=1, heads=1, dimension=2)
    x = rng.integers(0, 40_000, size=100)
    assert_same(wide(x), reference(wide, x))
    assert kept(wide)._keys is None


@pytest.mark.parametrize(("layers", "precision_bits"), FORMS)
def test_types_that_do_not_occur_cannot_overflow(layers, precision_bits):
    rng = np.random.default_rng(13)
    f = random_model(rng, layers=layers, precision_bits=precision_bits, **SIZES)
    huge = f.embedding.copy()
    huge[2] = 1e200
    g = dataclasses.replace(f, embedding=huge)
    x = rng.integers(0, 2, size=40)
    assert g(x).tobytes() == f(x).tobytes()
    with pytest.raises(WeightsError, match=r"^query_key: got "):
        g(np.append(x, 2))
    assert g(x).tobytes() == f(x).tobytes()


@pytest.mark.parametrize("huge", [1e100, 1e160, 1e200, 1e308])
def test_types_that_do_not_occur_do_not_blur_the_rule_of_precision(huge):
    """Integer gaps at T = 2^4: equality holds there, and only exact arithmetic can tell."""
    dropped = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        f = random_model(rng, precision_bits=4, ties=True, **SIZES)
        embedding = f.embedding.copy()
        embedding[2] = huge
        g = dataclasses.replace(f, embedding=embedding)
        outputs = []
        for length in (15, 16, 17):
            x = np.arange(length) % 2 * (np.arange(length) > 3)
            outputs.append(g(x))
            assert_same(outputs[-1], reference(f, x))
            assert g(x).tobytes() == f(x).tobytes()
        dropped += not np.array_equal(outputs[0], outputs[1])
    assert dropped > 5


def test_models_are_freed_with_their_tables():
    f = random_model(np.random.default_rng(16), precision_bits=4, **SIZES)
    f([0, 1, 2])
    assert kept(f) is not None
    gone = weakref.ref(f)
    gc.disable()
    try:
        del f
        assert gone() is None
    finally:
        gc.enable()


def mixtures_of(f, x):
    """Return the tables of the fast pass over two layers."""
    summary = summary_of(np.asarray(x), f.vocabulary_size, f.period, f.locality)
    first = two_layer._FirstLayer(f, summary)
    return mixtures.Mixtures(f, first.types, first.tables, first.biases)


@pytest.mark.parametrize("period", [1, 2, 7])
@pytest.mark.parametrize("dimension", [4, 24])
@pytest.mark.parametrize("length", [300, 8192, 8193, 20_000])
def test_two_layers_both_ways(monkeypatch, period, dimension, length):
    """With tables of exponentials and with one for each key, within the bound on rounding."""
    rng = np.random.default_rng(period + dimension)
    f = random_model(
        rng, vocabulary_size=3, period=period, locality=3, heads=2, layers=2, dimension=dimension
    )
    x = rng.choice(3, size=length, p=[0.9, 0.099, 0.001])
    assert mixtures_of(f, x).usable
    fast = f(x)
    monkeypatch.setattr(mixtures, "_WIDEST", -1.0)
    assert not mixtures_of(f, x).usable
    careful = f(x)
    assert_same(fast, careful)
    assert np.abs(fast - careful).max() <= 2 * softmax_rounding(f, length)


def test_when_tables_of_exponentials_are_not_used():
    rng = np.random.default_rng(14)
    f = random_model(rng, layers=2, **SIZES)
    x = rng.integers(0, 3, size=100)
    first, second = f.layers
    assert mixtures_of(f, x).usable

    def with_first(**changes):
        return dataclasses.replace(f, layers=(dataclasses.replace(first, **changes), second))

    def heads(**changes):
        return tuple(dataclasses.replace(head, **changes) for head in first.heads)

    wide = rng.normal(size=(8 * f.dimension, f.dimension))
    for g in (
        with_first(heads=heads(query_key=500.0 * first.heads[0].query_key)),
        with_first(heads=heads(lag_bias=[80.0, 0.0])),
        with_first(heads=heads(lag_bias=[-80.0, 0.0])),
        with_first(mlp_in=wide, mlp_bias=np.ones(len(wide)), mlp_out=wide.T),
    ):
        assert not mixtures_of(g, x).usable
        assert_same(g(x), reference(g, x))
    assert mixtures_of(with_first(mlp_in=None, mlp_bias=None, mlp_out=None), x).usable


@pytest.mark.parametrize("phi", [-60.0, -1.0, 0.0, 1.0, 60.0])
def test_lag_biases_within_the_tables(phi):
    """Up to i^60 = 10^120 beside counts, at all blocks."""
    rng = np.random.default_rng(15)
    f = random_model(rng, layers=2, **SIZES)
    head = dataclasses.replace(f.layers[0].heads[0], lag_bias=[phi, 0.0, -phi])
    layers = (dataclasses.replace(f.layers[0], heads=(head, head)), f.layers[1])
    f = LimitTransformer(f.embedding, f.positions, layers, f.unembedding, None)
    for length in (1, 2, 3, 4, 120):
        x = rng.integers(0, 3, size=length)
        assert mixtures_of(f, x).usable
        assert_same(f(x), reference(f, x))
