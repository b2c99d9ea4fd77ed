"""How time grows with size: the exponent of a power law, fitted on log-log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.timing import Clock, times


@dataclass(frozen=True)
class Fit:
    """Least squares of log(seconds) on log(size).

    Attributes:
        exponent: seconds ~ size^exponent.
        standard_error: of the exponent, from the residuals; it knows nothing of errors that all
            points share, nor of a law that is no power.
        residual: largest |log2(measured ÷ fitted)|.
        sizes, seconds: the points in the fit, all of them.
    """

    exponent: float
    standard_error: float
    residual: float
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def decades(self) -> float:
        """log10 of the largest size ÷ the least."""
        return math.log10(max(self.sizes) / min(self.sizes))


def fit(sizes: Sequence[float], seconds: Sequence[float]) -> Fit:
    """The exponent, its standard error, and how far a point is from the line.

    Raises:
        ValueError: fewer than three points, or two sizes at most.
    """
    if len(sizes) < 3 or len(set(sizes)) < 3:
        raise ValueError(f"three sizes at least, not {list(sizes)}")
    x, y = ([math.log(v) for v in values] for values in (sizes, seconds))
    n, mean_x, mean_y = len(x), math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - mean_x) ** 2 for a in x)
    slope = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    left = [b - mean_y - slope * (a - mean_x) for a, b in zip(x, y, strict=True)]
    error = math.sqrt(math.fsum(r * r for r in left) / (n - 2) / spread)
    return Fit(
        exponent=slope,
        standard_error=error,
        residual=max(map(abs, left)) / math.log(2),
        sizes=tuple(map(float, sizes)),
        seconds=tuple(map(float, seconds)),
    )


def grow(
    program_of: Callable[[int], Callable[[], Any]],
    sizes: Sequence[int],
    rounds: int,
    clock: Clock = time.process_time,
) -> Fit:
    """The fit through the shortest of `rounds` runs at every size.

    All sizes run in turn: a machine that gets slower does not bend the line.
    """
    programs = {str(size): program_of(size) for size in sizes}
    found = times(programs, rounds, clock)
    return fit(sizes, [min(found[str(size)]) for size in sizes])
