"""Cases, and comparisons of values with an error."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational

from bounds.vectorised.lanes import UNIT, Bools, Lanes, alike
from bounds.vectorised.walk import Evaluation, NotVectorised


def holds(run: Evaluation, relation: Any) -> Bools:
    """Where a comparison of symbols holds; what floats cannot tell is decided exactly."""
    if relation in (sympy.true, sympy.false):
        return np.array(relation is sympy.true)
    with np.errstate(all="ignore"):
        yes, no = decided(run, relation)
    on = run.dimensions(relation)
    shape = tuple(n if d in on else 1 for d, n in enumerate(run.points.shape))
    value = np.broadcast_to(yes, shape).astype(float)
    error = np.where(np.broadcast_to(yes | no, shape), 0.0, np.inf)
    cases = sympy.Piecewise((1, relation), (0, True), evaluate=False)
    left, run.budget = run.budget, value.size  # every case is decided
    lanes = run.checked(cases, Lanes(value, error))
    run.budget = left
    result: Bools = (lanes.value == 1) & (lanes.error == 0)
    return result


def piecewise(run: Evaluation, formula: sympy.Basic) -> Lanes:
    """The branch of the first case that holds; where floats cannot tell which, exactly."""
    open_: Any = np.array(True)
    result: Lanes | None = None
    for branch, condition in formula.args:
        yes, no = decided(run, condition)
        here = open_ & ~no
        if np.any(here):
            lanes = run(branch)
            if result is None and np.all(here & yes):
                return lanes
            if np.any(here & ~yes):
                sure = np.where(here & yes, lanes.error, np.inf)
                lanes = Lanes(lanes.value, sure, log=lanes.log, whole=lanes.whole)
            if result is None:
                result = lanes
            else:
                old, new = alike([result, lanes])
                value = np.where(here, new.value, old.value)
                if old.error.ndim == new.error.ndim == 0:
                    error: Any = np.maximum(old.error, new.error)
                else:
                    error = np.where(here, new.error, old.error)
                result = Lanes(value, error, log=new.log, whole=old.whole and new.whole)
        open_ = open_ & no
        if not np.any(open_):
            break
    assert result is not None
    if np.any(open_):
        error = np.where(open_, np.inf, result.error)
        result = Lanes(result.value, error, log=result.log, whole=result.whole)
    return run.checked(formula, result)


def decided(run: Evaluation, condition: Any) -> tuple[Bools, Bools]:
    """Where it certainly holds, and where it certainly does not."""
    if condition is sympy.true:
        return np.array(True), np.array(False)
    if isinstance(condition, (sympy.And, sympy.Or)):
        parts = [decided(run, part) for part in condition.args]
        both: Any = np.logical_and
        either: Any = np.logical_or
        if isinstance(condition, sympy.Or):
            both, either = either, both
        return reduce(both, [yes for yes, _ in parts]), reduce(either, [no for _, no in parts])
    if not isinstance(condition, Relational):
        raise NotVectorised(f"no rule for the condition {condition}")
    left, right = alike([run(condition.lhs), run(condition.rhs)])
    if not left.log and left.error.ndim == right.error.ndim == 0 and min(left.low, right.low) >= 0:
        return _compared(type(condition), left, right)
    difference = left.value - right.value
    radius: Any = 0.0
    if not (left.exact and right.exact):
        radii = [p.error if p.log else p.error * np.abs(p.value) for p in (left, right)]
        radius = radii[0] + radii[1] + UNIT * (np.abs(left.value) + np.abs(right.value))
    less, more = difference < -radius, difference > radius
    # Equal as numbers; logs that are equal say nothing.
    equal = (difference == 0) & (radius == 0) & (not left.log)
    return _answers(type(condition), less, more, equal)


def _compared(kind: type, left: Lanes, right: Lanes) -> tuple[Bools, Bools]:
    """Two lanes of numbers ≥ 0, each with one error for all."""
    if left.exact and right.exact:
        less, more = left.value < right.value, left.value > right.value
        return _answers(kind, less, more, ~(less | more))
    slack = 2 * float(left.error + right.error) + 8 * UNIT
    if slack > 0.1:
        return np.array(False), np.array(False)
    less = left.value * (1 + slack) < right.value
    more = right.value * (1 + slack) < left.value
    return _answers(kind, less, more, np.array(False))


def _answers(kind: type, less: Bools, more: Bools, equal: Bools) -> tuple[Bools, Bools]:
    if kind in (sympy.Lt, sympy.Ge):
        yes, no = less, more | equal
    elif kind in (sympy.Le, sympy.Gt):
        yes, no = less | equal, more
    else:
        yes, no = equal, less | more
    return (no, yes) if kind in (sympy.Ge, sympy.Gt, sympy.Ne) else (yes, no)
