"""Formulas in mpmath, to 60 digits beyond the point: a second evaluator of SymPy expressions.

What is within 40 digits of an integer counts as that integer where it is rounded.
"""

from __future__ import annotations

from functools import reduce

import mpmath
import sympy
from sympy.core.relational import Relational

from bounds.functions import WrittenOut


def evaluated(expression, values, digits):
    """The expression with values for its symbols, as an mpf of that many digits."""
    mp = mpmath.mp.clone()
    mp.dps = digits
    known = {}

    def value(part):
        if part not in known:
            known[part] = rule(part)
        return known[part]

    def rule(part):
        if isinstance(part, (sympy.Rational, WrittenOut)):
            return mp.mpf(int(part.p)) / int(part.q)
        if isinstance(part, sympy.Symbol):
            number = values[part]
            if isinstance(number, sympy.Basic):
                return value(number)
            return mp.mpf(number.numerator) / number.denominator
        if part is sympy.pi or part is sympy.E:
            return mp.pi() if part is sympy.pi else mp.e()
        if isinstance(part, sympy.Piecewise):
            return next(value(branch) for branch, condition in part.args if holds(condition))
        arguments = [value(a) for a in part.args]
        if isinstance(part, (sympy.ceiling, sympy.floor)):
            return rounded(arguments[0], up=isinstance(part, sympy.ceiling))
        if isinstance(part, sympy.LambertW):
            branch = int(part.args[1]) if len(part.args) > 1 else 0
            return mp.lambertw(arguments[0], branch).real
        for kind, function in FUNCTIONS.items():
            if isinstance(part, kind):
                return function(*arguments)
        raise NotImplementedError(type(part))

    def rounded(number, up=True):
        nearest = mp.nint(number)
        if abs(number - nearest) < mp.mpf(10) ** -40:
            return nearest
        return mp.ceil(number) if up else mp.floor(number)

    def holds(condition):
        if condition in (True, sympy.true):
            return True
        if isinstance(condition, sympy.And):
            return all(map(holds, condition.args))
        if isinstance(condition, sympy.Or):
            return any(map(holds, condition.args))
        assert isinstance(condition, Relational)
        difference = value(condition.lhs) - value(condition.rhs)
        if abs(difference) < mp.mpf(10) ** -40:
            difference = 0
        sign = condition.func(sympy.Integer(int(mp.sign(difference))), 0)
        return bool(sign)

    FUNCTIONS = {
        sympy.Add: lambda *a: mp.fsum(a),
        sympy.Mul: lambda *a: mp.fprod(a),
        sympy.exp: mp.exp,
        sympy.Pow: lambda a, b: mp.power(a, b),
        sympy.Max: lambda *a: reduce(max, a),
        sympy.Min: lambda *a: reduce(min, a),
        sympy.log: mp.log,
        sympy.cosh: mp.cosh,
        sympy.gamma: mp.gamma,
        sympy.beta: lambda a, b, *_: mp.beta(a, b),
    }
    result = value(sympy.sympify(expression))
    return mp, result, rounded
