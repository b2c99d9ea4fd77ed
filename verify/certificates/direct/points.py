"""One point of each cell, an input wherever lengths are such that counts are exact in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verify.certificates.direct.cells import UNCLEAR, Cells, by_column
from verify.certificates.direct.codes import PLAIN
from verify.certificates.direct.table import Table

Floats = npt.NDArray[np.float64]

_WHOLE = 2.0**40
"""Numbers of positions up to which counts are made integers."""

_SAFE = 2.0**-48
"""More than the relative error of a count, or of a sum of some."""

_FAR = 2.0**60
"""Unbounded cells from here on have their point at 1/T = 0."""


@dataclass(frozen=True)
class Points:
    """One point of each cell.

    Attributes:
        length: (n,), T, as `codes` says; ∞ where 1/T = 0, a limit of inputs.
        shares: (n, J), of the coordinates; those of a column add up to at most 1.
        is_input: (n,), whether it is an input, or as near to one as floats are.
    """

    length: Floats
    shares: Floats
    is_input: npt.NDArray[np.bool_]


def middle_points(table: Table, cells: Cells) -> Points:
    """Return a point in, or hardly outside, the middle of each cell."""
    period = table.pair.period
    first, last = cells.first, cells.last
    with np.errstate(over="ignore", invalid="ignore"):
        root = np.sqrt(first) * np.sqrt(last)
        length = np.where(last <= 4 * first, first + (last - first) / 2, root)
    # Where the formula does not depend on T, or nearly so, the point is a limit of inputs.
    far = ~np.isfinite(last) & ((first >= _FAR) | table.constant[cells.piece])
    length = np.where(np.isfinite(last), length, np.where(far, np.inf, 2 * first))
    length = np.where(first == last, first, length)
    whole = length < _WHOLE
    length[whole] = np.floor(length[whole])
    length[whole] -= (length[whole] - table.residue[cells.piece[whole]]) % period
    length = np.maximum(length, first)

    column = table.column[cells.piece]
    padding = table.coordinate[cells.piece] == table.present.shape[1]
    # As far towards the upper ends as shares that add up to 1 allow, at most half way.
    room = 1.0 - by_column(cells.low, column, period)
    widths = cells.high - cells.low
    needed = by_column(widths, column, period)
    part = np.minimum(0.5, np.where(needed > 0, room / np.where(needed > 0, needed, 1.0), 0.5))
    shares = cells.low + np.take_along_axis(np.maximum(part, 0.0), column, axis=1) * widths

    # Counts, where the cell has some: the nearest, or below where several are to add up.
    place = np.take_along_axis(table.offset[cells.piece], column, axis=1)
    total = (length[:, None] - place) / period
    few = (total < _WHOLE) & (total >= 1) & ~padding
    numbers = np.where(few, total, 1.0)
    several = np.take_along_axis(by_column(~padding * 1.0, column, period), column, axis=1) > 1
    counts = np.floor(shares * numbers * (1 + _SAFE) + np.where(several, 0.0, 0.5))
    least = np.ceil(cells.low * numbers * (1 - _SAFE))
    most = np.floor(cells.high * numbers * (1 + _SAFE))
    counts = np.clip(counts, least, np.maximum(least, most))
    has_counts = ((least <= most) | ~few).all(axis=1)
    rounded = np.where(few, counts / numbers, shares)
    fits = has_counts & (by_column(rounded, column, period) <= 1.0 + 2.0**-50).all(axis=1)
    shares = np.where(fits[:, None], rounded, shares)
    # Of the lengths beyond all floats, only the limit is made an input.
    fits &= (length <= PLAIN) | np.isinf(length)
    return Points(length, shares, fits & _present(table, cells, length, shares))


def _present(table: Table, cells: Cells, length: Floats, shares: Floats) -> npt.NDArray[np.bool_]:
    """Return whether some token of every presence is there."""
    piece, types = cells.piece, table.present.shape[1]
    of_types = np.zeros((len(piece), types + 1))
    np.put_along_axis(of_types, table.coordinate[piece], shares, axis=1)
    rest = 1.0 - by_column(shares, table.column[piece], table.pair.period)
    rest += shares.shape[1] * UNCLEAR
    np.put_along_axis(of_types, table.reference[piece], rest, axis=1)
    finite = np.where(np.isfinite(length), length, 2.0**1000)
    numbers = (finite[:, None] - table.offset[piece]) / table.pair.period
    counts = of_types[:, :-1] * np.repeat(numbers, table.pair.vocabulary_size, axis=1)
    there = (table.presence[piece] * counts[:, None, :]).sum(axis=2) >= 1 - _SAFE
    present: npt.NDArray[np.bool_] = (there | ~table.valid[piece]).all(axis=1)
    return present
