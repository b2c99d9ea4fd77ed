"""Arrays of intervals with float64 ends, rounded outward after every operation.

IEEE 754 rounds to nearest, so the next float64 below a computed low end is below the true one. An
end may be infinite: the interval is then unbounded, and its members are still finite numbers. So
0·∞ = 0, and where an operation says nothing (NaN) the end is infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verify.model.weights import Floats

_UNIT = 2.0**-52
_TINY = 1e-300  # more than what underflow can hide in a sum of 10⁶ products


def _down(x: Floats) -> Floats:
    """Return numbers below: |x|·2⁻⁵² is at least the distance of x to the next float64."""
    result: Floats = x - (np.abs(x) * _UNIT + _TINY)
    nothing = np.isnan(result)
    return np.where(nothing, -np.inf, result) if nothing.any() else result


def _up(x: Floats) -> Floats:
    return -_down(-x)


def _plain(x: Floats) -> Floats:
    """Return products, 0·∞ = 0."""
    nothing = np.isnan(x)
    return np.where(nothing, 0.0, x) if nothing.any() else x


@dataclass(frozen=True)
class Intervals:
    """Arrays of low and high ends, of one shape."""

    low: Floats
    high: Floats

    @property
    def middle(self) -> Floats:
        """Numbers near the middles, finite where the intervals are bounded."""
        return 0.5 * self.low + 0.5 * self.high

    def __getitem__(self, key: Any) -> Intervals:
        return Intervals(self.low[key], self.high[key])

    def __neg__(self) -> Intervals:
        return Intervals(-self.high, -self.low)

    def __add__(self, other: Intervals | Floats) -> Intervals:
        right = _intervals(other)
        return Intervals(_down(self.low + right.low), _up(self.high + right.high))

    def __sub__(self, other: Intervals | Floats) -> Intervals:
        return self + (-_intervals(other))

    def __mul__(self, other: Intervals | Floats) -> Intervals:
        if not isinstance(other, Intervals):
            corners = [_plain(self.low * other), _plain(self.high * other)]
        else:
            pairs = [(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
            corners = [_plain(a * b) for a, b in pairs]
        low, high = np.minimum(corners[0], corners[1]), np.maximum(corners[0], corners[1])
        for corner in corners[2:]:
            low, high = np.minimum(low, corner), np.maximum(high, corner)
        return Intervals(_down(low), _up(high))

    def times_positive(self, other: Intervals) -> Intervals:
        """Return the products by numbers that are not negative."""
        low = np.minimum(_plain(self.low * other.low), _plain(self.low * other.high))
        high = np.maximum(_plain(self.high * other.low), _plain(self.high * other.high))
        return Intervals(_down(low), _up(high))

    def over(self, positive: Intervals) -> Intervals:
        """Return the quotients by positive numbers, whose low ends may be 0."""
        inverse = Intervals(
            np.maximum(_down(1 / positive.high), 0.0), _up(1 / np.maximum(positive.low, 0.0))
        )
        return self.times_positive(inverse)

    def sum(self, axis: int) -> Intervals:
        """Return the sums along an axis: n terms err by less than n·2⁻⁵²·Σ|x|, in any order."""
        if self.low.shape[axis] == 1:
            return Intervals(*(end.squeeze(axis) for end in (self.low, self.high)))
        ends = []
        for end in (self.low, self.high):
            error = _up(end.shape[axis] * _UNIT * np.abs(end).sum(axis=axis))
            ends.append((end.sum(axis=axis), error))
        (low, below), (high, above) = ends
        return Intervals(_down(low - below), _up(high + above))

    def within(self, other: Intervals) -> Intervals:
        """Return the intersections; both enclose the same numbers."""
        return Intervals(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def positive(self) -> Intervals:
        """Return what is left above 0, of numbers known not to be negative."""
        return Intervals(np.maximum(self.low, 0.0), np.maximum(self.high, 0.0))


def point(x: Floats) -> Intervals:
    """Return intervals that are numbers."""
    return Intervals(x, x)


def _intervals(x: Intervals | Floats) -> Intervals:
    return x if isinstance(x, Intervals) else point(x)


def floats_around(number: Fraction) -> tuple[float, float]:
    """Return float64 numbers around a rational one, equal where it is one."""
    return quotient(number.numerator, number.denominator)


def quotient(a: int, b: int) -> tuple[float, float]:
    """Return float64 numbers around a/b, b > 0; Python rounds a quotient of integers correctly."""
    try:
        near = a / b
    except OverflowError:
        largest = float(np.finfo(float).max)
        return (largest, np.inf) if a > 0 else (-np.inf, -largest)
    numerator, denominator = near.as_integer_ratio()
    if numerator * b == a * denominator:
        return near, near
    return float(np.nextafter(near, -np.inf)), float(np.nextafter(near, np.inf))


def enclosed(numbers: Sequence[Fraction], shape: tuple[int, ...]) -> Intervals:
    """Return intervals around rational numbers."""
    ends = np.array([floats_around(x) for x in numbers], dtype=float).reshape(*shape, 2)
    return Intervals(ends[..., 0], ends[..., 1])


def matrix_product(left: Floats, right: Intervals) -> Intervals:
    """Return left @ right: n terms err by less than n·2⁻⁵²·Σ|x||y|, in any order, and radii."""
    middle, radius = right.middle, _up(right.high - right.low)
    size = np.abs(left)
    terms = left.shape[-1]
    error = _up((terms + 2) * _UNIT * (size @ (np.abs(middle) + radius)))
    error = _up(error + _up(size @ radius * (1 + 4 * terms * _UNIT)) + _TINY)
    product = left @ middle
    return Intervals(_down(product - error), _up(product + error))


def simplex_sum(coefficients: Intervals, low: Floats, high: Floats, total: Intervals) -> Intervals:
    """Enclose Σ x_t·c_t, along the last axis, for low ≤ x ≤ high with Σ x in `total`.

    For every number κ, Σ x c = κ·Σx + Σ x (c − κ): any κ gives a bound, and where κ is the
    coefficient at which the greedy solution stops it is the best one for c at its middle.
    """
    width = coefficients.low.shape[-1]
    if width == 1:
        return coefficients[..., 0] * total
    if width == 2:
        kappa = coefficients.middle[..., :1]
        kappa = np.where(np.isfinite(kappa), kappa, 0.0)
        return (Intervals(low, high) * (coefficients - kappa)).sum(-1) + total * kappa[..., 0]
    shape = np.broadcast_shapes(coefficients.low.shape, low.shape)
    c = Intervals(*(np.broadcast_to(end, shape) for end in (coefficients.low, coefficients.high)))
    box = Intervals(np.broadcast_to(low, shape), np.broadcast_to(high, shape))
    middle = c.middle
    middle = np.where(np.isfinite(middle), middle, 0.0)
    order = np.argsort(middle, axis=-1)
    sorted_room = np.take_along_axis(box.high - box.low, order, axis=-1)
    sorted_middle = np.take_along_axis(middle, order, axis=-1)
    ends = []
    for upward in (False, True):
        room = sorted_room[..., ::-1] if upward else sorted_room
        by = sorted_middle[..., ::-1] if upward else sorted_middle
        free = total.middle - box.low.sum(axis=-1)
        stop = np.minimum((np.cumsum(room, axis=-1) < free[..., None]).sum(-1), shape[-1] - 1)
        kappa = np.take_along_axis(by, stop[..., None], axis=-1)
        bound = (box * (c - kappa)).sum(-1) + total * kappa[..., 0]
        ends.append(bound.high if upward else bound.low)
    return Intervals(ends[0], ends[1])
