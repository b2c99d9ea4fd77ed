"""What all certificates of a length share: the claim, and files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from bounds.numbers import exact
from verify.certificates.fields import (
    Kind,
    index,
    length,
    list_of_texts,
    objects,
    or_none,
    rational,
    short_of,
    text,
    wrong_fields,
)
from verify.errors import CertificateError, InputError
from verify.files import read_json, write_beside
from verify.tables import show_digits

_KINDS: dict[tuple[Any, Any], type[SavedCertificate]] = {}

_FIELDS: dict[str, Kind] = {
    "claim": text,
    "not_claimed": list_of_texts,
    "length": or_none(length),
    "cost": or_none(rational),
    "epsilon": rational,
    "target": rational,
    "horizon": or_none(length),
    "period": length,
    "deciding_context": or_none(index),
    "contexts": objects,
}


@dataclass(frozen=True)
class SavedCertificate:
    """A length N for given weights, and every choice and constant that it rests on.

    Attributes:
        data: the whole certificate, in the format that `format` and `version` in it name.
    """

    FORMAT: ClassVar[str] = ""
    VERSION: ClassVar[int] = 0

    data: dict[str, Any]

    def __init_subclass__(cls) -> None:
        """Remember which format the class is for."""
        _KINDS[cls.FORMAT, cls.VERSION] = cls

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.data['claim']}>"

    @property
    def length(self) -> int | None:
        """N, the longest length of the window; None: there is no number."""
        value = self.data["length"]
        return None if value is None else int(value)

    @property
    def window(self) -> range | None:
        """The Δ lengths on which f and g must agree within ε."""
        length = self.length
        return None if length is None else range(length - self.period + 1, length + 1)

    @property
    def cost(self) -> Fraction | None:
        """c(N → T*): what is added to the error on the window."""
        value = self.data["cost"]
        return None if value is None else Fraction(value)

    @property
    def epsilon(self) -> Fraction:
        """ε, the error on the window."""
        return Fraction(self.data["epsilon"])

    @property
    def target(self) -> Fraction:
        """The error from the window up to the horizon."""
        return Fraction(self.data["target"])

    @property
    def horizon(self) -> int | None:
        """T*, the longest length that is spoken of; None: every length."""
        value = self.data["horizon"]
        return None if value is None else int(value)

    @property
    def period(self) -> int:
        """Δ of the pair."""
        return int(self.data["period"])

    @property
    def context(self) -> dict[str, Any] | None:
        """The context that decides; None without a length."""
        index = self.data["deciding_context"]
        return None if index is None else self.data["contexts"][index]

    def explain(self) -> str:
        """Return the claim, what decides it, and what is not claimed, in plain text.

        Raises:
            CertificateError: its data is none that `save` wrote.
        """
        lines = [self.data["claim"], ""]
        try:
            lines += self._decision() if self.length is not None else self._no_length()
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise CertificateError(f"certificate: not as save wrote it; {error!r}") from error
        lines += ["", "Not claimed:", *(f"  - {text}" for text in self.data["not_claimed"])]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the plain data."""
        copy: dict[str, Any] = json.loads(json.dumps(self.data))
        return copy

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate as JSON: beside the file first, then renamed.

        Raises:
            InputError: the file cannot be written.
        """
        text = json.dumps(self.data, ensure_ascii=False) + "\n"
        try:
            write_beside(path, text.encode())
        except (OSError, ValueError, TypeError) as error:
            raise InputError("path", path, f"a file that can be written; {error}") from error

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SavedCertificate:
        """Read a certificate that `save` wrote; `verify.recheck` says whether it is true.

        Raises:
            InputError: the file cannot be read, or is no certificate of a known version.
        """
        try:
            data = read_json(path)
        except (OSError, ValueError, TypeError) as error:
            raise InputError("path", path, f"a JSON file that can be read; {error}") from error
        found = (data.get("format"), data.get("version")) if isinstance(data, dict) else None
        kind = next((kind for key, kind in _KINDS.items() if key == found), None)
        if kind is None:
            known = " or ".join(f"{name!r}, version {version}" for name, version in _KINDS)
            allowed = f"a file written by Certificate.save: format {known}"
            raise InputError("path", path, f"{allowed}; this one has {short_of(found)}")
        wrong = wrong_fields(data, _FIELDS)
        if not wrong and data["deciding_context"] is not None:
            inside = data["deciding_context"] < len(data["contexts"])
            wrong = "" if inside else "deciding_context"
        if wrong:
            allowed = "a file written by Certificate.save; missing in this one, or of another kind"
            raise InputError("path", path, f"{allowed}: {wrong}")
        return kind(data)

    def _decision(self) -> list[str]:
        """Say what decides, in lines."""
        raise NotImplementedError

    def _no_length(self) -> list[str]:
        """Say why there is no length, in lines."""
        raise NotImplementedError


def read_errors(epsilon: Any, target: Any) -> tuple[Fraction, Fraction]:
    """Return ε and the target (3ε if it is None) as exact numbers.

    Raises:
        InputError: they are no rational numbers 0 ≤ ε < target.
    """
    low = _number("epsilon", epsilon, Fraction(0))
    high = 3 * low if target is None else _number("target", target, low)
    if high <= low:
        if target is None:
            raise InputError("epsilon", epsilon, "a number > 0, or ε = 0 together with a target")
        raise InputError("target", target, f"a number > ε = {low}")
    return low, high


def short(number: Any) -> str:
    """Return a rational number in five digits."""
    return show_digits(Fraction(number), 5)


def _number(name: str, value: Any, least: Fraction) -> Fraction:
    """Return an argument as an exact rational number ≥ `least`."""
    allowed = f"a rational number ≥ {least}"
    try:
        number = exact(value)
    except ValueError as problem:
        raise InputError(name, value, f"{allowed}; {problem}") from None
    if not isinstance(number, Fraction) or number < least:
        raise InputError(name, value, allowed)
    return number
