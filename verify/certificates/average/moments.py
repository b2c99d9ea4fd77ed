"""Sums over all inputs of one length with given last tokens: everything a rung needs, in one pass.

**Rounding.** With δ the relative error of a probability and blocks of at most R rows, a matrix
product of probabilities and numbers ≥ 0 has a relative error ≤ δ + (R + 2)u, and the compensated
sum over blocks (Ogita, Rump and Oishi, *SIAM J. Sci. Comput.* 26, 2005) adds 2u: γ_n² < u for the
numbers n of blocks that occur.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verify.certificates.average.attention import Group
from verify.certificates.average.shape import Shape
from verify.certificates.average.tables import UNIT
from verify.certificates.average.weighted import WeightedVectors
from verify.certificates.input_class import InputClass
from verify.certificates.window import float_up

Floats = npt.NDArray[np.float64]

_ROWS = 1024
_ENTRIES = 1 << 16
_SPARE = 1 + 2.0**-20


@dataclass(frozen=True)
class Moments:
    """Conditional expectations at one length, given the last tokens; each with a proved bound.

    Attributes:
        error: E|F|.
        error_bound: bound on its error.
        kinks: (K,) E|l_k|; kinks_bound: the same.
        bias: (groups,) κ; bias_bound.
        spread: (groups,) E[M^(−1/2)] where the highest level is present, at least.
        evaluations: number of count vectors.
    """

    error: float
    error_bound: float
    kinks: Floats
    kinks_bound: Floats
    bias: Floats
    bias_bound: Floats
    spread: Floats
    evaluations: int


def moments(
    one_class: InputClass,
    weighted: WeightedVectors,
    shape: Shape,
    sizes: list[int],
    count: Callable[[int], None],
) -> Moments:
    """Return the moments of one class of inputs of a length without near ties.

    Args:
        one_class: the inputs.
        weighted: their probabilities.
        shape: of f − g on them.
        sizes: number of prefix positions of each column.
        count: called with the number of evaluations of each block.
    """
    atoms = [atom[0] for column in one_class.atoms for atom in column]
    readers = [_Reader(group, atoms, sizes) for group in shape.groups]
    tables = [
        table[[*atoms, *range(len(group.prefix), len(table))]]
        for group, table in zip(shape.groups, shape.rounded, strict=True)
    ]
    kinks, number = shape.weights.size, weighted.vectors.number
    step = min(one_class.step, _ROWS, max(_ENTRIES // max(kinks, 1), 64))
    sums = _Sum(kinks + 2 * len(readers))
    errors: list[float] = []
    for start in range(0, number, step):
        stop = min(start + step, number)
        counts, weights = weighted.rows(start, stop)
        errors.append(math.fsum((weights * one_class.errors(counts)).tolist()))
        functions = np.zeros((stop - start, kinks + 2 * len(readers)))
        for index, (reader, table) in enumerate(zip(readers, tables, strict=True)):
            attention, bias, spread = reader(counts)
            functions[:, :kinks] += attention @ table
            functions[:, kinks + 2 * index] = bias
            functions[:, kinks + 2 * index + 1] = spread
        sums.add(weights @ np.abs(functions))
        count(stop - start)
    mean = math.fsum(errors)
    found = sums.total
    relative = (weighted.error + (step + 8) * UNIT) * _SPARE
    bounds = relative * found + 2.0**-1000
    bounds[:kinks] += shape.errors
    spread = found[kinks + 1 :: 2]
    return Moments(
        error=mean,
        error_bound=(one_class.rounding + (weighted.error + 4 * UNIT) * mean) * _SPARE,
        kinks=found[:kinks],
        kinks_bound=bounds[:kinks] * _SPARE,
        bias=found[kinks::2],
        bias_bound=bounds[kinks::2] * _SPARE + 8 * UNIT * found[kinks::2],
        spread=spread * (1 + relative + 16 * UNIT) * _SPARE,
        evaluations=number,
    )


class _Reader:
    """The attention of one group, from counts of atoms."""

    def __init__(self, group: Group, atoms: list[int], sizes: list[int]) -> None:
        self._prefix = group.prefix[atoms]
        self._suffix = group.suffix
        self._levels = group.levels
        self._bias = [group.bias(level, sizes) for level in group.levels]

    def __call__(self, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """Return attention (rows, atoms + lags), the bias, and M^(−1/2) of the highest level."""
        attention = np.zeros((len(counts), self._prefix.size + self._suffix.size))
        bias, spread = np.zeros(len(counts)), np.zeros(len(counts))
        absent = np.ones(len(counts), dtype=bool)
        for rank, level in enumerate(self._levels):
            own = np.flatnonzero(self._prefix == rank)
            lags = self._prefix.size + np.flatnonzero(self._suffix == rank)
            prefix = counts[:, own].sum(axis=1)
            total = prefix + level.joined
            here = absent & (total > 0)
            share = np.where(here, 1 / np.maximum(total, 1), 0.0)
            attention[:, own] = counts[:, own] * share[:, None]
            attention[:, lags] = share[:, None]
            exact = self._bias[rank]
            added = level.joined * share if exact is None else np.where(here, float_up(exact), 0.0)
            bias += np.where(here, rank + added, 0.0)
            if rank == 0:
                spread = np.where(here & (prefix > 0), 1 / np.sqrt(np.maximum(prefix, 1)), 0.0)
            absent &= ~here
        return attention, bias, spread


class _Sum:
    """Compensated sums of several columns at once."""

    def __init__(self, columns: int) -> None:
        self._sum, self._rest = np.zeros(columns), np.zeros(columns)

    def add(self, values: Floats) -> None:
        """Add a row."""
        total = self._sum + values
        part = total - self._sum
        self._rest += (self._sum - (total - part)) + (values - part)
        self._sum = total

    @property
    def total(self) -> Floats:
        """The sums."""
        result: Floats = self._sum + self._rest
        return result
