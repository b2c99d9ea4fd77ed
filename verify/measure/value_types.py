"""Value types of a model: tokens at residues, their exact vectors, the true period and locality.

A *type* is a pair (token s, residue r); its number is r·|Σ| + s, and its vector is
embedding[s] + positions[r], exactly (no rounding of the sum).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verify.measure.dyadic import Dyadic
from verify.model.transformer import LimitTransformer

_LOGITS_AT_ONCE = 500_000


def minimal_period(f: LimitTransformer) -> int:
    """Return the least Δ with positions[i mod Δ] as given; it divides the declared period."""
    rows, declared = f.positions, f.period
    for period in range(1, declared):
        if declared % period == 0 and np.array_equal(rows, np.roll(rows, period, axis=0)):
            return period
    return declared


def minimal_locality(f: LimitTransformer) -> int:
    """Return the greatest lag at which some head of some layer has a bias other than 0, or 0."""
    biases = [head.lag_bias for layer in f.layers for head in layer.heads]
    return max(int(np.flatnonzero(bias).max(initial=0)) for bias in biases)


def type_vectors(f: LimitTransformer) -> Dyadic:
    """Return the vectors of all types, shape (Δ·|Σ|, d), Δ the minimal period."""
    embedding = Dyadic.of(f.embedding)
    positions = Dyadic.of(f.positions[: minimal_period(f)])
    table = positions[:, None, :] + embedding[None, :, :]
    return table.reshape(-1, f.dimension)


def content_logits(f: LimitTransformer, head: int) -> Dyadic:
    """Return the first layer's content logits y_keyᵀ query_key y_query, shape (keys, queries)."""
    types = type_vectors(f)
    return types @ Dyadic.of(f.layers[0].heads[head].query_key) @ types.T


def content_columns(f: LimitTransformer, head: int) -> Iterator[tuple[int, Dyadic]]:
    """Yield the same logits for some queries at a time, so that large models fit into memory.

    Yields:
        Number of the first query, and the logits, shape (keys, some queries); all parts have the
        same exponent.
    """
    types = type_vectors(f)
    keys = types @ Dyadic.of(f.layers[0].heads[head].query_key)
    step = max(1, _LOGITS_AT_ONCE // types.shape[0])
    for start in range(0, types.shape[0], step):
        yield start, keys @ types[start : start + step].T
