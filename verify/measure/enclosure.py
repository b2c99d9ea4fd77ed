"""A set that provably contains every output of the first layer, and exact bounds over it.

For a query of type a (a token at a residue) the residual stream after attention is in
y_a + Σ_h conv{V_h y_t}, t over all types: attention weights are ≥ 0 and sum to 1, in finite
inputs and in the limit. Over that set each hidden unit's input z_k = A_k·u + b_k lies between
exact bounds lo ≤ z_k ≤ hi (a linear function on a sum of simplices: extreme at vertices). For
any slope 0 ≤ s_k ≤ 1,

    0 ≤ relu(z) − s z ≤ max(0, −s·lo, (1 − s)·hi)      for lo ≤ z ≤ hi,

since the middle is convex in z, and at least 0 on both half lines. Hence every
output u + B relu(Au + b) is in

    𝒴_a = c_a + Σ_h conv{P_aht : t} + Σ_k [0, w_ak] B_k,
    c_a = y_a + B S_a (A y_a + b),  P_aht = (1 + B S_a A) V_h y_t,  S_a = diag(s_a),

with w_ak the bound on the right.

Units that keep their sign have s = 1 or 0 and w = 0: nothing is lost for them. All numbers are
dyadic and exact (slopes are rounded to a few bits, which any slope may be).

Let `cost` be sublinear and even: cost(p + q) ≤ cost(p) + cost(q), cost(rp) = |r| cost(p). Then
cost is convex, its supremum over a sum of polytopes is met at vertices, and for any choice of
middle points m_ah

    sup over 𝒴_a ≤ cost(c_a + ½ Σ_k w_ak B_k + Σ_h m_ah) + Σ_h max_t cost(P_aht − m_ah)
                   + ½ Σ_k w_ak cost(B_k).

Where the sets of vertices of the H simplices are small, all of them are tried and the second
term vanishes. Norms and oscillations (greatest minus least value of a linear functional over a
fixed set) are such costs, so the bilinear sup (y − y′)ᵀMq is bounded by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from verify.measure import floats
from verify.measure.dyadic import Dyadic, concatenate, maximum
from verify.measure.value_types import type_vectors
from verify.model.transformer import LimitTransformer

Cost = Callable[[Dyadic], Dyadic]
"""From points, (n, d), to costs, (n,): sublinear and even, or an upper bound of such a function."""

_SLOPE_STEPS = 1024
_MOST_VERTICES = 64
_MOST_POINTS = 1024
_MOST_EXACT_PRODUCTS = 5_000_000
_MOST_EXACT_STEPS = 20_000_000
_FLOATS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Reachable:
    """The sets 𝒴_a of k query types, or their image under a matrix.

    Attributes:
        centres: c, shape (k, d).
        points: P, shape (k, H, k, d).
        widths: w, shape (k, m).
        directions: the columns B_k as rows, shape (m, d).
    """

    centres: Dyadic
    points: Dyadic
    widths: Dyadic
    directions: Dyadic

    @property
    def dimension(self) -> int:
        """Dimension d of the space."""
        return self.centres.shape[1]

    def image(self, matrix: Dyadic) -> Reachable:
        """Return the sets of all `matrix` · y, for a matrix of shape (q, d)."""
        k, heads, _, d = self.points.shape
        points = (self.points.reshape(-1, d) @ matrix.T).reshape(k, heads, k, matrix.shape[0])
        return Reachable(self.centres @ matrix.T, points, self.widths, self.directions @ matrix.T)

    def ranges(self, functionals: Dyadic) -> tuple[Dyadic, Dyadic]:
        """Return exact bounds of functionalᵀy over each 𝒴_a.

        Args:
            functionals: (n, d).

        Returns:
            The least and the greatest values, (k, n) each.
        """
        mapped = self.image(functionals)
        steps = mapped.directions
        least = mapped.centres + mapped.points.min(axis=2).sum(axis=1)
        greatest = mapped.centres + mapped.points.max(axis=2).sum(axis=1)
        return (
            least - mapped.widths @ (-steps).positive_part(),
            greatest + mapped.widths @ steps.positive_part(),
        )

    def oscillation(self, functionals: Dyadic) -> Dyadic:
        """Return max − min of functionalᵀy over the union of all 𝒴_a, (n,), exactly.

        For many functionals, n times the number of points, the values are rounded up.
        """
        k, heads, _, d = self.points.shape
        if functionals.shape[0] * k * k * heads * d > _MOST_EXACT_PRODUCTS:
            return self._oscillation_up(functionals)
        least, greatest = self.ranges(functionals)
        return greatest.max(axis=0) - least.min(axis=0)

    def _oscillation_up(self, functionals: Dyadic) -> Dyadic:
        """Return upper bounds of the oscillations from float products.

        All vectors are scaled to |x| ≤ 1, directions after taking over the widths' power of two.
        With q = d + m + 2H + 4 the value of a functional at a centre, point or direction is off by
        at most 2d·u + d(d + 1)·1.01·u ≤ 2q²u. A least or greatest value is a sum of 1 + H + m < q
        such numbers, each at most d in size, off by at most 3q³u; an oscillation by at most 8q³u.
        """
        k, heads, _, d = self.points.shape
        flat = self.points.reshape(-1, d)
        weights, weight_exponent = floats.scaled(self.widths)
        directions = self.directions.times_power(weight_exponent)
        vectors, exponent = floats.scaled(concatenate([self.centres, flat, directions]))
        centres, points, steps = np.split(vectors, [k, k + flat.shape[0]])
        tests, test_exponent = floats.scaled(functionals)
        q = d + steps.shape[0] + 2 * heads + 4
        rows = max(1, _FLOATS_AT_ONCE // points.shape[0])
        found = []
        for start in range(0, tests.shape[0], rows):
            part = tests[start : start + rows].T
            at_points = (points @ part).reshape(k, heads, k, -1)
            at_steps = steps @ part
            base = centres @ part
            low = base + at_points.min(axis=2).sum(axis=1) - weights @ np.maximum(-at_steps, 0)
            high = base + at_points.max(axis=2).sum(axis=1) + weights @ np.maximum(at_steps, 0)
            found.append(high.max(axis=0) - low.min(axis=0))
        above = np.concatenate(found) + 8.0 * q**3 * floats.UNIT
        return Dyadic.of(np.nextafter(above, np.inf)).times_power(exponent + test_exponent)

    def supremum(self, cost: Cost) -> Fraction:
        """Return an upper bound of the cost over the union of all 𝒴_a."""
        centres, offsets = self._centred()
        k, n, d = centres.shape
        costs = cost(centres.reshape(-1, d)).reshape(k, n).max(axis=1)
        return (costs + self._rest(offsets, cost)).largest()

    def diameter_up(self) -> Fraction:
        """Return an upper bound of the largest distance between two reachable points."""
        centres, offsets = self._centred()
        k, n, d = centres.shape
        if k * n > _MOST_POINTS:
            centres, offsets = self._centred(vertices=False)
            n = 1
        flat = centres.reshape(-1, d)
        gram = flat @ flat.T
        squares = Dyadic(np.diagonal(gram.numerators), gram.exponent)
        distances = squares[:, None] + squares[None, :] - gram - gram
        between = distances.reshape(k, n, k, n).max(axis=3).max(axis=1).root_up()
        radii = self._rest(offsets, Dyadic.norms_up)
        by_points = (between + radii[:, None] + radii[None, :]).reshape(-1).largest()
        return min(by_points, self._box_up(difference=True))

    def norm_up(self) -> Fraction:
        """Return an upper bound of the largest norm of a reachable point."""
        return min(self.supremum(Dyadic.norms_up), self._box_up(difference=False))

    def _box_up(self, difference: bool) -> Fraction:
        """Return the norm of the coordinates' ranges (or of their greatest absolute values)."""
        least, greatest = self.ranges(Dyadic.of(np.eye(self.dimension)))
        if difference:
            sides = greatest.max(axis=0) - least.min(axis=0)
        else:
            sides = maximum(greatest.max(axis=0), (-least).max(axis=0))
        return sides.norms_up().largest()

    def _centred(self, vertices: bool = True) -> tuple[Dyadic, Dyadic]:
        """Return the points (k, n, d) at which costs are taken, and the heads' offsets around them.

        Either all vertices of the sum of the heads' simplices, with no offsets (H′ = 0), or one
        middle point and offsets (k, H′ = H, k, d). The directions' middles are included.
        """
        k, heads = self.points.shape[:2]
        half = Dyadic(np.asarray(1, dtype=object), 1)
        base = self.centres + half * (self.widths @ self.directions)
        if vertices and k**heads <= _MOST_VERTICES:
            index = np.array(list(product(range(k), repeat=heads)))
            corners = self.points[:, np.arange(heads)[None, :], index, :]
            return base[:, None, :] + corners.sum(axis=2), self.points[:, :0]
        middles = self.points.sum(axis=2) * Dyadic.of(1 / k)
        return (base + middles.sum(axis=1))[:, None, :], self.points - middles[:, :, None, :]

    def _rest(self, offsets: Dyadic, cost: Cost) -> Dyadic:
        """Return what the offsets and the directions add to the cost at most, (k,)."""
        half = Dyadic(np.asarray(1, dtype=object), 1)
        rest = half * (self.widths @ cost(self.directions).reshape(-1, 1))
        if offsets.shape[1] > 0:
            d = offsets.shape[-1]
            costs = cost(offsets.reshape(-1, d)).reshape(*offsets.shape[:-1])
            rest = rest + costs.max(axis=2).sum(axis=1).reshape(-1, 1)
        return rest.reshape(-1)


@dataclass(frozen=True)
class FirstLayer:
    """Vectors of a first layer, exactly, and where its hidden units change sign.

    Attributes:
        types: y, (k, d).
        values: V_h y_t, (H, k, d).
        mlp_in, mlp_bias, mlp_out: A, b, B of the MLP.
        low, high: bounds of the inputs of the hidden units, (k, m): by query type and unit.
    """

    types: Dyadic
    values: Dyadic
    mlp_in: Dyadic
    mlp_bias: Dyadic
    mlp_out: Dyadic
    low: Dyadic
    high: Dyadic

    @classmethod
    def of(cls, f: LimitTransformer) -> FirstLayer:
        """Return the first layer of a model."""
        layer, types = f.layers[0], type_vectors(f)
        values = concatenate(
            [(types @ Dyadic.of(head.value).T)[None, :, :] for head in layer.heads]
        )
        mlp_in, bias = Dyadic.of(layer.mlp_in), Dyadic.of(layer.mlp_bias)
        own = types @ mlp_in.T + bias
        heads, k, d = values.shape
        moved = (values.reshape(-1, d) @ mlp_in.T).reshape(heads, k, layer.hidden)
        low = own + moved.min(axis=1).sum(axis=0)
        high = own + moved.max(axis=1).sum(axis=0)
        return cls(types, values, mlp_in, bias, Dyadic.of(layer.mlp_out), low, high)

    def reachable(self) -> Reachable:
        """Return the sets 𝒴_a."""
        slopes = self._slopes()
        k, (heads, _, d) = self.types.shape[0], self.values.shape
        one = Dyadic.of(1)
        below = -(slopes * self.low)
        above = (one - slopes) * self.high
        widths = maximum(below, above).positive_part()
        own = slopes * (self.types @ self.mlp_in.T + self.mlp_bias)
        flat = self.values.reshape(-1, d)
        hidden = slopes[:, None, :] * (flat @ self.mlp_in.T)[None, :, :]
        moved = hidden.reshape(k * heads * k, hidden.shape[-1]) @ self.mlp_out.T
        return Reachable(
            centres=self.types + own @ self.mlp_out.T,
            points=(flat[None, :, :] + moved.reshape(k, -1, d)).reshape(k, heads, k, d),
            widths=widths,
            directions=self.mlp_out.T,
        )

    def _slopes(self) -> Dyadic:
        """Return s: 1 for units always on, 0 for units always off, else about hi/(hi − lo)."""

        def slope(low: int, high: int) -> float:
            if low >= 0 or high <= 0:
                return float(low >= 0)
            return round(_SLOPE_STEPS * high / (high - low)) / _SLOPE_STEPS

        low, high = concatenate([self.low[None], self.high[None]]).numerators
        return Dyadic.of(np.frompyfunc(slope, 2, 1)(low, high).astype(float))

    def steps_up(self) -> Dyadic:
        """Return how far an output moves, at most, if one head's attention moves all its weight.

        For query type a and head h, with w over V_h(y_t − y_t′): the output moves along the
        segment by at most sup ‖(1 + B S A) w‖ over diagonal S with entries 1 for units always
        on, 0 for units always off, in [0, 1] for the others; with ½ as middle that is at most
        ‖(1 + B S_½ A) w‖ + ½ Σ over the others of |A_k·w| ‖B_k‖. Returns (k, H), rounded up.

        Where many query types differ in these signs, all are given the same: those that no type
        contradicts, ½ for the others.
        """
        on = self.low.numerators >= 0
        changing = ~on & (self.high.numerators > 0)
        states = np.where(on, 1.0, np.where(changing, 0.5, 0.0)).reshape(on.shape)
        heads, k, d = self.values.shape
        first, second = np.triu_indices(k, 1)
        if first.size == 0:
            return Dyadic.of(np.zeros((k, heads)))
        distinct = len(np.unique(states, axis=0))
        if distinct * first.size * heads * (d + on.shape[1]) > _MOST_EXACT_STEPS:
            same = (states == states[:1]).all(axis=0)
            states = np.broadcast_to(np.where(same, states[:1], 0.5), states.shape)
        moves = (self.values[:, first] - self.values[:, second]).reshape(-1, d)
        hidden = moves @ self.mlp_in.T
        lengths = self.mlp_out.T.norms_up()
        found: dict[bytes, Dyadic] = {}
        for state in states:
            if state.tobytes() not in found:
                moved = moves + (Dyadic.of(state) * hidden) @ self.mlp_out.T
                loose = Dyadic.of(np.where(state == 0.5, 0.5, 0.0)) * lengths
                size = moved.norms_up() + (abs(hidden) @ loose.reshape(-1, 1)).reshape(-1)
                found[state.tobytes()] = size.reshape(heads, -1).max(axis=1)[None, :]
        return concatenate([found[state.tobytes()] for state in states])
