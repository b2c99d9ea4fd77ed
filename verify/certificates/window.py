"""The exact maximum of |f − g| over all inputs of given lengths, by counting.

A one-layer model is a function of counts, and `verify.certificates.input_class` says which counts
matter. All of them are evaluated; the maximum is known up to a proved rounding bound.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verify.certificates.counted_input import CountedInput
from verify.certificates.input_class import LONGEST, InputClass, PairInputs
from verify.errors import InputError
from verify.lengths import show_integer
from verify.model.transformer import LimitTransformer
from verify.tables import aligned

LIMIT = 10**7
"""Evaluations that are done without being asked for: about half a minute."""

Progress = Callable[[int, int], None]
"""Called with the evaluations done and their total."""


@dataclass(frozen=True)
class LengthAgreement:
    """The largest |f − g| over all inputs of one length.

    Attributes:
        value: as computed.
        rounding: proved bound on |value − exact maximum|.
        worst: an input that attains it.
        evaluations: number of count vectors looked at.
    """

    value: float
    rounding: float
    worst: CountedInput
    evaluations: int

    @property
    def low(self) -> Fraction:
        """Certified lower bound; |f − g| on `worst` is at least this."""
        return max(Fraction(self.value) - Fraction(self.rounding), Fraction(0))

    @property
    def high(self) -> Fraction:
        """Certified upper bound."""
        return Fraction(self.value) + Fraction(self.rounding)


@dataclass(frozen=True)
class Agreement:
    """The largest |f − g|, over all outputs and all inputs of the given lengths.

    Attributes:
        by_length: what each length gave.
        finished: False if the run was interrupted; then `by_length` holds the lengths done.
    """

    by_length: dict[int, LengthAgreement]
    finished: bool = True

    @property
    def value(self) -> float:
        """The maximum as computed."""
        return self._worst.value

    @property
    def low(self) -> Fraction:
        """Certified lower bound of the maximum, attained by `worst` or another input."""
        return max(entry.low for entry in self.by_length.values())

    @property
    def high(self) -> Fraction:
        """Certified upper bound of the maximum."""
        return max(entry.high for entry in self.by_length.values())

    @property
    def worst(self) -> CountedInput:
        """The input with the largest |f − g|."""
        return self._worst.worst

    @property
    def evaluations(self) -> int:
        """Number of count vectors looked at."""
        return sum(entry.evaluations for entry in self.by_length.values())

    @property
    def _worst(self) -> LengthAgreement:
        return max(self.by_length.values(), key=lambda entry: entry.value)

    def table(self) -> str:
        """Return a line per length: evaluations, the largest |f − g|, the worst input."""
        cells = [["length", "evaluations", "largest |f − g|", "worst input"]]
        for length, entry in self.by_length.items():
            error = f"{entry.value:.6g} ± {entry.rounding:.0e}"
            row = [str(length), show_integer(entry.evaluations), error, _counts(entry.worst)]
            cells.append(row)
        return "\n".join(aligned(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "value": self.value,
            "low": float_down(self.low),
            "high": float_up(self.high),
            "worst": self.worst.to_dict(),
            "evaluations": self.evaluations,
            "finished": self.finished,
            "by_length": {
                str(length): {
                    "value": entry.value,
                    "rounding": entry.rounding,
                    "evaluations": entry.evaluations,
                    "worst": entry.worst.to_dict(),
                }
                for length, entry in self.by_length.items()
            },
        }

    def __str__(self) -> str:
        """Return the maximum, how it was found, and where it is."""
        lengths = list(self.by_length)
        span = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} … {lengths[-1]}"
        rest = "" if self.finished else ", interrupted"
        return (
            f"largest |f − g| over all inputs of length {span}: {self.value:.6g} "
            f"({self.evaluations:,} evaluations{rest}); worst: {self.worst}"
        )

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<Agreement {self}>"


def agreement(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: int | Iterable[int],
    *,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Agreement:
    """Return the largest |f − g| over *all* inputs of the given lengths, and where it is.

    An interruption (Ctrl-C) leaves the lengths that were done; `.finished` is then False.

    Args:
        f: a model of one layer.
        g: the other one, with the same |Σ|, number of outputs and kind of precision.
        lengths: one length, or several: a range, a list.
        limit: the largest number of evaluations to do.
        progress: called with the evaluations done and their total.

    Raises:
        InputError: an argument is not usable, or it would take more than `limit` evaluations.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g)
    return evaluate(plan(inputs, read_lengths(lengths), limit), progress)


Plan = dict[int, list[InputClass]]
"""Lengths, and the classes of their inputs."""


def plan(inputs: PairInputs, lengths: Sequence[int], limit: int) -> Plan:
    """Return the classes of all inputs of these lengths, unless there is too much to evaluate.

    Raises:
        InputError: it would take more than `limit` evaluations; the error says how many.
    """
    found: Plan = {}
    total = 0
    for length in lengths:
        # At least one evaluation for each suffix: some pairs are out of reach at once.
        suffixes = inputs.number_of_suffixes(length)
        if total + suffixes > limit:
            total += suffixes
            break
        found[length] = list(inputs.classes(length))
        total += sum(one_class.number for one_class in found[length])
        if total > limit:
            break
    else:
        return found
    raise InputError("lengths", _span(lengths), _refusal(inputs, lengths, limit, total, length))


def number_of_evaluations(inputs: PairInputs, lengths: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield each length with the number of evaluations that it takes."""
    for length in lengths:
        yield length, sum(one_class.number for one_class in inputs.classes(length))


def evaluate(classes: Plan, progress: Progress | None = None) -> Agreement:
    """Evaluate every count vector of a plan; an interruption leaves the lengths that were done.

    Raises:
        KeyboardInterrupt: interrupted before one length was done.
    """
    total = sum(one_class.number for of_length in classes.values() for one_class in of_length)
    by_length: dict[int, LengthAgreement] = {}
    done = 0

    def count(evaluations: int) -> None:
        nonlocal done
        done += evaluations
        if progress is not None:
            progress(done, total)

    try:
        for length, of_length in classes.items():
            by_length[length] = _of_length(of_length, count)
    except KeyboardInterrupt:
        if not by_length:
            raise
        return Agreement(by_length, finished=False)
    return Agreement(by_length)


def read_lengths(lengths: Any) -> list[int]:
    """Return the lengths in ascending order, each once.

    Raises:
        InputError: they are no integers from 1 to 2^900, or there are none.
    """
    given = [lengths] if isinstance(lengths, (int, np.integer)) else lengths
    allowed = "an integer from 1 to 2^900, or several of them"
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InputError("lengths", lengths, allowed)
    found = set()
    for length in given:
        whole = isinstance(length, (int, np.integer)) and not isinstance(length, bool)
        if not whole or not 1 <= length <= LONGEST:
            raise InputError("lengths", length, allowed)
        found.add(int(length))
    if not found:
        raise InputError("lengths", lengths, allowed)
    return sorted(found)


def float_up(value: Fraction) -> float:
    """Return the least float64 that is no smaller."""
    try:
        nearest = float(value)
    except OverflowError:
        return math.inf if value > 0 else -sys.float_info.max
    return nearest if Fraction(nearest) >= value else float(np.nextafter(nearest, np.inf))


def float_down(value: Fraction) -> float:
    """Return the largest float64 that is no larger."""
    return -float_up(-value)


def _of_length(classes: Sequence[InputClass], count: Callable[[int], None]) -> LengthAgreement:
    """Return the maximum over the classes of one length."""
    best, rounding = -1.0, 0.0
    where: tuple[InputClass, int] | None = None
    for one_class in classes:
        rounding = max(rounding, one_class.rounding)
        for start in range(0, one_class.number, one_class.step):
            stop = min(start + one_class.step, one_class.number)
            errors = one_class.errors(one_class.vectors.rows(start, stop))
            index = int(errors.argmax())
            if errors[index] > best:
                best, where = float(errors[index]), (one_class, start + index)
            count(stop - start)
    assert where is not None
    one_class, index = where
    worst = CountedInput(one_class.summary(one_class.vectors.vector(index)))
    return LengthAgreement(best, rounding, worst, sum(c.number for c in classes))


def _refusal(inputs: PairInputs, lengths: Sequence[int], limit: int, total: int, last: int) -> str:
    """Say how much it would be, and what would work."""
    reachable, sums = 0, 0
    for length, number in number_of_evaluations(
        inputs, (n for n in lengths if inputs.number_of_suffixes(n) <= limit)
    ):
        sums += number
        if sums > limit:
            break
        reachable = length
    more = "" if last == lengths[-1] else f", and more for lengths above {last}"
    nearest = f"lengths up to {reachable}, or limit={total}" if reachable else f"limit={total}"
    return (
        f"at most {limit:,} evaluations (limit); these take at least {total:,}{more}; "
        f"within reach: {nearest}"
    )


def _span(lengths: Sequence[int]) -> str:
    if len(lengths) == 1:
        return str(lengths[0])
    return f"{len(lengths)} lengths from {lengths[0]} to {lengths[-1]}"


def _counts(given: CountedInput) -> str:
    rows = " | ".join(" ".join(map(str, row)) for row in given.summary.counts.tolist())
    return f"{rows} + {' '.join(map(str, given.summary.suffix.tolist()))}"
