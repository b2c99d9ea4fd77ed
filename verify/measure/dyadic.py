"""Exact arithmetic on weights: every float64 is an integer times a power of two.

Sums and products of such numbers are again such numbers, so logits, value vectors and their
squared lengths are computed without any rounding. Square roots are rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from flint import fmpz_mat

Integers: TypeAlias = "npt.NDArray[np.object_]"
"""NumPy array of Python ints: no overflow."""

_ROOT_BITS = 64


@dataclass(frozen=True)
class Dyadic:
    """An array of exact numbers numerators · 2^−exponent.

    Attributes:
        numerators: Python ints, any shape.
        exponent: shared by all entries.
    """

    numerators: Integers
    exponent: int

    @classmethod
    def of(cls, array: npt.ArrayLike) -> Dyadic:
        """Return the exact values of an array of finite floats (or of ints)."""
        values = np.asarray(array, dtype=np.float64)
        mantissas, exponents = np.frexp(values.ravel())
        odd = np.ldexp(mantissas, 53).astype(np.int64)
        twos = np.frexp((odd & -odd).astype(np.float64))[1] - 1  # −1 for 0
        places = np.where(odd == 0, 0, 53 - exponents - twos)  # of the reduced fraction
        exponent = max(0, int(places.max(initial=0)))
        odd >>= np.maximum(twos, 0)
        numerators = np.empty(odd.size, dtype=object)
        shifts = (exponent - places).tolist()
        numerators[:] = [n << shift for n, shift in zip(odd.tolist(), shifts, strict=True)]
        return cls(numerators.reshape(values.shape), exponent)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.numerators.shape

    @property
    def T(self) -> Dyadic:
        """The transpose."""
        return Dyadic(self.numerators.T, self.exponent)

    def __getitem__(self, index: Any) -> Dyadic:
        """Return a part of the array, by NumPy's rules of indexing."""
        return Dyadic(_as_integers(self.numerators[index]), self.exponent)

    def reshape(self, *shape: int) -> Dyadic:
        """Return the same entries in another shape."""
        return Dyadic(self.numerators.reshape(*shape), self.exponent)

    def __add__(self, other: Dyadic) -> Dyadic:
        """Return the sum, with NumPy's broadcasting."""
        (a, b), exponent = _aligned([self, other])
        return Dyadic(_as_integers(a + b), exponent)

    def __sub__(self, other: Dyadic) -> Dyadic:
        """Return the difference, with NumPy's broadcasting."""
        (a, b), exponent = _aligned([self, other])
        return Dyadic(_as_integers(a - b), exponent)

    def __mul__(self, other: Dyadic) -> Dyadic:
        """Return the product entry by entry, with NumPy's broadcasting."""
        product = _as_integers(self.numerators * other.numerators)
        return Dyadic(product, self.exponent + other.exponent)

    def __matmul__(self, other: Dyadic) -> Dyadic:
        """Return the product of two matrices."""
        product = self._matrix * other._matrix
        entries = np.empty(self.shape[0] * other.shape[1], dtype=object)
        entries[:] = [int(entry) for entry in product.entries()]
        shape = (self.shape[0], other.shape[1])
        return Dyadic(entries.reshape(shape), self.exponent + other.exponent)

    def __abs__(self) -> Dyadic:
        """Return the absolute values."""
        return Dyadic(_as_integers(np.abs(self.numerators)), self.exponent)

    def __neg__(self) -> Dyadic:
        """Return the negated values."""
        return Dyadic(_as_integers(-self.numerators), self.exponent)

    def times_power(self, exponent: int) -> Dyadic:
        """Return the entries times 2^exponent."""
        return Dyadic(self.numerators, self.exponent - exponent)

    def positive_part(self) -> Dyadic:
        """Return max(entry, 0) of every entry."""
        return Dyadic(_as_integers(np.maximum(self.numerators, 0)), self.exponent)

    def max(self, axis: int) -> Dyadic:
        """Return the largest entries along one axis, which must not be empty."""
        return Dyadic(_as_integers(self.numerators.max(axis=axis)), self.exponent)

    def min(self, axis: int) -> Dyadic:
        """Return the smallest entries along one axis, which must not be empty."""
        return Dyadic(_as_integers(self.numerators.min(axis=axis)), self.exponent)

    def sum(self, axis: int) -> Dyadic:
        """Return the sums along one axis."""
        return Dyadic(_as_integers(self.numerators.sum(axis=axis)), self.exponent)

    def root_up(self) -> Dyadic:
        """Return upper bounds of the square roots, relative error below 2^−64.

        A root that is rational with few digits comes out exactly.
        """
        shift = 2 * _ROOT_BITS + self.exponent % 2
        roots = np.frompyfunc(lambda n: _integer_root_up(n << shift), 1, 1)(self.numerators)
        return Dyadic(_as_integers(roots), (self.exponent + shift) // 2)

    def norms_up(self) -> Dyadic:
        """Return upper bounds of the Euclidean norms along the last axis."""
        return (self * self).sum(axis=-1).root_up()

    def largest(self) -> Fraction:
        """Return the largest entry."""
        return Fraction(int(self.numerators.max()), 1) / Fraction(2) ** self.exponent

    def fractions(self) -> list[Fraction]:
        """Return the entries, in the order of `ravel`."""
        unit = Fraction(1, 2) ** self.exponent
        return [int(n) * unit for n in self.numerators.ravel()]

    def rank(self) -> int:
        """Return the exact rank of a matrix."""
        return int(self._matrix.rank())

    @cached_property
    def _matrix(self) -> Any:
        """The numerators as FLINT's matrix; kept, as many products have a factor in common."""
        rows, columns = self.shape
        return fmpz_mat(rows, columns, self.numerators.ravel().tolist())


def concatenate(parts: Sequence[Dyadic], axis: int = 0) -> Dyadic:
    """Return the arrays joined along one axis."""
    numerators, exponent = _aligned(parts)
    return Dyadic(np.concatenate(numerators, axis=axis), exponent)


def minimum(a: Dyadic, b: Dyadic) -> Dyadic:
    """Return the smaller of two entries at each place, with NumPy's broadcasting."""
    (x, y), exponent = _aligned([a, b])
    return Dyadic(_as_integers(np.minimum(x, y)), exponent)


def maximum(a: Dyadic, b: Dyadic) -> Dyadic:
    """Return the larger of two entries at each place, with NumPy's broadcasting."""
    return -minimum(-a, -b)


def _aligned(parts: Sequence[Dyadic]) -> tuple[list[Integers], int]:
    """Return the numerators over one common exponent, and that exponent."""
    exponent = max(part.exponent for part in parts)
    shifts = [exponent - part.exponent for part in parts]
    scaled = [
        _as_integers(part.numerators * (1 << shift)) if shift else part.numerators
        for part, shift in zip(parts, shifts, strict=True)
    ]
    return scaled, exponent


def _as_integers(values: Any) -> Integers:
    """Return an object array also where NumPy gave a single Python int."""
    return cast("Integers", np.asarray(values, dtype=object))


def _integer_root_up(number: int) -> int:
    """Return ⌈√number⌉."""
    return math.isqrt(number - 1) + 1 if number > 0 else 0
