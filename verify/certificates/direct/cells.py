"""Boxes of shares and ranges of lengths: tightened to what inputs can have, and halved."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.certificates.direct.codes import LAST, PLAIN
from verify.certificates.direct.table import Table

Floats = npt.NDArray[np.float64]

_EXACT = 2.0**40
"""Lengths below are handled as integers; above, ranges of shares and lengths stay as they are."""

_SAFE = 2.0**-48
"""More than the relative error of share · n_r, or of a sum of some."""

_INTEGERS = 2.0**53
"""Floats from here on are integers, but not all integers are floats."""

UNCLEAR = 2.0**-51
"""Times J: more than what 1 minus the shares of a column can be wrong by."""

_NARROWEST = 2.0**-44
"""Relative width of a range of shares that is not halved any more."""

_RATIO = 16.0
"""How much longer the first part of an unbounded range of lengths reaches, at least."""


@dataclass(frozen=True)
class Cells:
    """Some cells; the share of a column's first representative is 1 minus the others.

    Attributes:
        piece: (n,), number of the piece.
        low, high: (n, J), ranges of the shares of the coordinates; 0, 0 for padding.
        first, last: (n,), lengths, as `codes` says: integers below 2^53; last may be ∞.
        bound: (n,), an upper bound of |f − g| on the cell.
        node: (n,), number in the tree of cells.
        part: (n,), the coordinate to be halved next, J for the length.
        light: (n,), whether small shares matter.
    """

    piece: npt.NDArray[np.intp]
    low: Floats
    high: Floats
    first: Floats
    last: Floats
    bound: Floats
    node: npt.NDArray[np.int64]
    part: npt.NDArray[np.intp]
    light: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.piece)

    def __getitem__(self, index: npt.NDArray[Any] | slice) -> Cells:
        """Return some of the cells."""
        return Cells(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Cells]) -> Cells:
        """Return the cells of all parts."""
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )

    @classmethod
    def roots(cls, table: Table) -> Cells:
        """Return one cell for each piece, numbered like the pieces."""
        number = len(table.pieces)
        high = (table.coordinate < table.present.shape[1]).astype(float)
        last = [np.inf if p.last is None else float(p.last) for p in table.pieces]
        return cls(
            piece=np.arange(number),
            low=np.zeros_like(high),
            high=high,
            first=np.array([float(p.first) for p in table.pieces]),
            last=np.array(last),
            bound=np.full(number, np.inf),
            node=np.arange(number),
            part=np.zeros(number, dtype=np.intp),
            light=np.zeros(number, dtype=bool),
        )


def tightened(table: Table, cells: Cells) -> Cells:
    """Return the cells that may hold an input, cut down to where inputs can be.

    No input is lost. Lengths are ≡ T mod Δ; counts are integers, so that a share whose count is
    below 1 is 0, and at a single length shares are multiples of 1/n_r; shares of a column add up
    to 1; some token of every presence is there.
    """
    period = table.pair.period
    residue = table.residue[cells.piece]
    first, last = cells.first.copy(), cells.last.copy()
    whole = first < _EXACT
    first[whole] += (residue[whole] - first[whole]) % period
    whole = last < _EXACT
    last[whole] -= (last[whole] - residue[whole]) % period
    alive = first <= last

    low, high = cells.low.copy(), cells.high.copy()
    column, offset = table.column[cells.piece], table.offset[cells.piece]
    place = np.take_along_axis(offset, column, axis=1)
    most = (last[:, None] - place) / period  # n_r of each coordinate at the last length
    most[last > PLAIN] = np.inf
    with np.errstate(invalid="ignore"):
        high[high * most < 1 - _SAFE] = 0.0
    single = (first == last) & (first < _EXACT)
    if single.any():
        counts = np.maximum(most[single], 1.0)
        up = np.ceil(low[single] * counts * (1 - _SAFE)) / counts
        down = np.floor(high[single] * counts * (1 + _SAFE)) / counts
        low[single] = np.maximum(up * (1 - 2.0**-50), 0.0)
        high[single] = np.where(down > 0, np.minimum(down * (1 + 2.0**-50), 1.0), 0.0)
        low[single] = np.where(up > 0, low[single], 0.0)

    finite = last <= PLAIN
    low = _raised(table, cells.piece, low, high, most, finite)
    # Shares of a column: the others take their least part at least.
    sums = by_column(low, column, period)
    rest = 1.0 - np.take_along_axis(sums, column, axis=1) + low
    high = np.minimum(high, np.maximum(rest + low.shape[1] * UNCLEAR, 0.0))
    alive &= (sums <= 1 + 2.0**-40).all(axis=1) & (low <= high + 2.0**-40).all(axis=1)
    low = np.minimum(low, high)

    # Presences: n_r(T) grows with T, so that the upper ends at the last length decide.
    shares = np.zeros((len(cells), table.present.shape[1] + 1))
    np.put_along_axis(shares, table.coordinate[cells.piece], high, axis=1)
    most_rest = 1.0 - by_column(low, column, period) + low.shape[1] * UNCLEAR
    np.put_along_axis(shares, table.reference[cells.piece], np.clip(most_rest, 0.0, 1.0), axis=1)
    numbers = np.where(finite[:, None], last[:, None] - offset, 0.0) / period
    counts = shares[:, :-1] * np.repeat(numbers, table.pair.vocabulary_size, axis=1)
    presence = table.presence[cells.piece]
    possible = (presence * counts[:, None, :]).sum(axis=2) >= 1 - _SAFE
    alive &= (possible | ~table.valid[cells.piece] | ~finite[:, None]).all(axis=1)
    found = replace(cells, low=low, high=high, first=first, last=last)
    return found[alive]


def _raised(
    table: Table,
    piece: npt.NDArray[np.intp],
    low: Floats,
    high: Floats,
    most: Floats,
    finite: npt.NDArray[np.bool_],
) -> Floats:
    """Return lower ends raised to one token where a presence is of one coordinate alone."""
    types = table.present.shape[1]
    alone = table.presence & (table.presence.sum(axis=2) == 1)[:, :, None]
    one_type = np.zeros((len(table.pieces), types + 1), dtype=bool)
    one_type[:, :types] = (alone & table.valid[:, :, None]).any(axis=1)
    needed = np.take_along_axis(one_type[piece], table.coordinate[piece], axis=1)
    needed &= finite[:, None] & (most >= 1)
    least = np.where(needed, (1 - 2.0**-50) / np.maximum(most, 1.0), 0.0)
    return np.minimum(np.maximum(low, least), high)


def by_column(shares: Floats, column: npt.NDArray[np.intp], period: int) -> Floats:
    """Return the sums of the coordinates of each residue, shape (n, Δ)."""
    sums = np.zeros((len(shares), period))
    for r in range(period):
        sums[:, r] = np.where(column == r, shares, 0.0).sum(axis=1)
    return sums


def splittable(cells: Cells) -> npt.NDArray[np.bool_]:
    """Return whether each share, and last the length, can be halved, shape (n, J + 1)."""
    shares = cells.high - cells.low > _NARROWEST * cells.high
    longer = np.where(cells.last < _INTEGERS, 1.0, 1 + 2.0**-20) * np.minimum(cells.first, LAST)
    lengths = (cells.last > longer) & (cells.first < LAST)
    return np.column_stack([shares, lengths])


def within_a_count(table: Table, cells: Cells) -> npt.NDArray[np.bool_]:
    """Return whether no range of shares holds two counts at any one length of the cell, (n,)."""
    offset = np.take_along_axis(table.offset[cells.piece], table.column[cells.piece], axis=1)
    most = (cells.last[:, None] - offset) / table.pair.period
    widths = cells.high - cells.low
    with np.errstate(invalid="ignore"):
        spans = np.where(widths > 0, widths * most, 0.0)
    return np.asarray((spans < 1).all(axis=1) & np.isfinite(cells.last))


def split_values(table: Table, cells: Cells) -> Floats:
    """Return where each cell is halved: a share, or (part = J) the last length of the first half.

    Lengths, and the shares of light cells, are halved on a logarithmic scale.
    """
    rows = np.arange(len(cells))
    lengths = cells.part == cells.low.shape[1]
    value = np.zeros(len(cells))
    if cells.low.shape[1]:
        k = np.where(lengths, 0, cells.part)
        low, high = cells.low[rows, k], cells.high[rows, k]
        residue = table.column[cells.piece, k]
        most = (cells.last - table.offset[cells.piece, residue]) / table.pair.period
        least = np.maximum(low, 1.0 / np.maximum(most, 1.0))
        geometric = np.maximum(np.sqrt(least * high), high / 64)
        value = np.where(cells.light & (high > 4 * least), geometric, (low + high) / 2)
    first, last = cells.first, cells.last
    finite = np.where(np.isfinite(last), last, first)
    root = np.sqrt(first) * np.sqrt(finite)
    middle = np.where(finite <= 4 * first, first + (finite - first) / 2, root)
    onward = np.minimum(np.maximum(_RATIO * first, np.minimum(first, 2.0**500) ** 1.5), LAST)
    cut = np.floor(np.where(np.isfinite(last), middle, onward))
    most_cut = np.where(last < _INTEGERS, last - 1, np.nextafter(last, 0))
    cut = np.maximum(np.minimum(cut, most_cut), first)
    return np.where(lengths, cut, value)


def halves(cells: Cells, value: Floats, nodes: int) -> Cells:
    """Return both parts of each cell, one after the other; they get the numbers from `nodes` on."""
    number, rows = len(cells), np.arange(len(cells))
    lengths = cells.part == cells.low.shape[1]
    high, low = cells.high.copy(), cells.low.copy()
    shares = ~lengths
    high[rows[shares], cells.part[shares]] = value[shares]
    low[rows[shares], cells.part[shares]] = value[shares]
    last = np.where(lengths, value, cells.last)
    first = np.where(lengths, np.where(value < _INTEGERS, value + 1, value), cells.first)
    both = Cells.joined(
        [replace(cells, high=high, last=last), replace(cells, low=low, first=first)]
    )
    both = both[np.arange(2 * number).reshape(2, number).T.ravel()]
    return replace(both, node=nodes + np.arange(2 * number))
