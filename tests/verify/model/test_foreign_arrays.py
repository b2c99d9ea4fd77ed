"""Weights and inputs from other libraries: taken exactly, or refused with one clear error."""

import re

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from verify import Head, InputError, Layer, LimitTransformer, measure
from verify.errors import WeightsError


def model(embedding, precision_bits=4):
    head = Head(np.eye(2), np.eye(2), [0])
    return LimitTransformer(
        embedding, np.zeros((1, 2)), (Layer((head,)),), np.eye(2), precision_bits
    )


class Tensor:
    """Behaves like torch.Tensor: refuses NumPy while it carries gradients or is bfloat16."""

    def __init__(self, values, kind="float32", gradient=True, place="gpu"):
        self.values, self.kind = np.asarray(values), kind
        self.gradient, self.place = gradient, place

    def detach(self):
        return Tensor(self.values, self.kind, gradient=False, place=self.place)

    def cpu(self):
        return Tensor(self.values, self.kind, self.gradient, place="cpu")

    def is_floating_point(self):
        return self.kind not in ("int64", "complex64")

    def double(self):
        return Tensor(self.values.astype(np.float64), "float64", self.gradient, self.place)

    def __array__(self, dtype=None, copy=None):
        if self.gradient:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.place != "cpu":
            raise TypeError("can't convert cuda tensor to numpy")
        if self.kind == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


NUMBERS = np.array([[1.5, -2.25], [0.125, 3.0]])


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float64"])
def test_tensors_with_gradients_are_taken(kind):
    assert (model(Tensor(NUMBERS, kind)).embedding == NUMBERS).all()


def test_integer_tensors_are_not_rounded():
    assert (model(Tensor(np.array([[1, 2], [3, 4]]), "int64")).embedding == [[1, 2], [3, 4]]).all()
    with pytest.raises(WeightsError, match="numbers that float64 holds exactly"):
        model(Tensor(np.array([[2**53 + 1, 0], [0, 0]]), "int64"))


@pytest.mark.parametrize(
    "kind", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16, np.float32, np.float64]
)
def test_every_floating_point_type_is_taken_exactly(kind):
    assert (model(NUMBERS.astype(kind)).embedding == NUMBERS).all()
    third = np.array([[1 / 3, 0], [0, 1]]).astype(kind)
    assert model(third).embedding[0, 0] == float(third[0, 0])


@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, np.float16, np.float32])
def test_files_of_every_floating_point_type_are_read_exactly(tmp_path, kind):
    f = model(NUMBERS)
    f.save(tmp_path / "f.safetensors")
    with safe_open(tmp_path / "f.safetensors", framework="numpy") as file:
        tensors = {name: file.get_tensor(name).astype(kind) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(tensors, tmp_path / "g.safetensors", metadata)
    assert LimitTransformer.load(tmp_path / "g.safetensors") == f


class Unwilling:
    """Refuses to become an array, in its own way."""

    def __array__(self, dtype=None, copy=None):
        raise OSError("the device is gone")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Unwilling(), "the device is gone"),
        (np.ma.masked_array(NUMBERS, NUMBERS < 0), "without a mask, e.g. value.filled"),
        (list(np.ma.masked_array(NUMBERS, NUMBERS < 0)), "without a mask"),
        (np.zeros(2, dtype=[("a", float)]), "not bool, complex, text or objects"),
        (np.zeros(2, dtype="V8"), "not bool, complex, text or objects"),
        ([[1, 2], [3]], "all rows of one length"),
    ],
)
def test_unusable_weights_are_named(value, words):
    with pytest.raises(WeightsError, match=f"^embedding: got .*{re.escape(words)}"):
        model(value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (b"\x00\x01", r"x: got .* \(bytes\); allowed: .*list\(x\)"),
        ("01", r"x: got '01' \(str\); allowed: a sequence of integer tokens"),
        (np.ma.masked_array([0, 1, 0], [0, 1, 0]), "x: got .*without a mask"),
        ([np.ma.masked_array(1, True), 0], "x: got .*without a mask"),
    ],
)
def test_unusable_inputs_are_named(x, words):
    with pytest.raises(InputError, match=words):
        model(np.eye(2))(x)


def test_bytes_as_a_list_are_tokens():
    assert (model(np.eye(2))(list(b"\x00\x01")) == model(np.eye(2))([0, 1])).all()


@pytest.mark.parametrize("bits", [np.array(4), np.int8(4), np.uint64(4)])
def test_numbers_without_axes_are_numbers(bits):
    f = model(np.eye(2), bits)
    assert f.precision_bits == 4
    assert type(f.precision_bits) is int
    softmax = LimitTransformer(f.embedding, f.positions, f.layers * 2, f.unembedding, None)
    assert measure(softmax, block=bits) == measure(softmax, block=4)


@pytest.mark.parametrize("bits", [True, np.True_, np.array(True), np.array([4]), 4.0, "4", 0, -1])
def test_other_things_are_no_numbers_of_bits(bits):
    with pytest.raises(
        WeightsError, match=r"precision_bits: got .*an integer, at least 1, or None"
    ):
        model(np.eye(2), bits)
