"""What every pass of one model needs again: keys by type and content logits by type of the query.

A type is (residue, token), numbered residue·|Σ| + token. The tables belong to the model, whose
weights never change. They are filled as queries come, and only where they are small; threads that
fill the same entry at once write the same numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verify.model.forward.arithmetic import Floats, lag_bias
from verify.model.weights import Weights

_MOST_KEYS = 1 << 16
"""Entries of the table of keys at most, or of the logits of one query type; more are not kept."""

_MOST_LOGITS = 1 << 19
"""Entries of all logits kept for one model, at most: 4 MiB, and as much for their sizes."""

_NOTHING = np.zeros((0, 0))

_NAME = "_tables_of_the_first_layer"


class Scores(NamedTuple):
    """Content logits of keys for one query; in finite precision, what bounds their rounding."""

    logits: Floats
    """(H, keys)."""
    sizes: Floats
    """(H, keys), the logits with every factor replaced by its size; finite precision only."""
    largest: Floats
    """(H, 1), the largest of the sizes."""


class Tables:
    """The tables of the first layer of one model; see `tables_of`."""

    def __init__(self, f: Weights) -> None:
        """Add up the keys of all types, if they are kept."""
        # Not the model itself: it holds the tables, and would outlive its last use in a circle.
        self._embedding, self._positions = f.embedding, f.positions
        self._heads, self._finite = f.layers[0].heads, f.precision_bits is not None
        number = f.period * f.vocabulary_size
        self._keys: Floats | None = None
        if number * max(f.dimension, len(self._heads)) <= _MOST_KEYS:
            self._keys = (f.embedding + f.positions[:, None]).reshape(number, f.dimension)
        self._scores: dict[int, Scores] = {}
        self._most_queries = _MOST_LOGITS // (number * len(self._heads))
        self.biases = np.stack([lag_bias(head, f.locality)[::-1] for head in self._heads])
        """(H, τ+1), φ of the suffix, oldest first."""
        self.largest_bias = np.abs(self.biases).max(axis=1, keepdims=True)
        """(H, 1)."""

    def keys(self, types: npt.NDArray[np.intp]) -> Floats:
        """Return embedding + position of each type, (keys, d)."""
        if self._keys is not None:
            return self._keys.take(types, axis=0)
        residues, tokens = np.divmod(types, len(self._embedding))
        keys: Floats = self._embedding[tokens] + self._positions[residues]
        return keys

    def scores(self, types: npt.NDArray[np.intp], keys: Floats) -> tuple[Floats, Scores]:
        """Return the content logits, (H, keys), of `keys` for the last of them as query.

        Args:
            types: (keys,).
            keys: (keys, d), of these types.

        Returns:
            An array that belongs to the caller, and the scores where it comes from; see `sizes`.
        """
        if self._keys is None:
            found = self._computed(keys, keys[-1])
            return found.logits.copy(), found
        query = int(types[-1])
        known = self._scores.get(query)
        if known is None:
            known = self._computed(self._keys, self._keys[query])
            if len(self._scores) < self._most_queries:
                self._scores[query] = known
        return known.logits.take(types, axis=1), known

    def sizes(self, types: npt.NDArray[np.intp], scores: Scores) -> Floats:
        """Return the largest size among the keys of `types`, (H, 1); scores.largest is a bound."""
        sizes = scores.sizes if self._keys is None else scores.sizes.take(types, axis=1)
        largest: Floats = sizes.max(axis=1, keepdims=True)
        return largest

    def _computed(self, keys: Floats, query: Floats) -> Scores:
        directions = np.stack([head.query_key @ query for head in self._heads])
        logits = directions @ keys.T
        if not self._finite:
            return Scores(logits, _NOTHING, _NOTHING)
        size = np.abs(query)
        sizes = np.stack([np.abs(head.query_key) @ size for head in self._heads]) @ np.abs(keys).T
        return Scores(logits, sizes, sizes.max(axis=1, keepdims=True))


def tables_of(f: Weights) -> Tables:
    """Return the tables of this model; made at the first call, and never copied with the model."""
    found: Tables | None = vars(f).get(_NAME)
    if found is None:
        found = vars(f).setdefault(_NAME, Tables(f))
    return found
