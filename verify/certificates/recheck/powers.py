"""Powers of lengths: which weights are dropped, exactly; the functions of T that weights are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter

import flint
import numpy as np

from bounds.precision import FLINT
from verify.certificates.recheck.intervals import Intervals, quotient
from verify.errors import CertificateError
from verify.model.weights import Floats

PRECISION = 96
_MOST_PRECISION = 1 << 15


def is_kept(gap: Fraction, length: int, bits: int) -> bool:
    """Return whether T^(−gap) > 2^(−bits), exactly: gap·log₂T < bits.

    log₂T is rational for powers of 2 only, so that an enclosure decides all other cases.
    """
    if gap <= 0 or length == 1:
        return True
    k = length.bit_length() - 1
    if length == 1 << k:
        return gap * k < bits
    precision = PRECISION
    while precision <= _MOST_PRECISION:
        with FLINT, flint.ctx.workprec(precision):
            left = flint.arb(gap.numerator) * flint.arb(length).log()
            excess = left - flint.arb(bits * gap.denominator) * flint.arb(2).log()
            if excess > 0 or excess < 0:
                return bool(excess < 0)
        precision *= 4
    raise CertificateError(f"T^(−gap) is too close to 2^(−{bits}) to be told from it")


def ball(number: Fraction) -> flint.arb:
    """Return a ball around a rational number."""
    return flint.arb(flint.fmpq(number.numerator, number.denominator))


def ends(x: flint.arb) -> tuple[float, float]:
    """Return float64 numbers around a ball."""
    if not x.is_finite():
        return -inf, inf
    return nextafter(float(x.lower()), -inf), nextafter(float(x.upper()), inf)


def _power(length: int | None, exponent: Fraction) -> tuple[float, float]:
    """Enclose T^exponent for an exponent ≤ 0; None: the limit."""
    if exponent == 0 or length == 1:
        return 1.0, 1.0
    if length is None:
        return 0.0, 0.0
    low, high = ends((ball(exponent) * flint.arb(length).log()).exp())
    return max(low, 0.0), min(high, 1.0)


@dataclass(frozen=True)
class Function:
    """factor · T^exponent · (T − over)/(T − under), exponent ≤ 0; without over or under T itself.

    Both parts are monotone where T > under and T ≥ over, which holds for all lengths of a piece.
    """

    exponent: Fraction
    over: int | None = None
    under: int | None = None
    factor: int = 1


class FunctionTable:
    """Some functions, and their values at lengths that were asked for."""

    def __init__(self) -> None:
        self.functions: list[Function] = []
        self._number: dict[Function, int] = {}
        self._rows: dict[int | None, Floats] = {}

    def number(self, function: Function) -> int:
        """Return the number of a function; a new one is entered."""
        if (function.over or 0) == (function.under or 0):
            function = Function(function.exponent, None, None, function.factor)
        if function not in self._number:
            self._number[function] = len(self.functions)
            self.functions.append(function)
        return self._number[function]

    def _row(self, length: int | None) -> Floats:
        if length not in self._rows:
            row = []
            for function in self.functions:
                ratio = (1.0, 1.0)
                if length is not None and function.over != function.under:
                    over, under = function.over or 0, function.under or 0
                    ratio = quotient(length - over, length - under)
                row.append((*_power(length, function.exponent), *ratio))
            self._rows[length] = np.array(row, dtype=float).reshape(-1, 4)
        return self._rows[length]

    def ranges(self, lengths: list[tuple[int, int | None]]) -> Intervals:
        """Return the ranges over T from first to last (None: no end), shape (cells, functions)."""
        with FLINT, flint.ctx.workprec(PRECISION):
            first = np.array([self._row(a) for a, _ in lengths])
            last = np.array([self._row(b) for _, b in lengths])
        power = Intervals(last[..., 0], first[..., 1])
        ratio = Intervals(
            np.minimum(first[..., 2], last[..., 2]), np.maximum(first[..., 3], last[..., 3])
        )
        factors = np.array([function.factor for function in self.functions], dtype=float)
        product = power * ratio * factors
        exact = (power.low == 1) & (power.high == 1) & (ratio.low == 1) & (ratio.high == 1)
        low = np.where(exact, factors, np.maximum(product.low, 0.0))
        return Intervals(low, np.where(exact, factors, product.high))
