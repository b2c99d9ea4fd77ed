"""The exact average of |f − g| over all inputs of given lengths, by counting.

A one-layer model is a function of counts, so under a law that makes tokens exchangeable ‖f − g‖_T
is a sum over the last tokens and, for each, over count vectors: probability times |f − g|.

**Rounding.** Let r bound the error of every |f − g| (`verify.certificates.input_class`) and δ the
relative error of every probability (`verify.certificates.average.weighted`). Products are rounded
once, and `math.fsum` rounds their exact sum once. So the sum S over one suffix is within
r + (δ + 3u)S(1 + 10^−9) of the truth; probabilities and products that underflow add less than
2^−1000(1 + |f − g|), nothing beside what r has to spare. The sum over suffixes is exact, with the
suffixes' exact probabilities, and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.average.laws import DirichletLaw, FixedLaw, Law
from verify.certificates.average.tables import UNIT
from verify.certificates.average.weighted import WeightedVectors, check_law
from verify.certificates.input_class import InputClass, PairInputs
from verify.certificates.window import LIMIT, Progress, float_down, float_up, read_lengths
from verify.errors import InputError
from verify.lengths import show_integer
from verify.model.transformer import LimitTransformer
from verify.tables import aligned

_SPARE = 1 + 2.0**-20

INSTEAD = "for other laws, verify.average_error estimates by sampling"


@dataclass(frozen=True)
class LengthAverage:
    """The average of |f − g| over all inputs of one length.

    Attributes:
        value: as computed.
        rounding: proved bound on |value − exact average|.
        evaluations: number of count vectors looked at.
    """

    value: float
    rounding: float
    evaluations: int

    @property
    def low(self) -> Fraction:
        """Certified lower bound."""
        return max(Fraction(self.value) - Fraction(self.rounding), Fraction(0))

    @property
    def high(self) -> Fraction:
        """Certified upper bound."""
        return Fraction(self.value) + Fraction(self.rounding)


@dataclass(frozen=True)
class AverageAgreement:
    """‖f − g‖_T = E|f − g|, largest output, at the given lengths.

    Attributes:
        by_length: what each length gave.
        law: of the inputs.
        finished: False if the run was interrupted; then `by_length` holds the lengths done.
    """

    by_length: dict[int, LengthAverage]
    law: Law
    finished: bool = True

    @property
    def value(self) -> float:
        """The largest average, over the lengths, as computed."""
        return max(entry.value for entry in self.by_length.values())

    @property
    def low(self) -> Fraction:
        """Certified lower bound of the largest average."""
        return max(entry.low for entry in self.by_length.values())

    @property
    def high(self) -> Fraction:
        """Certified upper bound of the largest average."""
        return max(entry.high for entry in self.by_length.values())

    @property
    def evaluations(self) -> int:
        """Number of count vectors looked at."""
        return sum(entry.evaluations for entry in self.by_length.values())

    def table(self) -> str:
        """Return a line per length: evaluations and E|f − g|."""
        cells = [["length", "evaluations", "average |f − g|"]]
        for length, entry in self.by_length.items():
            average = f"{entry.value:.6g} ± {entry.rounding:.0e}"
            cells.append([show_integer(length), show_integer(entry.evaluations), average])
        return "\n".join(aligned(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "law": str(self.law),
            "value": self.value,
            "low": float_down(self.low),
            "high": float_up(self.high),
            "evaluations": self.evaluations,
            "finished": self.finished,
            "by_length": {
                str(length): {
                    "value": entry.value,
                    "rounding": entry.rounding,
                    "evaluations": entry.evaluations,
                }
                for length, entry in self.by_length.items()
            },
        }

    def __str__(self) -> str:
        """Return the largest average and how it was found."""
        lengths = list(self.by_length)
        span = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} … {lengths[-1]}"
        most = "average" if len(lengths) == 1 else "largest average"
        rest = "" if self.finished else ", interrupted"
        return (
            f"{most} |f − g| at length {span}: {self.value:.6g} "
            f"({self.evaluations:,} evaluations{rest})"
        )


def average_agreement(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: int | Iterable[int],
    *,
    law: Law,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> AverageAgreement:
    """Return E|f − g| over all inputs of each of the given lengths.

    An interruption (Ctrl-C) leaves the lengths that were done; `.finished` is then False.

    Args:
        f, g: two models, as `verify.agreement` takes them.
        lengths: one length, or several: a range, a list.
        law: a DirichletLaw or a FixedLaw.
        limit: the largest number of evaluations to do.
        progress: called with the evaluations done and their total.

    Raises:
        InputError: an argument is not usable, or it would take more than `limit` evaluations.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g)
    known = check_law(law, inputs.vocabulary_size, INSTEAD)
    return averages(inputs, known, read_lengths(lengths), limit, progress)


def averages(
    inputs: PairInputs,
    law: DirichletLaw | FixedLaw,
    lengths: Sequence[int],
    limit: int,
    progress: Progress | None = None,
) -> AverageAgreement:
    """Return E|f − g| at each length; an interruption leaves the lengths that were done.

    Raises:
        InputError: it would take more than `limit` evaluations.
        KeyboardInterrupt: interrupted before one length was done.
    """
    total = _total(inputs, law, lengths, limit)
    done = 0

    def count(evaluations: int) -> None:
        nonlocal done
        done += evaluations
        if progress is not None:
            progress(done, total)

    found: dict[int, LengthAverage] = {}
    try:
        for length in lengths:
            found[length] = _of_length(inputs, law, length, count)
    except KeyboardInterrupt:
        if not found:
            raise
        return AverageAgreement(found, law, finished=False)
    return AverageAgreement(found, law)


def likely_classes(
    inputs: PairInputs, law: DirichletLaw | FixedLaw, length: int
) -> Iterator[tuple[Fraction, InputClass]]:
    """Yield the classes of inputs of this length that have a probability, with it."""
    for one_class in inputs.classes(length):
        probability = law.probability(one_class.suffix)
        if probability:
            yield probability, one_class


def number_of_evaluations(
    inputs: PairInputs, law: DirichletLaw | FixedLaw, length: int, limit: int
) -> int:
    """Return how many evaluations a length takes; some number above `limit`, if more than that."""
    total = inputs.number_of_suffixes(length)
    if total > limit:
        return total
    total = 0
    for _, one_class in likely_classes(inputs, law, length):
        total += WeightedVectors(one_class, law).vectors.number
        if total > limit:
            break
    return total


def _total(
    inputs: PairInputs, law: DirichletLaw | FixedLaw, lengths: Sequence[int], limit: int
) -> int:
    """Return the number of evaluations, if it is within the limit."""
    total, reachable = 0, 0
    for length in lengths:
        total += number_of_evaluations(inputs, law, length, limit)
        if total > limit:
            nearest = f"; within reach: lengths up to {reachable}" if reachable else ""
            given = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} … {lengths[-1]}"
            allowed = (
                f"at most {limit:,} evaluations (limit); up to length {show_integer(length)} these "
                f"take more than {limit:,}{nearest}"
            )
            raise InputError("lengths", given, allowed)
        reachable = length
    return total


def _of_length(
    inputs: PairInputs, law: DirichletLaw | FixedLaw, length: int, count: Any
) -> LengthAverage:
    """Return the average over the inputs of one length."""
    value = rounding = Fraction(0)
    evaluations = 0
    for probability, one_class in likely_classes(inputs, law, length):
        weighted = WeightedVectors(one_class, law)
        number = weighted.vectors.number
        parts = []
        for start in range(0, number, one_class.step):
            stop = min(start + one_class.step, number)
            counts, weights = weighted.rows(start, stop)
            parts.append(math.fsum((weights * one_class.errors(counts)).tolist()))
            count(stop - start)
        mean = math.fsum(parts)
        value += probability * Fraction(mean)
        error = (one_class.rounding + (weighted.error + 4 * UNIT) * mean) * _SPARE
        rounding += probability * Fraction(error)
        evaluations += number
    shown = float(value)
    bound = rounding + abs(Fraction(shown) - value)
    return LengthAverage(shown, float_up(bound), evaluations)
