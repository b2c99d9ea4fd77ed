"""`solve_for`: name one parameter, give the length, get the value that just fits.

The answer is always on the safe side: at the value returned, the required length
is at most the length given, by the same certified arithmetic as everywhere. The
search is a bisection on exact numbers; what is impossible is found out at the
favourable end before it starts, and the end of a bracket is never returned.

Lengths are rounded up to whole periods, so they may fall by a few tokens where a
parameter grows. There the bisection ends at one of several neighbouring roots.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from fractions import Fraction
from math import ceil, floor
from numbers import Integral
from typing import Any

from bounds.errors import NoSolution, NotComputable, ParameterError, Problem
from bounds.evaluate import compare, log2
from bounds.length import Request, bound_for, read_request
from bounds.numbers import brief
from bounds.parameters import BY_KEYWORD, Parameter, one_of
from bounds.request import covering_entries
from bounds.result import LengthBound, show_length
from bounds.signs import equation
from bounds.solution import Solution
from bounds.theorem import Direction

_WIDEST = 256
"""Real values are searched between 2^−256 and 2^256, integers up to 2^256."""

_INTEGERS = 64
"""So many integers are tried for one at which the hypotheses hold."""

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
) -> Solution:
    """The value of `unknown` for which training length `length` just suffices.

    The least value if required lengths fall with it (ε, margin, ...), the greatest
    if they grow with it (L, Δ, ...). With `target` given, the greatest ε is meant.
    Where the theorem leaves constants implicit, the value belongs to its order of
    growth at the constant C given, and is no guarantee.

    Args:
        unknown: keyword of the parameter to solve for.
        length: the training length, an integer ≥ 1.
        error, attention, layers, theorem, assume: as in `required_length`.
        **parameters: all parameters but the unknown.

    Returns:
        A `Solution`, which is a number: an integer for integer parameters; otherwise the simplest
        fraction within a relative 2^−50 on the safe side of the exact root. `.bound` is the
        required length there, at most the length given.

    Raises:
        ParameterError: bad arguments, or `unknown` among the given ones.
        NoSolution: no value fits, or every value does, or nothing depends on it, or those that
            fit leave nothing to say, as the error is as large as any that there can be; with the
            reason.
        UnsupportedSetting: no theorem covers the setting.
    """
    row = _read_unknown(unknown, length, parameters)
    request = read_request(error, attention, layers, theorem, assume, parameters)
    _refuse_independent(unknown, request)
    growing = row.effect > 0 or (unknown == "epsilon" and "target" in parameters)

    def bound(value: Fraction) -> LengthBound:
        return bound_for(request, {unknown: value})

    search = _Search(unknown, row, bound, int(length), growing)
    value = search.integer() if row.kind == "integer" else search.real()
    found = bound(Fraction(value))
    _refuse_vacuous(unknown, value, found, int(length))
    return Solution(value, unknown, int(length), found)


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

    def applies(self, value: Fraction) -> bool:
        """Whether the hypotheses hold at `value`."""
        try:
            self.bound(value)
        except ParameterError:
            return False
        except NotComputable:
            return True
        return True

    def integer(self) -> int:
        """The greatest integer that fits, as lengths grow with every integer (but see above)."""
        first = ceil(self.row.lower)
        lowest = int(self._first_valid(Fraction(first + i) for i in range(_INTEGERS)))
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
        best, bad = ends if self.growing else ends[::-1]
        good = self._first_valid(_powers_from(best, bad))
        if good != best and not self.fits(good):  # a hypothesis ends between two powers of two
            beyond = 2 * good if best > bad else good / 2
            good = self._bisect(good, beyond, self.applies)
        if not self.fits(good):
            if self.growing and not self.row.lower_open and self.fits(self.row.lower):
                return self.row.lower
            self._refuse_impossible(good)
        if self.fits(bad):
            kind = "greatest" if self.growing else "least"
            raise NoSolution(self.unknown, f"every value fits; there is no {kind} one")
        return self._bisect(good, bad, self.fits)

    def _bisect(self, good: Fraction, bad: Fraction, holds: Callable[[Fraction], bool]) -> Fraction:
        """Powers of two first, then halves; `holds` at `good` throughout, not at `bad`."""
        while not Fraction(1, 2) <= good / bad <= 2:
            middle = _power_between(good, bad)
            good, bad = (middle, bad) if holds(middle) else (good, middle)
        for _ in range(_STEPS):
            middle = (good + bad) / 2
            good, bad = (middle, bad) if holds(middle) else (good, middle)
        # The root lies between `bad` and `good`. Prefer a simple number there (often the root
        # itself), then one just beyond on the safe side.
        for other in (bad, 2 * good - bad):
            simple = simplest_between(*sorted((good, other)))
            if holds(simple):
                return simple
        return good

    def _refuse_impossible(self, best: Fraction) -> None:
        """Raise unless the most favourable value fits."""
        result = self.bound(best)
        if _at_most(result, self.length):
            return
        needed = show_length(result.length, result.log2_length)
        reason = (
            f"even at {self.unknown} = {_show(best)} length {needed} is needed, "
            f"given {show_length(self.length, log2(Fraction(self.length)))}"
        )
        if result.dominant is not None and len(result.terms) > 1:
            reason += f"; the largest term there is {result.dominant!r}"
        raise NoSolution(self.unknown, reason)

    def _first_valid(self, values: Iterable[Fraction]) -> Fraction:
        """The first value at which the theorems apply.

        Raises:
            ParameterError: none; what the last one violates, such as missing parameters.
        """
        refusal = None
        for value in values:
            try:
                self.bound(value)
            except ParameterError as problem:
                refusal = problem
                if any(p.given is None for p in problem.problems):
                    break
            except NotComputable:  # the hypotheses hold, but the length is beyond a float
                return value
            else:
                return value
        assert refusal is not None
        raise refusal


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


def _powers_from(best: Fraction, worst: Fraction) -> Iterator[Fraction]:
    """best, then by factors of two towards worst."""
    step = Fraction(2) if best < worst else Fraction(1, 2)
    low, high = sorted((best, worst))
    while low <= best <= high:
        yield best
        best *= step


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
        raise NotComputable(f"{bound.theorem.key} gives no number: {bound.status}")
    return length.bit_length() - 1 > bound.log2_length  # more than 100,000 bits


def _show(value: Fraction) -> str:
    if not value:
        return "0"
    power = value.numerator.bit_length() - value.denominator.bit_length()
    return f"about 2^{power}" if abs(power) > 20 else brief(value)


_OUTPUTS = ("lipschitz", "lipschitz_marginal", "lipschitz_euclidean")
"""How far one model's outputs are apart at most: attention differs by at most 1."""


def _refuse_vacuous(unknown: str, value: int | Fraction, found: LengthBound, length: int) -> None:
    """Raise where the unknown itself makes the error as large as any that there can be."""
    largest = {k: found.parameters[k] for k in _OUTPUTS if k in found.parameters}
    error = found.parameters.get("simulation_error")
    if error is None or not largest or unknown not in ("epsilon", "target", *largest):
        return
    for keyword, range_ in largest.items():
        if compare(error, range_) >= 0:
            target = brief(found.parameters["target"])
            shown = equation(unknown, Fraction(value))
            raise NoSolution(
                unknown,
                f"length {length} leaves only what says nothing: {shown} makes (target − ε)/2 = "
                f"{brief(error)} at least {equation(keyword, range_)}, by which outputs of one "
                f"model differ at most, so that |f − g| ≤ {target} follows from agreement on a "
                "single input of each residue; a greater length is needed",
            )


def _refuse_independent(unknown: str, request: Request) -> None:
    """Raise where no theorem of the request depends on the unknown."""
    if request.theorem is not None:
        entries, name = [request.theorem], request.theorem.key
    else:
        assert request.setting is not None
        entries = [
            entry
            for entry in covering_entries(request.setting)
            if entry.direction is Direction.SUFFICIENT
        ]
        name = f"no sufficient length for {request.setting}"
    if entries and not any(unknown in entry.parameters for entry in entries):
        verb = "does not depend" if request.theorem is not None else "depends"
        raise NoSolution(unknown, f"{name} {verb} on it")


def _read_unknown(unknown: Any, length: Any, parameters: dict[str, Any]) -> Parameter:
    problems = []
    if not isinstance(unknown, str) or unknown not in BY_KEYWORD:
        problems.append(Problem("unknown", unknown, one_of(unknown, BY_KEYWORD)))
    elif unknown in parameters:
        allowed = "nothing: it is the unknown"
        problems.append(Problem(unknown, parameters[unknown], allowed))
    elif BY_KEYWORD[unknown].effect == 0:
        allowed = "a parameter in which required lengths are monotone"
        problems.append(Problem("unknown", unknown, allowed))
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
        problems.append(Problem("length", length, "an integer ≥ 1"))
    if problems:
        raise ParameterError(problems)
    return BY_KEYWORD[unknown]
