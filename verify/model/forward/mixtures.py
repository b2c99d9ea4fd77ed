"""First softmax layer at all positions, without an exponential per key: for logits of usual size.

The attention of the query at position i on all keys of one type k is proportional to

    E[k, q] · (c_k + Σ_t i^φ(t) [type of position i − t is k]),   E[k, q] = e^(a_kq − max_k a_kq),

where q is the query's type and c the histogram of the positions before its suffix. E is a table;
only the powers are computed at each position, one for each value of φ. Nothing overflows and
nothing underflows while the logits of one query, lag biases included, lie within `_WIDEST`.

The outputs are never written out. With the shares s of the attention and r = relu(hidden units),
an output is a linear map of the *features* (s, q, r) or, where that is cheaper, of (u, r), u the
stream before the ReLU network. Logits and means of the second layer need that map only once.

Rows are types, hidden units or dimensions, columns are positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.model.forward.arithmetic import Floats, product
from verify.model.forward.types import Types
from verify.model.weights import Weights

_WIDEST = 600.0
"""Largest difference of two logits of one query: e^±600, times any count, is a normal float64."""

_FEW = 16
"""Up to so many types, columns are picked by products with unit vectors, else by index."""

_NAMES = np.int8
"""Short numbers for few types: comparing them is cheaper."""

_BLOCK_ENTRIES = 1 << 19
"""Entries of all arrays of a block: they stay in the processor's cache."""

_MOST_COLUMNS = 1 << 13


class Mixtures:
    """The features of the first layer's outputs, and the map from features to outputs.

    Attributes:
        outputs: (d, features), takes features to outputs.
        usable: whether nothing overflows or underflows on the way, whatever the input, and the
            sums are so short that the order of summation is within `softmax_rounding`'s bound.
            If not, there is nothing but this attribute.
    """

    def __init__(self, f: Weights, types: Types, tables: Floats, biases: Floats) -> None:
        """Prepare the tables.

        Args:
            f: the model.
            types: the n types of its input.
            tables: (H, n, n), content logits by type of key and of query.
            biases: (H, τ+1), lag biases of the first layer.
        """
        layer, keys, d = f.layers[0], types.keys, f.dimension
        heads, number, _ = tables.shape
        top = tables.max(axis=1, keepdims=True)
        reach = float(np.abs(biases).max()) * math.log(types.length)
        self.usable = float((top - tables).max()) + 2 * reach <= _WIDEST
        if not self.usable:
            return
        self._layer, self._types, self._number = layer, types, number
        self._lags = biases.shape[1]
        self._powers, self._power_of = np.unique(biases, return_inverse=True)
        self._power_of = self._power_of.reshape(biases.shape)
        self._scores = np.exp(tables - top).reshape(heads * number, number)

        values = np.hstack([head.value @ keys.T for head in layer.heads])
        size, hidden = heads * number, layer.hidden
        in_steps, at_once = (size + hidden) * d, hidden * (size + number)
        self._folded = number <= _FEW and at_once <= in_steps and size + 2 <= 3 * d
        self._values, self._keys = values, keys.T
        if self._folded:
            stream = np.hstack([values, keys.T])
            self._hidden = layer.mlp_in @ stream
            # Every column has one unit vector of its query: the bias goes there.
            self._hidden[:, size:] += layer.mlp_bias[:, None]
        else:
            stream = np.eye(d)
            self._hidden = layer.mlp_in
        self.outputs = np.hstack([stream, layer.mlp_out])
        # Terms of the sums over features that are not 0, beside the bound's 2d per product (in
        # units of 2⁻⁵²) and the T of an average over positions.
        terms = hidden + (size if self._folded else d)
        self.usable = terms <= min(6 * d + 7, 4 * d + types.length + 32)
        # Sizes whatever the shares: those of each head sum to 1.
        inner = np.abs(values).reshape(d, heads, number).max(axis=2).sum(axis=1)
        inner += np.abs(keys).max(axis=0)
        outer = np.abs(layer.mlp_in) @ inner + np.abs(layer.mlp_bias)
        largest = inner + np.abs(layer.mlp_out) @ outer
        parts = (largest, outer, self._hidden, self.outputs)
        self.usable = self.usable and all(bool(np.isfinite(part).all()) for part in parts)

    def blocks(self, tokens: npt.NDArray[Any]) -> Iterator[tuple[int, Floats]]:
        """Yield (start, z): column c of z holds the features of position start + c + 1.

        The array is used again for the next block.
        """
        number, lags, size = self._number, self._lags, self._scores.shape[0]
        features = self.outputs.shape[1]
        first = features - self._layer.hidden
        step = max(_BLOCK_ENTRIES // (features + 2 * number + 3 * size), 64)
        step = min(step, _MOST_COLUMNS, tokens.size)
        recent = np.full(lags + step, -1)
        units = np.zeros((number, lags + step))
        buffers = [np.empty((rows, step)) for rows in (features, number, size, size)]
        names = np.arange(number, dtype=_NAMES if number <= _FEW else np.intp)[:, None]
        seen = np.zeros((number, 1))
        for start in range(0, tokens.size, step):
            width = min(step, tokens.size - start)
            here = slice(lags, lags + width)
            z, histograms, shares, scores = (buffer[:, :width] for buffer in buffers)
            if self._folded:
                shares = z[:size]
            if start:
                recent[:lags] = recent[step:].copy()
                units[:, :lags] = units[:, step:].copy()
            queries = recent[here]
            queries[:] = self._types.of(tokens, start, start + width)
            units[:, here] = names == queries.astype(names.dtype)
            np.cumsum(units[:, :width], axis=1, out=histograms)
            histograms += seen
            seen = histograms[:, -1:].copy()

            self._weigh(histograms, units, recent, start, shares, scores)
            inner, hidden = z[:first], z[first:]
            if self._folded:
                inner[size:] = units[:, here]
            else:
                product(self._values, shares, out=inner)
                inner += np.take(self._keys, queries, axis=1)
            product(self._hidden, inner, out=hidden)
            if not self._folded:
                hidden += self._layer.mlp_bias[:, None]
            np.maximum(hidden, 0.0, out=hidden)
            yield start, z

    def _weigh(
        self,
        histograms: Floats,
        units: Floats,
        recent: npt.NDArray[np.intp],
        start: int,
        shares: Floats,
        scores: Floats,
    ) -> None:
        """Write the shares of attention by head and type of key, (H·n, C).

        Args:
            histograms: (n, C), types of the positions before the suffix of each query.
            units: (n, τ+1+C), unit vectors of the queries and of the positions before.
            recent: (τ+1+C,), their types.
            start: number of positions before the first query.
            shares: (H·n, C), where the result goes.
            scores: (H·n, C), room for intermediate results.
        """
        number, width = histograms.shape
        lags, here = self._lags, slice(self._lags, self._lags + width)
        powers = self._powers[:, None] * np.log(np.arange(start + 1, start + width + 1))
        np.exp(powers, out=powers)
        weights = shares.reshape(-1, number, width)
        if number <= _FEW:
            added = scores.reshape(weights.shape)
            weights[:] = histograms
            for lag in range(lags):
                at = units[:, lags - lag :][:, :width]
                np.multiply(at, powers[self._power_of[:, lag], None], out=added)
                weights += added
            product(self._scores, units[:, here], out=scores)
        else:
            weights[:] = histograms
            for lag in range(lags):
                exist = np.arange(min(max(lag - start, 0), width), width)
                types = recent[lags - lag :][exist]
                for head, power in zip(weights, powers[self._power_of[:, lag]], strict=True):
                    head[types, exist] += power[exist]
            np.take(self._scores, recent[here], axis=1, out=scores, mode="clip")
        shares *= scores
        weights *= 1.0 / np.add.reduce(weights, axis=1, keepdims=True)
