"""The error that a claim allows, read as an exact number."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from bounds.numbers import exact
from verify.errors import InputError


def read_target(target: Any) -> Fraction:
    """Return the target as an exact number.

    Raises:
        InputError: it is no rational number ≥ 0.
    """
    allowed = 'a rational number ≥ 0: an int, float, Fraction or text such as "3/10"'
    try:
        number = exact(target)
    except ValueError as problem:
        raise InputError("target", target, f"{allowed}; {problem}") from None
    if not isinstance(number, Fraction) or number < 0:
        raise InputError("target", target, allowed)
    return number
