"""How far float64 can be from the exact output of a one-layer model, from its weights alone."""

from __future__ import annotations

import math

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.validation import in_range

_LEAST = 2.0**-970
"""Sizes below count as this: 2⁻⁵² of it is more than what underflow takes from a product."""


def rounding_allowance(f: LimitTransformer, length: int) -> float:
    """Bound on the rounding error of one evaluation of a one-layer f, at input length ≤ `length`.

    A sum of n products computed in float64 is within n·2⁻⁵²·Σ|products| of the exact one, in any
    order. Carried through the model, with every weight replaced by its absolute value, the errors
    of the stages add up; ReLU does not enlarge them. An attention weight exp(log T·(a − max a))·c
    is relatively wrong by at most log T times the error of a logit, plus the rounding of the
    exponent, which is of size log T. Second-order terms are covered by the factor 2.

    Raises:
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        allowance = _allowance(f, length)
    in_range("rounding", allowance)
    return allowance


def _allowance(f: LimitTransformer, length: int) -> float:
    unit = float(np.finfo(np.float64).eps)
    layer, d = f.layers[0], f.dimension
    y = np.abs(f.embedding).max(axis=0) + np.abs(f.positions).max(axis=0) + _LEAST
    keys = f.vocabulary_size * f.period + f.locality + 1
    log_length = max(1.0, math.log(length))

    stream, logit_error = y.copy(), 0.0
    for head in layer.heads:
        size = float((y @ np.abs(head.query_key) + _LEAST) @ y) + float(np.abs(head.lag_bias).max())
        logit_error = max(logit_error, 4 * (d + 4) * unit * size)
        stream = stream + np.abs(head.value) @ y + _LEAST
    hidden = np.abs(layer.mlp_in) @ stream + np.abs(layer.mlp_bias) + _LEAST
    magnitude = np.abs(f.unembedding) @ (stream + np.abs(layer.mlp_out) @ hidden + _LEAST)

    # Numerator and denominator of the average: each weight's error counts twice.
    attention = 2 * (log_length * logit_error + (8 * log_length + 2 * keys + 8) * unit)
    dots = (4 * d + layer.hidden + len(layer.heads) + 8) * unit
    return 2 * (attention + dots) * (float(magnitude.max()) + _LEAST)
