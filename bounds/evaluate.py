"""Certified evaluation: a SymPy formula and exact numbers in, an exact integer and its log2 out.

Rational arithmetic is used as long as it is exact and small; everything else is
enclosed in intervals (python-flint `arb`) whose precision grows until a single
integer is left. No float is involved before the very last step, the log2.

`sympy.ceiling` is never asked for a value: `ceiling(log(2**31 + 1, 2))` is 31
there, and 32 in truth.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any, Literal, TypeAlias

import sympy
from flint import arb, ctx, fmpq
from sympy.core.relational import Relational

from bounds.algebra import (
    MAX_BITS,
    algebraic,
    exact_power,
    rational_beta,
    rational_in_disguise,
)
from bounds.errors import NotComputable
from bounds.functions import WrittenOut
from bounds.numbers import Exact, to_sympy
from bounds.precision import FLINT

Enclosure: TypeAlias = "Fraction | arb"
"""A Fraction is the exact value; an `arb` is an interval that contains it."""

_START_BITS = 128
_GUARDS = (64, 256, 1024, 4096, 16_384, 65_536)
"""Bits of precision beyond the integer part, tried in turn before giving up."""
_ENOUGH = 64  # bits of relative accuracy where only log2 is wanted
_WIDEST = 2**_ENOUGH  # an interval wider than this around 0 says nothing
_MOST_FOR_GAMMA = 16_384
"""No gamma function is computed to more bits: its time grows with their square and more."""
_LARGEST_FOR_GAMMA = 40_000
"""Bits of the largest argument of a gamma function, which its value loses."""


@dataclass(frozen=True)
class Certified:
    """A formula's value as an integer rounded to the safe side.

    Attributes:
        integer: the integer; None if it has more than `MAX_BITS` bits.
        log2: log2 of the value; None if the value is not positive.
        tight: True if no smaller (for "up") integer would do; False if the
            value lies so close to an integer that precision ran out and the
            safe neighbour was taken.
    """

    integer: int | None
    log2: float | None
    tight: bool


def certify(
    formula: sympy.Expr,
    values: Mapping[sympy.Symbol, Exact],
    rounding: Literal["up", "down"] = "up",
) -> Certified:
    """The least integer ≥ the formula's value ("up"), or the greatest integer ≤ it ("down").

    Raises:
        NotComputable: the value is outside what interval arithmetic can hold.
    """
    up = rounding == "up"
    value = _settle(_Evaluation(values, _START_BITS), formula, up)
    if isinstance(value, Fraction):
        return Certified(int(value), log2(value) if value > 0 else None, True)
    if not value.is_finite():
        raise NotComputable(f"no finite enclosure of {formula}")
    bits = _bits_of(value)
    if bits > MAX_BITS:
        if value.rel_accuracy_bits() < _ENOUGH - 1:  # ceil() may cost one bit
            raise NotComputable(f"no accurate enclosure of {formula}")
        return Certified(None, log2(value), True)
    if value.rel_accuracy_bits() < 1 and value.rad() > _WIDEST:
        raise NotComputable(f"no accurate enclosure of {formula}")
    # Too close to an integer to tell on which side: take the safe neighbour.
    with FLINT, ctx.workprec(bits + _START_BITS):
        edge = value.upper().ceil() if up else value.lower().floor()
        integer = _whole(edge)
    return Certified(integer, log2(Fraction(integer)) if integer > 0 else None, False)


def enclose(
    formula: sympy.Expr, values: Mapping[sympy.Symbol, Exact], bits: int = _START_BITS
) -> Enclosure:
    """The exact value, or an interval around it, computed with `bits` bits of precision."""
    value = _Evaluation(values, bits)(formula)
    if isinstance(value, arb) and not value.is_finite():
        finer = _Evaluation(values, 16 * bits)(formula)
        if isinstance(finer, arb) and not finer.is_finite():
            raise NotComputable(f"no finite enclosure of {formula}")
        return finer
    return value


def log2(value: Enclosure) -> float:
    """log2 of a positive value, correct to the last bits of a float.

    Raises:
        NotComputable: the value is not positive, or its log2 is beyond a float.
    """
    with FLINT, ctx.workprec(_START_BITS):
        result = (_interval(value).log() / arb(2).log()).mid()
        number = float(result)
    if not math.isfinite(number):
        raise NotComputable("log2 of the value is not a finite float")
    return number


def compare(left: Exact, right: Exact) -> int:
    """-1, 0 or 1 as left <, =, > right; decided by exact or interval arithmetic.

    Raises:
        NotComputable: the two are too close for the precision allowed.
    """
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return (left > right) - (left < right)
    return _decide(to_sympy(left), to_sympy(right), {})


def _decide(left: sympy.Expr, right: sympy.Expr, values: Mapping[sympy.Symbol, Exact]) -> int:
    """Sign of left − right, by growing precision."""
    asked = False
    for guard in _GUARDS:
        run = _Evaluation(values, _START_BITS + guard)
        difference = run(left - right)
        if not isinstance(difference, Fraction):
            if difference.is_finite() and not difference.contains(0):
                return 1 if difference > 0 else -1
            hidden = None if asked else rational_in_disguise(left - right, values)
            asked = True
            if hidden is None:
                if run.costly and run.bits >= _MOST_FOR_GAMMA:
                    break
                continue
            difference = hidden
        return (difference > 0) - (difference < 0)
    a, b = (algebraic(side, values) or side for side in (left, right))
    raise NotComputable(f"cannot decide whether {a} and {b} are equal")


def _whole(edge: arb) -> int:
    """The integer that an exact `arb` is."""
    integer = edge.unique_fmpz()
    if integer is None:
        raise NotComputable(f"{edge} is not a single integer")
    return int(integer)


class _Evaluation:
    """One walk over a formula at one precision; `costly` once a gamma function was met."""

    def __init__(self, values: Mapping[sympy.Symbol, Exact], bits: int) -> None:
        self.values = values
        self.bits = bits
        self.costly = False
        self.known: dict[sympy.Basic, Enclosure] = {}
        self.undecided: dict[sympy.Basic, arb] = {}

    def finer(self, bits: int) -> _Evaluation:
        """The same with more bits; a rounding that no precision decides is not tried again."""
        run = _Evaluation(self.values, bits)
        run.undecided = self.undecided
        return run

    def __call__(self, formula: sympy.Basic) -> Enclosure:
        if formula not in self.known:
            with FLINT, ctx.workprec(self.bits):
                self.known[formula] = self._value(formula)
        return self.known[formula]

    def _value(self, formula: sympy.Basic) -> Enclosure:
        if isinstance(formula, (sympy.Rational, WrittenOut)):
            return Fraction(int(formula.p), int(formula.q))
        if isinstance(formula, sympy.Symbol):
            value = self.values[formula]
            return value if isinstance(value, Fraction) else self(value)
        for kind, rule in _RULES.items():
            if isinstance(formula, kind):
                return rule(self, formula)
        raise NotComputable(f"no rule for {type(formula).__name__} in {formula}")


def _add(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return _fold(operator.add, [run(part) for part in formula.args])


def _multiply(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    parts = [run(part) for part in formula.args]
    if any(isinstance(part, Fraction) and part == 0 for part in parts):
        return Fraction(0)
    return _fold(operator.mul, parts)


def _fold(operation: Callable[[Any, Any], Any], parts: list[Enclosure]) -> Enclosure:
    """Exact parts first, exactly; then the intervals."""
    exact = [part for part in parts if isinstance(part, Fraction)]
    intervals = [part for part in parts if not isinstance(part, Fraction)]
    if exact:
        total: Fraction = reduce(operation, exact)
        if not intervals:
            return total if _is_small(total) else _interval(total)
        intervals.insert(0, _interval(total))
    interval: arb = reduce(operation, intervals)
    return interval


def _power(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    base, exponent = run(formula.args[0]), run(formula.args[1])
    if isinstance(exponent, Fraction):
        if exponent == 0:
            return Fraction(1)
        if isinstance(base, Fraction):
            found = exact_power(base, exponent)
            if found is not None:
                return found
        if exponent.denominator == 1:
            return _interval(base) ** exponent.numerator
    return _interval(base) ** _interval(exponent)


def _maximum(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return reduce(lambda a, b: _pick(a, b, largest=True), map(run, formula.args))


def _minimum(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return reduce(lambda a, b: _pick(a, b, largest=False), map(run, formula.args))


def _pick(left: Enclosure, right: Enclosure, largest: bool) -> Enclosure:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return max(left, right) if largest else min(left, right)
    a, b = _interval(left), _interval(right)
    if a >= b:  # for intervals: certainly
        return left if largest else right
    if a <= b:
        return right if largest else left
    return a.max(b) if largest else a.min(b)


def _ceiling(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return _round(run, formula.args[0], up=True)


def _floor(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return _round(run, formula.args[0], up=False)


def _round(run: _Evaluation, argument: sympy.Basic, up: bool) -> Enclosure:
    """⌈argument⌉ or ⌊argument⌋: a Fraction if decided, otherwise an interval around it."""
    value = run.undecided.get(argument)
    if value is None:
        found = _settle(run, argument, up)
        if isinstance(found, Fraction):
            return found
        value = found
        if value.is_finite() and _bits_of(value) <= MAX_BITS:
            run.undecided[argument] = value
    bits = max(run.bits, _bits_of(value) + _START_BITS if value.is_finite() else 0)
    return _rounded_interval(value, up, min(bits, 2 * MAX_BITS))


def _settle(run: _Evaluation, argument: sympy.Basic, up: bool) -> Enclosure:
    """⌈argument⌉ or ⌊argument⌋ if precision decides it, otherwise an interval around `argument`."""
    value = run(argument)
    asked = False  # SymPy's algebra is exact: its answer does not change with precision
    for guard in _GUARDS:
        if isinstance(value, Fraction):
            return Fraction(math.ceil(value) if up else math.floor(value))
        bits = _START_BITS + guard
        if value.is_finite() and _bits_of(value) <= MAX_BITS:
            bits = max(run.bits, _bits_of(value) + guard)
            integer = _rounded_interval(value, up, bits).unique_fmpz()
            if integer is not None:
                return Fraction(int(integer))
            hidden = None if asked else rational_in_disguise(argument, run.values)
            asked = True
            if hidden is not None:
                return Fraction(math.ceil(hidden) if up else math.floor(hidden))
        elif value.is_finite() and value.rel_accuracy_bits() >= _ENOUGH:
            return value
        bits = min(bits, _MOST_FOR_GAMMA) if run.costly else bits
        if bits <= run.bits:
            continue
        run = run.finer(bits)
        value = run(argument)
    return value


def _rounded_interval(value: arb, up: bool, bits: int) -> arb:
    with FLINT, ctx.workprec(bits):
        return value.ceil() if up else value.floor()


def _piecewise(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    for branch, condition in formula.args:
        if condition is sympy.true or _holds(condition, run):
            return run(branch)
    raise NotComputable(f"no branch of {formula} applies")


def _holds(condition: sympy.Basic, run: _Evaluation) -> bool:
    if isinstance(condition, sympy.And):
        return all(_holds(part, run) for part in condition.args)
    if isinstance(condition, sympy.Or):
        return any(_holds(part, run) for part in condition.args)
    if not isinstance(condition, Relational):
        raise NotComputable(f"no rule for the condition {condition}")
    sign = _decide(condition.lhs, condition.rhs, run.values)
    return {
        sympy.Lt: sign < 0,
        sympy.Le: sign <= 0,
        sympy.Gt: sign > 0,
        sympy.Ge: sign >= 0,
        sympy.Eq: sign == 0,
        sympy.Ne: sign != 0,
    }[type(condition)]


def _gamma(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    run.costly = True
    return _interval(run(formula.args[0])).gamma()


def _cosh(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    return _interval(run(formula.args[0])).cosh()


def _lambert(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    branch = int(formula.args[1]) if len(formula.args) > 1 else 0
    return _interval(run(formula.args[0])).lambertw(branch)


def _log(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    argument = run(formula.args[0])
    return Fraction(0) if argument == Fraction(1) else _interval(argument).log()


def _exp(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    argument = run(formula.args[0])
    if isinstance(argument, Fraction) and argument == 0:
        return Fraction(1)
    return _interval(argument).exp()


def _beta(run: _Evaluation, formula: sympy.Basic) -> Enclosure:
    a, b = (run(part) for part in formula.args[:2])
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        rational = rational_beta(a, b)
        if rational is not None:
            return _interval(rational)
        run.costly = True
        return _beta_of_fractions(*sorted((a, b)), run.bits)
    run.costly = True
    x, y = _interval(a), _interval(b)
    return x.gamma() * y.gamma() * (x + y).rgamma()


@lru_cache(maxsize=256)
def _beta_of_fractions(low: Fraction, high: Fraction, bits: int) -> arb:
    """B(low, high) by gamma functions; Γ(x) is known to as many bits less as x has."""
    small, large = (_bits_of(_interval(x)) for x in (low, high))
    if large > _LARGEST_FOR_GAMMA:
        raise NotComputable(f"a gamma function of a number of {large} bits")
    with FLINT, ctx.workprec(bits + small):
        factor = _interval(low).gamma()
    with FLINT, ctx.workprec(bits + large):
        quotient = _interval(high).gamma() * _interval(low + high).rgamma()
    return factor * quotient


_RULES: dict[type, Callable[[_Evaluation, sympy.Basic], Enclosure]] = {
    sympy.Add: _add,
    sympy.Mul: _multiply,
    sympy.exp: _exp,
    sympy.Pow: _power,
    sympy.Max: _maximum,
    sympy.Min: _minimum,
    sympy.ceiling: _ceiling,
    sympy.floor: _floor,
    sympy.Piecewise: _piecewise,
    sympy.log: _log,
    sympy.gamma: _gamma,
    sympy.beta: _beta,
    sympy.cosh: _cosh,
    sympy.LambertW: _lambert,
    type(sympy.pi): lambda run, formula: arb.pi(),
    type(sympy.E): lambda run, formula: arb.const_e(),
}


def _interval(value: Enclosure) -> arb:
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return value


def _is_small(value: Fraction) -> bool:
    return value.numerator.bit_length() + value.denominator.bit_length() <= 2 * MAX_BITS


def _bits_of(value: arb) -> int:
    """Bits of the integer part of the interval's end that is farther from 0, at most too many."""
    mantissa, exponent = value.abs_upper().man_exp()
    return max(1, int(exponent) + int(mantissa).bit_length())


def size(integer: int | None, log2: float | None) -> tuple[float, int]:
    """A key that orders certified values: by log2 first, by the integer where that ties."""
    return (-math.inf if log2 is None else log2, integer or 0)


def least(candidates: list[Certified]) -> int:
    """Index of the smallest value."""
    return min(
        range(len(candidates)), key=lambda i: size(candidates[i].integer, candidates[i].log2)
    )
