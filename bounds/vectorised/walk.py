"""The walk over a formula: every part once, by the rule of its kind; doubtful points exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import sympy

from bounds.errors import BoundsError
from bounds.evaluate import Enclosure, enclose
from bounds.vectorised.lanes import Lanes, lanes_of, spread
from bounds.vectorised.points import Point, Points

_SMALL = 64
"""Up to so many points are worked out exactly at once."""
_BUDGET = 500
"""So many doubtful points are worked out exactly in all."""
_DOUBTFUL = 5e-10
"""An error above this is looked into."""

Rules: TypeAlias = Mapping[type, "Callable[[Evaluation, sympy.Basic], Lanes]"]
"""How to work out a part of a formula, by its SymPy class."""


class NotVectorised(Exception):
    """The formula has a part for which no rule on arrays exists."""


class Evaluation:
    """One walk over the formulas of a theorem, at all points."""

    def __init__(self, points: Points, known: Mapping[sympy.Symbol, Any], rules: Rules) -> None:
        self.points = points
        self.known = known
        self.rules = rules
        self.budget = _BUDGET
        self._exact: dict[tuple[Any, ...], Lanes] = {}
        self._names: dict[sympy.Basic, frozenset[sympy.Symbol]] = {}
        self._done: dict[sympy.Basic, Lanes] = {}
        self._on: dict[sympy.Basic, frozenset[int]] = {}

    def part(self, dimension: int, first: int, last: int) -> Evaluation:
        """The same at some of the points, knowing what other parts left behind."""
        run = Evaluation(self.points.part(dimension, first, last), self.known, self.rules)
        run._on, run._names, run._exact = self._on, self._names, self._exact
        run._done, run.budget = dict(self._done), self.budget
        return run

    def keep(self, part: Evaluation, dimension: int) -> None:
        """Take over what a part found that does not depend on the dimension."""
        self.budget = part.budget
        for formula, lanes in part._done.items():
            if dimension not in self.dimensions(formula):
                self._done[formula] = lanes

    def __call__(self, formula: sympy.Basic) -> Lanes:
        """The value of a formula at all points."""
        if formula not in self._done:
            self._done[formula] = self._value(formula)
        return self._done[formula]

    def dimensions(self, formula: sympy.Basic) -> frozenset[int]:
        """The dimensions of the grid on which the formula depends."""
        if formula not in self._on:
            if formula in self.points.axes:
                dimension = self.points.axes[formula].dimension
                found = frozenset({dimension}) & self.points.varying
            elif formula in self.known:
                value = self.known[formula]
                found = frozenset() if isinstance(value, Fraction) else self.dimensions(value)
            elif isinstance(formula, sympy.Symbol):
                raise NotVectorised(f"no value for {formula}")
            else:
                found = frozenset().union(*map(self.dimensions, formula.args))
            self._on[formula] = found
        return self._on[formula]

    def _value(self, formula: sympy.Basic) -> Lanes:
        on = self.dimensions(formula)
        shape = tuple(n if d in on else 1 for d, n in enumerate(self.points.shape))
        if formula in self.points.axes:
            lanes = self.points.axes[formula].lanes
            error = lanes.error.reshape(shape) if lanes.error.ndim else lanes.error
            return Lanes(lanes.value.reshape(shape), error, log=lanes.log, whole=lanes.whole)
        if math.prod(shape) <= _SMALL:
            return self._all_exactly(formula, shape)
        if formula in self.known:
            return self(self.known[formula])
        for kind, rule in self.rules.items():
            if isinstance(formula, kind):
                with np.errstate(all="ignore"):
                    return spread(rule(self, formula), shape)
        raise NotVectorised(f"no rule for {type(formula).__name__}")

    def _all_exactly(self, formula: sympy.Basic, shape: tuple[int, ...]) -> Lanes:
        lanes = lanes_of([self.exactly(formula, point) for point in np.ndindex(*shape)])
        error = lanes.error.reshape(shape) if lanes.error.ndim else lanes.error
        return Lanes(lanes.value.reshape(shape), error, log=lanes.log, whole=lanes.whole)

    def exactly(self, formula: sympy.Basic, point: Point) -> Enclosure | None:
        """The value or an enclosure at one point; None where there is none."""
        try:
            values = self.points.exact(self.names(formula), point)
            return enclose(formula, {**self.known, **values})
        except BoundsError:
            return None

    def refined(
        self, formula: sympy.Basic, lanes: Lanes, exactly: Callable[[Point], Lanes]
    ) -> Lanes:
        """The same with doubtful points replaced by `exactly`, as far as the budget goes."""
        if lanes.error.ndim == 0 and float(lanes.error) <= _DOUBTFUL:
            return lanes
        value, error = np.broadcast_arrays(lanes.value, lanes.error)
        flat = np.flatnonzero(~(error <= _DOUBTFUL))  # of one axis: many times faster than of two
        doubtful = np.stack(np.unravel_index(flat, error.shape), axis=1)
        first, same, keys = self._distinct(formula, doubtful)
        new = [key for key in keys if key not in self._exact]
        if not len(keys) > 0 or len(new) > self.budget:
            return lanes
        self.budget -= len(new)
        for place, key in zip(first.tolist(), keys, strict=True):
            if key not in self._exact:
                self._exact[key] = exactly(tuple(doubtful[place].tolist()))
        found = [self._exact[key].as_log() if lanes.log else self._exact[key] for key in keys]
        fits = np.array([one.log == lanes.log for one in found])
        values = np.array([one.value.item() for one in found])
        errors = np.array([float(np.max(one.error)) for one in found])
        value, error = value.copy(), error.copy()
        at = tuple(doubtful[fits[same]].T)
        value[at], error[at] = values[same][fits[same]], errors[same][fits[same]]
        return Lanes(value, error, log=lanes.log, whole=lanes.whole)

    def _distinct(
        self, formula: sympy.Basic, points: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[tuple[Any, ...]]]:
        """The points that differ in a value that the formula depends on.

        Returns:
            (rows of the first ones, which of them each point is like, their names).
        """
        names = sorted(self.names(formula), key=str)
        columns = [
            axis.numbers[points[:, axis.dimension]]
            for axis in map(self.points.axes.get, names)
            if axis is not None
        ]
        table = np.stack(columns, axis=1) if columns else np.zeros((len(points), 1), dtype=int)
        rows, first, same = np.unique(table, axis=0, return_index=True, return_inverse=True)
        return first, same.ravel(), [(formula, *row) for row in rows.tolist()]

    def names(self, formula: sympy.Basic) -> frozenset[sympy.Symbol]:
        """The symbols of the grid on which the formula depends."""
        if formula not in self._names:
            if formula in self.points.axes:
                found = frozenset({formula})
            elif formula in self.known:
                value = self.known[formula]
                found = frozenset() if isinstance(value, Fraction) else self.names(value)
            elif isinstance(formula, sympy.Symbol):
                found = frozenset()
            else:
                found = frozenset().union(*map(self.names, formula.args))
            self._names[formula] = found
        return self._names[formula]

    def checked(self, formula: sympy.Basic, lanes: Lanes) -> Lanes:
        """`refined` by the formula itself."""
        on = self.dimensions(formula)
        lanes = spread(lanes, tuple(n if d in on else 1 for d, n in enumerate(self.points.shape)))
        return self.refined(formula, lanes, lambda at: lanes_of([self.exactly(formula, at)]))
