"""Sums, of numbers and of their logs."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
import sympy

from bounds.vectorised.lanes import UNIT, UNITS, WHOLE, Floats, Lanes, small_first
from bounds.vectorised.walk import Evaluation


def add(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """Sums; differences that lose bits are worked out exactly."""
    parts = small_first(run(part) for part in formula.args)
    if any(part.log for part in parts):
        return run.checked(formula, _add_logs(parts))
    total = reduce(np.add, [part.value for part in parts])
    whole = all(part.whole for part in parts)
    rounding: Any = len(parts) * UNIT
    if whole:
        most = sum(part.size for part in parts)
        rounding = 0.0 if most < WHOLE else np.where(np.abs(total) < WHOLE, 0.0, rounding)
    if all(part.low >= 0 for part in parts):
        error = reduce(np.maximum, [part.error for part in parts]) + rounding
        return Lanes(total, error, whole=whole)
    if whole and most >= WHOLE:
        rounding = len(parts) * UNIT
    spread = reduce(np.add, [np.abs(part.value) * (part.error + rounding) for part in parts])
    error = np.where(spread == 0, 0.0, spread / np.abs(total))
    return run.checked(formula, Lanes(total, error, whole=whole))


def _add_logs(parts: list[Lanes]) -> Lanes:
    """log2 of a sum of positive and of negative parts; the latter are never kept as logs."""
    plus = [part.as_log() for part in parts if part.log or part.low >= 0]
    negative = [part for part in parts if not part.log and part.high < 0]
    minus = [Lanes(-part.value, part.error).as_log() for part in negative]
    if len(plus) + len(minus) < len(parts):  # of both signs
        return Lanes(np.array(math.nan), math.inf, log=True)
    whole = all(part.whole for part in parts)
    value, error = _log_sum(plus)
    if not minus:
        return Lanes(value, error, log=True, whole=whole)
    less, its_error = _log_sum(minus)
    ratio = np.exp2(less - value)  # inf where nothing can be said
    left = np.where(ratio < 1, 1 - ratio, np.nan)
    slack = (error + (its_error + UNITS * 2) * ratio) / left + UNITS
    result = value + np.log2(left)
    doubt = np.where(slack < 0.25, 2 * slack, np.inf) + UNITS * np.abs(result)
    doubt = np.where(np.isnan(result), np.inf, doubt)
    return Lanes(result, doubt, log=True, whole=whole)


def _log_sum(parts: list[Lanes]) -> tuple[Floats, Floats]:
    top = reduce(np.maximum, [part.value for part in parts])
    error = reduce(np.maximum, [part.error for part in parts])
    if len(parts) == 1:
        return top, error
    terms = reduce(np.add, [np.exp2(part.value - top) for part in parts])
    value = top + np.log2(terms)
    # A term of exponent d < 0 errs by |d| units, and is 2^d: at most one unit of the sum.
    return value, error + UNITS * (len(parts) + 1 + np.abs(value) / 8)
