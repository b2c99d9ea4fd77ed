"""Steps that the fast methods share: residual network, lag biases, normalised weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verify.model.validation import in_range
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]


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
