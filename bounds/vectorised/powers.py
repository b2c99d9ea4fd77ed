"""Powers, exponential functions and logarithms."""

from __future__ import annotations

import math

import numpy as np
import sympy

from bounds.vectorised.lanes import LN2, UNIT, UNITS, Lanes, least_size
from bounds.vectorised.walk import Evaluation

SURE = 2.0**45
"""A power of integers below this, rounded, is that power: the error is less than 1/16."""


def raised(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """Powers; those of integers are integers."""
    base, exponent = run(formula.args[0]), run(formula.args[1])
    if exponent.log:
        return Lanes(np.array(math.nan), math.inf, log=True)
    whole = base.whole and exponent.whole and exponent.low >= 0
    if exponent.exact and exponent.value.size == 1:
        power = float(exponent.value.item())
        lanes = None if base.log else _fixed_power(base, power, whole)
        if lanes is not None:
            return lanes
        logs = base.as_log()
        value = logs.value * power
        error = abs(power) * logs.error + UNITS * np.abs(value)
        return Lanes(value, error, log=True, whole=whole)
    if formula.args[0] == 2:
        value, error = exponent.value, exponent.error * np.abs(exponent.value)
        if whole and exponent.exact and exponent.high < 1000:
            return Lanes(np.ldexp(1.0, value.astype(int)), whole=True)
    else:
        logs = base.as_log()
        value = exponent.value * logs.value
        error = (exponent.error + UNIT) * np.abs(value) + np.abs(exponent.value) * logs.error
    top, bottom = float(np.max(value)), float(np.min(value))
    if base.log or not (bottom > -960 and top < 960):
        return Lanes(value, error, log=True, whole=whole)
    result = np.exp2(value)
    if whole and base.exact and exponent.exact and top < math.log2(SURE):
        return Lanes(np.rint(result), whole=True)
    return Lanes(result, np.expm1(error * LN2) + 2 * UNITS)


def _fixed_power(base: Lanes, power: float, whole: bool) -> Lanes | None:
    """The power of numbers, or None where it is out of reach."""
    least, most = least_size(base), base.size
    if least == 0 and power < 0:
        return None
    bits = [abs(power) * abs(math.log2(x)) for x in (least, most) if x > 0]
    if max(bits, default=0.0) > 950:
        return None
    value = base.value * base.value if power == 2 else np.power(base.value, power)
    if whole and base.exact and most**power < SURE:
        return Lanes(np.rint(value), whole=True)
    grown = np.expm1(-abs(power) * np.log1p(-np.minimum(base.error, 0.5)))
    error = np.where(base.error > 0.5, np.inf, grown) + UNITS
    return Lanes(value, np.where(np.isnan(value), np.inf, error) if base.low < 0 else error)


def exponential(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """e^x; beyond the range of floats as log2."""
    argument = run(formula.args[0])
    if argument.log:
        return Lanes(np.array(math.nan), math.inf, log=True)
    error = argument.error * np.abs(argument.value)
    if argument.size < 660:
        return Lanes(np.exp(argument.value), np.expm1(error) + UNITS)
    value = argument.value / LN2
    return Lanes(value, error / LN2 + 2 * UNIT * np.abs(value), log=True)


def logarithm(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """The natural logarithm."""
    logs = run(formula.args[0]).as_log()
    value = logs.value * LN2
    error = np.where(
        value == 0, np.where(logs.error == 0, 0, np.inf), logs.error / np.abs(logs.value)
    )
    lanes = Lanes(value, np.where(np.isfinite(value), error + 2 * UNIT, np.inf))
    return run.checked(formula, lanes)


def hyperbolic_cosine(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """cosh."""
    argument = run(formula.args[0])
    if argument.log or argument.size > 660:
        return Lanes(np.array(math.nan), math.inf, log=True)
    error = np.expm1(argument.error * argument.size) + UNITS
    return Lanes(np.cosh(argument.value), error)
