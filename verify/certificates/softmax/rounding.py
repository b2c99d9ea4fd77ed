"""Exponentials and powers as rational numbers that are certainly on one side of the true ones.

Balls of 128 digits give them; they are rounded, to the safe side, to 64 digits. Exponents below
−2000 are not followed: 0 ≤ e^x ≤ e^−2000 is what is said of them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from flint import arb, fmpq

PRECISION = 128
"""Digits of the balls; callers set it."""

FLOOR = -2000
"""Exponents below are not followed."""

_DIGITS = 64


class Bounds(NamedTuple):
    """A positive number, from below and from above."""

    low: Fraction
    high: Fraction


def ball(number: Fraction | int) -> arb:
    """Return a ball around a rational number."""
    return arb(fmpq(*number.as_integer_ratio()))


def rounded_up(number: Fraction) -> Fraction:
    """Return the number in 64 binary digits, no less than it; it is ≥ 0."""
    return _rounded(number, up=True)


def rounded_down(number: Fraction) -> Fraction:
    """Return the number in 64 binary digits, no more than it; it is ≥ 0."""
    return _rounded(number, up=False)


def upper(number: arb) -> Fraction:
    """Return a rational upper bound of a ball."""
    return _exact(number.upper())


def lower(number: arb) -> Fraction:
    """Return a rational lower bound of a ball."""
    return _exact(number.lower())


def exponential(exponent: arb) -> Bounds:
    """Return e^x in 64 digits."""
    if exponent < FLOOR:
        return Bounds(Fraction(0), rounded_up(upper(arb(FLOOR).exp())))
    value = exponent.exp()
    return Bounds(rounded_down(max(lower(value), Fraction(0))), rounded_up(upper(value)))


def _exact(end: arb) -> Fraction:
    mantissa, exponent = (int(part) for part in end.mid().man_exp())
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def _rounded(number: Fraction, up: bool) -> Fraction:
    if number == 0:
        return number
    numerator, denominator = number.as_integer_ratio()
    shift = _DIGITS - numerator.bit_length() + denominator.bit_length()
    scaled = numerator << shift if shift >= 0 else numerator
    below = denominator if shift >= 0 else denominator << -shift
    whole = -(-scaled // below) if up else scaled // below
    return Fraction(whole, 1 << shift) if shift >= 0 else Fraction(whole << -shift)
