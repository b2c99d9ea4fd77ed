"""Errors of `bounds`; each carries its data, so that a caller need not parse text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


class BoundsError(Exception):
    """Anything that `bounds` refuses or cannot answer."""


@dataclass(frozen=True)
class Problem:
    """One violated requirement: the argument's name, what was given, what is allowed."""

    name: str
    given: Any
    allowed: str

    def __str__(self) -> str:
        return f"{self.name}: got {short(self.given)}; allowed: {self.allowed}"


class Stated(str):
    """Text that an error shows as it is, without quotes and type."""


class Missing(Problem):
    """A parameter that is needed and was not given; `given` is None."""

    def __str__(self) -> str:
        return f"{self.name}: missing; needed: {self.allowed}"


class Violation(Problem):
    """A hypothesis of a theorem that the parameters violate: `allowed` is what it says."""

    def __str__(self) -> str:
        return f"{self.name}: needs {self.needed}; {short(self.given)}"

    @property
    def needed(self) -> str:
        """`allowed` as it reads after "needs"."""
        return self.allowed.removeprefix("nothing: the theorem needs ")


class ParameterError(BoundsError, ValueError):
    """One or more arguments are unusable; `problems` lists every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class UnsupportedSetting(BoundsError):
    """No theorem covers the setting; `covered` lists what is, or what each theorem needs."""

    def __init__(self, message: str, covered: Sequence[str] = ()) -> None:
        self.message = message
        self.covered = tuple(covered)
        listing = "".join(f"\n  - {line}" for line in self.covered)
        super().__init__(message + (f"\nCovered:{listing}" if listing else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.covered)


class NoSolution(BoundsError):
    """No value of the unknown meets the request; `reason` says why, `unknown` names it."""

    def __init__(self, unknown: str, reason: str) -> None:
        self.unknown = unknown
        self.reason = reason
        super().__init__(f"no value of {unknown} works: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.unknown, self.reason)


class NotComputable(BoundsError):
    """A number was asked for where certified arithmetic or mathematics gives none."""


class TooLong(BoundsError, OverflowError):
    """A length is longer than the kind of number asked for; `log2_length` has its size."""

    def __init__(self, log2_length: float, what: str) -> None:
        self.log2_length = log2_length
        self.what = what
        super().__init__(
            f"the length is about 2^{log2_length:.10g}, too long for {what}; use log2_length"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.log2_length, self.what)


def short(value: Any, limit: int = 100) -> str:
    """`repr` (of a fraction a/b) with the type, cut to a length that a person reads."""
    if value is None:
        return "None"
    if isinstance(value, Stated):
        return str(value)
    try:
        text = str(value) if isinstance(value, Fraction) else " ".join(repr(value).split())
    except ValueError:  # an int of more than 4300 digits refuses to print
        text = "a number too long to print"
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"{text} ({type(value).__name__})"
