"""`exact_worst`: the largest |f − g| at any length, over all Lipschitz heads that agree up to N."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from bounds.errors import ParameterError
from bounds.numbers import exact
from verify.errors import InputError
from verify.tightness.exact.graph import ShortInputs
from verify.tightness.exact.patterns import Floats, NestedPatterns, distances

BOXES = 4000
"""Boxes of shares that are looked at, by default, before the inputs off the limit are given up."""

LONGEST = 1000
"""Short inputs are listed, so N is at most this."""


@dataclass(frozen=True)
class ExactWorst:
    """The worst case over all pairs of heads that agree within ε up to N.

    Attributes:
        patterns, lipschitz, epsilon, length: what was asked; L of f and of g, ε, N.
        value: the largest |f − g| at inputs in which the share of A in all tokens tends to 0, as
            the exact length of a path, which bounds it from above.
        low: certified lower bound: `value` less the rounding of float64.
        share: where it is: the share of s₁ in A; tied: of o in what f sees.
        others_high: bound on |f − g| at all other inputs, as far as it had to be found (at most
            `value` if `complete`).
        complete: whether no input of any length has more than `value`.
    """

    patterns: NestedPatterns
    lipschitz: Fraction
    epsilon: Fraction
    length: int
    value: Fraction
    low: float
    share: Fraction
    others_high: float
    complete: bool

    def __str__(self) -> str:
        """Return the result in one line."""
        rest = "at any input" if self.complete else "as the share of A tends to 0"
        return (
            f"largest |f − g| {rest}: {self.value} = {float(self.value):.6g}, for L = "
            f"{self.lipschitz}, ε = {self.epsilon}, N = {self.length}"
        )


def exact_worst(
    patterns: NestedPatterns,
    *,
    lipschitz: Any,
    epsilon: Any,
    length: int,
    boxes: int = BOXES,
) -> ExactWorst:
    """The largest |f − g| at any length if |f − g| ≤ ε on all inputs of length ≤ N.

    The maximum is over all f, g that are L-Lipschitz in the total variation of the law of the
    tokens that they attend to, and over all inputs. Source: [derived, Theorem B1].

    Args:
        patterns: what the heads attend to.
        lipschitz: L of f and of g, for every query; a positive rational number.
        epsilon: ε > 0, rational.
        length: N, from 2 to 1000; above 60 it takes minutes unless tied.
        boxes: how many boxes of shares are looked at for the inputs off the limit; 0: none.

    Raises:
        InputError: an argument is none of those.
    """
    slope, agreement = rational("lipschitz", lipschitz), rational("epsilon", epsilon)
    check_length(length)
    if not isinstance(boxes, int) or boxes < 0:
        raise InputError("boxes", boxes, "a whole number, at least 0")
    short = ShortInputs(patterns, length, slope / agreement)
    value, share = at_the_limit(patterns, short)
    # The lemma for shares below 1/N needs a path that starts at an input with tokens of A.
    others, closed = np.inf, False
    if boxes and value < 1 + short.slope:
        others, closed = off_the_limit(patterns, short, length, float(value), boxes)
    return ExactWorst(
        patterns,
        slope,
        agreement,
        length,
        value * agreement,
        float(value * agreement) - short.rounding * float(agreement),
        share,
        others * float(agreement),
        closed,
    )


def rational(name: str, given: Any) -> Fraction:
    """Read a positive rational number.

    Raises:
        InputError: it is none.
    """
    try:
        number = exact(given)
    except (ParameterError, TypeError, ValueError):
        number = None
    if not isinstance(number, Fraction) or number <= 0:
        raise InputError(name, given, 'a positive rational number such as 6 or "1/10"')
    return number


def check_length(length: int) -> None:
    """Refuse an N that is no length or too long to list.

    Raises:
        InputError: it is.
    """
    if not isinstance(length, int) or isinstance(length, bool) or not 2 <= length <= LONGEST:
        raise InputError("length", length, f"a whole number from 2 to {LONGEST}")


def at_the_limit(patterns: NestedPatterns, short: ShortInputs) -> tuple[Fraction, Fraction]:
    """Return the worst distance, in units of ε, and the share of the first token that f sees.

    g sees only o. Untied: f's law is any on s₁, s₂: between neighbours among the short inputs'
    laws the distance is the lower of two straight lines, of slopes L and −L. Tied: f sees s₁ only.
    """
    _, paths = short.from_limit()
    laws = [
        (Fraction(int(c[0]), int(c.sum())), path.length)
        for c, path in zip(short.f_counts, paths, strict=True)
    ]
    if patterns.tied:
        # The distance in f is the share of o, 1 minus that of s₁.
        return min(cost + short.slope * (1 - share) for share, cost in laws), Fraction(0)
    known = sorted(
        (share, cost)
        for (share, cost), c in zip(laws, short.f_counts, strict=True)
        if c[-1] == 0  # what sees only o is at distance 1
    )
    peaks = []
    for (left, low), (right, high) in pairwise(known):
        top = (low + high + short.slope * (right - left)) / 2
        peaks.append((top, left + (top - low) / short.slope))
    top, share = max(peaks)
    return min(top, 1 + short.slope), share


def off_the_limit(
    patterns: NestedPatterns, short: ShortInputs, length: int, goal: float, boxes: int
) -> tuple[float, bool]:
    """Bound the distance, in units of ε, at inputs whose share ν of A is at least 1/N.

    Below 1/N the distance is at most that at ν = 0: every short input with tokens of A has
    ν_z ≥ 1/N, and is no further for g than at ν = 0; others need not begin a path. Branch and
    bound over boxes (θ, ν): the distance changes by at most (L/ε)(|Δθ| + |Δν| + ν|Δθ|).

    Returns:
        An upper bound, and whether it is at most `goal`.
    """
    slope = float(short.slope)
    if patterns.tied:  # finitely many s₁, ν → 0
        cost, _ = short.from_limit()
        nodes = float(cost[short.f_counts[:, 0] > 0].max()) + short.rounding
        if nodes > goal:
            return nodes, False
    between = short.between
    theta = (0.5, 0.0 if patterns.tied else 0.5)  # centre, half-width
    start = (*theta, (1 + 1 / length) / 2, (1 - 1 / length) / 2)
    queue = [(-np.inf, start)]
    highest = -np.inf
    for _ in range(boxes):
        if not queue:
            break
        _, (centre, half, share, width) = heapq.heappop(queue)
        at = _distance(patterns, short, between, (centre, share), (share - width) * length)
        high = at + slope * (half * (1 + min(1.0, share + width)) + width) + short.rounding
        if high <= goal:
            highest = max(highest, high)
        elif max(half, width) < 2.0**-40 or (at > goal + short.rounding and not patterns.tied):
            return high, False
        elif half * (1 + share) >= width:
            queue_boxes = [(centre + side * half / 2, half / 2, share, width) for side in (-1, 1)]
            for box in queue_boxes:
                heapq.heappush(queue, (-high, box))
        else:
            for side in (-1, 1):
                heapq.heappush(queue, (-high, (centre, half, share + side * width / 2, width / 2)))
    if queue:
        return max(highest, -queue[0][0]), False
    return highest, True


def _distance(
    patterns: NestedPatterns,
    short: ShortInputs,
    between: Floats,
    at: tuple[float, float],
    fewest: float,
) -> float:
    """Shortest path g_x → f_x for an input with shares θ, ν; tied: for the worst law of f.

    Tied: f sees w tokens s₁ and one o. w ≥ N is no worse than w → ∞. For w < N f's law is that of
    a short input; x has w/ν tokens, so it is short itself unless w > νN ≥ `fewest`.
    """
    theta, share = at
    if patterns.tied:
        g_law, f_law = np.array([share, 1 - share]), np.array([1.0, 0.0])
    else:
        g_law = np.array([share * theta, share * (1 - theta), 1 - share])
        f_law = np.array([theta, 1 - theta, 0.0])
    cost = (short.nearest(g_law)[:, None] + between).min(axis=0)
    found = float((cost + float(short.slope) * distances(short.f_laws, f_law)).min())
    seen = cost[short.f_counts[:, 0] > fewest - 1e-6] if patterns.tied else cost[:0]
    return max(found, float(seen.max(initial=found)))
