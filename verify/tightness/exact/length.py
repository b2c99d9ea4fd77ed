"""`exact_length`: the least N that is enough, for given attention."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.errors import InputError
from verify.tightness.exact.graph import ShortInputs
from verify.tightness.exact.patterns import NestedPatterns
from verify.tightness.exact.worst import (
    BOXES,
    check_length,
    exceeded_at_the_limit,
    in_units,
    longest_listed,
    off_the_limit,
    rational,
)


@dataclass(frozen=True)
class ExactLength:
    """The least N such that agreement within ε up to N gives |f − g| ≤ target everywhere.

    Attributes:
        patterns, lipschitz, epsilon, target: what was asked.
        insufficient: the longest N with a pair that agrees and exceeds the target; None: none.
        sufficient: the least N at which no pair exceeds the target where the share of A tends to
            0; None: above `longest`.
        complete: whether no pair exceeds it at any input, so that `sufficient` is exact.
    """

    patterns: NestedPatterns
    lipschitz: Fraction
    epsilon: Fraction
    target: Fraction
    insufficient: int | None
    sufficient: int | None
    complete: bool

    @property
    def length(self) -> int | None:
        """The exact least N; None where it is not known."""
        known = self.sufficient is not None and self.complete
        return self.sufficient if known and self._meets else None

    @property
    def _meets(self) -> bool:
        return self.sufficient == (self.insufficient or 1) + 1

    def __str__(self) -> str:
        """Return the result in one line."""
        if self.length is not None:
            return f"{self.length}: exact, for L = {self.lipschitz}, target {self.target}"
        above = f"more than {self.insufficient or 1}"
        if self.sufficient is None:
            return f"{above}; no N that is enough was found"
        return f"{above}, at most {self.sufficient} as far as is known"


def exact_length(
    patterns: NestedPatterns,
    *,
    lipschitz: Any,
    epsilon: Any,
    target: Any,
    longest: int | None = None,
    boxes: int = BOXES,
) -> ExactLength:
    """The least N ≥ 2 that is enough for all Lipschitz heads with this attention.

    Args:
        patterns: what the heads attend to.
        lipschitz, epsilon: L and ε, as in `exact_worst`.
        target: > ε; rational.
        longest: the largest N that is tried: for targets up to 3ε at most 105 (tied: 631, four
            tokens: 45), else as in `exact_worst`. None: that, but no more than 64.
        boxes: as in `exact_worst`.

    Raises:
        InputError: an argument is none of those.
    """
    slope, agreement = rational("lipschitz", lipschitz), rational("epsilon", epsilon)
    goal = rational("target", target)
    if goal <= agreement:
        raise InputError("target", target, f"above ε = {agreement}")
    most = longest_listed(patterns, goal > 3 * agreement)
    longest = min(most, 64) if longest is None else longest
    check_length("longest", longest, most)
    asked = _Question(patterns, in_units("lipschitz", slope, agreement), goal / agreement, boxes)
    below, above, step = 1, None, 2
    while above is None and below < longest:
        tried = min(step, longest)
        if asked.exceeded(tried):
            below, step = tried, 2 * step
        else:
            above = tried
    while above is not None and above - below > 1:
        middle = (above + below) // 2
        if asked.exceeded(middle):
            below = middle
        else:
            above = middle
    complete = above is not None and boxes > 0 and asked.holds_elsewhere(above)
    shown = max((n for n, certain in asked.certainly.items() if certain), default=None)
    return ExactLength(patterns, slope, agreement, goal, shown, above, complete)


class _Question:
    """Whether the target is exceeded at an N, with the answers so far."""

    def __init__(
        self, patterns: NestedPatterns, slope: Fraction, goal: Fraction, boxes: int
    ) -> None:
        self.patterns, self.slope, self.goal, self.boxes = patterns, slope, goal, boxes
        self.certainly: dict[int, bool] = {}

    def exceeded(self, length: int) -> bool:
        """Whether the target may be exceeded in the limit; `certainly`: whether it is."""
        short = self._short(length)
        may, self.certainly[length] = exceeded_at_the_limit(
            self.patterns, short, self.goal, self.boxes
        )
        return may

    def holds_elsewhere(self, length: int) -> bool:
        """Whether no input off the limit exceeds the target."""
        if self.goal >= 1 + self.slope:
            return True
        _, closed = off_the_limit(
            self.patterns, self._short(length), length, float(self.goal), self.boxes
        )
        return closed

    def _short(self, length: int) -> ShortInputs:
        return ShortInputs(self.patterns, length, self.slope, self.goal)
