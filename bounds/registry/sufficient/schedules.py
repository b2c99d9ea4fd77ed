"""Which pieces make the balanced short input shortest: θ, q and J of Lemma B3⁺ and Theorem B4⁺.

The error of z falls with θ (length of the first piece), q (pieces of each length) and J (different
lengths), and n = Δθq J(J+1)/2 + a. Any θ, q, J at which the error is at most s give a valid length;
the shortest are looked for in floats, and the error at what is found is checked in intervals. So
the search may miss the best by a little, but what it finds is proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import exp, expm1, inf, log, log1p
from typing import Any, TypeAlias

import sympy

from bounds.errors import NotComputable
from bounds.evaluate import enclose, log2
from bounds.numbers import Exact, to_sympy
from bounds.theorem import auxiliary

THETA, REPEATS, LEVELS = auxiliary("theta"), auxiliary("q"), auxiliary("J")
"""θ, q and J, which are chosen."""

Choice: TypeAlias = Mapping[sympy.Symbol, Any]
_Point: TypeAlias = tuple[float, float, float]
"""ln θ, ln q, ln J; below e^30 of integers."""

_LARGEST = 700.0  # exp of it is a float
_INTEGER = 30.0
"""Logarithm up to which θ, q and J are whole on the way; above, roundings do not matter."""
_MOST_LEVELS = log(2.0**20)
"""More levels gain nothing: the logarithm ln(q)/(2J) is gone."""
_WRITTEN_OUT = 20_000.0
"""Logarithm up to which θ and q are written out as integers."""
_ROOM = (1e-12, 1e-9, 1e-6, 1e-3)
"""Room left below s, for what floats may have got wrong."""
_STEPS = (log(3.0), log(1.5), log(1.1), 0.0)
"""Factors by which one of θ, q, J is moved, coarse to fine; 0: by 1."""
_MOVES = (
    *(((1, 0, 0), 1), ((1, 0, 0), 2), ((0, 1, 0), 0)),
    *(((0, 1, 0), 2), ((0, 0, 1), 0), ((0, 0, 1), 1)),
    *(((1, 0, -1), 1), ((0, 1, -1), 0), ((1, -1, 0), 2)),
)
"""How θ, q, J are moved together, and which of them is then made as small as it can be."""
_COUNTED = log(1e4)
"""Logarithm up to which a step by 1 matters."""
_MOST = 1e9
"""Logarithm of the largest θ and q."""
_DESCENTS, _PASSES, _ITERATIONS, _GAIN = 4, 12, 60, 1e-5


@dataclass(frozen=True)
class Falling:
    """The error over s as a function of θ, q, J; all but rate and period in natural logarithms.

    With u = 1/(q(J+1)), v = 1/(θ(J+1)), n = Δθq J(J+1)/2 + first, and m = n + Δ − 1, the error is
    turns·u·(1 + ln(q)/(2J)) + flat·u + seams·v + ends/m + late·n^(−c) + mean·(average of i^(−c),
    i ≤ n).
    """

    turns: float = -inf
    flat: float = -inf
    seams: float = -inf
    ends: float = -inf
    late: float = -inf
    mean: float = -inf
    rate: float = 1.0
    period: int = 1
    first: int = 1
    room: float = 0.0

    def fits(self, point: _Point) -> bool:
        """Whether the error is at most s, in floats."""
        return self.over(point) <= 0

    def over(self, point: _Point) -> float:
        """ln of the error over s, with the room that is wanted; falls in every coordinate."""
        x, y, j = point
        more = log1p(exp(j))  # ln(J + 1)
        main = log(self.period / 2) + x + y + j + more
        n = _sum(main, log(self.first))
        total = _exp(self.turns - y - more) * (1 + y / 2 * exp(-j)) + _exp(self.flat - y - more)
        total += _exp(self.seams - x - more)
        total += _exp(self.ends - _sum(main, log(self.first + self.period - 1)))
        total += _exp(self.late - self.rate * n) + _exp(self.mean + _log_mean(self.rate, n))
        return log(total + self.room) if total > 0 else -inf


def shortest(
    falling: Falling, error: sympy.Expr, allowed: sympy.Expr, values: Mapping[sympy.Symbol, Exact]
) -> Choice | None:
    """θ, q, J with `error` ≤ `allowed` and a short z; None if none is found.

    Args:
        falling: the error over what is allowed, for the search.
        error: the same, exactly, in THETA, REPEATS, LEVELS and the symbols of `values`.
        allowed: what it may be.
        values: exact values of the other symbols.
    """
    for room in _ROOM:
        point = _search(replace(falling, room=room))
        if point is None:
            continue
        choice = _written(point)
        try:
            over = enclose(error - allowed, {**values, **choice}, 256)
        except NotComputable:
            continue
        if over <= 0:
            return choice
    return None


def logarithm(*factors: Exact | int) -> float:
    """ln of a product of numbers ≥ 0; −∞ for 0."""
    total = 0.0
    for factor in factors:
        number = Fraction(factor) if isinstance(factor, int) else factor
        if number == 0:
            return -inf
        total += log2(enclose(to_sympy(number), {})) * log(2.0)
    return total


def added(*logarithms: float) -> float:
    """ln of the sum of numbers given by their logarithms."""
    total = -inf
    for number in logarithms:
        total = _sum(total, number)
    return total


@lru_cache(maxsize=256)
def _search(falling: Falling) -> _Point | None:
    """The best point that descents from several starts end at."""
    found = [_descend(falling, start) for start in _starts(falling)]
    return min(found, key=_size, default=None)


def _starts(falling: Falling) -> list[_Point]:
    """Points that fit, the shortest of several kinds: few levels or many, short pieces or long."""
    balance = added(falling.turns, falling.flat)
    share = balance - falling.seams if falling.seams > -inf else inf
    found: set[_Point | None] = set()
    for guess in (0.0, log(8.0), log(100.0), falling.seams, _MOST_LEVELS):
        levels = _whole(min(max(guess, 0.0), _MOST_LEVELS))
        for theta in (0.0, -share, falling.seams - levels):
            found.add(_solved(falling, (_whole(max(theta, 0.0)), 0.0, levels), 1))
        found.add(_solved(falling, (0.0, _whole(max(balance - levels, 0.0)), levels), 0))
    for repeats in (0.0, share):
        found.add(_solved(falling, (0.0, _whole(min(max(repeats, 0.0), _MOST)), 0.0), 2))
    return sorted((p for p in found if p is not None), key=_size)[:_DESCENTS]


def _descend(falling: Falling, point: _Point) -> _Point:
    """Move one or two coordinates, make another as small as it can be; keep what is shorter."""
    for step in _STEPS:
        for _ in range(_PASSES):
            before = _size(point)
            for (directions, solved), sign in product(_MOVES, (1, -1)):
                start = _moved(point, [sign * way for way in directions], step)
                if start == point or not _promising(falling, start, solved, _size(point)):
                    continue
                other = _solved(falling, start, solved)
                if other is not None and _size(other) < _size(point):
                    point = other
            if _size(point) > before - _GAIN:
                break
    return point


def _promising(falling: Falling, point: _Point, index: int, size: float) -> bool:
    """Whether the point fits where the coordinate gives it that size."""
    value = point[index] + size - _size(point)
    if index == 2:
        rest = size - point[0] - point[1]  # ln J(J + 1)
        value = rest / 2 if rest > _LARGEST else log((1 + 4 * exp(rest)) ** 0.5 / 2 - 0.5 + 1e-300)
    return value >= 0 and falling.fits(_with(point, index, value))


def _moved(point: _Point, ways: list[int], step: float) -> _Point:
    """The point with coordinates multiplied or divided by a factor, or moved by 1."""
    for index, way in enumerate(ways):
        old = point[index]
        if step > 0:
            point = _with(point, index, _whole(max(0.0, old + way * step)))
        elif way and old < _COUNTED:
            point = _with(point, index, log(max(1, round(exp(old)) + way)))
    return point


def _solved(falling: Falling, point: _Point, index: int) -> _Point | None:
    """The point with the least value of one coordinate that fits, if there is one."""
    if falling.fits(_with(point, index, 0.0)):
        return _with(point, index, 0.0)
    most = _MOST_LEVELS if index == 2 else _MOST
    low, high = 0.0, max(1.0, point[index])
    while (over := falling.over(_with(point, index, high))) > 0:
        low, high = high, 2 * high
        if low > most:
            return None
    for number in _candidates(_root(falling, point, index, low, high, over)):
        candidate = _with(point, index, number)
        if number <= most and falling.fits(candidate):
            return candidate
    return None


def _root(
    falling: Falling, point: _Point, index: int, low: float, high: float, over: float
) -> float:
    """A value near which the error is s, by false position (Illinois) between low and high."""
    under = falling.over(_with(point, index, low))
    side = 0
    for _ in range(_ITERATIONS):
        if high - low < 1e-9 * max(1.0, high) or over == 0:
            break
        share = under / (under - over) if over > -inf else 0.5
        middle = low + min(max(share, 0.02), 0.98) * (high - low)
        found = falling.over(_with(point, index, middle))
        if found > 0:
            low, under = middle, found
            over = over / 2 if side == 1 else over
            side = 1
        else:
            high, over = middle, found
            under = under / 2 if side == -1 else under
            side = -1
        if high < _COUNTED and exp(high) - exp(low) < 0.5:
            break
    return high


def _candidates(value: float) -> Iterator[float]:
    """What a coordinate near the value may be, increasing: the integers around it."""
    if value > _INTEGER:
        yield from (value, value + 1e-12 * value, value + 1e-9 * value)
        return
    number = int(exp(value))
    yield from (log(n) for n in range(max(1, number - 1), number + 3))


def _with(point: _Point, index: int, value: float) -> _Point:
    x, y, j = point
    return ((value, y, j), (x, value, j), (x, y, value))[index]


def _size(point: _Point) -> float:
    """ln of θqJ(J+1)."""
    x, y, j = point
    return x + y + j + log1p(exp(j))


def _whole(value: float) -> float:
    """The logarithm of an integer nearby, or the value itself where that makes no difference."""
    return value if value > _INTEGER else log(round(exp(value)))


def _written(point: _Point) -> Choice:
    """θ, q, J as exact numbers, none smaller than in the search."""
    theta, repeats, levels = point
    return {
        THETA: _integer(theta),
        REPEATS: _integer(repeats),
        LEVELS: sympy.Integer(round(exp(levels))),
    }


def _integer(value: float) -> Exact:
    if value <= _INTEGER:
        return Fraction(round(exp(value)))
    if value > _WRITTEN_OUT:
        # SymPy would write it out, digit by digit, if it were asked for its value.
        exponent = Fraction(value) + Fraction(1, 10**9)
        return sympy.ceiling(sympy.exp(to_sympy(exponent)), evaluate=False)
    power = max(0, int(value / log(2.0)) - 53)
    mantissa = exp(value - power * log(2.0)) * (1 + 1e-11)
    return Fraction(int(mantissa) + 1) * 2**power


def _exp(value: float) -> float:
    return exp(min(value, _LARGEST))


def _sum(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    large, small = max(one, other), min(one, other)
    return large if small == -inf else large + log1p(exp(small - large))


def _log_mean(rate: float, n: float) -> float:
    """ln of (1 + ∫_1^n t^(−c) dt)/n, at ln n; at least the mean of i^(−c), i ≤ n."""
    rest = (1 - rate) * n
    if rest > _LARGEST:
        return rest - log(1 - rate) - n
    return log1p(expm1(rest) / (1 - rate) if rate < 1 else n) - n
