"""The functions of the formulas, written so that `sympy.lambdify` makes NumPy code of them.

SymPy's own printers stack the arguments of Max and And in one array, which fails where a
number meets an array (Max up to SymPy 1.13, And in every version); they know no beta and no
Lambert W for NumPy alone, and print a complex one for SciPy. Here each class prints itself.

The classes keep SymPy's names, so that formulas read and typeset as before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import scipy.special
import sympy


class _Extreme:
    """Max and Min compare their arguments only where all of them are numbers."""

    def __new__(cls, *arguments: Any, evaluate: bool | None = None) -> Any:
        given = [sympy.sympify(argument) for argument in arguments]
        if evaluate is None:
            evaluate = all(argument.is_number for argument in given)
        if evaluate:  # by SymPy's class, whose rules ask for `cls == Min`
            value = cls._plain(*given)
            return cls(*value.args, evaluate=False) if isinstance(value, cls._plain) else value
        return super().__new__(cls, *given, evaluate=False)

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
        return f"{printer._module_format('bounds.functions.first_case')}({cases})"


class beta(sympy.beta):  # type: ignore[misc]  # noqa: N801  # the name is printed
    """B(a, b) = Γ(a)Γ(b)/Γ(a + b)."""

    def _numpycode(self, printer: Any) -> str:
        function = printer._module_format("bounds.functions.beta_of_floats")
        return f"{function}({_listed(self.args[:2], printer)})"


class LambertW(sympy.LambertW):  # type: ignore[misc]
    """Lambert's W on a real branch."""

    def _numpycode(self, printer: Any) -> str:
        function = printer._module_format("bounds.functions.real_lambert")
        return f"{function}({_listed(self.args, printer)})"


def first_case(*cases: tuple[Callable[[], Any], Callable[[], Any]]) -> Any:
    """The value of the first case that holds, element by element; nan where none does.

    A value is not computed where it is not asked for at all, and silently where it is
    asked for in some places: in the others it may divide by 0.
    """
    taken: Any = False
    result: Any = np.nan
    for condition, value in cases:
        here = np.logical_and(condition(), np.logical_not(taken))
        if np.any(here):
            with np.errstate(all="ignore"):
                result = np.where(here, value(), result)
        taken = np.logical_or(taken, here)
        if np.all(taken):
            break
    return result


def beta_of_floats(a: Any, b: Any) -> Any:
    """B(a, b) in floats."""
    return scipy.special.beta(a, b)


def real_lambert(argument: Any, branch: int = 0) -> Any:
    """Lambert's W in floats, on a branch where it is real."""
    return np.real(scipy.special.lambertw(argument, branch))


_ARRAY_FUNCTIONS: dict[Any, Any] = {
    sympy.Max: Max,
    sympy.Min: Min,
    sympy.Piecewise: Piecewise,
    sympy.beta: beta,
    sympy.LambertW: LambertW,
}


def as_array_function(function: Any) -> Any:
    """The class of this module that takes the place of SymPy's; others unchanged."""
    return _ARRAY_FUNCTIONS.get(function, function)


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
