"""Exact logit margins of a one-layer model: which logits a query can meet, and how far apart.

`margin` is the paper's: the least positive difference of two logits that one query (token and
residue) can meet [izzo2025, section 4]. `margin_realised` is what hardmax attention needs: the
least gap, over all inputs, between the largest logit of the input and its next smaller one. It is
never below `margin`, and attention is hardmax on all inputs of length T ≥ 2^(p/margin_realised).
(Merely to ask that one input has both logits gains nothing: two that exclude each other are two
tokens at one lag, and the same two tokens further back differ by as much.)

A logit a is the largest one of some input only if every position can be given a token whose logit
is at most a: the query's own position first of all. If that fails first at lag l, inputs are of
length at most l. Beyond lag τ only residues matter, so lags up to τ + 2Δ show every case.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from bounds.numbers import exact
from verify.errors import InputError
from verify.measure.query_logits import Key, Level, QueryLogits
from verify.measure.size import Progress, no_progress
from verify.measure.value_types import minimal_period
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_integer


@dataclass(frozen=True)
class LogitLevel:
    """One value (with a tolerance: one group of values) among the logits of a query.

    Attributes:
        logit: the greatest logit of the level, exactly, before the scaling by log T.
        spread: greatest minus least logit of the level; 0 without a tolerance.
        keys: all keys that have it.
    """

    logit: Fraction
    spread: Fraction
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class HeadMargins:
    """Margins of one head over all its queries; None where no two logits differ.

    Attributes:
        margin: least positive difference of two logits possible for one query.
        margin_realised: least gap between the two largest distinct logits of one input.
        largest_gap: greatest difference of two logits possible for one query.
    """

    margin: Fraction | None
    margin_realised: Fraction | None
    largest_gap: Fraction


def head_margins(f: LimitTransformer, head: int, progress: Progress = no_progress) -> HeadMargins:
    """Return the margins of one head of the only layer, over every query type."""
    logits = QueryLogits(f, head)
    margin: int | None = None
    realised: int | None = None
    largest = 0
    for query in range(logits.types):
        values = logits.distinct(query)
        largest = max(largest, values[-1] - values[0])
        gaps = [b - a for a, b in pairwise(values)]
        margin = min([*gaps, margin] if margin is not None else gaps, default=None)
        # No gap below the largest logit of an input is less than the one to the next logit.
        if gaps and (realised is None or min(gaps) < realised):
            found = logits.realised_gaps(query, logits.levels(query), realised)
            realised = min([*found, realised] if realised is not None else found, default=None)
        progress(f"margins of head {head}", query + 1, logits.types)
    unit = logits.unit
    return HeadMargins(
        None if margin is None else margin * unit,
        None if realised is None else realised * unit,
        largest * unit,
    )


def logit_levels(
    f: LimitTransformer, token: int, residue: int, head: int = 0, tie_tolerance: Any = None
) -> tuple[LogitLevel, ...]:
    """Return all logits that one query can meet, the largest first, each with its keys.

    Args:
        f: a model with one layer; its logits are exact, as rational numbers.
        token: the query's token, 0..|Σ|−1.
        residue: the query's position modulo Δ, 0..Δ−1, Δ the smallest period of the positions.
        head: 0..H−1.
        tie_tolerance: logits this near are one level; None (default): only equal ones.

    Raises:
        InputError: an argument is out of its range, or f has more than one layer.
    """
    check_one_layer("f", f)
    ranges = {"token": f.vocabulary_size, "residue": minimal_period(f), "head": f.heads[0]}
    numbers = []
    for (name, count), given in zip(ranges.items(), (token, residue, head), strict=True):
        number = as_integer(given)
        if number is None or not 0 <= number < count:
            raise InputError(name, given, f"an integer, 0..{count - 1}")
        numbers.append(number)
    token, residue, head = numbers
    tolerance = _read_tolerance(tie_tolerance)
    logits = QueryLogits(f, head)
    groups: list[list[Level]] = []
    for level in logits.levels(residue * f.vocabulary_size + token):
        if groups and (level.numerator - groups[-1][-1].numerator) * logits.unit <= tolerance:
            groups[-1].append(level)
        else:
            groups.append([level])
    return tuple(
        LogitLevel(
            group[-1].numerator * logits.unit,
            (group[-1].numerator - group[0].numerator) * logits.unit,
            tuple(key for level in reversed(group) for key in level.keys),
        )
        for group in reversed(groups)
    )


def check_one_layer(name: str, f: LimitTransformer) -> None:
    """Raise InputError if the model has more than one layer."""
    if len(f.layers) != 1:
        allowed = "one layer: a logit margin is defined for one layer in finite precision"
        raise InputError(f"{name}.layers", len(f.layers), allowed)


def _read_tolerance(value: Any) -> Fraction:
    """Return a tolerance as an exact number; None is 0.

    Raises:
        InputError: not a rational number ≥ 0.
    """
    if value is None:
        return Fraction(0)
    try:
        number = exact(value)
    except ValueError as problem:
        raise InputError("tie_tolerance", value, f"None, or a number ≥ 0; {problem}") from None
    if not isinstance(number, Fraction) or number < 0:
        raise InputError("tie_tolerance", value, "None, or a rational number ≥ 0")
    return number
