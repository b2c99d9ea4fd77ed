"""Many inputs at once: from which length on each has a z whose outputs are close to its own.

Lengths are taken in ascending order, and an input leaves at the first length that may hold a z for
it: distances are float64 with a proved rounding bound, and what the bound leaves open counts as
close. So no z shorter than that length exists; this is proved, and the true length can only be
larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from verify.certificates.input_class import InputClass
from verify.tightness.request import Request

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

_AT_ONCE = 4_000_000
"""Entries of a table of distances."""


class Points(NamedTuple):
    """Outputs of inputs with one query type.

    Attributes:
        residue, query: length mod Δ and last token.
        outputs: of f, then of g, shape (n, 2o).
        rounding: bound on the sum of the errors of one output of f and one of g.
    """

    residue: int
    query: int
    outputs: Floats
    rounding: float


@dataclass(frozen=True)
class _Cloud:
    """The points of one length and one query type, and a tree to search them by."""

    points: Points
    tree: scipy.spatial.cKDTree


class Sieve:
    """The short inputs of a pair, kept as they are made.

    Attributes:
        evaluations: short inputs looked at.
        exhausted: the first length that `limit` left out; None so far.
    """

    def __init__(self, request: Request, limit: int) -> None:
        """Take what z has to reproduce, and how many short inputs may be evaluated in all."""
        self._request, self._limit = request, limit
        self._clouds: dict[int, list[_Cloud]] = {}
        self.evaluations = 0
        self.exhausted: int | None = None

    def lengths(self, batches: Sequence[Points], longest: Sequence[int]) -> list[list[int]]:
        """Return for each point the first length that may hold a z for it.

        Args:
            batches: points, the inputs themselves.
            longest: length of the inputs of each batch; where no shorter z is found, the result
                is this, or `exhausted` if that is less.
        """
        found = [np.full(len(b.outputs), most) for b, most in zip(batches, longest, strict=True)]
        left = [np.arange(len(b.outputs)) for b in batches]
        length = 0
        while any(rows.size for rows in left):
            length += 1
            clouds = self._at(length)
            if clouds is None:
                for k, rows in enumerate(left):
                    found[k][rows] = np.minimum(found[k][rows], length)
                break
            for k, batch in enumerate(batches):
                if length >= longest[k]:
                    left[k] = left[k][:0]
                for cloud in clouds:
                    if left[k].size and self._matches(cloud.points, batch):
                        near = self._near(cloud, batch, left[k])
                        found[k][left[k][near]] = length
                        left[k] = left[k][~near]
        return [rows.tolist() for rows in found]

    def _matches(self, short: Points, batch: Points) -> bool:
        if self._request.query == "any":
            return True
        return (short.residue, short.query) == (batch.residue, batch.query)

    def _near(
        self, cloud: _Cloud, batch: Points, rows: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.bool_]:
        """Return which rows may be close to some point of the cloud."""
        budget = float(self._request.budget)
        allowed = budget * (1 + 2.0**-50) + 2 * (cloud.points.rounding + batch.rounding)
        wanted, points = batch.outputs[rows], cloud.points.outputs
        width = wanted.shape[1] // 2
        if width == 1 and not self._request.each:
            distances, _ = cloud.tree.query(wanted, p=1)
            return np.asarray(distances <= allowed)
        # The nearest point by the largest difference is often close; else all are looked at.
        _, nearest = cloud.tree.query(wanted, p=np.inf)
        near: Booleans = np.asarray(self._distances(points[nearest], wanted) <= allowed)
        step = max(_AT_ONCE // points.size, 1)
        open_rows = np.flatnonzero(~near)
        for start in range(0, open_rows.size, step):
            some = open_rows[start : start + step]
            pairs = self._distances(points[None], wanted[some, None])
            near[some] = (pairs <= allowed).any(axis=1)
        return near

    def _distances(self, points: Floats, wanted: Floats) -> Floats:
        width = wanted.shape[-1] // 2
        off = np.abs(points - wanted)
        f, g = off[..., :width].max(axis=-1), off[..., width:].max(axis=-1)
        result: Floats = 2 * np.maximum(f, g) if self._request.each else f + g
        return result

    def _at(self, length: int) -> list[_Cloud] | None:
        if length in self._clouds:
            return self._clouds[length]
        if self.exhausted is not None:
            return None
        inputs = self._request.inputs
        number = inputs.number_of_suffixes(length)
        classes = []
        if self.evaluations + number <= self._limit:
            classes = list(inputs.classes(length))
            number = sum(one_class.number for one_class in classes)
        if self.evaluations + number > self._limit:
            self.exhausted = length
            return None
        self.evaluations += number
        by_query: dict[int, list[tuple[Floats, float]]] = {}
        for one_class in classes:
            entry = (_outputs(one_class), sum(one_class.roundings))
            by_query.setdefault(one_class.suffix[-1], []).append(entry)
        clouds = []
        for query, entries in by_query.items():
            rows = np.unique(np.concatenate([outputs for outputs, _ in entries]), axis=0)
            rounding = max(rounding for _, rounding in entries)
            points = Points(length % inputs.period, query, rows, rounding)
            clouds.append(_Cloud(points, scipy.spatial.cKDTree(rows)))
        self._clouds[length] = clouds
        return clouds


def _outputs(one_class: InputClass) -> Floats:
    """Return the different outputs of all inputs of a class, shape (n, 2o)."""
    parts = []
    for start in range(0, one_class.number, one_class.step):
        stop = min(start + one_class.step, one_class.number)
        outputs = one_class.outputs(one_class.vectors.rows(start, stop))
        parts.append(np.unique(np.concatenate(outputs, axis=1), axis=0))
    return np.concatenate(parts)
