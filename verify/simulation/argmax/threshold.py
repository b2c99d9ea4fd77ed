"""From which length on finite precision is hardmax: ⌈2^(p/γ)⌉, exactly and at once."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, ctx, fmpq

from bounds.precision import FLINT

_GUARD_BITS = 64


def hardmax_threshold(precision_bits: int, margin: Fraction) -> int:
    """Return ⌈2^(p/γ)⌉, the least T with γ·log₂T ≥ p.

    Where p/γ is an integer the power is exact. Else it is irrational (an integer power of it is a
    power of 2, and it is none), and intervals of growing precision leave a single ceiling.

    Args:
        precision_bits: p ≥ 1.
        margin: γ > 0; time and memory grow with p/γ, the number of bits of the result.
    """
    exponent = precision_bits / margin
    if exponent.denominator == 1:
        return 1 << exponent.numerator
    digits = int(exponent) + _GUARD_BITS
    while True:
        with FLINT, ctx.workprec(digits):
            power = arb(2) ** arb(fmpq(exponent.numerator, exponent.denominator))
            ceiling = power.ceil().unique_fmpz()
        if ceiling is not None:
            return int(ceiling)
        digits *= 2
