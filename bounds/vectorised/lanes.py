"""Floats with a proven error: one number at many points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from flint import arb

from bounds.errors import NotComputable
from bounds.evaluate import Enclosure
from bounds.evaluate import log2 as log2_of

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

UNIT = 2.0**-52
"""Twice the rounding error of an operation that is rounded as IEEE 754 says."""
UNITS = 8 * UNIT
"""Error of the elementary functions."""
WHOLE = 2.0**53
"""Integers below are floats, and so are their sums and products."""
FAR = 1e290
"""Values between its inverse and it stay as they are; others as log2."""
_UNIFORM = 1e-10
"""Errors that are all below this are replaced by the largest."""
_FEW = 64
"""So many numbers are looked at before all."""
LN2 = math.log(2)


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
        error = -np.log1p(-np.minimum(relative, 0.5)) / LN2 + np.where(relative > 0.5, np.inf, 0)
        sizes = [abs(math.log2(x)) for x in (self.low, self.high) if 0 < x < math.inf]
        if self.low <= 0 or len(sizes) < 2:
            sizes = [1100.0]
        error = error + UNITS * max(sizes)
        if self.low < 0:
            error = np.where(self.value < 0, np.inf, error)
        return Lanes(value, error, log=True, whole=self.whole)


def lanes_of_array(values: npt.NDArray[Any]) -> Lanes:
    """Integers or floats of an array; a float stands for its shortest decimal."""
    floats = np.asarray(values, dtype=np.float64)
    few = floats[:_FEW]
    whole = bool(np.all(np.rint(few) == few)) and bool(np.all(np.rint(floats) == floats))
    if whole and bool(np.all(np.abs(floats) < WHOLE)):
        return Lanes(floats, whole=True)
    narrow = values.dtype.kind == "f" and values.dtype.itemsize < 8
    return Lanes(floats, 2.0**-10 if narrow else UNIT, whole=whole and not narrow)


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
        far = far or (value is not None and not 1 / FAR < abs(number) < FAR and number != 0)
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
        errors.append(math.inf if math.isnan(number) else 4 * UNIT * abs(number))
    return Lanes(np.array(floats), np.array(errors), log=True, whole=whole)


def _float(value: Fraction) -> tuple[float, float]:
    try:
        number = value.numerator / value.denominator
    except OverflowError:
        return math.inf, math.inf
    if number == 0 and value != 0:
        return 5e-324, math.inf
    return number, 0.0 if Fraction(number) == value else UNIT


def _middle(value: arb) -> tuple[float, float]:
    number = float(value.mid())
    radius = float(value.rad())
    if number == 0 or not math.isfinite(number):
        return number, math.inf
    return number, abs(radius / number) * 2 + UNIT


def _uniform(error: Floats) -> Floats:
    """One error for all where that loses nothing."""
    if error.ndim and error.size:
        largest = np.max(error)
        if largest <= _UNIFORM or error.size == 1:
            return np.asarray(largest)
    return error


def spread(lanes: Lanes, shape: tuple[int, ...]) -> Lanes:
    """A rule that gives up says so once: nan and inf, at every point."""
    if lanes.value.ndim == len(shape):
        return lanes
    return Lanes(np.broadcast_to(lanes.value, shape), lanes.error, log=lanes.log)


def alike(parts: list[Lanes]) -> list[Lanes]:
    """All as logs if one is."""
    return [part.as_log() for part in parts] if any(part.log for part in parts) else parts


def small_first(parts: Any) -> list[Lanes]:
    """Short arrays first: their sums and products cost nothing."""
    return sorted(parts, key=lambda lanes: lanes.value.size)


def least_size(lanes: Lanes) -> float:
    """The least absolute value."""
    if lanes.low > 0:
        return lanes.low
    return -lanes.high if lanes.high < 0 else float(np.min(np.abs(lanes.value)))
