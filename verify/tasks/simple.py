"""SimpleTask: sin(ω(c₀ − c₁)/(c₀ + c₁)), one layer, no positions; harder as ω grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from flint import arb, ctx, fmpq

from bounds.precision import FLINT
from verify.errors import InputError
from verify.model.summary import summarise
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

_DEFAULT_ERROR = Fraction(1, 2**10)
_MOST_PIECES = 2**18
_GRID = 2**40
"""Values of the sine are rounded to multiples of 1/_GRID, so that all weights are exact."""


@dataclass(frozen=True)
class SimpleTask:
    """The target sin(ω(c₀ − c₁)/(c₀ + c₁)), c_s = count of token s, and weights that realise it.

    One head with equal logits averages +1 for token 0 and −1 for token 1; the ReLU network
    interpolates u ↦ sin(ωu) linearly between equally spaced knots of [−1, 1].
    Source: [izzo2025, section 6, SimpleTask].

    Attributes:
        omega: ω > 0.
        resolution: number of linear pieces, a power of two.
        precision_bits: p of the model (it does not matter to equal logits).
    """

    omega: float
    resolution: int
    precision_bits: int

    @property
    def uniform_error(self) -> float:
        """Proved bound on |target(x) − transformer(x)| over all inputs x, in exact arithmetic.

        With pieces of width h, linear interpolation of u ↦ sin(ωu), whose second derivative is
        at most ω², errs by at most ω²h²/8. The values at the knots are within 2⁻⁴⁰ of the sine,
        which adds at most 2⁻⁴⁰ between them as well. Rounded up.
        """
        width = Fraction(2, self.resolution)
        error = (Fraction(self.omega) * width) ** 2 / 8 + Fraction(1, _GRID)
        return math.nextafter(float(error), math.inf)

    def target(self, x: npt.ArrayLike) -> float:
        """Return the target on the tokens x, (T,) integers 0 or 1.

        Raises:
            InputError: x is no such sequence.
        """
        summary = summarise(x, 2, 1, 0)
        counts = summary.counts[0] + np.bincount(summary.suffix, minlength=2)
        return self.target_of_counts(counts.tolist())

    def target_of_counts(self, counts: Sequence[int]) -> float:
        """Return the target where token 0 occurs counts[0] times and token 1 counts[1] times.

        Raises:
            InputError: not two integers ≥ 0 with a positive sum.
        """
        c0, c1 = _two_counts(counts)
        return math.sin(self.omega * float(Fraction(c0 - c1, c0 + c1)))

    @cached_property
    def transformer(self) -> LimitTransformer:
        """Explicit weights, |Σ| = 2, Δ = 1, τ = 0; coordinates: token sign, average, output."""
        value = np.zeros((3, 3))
        value[1, 0] = 1.0
        head = Head(query_key=np.zeros((3, 3)), value=value, lag_bias=np.zeros(1))
        knots, heights = self._interpolation()
        slopes = np.diff(heights) / np.diff(knots)
        # Hidden unit 0 is the constant 1; unit j > 0 is relu(u − knot j), which bends the slope.
        mlp_in = np.zeros((self.resolution + 1, 3))
        mlp_in[1:, 1] = 1.0
        mlp_bias = np.concatenate([[1.0], -knots[:-1]])
        mlp_out = np.zeros((3, self.resolution + 1))
        mlp_out[2] = np.concatenate([heights[:1], slopes[:1], np.diff(slopes)])
        return LimitTransformer(
            embedding=np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]),
            positions=np.zeros((1, 3)),
            layers=(Layer((head,), mlp_in, mlp_bias, mlp_out),),
            unembedding=np.array([[0.0, 0.0, 1.0]]),
            precision_bits=self.precision_bits,
        )

    def _interpolation(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Knots and heights; both dyadic, so that slopes and their differences are exact too."""
        pieces = self.resolution
        knots = [Fraction(2 * j - pieces, pieces) for j in range(pieces + 1)]
        with FLINT, ctx.workprec(128 + max(0, math.frexp(self.omega)[1])):
            heights = [_rounded_sine(Fraction(self.omega) * knot) for knot in knots]
        return np.array([float(k) for k in knots]), np.array(heights)


def simple(omega: float, *, resolution: int | None = None, precision_bits: int = 8) -> SimpleTask:
    """Return SimpleTask with frequency ω.

    Args:
        omega: ω, finite and positive.
        resolution: number of linear pieces of the sine, a power of two; by default the least
            for which the interpolation errs by at most 2⁻¹⁰.
        precision_bits: p ≥ 1 of the model.

    Raises:
        InputError: an argument is not usable, or ω needs more than 2¹⁸ pieces by default.
        WeightsError: precision_bits is not usable.
    """
    frequency = _positive(omega)
    if resolution is None:
        resolution = _default_resolution(frequency)
    power = isinstance(resolution, int | np.integer) and not isinstance(resolution, bool)
    if not power or not 1 <= resolution <= _MOST_PIECES or resolution & (resolution - 1):
        raise InputError("resolution", resolution, f"a power of two from 1 to {_MOST_PIECES}")
    return SimpleTask(frequency, int(resolution), precision_bits)


def _default_resolution(omega: float) -> int:
    pieces = 2
    while Fraction(omega) ** 2 / (2 * pieces**2) > _DEFAULT_ERROR:
        pieces *= 2
        if pieces > _MOST_PIECES:
            raise InputError("omega", omega, f"a frequency that {_MOST_PIECES} pieces can follow")
    return pieces


def _rounded_sine(angle: Fraction) -> float:
    """sin(angle) within 2⁻⁴⁰, as a multiple of 2⁻⁴⁰."""
    sine = arb(fmpq(angle.numerator, angle.denominator)).sin()
    # Half a unit of the grid from rounding the midpoint, far less from the enclosure's radius.
    nearest = (sine.mid() * _GRID + arb(0.5)).mid().floor().mid()
    return float(nearest) / _GRID


def _positive(omega: Any) -> float:
    allowed = "a finite number > 0"
    if isinstance(omega, bool | np.bool_) or not isinstance(
        omega, int | float | Fraction | np.integer | np.floating
    ):
        raise InputError("omega", omega, allowed)
    try:
        frequency = float(omega)
    except OverflowError:
        raise InputError("omega", omega, allowed) from None
    if not (math.isfinite(frequency) and frequency > 0):
        raise InputError("omega", omega, allowed)
    return frequency


def _two_counts(counts: Any) -> tuple[int, int]:
    values = list(counts) if isinstance(counts, Sequence | np.ndarray) else []
    whole = all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in values)
    if len(values) != 2 or not whole or min(values) < 0 or sum(values) == 0:
        raise InputError("counts", counts, "two integers, at least 0, not both 0")
    return int(values[0]), int(values[1])
