"""Exact arithmetic where the result is short: powers and roots of fractions, SymPy's algebra."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import sympy
from flint import fmpz

from bounds.errors import NotComputable
from bounds.functions import WrittenOut
from bounds.numbers import Exact, to_sympy

MAX_BITS = 100_000
"""No integer longer than this is ever built; beyond it only log2 is given."""

_FACTORED_BITS = 8192
"""SymPy is asked for a root only if index × bits are at most these; it factors such numbers."""

_FACTORS = 256
"""So many factors at most are multiplied for a beta function that is rational."""


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
    if not isinstance(formula, (sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.log, sympy.beta)):
        return None
    parts = []
    for argument in formula.args:
        part = algebraic(argument, values)
        if part is None:
            return None
        parts.append(part)
    if isinstance(formula, sympy.Pow):
        return _algebraic_power(*parts)
    if isinstance(formula, sympy.beta):
        return _algebraic_beta(*parts[:2])
    return _logarithm(parts[0]) if isinstance(formula, sympy.log) else formula.func(*parts)


def _algebraic_power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr | None:
    if base.is_Rational and exponent.is_Rational:
        found = exact_power(*(Fraction(int(x.p), int(x.q)) for x in (base, exponent)))
        if found is not None:
            return to_sympy(found)
    if not _is_short(base, exponent):
        return None
    try:
        return base**exponent
    except OverflowError:  # SymPy takes log2 of integers beyond 2^1024 in floats
        return None


def _is_short(base: sympy.Expr, exponent: sympy.Expr) -> bool:
    """Whether SymPy meets no integer of more than `MAX_BITS` on its way to base**exponent.

    For (3/28)^(1/q) it writes 7^(q−1) and looks for its factors: the index of a root counts
    like a power.
    """
    if not isinstance(exponent, sympy.Rational):
        return True
    parts = (int(x) for number in base.atoms(sympy.Rational) for x in (number.p, number.q))
    bits = (part.bit_length() for part in parts if abs(part) != 1)
    size = max(bits, default=1) if base.is_Rational else sum(bits)
    power, index = abs(int(exponent.p)), int(exponent.q)
    return power * size <= MAX_BITS * index and (index == 1 or index * size <= _FACTORED_BITS)


def _algebraic_beta(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr | None:
    if not (isinstance(a, sympy.Rational) and isinstance(b, sympy.Rational)):
        return None
    found = rational_beta(*(Fraction(int(x.p), int(x.q)) for x in (a, b)))
    return None if found is None else to_sympy(found)


def rational_beta(a: Fraction, b: Fraction) -> Fraction | None:
    """B(n, b) = (n − 1)!/(b(b + 1)⋯(b + n − 1)) for a small integer n; otherwise None."""
    for n, other in ((a, b), (b, a)):
        size = max(other.numerator.bit_length(), other.denominator.bit_length())
        if n.denominator == 1 and 0 < n <= _FACTORS and n * size <= MAX_BITS and other > 0:
            factors = (other + i for i in range(int(n)))
            return Fraction(math.factorial(int(n) - 1)) / math.prod(factors, start=Fraction(1))
    return None


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
    arguments with each other, which takes a minute for some theorems. A fraction with
    long parts goes in as `WrittenOut`: SymPy would put 2^(10^300) in digits.
    """
    done: dict[sympy.Basic, sympy.Basic] = {}

    def walk(part: sympy.Basic) -> sympy.Basic:
        if part in where:
            value = where[part]
            if isinstance(value, sympy.Rational) and max(abs(value.p), value.q) > _SHORT:
                return WrittenOut(value.p, value.q)
            return walk(value)
        if not part.args:
            return part
        if part not in done:
            kept = {"evaluate": False} if isinstance(part, _AS_WRITTEN) else {}
            done[part] = part.func(*(walk(argument) for argument in part.args), **kept)
        return done[part]

    return walk(expression)


_AS_WRITTEN = (sympy.Max, sympy.Min, sympy.Piecewise)

_SHORT = 64
"""Numerators and denominators up to this are put in as SymPy's own numbers."""
