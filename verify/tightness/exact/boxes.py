"""Branch and bound over what a long input shows, where no formula gives the worst case.

A long input shows f a law p on A, and g the share ν of A among all tokens. In a box of
(p₁, …, p_{a−1}, ν) with half-widths e the distance changes by at most
(L/ε)(e₁ + … + e_{a−1})(1 + ν) + (L/ε)e_ν. Unit: ε.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verify.tightness.exact.graph import ShortInputs
from verify.tightness.exact.patterns import Floats, NestedPatterns, distances

_FINEST = 2.0**-40


@dataclass(frozen=True)
class Found:
    """What branch and bound has found.

    Attributes:
        low: the largest distance met at a point that long inputs show or come near to.
        high: no distance in the region is larger.
        at: where `low` is.
        closed: whether all boxes were closed: `high` ≤ goal, or no more than `slack` above `low`.
    """

    low: float
    high: float
    at: Floats
    closed: bool


Distance = Callable[[Floats, float], float]
"""(p₁, …, p_{a−1}, ν), least ν of the box → distance."""


def largest(
    distance: Distance,
    region: tuple[Floats, Floats],
    short: ShortInputs,
    boxes: int,
    goal: float | None = None,
    slack: float = 0.0,
    *,
    stop: bool = True,
) -> Found:
    """Bound the largest distance in a box of shares.

    Args:
        distance: at a point.
        region: centre and half-widths; the part outside the simplex p₁ + … ≤ 1 is left out.
        short: gives L/ε and the rounding.
        boxes: that are looked at, at most.
        goal: boxes that are at most this are closed.
        slack: if there is no goal, boxes that are at most this much above `low` are closed.
        stop: at the first point above the goal.
    """
    slope, rounding = float(short.slope), short.rounding
    low, high, at = -np.inf, -np.inf, region[0]
    queue: list[tuple[float, int, Floats, Floats]] = [(-np.inf, 0, *region)]
    for number in range(boxes):
        if not queue:
            break
        bound, _, centre, half = heapq.heappop(queue)
        if goal is None and -bound <= low + slack:
            queue.append((bound, 0, centre, half))
            break
        value = distance(centre, float(centre[-1] - half[-1]))
        if value > low and centre[:-1].sum() <= 1.0:
            low, at = value, centre
        top = float(half[:-1].sum() * (1 + min(1.0, centre[-1] + half[-1])) + half[-1])
        above = value + slope * top + rounding
        if goal is not None and above <= goal:
            high = max(high, above)
            continue
        if half.max() < _FINEST or (stop and goal is not None and low > goal + rounding):
            queue.append((-above, 0, centre, half))
            break
        side = int(np.argmax(half))
        step = np.zeros_like(half)
        step[side] = half[side] / 2
        for sign in (-1, 1):
            middle, width = centre + sign * step, half - step
            if (middle - width)[:-1].sum() <= 1.0:
                heapq.heappush(queue, (-above, 2 * number + (sign > 0), middle, width))
    rest = -min((bound for bound, *_ in queue), default=np.inf)
    high = max(high, rest, low)
    closed = not queue if goal is not None else high <= low + slack + rounding
    return Found(low, high, at, closed)


def at_the_limit_region(patterns: NestedPatterns) -> tuple[Floats, Floats]:
    """All p, ν = 0."""
    free = patterns.vocabulary_size - 2
    return np.array([0.5] * free + [0.0]), np.array([0.5] * free + [0.0])


def off_the_limit_region(patterns: NestedPatterns, length: int) -> tuple[Floats, Floats]:
    """All p, 1/N ≤ ν ≤ 1."""
    free = patterns.vocabulary_size - 2
    middle, half = (1 + 1 / length) / 2, (1 - 1 / length) / 2
    return np.array([0.5] * free + [middle]), np.array([0.5] * free + [half])


def distance_at_the_limit(short: ShortInputs) -> Distance:
    """D at ν = 0, by one run of Dijkstra's algorithm."""
    cost, _ = short.from_limit()

    def distance(at: Floats, _: float) -> float:
        law = np.array([*at[:-1], 1 - at[:-1].sum(), 0.0])
        return float((cost + float(short.slope) * distances(short.f_laws, law)).min())

    return distance


def distance_off_the_limit(patterns: NestedPatterns, short: ShortInputs, length: int) -> Distance:
    """D at any ν; tied: for the worst law of f.

    Tied: f sees w tokens s₁ and one o. w ≥ N is no worse than w → ∞. For w < N f's law is that of
    a short input; x has w/ν tokens, so it is short itself unless w > νN.
    """
    between = short.between

    def distance(at: Floats, least: float) -> float:
        inner, share = np.array([*at[:-1], 1 - at[:-1].sum()]), at[-1]
        g_law, f_law = np.array([*(share * inner), 1 - share]), np.array([*inner, 0.0])
        cost = short.nearest(g_law)
        if short.has_detours or patterns.tied:
            cost = (cost[:, None] + between).min(axis=0)
        found = float((cost + float(short.slope) * distances(short.f_laws, f_law)).min())
        if not patterns.tied:
            return found
        seen = cost[short.f_counts[:, 0] > least * length - 1e-6]
        return max(found, float(seen.max(initial=found)))

    return distance
