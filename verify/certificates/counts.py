"""Count vectors by number: all ways to fill columns of given sizes with given kinds of tokens.

The vectors (c_1, …, c_a) ≥ 0 with sum n correspond to the partial sums s_1 ≤ … ≤ s_{a−1} ≤ n, and
those to the integers below C(n+a−1, a−1) by the combinatorial number system: number i has as s_b
the largest s with C(s+b−1, b) ≤ i, for b = a−1 down to 1, i being reduced by that binomial each
time. So any stretch of the list can be made at once, and nothing has to be kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt


class CountVectors:
    """The count vectors of several columns, each a sum of its own, numbered 0, 1, ….

    Attributes:
        totals: number of positions of each column.
        parts: number of kinds of tokens in each column, each at least 1.
        number: how many count vectors there are.
    """

    def __init__(self, totals: Sequence[int], parts: Sequence[int]) -> None:
        """Count them; nothing is built yet."""
        self.totals, self.parts = tuple(totals), tuple(parts)
        self._numbers = [
            math.comb(n + a - 1, a - 1) for n, a in zip(self.totals, self.parts, strict=True)
        ]
        self.number: int = math.prod(self._numbers)

    def rows(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Return the vectors start..stop−1, shape (stop − start, Σ parts), columns side by side.

        Counts above 2^53 are rounded to float64.
        """
        result = np.empty((stop - start, sum(self.parts)))
        rest = np.arange(start, stop)
        left = 0
        for column, a in enumerate(self.parts):
            if a == 1:
                result[:, left] = float(self.totals[column])
            else:
                rest, index = np.divmod(rest, self._numbers[column])
                self._fill(result[:, left : left + a], column, index)
            left += a
        return result

    def vector(self, index: int) -> list[list[int]]:
        """Return one vector exactly: the counts of each column."""
        vector = []
        for number, total, a in zip(self._numbers, self.totals, self.parts, strict=True):
            index, own = divmod(index, number)
            counts, above = [], total
            for b in range(a - 1, 0, -1):
                row = self._binomials[total, b]
                below = int(np.searchsorted(row, own, side="right")) - 1
                own -= int(row[below])
                counts.append(above - below)
                above = below
            vector.append([above, *reversed(counts)])
        return vector

    def _fill(
        self, result: npt.NDArray[np.float64], column: int, index: npt.NDArray[np.int64]
    ) -> None:
        """Write the count vectors of one column with these numbers."""
        total = self.totals[column]
        above: npt.NDArray[np.int64] | int = total
        for b in range(self.parts[column] - 1, 0, -1):
            row = self._binomials[total, b]
            below = np.searchsorted(row, index, side="right") - 1
            index = index - row[below]
            result[:, b] = above - below
            above = below
        result[:, 0] = above

    @cached_property
    def _binomials(self) -> dict[tuple[int, int], npt.NDArray[np.int64]]:
        """C(s+b−1, b) for s = 0..n, by (n, b): each the running sum of the one before."""
        rows = {}
        columns = zip(self.totals, self.parts, strict=True)
        for n, a in ((n, a) for n, a in columns if a > 1):
            row = np.arange(n + 1)
            for b in range(1, a):
                rows[n, b] = row
                row = np.cumsum(row)
        return rows
