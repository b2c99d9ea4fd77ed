"""Exact arithmetic where the result is short: powers and roots of fractions, SymPy's algebra."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy
from flint import fmpz

from bounds.errors import NotComputable
from bounds.functions import as_array_function
from bounds.numbers import Exact, to_sympy

MAX_BITS = 100_000
"""No integer longer than this is ever built; beyond it only log2 is given."""


def exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """base**exponent if that is rational and not too long to write; otherwise None."""
    if base == 1:
        return base
    if base == 0:
        if exponent < 0:
            raise NotComputable("0 to a negative power")
        return base
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * size > MAX_BITS * exponent.denominator or base < 0:
        return base**exponent.numerator if exponent.denominator == 1 and size == 1 else None
    if exponent.denominator > 1:
        if exponent.denominator > 64 or size > MAX_BITS:
            return None
        numerator = _exact_root(base.numerator, exponent.denominator)
        denominator = _exact_root(base.denominator, exponent.denominator)
        if numerator is None or denominator is None:
            return None
        base = Fraction(numerator, denominator)
    return base**exponent.numerator


def _exact_root(number: int, degree: int) -> int | None:
    """The integer r with r**degree = number, if there is one (number ≥ 1)."""
    root = fmpz(number).root(degree)  # rounded down
    return int(root) if root**degree == number else None


def rational_in_disguise(
    formula: sympy.Basic, values: Mapping[sympy.Symbol, Exact]
) -> Fraction | None:
    """sqrt(2)·sqrt(8) is 4: SymPy's exact algebra sees what intervals cannot."""
    number = algebraic(formula, values)
    if isinstance(number, sympy.Rational) and number.is_finite:
        return Fraction(int(number.p), int(number.q))
    return None


def algebraic(formula: sympy.Basic, values: Mapping[sympy.Symbol, Exact]) -> sympy.Expr | None:
    """The formula with its values put in, by SymPy's exact arithmetic; None if that is not safe.

    Roundings and extremes are left out (SymPy decides them in floats), and so are
    powers too long to write.
    """
    if isinstance(formula, sympy.Symbol):
        value = values[formula]
        return to_sympy(value) if isinstance(value, Fraction) else algebraic(value, values)
    if formula.is_Atom:
        return formula
    if not isinstance(formula, (sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.log)):
        return None
    parts = []
    for argument in formula.args:
        part = algebraic(argument, values)
        if part is None:
            return None
        parts.append(part)
    if isinstance(formula, sympy.Pow) and _work(*parts) > MAX_BITS:
        return None
    return _logarithm(parts[0]) if isinstance(formula, sympy.log) else formula.func(*parts)


def _work(base: sympy.Expr, exponent: sympy.Expr) -> int:
    """Bits of the integers that SymPy builds on the way to base**exponent.

    For 28^(1/10^100) it writes 7^(10^100): the index of a root counts like a power.
    """
    if not isinstance(exponent, sympy.Rational):
        return 0
    return max(abs(int(exponent.p)), int(exponent.q)) * sum(
        max(int(factor.p).bit_length(), int(factor.q).bit_length())
        for factor in sympy.Mul.make_args(base)
        if isinstance(factor, sympy.Rational) and factor is not sympy.S.One
    )


def _logarithm(number: sympy.Expr) -> sympy.Expr:
    """log 8 as 3·log 2: so log(8)/log(2) is 3."""
    if isinstance(number, sympy.Rational) and number > 0:
        value = Fraction(int(number.p), int(number.q))
        size = max(value.numerator.bit_length(), value.denominator.bit_length())
        for degree in range(size if size <= 64 else 0, 1, -1):
            root = exact_power(value, Fraction(1, degree))
            if root is not None:
                return degree * sympy.log(to_sympy(root))
    return sympy.log(number)


def put_in(expression: sympy.Basic, where: Mapping[sympy.Symbol, sympy.Expr]) -> sympy.Basic:
    """`expression` with symbols replaced, until none of `where` is left.

    Extremes and cases stay as they are written: SymPy would compare their symbolic
    arguments with each other, which takes a minute for some theorems. So do powers of
    numbers that are too long to write, and what contains them. Functions that SymPy
    cannot print for NumPy become those of `bounds.functions`.
    """
    done: dict[sympy.Basic, sympy.Basic] = {}
    kept: set[sympy.Basic] = set()

    def walk(part: sympy.Basic) -> sympy.Basic:
        if part in where:
            return walk(where[part])
        if not part.args:
            return part
        if part not in done:
            done[part] = rebuild(part.func, [walk(argument) for argument in part.args])
        return done[part]

    def rebuild(function: Any, arguments: list[sympy.Basic]) -> sympy.Basic:
        function = as_array_function(function)
        if issubclass(function, _AS_WRITTEN):
            return function(*arguments, evaluate=False)
        long = function is sympy.Pow and _work(*arguments) > _LONGEST_POWER
        if not long and kept.isdisjoint(arguments):
            return function(*arguments)
        result = function(*arguments, evaluate=False)
        kept.add(result)
        return result

    return walk(expression)


_AS_WRITTEN = (sympy.Max, sympy.Min, sympy.Piecewise)

_LONGEST_POWER = 4096
"""Bits; a power of numbers beyond is left standing in a formula (cf. `_work`)."""
