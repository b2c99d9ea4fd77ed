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
from verify.model.forward.arithmetic import Floats, lag_bias, mlp
from verify.model.summary import Summary
from verify.model.validation import in_range
from verify.model.weights import Weights

_BLOCK_ENTRIES = 1 << 15
"""Entries of the largest array of a block: it stays in the processor's cache, and the matrix
products stay so small that the linear algebra library starts no threads for them, which on a
busy machine would wait for each other longer than they work."""


def output(f: Weights, tokens: npt.NDArray[Any], summary: Summary) -> Floats:
    """Return f(x), shape (o,), for checked tokens and their summary."""
    last = f.layers[1]
    with np.errstate(over="ignore", invalid="ignore"):
        query = one_layer.last_residual(f, summary)
        # Second layer: one running maximum, sum of weights and weighted sum of keys per head.
        directions = np.stack([head.query_key @ query for head in last.heads])
        biases = np.stack([lag_bias(head, last.locality) for head in last.heads])
        biases *= math.log(summary.length)
        maxima = np.full(len(last.heads), -np.inf)
        masses = np.zeros(len(last.heads))
        sums = np.zeros((len(last.heads), f.dimension))
        for start, keys in first_layer(f, tokens, summary):
            logits = directions @ keys
            for lag in range(min(last.locality + 1, summary.length)):
                column = summary.length - 1 - lag - start
                if 0 <= column < logits.shape[1]:
                    logits[:, column] += biases[:, lag]
            in_range("query_key", logits)
            updated = np.maximum(maxima, logits.max(axis=1))
            weights = np.exp(logits - updated[:, None])
            shrink = np.exp(maxima - updated)
            masses = masses * shrink + weights.sum(axis=1)
            sums = sums * shrink[:, None] + weights @ keys.T
            maxima = updated
        u = query.copy()
        for head, mass, total in zip(last.heads, masses, sums, strict=True):
            u += head.value @ (total / mass)
        result: Floats = f.unembedding @ mlp(last, u)
    in_range("unembedding", result)
    return result


def first_layer(
    f: Weights, tokens: npt.NDArray[Any], summary: Summary
) -> Iterator[tuple[int, Floats]]:
    """Yield the first layer's outputs at all positions of an infinite-precision model.

    Yields:
        (start, y): y has shape (d, C), column c is the output at position start + c + 1.
    """
    layer = f.layers[0]
    types = _Types(f, summary)
    keys = types.keys
    tables = np.stack([keys @ head.query_key @ keys.T for head in layer.heads])
    in_range("query_key", tables)
    values = np.hstack([head.value @ keys.T for head in layer.heads])
    biases = np.stack([lag_bias(head, layer.locality) for head in layer.heads])

    size = max(types.number * len(layer.heads), f.dimension, layer.hidden)
    step = max(_BLOCK_ENTRIES // size, 64)
    seen = np.zeros((types.number, 1))  # histogram of the positions before the block's suffixes
    for start in range(0, tokens.size, step):
        stop = min(start + step, tokens.size)
        recent = types.of(tokens, start - layer.locality - 1, stop)
        histograms = _running(seen, recent[: stop - start])
        seen = histograms[:, -1:]
        attention = _attention(tables, biases, histograms, recent, start)
        u = np.take(keys.T, recent[layer.locality + 1 :], axis=1)
        u += values @ attention.reshape(-1, stop - start)
        yield start, mlp(layer, u)


class _Types:
    """The types (residue, token) that an input has, numbered 0..n−1, and their keys (n, d)."""

    def __init__(self, f: Weights, summary: Summary) -> None:
        """Number the types of the prefix and of the suffix."""
        suffix_positions = np.arange(summary.suffix.size) + (
            summary.length - summary.suffix.size + 1
        )
        present = summary.counts > 0
        present[suffix_positions % f.period, summary.suffix] = True
        residues, vocabulary = np.nonzero(present)
        self.keys = f.embedding[vocabulary] + f.positions[residues]
        self.number = residues.size
        self._index = np.zeros(present.shape, dtype=np.intp)
        self._index[residues, vocabulary] = np.arange(residues.size)

    def of(self, tokens: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[np.intp]:
        """Return the types of tokens[start:stop]; −1 where the index is below 0."""
        absent = max(-start, 0)
        part = tokens[max(start, 0) : stop]
        residues = np.arange(max(start, 0) + 1, stop + 1) % len(self._index)
        return np.concatenate([np.full(absent, -1), self._index[residues, part]])


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
