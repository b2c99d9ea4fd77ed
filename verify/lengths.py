"""Lengths of any size that can always be printed, and written to a file and read again."""

from __future__ import annotations

import math

PRINTED_BITS = 13_000
"""About 3900 digits; Python writes no integer of more than 4300."""


class Length(int):
    """An integer that prints in full where it is short, and as a power of ten beyond.

    `repr`, `str` and format codes such as `,` work at every size; an integer with more digits
    than Python writes would raise there. In all else it is an int.
    """

    def __repr__(self) -> str:
        """Digits, or ≈ 10^k."""
        return int.__repr__(self) if is_written(self) else power_of_ten(self)

    __str__ = __repr__

    def __format__(self, code: str) -> str:
        """The code for integers where digits are written; else ≈ 10^k."""
        return int.__format__(self, code) if is_written(self) else power_of_ten(self)


def is_written(value: int) -> bool:
    """Whether all digits of an integer are written."""
    return value.bit_length() <= PRINTED_BITS


def power_of_ten(value: int) -> str:
    """A positive integer of any size, such as ≈ 10^30103.0."""
    return f"≈ 10^{math.log10(value):.1f}"


def show_integer(value: int) -> str:
    """For tables: digits with separators, or a power of ten beyond 10⁹."""
    if value < 10**9:
        return f"{value:,}"
    return f"{float(value):.2e}" if value < 10**300 else power_of_ten(value)


def show_long(length: int) -> str:
    """Return a length with separators, or as a power of two where it is a large one."""
    if length >= 10**9 and length & (length - 1) == 0:
        return f"2^{length.bit_length() - 1}"
    return show_integer(length)


def to_json(value: int) -> int | str:
    """For files: the integer, or its hexadecimal digits where decimal ones are too many."""
    return int(value) if is_written(value) else hex(value)


def from_json(value: int | str) -> int:
    """The integer that `to_json` wrote."""
    return int(value, 16) if isinstance(value, str) else value
