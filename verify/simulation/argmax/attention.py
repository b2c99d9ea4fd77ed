"""Which positions a hardmax head attends to, by exact arithmetic; and whether it is hardmax at all.

Weights are binary fractions, so every logit is a rational number: ties are ties, and no margin of
1e-16 appears by rounding.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from verify.model.precision import is_dropped
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head
from verify.simulation.argmax.counts import ArgmaxSet


class Attention(NamedTuple):
    """The argmax set of one head on one input."""

    types: frozenset[tuple[int, int]]
    """Prefix types (residue, token) of maximal logit, residues modulo the summary's Δ."""
    suffix: frozenset[int]
    """Lags of the suffix positions of maximal logit."""
    hardmax: bool
    """Whether finite precision drops every term that is not maximal, at this length."""

    def as_set(self) -> ArgmaxSet:
        """The set as the counting core takes it."""
        return ArgmaxSet(self.types, len(self.suffix))


class ExactLogits:
    """The exact logits of a one-layer model, computed per query type and kept."""

    def __init__(self, model: LimitTransformer) -> None:
        """Take the weights of `model` as the rationals that they are."""
        self.model = model
        embedding, positions = _rational(model.embedding), _rational(model.positions)
        self._types = [
            [[a + b for a, b in zip(token, position, strict=True)] for token in embedding]
            for position in positions
        ]
        self._content = cache(self._compute_content)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the model: what was kept is computed again where it is needed."""
        return type(self), (self.model,)

    def attention(self, summary: Summary) -> list[Attention]:
        """Return the argmax set of every head on the inputs with this summary.

        The summary's Δ may be a multiple of the model's, its τ may be larger.
        """
        return [self._head(number, summary) for number in range(self.model.heads[0])]

    def _head(self, number: int, summary: Summary) -> Attention:
        head, period, length = self.model.layers[0].heads[number], self.model.period, summary.length
        query = (length % period, int(summary.suffix[-1]))
        content = self._content(number, query)
        prefix = {
            (r, s): content[r % period][s]
            for r, row in enumerate(summary.counts.tolist())
            for s, count in enumerate(row)
            if count
        }
        tokens = summary.suffix.tolist()[::-1]  # by lag
        suffix = {
            lag: content[(length - lag) % period][s] + _lag_bias(head, lag)
            for lag, s in enumerate(tokens)
        }
        logits = {*prefix.values(), *suffix.values()}
        top = max(logits)
        second = max(logits - {top}, default=None)
        assert self.model.precision_bits is not None
        return Attention(
            frozenset(t for t, logit in prefix.items() if logit == top),
            frozenset(lag for lag, logit in suffix.items() if logit == top),
            second is None or is_dropped(length, top - second, self.model.precision_bits),
        )

    def _compute_content(self, number: int, query: tuple[int, int]) -> list[list[Fraction]]:
        """Content logits of all key types, [residue][token], for one query type."""
        r, s = query
        matrix = _rational(self.model.layers[0].heads[number].query_key)
        projected = [_dot(row, self._types[r][s]) for row in matrix]
        return [[_dot(key, projected) for key in row] for row in self._types]


def _lag_bias(head: Head, lag: int) -> Fraction:
    return Fraction(float(head.lag_bias[lag])) if lag < head.lag_bias.size else Fraction(0)


def _dot(left: list[Fraction], right: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True) if a and b), Fraction(0))


def _rational(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in matrix.tolist()]
