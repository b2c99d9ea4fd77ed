"""The functions of the formulas, written so that `sympy.lambdify` makes NumPy code of them.

SymPy's own printers stack the arguments of Max and And in one array, which fails where a
number meets an array (Max up to SymPy 1.13, And in every version); they know no beta and no
Lambert W for NumPy alone, and print a complex one for SciPy. Here each class prints itself.

The classes keep SymPy's names, so that formulas read and typeset as before.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Any

import sympy
from sympy.multipledispatch import dispatch

from bounds.numbers import PRINTED_BITS, brief, written


class _Extreme:
    """Max and Min compare their arguments only where all of them are numbers."""

    args: tuple[Any, ...]
    _plain: Any
    _ufunc: str

    def __new__(cls, *arguments: Any, evaluate: bool | None = None) -> Any:
        given = [sympy.sympify(argument) for argument in arguments]
        if evaluate is None:
            evaluate = all(argument.is_number for argument in given)
        if evaluate:  # by SymPy's class, whose rules ask for `cls == Min`
            value = cls._plain(*given)
            return cls(*value.args, evaluate=False) if isinstance(value, cls._plain) else value
        return cls._plain.__new__(cls, *given, evaluate=False)

    def _numpycode(self, printer: Any) -> str:
        function = printer._module_format(f"numpy.{self._ufunc}")
        return _nested(function, [printer._print(argument) for argument in self.args])


class Max(_Extreme, sympy.Max):  # type: ignore[misc]  # SymPy is untyped
    """The largest of its arguments."""

    _plain, _ufunc = sympy.Max, "maximum"


class Min(_Extreme, sympy.Min):  # type: ignore[misc]
    """The least of its arguments."""

    _plain, _ufunc = sympy.Min, "minimum"


class Piecewise(sympy.Piecewise):  # type: ignore[misc]
    """The branch of the first condition that holds; nan where none does."""

    def _numpycode(self, printer: Any) -> str:
        cases = "".join(
            f"(lambda: {_condition(condition, printer)}, lambda: {printer._print(branch)}), "
            for branch, condition in self.args
        )
        return f"{printer._module_format('bounds.arrays.first_case')}({cases})"


class beta(sympy.beta):  # type: ignore[misc]
    """B(a, b) = Γ(a)Γ(b)/Γ(a + b)."""

    def _numpycode(self, printer: Any) -> str:
        function = printer._module_format("bounds.arrays.beta_of_floats")
        return f"{function}({_listed(self.args[:2], printer)})"


class LambertW(sympy.LambertW):  # type: ignore[misc]
    """Lambert's W on a real branch."""

    def _numpycode(self, printer: Any) -> str:
        function = printer._module_format("bounds.arrays.real_lambert")
        return f"{function}({_listed(self.args, printer)})"


class WrittenOut(sympy.NumberSymbol):  # type: ignore[misc]
    """A fraction with long numerator or denominator, which SymPy leaves standing.

    A Rational as exponent would be worked out: (2·x)^(10^6/3) with all digits of 2^(10^6/3).
    """

    is_real = True
    is_rational = True
    is_number = False  # SymPy would work out ⌈2^(10^9)⌉ to put the terms of a sum in order

    p: int
    q: int

    def __new__(cls, numerator: int, denominator: int) -> WrittenOut:
        """The fraction numerator/denominator, in lowest terms."""
        number: WrittenOut = super().__new__(cls)
        number.p, number.q = int(numerator), int(denominator)
        return number

    def __getnewargs__(self) -> tuple[int, int]:
        return self.p, self.q

    def __getstate__(self) -> None:
        return None

    def _hashable_content(self) -> tuple[int, int]:
        return self.p, self.q

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrittenOut) and (self.p, self.q) == (other.p, other.q)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.p, self.q))

    def as_rational(self) -> sympy.Rational:
        """The same number as SymPy's own."""
        return sympy.Rational(self.p, self.q)

    def _eval_is_positive(self) -> bool:
        return self.p > 0

    def _eval_is_negative(self) -> bool:
        return self.p < 0

    def _eval_is_integer(self) -> bool:
        return self.q == 1

    def _as_mpf_val(self, precision: int) -> Any:
        return self.as_rational()._as_mpf_val(precision)

    def _sympystr(self, printer: Any) -> str:
        text = written(Fraction(self.p, self.q))  # hexadecimal where Python writes no decimals
        return text if self.q == 1 else f"({text})"

    def _latex(self, printer: Any) -> str:
        if max(abs(self.p), self.q).bit_length() > PRINTED_BITS:
            power = brief(Fraction(self.p, self.q)).removeprefix("≈ ").replace("^", "^{") + "}"
            return rf"\approx {power}"
        text: str = printer._print(self.as_rational())
        return text


@dispatch(WrittenOut, (sympy.Rational, WrittenOut))
def _eval_is_ge(left: Any, right: Any) -> bool:
    return bool(left.p * right.q >= right.p * left.q)


@dispatch(sympy.Rational, WrittenOut)  # type: ignore[no-redef]
def _eval_is_ge(left: Any, right: Any) -> bool:
    return bool(left.p * right.q >= right.p * left.q)


_ARRAY_FUNCTIONS: dict[Any, Any] = {
    sympy.Max: Max,
    sympy.Min: Min,
    sympy.Piecewise: Piecewise,
    sympy.beta: beta,
    sympy.LambertW: LambertW,
}


def for_arrays(expression: Any) -> Any:
    """`expression` with the classes of this module in the place of SymPy's, as it is written."""
    done: dict[Any, Any] = {}

    def walk(part: Any) -> Any:
        if not part.args:
            return part
        if part not in done:
            function = _ARRAY_FUNCTIONS.get(part.func, part.func)
            kept = {"evaluate": False} if issubclass(function, _AS_WRITTEN) else {}
            done[part] = function(*(walk(argument) for argument in part.args), **kept)
        return done[part]

    return walk(expression)


_AS_WRITTEN = (sympy.Max, sympy.Min, sympy.Piecewise)


def _condition(condition: Any, printer: Any) -> str:
    """And and Or of numbers and arrays: two at a time, so that they broadcast."""
    for kind, name in ((sympy.And, "logical_and"), (sympy.Or, "logical_or")):
        if isinstance(condition, kind):
            parts = [_condition(part, printer) for part in condition.args]
            return _nested(printer._module_format(f"numpy.{name}"), parts)
    code: str = printer._print(condition)
    return code


def _nested(function: str, codes: list[str]) -> str:
    return reduce(lambda a, b: f"{function}({a}, {b})", codes)


def _listed(arguments: Any, printer: Any) -> str:
    return ", ".join(printer._print(argument) for argument in arguments)
