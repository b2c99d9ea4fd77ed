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
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verify.forward import one_layer
from verify.forward.arithmetic import Floats, lag_bias, mlp
from verify.validation import in_range

if TYPE_CHECKING:
    from verify.summary import Summary
    from verify.transformer import LimitTransformer

_BLOCK_ENTRIES = 1 << 16
"""Entries of the largest array of a block: some hundred KiB, which the processor's cache holds."""


def output(f: LimitTransformer, tokens: npt.NDArray[Any], summary: Summary) -> Floats:
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
    f: LimitTransformer, tokens: npt.NDArray[Any], summary: Summary
) -> Iterator[tuple[int, Floats]]:
    """Yield the first layer's outputs at all positions of an infinite-precision model.

    Yields:
        (start, y): y has shape (d, C), column c is the output at position start + c + 1.
    """
    layer = f.layers[0]
    types = _Types(f, summary)
    keys = types.keys
    tables = [keys @ head.query_key @ keys.T for head in layer.heads]
    in_range("query_key", tables)
    values = np.hstack([head.value @ keys.T for head in layer.heads])
    biases = [lag_bias(head, layer.locality) for head in layer.heads]

    size = max(types.number * len(layer.heads), f.dimension, layer.hidden)
    step = max(_BLOCK_ENTRIES // size, 64)
    seen = np.zeros((types.number, 1))  # histogram of the positions before the block's suffixes
    for start in range(0, tokens.size, step):
        stop = min(start + step, tokens.size)
        recent = types.of(tokens, start - layer.locality - 1, stop)
        histograms = _running(seen, recent[: stop - start])
        seen = histograms[:, -1:]
        block = _Suffixes(recent, layer.locality, start, types.number)
        attention = [
            _attention(table, bias, histograms, block)
            for table, bias in zip(tables, biases, strict=True)
        ]
        u = np.take(keys.T, block.queries, axis=1)
        u += values @ np.concatenate(attention)
        yield start, mlp(layer, u)


class _Types:
    """The types (residue, token) that an input has, numbered 0..n−1, and their keys (n, d)."""

    def __init__(self, f: LimitTransformer, summary: Summary) -> None:
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


class _Suffixes:
    """The keys in the suffix of each query of a block, as flat indices per lag."""

    def __init__(
        self, recent: npt.NDArray[np.intp], locality: int, start: int, number: int
    ) -> None:
        """Index the lags 0..τ; `recent` has the types of the block and of the τ+1 before it."""
        self.queries = recent[locality + 1 :]
        columns = np.arange(self.queries.size)
        self.log_positions = np.log(columns + (start + 1))
        by_lag = [recent[locality + 1 - lag :][: columns.size] for lag in range(locality + 1)]
        # Before the first position there is no key; the index there is any valid one.
        self.absent = [keys < 0 if start < locality else None for keys in by_lag]
        by_lag = [np.maximum(keys, 0) if start < locality else keys for keys in by_lag]
        self.pairs = [keys * number + self.queries for keys in by_lag]  # in a (key, query) table
        self.cells = [keys * columns.size + columns for keys in by_lag]  # in an (n, C) array


def _attention(table: Floats, bias: Floats, histograms: Floats, block: _Suffixes) -> Floats:
    """Return the attention of each query (column) summed by type of key (row), shape (n, C).

    The largest logit of each column is subtracted before exp; types that have not occurred and
    lags before the first position do not take part in it.
    """
    logits = np.where(histograms > 0, np.take(table, block.queries, axis=1), -np.inf)
    largest = logits.max(axis=0)
    suffix = []
    for phi, pairs, absent in zip(bias, block.pairs, block.absent, strict=True):
        logit = np.take(table, pairs) + phi * block.log_positions
        if absent is not None:
            logit[absent] = -np.inf
        np.maximum(largest, logit, out=largest)
        suffix.append(logit)
    in_range("lag_bias", largest)
    logits -= largest
    weights: Floats = np.exp(logits, out=logits)
    weights *= histograms
    for logit, cells in zip(suffix, block.cells, strict=True):
        weights.ravel()[cells] += np.exp(logit - largest)
    weights /= weights.sum(axis=0)
    return weights
