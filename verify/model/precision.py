"""The rule of finite precision, decided exactly: a relative weight T^(−gap) ≤ 2^−p is 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import flint
import numpy as np
import numpy.typing as npt

from bounds.precision import FLINT

_LARGEST_FLOAT = 2**1000
"""A larger p is no float with room to spare."""


def is_dropped(length: int, gap: Fraction, precision_bits: int) -> bool:
    """Whether T^(−gap) ≤ 2^−p, that is gap·log₂T ≥ p, for an exact gap.

    Args:
        length: T ≥ 1, the length of the whole input.
        gap: largest logit minus this key's logit, before the scaling by log T.
        precision_bits: p ≥ 1.
    """
    if gap <= 0 or length == 1:
        return False
    if length & (length - 1) == 0:  # T = 2^t: the only lengths at which equality can hold
        return gap * (length.bit_length() - 1) >= precision_bits
    # Otherwise log₂T is irrational, and enough digits decide.
    digits = 64
    while True:
        with FLINT, flint.ctx.workprec(digits):
            logarithm = flint.arb(length).log() / flint.arb(2).log()
            excess = flint.arb(flint.fmpq(gap.numerator, gap.denominator)) * logarithm
            excess -= precision_bits
            if excess > 0:
                return True
            if excess < 0:
                return False
        digits *= 2


def dropped(
    length: int,
    gaps: npt.NDArray[np.float64],
    precision_bits: int,
    gap_error: float,
    exact_gap: Callable[[int], Fraction],
) -> npt.NDArray[np.bool_]:
    """Which of many keys are dropped; exact arithmetic only where floats cannot decide.

    Args:
        length: T ≥ 1.
        gaps: (n,) gaps in float64.
        precision_bits: p ≥ 1.
        gap_error: bound on |gaps − exact gaps|.
        exact_gap: the exact gap of key k, asked for only near the boundary.
    """
    result, unclear = dropped_by_floats(length, gaps, precision_bits, gap_error)
    for k in np.flatnonzero(unclear):
        result[k] = is_dropped(length, exact_gap(int(k)), precision_bits)
    return result


def dropped_by_floats(
    length: int,
    gaps: npt.NDArray[np.float64],
    precision_bits: int,
    gap_error: float | npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of many keys are dropped, and for which of them floats cannot decide.

    Args:
        length: T ≥ 1.
        gaps: gaps in float64, of any shape.
        precision_bits: p ≥ 1.
        gap_error: bound on |gaps − exact gaps|, one for all or for each.
    """
    if precision_bits > _LARGEST_FLOAT:
        return np.zeros(gaps.shape, dtype=np.bool_), np.ones(gaps.shape, dtype=np.bool_)
    log2_length = math.log2(length)
    with np.errstate(over="ignore"):  # infinite: dropped, or a matter for exact arithmetic
        excess = gaps * log2_length - precision_bits
    unclear = 1e-9 * max(1, precision_bits) + gap_error * log2_length
    return excess >= 0, ~(np.abs(excess) > unclear)  # a bound that is no number decides nothing
