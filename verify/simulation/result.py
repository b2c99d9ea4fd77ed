"""What every map x → z returns: the short input, what it costs, and what was proved about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.lengths import Length


@dataclass(frozen=True)
class Simulation:
    """A short input z that stands in for a long input x, for one or two models at once.

    Attributes:
        short: z, shape (length,), int64 tokens.
        length: |z|.
        input_length: T = |x|.
        limit: the length that the theorem guarantees to be enough (|z| ≤ limit); None where
            |z| is random.
        error_f: measured |f(x) − f(z)|, the largest over the outputs.
        error_g: measured |g(x) − g(z)|; None without a second model.
        proven_error: upper bound on error_f and error_g that the theorem gives at this
            length; None where the theorem gives none for this z.
        rounding_allowance: what rounding alone can make of a measured error.
        theorem: the statement behind `limit` and `proven_error`.
    """

    short: NDArray[np.int64]
    length: int
    input_length: int
    limit: Length | None
    error_f: float
    error_g: float | None
    proven_error: float | None
    rounding_allowance: float
    theorem: str

    @property
    def error(self) -> float:
        """The larger of the two measured errors."""
        return self.error_f if self.error_g is None else max(self.error_f, self.error_g)

    @property
    def violations(self) -> tuple[str, ...]:
        """What the theorem promises and z does not keep, in words; empty where all holds."""
        found = []
        if self.limit is not None and self.length > self.limit:
            found.append(f"|z| = {self.length} > {self.limit}")
        beyond = self.error - self.rounding_allowance
        if self.proven_error is not None and beyond > self.proven_error:
            found.append(f"error {self.error:.6g} > proven {self.proven_error:.6g}")
        return tuple(found)

    @property
    def holds(self) -> bool:
        """Whether all that was proved holds (true where nothing was)."""
        return not self.violations
