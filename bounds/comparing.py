"""Lengths as numbers: conversions that lose nothing, an order decided by certified bits."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Integral
from typing import Any

from flint import arb, fmpq

from bounds.answer import Answer, Status, show_length
from bounds.errors import NotComputable, TooLong
from bounds.evaluate import enclose
from bounds.parameters import BY_KEYWORD

_APART = 1e-9
"""Two floats of log2 that differ by more, relative to them, belong to different numbers."""

_BITS = (256, 1024, 4096, 16_384)
"""Precisions tried in turn for lengths that are too close for their log2 to tell them apart."""


def as_integer(answer: Answer) -> int:
    """The length, where it is one.

    Raises:
        TooLong: it has more than 100,000 bits.
        NotComputable: there is none, or it is an order of growth, which guarantees nothing.
    """
    if answer.status is Status.ORDER_OF_GROWTH:
        raise NotComputable(
            f"{answer.theorem.key}: {answer.number}; its value at that C is `.length`"
        )
    if answer.length is None:
        if answer.log2_length is None:
            raise NotComputable(f"{answer.theorem.key} gives no number: {answer.status}")
        raise TooLong(answer.log2_length, "an integer that is written out (100,000 bits)")
    return answer.length


def as_float(answer: Answer) -> float:
    """The length as a float.

    Raises:
        TooLong: it is beyond the range of floats.
        NotComputable: as for `as_integer`.
    """
    too_long = answer.length is None and answer.log2_length is not None
    if too_long and answer.status is not Status.ORDER_OF_GROWTH:
        raise TooLong(answer.log2_length or 0.0, "a float (1.8e308)")
    try:
        return float(as_integer(answer))
    except OverflowError:
        raise TooLong(answer.log2_length or 0.0, "a float (1.8e308)") from None


def formatted(answer: Answer, how: str) -> str:
    """The length in a format for numbers, such as "," or ".3e"; without one, the whole answer.

    Raises:
        TooLong: it has more digits than Python writes, or is beyond a float for a float's format.
        NotComputable: as for `as_integer`.
    """
    if not how:
        return str(answer)
    number: float = as_float(answer) if how[-1] in "eEfFgG%" else as_integer(answer)
    try:
        return format(number, how)
    except ValueError:
        if isinstance(number, int) and number.bit_length() > 13_000:
            raise TooLong(answer.log2_length or 0.0, "decimal digits (4300)") from None
        raise


def order(left: Answer, right: Any) -> int | None:
    """-1, 0 or 1 as the length of `left` is below, equal to or above `right`; None: no number.

    Args:
        left: an answer.
        right: another answer, or any real number.

    Raises:
        NotComputable: one has no number, or both are too long to write and too close to tell.
    """
    if isinstance(right, Answer):
        return _order(left, right)
    if isinstance(right, float) and not math.isfinite(right):
        return None if math.isnan(right) else (-1 if right > 0 else 1)
    try:
        number = Fraction(int(right)) if isinstance(right, Integral) else Fraction(right)
    except (TypeError, ValueError):
        raise TypeError(f"no length can be compared with {type(right).__name__}") from None
    if left.length is not None:
        return (left.length > number) - (left.length < number)
    if number <= 0 or number.numerator.bit_length() - 2 < _log2(left) * (1 - _APART):
        return 1
    if number.numerator.bit_length() - number.denominator.bit_length() - 1 > _log2(left) * (
        1 + _APART
    ):
        return -1
    return _by_bits(left, number)


def _order(left: Answer, right: Answer) -> int:
    if left.length is not None and right.length is not None:
        return (left.length > right.length) - (left.length < right.length)
    one, other = _log2(left), _log2(right)
    if abs(one - other) > _APART * max(one, other):
        return 1 if one > other else -1
    if left.theorem is right.theorem and left.parameters == right.parameters:
        return 0
    return _by_bits(left, right)


def _by_bits(left: Answer, right: Answer | Fraction) -> int:
    for bits in _BITS:
        one, other = (_enclosure(side, bits) for side in (left, right))
        if one > other:  # for intervals: certainly
            return 1
        if one < other:
            return -1
    shown = show_length(left.length, left.log2_length)
    raise NotComputable(f"two lengths of {shown} are too close to tell which is longer")


def _enclosure(side: Answer | Fraction, bits: int) -> arb:
    if isinstance(side, Answer):
        theorem = side.theorem
        if side.length is not None:
            return arb(side.length)
        assert theorem.stated is not None
        known = {
            BY_KEYWORD[k].symbol: value for k, value in side.parameters.items() if k in BY_KEYWORD
        }
        known.update(theorem.stated.where)
        known.update(side.choice)
        value = enclose(theorem.stated.length, known, bits)
        return value if isinstance(value, arb) else arb(fmpq(value.numerator, value.denominator))
    return arb(fmpq(side.numerator, side.denominator))


def _log2(answer: Answer) -> float:
    if answer.log2_length is None:
        if answer.length is None:
            raise NotComputable(f"{answer.theorem.key} gives no number: {answer.status}")
        return 0.0
    return answer.log2_length
