"""Errors of `verify`; each carries the data it speaks of, not only text."""

from __future__ import annotations

from typing import Any


class VerifyError(Exception):
    """Anything that `verify` refuses or finds wrong."""


class _Problem(VerifyError, ValueError):
    """A bad argument: its name, what was given, and what is allowed."""

    def __init__(self, name: str, given: Any, allowed: str) -> None:
        self.name = name
        self.given = given
        self.allowed = allowed
        super().__init__(f"{name}: got {_short(given)}; allowed: {allowed}")


class WeightsError(_Problem):
    """A weight of a model has the wrong type, shape or value."""


class InputError(_Problem):
    """An argument of a call (input sequence, ε, path, ...) is not usable."""


class CertificateError(VerifyError):
    """A certificate does not prove what it claims."""


class Counterexample(VerifyError):
    """A theorem's conclusion fails on `data`: the whole instance, ready to be replayed."""

    def __init__(self, message: str, data: Any) -> None:
        self.data = data
        super().__init__(message)


def _short(value: Any, limit: int = 120) -> str:
    """`repr` of a value with its type, cut to a length that a person reads."""
    text = " ".join(repr(value).split())
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"{text} ({type(value).__name__})"
