"""Nested attention: g sees all tokens, f all but the last one, which is the query."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from verify.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NestedPatterns:
    """One head each, Δ = 1: f attends to A, g to all tokens; the query is the token o not in A.

    Where an input has no token of A, f attends to the query. What a head shows is the law of the
    tokens that it attends to, on A ∪ {o}. Source:
    [derived, docs/theory/one_layer_argmax.md#one-layer-duality] and docs/tightness_exact.md.

    Attributes:
        tied: False: no lag bias, A has all tokens but o. True: A = {s₁}, |Σ| = 2, and a lag bias
            ties the query's own position with A in f (one more position with token o).
        vocabulary_size: |Σ|: 2 if tied; else 3 or 4. 0: the least of these.
    """

    tied: bool = False
    vocabulary_size: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: one of them is not as described.
        """
        if not isinstance(self.tied, bool):
            raise InputError("tied", self.tied, "True or False")
        if self.vocabulary_size == 0:
            object.__setattr__(self, "vocabulary_size", 2 if self.tied else 3)
        if self.vocabulary_size not in ((2,) if self.tied else (3, 4)):
            allowed = "2 if tied, else 3 or 4"
            raise InputError("vocabulary_size", self.vocabulary_size, allowed)

    def counts(self, length: int) -> Ints:
        """Return the token counts of all inputs up to a length, (inputs, |Σ|); o comes last."""
        rows, size = [], self.vocabulary_size
        for total in range(length):
            for bars in combinations(range(total + size - 1), size - 1):
                edges = (-1, *bars, total + size - 1)
                rows.append([b - a - 1 for a, b in pairwise(edges)])
        counts = np.array(rows, dtype=np.int64)
        counts[:, -1] += 1
        return counts

    def seen_by_f(self, counts: Ints) -> Ints:
        """Return the counts that f's law is proportional to, in lowest terms."""
        seen = counts.copy()
        seen[:, -1] = int(self.tied)
        seen[seen.sum(axis=1) == 0, -1] = 1
        return lowest_terms(seen)

    def seen_by_g(self, counts: Ints) -> Ints:
        """Return the counts that g's law is proportional to, in lowest terms."""
        return lowest_terms(counts)


def lowest_terms(counts: Ints) -> Ints:
    """Divide each row by its greatest common divisor."""
    return np.asarray(counts // np.gcd.reduce(counts, axis=1)[:, None], dtype=np.int64)


def shares(counts: Ints) -> Floats:
    """Return the law of each row of counts."""
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float64)


def distances(laws: Floats, law: Floats) -> Floats:
    """Return the total variation of each row and one law, within 1e-15 times the tokens."""
    return np.asarray(np.maximum(laws - law, 0.0).sum(axis=1), dtype=np.float64)


def exact_distance(first: Ints | list[int], second: Ints | list[int]) -> Fraction:
    """Return the total variation of two laws given by counts."""
    mine, other = [int(c) for c in first], [int(c) for c in second]
    total, others = sum(mine), sum(other)
    excess = sum(max(a * others - b * total, 0) for a, b in zip(mine, other, strict=True))
    return Fraction(excess, total * others)
