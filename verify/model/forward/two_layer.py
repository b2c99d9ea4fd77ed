"""Two layers, infinite precision: the first at all positions from running histograms.

The first layer's keys depend on the type (residue, token) alone, so that the query at position i
needs only the histogram of the types before its suffix, and the suffix itself. Blocks of queries
are worked on together: rows are types (or dimensions), columns are queries. The second layer is
needed at the last position only, and reads the first layer's outputs as they come, with a
running maximum; nothing of length T is kept.

Time O(T·n·H), memory O(n²·H) and the blocks, where n ≤ |Σ|Δ is the number of types in the input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.model.forward import one_layer
from verify.model.forward.arithmetic import Floats, lag_bias, mlp, product, product_over_columns
from verify.model.forward.mixtures import Mixtures
from verify.model.forward.types import Types
from verify.model.summary import Summary
from verify.model.validation import in_range
from verify.model.weights import Weights

_BLOCK_ENTRIES = 1 << 15
"""Entries of the largest array of a block: it stays in the processor's cache, and the matrix
products stay so small that the linear algebra library starts no threads for them, which on a
busy machine would wait for each other longer than they work."""


def output(f: Weights, tokens: npt.NDArray[Any], summary: Summary) -> Floats:
    """Return f(x), shape (o,), for checked tokens and their summary."""
    with np.errstate(over="ignore", invalid="ignore"):
        query = one_layer.last_residual(f, summary)
        first = _FirstLayer(f, summary)
        mixtures = Mixtures(f, first.types, first.tables, first.biases)
        directions = np.stack([head.query_key @ query for head in f.layers[1].heads])
        means = None
        if mixtures.usable:
            folded = directions @ mixtures.outputs
            if np.isfinite(folded).all():
                means = _means(f, folded, mixtures.blocks(tokens), summary.length)
                means = means @ mixtures.outputs.T
        if means is None:
            means = _means(f, directions, first.outputs(tokens), summary.length)
        u = query
        for head, mean in zip(f.layers[1].heads, means, strict=True):
            u = u + head.value @ mean
        result: Floats = f.unembedding @ mlp(f.layers[1], u)
    in_range("unembedding", result)
    return result


def _means(
    f: Weights, directions: Floats, blocks: Iterator[tuple[int, Floats]], length: int
) -> Floats:
    """Return means of columns by the attention of the second layer's last query, (H, rows).

    One running maximum, sum of weights and weighted sum of columns per head.

    Args:
        f: the model.
        directions: (H, rows), give the content logits of columns.
        blocks: (start, columns), of the positions from start + 1 on.
        length: T.
    """
    last = f.layers[1]
    biases = np.stack([lag_bias(head, last.locality) for head in last.heads])
    biases *= math.log(length)
    maxima = np.full(len(last.heads), -np.inf)
    masses = np.zeros(len(last.heads))
    sums = np.zeros(directions.shape)
    for start, columns in blocks:
        logits = product(directions, columns)
        for lag in range(min(last.locality + 1, length)):
            column = length - 1 - lag - start
            if 0 <= column < logits.shape[1]:
                logits[:, column] += biases[:, lag]
        in_range("query_key", logits)
        updated = np.maximum(maxima, logits.max(axis=1))
        weights = np.exp(logits - updated[:, None])
        shrink = np.exp(maxima - updated)
        masses = masses * shrink + weights.sum(axis=1)
        sums = sums * shrink[:, None] + product_over_columns(weights, columns)
        maxima = updated
    means: Floats = sums / masses[:, None]
    return means


class _FirstLayer:
    """The first layer of a model on one input, whatever the size of its logits."""

    def __init__(self, f: Weights, summary: Summary) -> None:
        """Compute the content logits of all pairs of types."""
        layer = f.layers[0]
        self._layer = layer
        self.types = Types(f, summary)
        keys = self.types.keys
        self.tables = np.stack([keys @ head.query_key @ keys.T for head in layer.heads])
        in_range("query_key", self.tables)
        self.biases = np.stack([lag_bias(head, layer.locality) for head in layer.heads])

    def outputs(self, tokens: npt.NDArray[Any]) -> Iterator[tuple[int, Floats]]:
        """Yield (start, y): column c of y, (d, C), is the output at position start + c + 1."""
        layer, types = self._layer, self.types
        keys = types.keys
        values = np.hstack([head.value @ keys.T for head in layer.heads])
        size = max(types.number * len(layer.heads), keys.shape[1], layer.hidden)
        step = max(_BLOCK_ENTRIES // size, 64)
        seen = np.zeros((types.number, 1))  # histogram of the positions before the suffixes
        for start in range(0, tokens.size, step):
            stop = min(start + step, tokens.size)
            recent = types.of(tokens, start - layer.locality - 1, stop)
            histograms = _running(seen, recent[: stop - start])
            seen = histograms[:, -1:]
            attention = _attention(self.tables, self.biases, histograms, recent, start)
            u = np.take(keys.T, recent[layer.locality + 1 :], axis=1)
            u += values @ attention.reshape(-1, stop - start)
            yield start, mlp(layer, u)


def _running(seen: Floats, entering: npt.NDArray[np.intp]) -> Floats:
    """Return the (n, C) histograms after each entering type, from the (n, 1) histogram `seen`."""
    histograms = np.zeros((seen.size, entering.size))
    columns = np.flatnonzero(entering >= 0)
    histograms[entering[columns], columns] = 1.0
    np.cumsum(histograms, axis=1, out=histograms)
    histograms += seen
    return histograms


def _attention(
    tables: Floats, biases: Floats, histograms: Floats, recent: npt.NDArray[np.intp], start: int
) -> Floats:
    """Return the attention of C queries by head and type of key, shape (H, n, C), each sum 1.

    The largest logit of each query is subtracted before exp; types that have not occurred and
    lags before the first position do not take part in it.

    Args:
        tables: (H, n, n) content logits by type of key and of query.
        biases: (H, τ+1).
        histograms: (n, C), of the positions before each query's suffix.
        recent: (τ+1+C,) types of the queries and of the positions before; −1: no position.
        start: number of positions before the first query.
    """
    heads, number, _ = tables.shape
    lags, size = biases.shape[1], histograms.shape[1]
    queries = recent[lags:]
    suffix_keys = np.stack([recent[lags - lag :][:size] for lag in range(lags)])  # (τ+1, C)
    log_positions = np.log(np.arange(start + 1, start + size + 1))

    prefix = np.where(histograms > 0, np.take(tables, queries, axis=2), -np.inf)
    pairs = suffix_keys * number + queries
    suffix = np.take(tables.reshape(heads, -1), pairs, axis=1, mode="wrap")
    suffix += biases[:, :, None] * log_positions
    if start < lags:
        suffix[:, suffix_keys < 0] = -np.inf
    largest = np.maximum(prefix.max(axis=1), suffix.max(axis=1))[:, None]
    in_range("lag_bias", largest)

    prefix -= largest
    weights: Floats = np.exp(prefix, out=prefix)
    weights *= histograms
    suffix -= largest
    np.exp(suffix, out=suffix)
    cells = suffix_keys * size + np.arange(size)  # in the (n, C) weights of one head
    for head, added in zip(weights.reshape(heads, -1), suffix, strict=True):
        for where, weight in zip(cells, added, strict=True):
            head[where] += weight  # a lag without a position adds 0, wherever type −1 leads
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
