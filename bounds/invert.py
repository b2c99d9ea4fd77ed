"""`solve_for`: name one parameter, give the length, get the value that just fits.

The answer is always on the safe side: at the value returned, the required length
is at most the length given, by the same certified arithmetic as everywhere. The
search is a bisection on exact numbers; what is impossible is found out at the end
of the domain before it starts, and the end of a bracket is never returned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from fractions import Fraction
from math import ceil, floor
from typing import Any

from bounds.errors import NoSolution, NotComputable, ParameterError, Problem
from bounds.length import bound_for, read_request
from bounds.parameters import BY_KEYWORD, Parameter
from bounds.result import LengthBound, show_length

_WIDEST = 256
"""Real values are searched between 2^−256 and 2^256, integers up to 2^256."""

_STEPS = 50
"""Bisections after the power of two is known: a relative width of 2^−50."""


def solve_for(
    unknown: str,
    *,
    length: int,
    error: str | None = None,
    attention: str | None = None,
    layers: int | None = None,
    theorem: str | None = None,
    assume: Collection[str] = (),
    **parameters: Any,
) -> int | Fraction:
    """The value of `unknown` for which training length `length` just suffices.

    The least value if required lengths fall with it (ε, margin, ...), the greatest
    if they grow with it (L, Δ, ...). With `target` given, the greatest ε is meant.

    Args:
        unknown: keyword of the parameter to solve for.
        length: the training length, an integer ≥ 1.
        error, attention, layers, theorem, assume: as in `required_length`.
        **parameters: all parameters but the unknown.

    Returns:
        int for integer parameters; otherwise the simplest Fraction within a relative
        2^−50 on the safe side of the exact root.

    Raises:
        ParameterError: bad arguments, or `unknown` among the given ones.
        NoSolution: no value fits, or every value does; with the reason.
        UnsupportedSetting: no theorem covers the setting.
    """
    row = _read_unknown(unknown, length, parameters)
    request = read_request(error, attention, layers, theorem, assume, parameters)
    growing = row.effect > 0 or (unknown == "epsilon" and "target" in parameters)

    def bound(value: Fraction) -> LengthBound:
        return bound_for(request, {unknown: value})

    search = _Search(unknown, row, bound, int(length), growing)
    return search.integer() if row.kind == "integer" else search.real()


class _Search:
    """Bisection for the last value that fits, on one parameter."""

    def __init__(
        self,
        unknown: str,
        row: Parameter,
        bound: Callable[[Fraction], LengthBound],
        length: int,
        growing: bool,
    ) -> None:
        self.unknown = unknown
        self.row = row
        self.bound = bound
        self.length = length
        self.growing = growing

    def fits(self, value: Fraction) -> bool:
        """Whether the required length at `value` is at most the length given."""
        try:
            return _at_most(self.bound(value), self.length)
        except ParameterError:  # outside the theorem's hypotheses
            return False
        except NotComputable:  # log2 of the length is itself beyond a float
            return False

    def integer(self) -> int:
        """The greatest integer that fits (required lengths grow with every integer)."""
        lowest = ceil(self.row.lower)
        self._refuse_impossible(Fraction(lowest))
        low, high = lowest, max(2, 2 * lowest)
        while self.fits(Fraction(high)):
            if high.bit_length() > _WIDEST:
                raise NoSolution(self.unknown, "every value fits; there is no greatest one")
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.fits(Fraction(middle)) else (low, middle)
        return low

    def real(self) -> Fraction:
        """The extreme rational that fits, to a relative 2^−50 on the safe side."""
        ends = (Fraction(1, 2**_WIDEST), Fraction(2**_WIDEST))
        if self.row.upper is not None:
            close = self.row.upper - Fraction(1, 2**_WIDEST)
            ends = (ends[0], close if self.row.upper_open else self.row.upper)
        good, bad = ends if self.growing else ends[::-1]
        if self.growing and not self.row.lower_open and not self.fits(good):
            self._refuse_impossible(self.row.lower)
            return self.row.lower
        if not self.fits(good):
            self._refuse_impossible(self._nearest_valid(good, bad))
        elif self.fits(bad):
            kind = "greatest" if self.growing else "least"
            raise NoSolution(self.unknown, f"every value fits; there is no {kind} one")
        else:
            return self._bisect(good, bad)
        raise NoSolution(self.unknown, "the hypotheses of the theorem hold for no value")

    def _bisect(self, good: Fraction, bad: Fraction) -> Fraction:
        """Powers of two first, then halves; `good` fits throughout, `bad` does not."""
        while not Fraction(1, 2) <= good / bad <= 2:
            middle = _power_between(good, bad)
            good, bad = (middle, bad) if self.fits(middle) else (good, middle)
        for _ in range(_STEPS):
            middle = (good + bad) / 2
            good, bad = (middle, bad) if self.fits(middle) else (good, middle)
        # The root lies between `bad` and `good`. Prefer a simple number there (often the root
        # itself), then one just beyond on the safe side.
        for other in (bad, 2 * good - bad):
            simple = simplest_between(*sorted((good, other)))
            if self.fits(simple):
                return simple
        return good

    def _refuse_impossible(self, best: Fraction) -> None:
        """Raise unless the most favourable value fits."""
        result = self.bound(best)
        if _at_most(result, self.length):
            return
        needed = show_length(result.length, result.log2_length)
        reason = (
            f"even at {self.unknown} = {_show(best)} length {needed} is needed, given {self.length}"
        )
        if result.dominant is not None and len(result.terms) > 1:
            reason += f"; the largest term there is {result.dominant!r}"
        raise NoSolution(self.unknown, reason)

    def _nearest_valid(self, good: Fraction, bad: Fraction) -> Fraction:
        """A value at which the theorems apply, as favourable as a scan finds."""
        value = good
        while value != bad:
            try:
                self.bound(value)
            except ParameterError:
                step = Fraction(1, 2) if good > bad else Fraction(2)
                if (value * step - bad) * (good - bad) <= 0:
                    break
                value *= step
            else:
                return value
        raise NoSolution(self.unknown, "the hypotheses of the theorem hold for no value")


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the least denominator in [low, high], 0 ≤ low ≤ high."""
    terms: list[int] = []
    while True:
        whole = floor(low)
        if whole == low or whole + 1 <= high:
            terms.append(whole if whole == low else whole + 1)
            break
        terms.append(whole)
        low, high = 1 / (high - whole), 1 / (low - whole)
    value = Fraction(terms.pop())
    while terms:
        value = terms.pop() + 1 / value
    return value


def _power_between(one: Fraction, other: Fraction) -> Fraction:
    """A power of two near the geometric mean of two positive numbers."""
    exponents = [x.numerator.bit_length() - x.denominator.bit_length() for x in (one, other)]
    low, high = sorted(exponents)
    middle = (low + high) // 2
    value = Fraction(2) ** middle
    low_value, high_value = sorted((one, other))
    return value if low_value < value < high_value else (one + other) / 2


def _at_most(bound: LengthBound, length: int) -> bool:
    if bound.length is not None:
        return bound.length <= length
    if bound.log2_length is None:
        raise NoSolution("length", f"{bound.theorem.key} gives no number: {bound.status}")
    return False  # more than 100,000 bits, and a length that is given is written out


def _show(value: Fraction) -> str:
    if value.denominator == 1 and value < 10**6:
        return str(value)
    sign = value.numerator.bit_length() - value.denominator.bit_length()
    return f"about 2^{sign}" if abs(sign) > 20 else str(value)


def _read_unknown(unknown: Any, length: Any, parameters: dict[str, Any]) -> Parameter:
    problems = []
    if unknown not in BY_KEYWORD:
        problems.append(Problem("unknown", unknown, "one of " + ", ".join(BY_KEYWORD)))
    elif unknown in parameters:
        allowed = "nothing: it is the unknown"
        problems.append(Problem(unknown, parameters[unknown], allowed))
    elif BY_KEYWORD[unknown].effect == 0:
        allowed = "a parameter in which required lengths are monotone"
        problems.append(Problem("unknown", unknown, allowed))
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        problems.append(Problem("length", length, "an integer ≥ 1"))
    if problems:
        raise ParameterError(problems)
    return BY_KEYWORD[unknown]
