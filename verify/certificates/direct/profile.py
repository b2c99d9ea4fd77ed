"""The largest |f − g| by length: single lengths first, then ever longer stretches, to infinity."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.certificates.contexts import pair_of
from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.enclosure import TOLERANCE, enclose, shorter_lengths
from verify.certificates.direct.pieces import least_start
from verify.certificates.ladder import read_length
from verify.certificates.window import LIMIT, Progress, float_down, float_up
from verify.errors import InputError
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer
from verify.tables import aligned

_FAR = 2**40
"""Without a horizon, the last stretch starts here."""


@dataclass(frozen=True)
class Stretch:
    """Both sides of the largest |f − g| over all inputs of length first … last (None: no end)."""

    first: int
    last: int | None
    low: Fraction
    high: Fraction
    worst: CountedInput


@dataclass(frozen=True)
class Profile:
    """The largest |f − g| over all inputs, by length.

    Attributes:
        stretches: without a gap, from the shortest length on.
    """

    stretches: tuple[Stretch, ...]

    @property
    def largest(self) -> Stretch:
        """The stretch with the largest |f − g| found."""
        return max(self.stretches, key=lambda stretch: stretch.low)

    @property
    def enclosure(self) -> tuple[Fraction, Fraction]:
        """(low, high) of sup |f − g| over all lengths."""
        return self.largest.low, max(stretch.high for stretch in self.stretches)

    def table(self) -> str:
        """Return a line per stretch: lengths, both sides, the worst input's length."""
        cells = [["lengths", "at least", "at most", "worst input's length"]]
        for stretch in self.stretches:
            to = "" if stretch.last == stretch.first else f" … {_show(stretch.last)}"
            low, high = float_down(stretch.low), float_up(stretch.high)
            row = [f"{show_long(stretch.first)}{to}", f"{low:.5f}", f"{high:.5f}"]
            cells.append([*row, show_long(stretch.worst.length)])
        return "\n".join(aligned(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; both sides rounded outward."""
        return {
            "stretches": [
                {
                    "first": stretch.first,
                    "last": stretch.last,
                    "low": float_down(stretch.low),
                    "high": float_up(stretch.high),
                    "worst": stretch.worst.to_dict(),
                }
                for stretch in self.stretches
            ]
        }


def error_profile(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    horizon: int | None,
    from_length: int = 1,
    single: int = 16,
    tolerance: Any = TOLERANCE,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Profile:
    """Return both sides of the largest |f − g| over all inputs, length by length, then by octaves.

    Args:
        f, g: as in `verify.enclose`.
        horizon: the longest length; None: every length, the last stretch having no end.
        from_length: the shortest length.
        single: up to here every length stands alone; beyond, each stretch is twice as long as
            the one before.
        tolerance: the width asked for, of each stretch.
        limit: evaluations to do at most, for each stretch.
        progress: called with the stretches done and their number.

    Raises:
        InputError: an argument is not usable, or the pair is not covered at every length.
    """
    from_length = read_length("from_length", from_length, 1)
    single = read_length("single", single, 1)
    if horizon is not None:
        horizon = read_length("horizon", horizon, from_length, or_none=True)
    end = _FAR - 1 if horizon is None else horizon
    spans: list[tuple[int, int | None]] = []
    first = from_length
    while first <= end:
        last = first if first < single else min(2 * first - 1, end)
        spans.append((first, last))
        first = last + 1
    if horizon is None:
        spans.append((first, None))
    if not spans:
        raise InputError("from_length", from_length, f"at most {show_long(end)}")
    start = least_start(pair_of(f, g, None))
    found = []
    for number, (begin, until) in enumerate(spans):
        if until is not None and until < start:
            looked = shorter_lengths(f, g, begin, until + 1, limit).values()
            worst = max(looked, key=lambda entry: entry.low)
            high = max(entry.high for entry in looked)
            found.append(Stretch(begin, until, worst.low, high, worst.worst))
        else:
            result = enclose(
                f, g, from_length=begin, horizon=until, tolerance=tolerance, limit=limit
            )
            found.append(Stretch(begin, until, result.low, result.high, result.worst))
        if progress is not None:
            progress(number + 1, len(spans))
    return Profile(tuple(found))


def _show(length: int | None) -> str:
    return "∞" if length is None else show_long(length)
