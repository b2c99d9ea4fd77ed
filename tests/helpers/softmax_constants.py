"""Constants of two softmax layers, written from their definitions for tests that attack theorems.

Without a first MLP the first layer's outputs are the polytope E_t + Σ_h conv{V_h E}, so D_Y, Y_max
and the second layer's range are taken at its vertices; with one, norm forms are used.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

POLYTOPE = 300


def norm(matrix):
    return float(np.linalg.norm(matrix, 2)) if np.size(matrix) else 0.0


def diameter(points):
    return float(np.linalg.norm(points[:, None] - points[None], axis=2).max())


def longest(points):
    return float(np.linalg.norm(points, axis=1).max())


def margin(head):
    biases = sorted({1.0, *map(float, head.lag_bias)})
    return biases[-1] - biases[-2] if len(biases) > 1 else 1.0


def mlp_norm(layer):
    return 0.0 if layer.mlp_in is None else norm(layer.mlp_in) * norm(layer.mlp_out)


@dataclass
class Constants:
    """Of one two-layer model with one or more second-layer heads, no lag bias there."""

    beta: float
    beta_histogram: float
    gamma: float
    readout: float
    heads: list  # (‖M‖D_Y, R_2, D_2, ℓ_2, rank V_2) of each second-layer head
    locality: int
    period: int
    tokens: int

    def accuracy(self, eta_q):
        """Σ_h η_q D_2 D_Y ‖M‖/4 + η_q."""
        return eta_q * (1 + sum(d2 * tilt / 4 for tilt, _, d2, _, _ in self.heads))

    @property
    def rate(self):
        return min(self.gamma, 0.5)

    @property
    def rank(self):
        return sum(r for *_, r in self.heads)


def constants(f):
    first, second = f.layers
    keys = (f.embedding[:, None] + f.positions[None]).reshape(-1, f.dimension)
    outer = 1 + mlp_norm(first)
    beta = beta_histogram = spread = length = 0.0
    values = []
    for head in first.heads:
        logits = keys @ head.query_key @ keys.T
        value = keys @ head.value.T
        term = diameter(value) * math.exp(np.ptp(logits, axis=0).max())
        beta += outer * term
        beta_histogram += outer * term * (head.lag_bias.max() <= 1)
        spread, length = spread + diameter(value), length + longest(value)
        values.append(value)
    corners = len(keys) ** (1 + len(values))
    if mlp_norm(first) == 0 and corners <= POLYTOPE:
        y = np.array([sum(v) for v in itertools.product(keys, *values)])
        d_y, y_max = diameter(y), longest(y)
    else:
        y = None
        bias = 0.0 if first.mlp_bias is None else float(np.linalg.norm(first.mlp_bias))
        out = 0.0 if first.mlp_out is None else norm(first.mlp_out)
        d_y = outer * (diameter(keys) + spread)
        y_max = outer * (longest(keys) + length) + out * bias
    heads = []
    for head in second.heads:
        m = norm(head.query_key)
        if y is None:
            d2, reach = norm(head.value) * d_y, m * d_y * y_max
        else:
            d2 = diameter(y @ head.value.T)
            reach = float(np.ptp(y @ head.query_key @ y.T, axis=0).max())
        rank = int(np.linalg.matrix_rank(head.value)) if head.value.any() else 0
        heads.append((m * d_y, reach, d2, norm(head.value) + m * y_max * d2, rank))
    return Constants(
        beta,
        beta_histogram,
        min(margin(head) for head in first.heads),
        norm(f.unembedding) * (1 + mlp_norm(second)),
        heads,
        f.locality,
        len(f.positions),
        f.vocabulary_size,
    )
