"""Growing blocks of a long input, and the cyclic windows that may stand for each block.

The pieces of z in the balanced construction ([derived, Lemma B3]). All lengths are in units of
one period (Δ symbols), and all real numbers are multiples of 1/n′, so that the arithmetic is
exact in integers: x has T″ whole periods before its tail, z has n′ = θK(K+1)/2, κ = T″/n′ ≥ 1.
Block k is the real interval [κΛ_{k−1}, κΛ_k) with Λ_k = θk(k+1)/2; its piece of z has λ_k = θk
periods, read from the block at ϑ, ϑ+1, …, ϑ+λ_k−1 modulo the length κλ_k of the block. A
uniformly random ϑ makes each of these points uniform on the block, which is why the mean over
all windows is exactly the mean of the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError

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
        theta: θ, growth of the pieces.
        pieces: K, number of pieces of z.
        tail: a, symbols at the end of x that z keeps; a ≡ T (mod Δ), τ+1 ≤ a ≤ τ+Δ.
    """

    total: int
    period: int
    theta: int
    pieces: int
    tail: int

    @property
    def units(self) -> int:
        """T″: whole periods of x before the tail."""
        return (self.total - self.tail) // self.period

    @property
    def short_units(self) -> int:
        """n′: periods of z before the tail."""
        return self.theta * self.pieces * (self.pieces + 1) // 2

    @property
    def length(self) -> int:
        """n = |z| = Δn′ + a."""
        return self.period * self.short_units + self.tail

    @property
    def eta(self) -> float:
        """η = 1/(K+1), the rate of the theorem; at most √(θΔ/n) once n ≥ 2(τ+Δ)."""
        return 1 / (self.pieces + 1)

    def piece(self, k: int) -> int:
        """λ_k = θk, the periods of piece k = 1..K."""
        return self.theta * k

    def end(self, k: int) -> int:
        """n′ · κΛ_k = T″Λ_k, the end of block k in units of 1/n′."""
        return self.units * self.theta * k * (k + 1) // 2

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
        unit, start, size = self.short_units, self.end(k - 1), self.piece(k)
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
    total: int, length: int, *, locality: int, period: int = 1, theta: int = 1
) -> BlockPlan:
    """The plan with the most pieces whose z is no longer than `length`.

    Args:
        total: T = |x|.
        length: largest allowed |z|, at most T.
        locality: τ.
        period: Δ.
        theta: θ ≥ 1; larger pieces mean fewer seams between them.

    Raises:
        InputError: `length` too small for one piece, larger than T, or T too large to count in
            64-bit integers.
    """
    tail = locality + 1 + (total - locality - 1) % period
    if length > total:
        raise InputError("length", length, f"at most the length of x, {total}")
    if theta < 1:
        raise InputError("theta", theta, "an integer ≥ 1")
    smallest = period * theta + tail
    if length < smallest:
        raise InputError("length", length, f"at least Δθ + (kept tail) = {smallest}")
    room = 2 * ((length - tail) // period) // theta  # K(K+1) ≤ room
    plan = BlockPlan(total, period, theta, (isqrt(4 * room + 1) - 1) // 2, tail)
    if plan.units * plan.short_units >= 2**62:
        raise InputError("x", f"{total} tokens", "fewer than 2^62 / |z| tokens")
    return plan
