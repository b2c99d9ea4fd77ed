"""Lipschitz constants of a one-layer output in the attention, from the weights.

For inputs with the same query, |f(x) − f(z)| ≤ Σ_h L_h TV(π_h(x), π_h(z)), where π_h is the
attention of head h as a law on types, |·| the largest output and TV the total variation. With
w = V_h(y_t − y_t′) for two types t, t′, U the unembedding and A, B the MLP's weights,

    L_h = max over outputs o and pairs t, t′ of |U_o·w| + Σ_k |(UB)_ok| |A_k·w|     (sharp form)
        ≤ max_o ‖U_o‖ (1 + ‖B‖ ‖A‖) max ‖w‖                                    (operator norms).

Proof: by an optimal coupling of the laws, the attention outputs differ by Σ_h Σ κ_h w_h with
weights κ_h ≥ 0 of sum TV_h. Along the straight segment between the two residual streams the
output is piecewise linear, with derivative U_o·w + Σ_k (UB)_ok 1[unit k on] A_k·w in direction w;
its absolute value is at most the sharp form. The second line is Cauchy–Schwarz, twice:
Σ_k |(UB)_ok||A_k·w| ≤ ‖BᵀU_o‖ ‖Aw‖. [derived, Theorem 1: L from the weights]

If types are compared by token and by residue apart, w = V_h(E_s − E_s′) and w = V_h(p_r − p_r′),
the same argument bounds |f(x) − f(z)| by the sum of both constants times the larger TV of the
two marginals, since V_h y depends on token and residue additively.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verify.measure.dyadic import Dyadic
from verify.measure.line import line_lipschitz
from verify.measure.norms import operator_norm_up, rounded_up
from verify.measure.value_types import minimal_period, type_vectors
from verify.model.transformer import LimitTransformer

_PAIRS_AT_ONCE = 2048


@dataclass(frozen=True)
class HeadLipschitz:
    """Lipschitz constants of the output in one head's attention (ℓ∞ over outputs, TV).

    Attributes:
        sharp: L_h in the sharp form, exact.
        operator: the operator-norm form, rounded up; never below `sharp`.
        marginal: for the marginals on tokens and on residues: the sharp form, or `slope` where
            that is less; exact.
        slope: for the only head of a model whose attention output moves along a line: the
            steepest slope, exact, never above `sharp` (see `verify.measure.line`); else None.
    """

    sharp: Fraction
    operator: Fraction
    marginal: Fraction
    slope: Fraction | None

    @property
    def least(self) -> Fraction:
        """The least constant known: `slope` where there is one, else `sharp`."""
        return self.sharp if self.slope is None else self.slope


def head_lipschitz(f: LimitTransformer) -> tuple[HeadLipschitz, ...]:
    """Return the constants of the heads of the only layer, in their order."""
    layer = f.layers[0]
    response = Response(Dyadic.of(f.unembedding), Dyadic.of(layer.mlp_in), Dyadic.of(layer.mlp_out))
    types, tokens = type_vectors(f), Dyadic.of(f.embedding)
    residues = Dyadic.of(f.positions[: minimal_period(f)])
    operator_norm = response.operator_norm()
    constants = []
    for head in layer.heads:
        value = Dyadic.of(head.value).T
        values = types @ value
        marginal = response.largest(tokens @ value) + response.largest(residues @ value)
        operator = rounded_up(operator_norm * diameter_up(values))
        sharp = response.largest(values)
        slope = line_lipschitz(f)
        # On a line the ranges of tokens and of residues add up to that of the types.
        marginal = marginal if slope is None else min(marginal, slope)
        constants.append(HeadLipschitz(sharp, operator, marginal, slope))
    return tuple(constants)


def diameter_up(points: Dyadic) -> Fraction:
    """Return an upper bound of the largest distance between two rows of (n, d)."""
    gram = points @ points.T
    squares = Dyadic(np.diagonal(gram.numerators), gram.exponent)
    distances = squares[:, None] + squares[None, :] - gram - gram
    return distances.reshape(-1).max(0).root_up().largest()


class Response:
    """How far the outputs move, at most, when the residual stream moves by a difference."""

    def __init__(self, unembedding: Dyadic, mlp_in: Dyadic, mlp_out: Dyadic) -> None:
        """Take U, shape (o, d); A, shape (m, d); B, shape (d, m)."""
        self.unembedding = unembedding
        self.mlp_in, self.mlp_out = mlp_in, mlp_out
        self.gains = abs(unembedding @ mlp_out).T

    def operator_norm(self) -> Fraction:
        """Return max_o ‖U_o‖ (1 + ‖B‖ ‖A‖), rounded up."""
        mlp = 1 + operator_norm_up(self.mlp_in) * operator_norm_up(self.mlp_out)
        return self.unembedding.norms_up().largest() * mlp

    def largest(self, points: Dyadic) -> Fraction:
        """Return the largest sharp form over the differences of two rows of `points`, (n, d)."""
        direct = points @ self.unembedding.T
        hidden = points @ self.mlp_in.T
        first, second = np.triu_indices(points.shape[0], 1)
        best = Fraction(0)
        for start in range(0, first.size, _PAIRS_AT_ONCE):
            i, j = first[start : start + _PAIRS_AT_ONCE], second[start : start + _PAIRS_AT_ONCE]
            moved = abs(direct[i] - direct[j]) + abs(hidden[i] - hidden[j]) @ self.gains
            best = max(best, moved.reshape(-1).largest())
        return best
