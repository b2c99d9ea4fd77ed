"""Lengths as floats, from 1 to far beyond the largest float.

Up to 2^900 the float is the length: an exact integer below 2^53. A float 2^(900 + 2x) beyond
stands for the length 2^(900·2^x), so that all lengths up to 2^(10^18) have a name: with a lag bias
near 1 attention changes as T^(−γ), and γ may be as small as 1/1000. ∞ stands for 1/T = 0.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PLAIN = 2.0**900
"""Up to here floats are the lengths themselves."""

LAST = 2.0**1000
"""The last float that stands for a length."""

_LN2 = math.log(2)


def log_reciprocal(code: Floats) -> Floats:
    """Return ln(1/T)."""
    exponent = np.log2(code)
    with np.errstate(over="ignore"):
        far = 900 * np.exp2((np.minimum(exponent, 1000.0) - 900) / 2)
    far = np.where(np.isfinite(exponent), far, np.inf)
    return -_LN2 * np.where(code <= PLAIN, exponent, far)


def reciprocal(code: Floats) -> Floats:
    """Return 1/T; 0 where that is below the least float."""
    return np.where(code <= PLAIN, 1 / code, np.exp(log_reciprocal(code)))


def length_of(code: float) -> int | None:
    """Return the length; None for those beyond 2^900, and for ∞."""
    return int(code) if code <= PLAIN else None


LONGEST_EXPONENT = 100_000
"""A limit of inputs is shown by an input of at most this power of two."""
