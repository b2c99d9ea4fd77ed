"""The words for what a check showed, of one row and of a whole pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What one row says about the theorem, the gravest first.

    A pair gets the first of these that any of its rows has: it holds where at least one row could
    have failed and none did.
    """

    FAILS = "FAILS"
    """A conclusion is violated: a counterexample."""
    HOLDS = "holds"
    """Every conclusion holds, and the proven error is below what the error could have been."""
    VACUOUS = "vacuous"
    """The proven error is at least `verify.checks.output_range`: it could not have failed."""
    NOT_SHORTENED = "not shortened"
    """z = x, since x is short enough already: nothing was tried."""
    NO_CLAIM = "no claim"
    """Nothing is proved of this z; measured for comparison."""


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole pair: the first in the order above that occurs."""
    found = set(verdicts)
    return next((verdict for verdict in Verdict if verdict in found), Verdict.NO_CLAIM)


def tally(verdicts: Iterable[Verdict]) -> str:
    """All verdicts with their numbers, such as "holds on 12, vacuous on 3, not shortened 4"."""
    counts = Counter(verdicts)
    bare = (Verdict.NOT_SHORTENED, Verdict.NO_CLAIM)
    return ", ".join(
        f"{verdict} {counts[verdict]}" if verdict in bare else f"{verdict} on {counts[verdict]}"
        for verdict in Verdict
        if counts[verdict]
    )


def counts_of(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """The number of rows of each verdict that occurs, for files."""
    counts = Counter(verdicts)
    return {str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]}
