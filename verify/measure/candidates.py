"""Exact ties or near ties: which of the two gives the shorter length for a given ε."""

from __future__ import annotations

import math
from typing import Any

import bounds
from verify.measure.argmax_constants import ArgmaxConstants


def shortest(constants: ArgmaxConstants, epsilon: Any, target: Any) -> int:
    """Return the number of the candidate whose required length is least, over all theorems.

    With near ties a length that is not below the horizon says nothing, and counts as none. Where
    two are equal, the first; where no candidate has a length, the one chosen so far.
    """
    lengths = [
        _log2_length(constants.candidate(number), epsilon, target)
        for number in range(len(constants.candidates))
    ]
    least = min(lengths)
    return constants.chosen if least == math.inf else lengths.index(least)


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
