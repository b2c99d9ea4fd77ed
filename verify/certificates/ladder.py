"""The ladder of windows: sup |f − g| over all lengths of a long stretch, from both sides.

For N_0 < N_1 < … < N_k, a_i the maximum over the Δ lengths up to N_i and c_i = c(N_i → N_{i+1})
the cost of the window theorem,

    max a_i ≤ sup over N_0−Δ < |x| ≤ N_k of |f − g| ≤ max(a_i + c_i),

and the lower side is attained by an explicit input. [docs/theory/certificates.md, Instance
certificates]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import Any

from verify.certificates.counted_input import CountedInput
from verify.certificates.input_class import LONGEST, PairInputs
from verify.certificates.instance import cost
from verify.certificates.window import (
    LIMIT,
    Agreement,
    Progress,
    evaluate,
    float_down,
    float_up,
    plan,
)
from verify.errors import InputError
from verify.lengths import show_integer
from verify.model.transformer import LimitTransformer
from verify.tables import aligned


@dataclass(frozen=True)
class Rung:
    """One window and how far it carries.

    Attributes:
        length: N_i, the longest length of the window.
        reach: N_{i+1}; |f − g| ≤ high at all lengths from the first of the window to here.
        window: the maximum over the window, a_i.
        cost: c_i, certified upper bound; 0 where reach is length.
    """

    length: int
    reach: int
    window: Agreement
    cost: Fraction

    @property
    def low(self) -> Fraction:
        """a_i, from below."""
        return self.window.low

    @property
    def high(self) -> Fraction:
        """a_i + c_i, from above."""
        return self.window.high + self.cost

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, rounded to the safe side."""
        return {
            "length": self.length,
            "reach": self.reach,
            "low": float_down(self.low),
            "window_error": float_up(self.window.high),
            "cost": float_up(self.cost),
            "high": float_up(self.high),
            "evaluations": self.window.evaluations,
            "worst": self.window.worst.to_dict(),
        }


@dataclass(frozen=True)
class Ladder:
    """Both sides of sup |f − g| over all lengths from `from_length` to `horizon`.

    Attributes:
        rungs: from short to long, without a gap between them.
        from_length: the first length of the first window.
        horizon: the longest length that is covered.
        finished: False if the run was interrupted; `horizon` is then where it got to.
    """

    rungs: tuple[Rung, ...]
    finished: bool = True

    @property
    def from_length(self) -> int:
        """The shortest length that is covered."""
        return min(self.rungs[0].window.by_length)

    @property
    def horizon(self) -> int:
        """The longest length that is covered."""
        return self.rungs[-1].reach

    @property
    def low(self) -> Fraction:
        """Certified lower bound, attained by `worst`."""
        return max(rung.low for rung in self.rungs)

    @property
    def high(self) -> Fraction:
        """Certified upper bound."""
        return max(rung.high for rung in self.rungs)

    @property
    def enclosure(self) -> tuple[Fraction, Fraction]:
        """(low, high)."""
        return self.low, self.high

    @property
    def worst(self) -> CountedInput:
        """The input with the largest |f − g| among all that were looked at."""
        return max(self.rungs, key=lambda rung: rung.window.value).window.worst

    @property
    def evaluations(self) -> int:
        """Number of count vectors looked at."""
        return sum(rung.window.evaluations for rung in self.rungs)

    def table(self) -> str:
        """Return a line per rung: window, reach, both sides."""
        cells = [["window up to", "reaches to", "evaluations", "a", "c", "a + c"]]
        for rung in self.rungs:
            cells.append(
                [
                    show_integer(rung.length),
                    show_integer(rung.reach),
                    show_integer(rung.window.evaluations),
                    f"{rung.window.value:.5f}",
                    f"{float_up(rung.cost):.5f}",
                    f"{float_up(rung.high):.5f}",
                ]
            )
        return "\n".join([str(self), *aligned(cells)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, rounded to the safe side."""
        return {
            "from_length": self.from_length,
            "horizon": self.horizon,
            "low": float_down(self.low),
            "high": float_up(self.high),
            "worst": self.worst.to_dict(),
            "evaluations": self.evaluations,
            "finished": self.finished,
            "rungs": [rung.to_dict() for rung in self.rungs],
        }

    def __str__(self) -> str:
        """Return the enclosure in one line."""
        rest = "" if self.finished else " (interrupted)"
        return (
            f"{float_down(self.low):.5f} ≤ largest |f − g| over all inputs of length "
            f"{show_integer(self.from_length)} … {show_integer(self.horizon)} "
            f"≤ {float_up(self.high):.5f}{rest}"
        )

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<Ladder {self}>"


def ladder(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    length: int,
    horizon: int,
    factor: float = 2,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Ladder:
    """Return both sides of sup |f − g| from length − Δ + 1 to the horizon, by windows.

    `verify.enclose` is faster and its result narrower; this is the second way to it.

    An interruption (Ctrl-C) leaves the rungs that were done; `.finished` is then False.

    Args:
        f: a model of one layer in finite precision.
        g: the other one, with the same |Σ| and number of outputs.
        length: N_0 ≥ Δ, the longest length of the first window.
        horizon: N_k ≥ N_0; its window is looked at too.
        factor: N_{i+1}/N_i > 1, rounded; smaller factors give narrower enclosures and take
            longer.
        limit: the largest number of evaluations to do, over all windows.
        progress: called with the evaluations done and their total.

    Raises:
        InputError: an argument is not usable, or it would take more than `limit` evaluations.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g, finite=True)
    read_length("length", length, inputs.period)
    read_length("horizon", horizon, length)
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor > 1:
        raise InputError("factor", factor, "a number > 1")
    lengths = [length]
    while lengths[-1] < horizon:
        lengths.append(min(max(int(lengths[-1] * factor), lengths[-1] + 1), horizon))
    windows = [window_lengths(inputs, top) for top in lengths]
    plans = plan(inputs, sorted({n for window in windows for n in window}), limit)
    total = sum(one_class.number for window in windows for n in window for one_class in plans[n])

    def rungs() -> Iterator[Rung]:
        done = 0

        def shifted(evaluations: int, _: int) -> None:
            if progress is not None:
                progress(done + evaluations, total)

        for top, reach, window in zip(lengths, [*lengths[1:], horizon], windows, strict=True):
            result = evaluate({n: plans[n] for n in window}, shifted)
            if not result.finished:
                raise KeyboardInterrupt
            done += result.evaluations
            carried = Fraction(0) if reach == top else cost(f, g, top, reach).value
            yield Rung(top, reach, result, carried)

    found, finished = until_interrupted(rungs())
    return Ladder(tuple(found), finished)


def window_lengths(inputs: PairInputs, length: int) -> range:
    """Return the Δ lengths up to this one."""
    return range(length - inputs.period + 1, length + 1)


def read_length(name: str, value: Any, least: int, *, or_none: bool = False) -> int:
    """Return a length, if it is usable.

    `or_none`: the caller takes None for every length, and the refusal says so.

    Raises:
        InputError: it is no integer from `least` to 2^900.
    """
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not integer or not least <= int(value) <= LONGEST:
        every = ", or None for every length" if or_none else ""
        raise InputError(name, value, f"an integer from {least} to 2^900{every}")
    return int(value)


def until_interrupted(rungs: Iterator[Rung]) -> tuple[list[Rung], bool]:
    """Return the rungs, and whether all of them came before an interruption.

    Raises:
        KeyboardInterrupt: interrupted before the first rung was done.
    """
    found: list[Rung] = []
    try:
        for rung in rungs:
            found.append(rung)
    except KeyboardInterrupt:
        if not found:
            raise
        return found, False
    return found, True
