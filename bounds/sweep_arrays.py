"""One theorem at all points of a sweep at once: where it applies, and log2 of its length there.

Only long sweeps import this module, so that `import bounds` needs no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy

from bounds.algebra import MAX_BITS
from bounds.errors import BoundsError, ParameterError
from bounds.evaluate import enclose
from bounds.grid import Grid, Values
from bounds.length import bound_for
from bounds.numbers import Exact
from bounds.parameters import BY_KEYWORD
from bounds.request import Request
from bounds.scope import contradictions, follows
from bounds.theorem import Direction, Theorem
from bounds.vectorised import (
    Axis,
    Bools,
    Floats,
    Lanes,
    NotVectorised,
    Point,
    Points,
    evaluation,
    holds,
    lanes_of,
    lanes_of_array,
    rounded_log2,
)

_STATED_ERROR = 1e-9
"""A log2 with a larger error is moved to the safe side, and its row says so."""


class Answers:
    """log2 of the lengths at all points, flat; nan where there is none."""

    def __init__(self, theorem: Theorem, log2: Floats, error: Floats) -> None:
        self.theorem = theorem
        self.log2, self.error = log2, error
        if np.any(error > _STATED_ERROR):
            coarse = error > _STATED_ERROR * np.maximum(1, np.abs(log2))
            up = theorem.direction is Direction.SUFFICIENT
            self.log2 = np.where(coarse, log2 + error if up else log2 - error, log2)

    def known(self, point: int, name: str) -> Any:
        """What the column says at a point with a number; None: only the exact answer says it."""
        theorem, log2, error = self.theorem, self.log2[point], self.error[point]
        if np.isnan(log2):
            return None
        if name == "theorem":
            return theorem.key
        if name == "direction":
            return str(theorem.direction)
        if name == "constants" and theorem.constants != "implicit":
            return theorem.constants
        if name == "status" and theorem.constants == "proved" and abs(log2 - MAX_BITS) > 1:
            return "PROVED" if log2 < MAX_BITS else "TOO_LARGE"
        if name == "note":
            if error <= _STATED_ERROR * max(1, abs(log2)):
                return ""
            side = "large" if theorem.direction is Direction.SUFFICIENT else "small"
            return f"log2_length is at most {2 * error:.1g} too {side}; length is exact"
        return None


def answers(request: Request, grid: Grid) -> Answers | None:
    """The answers of a theorem at all points; None where its formula has no rules on arrays."""
    theorem = request.theorem
    if theorem is None:
        return None
    try:
        return _OneTheorem(theorem, request, grid).answers()
    except NotVectorised:
        return None


class _OneTheorem:
    def __init__(self, theorem: Theorem, request: Request, grid: Grid) -> None:
        self.theorem = theorem
        self.request = request
        self.grid = grid
        self.usable = {k: usable(values) for k, values in grid.axes.items()}
        axes = {
            BY_KEYWORD[k].symbol: Axis(
                values.dimension, values.exact, lanes(values), partial(numbers, values)
            )
            for k, values in grid.axes.items()
            if k in theorem.reads
        }
        self.points = Points(grid.shape, axes)
        self.defaults = _defaults(theorem, grid)
        self.run, self.length = evaluation(theorem, self.points, self.defaults, request.asserted)

    def answers(self) -> Answers:
        """log2 where every hypothesis holds.

        Raises:
            NotVectorised: the formula, or a hypothesis, needs the points one by one.
        """
        if self.theorem.direction is Direction.NECESSARY and "lipschitz_other" in self.grid.axes:
            raise NotVectorised("whether L_o = L decides what is refused")
        shape = self.grid.shape
        log2, error = np.empty(shape), np.empty(shape)
        checked = self._checked()
        longest = max(range(len(shape)), key=lambda d: shape[d], default=0)
        for first, last in _parts(shape, longest):
            part = self.run.part(longest, first, last)
            here = tuple(
                slice(first, last) if d == longest else slice(None) for d in range(len(shape))
            )
            applies = checked[here] if checked.shape[longest] > 1 else checked
            for relation in self._relations():
                applies = applies & holds(part, relation)
            found = rounded_log2(part, self.length, self.theorem.rounding)
            values, slack = log2[*here, ...], error[*here, ...]
            values[...], slack[...] = found.value, found.error
            if not np.all(applies):
                refused = ~np.broadcast_to(applies, values.shape)
                values[refused], slack[refused] = np.nan, 0.0
            self.run.keep(part, longest)
        flat, errors = log2.ravel(), error.ravel()
        self._look_at(flat, errors)
        return Answers(self.theorem, flat, errors)

    def _look_at(self, log2: Floats, error: Floats) -> None:
        """Points that floats did not reach are worked out; all are dropped if one is refused."""
        numbers = ~np.isnan(log2)
        first = int(np.argmax(numbers))
        if numbers[first] and not self._answers_at(first):
            log2[:] = np.nan
        lost = np.flatnonzero(~(error < 0.5))
        for point in lost.tolist():
            log2[point], error[point] = self._exactly(point), 0.0
        log2[log2 == -np.inf] = np.nan  # a length of 0 has no log2

    def _checked(self) -> Bools:
        """Where values are in their domains, and hypotheses hold that are no comparisons."""
        mask: Any = np.ones((1,) * len(self.grid.shape), dtype=bool)
        for keyword, good in self.usable.items():
            dimension = self.grid.axes[keyword].dimension
            shape = [n if d == dimension else 1 for d, n in enumerate(self.grid.shape)]
            mask = mask & (good if good.ndim == 0 else good.reshape(shape))
        for check in self._checks():
            mask = mask & self._at_points(check)
        result: Bools = mask
        return result

    def _relations(self) -> Iterator[Any]:
        """Hypotheses that are comparisons of symbols."""
        theorem, given = self.theorem, self.grid.axes
        epsilon, target = (BY_KEYWORD[k].symbol for k in ("epsilon", "target"))
        if "target" in theorem.reads and "epsilon" in given:
            yield sympy.Gt(target, epsilon) if "target" in given else sympy.Gt(epsilon, 0)
        for keyword, rule in theorem.rules.items():
            if keyword in given and rule.kind != "any":
                symbol = BY_KEYWORD[keyword].symbol
                least: Any = rule.bound
                if isinstance(least, str):
                    least = sympy.Max(1, BY_KEYWORD[least].symbol, evaluate=False)
                kind = sympy.Eq if rule.kind == "exactly" else sympy.Ge
                yield kind(symbol, least, evaluate=False)

    def _checks(self) -> Iterator[Callable[[Mapping[str, Exact]], bool]]:
        """The other hypotheses, which are looked at one point after the other."""
        given, asserted = set(self.grid.axes), self.request.asserted
        yield lambda v: not contradictions(_Only(v, given), asserted)
        for hypothesis in self.theorem.hypotheses:
            check = hypothesis.check
            if check is None or hypothesis.name in asserted:
                continue
            if isinstance(check, partial) and check.func is follows:
                continue  # among the relations
            yield check

    def _at_points(self, check: Callable[[Mapping[str, Exact]], bool]) -> Bools:
        """Where `check` holds: at one point per combination of the values that it reads."""
        on: set[int] = set()
        while True:
            shape = tuple(n if d in on else 1 for d, n in enumerate(self.grid.shape))
            result = np.zeros(shape, dtype=bool)
            for point in np.ndindex(*shape):
                values = _ValuesAt(self, point)
                try:
                    result[point] = bool(check(values))
                except BoundsError:
                    result[point] = False
                if not values.read <= on:
                    on |= values.read
                    break
            else:
                return result

    def _answers_at(self, point: int) -> bool:
        """Whether nothing else is refused, such as inputs that the theorem is not about."""
        try:
            bound_for(self.request, self.grid.values(point))
        except ParameterError:
            return False
        except BoundsError:
            pass
        return True

    def _exactly(self, point: int) -> float:
        try:
            log2 = bound_for(self.request, self.grid.values(point)).log2_length
        except BoundsError:
            return float("nan")
        return float("nan") if log2 is None else log2


_PART = 2**16
"""So many points at once stay in the cache."""


def _parts(shape: tuple[int, ...], dimension: int) -> Iterator[tuple[int, int]]:
    """The grid in slices along one dimension."""
    if not shape:
        yield 0, 1
        return
    step = max(1, _PART * shape[dimension] // math.prod(shape))
    for first in range(0, shape[dimension], step):
        yield first, min(first + step, shape[dimension])


class _ValuesAt(Mapping[str, Exact]):
    """What hypotheses see at one point; `read` collects the dimensions that were looked at."""

    def __init__(self, owner: _OneTheorem, point: Point) -> None:
        self._owner = owner
        self._point = point
        self._grid = owner.grid
        self.read: set[int] = set()
        theorem = owner.theorem
        self._names = dict.fromkeys(owner.grid.axes)
        self._derived = {
            k: owner.defaults[BY_KEYWORD[k].symbol]
            for k in theorem.reads
            if BY_KEYWORD[k].symbol in owner.defaults
        }
        self._names |= dict.fromkeys(self._derived)
        if {"target", "epsilon"} <= set(theorem.reads) & set(self._names):
            self._names["simulation_error"] = None

    def __getitem__(self, keyword: str) -> Exact:
        if keyword in self._grid.axes:
            values = self._grid.axes[keyword]
            if len(values) > 1:
                self.read.add(values.dimension)
            return values.exact(self._point[values.dimension])
        if keyword == "simulation_error" and keyword in self._names:
            return (self["target"] - self["epsilon"]) / 2
        default = self._derived[keyword]
        if isinstance(default, Fraction):
            return default
        if keyword == "target":
            return 3 * self["epsilon"]
        if isinstance(default, sympy.Max):
            return self._owner.theorem.rules[keyword].default(self)
        return self[_keyword_of(default)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, keyword: object) -> bool:
        return keyword in self._names


class _Only(Mapping[str, Exact]):
    """Some of the entries of a mapping."""

    def __init__(self, values: Mapping[str, Exact], names: set[str]) -> None:
        self._values = values
        self._names = names

    def __getitem__(self, keyword: str) -> Exact:
        if keyword not in self._names:
            raise KeyError(keyword)
        return self._values[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, keyword: object) -> bool:
        return keyword in self._names


def _keyword_of(symbol: Any) -> str:
    for keyword, row in BY_KEYWORD.items():
        if row.symbol == symbol:
            return keyword
    raise NotVectorised(f"a default that is computed: {symbol}")


def _defaults(theorem: Theorem, grid: Grid) -> dict[sympy.Symbol, Any]:
    """What is taken for keywords that are not given: a Fraction, or another symbol.

    Raises:
        NotVectorised: one is missing, or its default is computed.
    """
    symbols = {keyword: row.symbol for keyword, row in BY_KEYWORD.items()}
    found: dict[sympy.Symbol, Any] = {}
    for keyword in (*theorem.parameters, *theorem.rules):
        if keyword in grid.axes:
            continue
        if keyword == "target" and "epsilon" in grid.axes:
            found[symbols[keyword]] = 3 * symbols["epsilon"]
            continue
        default = theorem.defaults.get(keyword)
        if default is None and keyword not in theorem.parameters:
            bound = theorem.rules[keyword].bound
            if isinstance(bound, str):
                found[symbols[keyword]] = sympy.Max(1, symbols[bound], evaluate=False)
                continue
            default = bound
        if callable(default):
            default = default(symbols)
            _keyword_of(default)
        if default is None:
            raise NotVectorised(f"{keyword} is missing")
        found[symbols[keyword]] = Fraction(default) if isinstance(default, int) else default
    return found


def lanes(values: Values) -> Lanes:
    """The values of a keyword as floats with their error; nan where a value is unusable."""
    if values.array is not None:
        return lanes_of_array(values.array)
    read = [values.read(i) for i in range(len(values))]
    return lanes_of([_enclosed(value) for value in read])


def numbers(values: Values) -> npt.NDArray[np.int64]:
    """Numbers that are equal where the values are."""
    if values.array is not None:
        whole = values.array.dtype.kind in "iu"
        kept = values.array.astype(np.int64 if whole else np.float64, copy=False)
        bits: npt.NDArray[np.int64] = kept.view(np.int64)
        return bits
    seen: dict[Any, int] = {}
    read = (values.read(i) for i in range(len(values)))
    return np.array([seen.setdefault(value, len(seen)) for value in read])


def _enclosed(value: Exact | ParameterError) -> Any:
    if isinstance(value, ParameterError):
        return None
    return value if isinstance(value, Fraction) else enclose(value, {})


def usable(values: Values) -> Bools:
    """Which values are in the domain of their keyword."""
    if values.array is None:
        good = [not isinstance(values.read(i), ParameterError) for i in range(len(values))]
        return np.array(True) if all(good) else np.array(good)
    row, array = BY_KEYWORD[values.keyword], values.array
    floats = array.astype(np.float64, copy=False)
    if row.upper is None and (row.kind == "real" or array.dtype.kind in "iu"):
        inside = floats.min() > float(row.lower) and floats.max() < np.inf
        if inside:  # not where there is a nan
            return np.array(True)
    with np.errstate(invalid="ignore"):
        good_ones: Bools = np.isfinite(floats)
        if row.kind == "integer":
            good_ones &= np.rint(floats) == floats
        lower, upper = float(row.lower), None if row.upper is None else float(row.upper)
        good_ones &= floats > lower if row.lower_open else floats >= lower
        if upper is not None:
            good_ones &= floats < upper if row.upper_open else floats <= upper
    return np.array(True) if good_ones.all() else good_ones


def floats_of(values: Values) -> npt.NDArray[np.float64]:
    """The nearest floats; nan where a value is unusable or beyond the range of floats."""
    if values.array is not None:
        return np.where(usable(values), values.array.astype(np.float64), np.nan)
    found = lanes(values)
    if not found.log:
        return found.value
    with np.errstate(over="ignore"):
        value = np.exp2(found.value)
    return np.where(np.isinf(value), np.nan, value)
