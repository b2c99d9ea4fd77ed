"""Where the values of symbols lie on a grid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import sympy

from bounds.numbers import Exact
from bounds.vectorised.lanes import Lanes

Point: TypeAlias = tuple[int, ...]


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
