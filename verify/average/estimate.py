"""Confidence intervals for the mean of samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from verify.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A mean with a confidence interval.

    Attributes:
        mean: of the samples.
        low, high: the interval; it misses the true mean with probability ≤ 1 − confidence.
        samples: how many.
        confidence: e.g. 0.99.
        method: "empirical Bernstein" (holds for every number of samples, for values in
            [0, largest]; Maurer and Pontil 2009), "Student t" (asymptotic; used where no
            largest value is known), or "exact".
    """

    mean: float
    low: float
    high: float
    samples: int
    confidence: float
    method: str

    def __str__(self) -> str:
        """Mean and interval, to three digits."""
        if self.method == "exact":
            return f"{self.mean:.3g}"
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"


def estimate(
    values: npt.ArrayLike, *, confidence: float = 0.99, largest: float | None = None
) -> Estimate:
    """Return the mean of samples ≥ 0 with a confidence interval.

    Args:
        values: (m,) independent samples, m ≥ 2, non-negative.
        confidence: in (0, 1).
        largest: a number that no sample can exceed; None if none is known.

    Raises:
        InputError: fewer than two samples, a negative or non-finite one, one above `largest`,
            or a confidence outside (0, 1).
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size < 2 or not np.isfinite(x).all() or (x < 0).any():
        raise InputError("values", values, "at least two finite numbers ≥ 0")
    if not 0 < confidence < 1:
        raise InputError("confidence", confidence, "a number in (0, 1)")
    if largest is not None and x.max() > largest * (1 + 1e-9):
        raise InputError("largest", largest, f"at least the largest sample, {x.max()}")
    mean, deviation = float(x.mean()), float(x.std(ddof=1))
    if largest is None:
        quantile = float(scipy.special.stdtrit(x.size - 1, (1 + confidence) / 2))
        half = quantile * deviation / math.sqrt(x.size)
        return Estimate(mean, max(mean - half, 0.0), mean + half, x.size, confidence, "Student t")
    log = math.log(4 / (1 - confidence))  # two sides, each with two events of probability δ/4
    half = deviation * math.sqrt(2 * log / x.size) + 7 * largest * log / (3 * (x.size - 1))
    low, high = max(mean - half, 0.0), min(mean + half, largest)
    return Estimate(mean, low, high, x.size, confidence, "empirical Bernstein")
