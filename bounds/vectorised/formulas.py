"""A theorem's formula at all points."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from bounds.errors import BoundsError
from bounds.evaluate import certify
from bounds.theorem import Theorem
from bounds.vectorised.cases import piecewise
from bounds.vectorised.extremes import extreme
from bounds.vectorised.lanes import Lanes
from bounds.vectorised.points import Point, Points
from bounds.vectorised.powers import exponential, hyperbolic_cosine, logarithm, raised
from bounds.vectorised.products import multiply
from bounds.vectorised.rounding import ceiling, floor, to_integers
from bounds.vectorised.sums import add
from bounds.vectorised.walk import Evaluation, NotVectorised, Rules


def evaluation(
    theorem: Theorem,
    points: Points,
    defaults: Mapping[sympy.Symbol, Any],
    asserted: Collection[str] = (),
) -> tuple[Evaluation, sympy.Expr]:
    """A walk over the theorem's formula, and the formula.

    Args:
        theorem: one with a formula and without a free integer.
        points: values of the parameters.
        defaults: what the symbols of the other parameters stand for, in terms of `points`.
        asserted: the names that switches ask for.

    Raises:
        NotVectorised: it has a free integer, or no formula.
    """
    stated = theorem.stated
    if stated is None or theorem.choices is not None:
        raise NotVectorised(f"{theorem.key} has no single formula")
    known: dict[sympy.Symbol, Any] = {
        name: _simplified(meaning, defaults) for name, meaning in stated.where.items()
    }
    known.update(
        (symbol, Fraction(not set(names).isdisjoint(asserted)))
        for symbol, names in theorem.switches.items()
    )
    known.update(defaults)
    return Evaluation(points, known, RULES), stated.length


def _simplified(meaning: sympy.Expr, defaults: Mapping[sympy.Symbol, Any]) -> sympy.Expr:
    """(η − ε)/2 at η = 3ε is ε: without this every row would lose bits to the difference."""
    if not meaning.has(sympy.Max, sympy.Min, sympy.Piecewise, sympy.ceiling, sympy.floor):
        symbolic = {k: v for k, v in defaults.items() if isinstance(v, sympy.Basic)}
        return meaning.xreplace(symbolic)
    return meaning


def rounded_log2(run: Evaluation, length: sympy.Expr, rounding: str) -> Lanes:
    """log2 of the length rounded "up" or "down", at all points; hypotheses are not looked at.

    Returns:
        Lanes that broadcast to the shape of the points, with absolute errors; −inf for a length 0.

    Raises:
        NotVectorised: a part of the formula has no rule on arrays.
    """
    up = rounding == "up"

    def exactly(point: Point) -> Lanes:
        try:
            values = {**run.known, **run.points.exact(run.names(length), point)}
            found = certify(length, values, "up" if up else "down").log2
        except BoundsError:
            found = math.nan
        value = np.array([-math.inf if found is None else found])
        return Lanes(value, np.where(np.isnan(value), np.inf, 0.0), log=True)

    with np.errstate(all="ignore"):
        rounded = to_integers(run(length), up)
        # A name of its own: the length rounded is not the length.
        return run.refined(sympy.Tuple(length, sympy.Symbol(rounding)), rounded.as_log(), exactly)


RULES: Rules = {
    sympy.Add: add,
    sympy.Mul: multiply,
    sympy.exp: exponential,
    sympy.Pow: raised,
    sympy.Max: extreme(True),
    sympy.Min: extreme(False),
    sympy.ceiling: ceiling,
    sympy.floor: floor,
    sympy.Piecewise: piecewise,
    sympy.log: logarithm,
    sympy.cosh: hyperbolic_cosine,
}
