"""What the second attention layer averages, as functions of suffix and histogram.

For one long input x the output of a second-layer head on x is, in the limit of its first layer,
o* = Σ_j e^{b(Y_j)} V Y_j / Σ_j e^{b(Y_j)} with b(y) = yᵀ M q*, M = query_key and q* the query of
x. So Ψ(y) = e^{b(y)} (V y − o*) has sum 0 over the positions of x, and an input z whose average
of Ψ is near 0 has nearly the same attention output ([derived, Theorem B4]).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.measure.dyadic import Dyadic
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head
from verify.simulation.softmax.first_layer import limit_outputs, prefix_histograms
from verify.simulation.softmax.windows import Features, Piece, Suffixes, Tokens, suffix_types

Floats = NDArray[np.float64]

_CHUNK = 1 << 15
"""Numbers per step of the pass over x: memory stays bounded, and matrix products so small that
the linear algebra library starts no threads, which cost far more than they save."""

_MOST_EXCESS = 300.0
"""Larger logits above those along x are cut: R₂ is then above 300, and e^{R₂} proves nothing."""


def attention_features(f: LimitTransformer, x: Tokens) -> tuple[Features, int]:
    """Ψ of all second-layer heads of f for the input x, and its dimension Σ rank V.

    Ψ is given in an orthonormal basis of the column space of each V, and scaled by a positive
    factor that depends on x alone, so that values are of the order of 1.

    Args:
        f: two layers, infinite precision, no lag bias in the second layer.
        x: (T,) tokens.
    """
    first = LimitTransformer(
        f.embedding, f.positions, f.layers[:1], np.eye(f.dimension), f.precision_bits
    )
    query = first(x)
    heads = [_Centred.of(head, query) for head in f.layers[1].heads]
    for outputs in _outputs_along(f, x):
        for head in heads:
            head.take(outputs)

    def features(piece: Piece) -> Floats:
        # Types are counted modulo the period of the pair, a multiple of the model's.
        histogram = piece.histogram.reshape(-1, f.period, f.vocabulary_size).sum(axis=0)
        suffixes = Suffixes(piece.suffixes.tokens, piece.suffixes.residues % f.period)
        outputs = limit_outputs(f, suffixes, histogram[None])
        return np.concatenate([head.values(outputs) for head in heads], axis=1)

    return features, sum(len(head.mean) for head in heads)


@dataclass
class _Centred:
    """One head: the running mean o*, and the scale of what it has seen."""

    direction: Floats
    value: Floats
    peak: float
    mass: float
    mean: Floats
    least: Floats
    greatest: Floats

    @classmethod
    def of(cls, head: Head, query: Floats) -> _Centred:
        left, _, _ = np.linalg.svd(head.value)
        basis = left[:, : Dyadic.of(head.value).rank()]
        rank = basis.shape[1]
        return cls(
            direction=head.query_key @ query,
            value=basis.T @ head.value,
            peak=-np.inf,
            mass=0.0,
            mean=np.zeros(rank),
            least=np.full(rank, np.inf),
            greatest=np.full(rank, -np.inf),
        )

    def take(self, outputs: Floats) -> None:
        """Add rows y to Σ e^{b(y)} and to the mean of V y under these weights."""
        logits, values = outputs @ self.direction, outputs @ self.value.T
        peak = max(self.peak, float(logits.max()))
        weights = np.exp(logits - peak)
        kept = self.mass * np.exp(self.peak - peak) if self.mass else 0.0
        mass = kept + float(weights.sum())
        self.mean = (kept * self.mean + weights @ values) / mass
        self.peak, self.mass = peak, mass
        self.least = np.minimum(self.least, values.min(axis=0))
        self.greatest = np.maximum(self.greatest, values.max(axis=0))

    def values(self, outputs: Floats) -> Floats:
        """Ψ(y) of the rows y, divided by e^(max b) and by the spread of V y along x."""
        spread = float((self.greatest - self.least).max(initial=0.0)) or 1.0
        weights = np.exp(np.minimum(outputs @ self.direction - self.peak, _MOST_EXCESS))
        scaled: Floats = weights[:, None] * (outputs @ self.value.T - self.mean) / spread
        return scaled


def _outputs_along(f: LimitTransformer, x: Tokens) -> Iterator[Floats]:
    """Y(w_j, μ_j) for all positions j of x, in chunks."""
    types, type_of = suffix_types(x, f.layers[0].locality, f.period)
    counts = np.zeros((f.period, f.vocabulary_size), dtype=np.int64)
    step = max(1, _CHUNK // (counts.size + 4 * f.dimension))
    for first in range(0, len(x), step):
        last = min(first + step, len(x))
        histograms = prefix_histograms(x, first, last, counts, f.vocabulary_size)
        here = type_of[first:last]
        suffixes = Suffixes(types.tokens[here], types.residues[here])
        yield limit_outputs(f, suffixes, histograms)
        counts = np.rint(histograms[-1] * last).astype(np.int64)
