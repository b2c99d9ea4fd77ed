"""What the balanced map keeps for softmax models of any depth, as functions of suffix and block.

Of every head of a middle layer that sees the prefix: π(Y) ⊗ (1, V Y) for the frozen states
Y = Y^{l−1}_k(w) and the monomials π up to a degree at which they give e^{b} within η. Of every
such head of the last layer: Ψ*(Y) = e^{b(Y)}(V Y − o*), with the true last query of the long input
([derived, Theorem D, step 3]).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from bounds.depth_constants import LayerConstants
from bounds.depth_error import taylor
from verify.measure.dyadic import Dyadic
from verify.model.transformer import LimitTransformer
from verify.simulation.softmax.blocks import BlockPlan
from verify.simulation.softmax.deep_states import Floats, LimitStates, Tokens, limit_attention
from verify.simulation.softmax.first_layer import regime
from verify.simulation.softmax.windows import Features, Piece

_MOST_EXCESS = 300.0
"""Larger logits above those along x are cut: no bound is left there."""


def deep_features(
    f: LimitTransformer,
    constants: tuple[LayerConstants, ...],
    x: Tokens,
    plan: BlockPlan,
    tolerance: int,
) -> Features:
    """The features of f for the input x, (N, m) at the N suffixes of a piece.

    Args:
        f: P ≥ 2 layers in infinite precision.
        constants: of its layers.
        x: (T,) tokens.
        plan: the blocks.
        tolerance: log2 η.
    """
    along = LimitStates.along(f, x)
    parts = [
        (layer - 1, _polynomials(f, layer, head, _degree(constants, layer, head, tolerance), along))
        for layer in range(2, len(f.layers))
        for head in range(len(constants[layer - 1].heads))  # none in a layer that only pads
        if regime(f.layers[layer - 1].heads[head]) != "position dominant"
    ]
    parts += [
        (len(f.layers) - 1, part) for part in _last(f, along, _last_query(f, x)) if part is not None
    ]

    def features(piece: Piece) -> Floats:
        mass = prefix_mass(plan, piece.number)
        states: dict[int, Floats] = {}
        found = [np.zeros((len(piece.suffixes.residues), 0))]
        for layer, part in parts:
            if layer not in states:
                suffixes = piece.suffixes
                states[layer] = along.frozen(layer, suffixes.tokens, suffixes.residues, mass)
            found.append(part(states[layer]))
        return np.concatenate(found, axis=1)

    return features


def prefix_mass(plan: BlockPlan, k: int) -> Floats:
    """How much of every position of x lies before the end of block k, in units of a position."""
    periods = np.arange(plan.units) * plan.short_units
    inside = np.clip(plan.end(k) - periods, 0, plan.short_units) / plan.short_units
    mass: Floats = np.repeat(inside[inside > 0], plan.period)
    return mass


def _degree(constants: tuple[LayerConstants, ...], layer: int, head: int, tolerance: int) -> int:
    return taylor(constants[layer - 1].heads[head].logit_range, tolerance)[0]


def _last_query(f: LimitTransformer, x: Tokens) -> Floats:
    """q* = y^{P−1}_T, the true query of the last layer."""
    below = LimitTransformer(
        f.embedding, f.positions, f.layers[:-1], np.eye(f.dimension), f.precision_bits
    )
    query: Floats = below(x)
    return query


def _polynomials(
    f: LimitTransformer, layer: int, head: int, degree: int, along: LimitStates
) -> Callable[[Floats], Floats]:
    """π(Y) ⊗ (1, V Y) without the constant, in coordinates of the order of 1 along x."""
    weights = f.layers[layer - 1].heads[head]
    states = along.states[layer - 1]
    score, value = (
        _Coordinates.of(weights.query_key, states),
        _Coordinates.of(weights.value.T, states),
    )
    terms = [
        term
        for size in range(degree + 1)
        for term in combinations_with_replacement(range(score.dimension), size)
    ]

    def features(outputs: Floats) -> Floats:
        s, v = score(outputs), value(outputs)
        columns = [s[:, list(term)].prod(axis=1) for term in terms]
        monomials: Floats = np.stack(columns, axis=1)
        products = monomials[:, :, None] * v[:, None, :]
        found: Floats = np.concatenate([monomials[:, 1:], products.reshape(len(s), -1)], axis=1)
        return found

    return features


@dataclass(frozen=True)
class _Coordinates:
    """Affine coordinates of the states on which a matrix depends, between −1 and 1 along x."""

    basis: Floats
    centre: Floats
    scale: Floats

    @classmethod
    def of(cls, matrix: Floats, states: Floats) -> _Coordinates:
        """Coordinates on the column space of `matrix`: y ↦ matrixᵀ y depends on these alone."""
        left, _, _ = np.linalg.svd(matrix)
        basis = left[:, : Dyadic.of(matrix).rank()]
        seen = states @ basis
        low, high = seen.min(axis=0), seen.max(axis=0)
        scale = np.where(high > low, (high - low) / 2, 1.0)
        return cls(basis, (low + high) / 2, scale)

    @property
    def dimension(self) -> int:
        return int(self.basis.shape[1])

    def __call__(self, outputs: Floats) -> Floats:
        found: Floats = (outputs @ self.basis - self.centre) / self.scale
        return found


def _last(
    f: LimitTransformer, along: LimitStates, query: Floats
) -> list[Callable[[Floats], Floats] | None]:
    """Ψ* of every head of the last layer, scaled; None of one that sees no prefix."""
    states = along.states[-1]
    total = len(states)
    log_mass = np.full(total, -np.log(total))

    def atoms(lag: int) -> Floats:
        there: Floats = states[max(total - 1 - lag, 0)]
        return there[None]

    found: list[Callable[[Floats], Floats] | None] = []
    for head in f.layers[-1].heads:
        if regime(head) == "position dominant":
            found.append(None)
            continue
        mean = limit_attention(head, query[None], atoms, states, log_mass)[0]
        left, _, _ = np.linalg.svd(head.value)
        basis = left[:, : Dyadic.of(head.value).rank()]
        value, direction = basis.T @ head.value, head.query_key @ query
        peak = float((states @ direction).max())
        spread = float(np.ptp(states @ value.T, axis=0).max(initial=0.0)) or 1.0

        def part(
            outputs: Floats,
            value: Floats = value,
            direction: Floats = direction,
            mean: Floats = mean,
            peak: float = peak,
            spread: float = spread,
        ) -> Floats:
            weights = np.exp(np.minimum(outputs @ direction - peak, _MOST_EXCESS))
            scaled: Floats = weights[:, None] * ((outputs - mean) @ value.T) / spread
            return scaled

        found.append(part)
    return found
