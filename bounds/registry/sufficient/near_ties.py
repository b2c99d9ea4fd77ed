"""How few positions per column are enough near ties: what the closed forms leave on the table.

The closed forms take T*^κ where N^κ is true, and T* where T*/N is true. The least n with
ω̂(N^κ, δ(n′)) + θ(κ, T*/(N − Δ + 1)) ≤ s/L, N = max{Δ(n + 1) + τ, ⌈h₀⌉ + Δ − 1}, is found by
bisection in interval arithmetic; n′ = ⌊(N − τ)/Δ⌋ − 1 ≥ n positions per column are in every z of
a length N − Δ + 1, …, N. The condition is checked at the n that is used, so that the length is
valid whether or not the cost is monotone; undecided counts as not met.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq
from sympy import ceiling

from bounds.evaluate import certify, compare, enclose
from bounds.numbers import Exact, to_sympy
from bounds.parameters import symbols
from bounds.precision import FLINT
from bounds.scope import Values
from bounds.theorem import hardmax_length

_BITS = 128
_LONGEST = 4096
"""Bits of the longest horizon, and of the largest threshold, for which n is looked for."""


def within_reach(values: Values) -> bool:
    """Whether n is looked for: T* and the threshold have at most `_LONGEST` bits."""
    threshold = _threshold(values)
    longest = 0 if threshold is None else max(threshold, int(values["horizon"]))
    return 0 < longest.bit_length() <= _LONGEST


def ties_cost_less(values: Values) -> bool:
    """Whether tanh(κ ln(T*)/4) < s/L; undecided counts as no."""
    with FLINT, ctx.workprec(_BITS):
        share = _interval(values["simulation_error"]) / _interval(values["lipschitz"])
        logarithm = arb(int(values["horizon"])).log()
        return bool((_interval(values["tie_tolerance"]) * logarithm / 4).tanh() < share)


def _threshold(values: Values) -> int | None:
    """⌈h₀⌉, or None where it is too large to be written out."""
    bits = {symbols[k]: values[k] for k in ("precision_bits", "margin")}
    return certify(ceiling(hardmax_length()), bits).integer


def least_steps(values: Values, inverse: Callable[[int, Values], Any]) -> int | None:
    """The least n that a bisection finds; None where there is nothing to gain, or it is too large.

    Args:
        values: what the theorem reads, exact.
        inverse: 1/δ(n), the inverse of the rounding error with n positions per column, as an
            interval.
    """
    s, lipschitz = values["simulation_error"], values["lipschitz"]
    if not values["tie_tolerance"] or compare(s, lipschitz) >= 0:
        return None
    horizon, period, locality = (int(values[k]) for k in ("horizon", "period", "locality"))
    threshold = _threshold(values)
    if threshold is None or not within_reach(values):
        return None
    with FLINT, ctx.workprec(_BITS):
        share, kappa = _interval(s) / _interval(lipschitz), _interval(values["tie_tolerance"])

        def fits(n: int) -> bool:
            shortest = max(period * n + locality + 1, threshold)
            length = shortest + period - 1
            used = (shortest - locality - 1) // period
            if length >= horizon:  # nothing to carry over
                return True
            weight = arb(length) ** kappa
            moved = weight / (weight + inverse(used, values) - 1)  # ω̂
            ratio = (arb(horizon) / shortest) ** (kappa / 2)
            return bool(moved + 1 - 2 / (1 + ratio) <= share)

        low, high = 0, max(1, -((locality - horizon) // period))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def nested(n: int, values: Values) -> Any:
    """Theorem 1's rounding: 1/δ = (1 + n/e)^(1/l) − 1, l = min{2H, Δ(|Σ| − 1) + 1} levels."""
    levels = min(2 * values["heads"], values["period"] * (values["vocabulary_size"] - 1) + 1)
    types = values["period"] * (values["vocabulary_size"] + 1) / 4 + values["locality"] + 1
    return _interval(1 + n / types) ** (1 / _interval(levels)) - 1


def columns(n: int, values: Values) -> Any:
    """Whole columns: 1/δ = n/e, e = |Σ|/4 + τ + 1, and no less than 1."""
    types = values["vocabulary_size"] / 4 + values["locality"] + 1
    return _interval(max(n / types, Fraction(1)))


def _interval(value: Exact) -> Any:
    found = enclose(to_sympy(value), {}, _BITS)
    if isinstance(found, Fraction):
        return arb(fmpq(found.numerator, found.denominator))
    return found
