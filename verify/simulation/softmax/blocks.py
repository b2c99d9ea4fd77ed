"""Growing blocks of a long input, and the cyclic windows that may stand for each block.

The pieces of z in the balanced construction ([derived, Lemma B3⁺]). All lengths are in units of
one period (Δ symbols), and all real numbers are multiples of 1/n′, so that the arithmetic is
exact in integers: x has T″ whole periods before its tail, z has n′ = Λ_K, κ = T″/n′ ≥ 1.
Block k is the real interval [κΛ_{k−1}, κΛ_k); its piece of z has λ_k periods, read from the block
at ϑ, ϑ+1, …, ϑ+λ_k−1 modulo the length κλ_k of the block. A uniformly random ϑ makes each of
these points uniform on the block, which is why the mean over all windows is exactly the mean of
the block. That holds for any λ_k ≥ 1; `Schedule` has those of the theorem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError
from verify.simulation.softmax.schedule import Schedule, longest_schedule

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """The distinct cyclic windows of one block, as at most two runs of consecutive periods.

    Attributes:
        first, first_count: start (0-based period of x) and number of periods of the run.
        second, second_count: the run after the wrap; its count may be 0.
        weights: exact weight of each window, integers that sum to T″λ_k.
    """

    first: Indices
    first_count: Indices
    second: Indices
    second_count: Indices
    weights: Indices


@dataclass(frozen=True)
class BlockPlan:
    """How x (|x| = T) is cut, and what z is made of.

    Attributes:
        total: T.
        period: Δ.
        schedule: the lengths λ_k of the pieces.
        tail: a, symbols at the end of x that z keeps; a ≡ T (mod Δ), τ+1 ≤ a ≤ τ+Δ.
    """

    total: int
    period: int
    schedule: Schedule
    tail: int

    @property
    def units(self) -> int:
        """T″: whole periods of x before the tail."""
        return (self.total - self.tail) // self.period

    @property
    def short_units(self) -> int:
        """n′: periods of z before the tail."""
        return self.schedule.total

    @property
    def pieces(self) -> int:
        """K, number of pieces of z."""
        return self.schedule.pieces

    @property
    def length(self) -> int:
        """n = |z| = Δn′ + a."""
        return self.period * self.short_units + self.tail

    def end(self, k: int) -> int:
        """n′ · κΛ_k = T″Λ_k, the end of block k in units of 1/n′."""
        return self.units * self.schedule.prefix(k)

    def span(self, k: int) -> tuple[int, int]:
        """First period that block k touches, and one past the last."""
        return self.end(k - 1) // self.short_units, -(-self.end(k) // self.short_units)

    def overlap(self, k: int) -> Indices:
        """n′ · (length of block k inside each period of `span(k)`), exact integers."""
        low, high = self.span(k)
        edges = np.arange(low, high + 1, dtype=np.int64) * self.short_units
        inside = np.clip(edges, self.end(k - 1), self.end(k))
        return inside[1:] - inside[:-1]

    def windows(self, k: int) -> Windows:
        """All distinct cyclic windows of block k with their weights.

        As ϑ grows a window changes only where its first run enters a new period, where a point
        wraps around the end of the block, or where its second run enters a new period: three
        families of breakpoints, each with spacing 1.
        """
        unit, start, size = self.short_units, self.end(k - 1), self.schedule.piece(k)
        width = self.end(k) - start
        shifts = np.unique(
            np.concatenate(
                [
                    np.zeros(1, dtype=np.int64),
                    np.arange(-start % unit, width, unit, dtype=np.int64),
                    np.arange(width % unit, width, unit, dtype=np.int64),
                    np.arange((width - start) % unit, width, unit, dtype=np.int64),
                ]
            )
        )
        first_count = np.minimum(size, -((shifts - width) // unit))
        return Windows(
            first=(start + shifts) // unit,
            first_count=first_count,
            second=(start + shifts + unit * first_count - width) // unit,
            second_count=size - first_count,
            weights=np.diff(np.append(shifts, width)),
        )


def plan_blocks(
    total: int,
    length: int,
    *,
    locality: int,
    period: int = 1,
    theta: int = 1,
    repeats: int = 1,
) -> BlockPlan:
    """The plan with the most levels whose z is no longer than `length`.

    Args:
        total: T = |x|.
        length: largest allowed |z|, at most T.
        locality: τ.
        period: Δ.
        theta: θ ≥ 1; larger pieces mean fewer seams between them.
        repeats: q ≥ 1; more pieces of each length mean that each matters less.

    Raises:
        InputError: `length` too small for one level, larger than T, or T too large to count in
            64-bit integers.
    """
    first = Schedule(theta, repeats, 1)
    tail = kept_tail(total, locality, period)
    smallest = period * first.total + tail
    if length < smallest:
        allowed = f"at least Δθq + (kept tail) = {smallest}"
        raise InputError("length", length, allowed)
    schedule = longest_schedule((length - tail) // period, theta, repeats)
    return plan_schedule(total, schedule, locality=locality, period=period, longest=length)


def plan_schedule(
    total: int, schedule: Schedule, *, locality: int, period: int = 1, longest: int | None = None
) -> BlockPlan:
    """The plan for pieces of given lengths.

    Args:
        total: T = |x|.
        schedule: the λ_k, in periods.
        locality: τ.
        period: Δ.
        longest: largest allowed |z|; by default that of the schedule.

    Raises:
        InputError: z would be longer than allowed or than x, or T is too large to count in 64-bit
            integers.
    """
    plan = BlockPlan(total, period, schedule, kept_tail(total, locality, period))
    length = plan.length if longest is None else longest
    if length > total:
        raise InputError("length", length, f"at most the length of x, {total}")
    if plan.length > length:
        raise InputError("length", length, f"at least {plan.length}, the length of these pieces")
    if plan.units * plan.short_units >= 2**62:
        raise InputError("x", f"{total} tokens", "fewer than 2^62 / |z| tokens")
    return plan


def kept_tail(total: int, locality: int, period: int) -> int:
    """a: how many last tokens z keeps of x, |x| = `total`; ≡ `total` mod Δ, above τ."""
    return locality + 1 + (total - locality - 1) % period
