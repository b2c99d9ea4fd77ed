"""How far apart f and g are at each length, and which lengths that proves to be too short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

GRID = 10**13
"""Errors are rounded outwards to multiples of 1/GRID: exact numbers of a handy size."""

NOISE = 1e-9
"""Errors of float64 in an output, relative to the largest one, many times over."""


@dataclass(frozen=True)
class Level:
    """A fact that refutes every claim of a length ≤ `length` for this ε and target.

    f and g agree within `epsilon` at every length ≤ `length`, and differ by more than `target` at
    the length `witness`.
    """

    length: int
    epsilon: Fraction
    target: Fraction
    witness: int


@dataclass(frozen=True)
class Profile:
    """The errors of f − g by length.

    Attributes:
        exact: length 1, 2, 3, … without a gap → the error, over *all* inputs of that length.
        beyond: some greater lengths → a lower bound of the error there.
        size: the largest output that was met, for the rounding errors.
    """

    exact: tuple[float, ...]
    beyond: Mapping[int, float]
    size: float

    @property
    def longest(self) -> int:
        """The greatest length looked at."""
        return max([len(self.exact), *self.beyond])

    def levels(self, first_counted: int = 0, last_counted: int | None = None) -> Iterator[Level]:
        """Yield one level for each length after which the largest error so far is exceeded.

        The target is as large as the facts allow, since lengths fall when the target grows.

        Args:
            first_counted, last_counted: errors at lengths outside do not refute (those at short
                lengths still count for the agreement).
        """
        slack = NOISE * max(1.0, self.size)
        errors = dict(enumerate(self.exact, 1)) | dict(self.beyond)
        last = self.longest if last_counted is None else last_counted
        worst = 0.0
        for length, error in enumerate(self.exact, 1):
            worst = max(worst, error)
            if length < len(self.exact) and self.exact[length] <= worst:
                continue  # agreement within the same ε lasts longer
            later = [t for t in errors if t > length and first_counted <= t <= last]
            if not later:
                return
            witness = max(later, key=lambda t: errors[t])
            epsilon = _outwards(worst + slack, up=True)
            target = _outwards(errors[witness] - slack, up=False)
            if target > epsilon + Fraction(1, 10**6):
                yield Level(length, epsilon, target, witness)


def _outwards(value: float, *, up: bool) -> Fraction:
    scaled = Fraction(value) * GRID
    whole = -((-scaled.numerator) // scaled.denominator) if up else scaled // 1
    return Fraction(int(whole), GRID)
