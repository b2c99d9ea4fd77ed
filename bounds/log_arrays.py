"""Formulas over NumPy arrays in log space: a number is its sign and log2 of its size.

Floats throughout, so nothing here is certified; but 2^24000 is a number like any other. Only
`LengthBound.function` imports this module, so that `import bounds` needs no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import sympy
from sympy.core.relational import Relational

from bounds.errors import NotComputable, ParameterError, Problem
from bounds.functions import WrittenOut
from bounds.numbers import exact
from bounds.parameters import Parameter

_TIED = 1e-13
"""Numbers whose log2 differ by less, relative to it or absolutely, count as equal."""
_WHOLE = 50
"""log2 from which on a float is its own rounding."""
_FLOATS = 1000
"""log2 up to which numbers are floats."""
_STEPS = 40
"""Newton steps for Lambert's W."""


class Signed(NamedTuple):
    """Numbers as sign (−1, 0, 1) and log2 of the size (−∞ for 0)."""

    sign: Any
    log: Any


def evaluate(
    expression: sympy.Expr, rows: Sequence[Parameter], arrays: Sequence[Any], up: bool
) -> Any:
    """log2 of the expression, rounded to an integer, element by element.

    nan outside the domains of the parameters and where the expression is negative; −inf at 0.

    Raises:
        ParameterError: an entry is no number.
    """
    known: dict[sympy.Symbol, Signed] = {}
    inside: Any = True
    for row, array in zip(rows, arrays, strict=True):
        known[row.symbol], values = _read(row, array)
        inside = np.logical_and(inside, _in_domain(row, values, known[row.symbol]))
    with np.errstate(all="ignore"):
        result = _rounded(np.ceil if up else np.floor)(_Walk(known)(expression))
        logs = np.where(result.sign > 0, result.log, np.where(result.sign == 0, -np.inf, np.nan))
        return np.where(inside, logs, np.nan)[()]


def point_by_point(value: Callable[..., float], arrays: Sequence[Any]) -> Any:
    """`value` of every combination of entries, with NumPy's broadcasting."""
    entries = np.broadcast_arrays(*[np.asarray(array, dtype=object) for array in arrays])
    found = [value(*point) for point in zip(*(e.ravel() for e in entries), strict=True)]
    return np.array(found, dtype=float).reshape(entries[0].shape)[()]


def _read(row: Parameter, array: Any) -> tuple[Signed, Any]:
    values = np.asarray(array)
    if values.dtype.kind in "iuf":
        floats = values.astype(float)
        with np.errstate(all="ignore"):
            return Signed(np.sign(floats), np.log2(np.abs(floats))), floats
    try:
        numbers = [exact(value) for value in values.ravel().tolist()]
    except ValueError as problem:
        raise ParameterError([Problem(row.keyword, array, f"numbers; {problem}")]) from None
    parts = [_constant(sympy.sympify(number)) for number in numbers]
    sign = np.array([p.sign for p in parts], dtype=float).reshape(values.shape)
    log = np.array([p.log for p in parts], dtype=float).reshape(values.shape)
    floats = np.array([_as_float(number) for number in numbers]).reshape(values.shape)
    return Signed(sign, log), floats


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _in_domain(row: Parameter, values: Any, number: Signed) -> Any:
    lower = float(row.lower)
    inside = (number.sign > 0) if row.lower_open and lower == 0 else values >= lower
    if row.upper is not None:
        upper = float(row.upper)
        inside = inside & ((values < upper) if row.upper_open else (values <= upper))
    if row.kind == "integer":
        inside = inside & ((number.log > _WHOLE) | (values == np.floor(values)))
    return inside


class _Walk:
    """One walk over an expression, with every part worked out once."""

    def __init__(self, known: Mapping[sympy.Symbol, Signed]) -> None:
        self.done: dict[sympy.Basic, Signed] = dict(known)

    def __call__(self, part: sympy.Basic) -> Signed:
        if part not in self.done:
            self.done[part] = self.value(part)
        return self.done[part]

    def value(self, part: Any) -> Signed:
        if not part.args:
            return _constant(part)
        if isinstance(part, sympy.Piecewise):
            return self.first_case(part)
        arguments = [self(argument) for argument in part.args]
        for kind, rule in _RULES.items():
            if isinstance(part, kind):
                return rule(*arguments)
        raise NotComputable(f"no rule for {type(part).__name__} over arrays")

    def first_case(self, part: sympy.Basic) -> Signed:
        """The branch of the first condition that holds."""
        result = Signed(np.nan, np.nan)
        taken: Any = False
        for branch, condition in part.args:
            here = np.logical_and(self.holds(condition), np.logical_not(taken))
            if np.any(here):
                value = self(branch)
                result = Signed(
                    np.where(here, value.sign, result.sign), np.where(here, value.log, result.log)
                )
            taken = np.logical_or(taken, here)
        return result

    def holds(self, condition: Any) -> Any:
        if condition in (sympy.true, sympy.false):
            return condition is sympy.true
        if isinstance(condition, (sympy.And, sympy.Or)):
            join = np.logical_and if isinstance(condition, sympy.And) else np.logical_or
            return reduce(join, [self.holds(part) for part in condition.args])
        if not isinstance(condition, Relational):
            raise NotComputable(f"no rule for the condition {condition} over arrays")
        sign = _compare(self(condition.lhs), self(condition.rhs))
        tests: Mapping[Any, Callable[[Any], Any]] = {
            sympy.Lt: lambda s: s < 0,
            sympy.Le: lambda s: s <= 0,
            sympy.Gt: lambda s: s > 0,
            sympy.Ge: lambda s: s >= 0,
            sympy.Eq: lambda s: s == 0,
            sympy.Ne: lambda s: s != 0,
        }
        return tests[type(condition)](sign)


def _constant(number: sympy.Basic) -> Signed:
    if isinstance(number, (sympy.Rational, WrittenOut)):
        p, q = int(number.p), int(number.q)
        if p == 0:
            return Signed(0.0, -np.inf)
        short = max(abs(p), q).bit_length() < _FLOATS
        log = math.log2(abs(p) / q) if short and p / q else math.log2(abs(p)) - math.log2(q)
        return Signed(float(np.sign(p)) if abs(p) < 2**60 else (1.0 if p > 0 else -1.0), log)
    value = sympy.N(number, 20)
    if not value.is_real:
        raise NotComputable(f"{number} is no real number")
    size = float(sympy.N(sympy.log(abs(value)) / sympy.log(2), 20)) if value else -np.inf
    return Signed(float(sympy.sign(value)), size)


def _floats(number: Signed) -> Any:
    """As floats, ±inf where they are beyond."""
    with np.errstate(all="ignore"):
        return np.where(number.sign == 0, 0.0, number.sign * np.exp2(number.log))


def _signed(values: Any) -> Signed:
    return Signed(np.sign(values), np.log2(np.abs(values)))


def _add(*numbers: Signed) -> Signed:
    return reduce(_sum, numbers)


def _sum(a: Signed, b: Signed) -> Signed:
    """By floats where both are floats of moderate size; otherwise by log2."""
    high, low = np.maximum(a.log, b.log), np.minimum(a.log, b.log)
    larger = np.where(a.log >= b.log, a.sign, b.sign)
    ratio = np.where(np.isneginf(low), 0.0, np.exp2(low - high))
    same = a.sign * b.sign >= 0
    log = high + np.where(same, np.log1p(ratio), np.log1p(-ratio)) / math.log(2)
    logs = Signed(np.where(np.isneginf(log), 0.0, larger), log)
    total = _floats(a) + _floats(b)
    moderate = (np.abs(high) < _FLOATS) & np.isfinite(total)
    plain = _signed(total)
    return Signed(
        np.where(moderate, plain.sign, logs.sign), np.where(moderate, plain.log, logs.log)
    )


def _multiply(*numbers: Signed) -> Signed:
    sign = reduce(np.multiply, [n.sign for n in numbers])
    return Signed(sign, np.where(sign == 0, -np.inf, sum(n.log for n in numbers)))


def _power(base: Signed, exponent: Signed) -> Signed:
    power = _floats(exponent)
    # 3 comes back from its log2 as 3.0000000000000004.
    near = np.round(power)
    whole = np.abs(power - near) <= _TIED * np.maximum(1.0, np.abs(near))
    log = np.where(power == 0, 0.0, np.where(base.log == 0, 0.0, base.log * power))
    of_negative = np.where(whole, np.where(np.mod(near, 2) == 1, -1.0, 1.0), np.nan)
    sign = np.where(base.sign < 0, of_negative, 1.0)
    return Signed(np.where(np.isneginf(log), 0.0, sign), log)


def _compare(a: Signed, b: Signed) -> Any:
    """-1, 0 or 1, with numbers that differ by rounding taken as equal."""
    close = np.abs(a.log - b.log) <= _TIED * np.maximum(1.0, np.abs(a.log))
    equal = (a.sign == b.sign) & ((a.sign == 0) | close | (a.log == b.log))
    above = np.where(a.sign == b.sign, a.sign * (a.log - b.log) > 0, a.sign > b.sign)
    return np.where(equal, 0, np.where(above, 1, -1))


def _largest(*numbers: Signed) -> Signed:
    return reduce(lambda a, b: _where(_compare(a, b) >= 0, a, b), numbers)


def _least(*numbers: Signed) -> Signed:
    return reduce(lambda a, b: _where(_compare(a, b) <= 0, a, b), numbers)


def _where(condition: Any, a: Signed, b: Signed) -> Signed:
    return Signed(np.where(condition, a.sign, b.sign), np.where(condition, a.log, b.log))


def _rounded(rounding: Callable[[Any], Any]) -> Callable[[Signed], Signed]:
    def rule(number: Signed) -> Signed:
        values = _floats(number)
        near = np.round(values)
        whole = np.abs(values - near) <= _TIED * 100 * np.maximum(1.0, np.abs(values))
        return _where(number.log > _WHOLE, number, _signed(np.where(whole, near, rounding(values))))

    return rule


def _log(number: Signed) -> Signed:
    return _signed(np.where(number.sign > 0, number.log * math.log(2), np.nan))


def _exp(number: Signed) -> Signed:
    log = _floats(number) / math.log(2)
    return Signed(np.ones_like(log), log)


def _cosh(number: Signed) -> Signed:
    size = np.abs(_floats(number))
    log = (size + np.log1p(np.exp(-2 * size))) / math.log(2) - 1
    return Signed(np.ones_like(log), log)


def _gamma(number: Signed) -> Signed:
    log = scipy.special.gammaln(_floats(number)) / math.log(2)
    return Signed(np.ones_like(log), log)


def _beta(a: Signed, b: Signed, *_: Signed) -> Signed:
    log = scipy.special.betaln(_floats(a), _floats(b)) / math.log(2)
    return Signed(np.ones_like(log), log)


def _lambert(number: Signed, branch: Signed | None = None) -> Signed:
    """W: by SciPy where the argument is a float, otherwise by Newton's steps on its logarithm."""
    lower = branch is not None and bool(np.all(branch.sign < 0))
    known = np.real(scipy.special.lambertw(_floats(number), -1 if lower else 0))
    log = number.log * math.log(2)
    side = -1.0 if lower else 1.0  # W = side·u with u + side·... : side·u + ln u = ln|x|
    u = np.maximum(np.abs(log), 2.0)
    for _ in range(_STEPS):
        u = np.maximum(u - (side * u + np.log(u) - log) / (side + 1 / u), 1e-300)
    inside = np.abs(number.log) < _FLOATS
    return _signed(np.where(inside, known, side * u))


_RULES: Mapping[type, Callable[..., Signed]] = {
    sympy.Add: _add,
    sympy.Mul: _multiply,
    sympy.exp: _exp,
    sympy.Pow: _power,
    sympy.Max: _largest,
    sympy.Min: _least,
    sympy.ceiling: _rounded(np.ceil),
    sympy.floor: _rounded(np.floor),
    sympy.log: _log,
    sympy.gamma: _gamma,
    sympy.beta: _beta,
    sympy.cosh: _cosh,
    sympy.LambertW: _lambert,
}
