"""Constants of two-layer argmax models with a first layer whose outputs can be listed."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from verify import LimitTransformer

from .strings import all_strings


def hard_outputs(f: LimitTransformer, longest: int) -> np.ndarray:
    """Return the distinct first-layer outputs of hardmax attention on strings ≤ `longest`."""
    strings = all_strings(f.vocabulary_size, longest)
    types = f.embedding[strings] + f.positions[np.arange(1, longest + 1) % f.period]
    u = types.copy()
    lag = np.arange(longest)[:, None] - np.arange(longest)
    layer = f.layers[0]
    for head in layer.heads:
        bias = np.zeros(max(longest, head.lag_bias.size))
        bias[: head.lag_bias.size] = head.lag_bias
        logits = (types @ head.query_key.T) @ types.transpose(0, 2, 1)
        logits = logits + np.where(lag >= 0, bias[np.maximum(lag, 0)], -np.inf)
        top = logits > logits.max(axis=2, keepdims=True) - 1e-9
        u += ((top / top.sum(axis=2, keepdims=True)) @ types) @ head.value.T
    y = u + np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0) @ layer.mlp_out.T
    return np.unique(y.reshape(-1, f.dimension).round(9), axis=0)


def first_layer_gaps(f: LimitTransformer) -> list[float]:
    """Return the positive differences of two first-layer logits of one query."""
    types = (f.embedding[:, None] + f.positions[None]).reshape(-1, f.dimension)
    return _gaps(f.layers[0].heads, types)


def two_layer_constants(models: tuple[LimitTransformer, ...], longest: int) -> dict[str, Any]:
    """Return the keywords that describe models whose first layer sees ≤ `longest` tokens' states.

    The second layer's constants are taken over the outputs of all strings of that length.
    """
    gaps: list[float] = []
    variation, euclidean = [], []
    for f in models:
        states = hard_outputs(f, longest)
        gaps += first_layer_gaps(f) + _gaps(f.layers[1].heads, states)
        variation.append(_slopes(f, states))
        euclidean.append(_norms(f, states))
    bits = max(f.precision_bits or 1 for f in models)
    gap = min(gaps, default=float(bits))
    return {
        "attention": "argmax",
        "layers": 2,
        "lipschitz": _up(max(variation)),
        "lipschitz_euclidean": _up(max(euclidean)),
        "vocabulary_size": models[0].vocabulary_size,
        "period": math.lcm(*(f.period for f in models)),
        "locality": max(f.locality for f in models),
        "heads": max(max(f.heads) for f in models),
        "precision_bits": bits,
        "margin": Fraction(gap * (1 - 1e-9)).limit_denominator(10**6) if gaps else Fraction(bits),
    }


def _up(value: float) -> Fraction:
    return Fraction(math.ceil(value * (1 + 1e-9) * 10**9), 10**9)


def _gaps(heads: Any, states: np.ndarray) -> list[float]:
    found = []
    for head in heads:
        biases = sorted({0.0, *head.lag_bias.tolist()})
        for row in states @ head.query_key.T @ states.T:
            levels = np.unique((row[:, None] + np.array(biases)).round(9))
            found += [float(gap) for gap in np.diff(levels) if gap > 1e-8]
    return found


def _slopes(f: LimitTransformer, states: np.ndarray) -> float:
    """Return L in total variation: the sum over heads of the largest change of the output."""
    layer = f.layers[1]
    gains = np.abs(f.unembedding @ layer.mlp_out)
    total = 0.0
    for head in layer.heads:
        values = states @ head.value.T
        moves = [a - b for a, b in itertools.combinations(values, 2)] or [np.zeros(f.dimension)]
        w = np.array(moves)
        direct = np.abs(w @ f.unembedding.T)
        total += float((direct + np.abs(w @ layer.mlp_in.T) @ gains.T).max())
    return total


def _norms(f: LimitTransformer, states: np.ndarray) -> float:
    """Return Λ: operator norm of what follows, times the diameters of the heads' values."""
    layer = f.layers[1]
    norm = np.linalg.norm(f.unembedding, axis=1).max()
    if layer.hidden:
        norm *= 1 + np.linalg.norm(layer.mlp_in, 2) * np.linalg.norm(layer.mlp_out, 2)
    diameters = 0.0
    for head in layer.heads:
        values = states @ head.value.T
        pairs = values[:, None] - values[None]
        diameters += float(np.linalg.norm(pairs, axis=2).max())
    return float(norm * diameters)
