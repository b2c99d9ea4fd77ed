"""What a checker returns."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Rechecked:
    """What was checked; the claim of the certificate follows from the weights.

    Attributes:
        epsilon, target, horizon, length: ε, target, T* (None: every length), N. The claim: if
            |f − g| ≤ ε at the lengths N−Δ+1 … N, then |f − g| ≤ target at N−Δ+1 … T*; nothing if
            length is None.
        contexts: how many contexts were checked; there are no others.
        cases: how many cases (finite precision) or images (infinite precision) stand in them.
        share: largest cost over budget, at most 1; None without length.
    """

    epsilon: Fraction
    target: Fraction
    horizon: int | None
    length: int | None
    contexts: int
    cases: int
    share: Fraction | None
