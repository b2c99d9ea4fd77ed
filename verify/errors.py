"""Errors of `verify`; each carries the data it speaks of, not only text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self


class VerifyError(Exception):
    """Anything that `verify` refuses or finds wrong."""


class _Problem(VerifyError, ValueError):
    """A bad argument: its name, what was given, and what is allowed."""

    def __init__(self, name: str, given: Any, allowed: str) -> None:
        self.name = name
        self.given = given
        self.allowed = allowed
        self.problems: tuple[tuple[str, Any, str], ...] = ((name, given, allowed),)
        super().__init__(f"{name}: got {_short(given)}; allowed: {allowed}")

    @classmethod
    def of_all(cls, problems: Sequence[tuple[str, Any, str]]) -> Self:
        """One error for several bad arguments: `problems` holds (name, given, allowed) of each.

        The message has one line for each; name, given and allowed are those of the first.
        """
        error = cls(*problems[0])
        error.problems = tuple(problems)
        error.args = ("\n".join(str(cls(*problem)) for problem in problems),)
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the data, so that the error crosses from one process to another."""
        return _rebuild, (type(self), self.problems)


class WeightsError(_Problem):
    """A weight of a model has the wrong type, shape or value."""


class InputError(_Problem):
    """An argument of a call (input sequence, ε, path, ...) is not usable."""


class CertificateError(VerifyError):
    """A certificate does not prove what it claims."""


class Counterexample(VerifyError):
    """A theorem's conclusion fails on `data`: the whole instance, ready to be replayed."""

    def __init__(self, message: str, data: Any) -> None:
        """Keep the instance beside the message."""
        self.data = data
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the data, so that it crosses from one process to another."""
        return type(self), (str(self), self.data)


def _rebuild(kind: type[_Problem], problems: tuple[tuple[str, Any, str], ...]) -> _Problem:
    return kind.of_all(problems)


def _short(value: Any, limit: int = 120) -> str:
    """`repr` of a value with its type, cut to a length that a person reads."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python writes, or something with one inside
        text = hex(value) if isinstance(value, int) else "a value that Python does not write"
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"{text} ({type(value).__name__})"
