"""One attention head from the matrices that other libraries keep: queries, keys, values, output.

In the row convention, y @ W, of a residual stream y and one head:

    q_i = y_i W_Q + b_Q,  k_j = y_j W_K + b_K,  v_j = y_j W_V + b_V
    a_ij = scale·q_i·k_j,  o_i = (Σ_j softmax_j(a_ij) v_j) W_O + b_O

so that, of column vectors y_i and y_j,

    a_ij = y_jᵀ (scale·W_K W_Qᵀ) y_i  +  scale·y_jᵀ W_K b_Q  +  (terms that all keys share)
    o_i  = Σ_j softmax_j(a_ij) (W_V W_O)ᵀ y_j  +  b_V W_O + b_O

What all keys share, b_K's part, changes no softmax. The others are columns of `query_key` and of
`value` at a coordinate of y that is 1 everywhere: attention weights sum to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from verify.errors import InputError, WeightsError
from verify.model.validation import Problem, as_integer, as_weights

Floats = npt.NDArray[np.float64]
Vectors = Literal["row", "column"]

MATRICES = ("W_Q", "W_K", "W_V", "W_O")
BIASES = ("b_Q", "b_K", "b_V", "b_O")

_SHAPES = {
    "row": {"W_Q": "(d, d_head)", "W_K": "(d, d_head)", "W_V": "(d, d_v)", "W_O": "(d_v, d)"},
    "column": {"W_Q": "(d_head, d)", "W_K": "(d_head, d)", "W_V": "(d_v, d)", "W_O": "(d, d_v)"},
}
_BIAS_SHAPES = {"b_Q": "(d_head,)", "b_K": "(d_head,)", "b_V": "(d_v,)", "b_O": "(d,)"}


def check_vectors(vectors: Any) -> Vectors:
    """Return "row" or "column".

    Raises:
        InputError: it is neither.
    """
    if vectors not in ("row", "column"):
        allowed = (
            '"row" where vectors multiply from the left, y @ W (TransformerLens, Haiku, Flax), or '
            '"column" where they multiply from the right, W @ y (the weight of a torch.nn.Linear)'
        )
        raise InputError("vectors", vectors, allowed)
    return vectors  # type: ignore[no-any-return]


def as_scale(scale: Any, head_width: int) -> float:
    """Return the factor of the logits before softmax; None stands for 1/√d_head.

    Raises:
        InputError: it is no finite real number.
    """
    if scale is None:
        return 1 / math.sqrt(head_width)
    array = np.asarray(scale)
    if array.dtype.kind not in "iuf" or array.ndim != 0 or not math.isfinite(float(array)):
        raise InputError("scale", scale, "a finite number, or None for 1/√d_head")
    return float(array)


def checked(given: Mapping[str, Any], vectors: Vectors, name: str = "") -> dict[str, Floats]:
    """Return the matrices in the row convention, and the biases, 0 where they are None.

    Args:
        given: by the names of MATRICES and BIASES.
        vectors: the convention of the matrices given.
        name: put before the names in errors, such as "blocks[0]".

    Raises:
        WeightsError: an array has a wrong shape or is not usable (all problems at once).
    """
    problems: list[Problem] = []
    arrays: dict[str, Floats | None] = {}
    for key in MATRICES:
        arrays[key] = as_weights(problems, name + key, given[key], 2, _SHAPES[vectors][key])
    for key in BIASES:
        if given[key] is not None:
            arrays[key] = as_weights(problems, name + key, given[key], 1, _BIAS_SHAPES[key])
    if problems:
        raise WeightsError.of_all(problems)
    found = {key: array for key, array in arrays.items() if array is not None}
    if vectors == "column":
        found |= {key: found[key].T for key in MATRICES}
    d, head_width = found["W_Q"].shape
    inner = found["W_V"].shape[1]
    expected = {
        "W_K": (d, head_width),
        "W_V": (d, inner),
        "W_O": (inner, d),
        "b_Q": (head_width,),
        "b_K": (head_width,),
        "b_V": (inner,),
        "b_O": (d,),
    }
    for key, array in found.items():
        if key != "W_Q" and array.shape != expected[key]:
            shape = expected[key][::-1] if vectors == "column" else expected[key]
            text = (_SHAPES[vectors] | _BIAS_SHAPES)[key]
            allowed = f'shape {text} = {shape} beside W_Q, with vectors="{vectors}"'
            problems.append((name + key, given[key], allowed))
    if problems:
        raise WeightsError.of_all(problems)
    return {key: np.zeros(expected[key]) for key in BIASES if key not in found} | found


def constants(arrays: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return what needs a constant coordinate: W_K b_Q, without scale, and b_V W_O + b_O; (d,)."""
    return arrays["W_K"] @ arrays["b_Q"], arrays["b_V"] @ arrays["W_O"] + arrays["b_O"]


def products(
    arrays: Mapping[str, Floats], scale: float, constant: int | None
) -> tuple[Floats, Floats]:
    """Return query_key and value, both (d, d), of checked arrays.

    Args:
        arrays: what `checked` returned.
        scale: the factor of the logits.
        constant: a coordinate that is 1 in every vector of the residual stream, or None.

    Raises:
        InputError: a bias needs a constant coordinate and there is none, or it is no coordinate.
    """
    d = len(arrays["W_Q"])
    with np.errstate(over="ignore", invalid="ignore"):
        query_key = scale * (arrays["W_K"] @ arrays["W_Q"].T)
        value = (arrays["W_V"] @ arrays["W_O"]).T
        keys, added = constants(arrays)
        if constant is not None:
            coordinate = as_integer(constant)
            if coordinate is None or not 0 <= coordinate < d:
                allowed = f"a coordinate 0..{d - 1} that is 1 in every vector, or None"
                raise InputError("constant", constant, allowed)
            query_key[:, coordinate] += scale * keys
            value[:, coordinate] += added
        elif keys.any() or added.any():
            allowed = (
                "the coordinate that is 1 in every vector of the residual stream: biases of "
                "queries, values and outputs need one; verify.adapters.build appends it"
            )
            raise InputError("constant", None, allowed)
    return query_key, value
