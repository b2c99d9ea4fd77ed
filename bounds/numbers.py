"""Exact numbers from what users type: nothing is ever rounded on the way in.

int, Fraction, Decimal, SymPy and FLINT numbers and strings such as "1/10" are exact;
a float stands for its shortest decimal, so 0.1 is 1/10 and not
3602879701896397/2**55. The same holds for floats of other widths: float32(0.1) is
1/10, the shortest decimal that float32 reads as it. An array without axes is its number.
"""

from __future__ import annotations

import math
import numbers
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import sympy
from flint import arb, fmpq, fmpz

Exact: TypeAlias = "Fraction | sympy.Expr"
"""A Fraction, or a real SymPy number that is not rational (sqrt(2), exp(1000), ...)."""


class Structure(ABC):
    """A parameter that is no single number, such as the constants of every layer."""

    @abstractmethod
    def brief(self) -> str:
        """For people, in one line."""

    @abstractmethod
    def data(self) -> Any:
        """Plain data for JSON, from which it can be read again."""


_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_RATIO = re.compile(r"[+-]?\d+\s*/\s*\d+")
_MAX_CHARACTERS = 1000
_SHORT_BITS = 200
_LONGEST_BITS = 40_000
PRINTED_BITS = 13_000  # about 4000 digits; Python prints no more than 4300


def exact(value: Any) -> Exact:
    """The exact number that `value` stands for.

    Args:
        value: int, Fraction, Decimal, float of any width (NumPy's, bfloat16), string, SymPy
            or FLINT number (an `arb` only if it is a single number), or a NumPy or JAX
            array without axes that holds one of them.

    Raises:
        ValueError: not a number, not finite, not real, or a bool. The message says
            what is allowed; the caller adds the argument's name.
    """
    if getattr(value, "ndim", None) == 0 and hasattr(value, "__array__"):
        value = _only_entry(value)
    if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}:
        raise ValueError("a number, not a truth value")
    if type(value).__name__ == "timedelta64":  # NumPy counts it among the integers
        raise ValueError("a number without a unit")
    for kinds, reader in _READERS:
        if isinstance(value, kinds):
            return reader(value)
    if _is_narrow_float(value):
        return _from_narrow_float(value)
    raise ValueError('an int, float, Fraction, SymPy number or a string such as "1/10"')


def _only_entry(array: Any) -> Any:
    """The entry of an array without axes.

    Raises:
        ValueError: it is masked, or cannot be read (a traced value of JAX).
    """
    if hasattr(array, "mask"):
        raise ValueError("a number, not a masked array")
    try:
        return array.__array__()[()]
    except (TypeError, ValueError, RuntimeError):
        raise ValueError("a number that can be read; this array has none (yet)") from None


def _from_decimal(value: Decimal) -> Fraction:
    if not value.is_finite():
        raise ValueError("a finite number")
    if abs(value.adjusted()) > 10**4:
        raise ValueError("a number with at most four digits in its exponent")
    return Fraction(value)


def _from_arb(value: arb) -> Fraction:
    if not value.is_finite():
        raise ValueError("a finite number")
    if not value.is_exact():
        raise ValueError("an arb that is a single number, not an interval")
    mantissa, exponent = (int(part) for part in value.man_exp())
    if abs(exponent) > _LONGEST_BITS:
        raise ValueError(f"an arb with an exponent of at most {_LONGEST_BITS} bits")
    return mantissa * Fraction(2) ** exponent


def _from_real(value: Any) -> Fraction:
    """A float of any kind that its own digits determine: NumPy's of other widths, mpmath's."""
    text = repr(float(value)) if isinstance(value, float) else str(value)
    if text.lstrip("+-").lower() in {"inf", "nan", "infinity"}:
        raise ValueError("a finite number")
    if _DECIMAL.fullmatch(text) and type(value)(text) == value:
        return Fraction(text)
    raise ValueError("a number that its printed digits determine; give them as a string")


def _is_narrow_float(value: Any) -> bool:
    """bfloat16 and the like of ml_dtypes: NumPy scalars that no abstract class of numbers knows."""
    if isinstance(value, numbers.Complex):
        return False
    return getattr(value, "ndim", None) == 0 and hasattr(value, "__float__")


def _from_narrow_float(value: Any) -> Fraction:
    """The shortest decimal that the type of `value` reads as it."""
    try:
        number, kind = float(value), type(value)
    except (TypeError, ValueError):
        raise ValueError("a real number") from None
    if not math.isfinite(number):
        raise ValueError("a finite number")
    for digits in range(1, 18):
        text = f"{number:.{digits}g}"
        if kind(float(text)) == value:
            return Fraction(text)
    raise ValueError("a number that its printed digits determine; give them as a string")


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
        if abs(value._mpf_[2]) > PRINTED_BITS:  # the binary exponent
            raise ValueError("a SymPy Float of at most 4000 digits")
        return Fraction(str(value))
    if isinstance(value, sympy.Rational) and value.is_finite:
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, sympy.Expr) and value.is_number and value.is_real and value.is_finite:
        return value
    raise ValueError("a finite real SymPy number without free symbols")


_READERS: tuple[tuple[Any, Callable[[Any], Exact]], ...] = (
    (fmpq, lambda value: Fraction(int(value.p), int(value.q))),
    (fmpz, lambda value: Fraction(int(value))),
    (arb, _from_arb),
    (sympy.Basic, _from_sympy),
    (numbers.Integral, lambda value: Fraction(int(value))),
    (numbers.Rational, lambda value: Fraction(int(value.numerator), int(value.denominator))),
    (Decimal, _from_decimal),
    (str, _from_text),
    (numbers.Real, _from_real),
)
"""How each kind of number is read; the first that fits counts."""


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


def brief(value: Exact | Structure) -> str:
    """For people: exact where that is short, otherwise rounded and marked with ≈."""
    if isinstance(value, Structure):
        return value.brief()
    if not isinstance(value, Fraction):
        text = str(value) if value.count_ops() < 20 and not _long_inside(value) else ""
        return text if 0 < len(text) < 60 else f"≈ {value.evalf(6)!s}"
    if _bits(value) <= _SHORT_BITS:
        return str(value)
    power = math.log10(abs(value.numerator)) - math.log10(value.denominator)
    if abs(power) < 300:
        return f"≈ {float(value):.6g}"
    return f"≈ {'-' if value < 0 else ''}10^{power:.6g}"


def written(value: Exact | Structure) -> Any:
    """For files: exact, in hexadecimal where decimal digits would be too many."""
    if isinstance(value, Structure):
        return value.data()
    if not isinstance(value, Fraction):
        return brief(value) if _long_inside(value) else str(value)
    if max(value.numerator.bit_length(), value.denominator.bit_length()) < PRINTED_BITS:
        return str(value)
    return f"{hex(value.numerator)}/{hex(value.denominator)}"


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _long_inside(value: sympy.Expr) -> bool:
    return any(
        max(int(x.p).bit_length(), int(x.q).bit_length()) > PRINTED_BITS
        for x in value.atoms(sympy.Rational)
    )
