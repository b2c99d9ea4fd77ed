"""Products and quotients."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
import sympy

from bounds.vectorised.lanes import FAR, UNIT, WHOLE, Lanes, least_size, small_first
from bounds.vectorised.walk import Evaluation


def multiply(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """Products of numbers or, beyond the range of floats, of their logs."""
    above: list[Lanes] = []
    below: list[Lanes] = []
    for part in formula.args:
        inverted = isinstance(part, sympy.Pow) and part.exp.is_Rational and part.exp < 0
        (below if inverted else above).append(run(1 / part if inverted else part))
    parts = small_first(above)
    value: Any = np.array(1.0)
    whole = not below and all(part.whole for part in parts)
    if not any(part.log for part in (*above, *below)):
        size = math.prod(part.size for part in parts)
        exact = whole and size < WHOLE
        error: Any = np.zeros(())
        for part in parts:
            value = part.value if part is parts[0] else value * part.value
            error = error + part.error + error * part.error + (0.0 if exact else UNIT)
        if whole and not exact:
            error = np.where(np.abs(value) < WHOLE, _error_of(parts), error)
        for part in small_first(below):
            value = value / part.value
            its = np.where(part.error > 0.5, np.inf, 2 * part.error)
            error = error + its + error * its + UNIT
        if len(below) == 1 and all(part.whole and part.exact for part in (*parts, *below)):
            divides = value * below[0].value == reduce(np.multiply, [p.value for p in parts])
            divides &= (np.rint(value) == value) & (size < WHOLE)
            error = np.where(divides, 0.0, error) if np.any(divides) else error
        lanes = Lanes(value, error, whole=whole)
        if least_size(lanes) > 1 / FAR and lanes.size < FAR:
            return lanes
        if any(part.low <= 0 for part in (*above, *below)):
            zero = reduce(np.logical_or, [part.value == 0 for part in above])
            inside = (np.abs(value) > 1 / FAR) & (np.abs(value) < FAR)
            error = np.where(zero | inside, error, np.inf)
            return run.checked(formula, Lanes(value, error, whole=whole))
    logs = [part.as_log() for part in parts]
    under = [part.as_log() for part in below]
    value = reduce(np.add, [part.value for part in logs] or [np.array(0.0)])
    value = value - sum((part.value for part in under), start=np.array(0.0))
    errors = reduce(np.add, [part.error for part in (*logs, *under)])
    sizes = reduce(np.add, [np.abs(part.value) for part in (*logs, *under)])
    return Lanes(value, errors + UNIT * len(formula.args) * sizes, log=True, whole=whole)


def _error_of(parts: list[Lanes]) -> Any:
    """Relative error of a product that is not rounded."""
    return reduce(lambda a, b: a + b + a * b, [part.error for part in parts])
