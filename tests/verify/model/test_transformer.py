"""Weights: validation with one message for every mistake, equality, files."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.helpers.random_models import random_model
from verify import Counterexample, Head, InputError, Layer, LimitTransformer, WeightsError

D = 2
HEAD = {"query_key": np.eye(D), "value": np.eye(D), "lag_bias": np.zeros(1)}
MLP = {"mlp_in": np.ones((3, D)), "mlp_bias": np.ones(3), "mlp_out": np.ones((D, 3))}
MODEL = {
    "embedding": np.ones((3, D)),
    "positions": np.zeros((1, D)),
    "layers": (Layer((Head(**HEAD),)),),
    "unembedding": np.ones((1, D)),
    "precision_bits": 8,
}


def head(**changes):
    return Head(**HEAD | changes)


def mlp(**changes):
    return Layer(**{"heads": (Head(**HEAD),), **MLP} | changes)


def model(**changes):
    return LimitTransformer(**MODEL | changes)


NOT_NUMBERS = "real numbers.*not bool, complex, text or objects"


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ([[1.0, 2.0], [3.0]], "all rows of one length"),
        (np.ones((2, 2), dtype=bool), NOT_NUMBERS),
        (np.ones((2, 2), dtype=complex), NOT_NUMBERS),
        (np.full((2, 2), None), NOT_NUMBERS),
        ([[Fraction(1, 2)] * 2] * 2, NOT_NUMBERS),
        ([["a", "b"], ["c", "d"]], NOT_NUMBERS),
        (None, NOT_NUMBERS),
        (1.0, r"shape .*; this one is \(\)"),
        (np.ones(2), r"shape .*; this one is \(2,\)"),
        (np.ones((1, 2, 2)), r"shape .*; this one is \(1, 2, 2\)"),
        ([[1.0, float("nan")], [0.0, 0.0]], r"finite numbers; the entry at \(0, 1\) is not"),
        ([[1.0, 0.0], [float("inf"), 0.0]], r"finite numbers; the entry at \(1, 0\) is not"),
        (np.array([[2**53 + 1, 0], [0, 0]]), "numbers that float64 holds exactly"),
    ],
)
@pytest.mark.parametrize("name", ["query_key", "value", "embedding", "mlp_in"])
def test_bad_matrix(name, value, allowed):
    if name == "mlp_in" and value is None:
        allowed = "all three of the MLP, or none of them"
    build = {"query_key": head, "value": head, "embedding": model, "mlp_in": mlp}[name]
    with pytest.raises(WeightsError, match=f"^{name}: got .*allowed: .*{allowed}") as caught:
        build(**{name: value})
    error = caught.value
    assert error.name == name
    assert [problem[0] for problem in error.problems] == [name]


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (
            {"query_key": np.ones((2, 3))},
            [r"query_key: .*square matrix.*this one is \(2, 3\)", "value: "],
        ),
        (
            {"value": np.eye(3)},
            [r"value: .*the shape of query_key, \(2, 2\); this one is \(3, 3\)"],
        ),
        ({"query_key": np.ones((0, 0))}, [r"query_key: .*this one is \(0, 0\)"]),
        ({"lag_bias": []}, [r"lag_bias: .*\(τ\+1,\), one number per lag 0..τ; this one is \(0,\)"]),
        ({"lag_bias": np.ones((1, 1))}, [r"lag_bias: .*this one is \(1, 1\)"]),
        (
            {"query_key": "a", "value": [[True]], "lag_bias": [np.nan]},
            ["query_key: got 'a'", "value: got ", "lag_bias: got nan"],
        ),
    ],
)
def test_bad_head(changes, messages):
    with pytest.raises(WeightsError) as caught:
        head(**changes)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert re.match(message, line)


WIDE = Head(np.eye(3), np.eye(3), [0.0])


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"heads": ()}, [r"heads: got \(\) \(tuple\); allowed: a tuple of at least one Head"]),
        ({"heads": Head(**HEAD)}, ["heads: got Head.*allowed: a tuple of at least one Head"]),
        (
            {"heads": (1, Head(**HEAD), None)},
            [r"heads\[0\]: got 1.*a Head", r"heads\[2\]: .*a Head"],
        ),
        ({"heads": (Head(**HEAD), WIDE)}, [r"heads\[1\]: .*width d = 2, as in heads\[0\]"]),
        ({"mlp_out": None}, ["mlp_out: got None.*all three of the MLP, or none of them"]),
        ({"mlp_in": None, "mlp_bias": None}, ["mlp_in: got None", "mlp_bias: got None"]),
        (
            {"mlp_in": np.ones((3, 4))},
            [r"mlp_in: .*shape \(m, d\) = \(3, 2\); this one is \(3, 4\)"],
        ),
        (
            {"mlp_bias": np.ones(4), "mlp_out": np.ones((2, 5))},
            [r"mlp_bias: .*shape \(m,\) = \(3,\)", r"mlp_out: .*shape \(d, m\) = \(2, 3\)"],
        ),
    ],
)
def test_bad_layer(changes, messages):
    with pytest.raises(WeightsError) as caught:
        mlp(**changes)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert re.match(message, line)


BITS = "an integer, at least 1, or None"


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"precision_bits": True}, [rf"precision_bits: got True \(bool\); allowed: {BITS}"]),
        ({"precision_bits": 0}, [rf"precision_bits: got 0 \(int\); allowed: {BITS}"]),
        ({"precision_bits": -3}, [rf"precision_bits: got -3 \(int\); allowed: {BITS}"]),
        ({"precision_bits": 8.0}, [rf"precision_bits: got 8.0 \(float\); allowed: {BITS}"]),
        ({"precision_bits": "8"}, [rf"precision_bits: got '8' \(str\); allowed: {BITS}"]),
        ({"layers": ()}, ["layers: .*a tuple of at least one Layer"]),
        ({"layers": "ab"}, ["layers: .*a tuple of at least one Layer"]),
        ({"layers": (Head(**HEAD),)}, [r"layers\[0\]: got Head.*a Layer"]),
        ({"layers": (Layer((WIDE,)),)}, [r"layers\[0\]: .*d = 2, as in embedding"]),
        (
            {"positions": np.ones((1, 3))},
            [r"positions: .*with d = 2, as in embedding; this one is"],
        ),
        ({"unembedding": np.ones((1, 1))}, [r"unembedding: .*with d = 2, as in embedding"]),
        ({"embedding": np.ones((0, 2))}, [r"embedding: .*\(\|Σ\|, d\); this one is \(0, 2\)"]),
        (
            {"embedding": [[1.0], [1.0, 2.0]], "positions": None, "precision_bits": 0},
            ["embedding: ", "positions: got None", "precision_bits: got 0"],
        ),
    ],
)
def test_bad_model(changes, messages):
    with pytest.raises(WeightsError) as caught:
        model(**changes)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert re.match(message, line)
    assert len(caught.value.problems) == len(messages)


def test_errors_survive_pickling():
    with pytest.raises(WeightsError) as caught:
        model(precision_bits=0, layers=())
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is WeightsError
    assert str(again) == str(caught.value)
    assert again.problems == caught.value.problems
    example = pickle.loads(pickle.dumps(Counterexample("f ≠ g", {"x": [0, 1]})))
    assert (str(example), example.data) == ("f ≠ g", {"x": [0, 1]})


def test_weights_are_read_only_copies():
    mine = np.ones((3, D))
    f = model(embedding=mine)
    mine[0, 0] = 5
    assert f.embedding[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        f.embedding[0, 0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        f.embedding = mine


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float16, np.float32, ">f8"])
def test_any_real_type_becomes_float64(dtype):
    f = model(embedding=np.asfortranarray(np.eye(2, dtype=dtype)))
    assert f.embedding.dtype == np.float64
    assert f.embedding.dtype.isnative
    assert f.embedding.flags.c_contiguous
    assert f.embedding.tolist() == [[1, 0], [0, 1]]


def test_sizes():
    f = LimitTransformer(
        np.ones((5, 3)),
        np.ones((4, 3)),
        [
            Layer([WIDE, Head(np.eye(3), np.eye(3), [0.0, 1.0, 0.0])]),
            Layer([WIDE], np.ones((7, 3)), np.ones(7), np.ones((3, 7))),
        ],
        np.ones((2, 3)),
        np.int64(9),
    )
    assert (f.vocabulary_size, f.period, f.locality, f.dimension) == (5, 4, 2, 3)
    assert (f.output_dimension, f.heads, f.hidden, f.attention) == (2, (2, 1), (0, 7), "argmax")
    assert [layer.locality for layer in f.layers] == [2, 0]
    assert type(f.precision_bits) is int
    assert type(f.layers) is tuple
    assert type(f.layers[0].heads) is tuple
    assert repr(f) == (
        "LimitTransformer(|Σ|=5, Δ=4, τ=2, d=3, o=2, p=9, "
        "layers=(Layer(H=2, d=3, τ=2, m=0), Layer(H=1, d=3, τ=0, m=7)))"
    )


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))]
)
def test_copies_are_equal_and_read_only(again):
    f = random_model(np.random.default_rng(1), vocabulary_size=3, period=2, locality=2, heads=2)
    g = again(f)
    assert g == f
    for array in (g.embedding, g.layers[0].mlp_bias, g.layers[0].heads[1].lag_bias):
        assert not array.flags.writeable


def test_equality_and_hash_are_by_value():
    rng = np.random.default_rng(0)
    f = random_model(rng, vocabulary_size=3, period=2, locality=2, heads=2, layers=2)
    g = copy.deepcopy(f)
    assert f == g
    assert hash(f) == hash(g)
    first = f.layers[1].heads[0]
    other = dataclasses.replace(first, value=np.nextafter(first.value, 9))
    layers = (f.layers[0], dataclasses.replace(f.layers[1], heads=(other, f.layers[1].heads[1])))
    assert dataclasses.replace(f, layers=layers) != f
    assert dataclasses.replace(f, precision_bits=8) != f
    assert f != "f"
    zero, minus = (Head(np.eye(1), np.eye(1), [z]) for z in (0.0, -0.0))
    assert zero == minus
    assert hash(zero) == hash(minus)


@pytest.mark.parametrize("precision_bits", [None, 1, 8, 10**6])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_save_and_load_give_the_same_weights(tmp_path, precision_bits, layers):
    f = random_model(
        np.random.default_rng(layers),
        vocabulary_size=4,
        period=3,
        locality=2,
        heads=layers,
        layers=layers,
        precision_bits=precision_bits,
    )
    no_mlp = dataclasses.replace(f, layers=(Layer(f.layers[0].heads), *f.layers[1:]))
    extreme = dataclasses.replace(f, embedding=[[5e-324, -1.7e308, 0.1, -0.0]])
    for number, written in enumerate((f, no_mlp, extreme)):
        path = tmp_path / f"{number}.safetensors"
        written.save(path)
        again = LimitTransformer.load(str(path))
        assert again == written
        assert again.precision_bits == precision_bits
        assert np.signbit(again.embedding).tolist() == np.signbit(written.embedding).tolist()
        assert not again.embedding.flags.writeable


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "f.safetensors"
    model().save(path)
    return path


def resave(path, change):
    """Write the file again after `change(tensors, metadata)`."""
    metadata = {
        "format": "lgbounds limit transformer",
        "version": "1",
        "precision_bits": "8",
        "heads": "1",
    }
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t, m: m.clear(), "its format is None"),
        (lambda t, m: m.update(version="2"), "its version is '2', this program reads '1'"),
        (lambda t, m: m.update(precision_bits="x"), "its precision_bits are 'x'"),
        (lambda t, m: m.update(heads="1,,1"), "its numbers of heads are '1,,1'"),
        (lambda t, m: m.update(heads="999999999"), "its numbers of heads are '999999999'"),
        (lambda t, m: t.pop("positions"), r"missing arrays: \['positions'\]"),
        (
            lambda t, m: t.update(more=np.ones(1)),
            r"missing arrays: \[\], unexpected arrays: \['more'\]",
        ),
        (
            lambda t, m: t.update(embedding=np.ones((3, D), dtype=np.int64)),
            r"not floating-point: \['embedding'\]",
        ),
    ],
)
def test_foreign_files_are_refused(saved, change, reason):
    resave(saved, change)
    with pytest.raises(InputError, match=f"^path: got .*LimitTransformer.save; {reason}"):
        LimitTransformer.load(saved)


def test_bad_weights_in_a_file_are_refused(saved):
    resave(saved, lambda t, m: t.update(embedding=np.full((3, D), np.nan)))
    with pytest.raises(WeightsError, match="embedding: got nan"):
        LimitTransformer.load(saved)
    resave(saved, lambda t, m: (t.update(embedding=np.ones((3, D))), m.update(precision_bits="0")))
    with pytest.raises(WeightsError, match="precision_bits: got 0"):
        LimitTransformer.load(saved)


def test_broken_files_are_refused(saved, tmp_path):
    content = saved.read_bytes()
    readable = "^path: got .*allowed: a safetensors file that can be read; "
    for broken in (b"", b"\x80\x04N.", content[:40], content[:-1], b"\xff" * 8 + content[8:]):
        saved.write_bytes(broken)
        with pytest.raises(InputError, match=readable):
            LimitTransformer.load(saved)
    for path in (tmp_path / "absent", tmp_path, None, 3):
        with pytest.raises(InputError, match=readable):
            LimitTransformer.load(path)


def test_files_that_cannot_be_written_are_refused(tmp_path):
    for path in (tmp_path / "absent" / "f", tmp_path, None):
        with pytest.raises(InputError, match=r"^path: got .*allowed: a file that can be written; "):
            model().save(path)
