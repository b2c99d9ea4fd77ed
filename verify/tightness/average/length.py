"""`average_length`: the least N that is enough on average, for functions of the share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.errors import InputError
from verify.tightness.average.worst import LONGEST, MOST, average_worst
from verify.tightness.exact.worst import in_units, rational


@dataclass(frozen=True)
class AverageLength:
    """The least N such that E_n|f − g| ≤ ε for n ≤ N gives E_T|f − g| ≤ target for every T.

    Attributes:
        slope, epsilon, target: what was asked.
        insufficient: the longest N with a pair above the target, by exact arithmetic; 0: none.
        exceeded_at: the T > N of that pair; None: the limit T → ∞ (or no pair).
        sufficient: the least N at which every T > N is shown to be at most the target; None: none.
        checked_to: up to this T one by one; beyond, by the limit and the distance of the laws.
    """

    slope: Fraction
    epsilon: Fraction
    target: Fraction
    insufficient: int
    exceeded_at: int | None
    sufficient: int | None
    checked_to: int | None

    @property
    def length(self) -> int | None:
        """The exact least N; None if the two sides do not meet."""
        return self.sufficient if self.sufficient == self.insufficient + 1 else None

    def __str__(self) -> str:
        """Return the result in one line."""
        if self.length is not None:
            return f"{self.length}: exact, for slope {self.slope}, target {self.target}"
        above = f"more than {self.insufficient}"
        if self.sufficient is None:
            return f"{above}; no N that is enough was found"
        return f"{above}, at most {self.sufficient} as far as is known"


def average_length(*, slope: Any, epsilon: Any, target: Any, longest: int = 64) -> AverageLength:
    """The least N that is enough: two tokens, uniform attention, prior Dir(1, 1).

    f and g are functions of the share of token 1, as in `average_worst`.

    Args:
        slope: Lipschitz constant of f − g.
        epsilon: ε > 0.
        target: η > ε.
        longest: the largest N that is tried, from 1 to 80.

    Raises:
        InputError: an argument is none of those.
    """
    rise, agreement = rational("slope", slope), rational("epsilon", epsilon)
    goal = rational("target", target)
    if goal <= agreement:
        raise InputError("target", target, f"above ε = {agreement}")
    whole = isinstance(longest, int) and not isinstance(longest, bool)
    if not whole or not 1 <= longest <= MOST[True]:
        raise InputError("longest", longest, f"a whole number from 1 to {MOST[True]}")
    asked = _Question(in_units("slope", rise, agreement), goal / agreement)
    below, above, step = 0, None, 1
    while above is None and below < longest:
        tried = min(step, longest)
        if asked.holds(tried):
            above = tried
        else:
            below, step = tried, 2 * step
    while above is not None and above - below > 1:
        middle = (above + below) // 2
        if asked.holds(middle):
            above = middle
        else:
            below = middle
    shown = max((n for n in asked.pairs if n <= below), default=0)
    end = None if above is None else asked.ends[above]
    return AverageLength(rise, agreement, goal, shown, asked.pairs.get(shown), above, end)


class _Question:
    """Whether every T > N is below the target, with the pairs found so far; unit: ε."""

    def __init__(self, slope: Fraction, goal: Fraction) -> None:
        self.slope, self.goal = slope, goal
        self.pairs: dict[int, int | None] = {}
        self.ends: dict[int, int] = {}

    def holds(self, length: int) -> bool:
        """Whether every T > N is at most the target; the first lengths refute most N at once."""
        first = min(2 * length + 3, LONGEST)
        if not all(self._at_most(length, at) for at in range(length + 1, first + 1)):
            return False
        limit = average_worst(slope=self.slope, epsilon=1, length=length, at=None)
        if limit.low > self.goal:
            self.pairs[length] = None
        if limit.high >= self.goal:
            return False
        end = self._end(length, self.goal - limit.high)
        if end > LONGEST:
            return False
        self.ends[length] = end
        return all(self._at_most(length, at) for at in range(first + 1, end))

    def _at_most(self, length: int, at: int) -> bool:
        found = average_worst(slope=self.slope, epsilon=1, length=length, at=at)
        if found.low > self.goal:
            self.pairs[length] = at
        return found.high <= self.goal

    def _end(self, length: int, room: Fraction) -> int:
        """The least T from which the limit decides.

        Under Dir(1, 1) the share at T is uniform on k/T; the k-th of T + 1 equal parts of [0, 1]
        contains k/T, so that E_T h and ∫h differ by at most slope·(2T + 1)/(6T(T + 1)).
        """
        at = length + 1
        while at <= LONGEST and self.slope * (2 * at + 1) > room * 6 * at * (at + 1):
            at += 1
        return at
