"""Exact numbers from what users type: nothing is ever rounded on the way in.

int, Fraction, Decimal, SymPy numbers and strings such as "1/10" are exact;
a float stands for its shortest decimal, so 0.1 is 1/10 and not
3602879701896397/2**55.
"""

from __future__ import annotations

import math
import numbers
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import sympy

Exact: TypeAlias = "Fraction | sympy.Expr"
"""A Fraction, or a real SymPy number that is not rational (sqrt(2), exp(1000), ...)."""

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_RATIO = re.compile(r"[+-]?\d+\s*/\s*\d+")
_MAX_CHARACTERS = 1000
_SHORT_BITS = 200
_PRINTED_BITS = 13_000  # about 4000 digits; Python prints no more than 4300


def exact(value: Any) -> Exact:
    """The exact number that `value` stands for.

    Raises:
        ValueError: not a number, not finite, not real, or a bool. The message says
            what is allowed; the caller adds the argument's name.
    """
    if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}:
        raise ValueError("a number, not a truth value")
    if isinstance(value, numbers.Integral):
        return Fraction(int(value))
    if isinstance(value, Fraction):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("a finite number")
        if abs(value.adjusted()) > 10**4:
            raise ValueError("a number with at most four digits in its exponent")
        return Fraction(value)
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, sympy.Basic):
        return _from_sympy(value)
    if isinstance(value, numbers.Real):  # float, numpy floating
        if not math.isfinite(float(value)):
            raise ValueError("a finite number")
        return Fraction(str(value))
    raise ValueError('an int, float, Fraction, SymPy number or a string such as "1/10"')


def _from_text(text: str) -> Fraction:
    text = text.strip()
    if len(text) <= _MAX_CHARACTERS and (_DECIMAL.fullmatch(text) or _RATIO.fullmatch(text)):
        try:
            return Fraction(text.replace(" ", ""))
        except ZeroDivisionError:
            raise ValueError("a number with a denominator that is not zero") from None
    raise ValueError('a string such as "3", "1/10", "0.1" or "1e-3"')


def _from_sympy(value: sympy.Basic) -> Exact:
    if isinstance(value, sympy.Float):
        if abs(value._mpf_[2]) > _PRINTED_BITS:  # the binary exponent
            raise ValueError("a SymPy Float of at most 4000 digits")
        return Fraction(str(value))
    if isinstance(value, sympy.Rational) and value.is_finite:
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, sympy.Expr) and value.is_number and value.is_real and value.is_finite:
        return value
    raise ValueError("a finite real SymPy number without free symbols")


def to_sympy(value: Exact) -> sympy.Expr:
    """The same number as a SymPy object."""
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return value


def plain(value: Exact) -> Any:
    """int where the number is one, otherwise unchanged: for results and JSON."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    return value


def brief(value: Exact) -> str:
    """For people: exact where that is short, otherwise rounded and marked with ≈."""
    if not isinstance(value, Fraction):
        text = str(value) if value.count_ops() < 20 and not _long_inside(value) else ""
        return text if 0 < len(text) < 60 else f"≈ {value.evalf(6)}"
    if _bits(value) <= _SHORT_BITS:
        return str(value)
    power = math.log10(abs(value.numerator)) - math.log10(value.denominator)
    if abs(power) < 300:
        return f"≈ {float(value):.6g}"
    return f"≈ {'-' if value < 0 else ''}10^{power:.6g}"


def written(value: Exact) -> str:
    """For files: exact, in hexadecimal where decimal digits would be too many."""
    if not isinstance(value, Fraction):
        return brief(value) if _long_inside(value) else str(value)
    if max(value.numerator.bit_length(), value.denominator.bit_length()) < _PRINTED_BITS:
        return str(value)
    return f"{hex(value.numerator)}/{hex(value.denominator)}"


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _long_inside(value: sympy.Expr) -> bool:
    return any(
        max(int(x.p).bit_length(), int(x.q).bit_length()) > _PRINTED_BITS
        for x in value.atoms(sympy.Rational)
    )
