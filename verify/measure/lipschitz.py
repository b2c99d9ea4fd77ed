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

A suffix position is a class of its own, (lag, type): the attention as a law on such classes is
finer than the law on types, so its total variation is no smaller and the same L_h holds. The lag
alone would not do, since two inputs with the same query have different values at one lag.

If types are compared by token and by residue apart, w = V_h(E_s − E_s′) and w = V_h(p_r − p_r′),
the same argument bounds |f(x) − f(z)| by the sum of both constants times the larger TV of the
two marginals, since V_h y depends on token and residue additively.

The average theorems need another constant, Λ = Σ_h Λ_h. They bound E‖o_h(x) − o_h(z)‖ by the
diameter of the head's values times a number ψ_h that does not depend on the norm, for every norm
from an inner product: the class mean fluctuates by D/√(2t) because a variance is at most half a
squared diameter. Only averages of values of any types enter, so any linear image of V_h y_t, t over
all types, may stand for the values. By the first proof, for every output o and all inputs at once,

    |f_o(x) − f_o(z)| ≤ Σ_h Σ_k c_ok |a_k·(o_h(x) − o_h(z))|,

k over the hidden units (a_k = A_k, c_ok = |(UB)_ok|) and over the outputs (a_o = U_o, c_oo = 1).
For any v_k > 0, Cauchy–Schwarz gives at most √(Σ_k (c_ok/v_k)²) times the norm of (v_k a_k·w)_k,
w the difference: for all outputs at once, and an inner product norm. Hence

    Λ_h = max over o of √(Σ_k (c_ok/v_k)²) · diameter of {(v_k a_k·V_h y_t)_k : t}      (weighted)

with v_k² = max_o c_ok / d_k, d_k the diameter of a_k·V_h y_t; for one output this is at most
Σ_k c_k d_k, the sum of the diameters of the affine pieces. The operator-norm form above is another
such constant, and so is the steepest slope on a line (a norm in one dimension). The least is used.
Each is at least L_h: for a pair of types both sides of Cauchy–Schwarz can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verify.measure import floats
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.line import line_lipschitz
from verify.measure.norms import rounded_up, weight_norm_up
from verify.measure.value_types import minimal_period, type_vectors
from verify.model.transformer import LimitTransformer

_PAIRS_AT_ONCE = 2048
_MOST_EXACT_TERMS = 3_000_000
"""Products up to which a maximum over pairs of types is exact; rounded up in floats beyond."""


@dataclass(frozen=True)
class HeadLipschitz:
    """Lipschitz constants of the output in one head's attention (ℓ∞ over outputs, TV).

    "Exact" means up to about 300 types; for larger models these are rounded up, relative excess
    below 10^−8 (see `verify.measure.floats`).

    Attributes:
        sharp: L_h in the sharp form, exact.
        operator: the operator-norm form, rounded up; never below `sharp`.
        marginal: for the marginals on tokens and on residues: the sharp form, or `slope` where
            that is less; exact.
        slope: for the only head of a model whose attention output moves along a line: the
            steepest slope, exact, never above `sharp` (see `verify.measure.line`); else None.
        euclidean: Λ_h of the average theorems, rounded up, never below `least`: Euclidean
            constant of what follows the attention times the diameter of the head's values, over
            several inner products the least.
    """

    sharp: Fraction
    operator: Fraction
    marginal: Fraction
    slope: Fraction | None
    euclidean: Fraction

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
    mlp = 1 + weight_norm_up(layer.mlp_in) * weight_norm_up(layer.mlp_out)
    operator_norm = response.unembedding.norms_up().largest() * mlp
    slope = line_lipschitz(f)
    constants = []
    for head in layer.heads:
        value = Dyadic.of(head.value).T
        values = types @ value
        marginal = response.largest(tokens @ value) + response.largest(residues @ value)
        operator = rounded_up(operator_norm * diameter_up(values))
        sharp = response.largest(values)
        # On a line the ranges of tokens and of residues add up to that of the types.
        marginal = marginal if slope is None else min(marginal, slope)
        euclidean = min(operator, response.weighted(values))
        euclidean = euclidean if slope is None else min(euclidean, slope)
        constants.append(HeadLipschitz(sharp, operator, marginal, slope, euclidean))
    return tuple(constants)


def diameter_up(points: Dyadic) -> Fraction:
    """Return an upper bound of the largest distance between two rows of (n, d)."""
    if points.shape[0] ** 2 * (points.shape[1] + 4) > _MOST_EXACT_TERMS:
        return floats.diameter(points)
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

    def largest(self, points: Dyadic) -> Fraction:
        """Return the largest sharp form over the differences of two rows of `points`, (n, d).

        Exact for up to `_MOST_EXACT_TERMS` products, beyond it rounded up.
        """
        direct = points @ self.unembedding.T
        hidden = points @ self.mlp_in.T
        outputs, units = direct.shape[1], hidden.shape[1]
        if points.shape[0] ** 2 * (outputs + 1) * (units + 1) / 2 > _MOST_EXACT_TERMS:
            return floats.largest_response(direct, hidden, self.gains)
        first, second = np.triu_indices(points.shape[0], 1)
        best = Fraction(0)
        for start in range(0, first.size, _PAIRS_AT_ONCE):
            i, j = first[start : start + _PAIRS_AT_ONCE], second[start : start + _PAIRS_AT_ONCE]
            moved = abs(direct[i] - direct[j]) + abs(hidden[i] - hidden[j]) @ self.gains
            best = max(best, moved.reshape(-1).largest())
        return best

    def weighted(self, points: Dyadic) -> Fraction:
        """Return Λ_h in the weighted form for the values `points`, (n, d), rounded up."""
        outputs = self.unembedding.shape[0]
        moved = concatenate([points @ self.unembedding.T, points @ self.mlp_in.T], axis=1)
        gains = concatenate([Dyadic.of(np.eye(outputs)), self.gains])
        sizes = (moved.max(axis=0) - moved.min(axis=0)).fractions()
        needs = gains.max(axis=1).fractions()
        kept = [k for k in range(len(sizes)) if sizes[k] and needs[k]]
        if not kept:
            return Fraction(0)
        scales = np.array([_root(needs[k] / sizes[k]) for k in kept])
        inverses = np.nextafter(1 / scales, math.inf)  # rounded up
        shares = gains[kept] * Dyadic.of(inverses[:, None])
        factor = (shares * shares).sum(axis=0).root_up().largest()
        return rounded_up(factor * diameter_up(moved[:, kept] * Dyadic.of(scales)))


def _root(value: Fraction) -> float:
    """Return about √value, as a number whose inverse is no subnormal either."""
    half = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    if abs(half) > 900:
        return math.ldexp(1.0, 900 if half > 0 else -900)
    return math.ldexp(math.sqrt(value / Fraction(4) ** half), half)
