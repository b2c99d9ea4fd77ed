"""Upper bounds of operator norms and of interval results, always rounded up."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy
from flint import arb, arb_mat, ctx, fmpq

from bounds.precision import FLINT
from verify.errors import WeightsError
from verify.measure import floats
from verify.measure.dyadic import Dyadic

PRECISION = 256
"""Bits of all interval arithmetic on constants; exponents up to about 10^60 are resolved."""

_SQUARINGS = 30
_KEPT_BITS = 64
_LARGEST_PLAIN_LOG2 = 1024
_LARGEST_POWERED = 24
"""Sides of matrices up to which powers are taken; eigenvectors in floats beyond."""


def operator_norm_up(matrix: Dyadic) -> Fraction:
    """Return an upper bound of the operator norm ‖A‖₂, relative error below 10^−8.

    Each of three bounds is valid, and the least is taken: the Frobenius norm (exact for rank
    one); √(‖A‖₁‖A‖_∞) (exact for diagonal matrices); and ‖G^n‖_F^(1/2n), G = AᵀA, n = 2^30,
    since ‖G^n‖₂ = ‖A‖₂^(2n) ≤ ‖G^n‖_F ≤ √d ‖A‖₂^(2n). Large matrices have, in place of the third,
    a bound from approximate eigenvectors (`verify.measure.floats.operator_norm`).
    """
    if 0 in matrix.shape or not matrix.numerators.any():
        return Fraction(0)
    frobenius = matrix.reshape(-1).norms_up().largest()
    size = abs(matrix)
    mixed = (size.sum(axis=0).max(0) * size.sum(axis=1).max(0)).root_up().largest()
    small = min(matrix.shape) <= _LARGEST_POWERED
    sharp = _power_bound(matrix) if small else floats.operator_norm(matrix)
    return min(frobenius, mixed) if sharp is None else min(frobenius, mixed, sharp)


def weight_norm_up(weights: npt.NDArray[np.float64]) -> Fraction:
    """Return `operator_norm_up` of weights; kept, as several constants read the same matrix."""
    if 0 in weights.shape:
        return Fraction(0)
    floats64 = np.ascontiguousarray(weights, dtype=np.float64)
    return _weight_norm_up(floats64.tobytes(), floats64.shape)


@lru_cache(maxsize=64)
def _weight_norm_up(data: bytes, shape: tuple[int, ...]) -> Fraction:
    return operator_norm_up(Dyadic.of(np.frombuffer(data).reshape(shape)))


def _power_bound(matrix: Dyadic) -> Fraction | None:
    """Return ‖(AᵀA)^n‖_F^(1/2n) with n = 2^30, rounded up; None where its digits are too few."""
    gram = matrix.T @ matrix if matrix.shape[1] <= matrix.shape[0] else matrix @ matrix.T
    size = gram.shape[0]
    with FLINT, ctx.workprec(PRECISION):
        power = arb_mat(size, size, [arb(n) for n in gram.numerators.ravel().tolist()])
        for _ in range(_SQUARINGS):
            power = power * power
        squares = sum((entry * entry for entry in power.entries()), arb(0))
        # log ‖A‖ = log(Σ squares) / 2^(squarings + 2) − exponent · log(2) / 2
        # Where entries differ by hundreds of decades, a ball may reach 0: its upper end is enough.
        log = squares.upper().log() / (1 << (_SQUARINGS + 2)) - arb(2).log() * gram.exponent / 2
        bound = log.exp()
        return up(bound) if bound.is_finite() else None


def interval(value: Fraction | int) -> Any:
    """Return an `arb` that contains the rational number."""
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


def up(value: Any) -> Fraction:
    """Return a Fraction of at most 65 significant bits that is ≥ the interval `value`."""
    mantissa, exponent = value.upper().man_exp()
    number, power = int(mantissa), int(exponent)
    return rounded_up(Fraction(number) * Fraction(2) ** power)


def rounded_up(value: Fraction) -> Fraction:
    """Return the number itself if it is short, else one ≥ it, relative difference < 2^−63."""
    if max(abs(value.numerator), value.denominator).bit_length() <= _KEPT_BITS or value == 0:
        return value
    excess = abs(value.numerator).bit_length() - value.denominator.bit_length() - _KEPT_BITS
    unit = Fraction(2) ** excess
    return -((-value) // unit) * unit


def keyword(value: Any, *, positive: bool = True) -> Fraction | sympy.Expr:
    """Return an upper bound of an interval, as a number that `bounds` takes exactly.

    A Fraction where it is below 2^1024; beyond that exp(q) with a rational q, which no one
    multiplies out. Where it has to be positive, as a complexity has, zero becomes 2^−64.
    """
    with FLINT, ctx.workprec(PRECISION):
        least = arb(2) ** -_KEPT_BITS
        bound = value.upper()
        if not positive and bound == 0:
            return Fraction(0)
        if not bound > least:
            return Fraction(1, 2**_KEPT_BITS)
        log = bound.log()
        if log < _LARGEST_PLAIN_LOG2 * arb(2).log():
            return up(bound)
        exponent = up(log)
        return sympy.exp(sympy.Rational(exponent.numerator, exponent.denominator))


def log_up(value: Any) -> float | None:
    """Return the natural logarithm of an interval as a float rounded up; None for 0.

    Raises:
        WeightsError: it has no end, as e^R has where R is a logit range of 10^300.
    """
    with FLINT, ctx.workprec(PRECISION):
        bound = value.upper()
        if not bound.is_finite():
            found = "logits whose range R is so large that e^R cannot be bounded"
            raise WeightsError("query_key", found, "smaller weights")
        return float_up(up(bound.log())) if bound > 0 else None


def float_up(value: Fraction) -> float:
    """Return the least float64 that is ≥ the number, or the next one."""
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -sys.float_info.max
    return number if Fraction(number) >= value else math.nextafter(number, math.inf)


def largest(values: list[Any]) -> Any:
    """Return an interval that holds the largest of the numbers in these intervals."""
    with FLINT, ctx.workprec(PRECISION):
        found = values[0]
        for value in values[1:]:
            found = found.max(value)
        return found
