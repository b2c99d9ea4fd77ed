"""Arithmetic of the checkers: pairs (low, high) of rationals enclose logs and exponentials."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from verify.model.weights import Floats

ZERO, ONE = Fraction(0), Fraction(1)
_UNIT = 1 << 256  # enclosures are rounded outward to multiples of 1/_UNIT
FAR = 64  # T^b for a lag bias b beyond this is more than any number of positions


def exact(array: Floats) -> npt.NDArray[np.object_]:
    """Return the entries as Fractions."""
    return np.array([Fraction(x) for x in array.ravel().tolist()], dtype=object).reshape(
        array.shape
    )


def width(numbers: list[Fraction]) -> Fraction:
    """Return the range of some numbers; 0 of none."""
    return max(numbers) - min(numbers) if numbers else ZERO


def down(x: Fraction) -> Fraction:
    """Round down to a multiple of 1/_UNIT."""
    return Fraction(x.numerator * _UNIT // x.denominator, _UNIT)


def up(x: Fraction) -> Fraction:
    """Round up to a multiple of 1/_UNIT."""
    return -down(-x)


def _artanh(z: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose Σ z^n/n, n odd, 0 ≤ z ≤ 1/3; what is left out is ≤ 9/8 of its first term."""
    low, high, n, small, large = ZERO, ZERO, 1, down(z), up(z)
    while large > Fraction(1, _UNIT):
        low, high, n = low + down(small / n), high + up(large / n), n + 2
        small, large = down(small * z * z), up(large * z * z)
    return low, high + up(large * 9 / (8 * n))


@lru_cache(4096)
def log(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose ln x: x = 2^k m with 1 ≤ m < 2 where x ≥ 1, and ln m = 2 artanh((m−1)/(m+1))."""
    if x < 1:
        low, high = log(1 / x)
        return -high, -low
    k = int(x).bit_length() - 1
    m = x / 2**k
    two, rest = _artanh(Fraction(1, 3)), _artanh((m - 1) / (m + 1))
    return 2 * (k * two[0] + rest[0]), 2 * (k * two[1] + rest[1])


@lru_cache(4096)
def exp(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose e^x: where x > 0, halve x until it is ≤ 1/2, sum the series, square as often."""
    if x <= 0:
        low, high = exp(-x) if x else (ONE, ONE)
        return 1 / high, 1 / low
    halvings = int(x).bit_length() + 1
    below, above = down(x / 2**halvings), up(x / 2**halvings)
    low, high, n, small, large = ZERO, ZERO, 0, ONE, ONE
    while large > Fraction(1, _UNIT):
        low, high, n = low + small, high + large, n + 1
        small, large = down(small * below / n), up(large * above / n)
    high += 2 * large  # each further term is at most half of the one before
    for _ in range(halvings):
        low, high = down(low * low), up(high * high)
    return low, high


@lru_cache(4096)
def log2(number: int) -> tuple[Fraction, Fraction]:
    """Enclose log₂ of an integer ≥ 1; exact for powers of 2, the only ones where it is rational."""
    k = number.bit_length() - 1
    if number == 1 << k:
        return Fraction(k), Fraction(k)
    (low, high), two = log(Fraction(number)), log(Fraction(2))
    return low / two[1], high / two[0]


def power(base: int, exponent: Fraction) -> Fraction:
    """Return base^exponent from above, for base ≥ 1 and exponent ≥ 0."""
    return exp(exponent * log(Fraction(base))[1])[1]


def theta(kappa: Fraction, growth: Fraction) -> Fraction:
    """Return θ(κ, ρ) = tanh(κ ln(ρ)/4) from above, for ρ ≥ 1."""
    twice = kappa * log(growth)[1] / 2
    if twice > 1000:
        return ONE
    e = exp(twice)[1]
    return (e - 1) / (e + 1)


def reweighted(length: int, kappa: Fraction, delta: Fraction) -> Fraction:
    """Return ω̂(Z^κ, δ) = kδ/(1 + (k−1)δ), 1 for δ ≥ 1, from above."""
    if delta >= 1 or delta == 0:
        return min(delta, ONE)
    k = power(length, kappa)
    return k * delta / (1 + (k - 1) * delta)
