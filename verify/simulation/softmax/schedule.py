"""How long the pieces of the balanced short input are: λ_k = θ⌈k/q⌉, k = 1..qJ.

[derived, Lemma B3⁺]. Pieces grow, so that the histogram of a prefix is known about as well as its
length allows; each length is used q times, which costs few seams. q = 1 are the pieces of
[derived, Lemma B3], J = 1 equal ones. All lengths are in units of one period.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from verify.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """The lengths of the pieces.

    Attributes:
        theta: θ ≥ 1, length of the first piece and step between lengths.
        repeats: q ≥ 1, pieces of each length.
        levels: J ≥ 1, different lengths.
    """

    theta: int
    repeats: int
    levels: int

    def __post_init__(self) -> None:
        """Refuse numbers that are no schedule.

        Raises:
            InputError: one of them is below 1.
        """
        for name in ("theta", "repeats", "levels"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "an integer ≥ 1")

    @property
    def pieces(self) -> int:
        """K = qJ."""
        return self.repeats * self.levels

    @property
    def total(self) -> int:
        """n′ = Λ_K = θqJ(J+1)/2."""
        return self.theta * self.repeats * (self.levels * (self.levels + 1) // 2)

    def piece(self, k: int) -> int:
        """λ_k, for k = 1..K."""
        return self.theta * -(-k // self.repeats)

    def prefix(self, k: int) -> int:
        """Λ_k = λ_1 + … + λ_k, for k = 0..K."""
        level, rest = divmod(k, self.repeats)
        return self.theta * (self.repeats * (level * (level + 1) // 2) + rest * (level + 1))

    @property
    def last_share(self) -> Fraction:
        """λ_K/Λ_K = 2/(q(J+1)), the share of the longest piece."""
        return Fraction(2, self.repeats * (self.levels + 1))

    @property
    def seams(self) -> Fraction:
        """2K/n′ = 4/(θ(J+1)): fragments of x per unit of z, at most."""
        return Fraction(4, self.theta * (self.levels + 1))


def longest_schedule(room: int, theta: int = 1, repeats: int = 1) -> Schedule:
    """The schedule with the most levels and n′ ≤ `room`.

    Raises:
        InputError: θ or q below 1, or no level fits.
    """
    first = Schedule(theta, repeats, 1)
    if room < first.total:
        raise InputError("length", room, f"room for θq = {first.total} periods before the tail")
    square = 2 * room // (theta * repeats)  # J(J+1) ≤ square
    return Schedule(theta, repeats, (isqrt(4 * square + 1) - 1) // 2)
