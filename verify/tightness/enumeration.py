"""The shortest z by outputs: all inputs are looked at, length by length, until one is close.

Outputs come in float64 with a proved rounding bound; what the bound leaves open is decided in
exact arithmetic. So a length that was looked at and gave nothing is proved to hold no z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verify.certificates.input_class import InputClass, PairInputs
from verify.model.summary import Summary
from verify.tightness.request import Request

Floats = npt.NDArray[np.float64]

_MOST_EXACT = 2000
"""Inputs that are compared with x in exact arithmetic, in all."""

_ROUNDED = 2.0**-49
"""Bound on the relative error of the outputs at x, with room to spare."""


@dataclass(frozen=True)
class Looked:
    """What looking gave.

    Attributes:
        short: a shortest z that was found; None: none.
        lower: no z is shorter; proved.
        evaluations: number of count vectors looked at.
    """

    short: Summary | None
    lower: int
    evaluations: int


def classes_of(inputs: PairInputs, length: int, query: int | None) -> Iterator[InputClass]:
    """Yield the classes of inputs of a length, with this last token or with any."""
    for one_class in inputs.classes(length):
        if query is None or one_class.suffix[-1] == query:
            yield one_class


def lengths_of(request: Request, x: Summary, last: int) -> range:
    """Return the lengths that z can have, up to `last`."""
    if request.query == "any":
        return range(1, last + 1)
    period = request.inputs.period
    return range((x.length - 1) % period + 1, last + 1, period)


def look(request: Request, x: Summary, last: int, limit: int) -> Looked:
    """Look at all inputs up to length `last`, as long as `limit` evaluations allow."""
    inputs = request.inputs
    query = int(x.suffix[-1]) if request.query == "same" else None
    at_x = [np.array(row) for row in request.exact.rounded(x)]
    error = sum(_ROUNDED * float(np.abs(row).max()) + 2.0**-99 for row in at_x)
    done, exact_left, lower = 0, _MOST_EXACT, None
    for length in lengths_of(request, x, last):
        if done + inputs.number_of_suffixes(length) > limit:
            return Looked(None, lower or length, done)
        of_length = list(classes_of(inputs, length, query))
        done += sum(one_class.number for one_class in of_length)
        if done > limit:
            return Looked(None, lower or length, done)
        for one_class in of_length:
            for row, sure in _near(request, one_class, at_x, error):
                if exact_left == 0 and not sure:
                    lower = lower or length  # undecided: a z of this length may be close
                    break
                exact_left -= not sure
                z = one_class.summary(one_class.vectors.vector(row))
                verdict = request.close(x, z)
                if verdict:
                    return Looked(z, lower or length, done)
                if verdict is None:
                    lower = lower or length
    return Looked(None, lower or last + 1, done)


def _near(
    request: Request, one_class: InputClass, at_x: list[Floats], error: float
) -> Iterator[tuple[int, bool]]:
    """Yield the rows of a class that may be close to x, and whether they surely are."""
    budget = float(request.budget)
    slack = 2 * (sum(one_class.roundings) + error) + budget * 2.0**-50
    for start in range(0, one_class.number, one_class.step):
        stop = min(start + one_class.step, one_class.number)
        outputs = one_class.outputs(one_class.vectors.rows(start, stop))
        values = distance(request.each, outputs, at_x)
        candidates = np.flatnonzero(values <= budget + slack)
        # The surest first: one that is close ends the search.
        for row in candidates[np.argsort(values[candidates], kind="stable")].tolist():
            yield start + row, bool(values[row] <= budget - slack)


def distance(each: bool, outputs: tuple[Floats, Floats], at_x: list[Floats]) -> Floats:
    """Return |Δf| + |Δg|, largest outputs, of each row; each: twice the larger of the two."""
    f, g = (np.abs(rows - x).max(axis=1) for rows, x in zip(outputs, at_x, strict=True))
    result: Floats = 2 * np.maximum(f, g) if each else f + g
    return result
