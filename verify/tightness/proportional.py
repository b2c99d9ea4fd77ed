"""Counts of x cut in proportion: a z where there are too many inputs to look at."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from verify.model.summary import Summary
from verify.simulation.argmax.counts import largest_remainder
from verify.tightness.request import Request

_STEP = Fraction(9, 8)


def proportional_cut(request: Request, x: Summary, least: int) -> Summary | None:
    """Return the first cut of x that is close, of lengths ≥ `least` that grow by 1/8; or None."""
    period = request.inputs.period
    length = least + (x.length - least) % period
    while x.suffix.size <= length < x.length:
        z = cut(x, length)
        if z is not None and request.close(x, z):
            return z
        goal = -(-length * _STEP.numerator // _STEP.denominator)
        length = goal + (x.length - goal) % period
    return None


def cut(x: Summary, length: int) -> Summary | None:
    """Return the input of a length ≡ |x| mod Δ with the suffix of x and shares near those of x."""
    period = x.counts.shape[0]
    less = (x.length - length) // period
    rows = []
    for row in x.counts.tolist():
        total = sum(row)
        if less > total:
            return None
        scale = Fraction(total - less, total) if total else Fraction(0)
        rows.append(largest_remainder([scale * count for count in row]))
    return Summary(np.array(rows, dtype=object), x.suffix, length)
