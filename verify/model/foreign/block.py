"""One layer as other libraries keep it: separate matrices of all heads, biases everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import WeightsError
from verify.model.qkvo import BIASES, MATRICES, Floats, Vectors, as_scale, checked, constants
from verify.model.validation import Problem, as_weights

_MLP = ("W_in", "b_in", "W_out", "b_out")
_HEADS = MATRICES + BIASES[:3]  # b_O belongs to all heads together


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Block:
    """One layer: y ← y + attention(y), then y ← y + ReLU network(y). No normalisation.

    The shapes are those of `vectors="row"` in `verify.adapters.build`, y @ W; with
    `vectors="column"` the last two axes of every W are exchanged. The values are checked there.

    Attributes:
        W_Q, W_K: (H, d, d_head), one matrix per head.
        W_V: (H, d, d_v).
        W_O: (H, d_v, d).
        b_Q, b_K, b_V: (H, d_head), (H, d_head), (H, d_v); None is 0.
        b_O: (d,), None is 0.
        W_in, W_out: (d, m) and (m, d), of the ReLU network; None for both is none.
        b_in, b_out: (m,) and (d,); None is 0.
        scale: factor of the logits before softmax; None is 1/√d_head.
        lag_bias: (H, τ+1) as the limit transformer scales it; None is none.
    """

    W_Q: npt.ArrayLike
    W_K: npt.ArrayLike
    W_V: npt.ArrayLike
    W_O: npt.ArrayLike
    b_Q: npt.ArrayLike | None = None
    b_K: npt.ArrayLike | None = None
    b_V: npt.ArrayLike | None = None
    b_O: npt.ArrayLike | None = None
    W_in: npt.ArrayLike | None = None
    b_in: npt.ArrayLike | None = None
    W_out: npt.ArrayLike | None = None
    b_out: npt.ArrayLike | None = None
    scale: float | None = None
    lag_bias: npt.ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class CheckedBlock:
    """A block in the row convention, its biases filled with zeros.

    Attributes:
        heads: of every head, the arrays that `verify.model.qkvo.checked` returns; b_O stands in
            the first one and is 0 in the others.
        scale: factor of the logits.
        mlp: W_in (d, m), b_in (m,), W_out (m, d), b_out (d,); m = 0 without a network.
        lag_bias: (H, τ+1).
    """

    heads: tuple[Mapping[str, Floats], ...]
    scale: float
    mlp: Mapping[str, Floats]
    lag_bias: Floats

    @property
    def dimension(self) -> int:
        """Width d of the residual stream."""
        return len(self.heads[0]["W_Q"])

    @property
    def needs_constant(self) -> bool:
        """Whether a bias needs a coordinate that is 1 in every vector."""
        return any(part.any() for head in self.heads for part in constants(head))


def check_block(block: Block, vectors: Vectors, name: str) -> CheckedBlock:
    """Return the block's arrays, checked against each other.

    Args:
        block: as given.
        vectors: the convention of its matrices.
        name: of the block in errors.

    Raises:
        WeightsError: an array has a wrong shape or is not usable (all problems at once).
        InputError: `scale` is no number.
    """
    problems: list[Problem] = []
    stacked = {
        key: as_weights(problems, f"{name}.{key}", getattr(block, key), ndim, shape)
        for key in _HEADS
        for ndim, shape in (((3, "(H, ., .)") if key in MATRICES else (2, "(H, .)")),)
        if getattr(block, key) is not None or key in MATRICES
    }
    if problems:
        raise WeightsError.of_all(problems)
    given = {key: array for key, array in stacked.items() if array is not None}
    count = len(given["W_Q"])
    for key, array in given.items():
        if len(array) != count:
            problems.append((f"{name}.{key}", array, f"{count} heads, as in W_Q"))
    if problems:
        raise WeightsError.of_all(problems)
    heads = []
    for h in range(count):
        arrays: dict[str, Any] = {key: given[key][h] if key in given else None for key in _HEADS}
        arrays["b_O"] = block.b_O if h == 0 else None
        heads.append(checked(arrays, vectors, name=f"{name}."))
    d, head_width = heads[0]["W_Q"].shape
    lags = np.zeros((count, 1)) if block.lag_bias is None else block.lag_bias
    lag_bias = as_weights(problems, f"{name}.lag_bias", lags, 2, f"(H, τ+1), H = {count}")
    if lag_bias is not None and len(lag_bias) != count:
        problems.append((f"{name}.lag_bias", lags, f"shape (H, τ+1) with H = {count}, as in W_Q"))
    mlp = _check_mlp(problems, block, vectors, name, d)
    if problems or lag_bias is None:
        raise WeightsError.of_all(problems)
    return CheckedBlock(tuple(heads), as_scale(block.scale, head_width), mlp, lag_bias)


def _check_mlp(
    problems: list[Problem], block: Block, vectors: Vectors, name: str, d: int
) -> dict[str, Floats]:
    """Return the four arrays of the ReLU network in the row convention."""
    given = {key: getattr(block, key) for key in _MLP}
    if all(value is None for value in given.values()):
        shapes = {"W_in": (d, 0), "b_in": (0,), "W_out": (0, d), "b_out": (d,)}
        return {key: np.zeros(shape) for key, shape in shapes.items()}
    for key in ("W_in", "W_out"):
        if given[key] is None:
            problems.append((f"{name}.{key}", None, "W_in and W_out, or no part of the network"))
    if problems:
        return {}
    arrays: dict[str, Floats | None] = {}
    for key in ("W_in", "W_out"):
        array = as_weights(problems, f"{name}.{key}", given[key], 2, "2 axes", empty_allowed=True)
        arrays[key] = array.T if array is not None and vectors == "column" else array
    w_in = arrays["W_in"]
    width = 0 if w_in is None else w_in.shape[1]
    expected = {"W_in": (d, width), "b_in": (width,), "W_out": (width, d), "b_out": (d,)}
    for key in ("b_in", "b_out"):
        value = np.zeros(expected[key]) if given[key] is None else given[key]
        arrays[key] = as_weights(problems, f"{name}.{key}", value, 1, "1 axis", empty_allowed=True)
    for key, array in arrays.items():
        if array is not None and array.shape != expected[key]:
            shape = expected[key][::-1] if vectors == "column" else expected[key]
            allowed = f'shape {shape} with vectors="{vectors}", d = {d} and m = {width}'
            problems.append((f"{name}.{key}", given[key], allowed))
    return {key: array for key, array in arrays.items() if array is not None}
