"""Steps that the fast methods share: residual network, lag biases, normalised weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verify.model.validation import in_range
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]

_NO_THREADS = 1 << 18
"""Multiplications in one call up to which the linear algebra library starts no threads, which on
a busy machine would wait for each other longer than they work."""


def mlp(layer: Layer, u: Floats) -> Floats:
    """Return u + mlp_out relu(mlp_in u + mlp_bias) for one u, shape (d,), or columns, (d, C)."""
    if layer.hidden == 0:
        return u
    hidden = layer.mlp_in @ u
    hidden += layer.mlp_bias if u.ndim == 1 else layer.mlp_bias[:, None]
    in_range("mlp_in", hidden)
    np.maximum(hidden, 0.0, out=hidden)
    result: Floats = layer.mlp_out @ hidden
    result += u
    return result


def lag_bias(head: Head, locality: int) -> Floats:
    """Return φ at the lags 0..τ of the model, shape (τ+1,): 0 beyond the head's own lags."""
    bias = np.zeros(locality + 1)
    bias[: head.lag_bias.size] = head.lag_bias
    return bias


def softmax(logits: Floats) -> Floats:
    """Return exp(a − max a), each row normalised to sum 1; −inf stands for a weight of 0."""
    weights: Floats = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= np.add.reduce(weights, axis=-1, keepdims=True)
    return weights


def product(matrix: Floats, columns: Floats, out: Floats | None = None) -> Floats:
    """Return matrix @ columns, some columns at a time; written to `out` where it is given."""
    if out is None:
        out = np.empty((matrix.shape[0], columns.shape[1]))
    for part in _parts(matrix.size, columns.shape[1]):
        np.matmul(matrix, columns[:, part], out=out[:, part])
    return out


def product_over_columns(first: Floats, second: Floats) -> Floats:
    """Return first @ second.T, some columns at a time."""
    rows = first.shape[0] * second.shape[0]
    total: Floats = np.zeros((first.shape[0], second.shape[0]))
    for part in _parts(rows, first.shape[1]):
        total += first[:, part] @ second[:, part].T
    return total


def _parts(each: int, columns: int) -> list[slice]:
    """Return slices of columns that take `each` multiplications, few enough for one call."""
    step = max(_NO_THREADS // max(each, 1), 16)
    return [slice(first, first + step) for first in range(0, columns, step)]
