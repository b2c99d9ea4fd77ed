"""Grids of parameter values: what a sweep runs over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bounds.errors import ParameterError, Problem
from bounds.numbers import Exact
from bounds.parameters import BY_KEYWORD, read_all


class Values:
    """The values of one keyword, as given; each is read when it is needed."""

    def __init__(self, keyword: str, given: Any, dimension: int) -> None:
        self.keyword = keyword
        self.dimension = dimension
        self.array = _numeric_array(given)
        self.given: Sequence[Any] = entries(given) if self.array is None else self.array
        self._read: dict[int, Exact | ParameterError] = {}

    def __len__(self) -> int:
        return len(self.given)

    def read(self, index: int) -> Exact | ParameterError:
        """The exact value, or why there is none."""
        if index not in self._read:
            try:
                self._read[index] = read_all({self.keyword: self.given[index]})[self.keyword]
            except ParameterError as problem:
                self._read[index] = problem
        return self._read[index]

    def exact(self, index: int) -> Exact:
        """The exact value.

        Raises:
            ParameterError: it is outside its domain.
        """
        value = self.read(index)
        if isinstance(value, ParameterError):
            raise value
        return value

    def problems(self) -> list[Problem]:
        """What is wrong, if no value is usable; a value that is usable ends the search."""
        found: list[Problem] = []
        for index in range(len(self)):
            value = self.read(index)
            if not isinstance(value, ParameterError):
                return []
            found.extend(value.problems)
            if len(found) >= _MOST_PROBLEMS:
                break
        return found


_MOST_PROBLEMS = 20


class Grid:
    """All combinations of parameter values: a dimension per keyword, one for those paired."""

    def __init__(self, parameters: Mapping[str, Any], paired: Mapping[str, Any]) -> None:
        self.axes: dict[str, Values] = {}
        problems: list[Problem] = []
        for name, given in {**parameters, **paired}.items():
            if name not in BY_KEYWORD:
                try:
                    read_all({name: given})
                except ParameterError as unknown:
                    problems.extend(unknown.problems)
        for name in parameters:
            if name in paired:
                problems.append(Problem(name, None, "given once: paired, or by itself"))
        if problems:
            raise ParameterError(problems)
        for name, given in parameters.items():
            self.axes[name] = Values(name, given, len(self.axes))
        dimension = len(self.axes)
        for name, given in paired.items():
            self.axes[name] = Values(name, given, dimension)
        lengths = {name: len(self.axes[name]) for name in paired}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            allowed = f"equally many values of each; given {shown}"
            raise ParameterError([Problem("paired", list(paired), allowed)])
        for name, values in self.axes.items():
            if not len(values):
                problems.append(Problem(name, [], "at least one value"))
            problems.extend(values.problems())
        if problems:
            raise ParameterError(problems)
        sizes = {values.dimension: len(values) for values in self.axes.values()}
        self.shape = tuple(sizes[d] for d in sorted(sizes))
        self.strides = tuple(math.prod(self.shape[d + 1 :]) for d in range(len(self.shape)))

    def __len__(self) -> int:
        return math.prod(self.shape)

    def place(self, keyword: str, point: int) -> int:
        """Which value of the keyword the point has."""
        dimension = self.axes[keyword].dimension
        return point // self.strides[dimension] % self.shape[dimension]

    def values(self, point: int) -> dict[str, Exact]:
        """The exact values at a point.

        Raises:
            ParameterError: some are outside their domains.
        """
        read = {k: values.read(self.place(k, point)) for k, values in self.axes.items()}
        problems = [p for v in read.values() if isinstance(v, ParameterError) for p in v.problems]
        if problems:
            raise ParameterError(problems)
        return {k: v for k, v in read.items() if not isinstance(v, ParameterError)}


def entries(value: Any) -> list[Any]:
    """The entries of a list, or the one value that `value` is."""
    if isinstance(value, str):
        return [value]
    try:
        return list(value)
    except TypeError:  # one value, or an array without axes
        return [value]


_LONG = 100
"""Longer lists of plain numbers are read as one array."""


def _numeric_array(value: Any) -> Any:
    """A one-dimensional array of integers or floats, if `value` is one or a long list of them."""
    if hasattr(value, "dtype") and hasattr(value, "to_numpy"):  # a pandas Series
        value = value.to_numpy()
    if isinstance(value, (list, tuple, range)) and len(value) > _LONG:
        import numpy as np

        kinds = {int} if isinstance(value, range) else set(map(type, value))
        if kinds == {float}:
            return np.array(value)
        if kinds == {int}:
            array = np.array(value)
            return array if array.dtype.kind in "iu" else None
        return None
    if getattr(value, "ndim", None) != 1 or len(value) <= _LONG or hasattr(value, "mask"):
        return None
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    import numpy as np

    wide = getattr(getattr(value, "dtype", None), "itemsize", 0) > 8
    return np.asarray(value) if kind in ("i", "u", "f") and not wide else None
