"""Branch and bound over the cells of all pieces: both sides of sup |f − g|, as near as asked for.

The cell with the largest bound is halved until every bound is below the largest |f − g| found plus
the tolerance, or below a target. Whatever is left when a budget ends keeps its bound: the upper
end is the largest bound of all cells, waiting or done, never the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from verify.certificates.direct.cells import (
    Cells,
    halves,
    split_values,
    splittable,
    tightened,
    within_a_count,
)
from verify.certificates.direct.points import Points, middle_points
from verify.certificates.direct.table import Table
from verify.certificates.direct.variation import bounded

_BATCH_ENTRIES = 1 << 19
"""Entries of the largest array of a batch."""

_MOST_AT_ONCE = 512


Split = tuple[npt.NDArray[np.int64], npt.NDArray[np.intp], npt.NDArray[np.float64], int]
"""Nodes that are halved, coordinates, values, and the number of the first half."""


@dataclass(frozen=True)
class Found:
    """A point with a large |f − g|: an input, or, with length ∞, a limit of inputs.

    Attributes:
        value: |f − g| as computed; rounding: bound on its error.
        piece: number of the piece.
        length: T, as `codes` says; ∞ for a limit of inputs.
        shares: of the coordinates.
    """

    value: float
    rounding: float
    piece: int
    length: float
    shares: tuple[float, ...]


@dataclass
class Search:
    """A branch and bound that can be stopped and taken up again.

    Attributes:
        table: the pieces.
        waiting: the cells that are neither done nor halved.
        best: the point with the largest |f − g| so far.
        ended: cells that cannot be halved any more, as long as their bound is too large.
        done: the largest bound among the cells that are done.
        cells: how many cells were bounded.
        splits: what was halved, round by round.
        bounds: nodes with the bounds that their cells have by themselves, round by round.
        nodes: how many nodes the tree has.
        shortest: inputs shorter than this are forgotten.
        interrupted: whether the last run was interrupted (Ctrl-C).
    """

    table: Table
    waiting: Cells
    ended: Cells
    best: Found | None = None
    done: float = 0.0
    cells: int = 0
    splits: list[Split] = field(default_factory=list)
    bounds: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = field(
        default_factory=list
    )
    nodes: int = 0
    shortest: int = 1
    interrupted: bool = False

    @classmethod
    def of(cls, table: Table) -> Search:
        """Start with one cell for each piece."""
        none = Cells.roots(table)[:0]
        search = cls(table, none, none, nodes=len(table.pieces))
        search.waiting = search._taken_in(tightened(table, Cells.roots(table)))
        return search

    @classmethod
    def taken_up(cls, table: Table, cells: Cells, splits: list[Split], nodes: int) -> Search:
        """Return a search with cells that an earlier one has made; they are bounded here."""
        search = cls(table, cells[:0], cells[:0], splits=splits, nodes=nodes)
        search.waiting = search._taken_in(cells)
        return search

    @property
    def start(self) -> int:
        """The shortest length that it speaks of."""
        return max(self.shortest, min(piece.first for piece in self.table.pieces))

    @property
    def best_or_any(self) -> Found:
        """The point with the largest |f − g|; where no cell had an input for its point, any."""
        if self.best is not None:
            return self.best
        nothing = (0.0,) * self.table.coordinate.shape[1]
        return Found(0.0, np.inf, 0, float(self.table.pieces[0].first), nothing)

    @property
    def upper(self) -> float:
        """An upper bound of |f − g| over all cells."""
        left = (self.waiting.bound.max(initial=0.0), self.ended.bound.max(initial=0.0))
        return max(self.done, *map(float, left))

    @property
    def lower(self) -> float:
        """The largest |f − g| found, less what rounding may have added."""
        return 0.0 if self.best is None else self.best.value - self.best.rounding

    def run(
        self,
        settled: Callable[[Search], float],
        limit: int,
        progress: Callable[[int], None] | None = None,
        found: Callable[[Found], bool] | None = None,
    ) -> bool:
        """Halve cells until none is left; return whether no bound is above what is settled.

        Cells that cannot be halved any more keep their bound, whatever it is.

        Args:
            settled: what a bound has to be at most for its cell to be done, asked every round.
            limit: how many cells may be bounded in all.
            progress: called with the number of cells bounded so far.
            found: called when a larger |f − g| is found; True ends the run.
        """
        best = None
        while True:
            self._finish(settled(self))
            if best is not self.best and self.best is not None and found is not None:
                best = self.best
                if found(best):
                    return False
            if progress is not None:
                progress(self.cells)
            if not len(self.waiting) or self.cells >= limit:
                return self.upper <= settled(self)
            self._round(limit - self.cells)

    def shorten(self, start: int) -> None:
        """Forget all inputs shorter than `start`, the best one too if it is one of them."""
        self.shortest = start
        if self.best is not None and self.best.length < start:
            self.best = None
        self.waiting, self.ended = (
            tightened(self.table, replace(cells, first=np.maximum(cells.first, float(start))))
            for cells in (self.waiting, self.ended)
        )

    def _finish(self, level: float) -> None:
        """Set aside the cells whose bound is at most `level`."""
        self.waiting, self.ended = (self._above(c, level) for c in (self.waiting, self.ended))

    def _above(self, cells: Cells, level: float) -> Cells:
        """Return the cells whose bound is above `level`; the others are done."""
        stays = cells.bound > level
        if not stays.all():
            self.done = max(self.done, float(cells.bound[~stays].max()))
        return cells[stays]

    def _round(self, most: int) -> None:
        """Halve the cells with the largest bounds; they wait until both halves are bounded.

        So an interruption loses no cell.
        """
        size = min(self._batch, max(most // 2, 1), len(self.waiting))
        order = np.argpartition(-self.waiting.bound, size - 1)
        chosen, others = self.waiting[order[:size]], self.waiting[order[size:]]
        value = split_values(self.table, chosen)
        children = halves(chosen, value, self.nodes)
        bounded_ones = self._taken_in(tightened(self.table, children))
        self.splits.append((chosen.node, chosen.part, value, self.nodes))
        self.nodes += len(children)
        self.waiting = Cells.joined([others, bounded_ones])

    @property
    def _batch(self) -> int:
        shape = self.table.coordinate.shape[1] + 1
        hidden = max(model.hidden for model in self.table.models) + 1
        return int(np.clip(_BATCH_ENTRIES // (shape * hidden), 16, _MOST_AT_ONCE))

    def _taken_in(self, cells: Cells) -> Cells:
        """Bound new cells; return those that are to wait."""
        taken = [cells[:0]]
        for start in range(0, len(cells), 2 * self._batch):
            part = cells[start : start + 2 * self._batch]
            points = middle_points(self.table, part)
            known = bounded(self.table, part, points)
            self.cells += len(part)
            can = splittable(part)
            parts = np.where(can, known.parts, -1.0)
            # Shares closer than two counts tell lengths apart: then lengths are to be halved.
            close = within_a_count(self.table, part) & can[:, -1]
            parts[close, -1] = np.inf
            bound = np.minimum(known.bound, part.bound)
            self.bounds.append((part.node, known.bound))
            self._remember(part, points, known.value, known.rounding)
            at_end = np.asarray(~can.any(axis=1))
            kept = replace(part, bound=bound, part=parts.argmax(axis=1), light=known.light)
            self.ended = Cells.joined([self.ended, kept[at_end]])
            taken.append(kept[~at_end])
        return Cells.joined(taken)

    def _remember(
        self,
        cells: Cells,
        points: Points,
        value: npt.NDArray[np.float64],
        rounding: npt.NDArray[np.float64],
    ) -> None:
        value = np.where(points.is_input, value, -1.0)
        if not len(value):
            return
        k = int(value.argmax())
        if value[k] >= 0 and (self.best is None or value[k] > self.best.value):
            self.best = Found(
                float(value[k]),
                float(rounding[k]),
                int(cells.piece[k]),
                float(points.length[k]),
                tuple(points.shares[k].tolist()),
            )
