"""What stands in the fields of a saved certificate, before anyone works with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Kind = Callable[[Any], bool]
"""Whether a value is of this kind."""


def text(value: Any) -> bool:
    """Some text."""
    return isinstance(value, str)


def list_of_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(map(text, value))


def objects(value: Any) -> bool:
    """A list of objects with fields."""
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def index(value: Any) -> bool:
    """An integer, at least 0."""
    return type(value) is int and value >= 0


def length(value: Any) -> bool:
    """An integer, at least 1."""
    return type(value) is int and value >= 1


def rational(value: Any) -> bool:
    """A rational number as text, with no exponent: "1e999999999" would fill the memory."""
    plain = r"-?[0-9]{1,4000}(/0*[1-9][0-9]{0,4000})?"
    return isinstance(value, str) and re.fullmatch(plain, value) is not None


def or_none(kind: Kind) -> Kind:
    """Return the kind to which None belongs too."""
    return lambda value: value is None or kind(value)


def wrong_fields(data: Mapping[str, Any], kinds: Mapping[str, Kind]) -> str:
    """Return the names of the fields that are missing or of another kind; "" if there are none."""
    return ", ".join(n for n, kind in kinds.items() if n not in data or not kind(data[n]))


def short_of(value: Any) -> str:
    """Return any value for a message."""
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:119]}…"
