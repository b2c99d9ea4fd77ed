"""The largest and the least of several values."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import sympy

from bounds.vectorised.lanes import Lanes, alike, small_first
from bounds.vectorised.walk import Evaluation


def extreme(largest: bool) -> Callable[[Evaluation, sympy.Basic], Lanes]:
    """The rule for Max or for Min."""
    choose = np.maximum if largest else np.minimum

    def rule(run: Evaluation, formula: sympy.Basic) -> Lanes:
        parts = alike(small_first(run(part) for part in formula.args))
        value = reduce(choose, [part.value for part in parts])
        whole = all(part.whole for part in parts)
        if all(part.error.ndim == 0 for part in parts) and (
            parts[0].log or all(part.low >= 0 for part in parts)
        ):
            error = reduce(np.maximum, [part.error for part in parts])
            return Lanes(value, error, log=parts[0].log, whole=whole)
        # |max a − max b| ≤ max |a − b|; a part that is certainly not the extreme one is left out.
        radii = [p.error if p.log else p.error * np.abs(p.value) for p in parts]
        sign = 1 if largest else -1
        certain = reduce(
            np.maximum, [sign * p.value - r for p, r in zip(parts, radii, strict=True)]
        )
        error = np.zeros(())
        for part, radius in zip(parts, radii, strict=True):
            possible = ~(sign * part.value + radius < certain)
            error = np.maximum(error, np.where(possible, radius, 0))
        if not parts[0].log:
            error = np.where(error == 0, 0, error / np.abs(value))
        error = np.where(np.isnan(value), np.inf, error)
        return Lanes(value, error, log=parts[0].log, whole=whole)

    return rule
