"""The distinct weights that one head can give to the keys of a class of inputs.

A *level* is one such weight; levels are numbered from the largest down. Weights are taken relative
to the largest one that is present in an input, so that nothing overflows and no sum vanishes; each
is computed with 80 digits or more and rounded once. In finite precision a level is a logit, its
weight T^logit, and what is far below the largest is dropped. In infinite precision it is a pair
(content logit a, lag bias φ) with the weight e^a·T^φ, and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import flint
import numpy as np
import numpy.typing as npt

from bounds.precision import FLINT
from verify.certificates.contexts import HeadLogits
from verify.errors import WeightsError
from verify.model.precision import dropped

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

UNIT = 2.0**-53
"""u, the relative error of one operation in float64."""

_BITS = 80
"""Digits with which a weight is computed before it is rounded once."""

_NOTHING = 1500
"""e^(−1500) < 2^(−2000): such a weight is 0 in float64, long before."""


class Levels(Protocol):
    """The levels of one head at one length.

    Attributes:
        prefix: level of each prefix type; suffix: of each suffix position.
        forced: no input has a largest level beyond this one.
    """

    @property
    def prefix(self) -> Integers:
        """Level of each prefix type."""

    @property
    def suffix(self) -> Integers:
        """Level of each suffix position."""

    @property
    def forced(self) -> int:
        """The last level that can be the largest present."""

    @property
    def dropped(self) -> Booleans:
        """Whether level j is dropped where level i is the largest present, (n, n)."""

    def weights(self) -> Floats:
        """Return the weight of level j relative to level i, 0 where dropped, (forced + 1, n)."""


@dataclass(frozen=True)
class HardLevels:
    """The levels of one head in finite precision: its distinct logits.

    Attributes:
        numerators: the logits, times `unit`.
        prefix, suffix, forced: as in `Levels`.
        gaps: (n, n), gap of level j below level i, rounded once; ≤ 0 on and below the diagonal.
    """

    numerators: list[int]
    unit: int
    prefix: Integers
    suffix: Integers
    forced: int
    gaps: Floats

    @classmethod
    def of(
        cls, head: HeadLogits, prefix: Sequence[int], suffix: Sequence[int], tokens: int
    ) -> HardLevels:
        """Return the levels of prefix types, column by column, and of the types of the lags.

        Args:
            head: the logits.
            prefix: the types of the columns that are not empty.
            suffix: the types of the lags 0, 1, …; the first is the query's.
            tokens: |Σ|, the types of a column.

        Raises:
            WeightsError: logits beyond the range of float64.
        """
        content = head.content[suffix[0]]
        before = [content[t] for t in prefix]
        after = [content[t] + head.bias[lag] for lag, t in enumerate(suffix)]
        numerators = sorted({*before, *after}, reverse=True)
        place = {numerator: level for level, numerator in enumerate(numerators)}
        unit = head.unit.denominator
        try:
            gaps = [[(above - below) / unit for below in numerators] for above in numerators]
        except OverflowError:
            allowed = "weights whose logits float64 can hold; these are beyond 1.8e308"
            raise WeightsError("query_key", "a logit beyond 1.8e308", allowed) from None
        levels = [place[logit] for logit in before], [place[logit] for logit in after]
        return cls(numerators, unit, *_placed(*levels, tokens), np.array(gaps))

    def at(self, length: int, precision_bits: int) -> HardLevelsAt:
        """Return the levels at one length."""
        size = len(self.numerators)

        def exact_gap(index: int) -> Fraction:
            above, below = divmod(index, size)
            difference = self.numerators[above] - self.numerators[below]
            return Fraction(difference, self.unit)

        error = 2 * UNIT * float(np.abs(self.gaps).max())
        flat = dropped(length, self.gaps.ravel(), precision_bits, error, exact_gap)
        return HardLevelsAt(self, length, flat.reshape(size, size))


@dataclass(frozen=True)
class HardLevelsAt:
    """`HardLevels` at one length: what is dropped is decided exactly."""

    levels: HardLevels
    length: int
    dropped: Booleans

    @property
    def prefix(self) -> Integers:
        """Level of each prefix type."""
        return self.levels.prefix

    @property
    def suffix(self) -> Integers:
        """Level of each suffix position."""
        return self.levels.suffix

    @property
    def forced(self) -> int:
        """The last level that can be the largest present."""
        return self.levels.forced

    def weights(self) -> Floats:
        """Return T^(−gap) of level j below level i, 0 where it is dropped, (forced + 1, n)."""
        levels, drop = self.levels, self.dropped[: self.forced + 1]
        table = np.where(drop, 0.0, 1.0)
        with FLINT, flint.ctx.workprec(_BITS):
            logarithm = flint.arb(self.length).log()
            for i, j in zip(*np.nonzero(~drop & (levels.gaps[: len(drop)] > 0)), strict=True):
                gap = flint.fmpq(levels.numerators[i] - levels.numerators[j], levels.unit)
                table[i, j] = float((-flint.arb(gap) * logarithm).exp().mid())
        return table


@dataclass(frozen=True)
class SoftLevels:
    """The levels of one head in infinite precision, at one length.

    Levels whose weights differ by less than 2^−80 of them may be in the wrong order: the largest
    weight is then 1 + 2^−80 in the place of 1.

    Attributes:
        keys: (content logit, lag bias) of each level, both times `unit`.
        unit: as said.
        length: T.
        prefix, suffix, forced: as in `Levels`.
    """

    keys: list[tuple[int, int]]
    unit: int
    length: int
    prefix: Integers
    suffix: Integers
    forced: int

    @classmethod
    def of(
        cls,
        head: HeadLogits,
        length: int,
        prefix: Sequence[int],
        suffix: Sequence[int],
        tokens: int,
    ) -> SoftLevels:
        """Return the levels of prefix types, column by column, and of the types of the lags.

        Args:
            head: the logits.
            length: T.
            prefix: the types of the columns that are not empty.
            suffix: the types of the lags 0, 1, …; the first is the query's.
            tokens: |Σ|, the types of a column.
        """
        content, unit = head.content[suffix[0]], head.unit.denominator
        before = [(content[t], 0) for t in prefix]
        after = [(content[t], head.bias[lag]) for lag, t in enumerate(suffix)]
        keys = {*before, *after}
        with FLINT, flint.ctx.workprec(_digits(keys, unit)):
            logarithm = flint.arb(length).log()
            size = {key: _logit(key, unit, logarithm).mid() for key in keys}
            ordered = sorted(keys, key=size.__getitem__, reverse=True)
        place = {key: level for level, key in enumerate(ordered)}
        levels = [place[key] for key in before], [place[key] for key in after]
        return cls(ordered, unit, length, *_placed(*levels, tokens))

    @property
    def dropped(self) -> Booleans:
        """Nothing."""
        return np.zeros((len(self.keys), len(self.keys)), dtype=bool)

    def weights(self) -> Floats:
        """Return e^a·T^φ of level j relative to level i, 1 for j < i, (forced + 1, n)."""
        table = np.ones((self.forced + 1, len(self.keys)))
        with FLINT, flint.ctx.workprec(_digits(self.keys, self.unit)):
            logarithm = flint.arb(self.length).log()
            for i, above in enumerate(self.keys[: self.forced + 1]):
                for j, below in enumerate(self.keys[i + 1 :], i + 1):
                    key = below[0] - above[0], below[1] - above[1]
                    logit = _logit(key, self.unit, logarithm)
                    table[i, j] = 0.0 if logit < -_NOTHING else float(logit.exp().mid())
        return table


def _placed(prefix: list[int], suffix: list[int], tokens: int) -> tuple[Integers, Integers, int]:
    """Return the levels as arrays, and the last one that can be the largest present.

    The suffix is present, and of each column at least one type.
    """
    least = [max(prefix[k : k + tokens]) for k in range(0, len(prefix), tokens)]
    forced = min([*suffix, *least])
    return np.array(prefix, dtype=np.intp), np.array(suffix, dtype=np.intp), forced


def _digits(keys: Iterable[tuple[int, int]], unit: int) -> int:
    """Return the precision with which differences of logits have _BITS digits after the point."""
    largest = max(max(map(abs, key)) for key in keys)
    return _BITS + 20 + max(largest.bit_length() - unit.bit_length(), 0)


def _logit(key: tuple[int, int], unit: int, logarithm: flint.arb) -> flint.arb:
    """Return a + φ ln T."""
    content, bias = (flint.arb(flint.fmpq(numerator, unit)) for numerator in key)
    return content + bias * logarithm
