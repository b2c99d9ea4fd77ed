"""Factors of the probabilities of counts, as float64 with a proved relative error.

Probabilities of counts are products of terms such as p^c/c! and Γ(θ+c)/(Γ(θ)c!), which leave the
range of float64 for counts beyond a few hundred. Here each is m·2^e with a float64 m in [½, 1) and
an integer e, so products need neither logarithms nor exponentials.

**Rounding.** Let u = 2^−53. Every 64th entry is computed to 2^−60 in ball arithmetic and rounded
once: a relative error ≤ 2u. Between them an entry is the one before, times (θ+i) or p, divided by
i+1 where there is a factorial. θ and p are rounded once, and the sum, the quotient and the product
round once each: at most 4u + 10u² a step (i + 1 ≤ 2^53 is exact). So all entries are within
(2 + 63·4)u(1 + 10^−13) of the truth, relatively; `ERROR` is 256u.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import flint
import numpy as np
import numpy.typing as npt

from bounds.precision import FLINT

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNIT = 2.0**-53
ERROR = 256 * UNIT
"""Bound on the relative error of every entry of a table."""

_STEP = 64
_DIGITS = 60


@dataclass(frozen=True)
class Table:
    """Numbers t(0), t(1), … ≥ 0: t(c) = mantissa[c]·2^exponent[c], up to a relative ERROR."""

    mantissa: Floats
    exponent: Integers


@lru_cache(maxsize=24)
def powers(probability: Fraction, largest: int) -> Table:
    """Return p^c/c! for c = 0..largest."""
    if probability == 0:
        mantissa = np.zeros(largest + 1)
        mantissa[0] = 0.5
        exponent = np.zeros(largest + 1, dtype=np.int64)
        exponent[0] = 1
        return Table(mantissa, exponent)

    def anchor(c: int) -> flint.arb:
        return c * _ball(probability).log() - flint.arb(c + 1).lgamma()

    value = float(probability)
    return _table(largest, anchor, lambda i: value / (i + 1))


@lru_cache(maxsize=24)
def binomial(theta: Fraction, largest: int) -> Table:
    """Return Γ(θ+c)/(Γ(θ)c!) for c = 0..largest."""

    def anchor(c: int) -> flint.arb:
        ball = _ball(theta)
        return (ball + c).lgamma() - ball.lgamma() - flint.arb(c + 1).lgamma()

    value = float(theta)
    return _table(largest, anchor, lambda i: (value + i) / (i + 1))


@lru_cache(maxsize=24)
def rising(theta: Fraction, largest: int) -> Table:
    """Return Γ(θ+c)/Γ(θ) for c = 0..largest."""

    def anchor(c: int) -> flint.arb:
        ball = _ball(theta)
        return (ball + c).lgamma() - ball.lgamma()

    value = float(theta)
    return _table(largest, anchor, lambda i: value + i)


@lru_cache(maxsize=8)
def inverse_factorials(largest: int) -> Table:
    """Return 1/c! for c = 0..largest."""

    def anchor(c: int) -> flint.arb:
        return -flint.arb(c + 1).lgamma()

    return _table(largest, anchor, lambda i: 1 / (i + 1))


def of_logarithm(logarithm: Callable[[], flint.arb]) -> tuple[float, int]:
    """Return m and e with m·2^e = exp(logarithm) up to a relative 2u.

    Args:
        logarithm: computes the ball; called again with more digits until they are enough.
    """
    digits = 2 * _DIGITS
    while True:
        with FLINT, flint.ctx.workprec(digits):
            value = logarithm().exp()
            if value.rel_accuracy_bits() >= _DIGITS:
                mantissa, exponent = value.mid().man_exp()
                size = int(mantissa).bit_length()
                # The quotient of two integers is rounded correctly.
                return int(mantissa) / (1 << size), int(exponent) + size
        digits *= 2


def _table(
    largest: int, anchor: Callable[[int], flint.arb], ratio: Callable[[Floats], Floats]
) -> Table:
    first = np.arange(0, largest + 1, _STEP)
    mantissa = np.empty((first.size, _STEP))
    exponent = np.empty((first.size, _STEP), dtype=np.int64)
    for row, c in enumerate(first.tolist()):
        mantissa[row, 0], exponent[row, 0] = of_logarithm(lambda c=c: anchor(c))  # type: ignore[misc]
    for step in range(1, _STEP):
        product = mantissa[:, step - 1] * ratio((first + (step - 1)).astype(np.float64))
        mantissa[:, step], change = np.frexp(product)
        exponent[:, step] = exponent[:, step - 1] + change
    return Table(mantissa.ravel()[: largest + 1], exponent.ravel()[: largest + 1])


def _ball(number: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(number.numerator, number.denominator))
