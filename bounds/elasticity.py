"""How much a length moves with each parameter: d log N / d log parameter, from the formula."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
from flint import arb, ctx, fmpq

from bounds.apply import apply
from bounds.errors import BoundsError, ParameterError, Problem
from bounds.evaluate import Enclosure, enclose
from bounds.parameters import BY_KEYWORD
from bounds.precision import FLINT
from bounds.result import LengthBound

_STEP = Fraction(1, 2**40)
_BITS = 320


def elasticities(bound: LengthBound) -> dict[str, float]:
    """d log N / d log p for every parameter p that was given and is not 0.

    Of the formula without its roundings to integers, integer parameters read as real ones; what is
    taken by default moves along (target with ε). −2 for "epsilon" means: half the ε, four times
    the length. Where another term takes over, the mean of both sides.

    Returns:
        keyword → elasticity, rounded to 9 digits, in the order of the theorem's parameters; one
        is left out where the theorem allows no other value.

    Raises:
        ParameterError: the bound has no formula, or one of which a part was searched for at these
            parameters (`bound.choice`), so that nothing follows for others.
    """
    entry = bound.theorem
    if bound.expression is None:
        allowed = "a bound with a formula that holds at other parameters too"
        raise ParameterError([Problem("bound", str(bound), allowed)])
    given = {
        k: v
        for k, v in bound.parameters.items()
        if k in BY_KEYWORD and k not in bound.defaults and k in entry.reads
    }
    stands = {assumption.text: assumption.status for assumption in bound.assumptions}
    asserted = {h.name for h in entry.hypotheses if h.name and stands.get(h.text) == "asserted"}
    found = {}
    for keyword in entry.parameters:
        value = given.get(keyword)
        if value is None or value == 0:
            continue
        try:
            sides = [
                _log(apply(entry, {**given, keyword: value * (1 + step)}, asserted), bound)
                for step in (_STEP, -_STEP)
            ]
        except BoundsError:
            continue
        with FLINT, ctx.workprec(_BITS):
            one, other = (_arb(1 + step).log() for step in (_STEP, -_STEP))
            found[keyword] = round(float(((sides[0] - sides[1]) / (one - other)).mid()), 9)
    return found


def _log(moved: LengthBound, bound: LengthBound) -> arb:
    """log of the formula without roundings, at the parameters moved."""
    assert moved.theorem.stated is not None
    stated = moved.theorem.stated
    known: dict[sympy.Symbol, Any] = {
        BY_KEYWORD[k].symbol: v for k, v in moved.parameters.items() if k in BY_KEYWORD
    }
    known |= {name: _unrounded(meaning) for name, meaning in stated.where.items()}
    known |= dict(bound.choice)
    value = enclose(_unrounded(stated.length), known, _BITS)
    with FLINT, ctx.workprec(_BITS):
        return _arb(value).log()


def _unrounded(formula: sympy.Expr) -> sympy.Expr:
    if not formula.args:
        return formula
    parts = [_unrounded(part) for part in formula.args]
    if isinstance(formula, (sympy.ceiling, sympy.floor)):
        return parts[0]
    kept = isinstance(formula, (sympy.Max, sympy.Min, sympy.Piecewise))
    return formula.func(*parts, evaluate=False) if kept else formula.func(*parts)


def _arb(value: Enclosure) -> arb:
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return value
