"""What all reports share: tables of text, fractions as people read them, JSON files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from verify.errors import InputError
from verify.files import write_beside


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write a file that is either complete or not there: first beside it, then renamed.

    Raises:
        InputError: the file cannot be written.
    """
    text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        write_beside(path, text.encode())
    except (OSError, ValueError, TypeError) as error:
        raise InputError("path", path, f"a file that can be written; {error}") from error


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text as lines with aligned columns; the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if number == 0 else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def show_fraction(value: Fraction) -> str:
    """The fraction itself where it is short, else four digits."""
    size = max(abs(value.numerator), value.denominator).bit_length()
    return str(value) if size < 64 and len(str(value)) <= 9 else show_digits(value, 4)


def show_digits(value: Fraction, digits: int) -> str:
    """A rational number of any size in some digits."""
    if value == 0 or abs(math.log10(abs(value.numerator)) - math.log10(value.denominator)) < 300:
        return f"{float(value):.{digits}g}"
    power = math.log10(abs(value.numerator)) - math.log10(value.denominator)
    whole = math.floor(power)
    return f"{'-' if value < 0 else ''}{10 ** (power - whole):.{digits}g}e{whole:+}"
