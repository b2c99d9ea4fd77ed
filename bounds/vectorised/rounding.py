"""Rounding to integers, on the safe side where floats cannot tell."""

from __future__ import annotations

import numpy as np
import sympy

from bounds.vectorised.lanes import FAR, LN2, UNIT, UNITS, Lanes
from bounds.vectorised.walk import Evaluation


def ceiling(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """⌈x⌉, exactly where floats cannot tell."""
    return run.checked(formula, to_integers(run(formula.args[0]), up=True))


def floor(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """⌊x⌋, exactly where floats cannot tell."""
    return run.checked(formula, to_integers(run(formula.args[0]), up=False))


def to_integers(lanes: Lanes, up: bool) -> Lanes:
    """⌈x⌉ or ⌊x⌋; where the error leaves two integers, the one on the safe side."""
    if lanes.whole:
        return lanes
    if lanes.log:
        return _rounded_logs(lanes, up)
    toward = np.ceil if up else np.floor
    if lanes.exact:
        return Lanes(toward(lanes.value), whole=True)
    slack = lanes.error + 2 * UNIT
    low, high = toward(lanes.value * (1 - slack)), toward(lanes.value * (1 + slack))
    if lanes.low < 0:
        low, high = np.minimum(low, high), np.maximum(low, high)
    value, other = (high, low) if up else (low, high)
    here = np.flatnonzero(value != other)
    if not here.size:
        return Lanes(value, whole=True)
    error = np.zeros(value.size)
    kept, lost = value.ravel()[here], other.ravel()[here]
    error[here] = np.abs((kept - lost) / kept)
    error[~(error < np.inf)] = np.inf
    return Lanes(value, error.reshape(value.shape), whole=True)


def _rounded_logs(lanes: Lanes, up: bool) -> Lanes:
    """Values below 2^40 are rounded as numbers; above, rounding is part of the error."""
    short = lanes.value < 40
    kept = np.where(short, np.maximum(np.exp2(lanes.value), 1 / FAR), 1.0)  # never 0
    errors = np.where(short, np.expm1(np.minimum(lanes.error, 1) * LN2) + 2 * UNITS, 0.0)
    rounded = to_integers(Lanes(kept, errors), up).as_log()
    value = np.where(short, rounded.value, lanes.value)
    error = np.where(short, rounded.error, lanes.error + np.exp2(1.0 - np.maximum(lanes.value, 40)))
    error = np.where(np.isnan(value) | (lanes.error > 0.5), np.inf, error)
    return Lanes(value, error, log=True, whole=True)
