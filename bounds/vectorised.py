"""A theorem's length at many points at once: log2 in floats, each with a proven error.

A value at many points is a `Lanes`: floats and an error that covers all roundings on the way.
Values beyond the range of floats are kept as their log2. Where a rounding to an integer, a case
or a difference is too close for floats, the certified evaluator decides, up to `_BUDGET` points;
what is left says so in its error.

Arrays have an axis per dimension of the grid and length 1 where a value does not depend on
it, so that a part of a formula is computed once per combination that it depends on.

Two things are taken for granted: + − × ÷ and √ are rounded as IEEE 754 says, and NumPy's exp,
exp2, log, log2, power and cosh err by at most 8 units in the last place.

Only code that works on arrays imports this module, so that `import bounds` needs no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import sympy
from flint import arb
from sympy.core.relational import Relational

from bounds.errors import BoundsError, NotComputable
from bounds.evaluate import Enclosure, certify, enclose
from bounds.evaluate import log2 as log2_of
from bounds.numbers import Exact
from bounds.theorem import Theorem

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Point: TypeAlias = tuple[int, ...]

_UNIT = 2.0**-52
"""Twice the rounding error of an operation that is rounded as IEEE 754 says."""
_UNITS = 8 * _UNIT
"""Error of the elementary functions."""
_WHOLE = 2.0**53
"""Integers below are floats, and so are their sums and products."""
_SURE = 2.0**45
"""A power of integers below this, rounded, is that power: the error is less than 1/16."""
_FAR = 1e290
"""Values between its inverse and it stay as they are; others as log2."""
_SMALL = 64
"""Up to so many points are worked out exactly at once."""
_BUDGET = 500
"""So many doubtful points are worked out exactly in all."""
_DOUBTFUL = 5e-10
"""An error above this is looked into."""
_UNIFORM = 1e-10
"""Errors that are all below this are replaced by the largest."""
_LN2 = math.log(2)


class NotVectorised(Exception):
    """The formula has a part for which no rule on arrays exists."""


class Lanes:
    """Floats with a common kind of error: relative to the value, or absolute for its log2.

    `whole`: the values are integers, and so are the floats that stand for them, if not logs.
    """

    def __init__(
        self, value: Floats, error: Any = 0.0, *, log: bool = False, whole: bool = False
    ) -> None:
        self.value = value
        self.error = _uniform(np.asarray(error, dtype=float))
        self.log = log
        self.whole = whole

    @cached_property
    def high(self) -> float:
        """The largest value."""
        return float(np.max(self.value))

    @cached_property
    def low(self) -> float:
        """The least value."""
        return float(np.min(self.value))

    @property
    def size(self) -> float:
        """The largest absolute value."""
        return max(abs(self.high), abs(self.low))

    @property
    def exact(self) -> bool:
        """Whether no entry has an error."""
        return self.error.ndim == 0 and float(self.error) == 0

    def as_log(self) -> Lanes:
        """The same as log2; nan where the value is negative."""
        if self.log:
            return self
        value = np.log2(self.value)
        relative = np.where(self.error < 1, self.error, np.inf)
        error = -np.log1p(-np.minimum(relative, 0.5)) / _LN2 + np.where(relative > 0.5, np.inf, 0)
        sizes = [abs(math.log2(x)) for x in (self.low, self.high) if 0 < x < math.inf]
        if self.low <= 0 or len(sizes) < 2:
            sizes = [1100.0]
        error = error + _UNITS * max(sizes)
        if self.low < 0:
            error = np.where(self.value < 0, np.inf, error)
        return Lanes(value, error, log=True, whole=self.whole)


class Axis:
    """The values of one keyword along one dimension: exact ones, and their lanes.

    `exact(i)` is the exact value; `lanes` has one entry per value, nan where a value is unusable;
    `numbers` are equal where values are.
    """

    def __init__(
        self,
        dimension: int,
        exact: Callable[[int], Exact],
        lanes: Lanes,
        numbers: Callable[[], npt.NDArray[np.int64]],
    ) -> None:
        self.dimension = dimension
        self.exact = exact
        self.lanes = lanes
        self._numbers = numbers

    @cached_property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Which values are the same."""
        return self._numbers()

    def part(self, first: int, last: int) -> Axis:
        """Some of the values."""
        whole, here = self.lanes, slice(first, last)
        error = whole.error[here] if whole.error.ndim else whole.error
        lanes = Lanes(whole.value[here], error, log=whole.log, whole=whole.whole)
        return Axis(
            self.dimension, lambda i: self.exact(first + i), lanes, lambda: self.numbers[here]
        )


def lanes_of_array(values: npt.NDArray[Any]) -> Lanes:
    """Integers or floats of an array; a float stands for its shortest decimal."""
    floats = np.asarray(values, dtype=np.float64)
    few = floats[:_SMALL]
    whole = bool(np.all(np.rint(few) == few)) and bool(np.all(np.rint(floats) == floats))
    if whole and bool(np.all(np.abs(floats) < _WHOLE)):
        return Lanes(floats, whole=True)
    narrow = values.dtype.kind == "f" and values.dtype.itemsize < 8
    return Lanes(floats, 2.0**-10 if narrow else _UNIT, whole=whole and not narrow)


def lanes_of(values: Sequence[Enclosure | None]) -> Lanes:
    """Exact values or enclosures, one entry each; an error of inf where there is none."""
    floats, errors, whole, far = [], [], True, False
    for value in values:
        number, error = math.nan, math.inf
        if isinstance(value, Fraction):
            number, error = _float(value)
            whole = whole and value.denominator == 1
        elif value is not None and value.is_finite():
            whole, (number, error) = False, _middle(value)
        else:
            whole = False
        far = far or (value is not None and not 1 / _FAR < abs(number) < _FAR and number != 0)
        floats.append(number)
        errors.append(error)
    if far:
        return _lanes_of_logs(values, whole)
    return Lanes(np.array(floats), np.array(errors), whole=whole)


def _lanes_of_logs(values: Sequence[Enclosure | None], whole: bool) -> Lanes:
    floats, errors = [], []
    for value in values:
        try:
            number = math.nan if value is None else log2_of(value)
        except NotComputable:
            number = math.nan
        floats.append(number)
        errors.append(math.inf if math.isnan(number) else 4 * _UNIT * abs(number))
    return Lanes(np.array(floats), np.array(errors), log=True, whole=whole)


def _float(value: Fraction) -> tuple[float, float]:
    try:
        number = value.numerator / value.denominator
    except OverflowError:
        return math.inf, math.inf
    if number == 0 and value != 0:
        return 5e-324, math.inf
    return number, 0.0 if Fraction(number) == value else _UNIT


def _middle(value: arb) -> tuple[float, float]:
    number = float(value.mid())
    radius = float(value.rad())
    if number == 0 or not math.isfinite(number):
        return number, math.inf
    return number, abs(radius / number) * 2 + _UNIT


class Points:
    """A grid or a part of one: its shape and, for every symbol, where its values lie.

    `varying`: the dimensions along which the whole grid has more than one value.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        axes: Mapping[sympy.Symbol, Axis],
        varying: frozenset[int] | None = None,
    ) -> None:
        self.shape = shape
        self.axes = axes
        if varying is None:
            varying = frozenset(d for d, n in enumerate(shape) if n > 1)
        self.varying = varying

    def part(self, dimension: int, first: int, last: int) -> Points:
        """The points whose place along a dimension is from `first` to before `last`."""
        shape = tuple(last - first if d == dimension else n for d, n in enumerate(self.shape))
        axes = {
            name: axis.part(first, last) if axis.dimension == dimension else axis
            for name, axis in self.axes.items()
        }
        return Points(shape, axes, self.varying)

    def exact(self, names: Collection[sympy.Symbol], point: Point) -> dict[sympy.Symbol, Exact]:
        """The exact values of some symbols at one point."""
        axes = {name: self.axes[name] for name in names}
        return {name: axis.exact(point[axis.dimension]) for name, axis in axes.items()}


class Evaluation:
    """One walk over the formulas of a theorem, at all points."""

    def __init__(self, points: Points, known: Mapping[sympy.Symbol, Any]) -> None:
        self.points = points
        self.known = known
        self.budget = _BUDGET
        self._exact: dict[tuple[Any, ...], Lanes] = {}
        self._names: dict[sympy.Basic, frozenset[sympy.Symbol]] = {}
        self._done: dict[sympy.Basic, Lanes] = {}
        self._on: dict[sympy.Basic, frozenset[int]] = {}

    def part(self, dimension: int, first: int, last: int) -> Evaluation:
        """The same at some of the points, knowing what other parts left behind."""
        run = Evaluation(self.points.part(dimension, first, last), self.known)
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
        for kind, rule in _RULES.items():
            if isinstance(formula, kind):
                with np.errstate(all="ignore"):
                    return _spread(rule(self, formula), shape)
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
        doubtful = np.argwhere(~(error <= _DOUBTFUL))
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
        lanes = _spread(lanes, tuple(n if d in on else 1 for d, n in enumerate(self.points.shape)))
        return self.refined(formula, lanes, lambda at: lanes_of([self.exactly(formula, at)]))


def rounded_log2(run: Evaluation, length: sympy.Expr, rounding: str) -> Lanes:
    """log2 of the length rounded "up" or "down", at all points; hypotheses are not looked at.

    Returns:
        Lanes that broadcast to the shape of the points, with absolute errors; −inf for a length 0.

    Raises:
        NotVectorised: a part of the formula has no rule on arrays.
    """
    up = rounding == "up"

    def exactly(point: Point) -> Lanes:
        try:
            values = {**run.known, **run.points.exact(run.names(length), point)}
            found = certify(length, values, "up" if up else "down").log2
        except BoundsError:
            found = math.nan
        value = np.array([-math.inf if found is None else found])
        return Lanes(value, np.where(np.isnan(value), np.inf, 0.0), log=True)

    with np.errstate(all="ignore"):
        rounded = _rounded(run(length), up)
        # A name of its own: the length rounded is not the length.
        return run.refined(sympy.Tuple(length, sympy.Symbol(rounding)), rounded.as_log(), exactly)


def evaluation(
    theorem: Theorem,
    points: Points,
    defaults: Mapping[sympy.Symbol, Any],
    asserted: Collection[str] = (),
) -> tuple[Evaluation, sympy.Expr]:
    """A walk over the theorem's formula, and the formula.

    Args:
        theorem: one with a formula and without a free integer.
        points: values of the parameters.
        defaults: what the symbols of the other parameters stand for, in terms of `points`.
        asserted: the names that switches ask for.

    Raises:
        NotVectorised: it has a free integer, or no formula.
    """
    stated = theorem.stated
    if stated is None or theorem.choices is not None:
        raise NotVectorised(f"{theorem.key} has no single formula")
    known: dict[sympy.Symbol, Any] = {
        name: _simplified(meaning, defaults) for name, meaning in stated.where.items()
    }
    known.update(
        (symbol, Fraction(not set(names).isdisjoint(asserted)))
        for symbol, names in theorem.switches.items()
    )
    known.update(defaults)
    return Evaluation(points, known), stated.length


def _simplified(meaning: sympy.Expr, defaults: Mapping[sympy.Symbol, Any]) -> sympy.Expr:
    """(η − ε)/2 at η = 3ε is ε: without this every row would lose bits to the difference."""
    if not meaning.has(sympy.Max, sympy.Min, sympy.Piecewise, sympy.ceiling, sympy.floor):
        symbolic = {k: v for k, v in defaults.items() if isinstance(v, sympy.Basic)}
        return meaning.xreplace(symbolic)
    return meaning


def _spread(lanes: Lanes, shape: tuple[int, ...]) -> Lanes:
    """A rule that gives up says so once: nan and inf, at every point."""
    if lanes.value.ndim == len(shape):
        return lanes
    return Lanes(np.broadcast_to(lanes.value, shape), lanes.error, log=lanes.log)


def holds(run: Evaluation, relation: Any) -> Bools:
    """Where a comparison of symbols holds; what floats cannot tell is decided exactly."""
    if relation in (sympy.true, sympy.false):
        return np.array(relation is sympy.true)
    with np.errstate(all="ignore"):
        yes, no = _condition(run, relation)
    on = run.dimensions(relation)
    shape = tuple(n if d in on else 1 for d, n in enumerate(run.points.shape))
    value = np.broadcast_to(yes, shape).astype(float)
    error = np.where(np.broadcast_to(yes | no, shape), 0.0, np.inf)
    cases = sympy.Piecewise((1, relation), (0, True), evaluate=False)
    left, run.budget = run.budget, value.size  # every case is decided
    lanes = run.checked(cases, Lanes(value, error))
    run.budget = left
    result: Bools = (lanes.value == 1) & (lanes.error == 0)
    return result


def _add(run: Evaluation, formula: sympy.Basic) -> Lanes:
    parts = _small_first(run(part) for part in formula.args)
    if any(part.log for part in parts):
        return run.checked(formula, _add_logs(parts))
    total = reduce(np.add, [part.value for part in parts])
    whole = all(part.whole for part in parts)
    rounding: Any = len(parts) * _UNIT
    if whole:
        most = sum(part.size for part in parts)
        rounding = 0.0 if most < _WHOLE else np.where(np.abs(total) < _WHOLE, 0.0, rounding)
    if all(part.low >= 0 for part in parts):
        error = reduce(np.maximum, [part.error for part in parts]) + rounding
        return Lanes(total, error, whole=whole)
    if whole and most >= _WHOLE:
        rounding = len(parts) * _UNIT
    spread = reduce(np.add, [np.abs(part.value) * (part.error + rounding) for part in parts])
    error = np.where(spread == 0, 0.0, spread / np.abs(total))
    return run.checked(formula, Lanes(total, error, whole=whole))


def _add_logs(parts: list[Lanes]) -> Lanes:
    """log2 of a sum of positive and of negative parts; the latter are never kept as logs."""
    plus = [part.as_log() for part in parts if part.log or part.low >= 0]
    negative = [part for part in parts if not part.log and part.high < 0]
    minus = [Lanes(-part.value, part.error).as_log() for part in negative]
    if len(plus) + len(minus) < len(parts):  # of both signs
        return Lanes(np.array(math.nan), math.inf, log=True)
    whole = all(part.whole for part in parts)
    value, error = _log_sum(plus)
    if not minus:
        return Lanes(value, error, log=True, whole=whole)
    less, its_error = _log_sum(minus)
    ratio = np.exp2(less - value)  # inf where nothing can be said
    left = np.where(ratio < 1, 1 - ratio, np.nan)
    slack = (error + (its_error + _UNITS * 2) * ratio) / left + _UNITS
    result = value + np.log2(left)
    doubt = np.where(slack < 0.25, 2 * slack, np.inf) + _UNITS * np.abs(result)
    doubt = np.where(np.isnan(result), np.inf, doubt)
    return Lanes(result, doubt, log=True, whole=whole)


def _log_sum(parts: list[Lanes]) -> tuple[Floats, Floats]:
    top = reduce(np.maximum, [part.value for part in parts])
    error = reduce(np.maximum, [part.error for part in parts])
    if len(parts) == 1:
        return top, error
    terms = reduce(np.add, [np.exp2(part.value - top) for part in parts])
    value = top + np.log2(terms)
    # A term of exponent d < 0 errs by |d| units, and is 2^d: at most one unit of the sum.
    return value, error + _UNITS * (len(parts) + 1 + np.abs(value) / 8)


def _multiply(run: Evaluation, formula: sympy.Basic) -> Lanes:
    above: list[Lanes] = []
    below: list[Lanes] = []
    for part in formula.args:
        inverted = isinstance(part, sympy.Pow) and part.exp.is_Rational and part.exp < 0
        (below if inverted else above).append(run(1 / part if inverted else part))
    parts = _small_first(above)
    value: Any = np.array(1.0)
    whole = not below and all(part.whole for part in parts)
    if not any(part.log for part in (*above, *below)):
        size = math.prod(part.size for part in parts)
        exact = whole and size < _WHOLE
        error: Any = np.zeros(())
        for part in parts:
            value = part.value if part is parts[0] else value * part.value
            error = error + part.error + error * part.error + (0.0 if exact else _UNIT)
        if whole and not exact:
            error = np.where(np.abs(value) < _WHOLE, _error_of(parts), error)
        for part in _small_first(below):
            value = value / part.value
            its = np.where(part.error > 0.5, np.inf, 2 * part.error)
            error = error + its + error * its + _UNIT
        if len(below) == 1 and all(part.whole and part.exact for part in (*parts, *below)):
            divides = value * below[0].value == reduce(np.multiply, [p.value for p in parts])
            divides &= (np.rint(value) == value) & (size < _WHOLE)
            error = np.where(divides, 0.0, error) if np.any(divides) else error
        lanes = Lanes(value, error, whole=whole)
        if _least_size(lanes) > 1 / _FAR and lanes.size < _FAR:
            return lanes
        if any(part.low <= 0 for part in (*above, *below)):
            zero = reduce(np.logical_or, [part.value == 0 for part in above])
            inside = (np.abs(value) > 1 / _FAR) & (np.abs(value) < _FAR)
            error = np.where(zero | inside, error, np.inf)
            return run.checked(formula, Lanes(value, error, whole=whole))
    logs = [part.as_log() for part in parts]
    under = [part.as_log() for part in below]
    value = reduce(np.add, [part.value for part in logs] or [np.array(0.0)])
    value = value - sum((part.value for part in under), start=np.array(0.0))
    errors = reduce(np.add, [part.error for part in (*logs, *under)])
    sizes = reduce(np.add, [np.abs(part.value) for part in (*logs, *under)])
    return Lanes(value, errors + _UNIT * len(formula.args) * sizes, log=True, whole=whole)


def _error_of(parts: list[Lanes]) -> Any:
    """Relative error of a product that is not rounded."""
    return reduce(lambda a, b: a + b + a * b, [part.error for part in parts])


def _least_size(lanes: Lanes) -> float:
    if lanes.low > 0:
        return lanes.low
    return -lanes.high if lanes.high < 0 else float(np.min(np.abs(lanes.value)))


def _power(run: Evaluation, formula: sympy.Basic) -> Lanes:
    base, exponent = run(formula.args[0]), run(formula.args[1])
    if exponent.log:
        return Lanes(np.array(math.nan), math.inf, log=True)
    whole = base.whole and exponent.whole and exponent.low >= 0
    if exponent.exact and exponent.value.size == 1:
        power = float(exponent.value.item())
        lanes = None if base.log else _fixed_power(base, power, whole)
        if lanes is not None:
            return lanes
        logs = base.as_log()
        value = logs.value * power
        error = abs(power) * logs.error + _UNITS * np.abs(value)
        return Lanes(value, error, log=True, whole=whole)
    if formula.args[0] == 2:
        value, error = exponent.value, exponent.error * np.abs(exponent.value)
        if whole and exponent.exact and exponent.high < 1000:
            return Lanes(np.ldexp(1.0, value.astype(int)), whole=True)
    else:
        logs = base.as_log()
        value = exponent.value * logs.value
        error = (exponent.error + _UNIT) * np.abs(value) + np.abs(exponent.value) * logs.error
    top, bottom = float(np.max(value)), float(np.min(value))
    if base.log or not (bottom > -960 and top < 960):
        return Lanes(value, error, log=True, whole=whole)
    result = np.exp2(value)
    if whole and base.exact and exponent.exact and top < math.log2(_SURE):
        return Lanes(np.rint(result), whole=True)
    return Lanes(result, np.expm1(error * _LN2) + 2 * _UNITS)


def _fixed_power(base: Lanes, power: float, whole: bool) -> Lanes | None:
    """The power of numbers, or None where it is out of reach."""
    least, most = _least_size(base), base.size
    if least == 0 and power < 0:
        return None
    bits = [abs(power) * abs(math.log2(x)) for x in (least, most) if x > 0]
    if max(bits, default=0.0) > 950:
        return None
    value = base.value * base.value if power == 2 else np.power(base.value, power)
    if whole and base.exact and most**power < _SURE:
        return Lanes(np.rint(value), whole=True)
    grown = np.expm1(-abs(power) * np.log1p(-np.minimum(base.error, 0.5)))
    error = np.where(base.error > 0.5, np.inf, grown) + _UNITS
    return Lanes(value, np.where(np.isnan(value), np.inf, error) if base.low < 0 else error)


def _exp(run: Evaluation, formula: sympy.Basic) -> Lanes:
    argument = run(formula.args[0])
    if argument.log:
        return Lanes(np.array(math.nan), math.inf, log=True)
    error = argument.error * np.abs(argument.value)
    if argument.size < 660:
        return Lanes(np.exp(argument.value), np.expm1(error) + _UNITS)
    value = argument.value / _LN2
    return Lanes(value, error / _LN2 + 2 * _UNIT * np.abs(value), log=True)


def _log(run: Evaluation, formula: sympy.Basic) -> Lanes:
    logs = run(formula.args[0]).as_log()
    value = logs.value * _LN2
    error = np.where(
        value == 0, np.where(logs.error == 0, 0, np.inf), logs.error / np.abs(logs.value)
    )
    lanes = Lanes(value, np.where(np.isfinite(value), error + 2 * _UNIT, np.inf))
    return run.checked(formula, lanes)


def _cosh(run: Evaluation, formula: sympy.Basic) -> Lanes:
    argument = run(formula.args[0])
    if argument.log or argument.size > 660:
        return Lanes(np.array(math.nan), math.inf, log=True)
    error = np.expm1(argument.error * argument.size) + _UNITS
    return Lanes(np.cosh(argument.value), error)


def _extreme(largest: bool) -> Callable[[Evaluation, sympy.Basic], Lanes]:
    choose = np.maximum if largest else np.minimum

    def rule(run: Evaluation, formula: sympy.Basic) -> Lanes:
        parts = _alike(_small_first(run(part) for part in formula.args))
        value = reduce(choose, [part.value for part in parts])
        whole = all(part.whole for part in parts)
        if all(part.error.ndim == 0 for part in parts) and (
            parts[0].log or all(part.low >= 0 for part in parts)
        ):
            error = reduce(np.maximum, [part.error for part in parts])
            return Lanes(value, error, log=parts[0].log, whole=whole)
        # |max a − max b| ≤ max |a − b|; a part that is certainly not the extreme one is left out.
        radii = [p.error if p.log else p.error * np.abs(p.value) for p in parts]
        sign = 1 if largest else -1
        certain = reduce(
            np.maximum, [sign * p.value - r for p, r in zip(parts, radii, strict=True)]
        )
        error = np.zeros(())
        for part, radius in zip(parts, radii, strict=True):
            possible = ~(sign * part.value + radius < certain)
            error = np.maximum(error, np.where(possible, radius, 0))
        if not parts[0].log:
            error = np.where(error == 0, 0, error / np.abs(value))
        error = np.where(np.isnan(value), np.inf, error)
        return Lanes(value, error, log=parts[0].log, whole=whole)

    return rule


def _ceiling(run: Evaluation, formula: sympy.Basic) -> Lanes:
    return run.checked(formula, _rounded(run(formula.args[0]), up=True))


def _floor(run: Evaluation, formula: sympy.Basic) -> Lanes:
    return run.checked(formula, _rounded(run(formula.args[0]), up=False))


def _rounded(lanes: Lanes, up: bool) -> Lanes:
    """⌈x⌉ or ⌊x⌋; where the error leaves two integers, the one on the safe side."""
    if lanes.whole:
        return lanes
    if lanes.log:
        return _rounded_logs(lanes, up)
    toward = np.ceil if up else np.floor
    if lanes.exact:
        return Lanes(toward(lanes.value), whole=True)
    slack = lanes.error + 2 * _UNIT
    low, high = toward(lanes.value * (1 - slack)), toward(lanes.value * (1 + slack))
    if lanes.low < 0:
        low, high = np.minimum(low, high), np.maximum(low, high)
    value, other = (high, low) if up else (low, high)
    differ = value != other
    if not np.any(differ):
        return Lanes(value, whole=True)
    error = np.zeros(value.shape)
    here = np.nonzero(differ)
    error[here] = np.abs((value[here] - other[here]) / value[here])
    error[~(error < np.inf)] = np.inf
    return Lanes(value, error, whole=True)


def _rounded_logs(lanes: Lanes, up: bool) -> Lanes:
    """Values below 2^40 are rounded as numbers; above, rounding is part of the error."""
    short = lanes.value < 40
    kept = np.where(short, np.maximum(np.exp2(lanes.value), 1 / _FAR), 1.0)  # never 0
    errors = np.where(short, np.expm1(np.minimum(lanes.error, 1) * _LN2) + 2 * _UNITS, 0.0)
    rounded = _rounded(Lanes(kept, errors), up).as_log()
    value = np.where(short, rounded.value, lanes.value)
    error = np.where(short, rounded.error, lanes.error + np.exp2(1.0 - np.maximum(lanes.value, 40)))
    error = np.where(np.isnan(value) | (lanes.error > 0.5), np.inf, error)
    return Lanes(value, error, log=True, whole=True)


def _piecewise(run: Evaluation, formula: sympy.Basic) -> Lanes:
    open_: Any = np.array(True)
    result: Lanes | None = None
    for branch, condition in formula.args:
        yes, no = _condition(run, condition)
        here = open_ & ~no
        if np.any(here):
            lanes = run(branch)
            if result is None and np.all(here & yes):
                return lanes
            if np.any(here & ~yes):
                sure = np.where(here & yes, lanes.error, np.inf)
                lanes = Lanes(lanes.value, sure, log=lanes.log, whole=lanes.whole)
            if result is None:
                result = lanes
            else:
                old, new = _alike([result, lanes])
                value = np.where(here, new.value, old.value)
                if old.error.ndim == new.error.ndim == 0:
                    error: Any = np.maximum(old.error, new.error)
                else:
                    error = np.where(here, new.error, old.error)
                result = Lanes(value, error, log=new.log, whole=old.whole and new.whole)
        open_ = open_ & no
        if not np.any(open_):
            break
    assert result is not None
    if np.any(open_):
        error = np.where(open_, np.inf, result.error)
        result = Lanes(result.value, error, log=result.log, whole=result.whole)
    return run.checked(formula, result)


def _condition(run: Evaluation, condition: Any) -> tuple[Bools, Bools]:
    """Where it certainly holds, and where it certainly does not."""
    if condition is sympy.true:
        return np.array(True), np.array(False)
    if isinstance(condition, (sympy.And, sympy.Or)):
        parts = [_condition(run, part) for part in condition.args]
        both: Any = np.logical_and
        either: Any = np.logical_or
        if isinstance(condition, sympy.Or):
            both, either = either, both
        return reduce(both, [yes for yes, _ in parts]), reduce(either, [no for _, no in parts])
    if not isinstance(condition, Relational):
        raise NotVectorised(f"no rule for the condition {condition}")
    left, right = _alike([run(condition.lhs), run(condition.rhs)])
    if not left.log and left.error.ndim == right.error.ndim == 0 and min(left.low, right.low) >= 0:
        return _compared(type(condition), left, right)
    difference = left.value - right.value
    radius: Any = 0.0
    if not (left.exact and right.exact):
        radii = [p.error if p.log else p.error * np.abs(p.value) for p in (left, right)]
        radius = radii[0] + radii[1] + _UNIT * (np.abs(left.value) + np.abs(right.value))
    less, more = difference < -radius, difference > radius
    # Equal as numbers; logs that are equal say nothing.
    equal = (difference == 0) & (radius == 0) & (not left.log)
    return _answers(type(condition), less, more, equal)


def _compared(kind: type, left: Lanes, right: Lanes) -> tuple[Bools, Bools]:
    """Two lanes of numbers ≥ 0, each with one error for all."""
    if left.exact and right.exact:
        less, more = left.value < right.value, left.value > right.value
        return _answers(kind, less, more, ~(less | more))
    slack = 2 * float(left.error + right.error) + 8 * _UNIT
    if slack > 0.1:
        return np.array(False), np.array(False)
    less = left.value * (1 + slack) < right.value
    more = right.value * (1 + slack) < left.value
    return _answers(kind, less, more, np.array(False))


def _answers(kind: type, less: Bools, more: Bools, equal: Bools) -> tuple[Bools, Bools]:
    if kind in (sympy.Lt, sympy.Ge):
        yes, no = less, more | equal
    elif kind in (sympy.Le, sympy.Gt):
        yes, no = less | equal, more
    else:
        yes, no = equal, less | more
    return (no, yes) if kind in (sympy.Ge, sympy.Gt, sympy.Ne) else (yes, no)


def _alike(parts: list[Lanes]) -> list[Lanes]:
    """All as logs if one is."""
    return [part.as_log() for part in parts] if any(part.log for part in parts) else parts


def _small_first(parts: Any) -> list[Lanes]:
    """Short arrays first: their sums and products cost nothing."""
    return sorted(parts, key=lambda lanes: lanes.value.size)


def _uniform(error: Floats) -> Floats:
    """One error for all where that loses nothing."""
    if error.ndim and error.size:
        largest = np.max(error)
        if largest <= _UNIFORM or error.size == 1:
            return np.asarray(largest)
    return error


_RULES: dict[type, Callable[[Evaluation, sympy.Basic], Lanes]] = {
    sympy.Add: _add,
    sympy.Mul: _multiply,
    sympy.exp: _exp,
    sympy.Pow: _power,
    sympy.Max: _extreme(True),
    sympy.Min: _extreme(False),
    sympy.ceiling: _ceiling,
    sympy.floor: _floor,
    sympy.Piecewise: _piecewise,
    sympy.log: _log,
    sympy.cosh: _cosh,
}
