"""Which of the pairs (κ, γ) to take: by the shortest length for a given ε, or without one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import bounds
from verify.measure.argmax_constants import ArgmaxConstants
from verify.measure.clusters import Clustering


def widest(candidates: Sequence[Clustering], horizon: int | None, precision_bits: int) -> int:
    """Return the number of the candidate that stands out before any ε is known.

    Of those with 2^(p/γ) ≤ T* (the others say nothing up to T*) the one with the greatest γ/κ:
    there the clusters are narrowest for their distance. Exact ties, κ = 0, come first. If there is
    none, the last one, with the greatest γ.
    """
    if horizon is None:
        return 0
    longest = math.log2(horizon)
    hard = [k for k, c in enumerate(candidates) if _threshold(c, precision_bits) <= longest]

    def ratio(number: int) -> float | Fraction:
        kappa, gamma = candidates[number].tie_tolerance, candidates[number].margin
        return (precision_bits if gamma is None else gamma) / kappa if kappa else math.inf

    return max(hard, key=ratio, default=len(candidates) - 1)


def shortest(constants: ArgmaxConstants, epsilon: Any, target: Any) -> int:
    """Return the number of the candidate whose required length is least, over all theorems.

    A length that is not below the horizon says nothing, unless κ = 0. Where several are equal, the
    least κ, and where no candidate has a length, the one chosen so far.
    """
    best, log2_best = constants.chosen, math.inf
    # Thresholds 2^(p/γ) grow as κ falls, and no length is below its own.
    for number in range(len(constants.candidates) - 1, -1, -1):
        threshold = _threshold(constants.candidates[number], constants.precision_bits)
        if number and threshold > log2_best * (1 + 1e-9):
            continue
        log2_length = _log2_length(constants.candidate(number), epsilon, target)
        if log2_length <= log2_best and log2_length < math.inf:
            best, log2_best = number, log2_length
    return best


def _threshold(candidate: Clustering, precision_bits: int) -> Fraction:
    """Return p/γ, the binary logarithm of the length from which attention is hardmax."""
    return Fraction(0) if candidate.margin is None else precision_bits / candidate.margin


def _log2_length(constants: ArgmaxConstants, epsilon: Any, target: Any) -> float:
    """Return log₂ N, ∞ where there is none."""
    wanted = {"epsilon": epsilon} | ({} if target is None else {"target": target})
    try:
        bound = bounds.required_length(
            error="linf", assume=constants.assume, **wanted, **constants.parameters()
        )
    except bounds.BoundsError:
        return math.inf
    if bound.log2_length is None or bound.status.name not in ("PROVED", "TOO_LARGE"):
        return math.inf
    longest = math.inf if constants.horizon is None else constants.horizon
    if constants.tie_tolerance and (bound.length is None or bound.length >= longest):
        return math.inf
    return bound.log2_length
