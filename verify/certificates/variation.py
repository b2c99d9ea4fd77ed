"""Total variation of each head's attention between a long input and its short one: Theorem C.

For lengths Z (of z) and T* (the horizon): TV_i ≤ θ(κ_i, T*/Z) + ω̂(Z^κ_i, δ_i) + M_i(Z) + sup M_i,
every number an upper bound: exact where no near tie and no mild lag comes in, else enclosed by
ball arithmetic and rounded up to the grid of `contexts`. [docs/theory/certificates.md, Instance
certificates]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint
from flint import arb, fmpq

from bounds.precision import FLINT
from verify.certificates.choices import Choice, HeadChoice
from verify.certificates.contexts import GRID, floor_of

_BITS = 96


@dataclass(frozen=True)
class Lengths:
    """The lengths of one bound, and the numbers of free positions of z.

    Attributes:
        short: Z.
        horizon: T*.
        period: Δ.
        free: n_r(Z) for each residue.
    """

    short: int
    horizon: int
    period: int
    free: tuple[int, ...]


@dataclass(frozen=True)
class Accuracies:
    """How near the counts of z come to those of x.

    Attributes:
        light: δ of each group of `Choice.groups`.
        kept: S, what the light sets keep together; 0 without.
        heads: δ_i of each head; 0 for inert heads and heads without P.
    """

    light: tuple[Fraction, ...]
    kept: Fraction
    heads: tuple[Fraction, ...]


def accuracies(choice: Choice, free: Sequence[int], light: Sequence[Fraction]) -> Accuracies | None:
    """Return δ_i of all heads, or None if there are too few free positions.

    Args:
        choice: what is attended to.
        free: n_r of each residue.
        light: δ of each group, each in (0, 1).
    """
    kept = choice.error * (math.prod((1 + 1 / delta for delta in light), start=Fraction(1)) - 1)
    if min(free) < least_free(choice) + kept:
        return None
    groups = {number: light[k] for k, group in enumerate(choice.groups) for number in group}
    heads = []
    for number, head in enumerate(choice.heads):
        if head.inert or not head.prefix:
            heads.append(Fraction(0))
        elif number in groups:
            heads.append(groups[number])
        elif choice.groups:
            error = kept + choice.error_of(head)
            heads.append(error / (len(head.full) * min(free)))
        else:
            error = head.rounding + head.drift + len(head.suffix) + choice.moves
            heads.append(error / least_mass(head, free))
    return Accuracies(tuple(light), kept, tuple(heads))


def least_free(choice: Choice) -> Fraction:
    """Return what n must be at least, beyond S: room for a token and for the units moved."""
    if not choice.groups:
        return Fraction(choice.moves + 1)
    if choice.moves:
        return choice.moves + 1 + max(choice.rounding)
    return Fraction(0)


def least_mass(head: HeadChoice, free: Sequence[int]) -> int:
    """Return v_i, the least mass of a heavy head, where there are no light sets."""
    of_columns = [free[r] for r in head.columns]
    if head.full == head.columns:
        return sum(of_columns)
    return len(head.full) * min(of_columns)


class Variation:
    """TV bounds of the heads of choices, for one pair of lengths."""

    def __init__(self, lengths: Lengths) -> None:
        """Take the lengths; Z < T*."""
        self.lengths = lengths
        with FLINT, flint.ctx.workprec(_BITS):
            self._log_short = arb(lengths.short).log()
            self._log_horizon = arb(lengths.horizon).log()
            self._log_ratio = self._log_horizon - self._log_short
            self._room = arb(fmpq(lengths.short, lengths.short + lengths.period - 1))

    def of_heads(self, choice: Choice, found: Accuracies) -> tuple[Fraction, ...]:
        """Return an upper bound, at most 1, for each head; 0 for inert heads."""
        with FLINT, flint.ctx.workprec(_BITS):
            return tuple(
                Fraction(0) if head.inert else self._of_head(choice, head, delta)
                for head, delta in zip(choice.heads, found.heads, strict=True)
            )

    def _of_head(self, choice: Choice, head: HeadChoice, delta: Fraction) -> Fraction:
        plain = self._counts(head.spread, delta)
        split = self._split(choice, head, delta)
        best = plain if split is None else min(plain, split)
        if best < 1 and any(head.mild):
            best += self._mild(head)
        return min(best, Fraction(1))

    def _counts(self, spread: Fraction, delta: Fraction) -> Fraction:
        """θ(κ, T*/Z) + ω̂(Z^κ, δ), at most 1."""
        if delta >= 1:
            return Fraction(1)
        if spread == 0:
            return delta
        kappa = _ball(spread)
        ratio = (kappa * self._log_short).exp()
        share = _ball(delta)
        bound = (kappa * self._log_ratio / 4).tanh() + ratio * share / (1 + (ratio - 1) * share)
        return _up(bound)

    def _split(self, choice: Choice, head: HeadChoice, delta: Fraction) -> Fraction | None:
        """Bound a heavy head with attended suffix as a mixture; None where that is not allowed."""
        if not head.suffix or not head.full:
            return None
        exponent = _ball(head.prefix_spread + head.excess)
        if not exponent <= self._room:
            return None
        free = self.lengths.free
        mass = len(head.full) * min(free) if choice.groups else least_mass(head, free)
        counts = self._counts(head.prefix_spread, delta - Fraction(len(head.suffix), mass))
        positions = sum(free[r] for r in head.full)
        share = len(head.suffix) * (exponent * self._log_short).exp() / positions
        return counts + _up(share)

    def _mild(self, head: HeadChoice) -> Fraction:
        """M_i(Z) + sup of M_i over Z < T ≤ T*."""
        at_short = [self._first(head, self._log_short)]
        largest = [self._first(head, self._log_horizon)]
        positions = sum(self.lengths.free[r] for r in head.full)
        if positions:
            spread = _ball(head.prefix_spread)
            weight = (spread * self._log_short).exp() / positions
            second = self._pushed(head, self._log_short) * weight
            at_short.append(second)
            steepest = max(map(abs, head.mild))
            if spread + _ball(steepest) + 1 / self._log_short <= self._room:
                largest.append(second)
            elif spread <= self._room:
                largest.append(self._pushed(head, self._log_horizon) * weight)
        return min(map(_up, at_short)) + min(map(_up, largest))

    def _first(self, head: HeadChoice, logarithm: arb) -> arb:
        """tanh(β ln T/4), β the range of the mild lags' φ and 0."""
        zero = Fraction(0)
        spread = max(zero, *head.mild) - min(zero, *head.mild)
        return (_ball(spread) * logarithm / 4).tanh()

    def _pushed(self, head: HeadChoice, logarithm: arb) -> arb:
        """B_i(T): how much the mild positions' weights change, at most, in one direction."""
        more = sum(((_ball(b) * logarithm).exp() - 1 for b in head.mild if b > 0), arb(0))
        less = sum((1 - (_ball(b) * logarithm).exp() for b in head.mild if b < 0), arb(0))
        return more.max(less)


def _ball(number: Fraction | int) -> arb:
    return arb(fmpq(*number.as_integer_ratio()))


def _up(bound: arb) -> Fraction:
    """Return an upper bound of a ball on the grid; 1 where it is not below 1."""
    if not bound < 1:
        return Fraction(1)
    return Fraction(floor_of(bound.upper() * GRID) + 1, GRID)
