"""Reading a certificate: plain JSON, every line with its path."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from fractions import Fraction
from os import PathLike
from typing import Any, Protocol

from verify.errors import CertificateError, InputError
from verify.files import read_json


class HasData(Protocol):
    """Something with the plain data of a certificate, as `Certificate` is."""

    def to_dict(self) -> dict[str, Any]:
        """Return the data as JSON has it."""


class Line:
    """A value of the certificate and where it stands."""

    def __init__(self, value: Any, path: str) -> None:
        self.value, self.path = value, path

    def must(self, condition: bool, right: str) -> None:
        """Go on if the condition holds; otherwise this line is wrong."""
        if not condition:
            place = self.path or "certificate"
            raise CertificateError(f"{place}: got {short_text(self.value)}; right: {right}")

    def fields(self, names: str) -> None:
        """Require an object with exactly these fields."""
        found = set(self.value) if isinstance(self.value, dict) else set()
        self.must(found == set(names.split()), f"an object with the fields {names}")

    def __getitem__(self, name: str) -> Line:
        return Line(self.value[name], f"{self.path}.{name}" if self.path else name)

    def entries(self, count: int | None = None) -> list[Line]:
        """Require a list, of this many entries, and return them."""
        self.must(isinstance(self.value, list), "a list")
        self.must(count in (None, len(self.value)), f"a list of {count}")
        return [Line(value, f"{self.path}[{k}]") for k, value in enumerate(self.value)]

    def equals(self, right: Any) -> None:
        """Require this value; 1, true and 1.0 are three."""
        same = json.dumps(self.value, sort_keys=True) == json.dumps(right, sort_keys=True)
        self.must(same, short_text(right))

    def integer(self, least: int) -> int:
        """Require an integer."""
        self.must(type(self.value) is int and self.value >= least, f"an integer, at least {least}")
        return int(self.value)

    def subset(self, universe: Collection[int]) -> list[int]:
        """Require integers of a universe, ascending."""
        members = [entry.integer(0) for entry in self.entries()]
        found = members == sorted(set(members)) and set(members) <= set(universe)
        self.must(found, f"ascending, from {short_text(sorted(universe))}")
        return members

    def rational(self) -> Fraction:
        """Require a rational number, written as text."""
        text = self.value if isinstance(self.value, str) else ""
        plain = re.fullmatch(r"-?[0-9]{1,4000}(/[1-9][0-9]{0,4000})?", text)
        self.must(plain is not None, 'a rational number "a" or "a/b"')
        return Fraction(text)

    def at_least(self, bound: Fraction | int) -> Fraction:
        """Require a rational number that is no less than a bound."""
        number = self.rational()
        self.must(number >= bound, f"at least {decimal(bound)}")
        return number


def short_text(value: Any) -> str:
    """Return JSON that fits in a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def decimal(number: Fraction | int) -> str:
    """Return a number for a message: exact where that is short."""
    numerator, denominator = Fraction(number).as_integer_ratio()
    if max(numerator.bit_length(), denominator.bit_length()) < 200 and len(str(number)) <= 40:
        return str(number)
    if not -(10**300) < number < 10**300:
        return "10^300 or more"
    return f"{float(number):.17g}"


def read(certificate: HasData | str | PathLike[str]) -> Any:
    """Return the plain data of an object or of a file."""
    if hasattr(certificate, "to_dict"):
        try:
            return json.loads(json.dumps(certificate.to_dict()), parse_constant=_no_number)
        except (TypeError, ValueError, RecursionError) as error:
            raise CertificateError(f"certificate: its data is no plain JSON; {error}") from error
    if not isinstance(certificate, (str, PathLike)):
        raise InputError("certificate", certificate, "a Certificate, or the path of a JSON file")
    try:
        return read_json(certificate)
    except OSError as error:
        raise InputError("certificate", certificate, f"a file that can be read; {error}") from error
    except ValueError as error:
        raise CertificateError(f"certificate: {certificate} is no plain JSON; {error}") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")
