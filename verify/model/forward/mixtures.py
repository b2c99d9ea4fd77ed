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

Indices = npt.NDArray[np.intp]

_WIDEST = 600.0
"""Largest difference of two logits of one query: e^±600, times any count, is a normal float64."""

_FEW = 16
"""Up to so many types, columns are picked by products with unit vectors, else by index."""

_BLOCK_ENTRIES = 1 << 19
"""Entries of all arrays of a block: they stay in the processor's cache."""

_MOST_COLUMNS = 4000
"""No power of 2: rows at such distances would compete for the same lines of the cache."""


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
        number, lags = self._number, self._lags
        size, features = self._scores.shape[0], self.outputs.shape[1]
        first = features - self._layer.hidden
        step = max(_BLOCK_ENTRIES // (features + 2 * number + 2 * size), 64)
        step = min(step, _MOST_COLUMNS, tokens.size)
        recent = np.full(lags + step, -1)  # types of the queries and of the positions before
        z = np.empty((features, step))
        attention = (_FewTypes if number <= _FEW else _ManyTypes)(self._scores, lags, step)
        for start in range(0, tokens.size, step):
            width = min(step, tokens.size - start)
            if start:
                recent[:lags] = recent[step:].copy()
            queries = recent[lags : lags + width]
            queries[:] = self._types.of(tokens, start, start + width)
            powers = self._powers[:, None] * np.log(np.arange(start + 1, start + width + 1))
            np.exp(powers, out=powers)
            powers = powers[self._power_of]  # (H, τ+1, C)
            inner, hidden = z[:first, :width], z[first:, :width]
            if self._folded:
                assert isinstance(attention, _FewTypes)
                attention.shares(recent, powers, start, out=inner[:size])
                inner[size:] = attention.queries[:, :width]
                product(self._hidden, inner, out=hidden)
            else:
                attention.means(recent, powers, start, self._values, out=inner)
                inner += np.take(self._keys, queries, axis=1)
                product(self._hidden, inner, out=hidden)
                hidden += self._layer.mlp_bias[:, None]
            np.maximum(hidden, 0.0, out=hidden)
            yield start, z[:, :width]


class _FewTypes:
    """Shares of attention block by block, where a unit vector for each position is cheap."""

    def __init__(self, scores: Floats, lags: int, step: int) -> None:
        """Take E, (H·n, n), the number τ + 1 of lags and the length of the blocks."""
        size, number = scores.shape
        self._scores, self._lags, self._step = scores, lags, step
        self._names = np.arange(number, dtype=np.int8)[:, None]  # short: cheap to compare
        self._units = np.zeros((number, lags + step))
        self._histograms = np.empty((number, step))
        self._seen = np.zeros((number, 1))  # histogram of the positions before the suffixes
        self._room = np.empty((size, step))
        self._shares = np.empty((size, step))

    @property
    def queries(self) -> Floats:
        """Unit vectors of the queries' types, (n, step)."""
        return self._units[:, self._lags :]

    def shares(self, recent: Indices, powers: Floats, start: int, out: Floats) -> None:
        """Write the shares by head and type of key, (H·n, C), to `out`.

        Args:
            recent: (τ+1+C,) types of the queries and of the positions before; −1: no position.
            powers: (H, τ+1, C), i^φ of the queries.
            start: number of positions before the first query.
        """
        units, lags, width = self._units, self._lags, powers.shape[2]
        if start:
            units[:, :lags] = units[:, self._step :].copy()
        picked = units[:, lags : lags + width]
        picked[:] = self._names == recent[lags : lags + width].astype(np.int8)
        histograms = self._histograms[:, :width]
        np.cumsum(units[:, :width], axis=1, out=histograms)
        histograms += self._seen
        self._seen = histograms[:, -1:].copy()

        weights = out.reshape(len(powers), -1, width)
        room = self._room[:, :width]
        added = room.reshape(weights.shape)
        weights[:] = histograms
        for lag in range(lags):
            at = units[:, lags - lag :][:, :width]
            np.multiply(at, powers[:, lag, None], out=added)
            weights += added
        out *= product(self._scores, picked, out=room)
        weights *= 1.0 / np.add.reduce(weights, axis=1, keepdims=True)

    def means(
        self, recent: Indices, powers: Floats, start: int, values: Floats, out: Floats
    ) -> None:
        """Write values @ shares, summed over the heads, to `out`; values: (d, H·n)."""
        shares = self._shares[:, : powers.shape[2]]
        self.shares(recent, powers, start, out=shares)
        product(values, shares, out=out)


class _ManyTypes:
    """The same where types are many: what one position adds is written where it belongs."""

    def __init__(self, scores: Floats, lags: int, step: int) -> None:
        """Take E, (H·n, n), the number τ + 1 of lags and the length of the blocks."""
        size, number = scores.shape
        self._scores, self._lags = scores, lags
        self._histograms = np.empty((number, step))
        self._seen = np.zeros((number, 1))
        self._weights = np.empty((size, step))

    def means(
        self, recent: Indices, powers: Floats, start: int, values: Floats, out: Floats
    ) -> None:
        """Write values @ shares, summed over the heads, to `out`; see `_FewTypes`."""
        lags, (heads, _, width) = self._lags, powers.shape
        number = len(self._seen)
        queries = recent[lags : lags + width]

        def existing(lag: int) -> tuple[slice, Indices, Indices]:
            """Which columns have a position at this lag: as a slice, numbered, and its types."""
            some = slice(min(max(lag - start, 0), width), width)
            return some, np.arange(width)[some], recent[lags - lag :][:width][some]

        histograms = self._histograms[:, :width]
        histograms[:] = 0.0
        _, columns, types = existing(lags)
        histograms[types, columns] = 1.0
        np.cumsum(histograms, axis=1, out=histograms)
        histograms += self._seen
        self._seen = histograms[:, -1:].copy()

        weights = self._weights[:, :width].reshape(heads, number, width)
        np.take(self._scores, queries, axis=1, out=self._weights[:, :width], mode="clip")
        weights *= histograms
        for lag in range(lags):
            some, columns, types = existing(lag)
            pairs = types * number + queries[some]
            for head, scores, power in zip(
                weights, self._scores.reshape(heads, -1), powers[:, lag], strict=True
            ):
                head[types, columns] += scores[pairs] * power[some]
        masses = np.add.reduce(weights, axis=1)
        out[:] = 0.0
        for head, mass, value in zip(weights, masses, np.split(values, heads, axis=1), strict=True):
            mean = product(value, head)
            mean /= mass
            out += mean
