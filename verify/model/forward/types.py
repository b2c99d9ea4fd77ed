"""The types (residue, token) that one input has, numbered 0..n−1."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from verify.model.summary import Summary
from verify.model.weights import Weights

Indices = npt.NDArray[np.intp]


class Types:
    """The types of an input, by its summary.

    Attributes:
        keys: (n, d), embedding + position of each type.
        number: n.
        length: T.
    """

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
        self.length = summary.length
        self._vocabulary_size = f.vocabulary_size
        self._period = f.period
        self._index = np.zeros(present.size, dtype=np.intp)
        self._index[residues * f.vocabulary_size + vocabulary] = np.arange(residues.size)
        self._all = self.number == present.size

    def of(self, tokens: npt.NDArray[Any], start: int, stop: int) -> Indices:
        """Return the types of tokens[start:stop]; −1 where the index is below 0."""
        absent = max(-start, 0)
        part = tokens[max(start, 0) : stop].astype(np.intp, copy=False)
        if self._period > 1:
            residues = np.arange(max(start, 0) + 1, stop + 1) % self._period
            residues *= self._vocabulary_size
            residues += part
            part = residues
        found = part if self._all else self._index[part]
        return np.concatenate([np.full(absent, -1), found]) if absent else found
