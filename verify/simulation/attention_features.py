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
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from verify.errors import WeightsError
from verify.simulation.first_layer import limit_outputs, prefix_histograms
from verify.simulation.windows import Features, Suffixes, Tokens, suffix_types
from verify.transformer import Head, LimitTransformer
from verify.validation import Problem

Floats = NDArray[np.float64]

_CHUNK = 1 << 22
"""Numbers per step of the pass over x, so that memory stays bounded."""


def check_two_softmax_layers(f: LimitTransformer, name: str = "f") -> None:
    """Refuse models outside [derived, Theorem B4].

    Raises:
        WeightsError: not two layers, finite precision, or a lag bias in the second layer.
    """
    problems: list[Problem] = []
    if len(f.layers) != 2:
        problems.append((f"{name}.layers", len(f.layers), "2 layers"))
    elif any(head.lag_bias.any() for head in f.layers[1].heads):
        given = [head.lag_bias.tolist() for head in f.layers[1].heads]
        problems.append((f"{name}.layers[1] lag_bias", given, "zeros: no lag bias in layer 2"))
    if f.precision_bits is not None:
        allowed = "None: the theorem is about infinite precision"
        problems.append((f"{name}.precision_bits", f.precision_bits, allowed))
    if problems:
        raise WeightsError.of_all(problems)


def value_rank(head: Head) -> int:
    """Exact rank of the value matrix: its entries are dyadic rationals."""
    rows = [[_rational(v) for v in row] for row in head.value.tolist()]
    return int(fmpq_mat(rows).rank())


def attention_features(f: LimitTransformer, x: Tokens) -> tuple[Features, int]:
    """Ψ of all second-layer heads of f for the input x, and its dimension Σ rank V.

    Ψ is given in an orthonormal basis of the column space of each V, and up to a positive
    factor that depends on x alone.

    Raises:
        WeightsError: f is outside the theorem, or e^b leaves the range of float64.
    """
    check_two_softmax_layers(f)
    first = LimitTransformer(
        f.embedding, f.positions, f.layers[:1], np.eye(f.dimension), f.precision_bits
    )
    query = first(x)
    heads = [_Centred.of(head, query) for head in f.layers[1].heads]
    for outputs in _outputs_along(f, x):
        for head in heads:
            head.take(outputs)

    def features(suffixes: Suffixes, histogram: Floats) -> Floats:
        outputs = limit_outputs(f, suffixes, histogram[None])
        return np.concatenate([head.values(outputs) for head in heads], axis=1)

    return features, sum(head.basis.shape[1] for head in heads)


@dataclass
class _Centred:
    """One head: the running mean o* and the scale e^(max b) of what it has seen."""

    direction: Floats
    value: Floats
    basis: Floats
    peak: float
    mass: float
    mean: Floats

    @classmethod
    def of(cls, head: Head, query: Floats) -> _Centred:
        left, _, _ = np.linalg.svd(head.value)
        basis = left[:, : value_rank(head)]
        return cls(head.query_key @ query, head.value, basis, -np.inf, 0.0, np.zeros(len(query)))

    def take(self, outputs: Floats) -> None:
        """Add rows y to Σ e^{b(y)} and to the mean of V y under these weights."""
        logits = outputs @ self.direction
        peak = max(self.peak, float(logits.max()))
        weights = np.exp(logits - peak)
        kept = self.mass * np.exp(self.peak - peak) if self.mass else 0.0
        mass = kept + float(weights.sum())
        self.mean = (kept * self.mean + weights @ outputs @ self.value.T) / mass
        self.peak, self.mass = peak, mass

    def values(self, outputs: Floats) -> Floats:
        """Ψ(y) e^(−max b), for the rows y."""
        with np.errstate(over="ignore"):
            weights = np.exp(outputs @ self.direction - self.peak)
        if not np.isfinite(weights).all():
            raise WeightsError("layers[1] query_key", self.direction, "logits below 700 in size")
        scaled: Floats = weights[:, None] * ((outputs @ self.value.T - self.mean) @ self.basis)
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


def _rational(value: float) -> fmpq:
    """The exact value of a float."""
    numerator, denominator = value.as_integer_ratio()
    return fmpq(numerator, denominator)
