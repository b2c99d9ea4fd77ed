"""How far float64 can be from the exact output of a softmax model, from its weights alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verify.model.transformer import LimitTransformer
from verify.model.validation import in_range
from verify.model.weights import Layer

Floats = NDArray[np.float64]

_UNIT = float(np.finfo(np.float64).eps)

_LEAST = 2.0**-970
"""Sizes below count as this: 2⁻⁵² of it is more than what underflow takes from a product."""


def softmax_rounding(f: LimitTransformer, length: int) -> float:
    """Bound on the rounding error of one evaluation of f, at an input of length T = `length`.

    Sizes and errors are carried through the model with every weight replaced by its absolute
    value. A sum of n products is within n·2⁻⁵²·Σ|products| of the exact one, in any order; an
    attention weight is relatively wrong by at most the error of its logit, plus the rounding of
    an exponent of size log T, plus T roundings of the normaliser. ReLU enlarges no error.
    Second-order terms are covered by the factor 2.

    Args:
        f: a model in infinite precision.
        length: T.

    Raises:
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        size: Floats = np.abs(f.embedding).max(axis=0) + np.abs(f.positions).max(axis=0) + _LEAST
        error = _UNIT * size
        for layer in f.layers:
            size, error = _through(layer, size, error, length)
        output = np.abs(f.unembedding) @ (error + 2 * f.dimension * _UNIT * size)
    in_range("rounding", output)
    return 2 * (float(output.max()) + _UNIT * _LEAST)


def _through(layer: Layer, size: Floats, error: Floats, length: int) -> tuple[Floats, Floats]:
    """Sizes and errors of the layer's outputs from those of its inputs."""
    log_length = max(1.0, math.log(length))
    dots = 2 * layer.dimension * _UNIT
    stream, stream_error = size.copy(), error.copy()
    for head in layer.heads:
        form, value = np.abs(head.query_key), np.abs(head.value)
        logit = float((size @ form + _LEAST) @ size) + log_length * float(
            np.abs(head.lag_bias).max()
        )
        logit_error = float(error @ form @ size + size @ form @ error) + 2 * dots * logit
        # Numerator and denominator of the average: the error of a weight counts twice.
        relative = 2 * (logit_error + (8 * log_length + length + 8) * _UNIT)
        stream += value @ size + _LEAST
        stream_error += value @ (error + (relative + dots) * size)
    a, b = np.abs(layer.mlp_in), np.abs(layer.mlp_out)
    hidden = a @ stream + np.abs(layer.mlp_bias) + _LEAST
    hidden_error = a @ stream_error + dots * hidden
    grown: Floats = stream + b @ hidden + _LEAST
    wrong: Floats = stream_error + b @ (hidden_error + 2 * layer.hidden * _UNIT * hidden)
    return grown, wrong + 4 * _UNIT * grown
