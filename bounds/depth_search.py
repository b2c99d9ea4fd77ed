"""θ, q, J, γ̄ and η for the theorem of any depth: searched in floats, then certified.

The theorem holds for every choice. A choice is looked for with logarithms in floats, so that
nothing overflows; the error at the choice is then enclosed in interval arithmetic, and θ is
raised or lowered until the enclosure is at most s. Nothing depends on how good the search is but
the length itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy
from flint import arb, ctx

from bounds.depth_constants import DepthConstants
from bounds.depth_error import Coefficients, coefficients, interval
from bounds.errors import NotComputable
from bounds.evaluate import enclose
from bounds.functions import WrittenOut
from bounds.numbers import Exact
from bounds.precision import FLINT

_BITS = 96
_WRITTEN = 20_000
"""Bits up to which θ, q and J are integers; beyond, they are powers of two."""
_EXPONENTS = (62, 60, 56, 52, 48, 40, 32, 16)
"""γ̄ is one of these over 64, or the margin itself where that is below 1."""
_TOLERANCES = (-1, 0, 1, 2, 4, 6)
"""η is s/2^i over the slope of the bound in η."""
_COARSE = (1, 4, 20, 100)
_LENGTHS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048)
"""The J that are tried."""
_LARGEST_LOG2 = 1e290


@dataclass(frozen=True)
class Choice:
    """One choice of the free numbers.

    Attributes:
        first, repeats, lengths: θ, q, J; a power of two where an integer would be too long.
        exponent, tolerance: γ̄ and log2 η.
        end: τ* + Δ, the largest number of symbols that are kept at the end.
    """

    first: Exact
    repeats: Exact
    lengths: Exact
    exponent: Fraction
    tolerance: int
    end: int


@lru_cache(maxsize=256)
def shortest(
    constants: DepthConstants,
    vocabulary_size: int,
    period: int,
    margin: Exact,
    error: Exact,
) -> Choice:
    """A choice at which the error of f and of g is at most `error`, and the length short.

    Args:
        constants: per layer and head, of f and g.
        vocabulary_size: |Σ|.
        period: Δ.
        margin: the positional margin of all heads with a lag bias; not read without such heads.
        error: s > 0.

    Raises:
        NotComputable: the numbers are beyond floats of their logarithms.
    """
    problem = _Problem(constants, vocabulary_size, period, error)
    exponents = [Fraction(1, 2)]
    if constants.has_bias:
        exponents = _exponents(margin)
    slope = max(_log2(c.polynomials) for c in problem.coefficients(exponents[0], None))
    tolerances = [0]
    if slope > -math.inf:
        top = problem.log2_error - slope
        tolerances = [math.floor(top) - i for i in _TOLERANCES]
    middle = exponents[len(exponents) // 3]
    tolerance = min(tolerances, key=lambda eta: problem.search(middle, eta, coarse=True).size)
    exponent = min(exponents, key=lambda g: problem.search(g, tolerance, coarse=True).size)
    found = problem.search(exponent, tolerance, coarse=False)
    if found.size > _LARGEST_LOG2:
        raise NotComputable("log2 of the length is not a finite float")
    return problem.certified(found, exponent, tolerance)


def _exponents(margin: Exact) -> list[Fraction]:
    """The γ̄ that are tried: below 1 and at most the margin."""
    number = margin if isinstance(margin, Fraction) else _below(margin)
    grid = [Fraction(k, 64) for k in _EXPONENTS if Fraction(k, 64) < number]
    largest = [Fraction(127, 128), Fraction(255, 256)] if number >= 1 else [number]
    return sorted({*grid, *largest}, reverse=True)


def _below(value: sympy.Expr) -> Fraction:
    """A fraction just below a real number."""
    with FLINT, ctx.workprec(_BITS):
        mantissa, exponent = _enclosed(value).lower().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


@dataclass(frozen=True)
class _Found:
    """Base 2 logarithms of θ and q, J, and of the length."""

    first: float
    repeats: float
    lengths: int | float
    size: float


@dataclass(frozen=True)
class _Logs:
    """log2 of each coefficient divided by s; −∞ for 0."""

    limit: float
    end: float
    balance: float
    broken: float
    logarithms: tuple[float, ...]
    polynomials: float


class _Problem:
    """The bound of f and g with everything fixed but the free numbers."""

    def __init__(
        self, constants: DepthConstants, vocabulary_size: int, period: int, error: Exact
    ) -> None:
        self.constants = constants
        self.vocabulary_size = vocabulary_size
        self.period = period
        self.error = error
        self.end = sum(constants.localities) + period
        ranges = [h.logit_range for m in constants.models for x in m for h in x.heads]
        largest = max(ranges, default=Fraction(0))
        self.bits = _BITS + int(largest).bit_length() + self.end.bit_length()
        with FLINT, ctx.workprec(self.bits):
            self.limit = _enclosed(error)
            self.log2_error = _log2(self.limit)

    def coefficients(self, exponent: Fraction, tolerance: int | None) -> tuple[Coefficients, ...]:
        """The bounds of f and g at γ̄ and η."""
        with FLINT, ctx.workprec(self.bits):
            return coefficients(
                self.constants, self.vocabulary_size, self.period, interval(exponent), tolerance
            )

    def search(self, exponent: Fraction, tolerance: int, coarse: bool) -> _Found:
        """The best θ, q, J found at γ̄ and η, as logarithms."""
        with FLINT, ctx.workprec(self.bits):
            logs = [_logs(c, self.log2_error) for c in self.coefficients(exponent, tolerance)]
        gamma = float(exponent)
        if not gamma:  # below what a float can be
            return _Found(0, 0, 1, math.inf)
        lines = [_Line(x, gamma, math.log2(self.period), math.log2(self.end)) for x in logs]
        best = _Found(0, 0, 1, math.inf)
        worse = 0
        for lengths in _COARSE if coarse else _LENGTHS:
            found = _best_repeats(lines, lengths, coarse)
            if found.size < best.size:
                best, worse = found, 0
            else:
                worse += 1
            if worse > 2:
                break
        return best

    def certified(self, found: _Found, exponent: Fraction, tolerance: int) -> Choice:
        """Integers near what was found at which the enclosed error is at most s."""
        bounds = self.coefficients(exponent, tolerance)
        with FLINT, ctx.workprec(self.bits):
            gamma = interval(exponent)

            def fits(first: Exact, repeats: Exact, lengths: Exact) -> bool:
                at = (_enclosed(first), _enclosed(repeats), _enclosed(lengths))
                errors = [b.at(*at, self.period, self.end, gamma) for b in bounds]
                return all(bool(error <= self.limit) for error in errors)

            lengths = Fraction(found.lengths)
            for attempt in range(64):
                slack = 0.0 if attempt == 0 else 2.0 ** (attempt - 40)
                first = _integer(found.first + slack * max(1.0, found.first))
                repeats = _integer(found.repeats + slack * max(1.0, found.repeats))
                if fits(first, repeats, lengths):
                    break
            else:
                raise NotComputable("no certified choice of θ, q and J was found")
            if isinstance(first, Fraction) and isinstance(repeats, Fraction):
                lengths = _least(lengths, lambda x: fits(first, repeats, x))
                first = _least(first, lambda x: fits(x, repeats, lengths))
                repeats = _least(repeats, lambda x: fits(first, x, lengths))
        return Choice(first, repeats, lengths, exponent, tolerance, self.end)


class _Line:
    """The bound of one model, divided by s, as a function of log2 θ at given q and J."""

    def __init__(self, logs: _Logs, gamma: float, period: float, end: float) -> None:
        self.logs, self.gamma, self.period, self.end = logs, gamma, period, end

    def rest(self, repeats: float, lengths: int) -> float:
        """What θ has no influence on."""
        logs = self.logs
        cells = _cells(repeats, lengths)
        total = 0.0
        if repeats > 0:
            logarithm = math.log2(1 + cells * math.log(2))
            factor = math.log2(repeats * math.log(2)) - cells
            for power, log in enumerate(logs.logarithms):
                total += _exp2(log + power * logarithm + factor)
        balance = _exp2(logs.balance + 1 - repeats - math.log2(lengths + 1))
        return total + balance + _exp2(logs.polynomials)

    def parts(self, repeats: float, lengths: int) -> tuple[float, float]:
        """log2 of what falls like θ^(−γ̄) and like 1/θ, at θ = 1, over the room that is left."""
        left = 1 - self.rest(repeats, lengths)
        if left <= 0:
            return math.inf, math.inf
        room = math.log2(left)
        length = self.period + _cells(repeats, lengths)
        broken = self.logs.broken + 1 - math.log2(lengths + 1)
        end = self.logs.end + self.end - length
        return self.logs.limit - self.gamma * length - room, _exp2_sum(broken, end) - room

    def least_first(self, repeats: float, lengths: int, width: float) -> float:
        """The least log2 θ ≥ 0 at which the bound is at most s; ∞ if there is none."""
        limit, once = self.parts(repeats, lengths)
        if math.inf in (limit, once):
            return math.inf
        if _exp2(limit) + _exp2(once) <= 1:
            return 0.0
        low = max(limit / self.gamma, once, 0.0)  # one of the two terms fills the room
        high = max((limit + 1) / self.gamma, once + 1)  # none fills more than half
        while high - low > max(width, 1e-13 * high):
            middle = (low + high) / 2
            fits = _exp2(limit - self.gamma * middle) + _exp2(once - middle) <= 1
            low, high = (low, middle) if fits else (middle, high)
        return high


def _cells(repeats: float, lengths: int) -> float:
    """log2 of qJ(J+1)/2."""
    return repeats + math.log2(lengths) + math.log2(lengths + 1) - 1


def _best_repeats(lines: list[_Line], lengths: int, coarse: bool) -> _Found:
    """The q (and the least θ at it) that is best for one J."""
    width = 0.05 if coarse else 1e-4

    def size(repeats: float) -> float:
        return repeats + max(line.least_first(repeats, lengths, width) for line in lines)

    def any_first(repeats: float) -> bool:
        return all(line.rest(repeats, lengths) < 1 for line in lines)

    def first_is_one(repeats: float) -> bool:
        return all(sum(map(_exp2, line.parts(repeats, lengths))) <= 1 for line in lines)

    low = _bisected(any_first, _LARGEST_LOG2, width)
    if low == math.inf:
        return _Found(0, 0, lengths, math.inf)
    alone = _bisected(first_is_one, _LARGEST_LOG2, width)
    middle = _golden(size, low, low + 24, 9 if coarse else 16)
    best = min((middle, alone) if alone < math.inf else (middle,), key=size)
    return _Found(size(best) - best, best, lengths, size(best) + _cells(0.0, lengths))


def _golden(value: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """Golden-section search for the least value."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = value(left), value(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = value(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = value(right)
    return left if at_left <= at_right else right


def _bisected(holds: Callable[[float], bool], largest: float, width: float) -> float:
    """The least number ≥ 0 at which a monotone condition holds, to `width`; ∞ if none ≤ largest."""
    if holds(0.0):
        return 0.0
    if not holds(largest):
        return math.inf
    low, high = 0.0, 1.0
    while not holds(high):
        if high >= largest:
            return math.inf
        low, high = high, min(2 * high, largest)
    while high - low > max(width, 1e-13 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _least(start: Fraction, holds: Callable[[Fraction], bool]) -> Fraction:
    """An integer ≤ start at which the condition holds, and not at the one before."""
    low, high = 0, int(start)
    step = 1
    while high - step > low and holds(Fraction(high - step)):
        high -= step
        step *= 2
    low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(Fraction(middle)) else (middle, high)
    return Fraction(high)


def _integer(log2: float) -> Exact:
    """An integer that is at least 2^log2, as a power of two where it would be too long."""
    if log2 <= 52:
        return Fraction(math.ceil(2.0**log2 * (1 - 1e-13)))
    whole = math.floor(log2)
    if whole <= _WRITTEN:
        return Fraction(math.ceil(2.0 ** (log2 - whole + 52))) * 2 ** (whole - 52)
    return sympy.Integer(2) ** WrittenOut(math.ceil(log2), 1)


def _enclosed(value: Exact) -> Any:
    """An `arb` that contains the number."""
    if isinstance(value, Fraction):
        return interval(value)
    if isinstance(value, sympy.Pow) and isinstance(value.exp, WrittenOut):
        return arb(int(value.base)) ** value.exp.p
    found = enclose(value, {})
    return interval(found) if isinstance(found, Fraction) else found


def _logs(found: Coefficients, error: float) -> _Logs:
    return _Logs(
        _log2(found.limit) - error,
        _log2(found.end) - error,
        _log2(found.balance) - error,
        _log2(found.broken) - error,
        tuple(_log2(term) - error for term in found.logarithms),
        _log2(found.polynomials) - error,
    )


def _log2(value: Any) -> float:
    """log2 of the upper end of an interval of numbers ≥ 0; −∞ for 0.

    Raises:
        NotComputable: there is no finite one.
    """
    upper = value.upper()
    if not upper > 0:
        return -math.inf
    found = float((upper.log() / arb(2).log()).mid())
    if not math.isfinite(found):
        raise NotComputable("a constant's logarithm is not a finite float")
    return found


def _exp2(log2: float) -> float:
    return math.inf if log2 > 1000 else 2.0 ** max(log2, -1070.0) if log2 > -1070 else 0.0


def _exp2_sum(a: float, b: float) -> float:
    """log2(2^a + 2^b)."""
    largest = max(a, b)
    if largest == -math.inf:
        return largest
    return largest + math.log2(2.0 ** max(a - largest, -1070) + 2.0 ** max(b - largest, -1070))
