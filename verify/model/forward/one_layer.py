"""One layer, last query only: a function of the counts of the types and of the suffix.

All prefix positions of one type (residue, token) have the same key, hence the same logit: a type
that occurs c times has the weight c·exp(a) = exp(a + log c). Counts of any size are exact up to
the logarithm, and nothing overflows.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.model.forward.arithmetic import Floats, mlp, softmax
from verify.model.forward.tables import Scores, tables_of
from verify.model.precision import dropped_by_floats, is_dropped
from verify.model.summary import Summary
from verify.model.validation import in_range
from verify.model.weights import Weights

Indices = npt.NDArray[np.intp]

_UNIT = float(np.finfo(float).eps)


def output(f: Weights, summary: Summary) -> Floats:
    """Return the output, shape (o,), of a one-layer model on every input with this summary."""
    with np.errstate(over="ignore", invalid="ignore"):
        result: Floats = f.unembedding @ last_residual(f, summary)
    in_range("unembedding", result)
    return result


def last_residual(f: Weights, summary: Summary) -> Floats:
    """Return the first layer's output at the last position, shape (d,)."""
    tables = tables_of(f)
    length, suffix, counts = summary.length, summary.suffix, summary.counts.ravel()
    # Keys: the types that the prefix has, once each, then the positions of the suffix.
    present = counts.nonzero()[0]
    first = (length - suffix.size + 1) % f.period
    residues = np.arange(first, first + suffix.size) % f.period
    types = np.concatenate([present, residues * f.vocabulary_size + suffix])
    keys = tables.keys(types)
    logits, scores = tables.scores(types, keys)
    in_range("query_key", logits)
    bias = tables.biases[:, -suffix.size :]
    if f.precision_bits is None:
        logits[:, present.size :] += math.log(length) * bias
        in_range("lag_bias", np.maximum.reduce(logits, axis=None))
    else:
        logits[:, present.size :] += bias
        logits = _rounded(f, length, types, logits, scores)
    logits[:, : present.size] += _logarithms(counts[present])
    attended = softmax(logits) @ keys
    u = keys[-1]
    for head, mean in zip(f.layers[0].heads, attended, strict=True):
        u = u + head.value @ mean
    return mlp(f.layers[0], u)


def _logarithms(counts: npt.NDArray[Any]) -> Floats:
    """Natural logarithms of positive integers; math.log takes Python ints of any size."""
    if counts.dtype == object:
        return np.array([math.log(count) for count in counts])
    logarithms: Floats = np.log(counts)
    return logarithms


def _rounded(f: Weights, length: int, types: Indices, logits: Floats, scores: Scores) -> Floats:
    """Return log T·(a − max a), (H, keys), and −inf for the keys that finite precision drops.

    Args:
        f: the model.
        length: T.
        types: (keys,), those of the suffix last, and there the query.
        logits: (H, keys), lag biases included.
        scores: where they come from.
    """
    assert f.precision_bits is not None
    tables, gaps = tables_of(f), np.maximum.reduce(logits, axis=1, keepdims=True) - logits
    # Standard bound on the rounding errors of a bilinear form, with a factor 2 to spare. First
    # with the largest size of any type: it nearly always decides.
    factor = 4 * (f.dimension + 4) * _UNIT
    gap_error = factor * (scores.largest + tables.largest_bias)
    drop, unclear = dropped_by_floats(length, gaps, f.precision_bits, gap_error)
    if np.logical_or.reduce(unclear, axis=None):
        gap_error = factor * (tables.sizes(types, scores) + tables.largest_bias)
        drop, unclear = dropped_by_floats(length, gaps, f.precision_bits, gap_error)
        for h in np.flatnonzero(unclear.any(axis=1)).tolist():
            exact = _ExactGaps(f, h, types, length, ~(gaps[h] > gap_error[h]))
            for k in np.flatnonzero(unclear[h]).tolist():
                drop[h, k] = is_dropped(length, exact.gap(k), f.precision_bits)
    gaps *= -math.log(length)
    gaps[drop] = -np.inf
    return gaps


class _ExactGaps:
    """Gaps of one head to the largest logit, without rounding."""

    def __init__(
        self, f: Weights, head: int, types: Indices, length: int, near: npt.NDArray[np.bool_]
    ) -> None:
        """Find the largest logit: it is among the keys that are `near` to it."""
        residues, tokens = np.divmod(types, f.vocabulary_size)
        self._keys = list(
            zip(f.embedding[tokens].tolist(), f.positions[residues].tolist(), strict=True)
        )
        suffix = tables_of(f).biases[head, -min(length, f.locality + 1) :].tolist()
        self._bias = [0.0] * (len(types) - len(suffix)) + suffix
        query = _exact(*self._keys[-1])
        rows = f.layers[0].heads[head].query_key.tolist()
        self._direction = [
            sum((Fraction(m) * q for m, q in zip(row, query, strict=True)), Fraction(0))
            for row in rows
        ]
        self._largest = max(self._logit(k) for k in np.flatnonzero(near).tolist())

    def gap(self, k: int) -> Fraction:
        """Return the gap of key k."""
        return self._largest - self._logit(k)

    def _logit(self, k: int) -> Fraction:
        key = _exact(*self._keys[k])
        return sum(map(Fraction.__mul__, key, self._direction), Fraction(self._bias[k]))


def _exact(embedding: list[float], position: list[float]) -> list[Fraction]:
    """Return the sum of two rows without rounding."""
    return [Fraction(a) + Fraction(b) for a, b in zip(embedding, position, strict=True)]
