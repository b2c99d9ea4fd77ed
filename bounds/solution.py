"""`Solution`: the value that `solve_for` found, a number that knows its theorem and its length."""

from __future__ import annotations

import html
from fractions import Fraction
from typing import Any

from bounds.numbers import brief, written
from bounds.result import LengthBound, Status
from bounds.signs import equation
from bounds.theorem import Theorem


class Solution(Fraction):
    """The answer of `solve_for`: a Fraction, so that it computes and compares as the number it is.

    Attributes:
        unknown: keyword of the parameter.
        value: the number alone, int for integer parameters and Fraction otherwise.
        given_length: the training length that was given.
        bound: the answer of `required_length` at the value; its length is at most the one given.
    """

    unknown: str
    given_length: int
    bound: LengthBound

    def __new__(
        cls, value: int | Fraction, unknown: str, given_length: int, bound: LengthBound
    ) -> Solution:
        """The number `value` with what is known about it."""
        number = super().__new__(cls, value)
        number.unknown, number.given_length, number.bound = unknown, given_length, bound
        number._integer = isinstance(value, int)
        return number

    _integer: bool

    @property
    def value(self) -> int | Fraction:
        """The number alone."""
        if self._integer:
            return int(self)
        return Fraction(self.numerator, self.denominator)

    @property
    def float(self) -> float:
        """The value as a float."""
        return self.__float__()

    @property
    def theorem(self) -> Theorem:
        """The theorem whose length just fits."""
        return self.bound.theorem

    @property
    def status(self) -> Status:
        """What the length at the value is worth."""
        return self.bound.status

    def explain(self) -> str:
        """The value, and the length at it in plain sentences."""
        return f"{self._headline}\n{self.bound.explain()}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the exact value as a string."""
        return {
            "unknown": self.unknown,
            "value": written(Fraction(self.value)),
            "given_length": self.given_length,
            "bound": self.bound.to_dict(),
        }

    @property
    def _headline(self) -> str:
        shown = equation(self.unknown, Fraction(self.value))
        return f"{self.unknown}: {shown} just fits length {brief(Fraction(self.given_length))}."

    @classmethod
    def from_float(cls, f: Any) -> Fraction:  # type: ignore[override]  # used by comparisons
        """The plain Fraction that a float is."""
        return Fraction.from_float(f)

    @classmethod
    def from_decimal(cls, dec: Any) -> Fraction:  # type: ignore[override]
        """The plain Fraction that a Decimal is."""
        return Fraction.from_decimal(dec)

    def limit_denominator(self, max_denominator: int = 1_000_000) -> Fraction:
        """The closest plain Fraction with a denominator of at most `max_denominator`."""
        return Fraction(self.value).limit_denominator(max_denominator)

    def __index__(self) -> int:
        if self.denominator != 1:
            raise TypeError(f"{self.unknown} = {self} is no integer")
        return int(self)

    def __format__(self, how: str) -> str:
        if not how:
            return str(self)
        return format(self.value if self._integer else self.__float__(), how)

    def __repr__(self) -> str:
        return f"<Solution {self.unknown} = {brief(Fraction(self.value))}: {self.bound}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self._headline)}</b></p>{self.bound._repr_html_()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.value, self.unknown, self.given_length, self.bound)

    def __copy__(self) -> Solution:
        return self

    def __deepcopy__(self, memo: Any) -> Solution:
        return self
