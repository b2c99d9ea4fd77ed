"""Checks of arguments that several modules share: weights and input sequences."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import InputError, WeightsError

Problem = tuple[str, Any, str]
"""Name of the argument, what was given, what is allowed."""

_LARGEST_INTEGER = 2**53
"""Integers up to this size are exact in float64."""


def as_weights(
    problems: list[Problem],
    name: str,
    value: Any,
    ndim: int,
    shape: str,
    *,
    empty_allowed: bool = False,
) -> npt.NDArray[np.float64] | None:
    """Return a read-only float64 copy of `value`; or None, with one more entry in `problems`.

    Nobody can make the copy writeable again: what is computed from weights may be kept.
    """
    if _is_masked(value):
        allowed = f"an array of shape {shape} without a mask, e.g. value.filled(0)"
        problems.append((name, value, allowed))
        return None
    try:
        array = np.asarray(_plain_tensor(value))
    except Exception as error:  # what an object's own conversion raises is not known
        problems.append(
            (name, value, f"an array of shape {shape}, all rows of one length; {error}")
        )
        return None
    if _is_small_float(array.dtype):
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        allowed = f"real numbers, shape {shape}; not bool, complex, text or objects"
        problems.append((name, value, allowed))
        return None
    if array.ndim != ndim or (array.size == 0 and not empty_allowed):
        problems.append((name, value, f"shape {shape}; this one is {array.shape}"))
        return None
    copy = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(copy).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(copy))[0])
        problems.append((name, array[where].item(), f"finite numbers; the entry at {where} is not"))
        return None
    if array.dtype.kind in "iu":
        ends = (array.min(initial=0), array.max(initial=0))
        exact = all(abs(int(n)) <= _LARGEST_INTEGER for n in ends)
    else:
        exact = bool((copy == array).all())
    if not exact:
        problems.append((name, value, "numbers that float64 holds exactly"))
        return None
    return np.ndarray(copy.shape, np.float64, copy.tobytes())  # bytes never change


def _is_masked(value: Any) -> bool:
    """Return whether a value, or a part of a nested list, is a masked array."""
    if isinstance(value, (list, tuple)):
        return any(_is_masked(part) for part in value)
    return isinstance(value, np.ma.MaskedArray)


def _plain_tensor(value: Any) -> Any:
    """Return a tensor that carries gradients, or lies elsewhere, as one that NumPy reads.

    Told by its methods, those of PyTorch, which need not be installed. Floats of all kinds are
    converted to float64, which holds them exactly.
    """
    if not callable(getattr(value, "detach", None)):
        return value
    value = value.detach()
    if callable(getattr(value, "cpu", None)):
        value = value.cpu()
    is_float = getattr(value, "is_floating_point", None)
    if callable(is_float) and is_float() and callable(getattr(value, "double", None)):
        value = value.double()
    return value


def _is_small_float(dtype: np.dtype[Any]) -> bool:
    """Return whether these are numbers of a kind that NumPy does not know, such as bfloat16."""
    if dtype.kind != "V" or dtype.type is np.void:
        return False
    return bool(np.can_cast(dtype, np.float64, "safe"))


def as_integer(value: Any) -> int | None:
    """Return an integer, also one in an array without axes, as a Python int; None for all else."""
    if isinstance(value, (bool, np.bool_)) or getattr(value, "dtype", None) == np.bool_:
        return None
    if getattr(value, "ndim", 0) != 0:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def in_range(name: str, values: npt.ArrayLike) -> None:
    """Raise WeightsError where a result of the weights `name` is infinite or not a number."""
    array = np.asarray(values)
    finite = np.isfinite(array)
    if not np.logical_and.reduce(finite, axis=None):
        allowed = "weights whose results float64 can hold; this result is not"
        raise WeightsError(name, array[~finite].flat[0].item(), allowed)


def as_sequence(x: Any, name: str = "x") -> npt.NDArray[Any]:
    """Return `x` as an array of integers with one axis and at least one entry.

    The range of the tokens is not looked at here: whoever reads the entries checks it then,
    with `check_tokens`, so that a long input is not read twice.

    Raises:
        InputError: not one axis, empty, or not of an integer type (bool, float, text, bytes and
            masked arrays are refused).
    """
    if isinstance(x, (bytes, str)):
        hint = "; list(x) gives the numbers of the bytes" if isinstance(x, bytes) else ""
        raise InputError(name, x, f"a sequence of integer tokens with one axis{hint}")
    if _is_masked(x):
        raise InputError(
            name, x, "a sequence of integer tokens without a mask, e.g. x.compressed()"
        )
    try:
        array = np.asarray(x)
    except (ValueError, TypeError):
        raise InputError(name, x, "a sequence of integer tokens with one axis") from None
    if array.ndim != 1:
        allowed = f"a sequence of integer tokens with one axis; this one has {array.ndim}"
        raise InputError(name, x, allowed)
    if array.size == 0:
        raise InputError(name, x, "a sequence of at least one token")
    if array.dtype.kind not in "iu":
        allowed = f"integer tokens, not bool, float or objects; these are {array.dtype}"
        raise InputError(name, x, allowed)
    return array


_UNSIGNED = {
    np.dtype(f"{order}i{size}"): np.dtype(f"{order}u{size}")
    for order in "<>"
    for size in (1, 2, 4, 8)
}
"""Signed integer type → the unsigned one of the same bytes."""


def check_tokens(
    block: npt.NDArray[Any], vocabulary_size: int, first: int = 0, name: str = "x"
) -> None:
    """Raise InputError unless all tokens of `block` are in 0..|Σ|−1.

    `first` is the index in the whole sequence, called `name`, of the first entry of the block;
    the error names the place.
    """
    if block.size == 0:
        return
    # Read as unsigned, negative tokens are too large: one reduction sees both ends.
    limit = vocabulary_size
    unsigned = _UNSIGNED.get(block.dtype)
    if unsigned is not None:
        limit = min(limit, 1 << (8 * block.itemsize - 1))
    if np.maximum.reduce(block if unsigned is None else block.view(unsigned)) < limit:
        return
    index = int(np.argmax((block < 0) | (block >= vocabulary_size)))
    raise InputError(
        f"{name}[{first + index}]", int(block[index]), f"tokens 0..{vocabulary_size - 1}"
    )
