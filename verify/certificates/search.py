"""Inputs with a large |f − g| at one length that is too long to try them all.

Counts are taken on a grid of shares that is fine at both ends (rare tokens), then improved by
moving tokens from one atom of a column to another, many or few at a time. What is found is
certified like any other evaluation; that nothing is found proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from verify.certificates.counted_input import CountedInput
from verify.certificates.input_class import InputClass, Pair
from verify.certificates.window import LengthAgreement

Counts = list[list[int]]
"""Tokens of each atom, by column."""

_MOST_CLASSES = 64
_ROWS = 400
_STEPS = 12
"""Rounds of improvement, at most."""


def worst_found(pair: Pair, length: int, seed: int = 0) -> LengthAgreement:
    """Return the input of this length with the largest |f − g| that a short search finds.

    With few inputs, all are tried.
    """
    rng = np.random.default_rng(seed)
    suffixes = pair.vocabulary_size ** min(length, pair.locality + 1)
    best: LengthAgreement | None = None
    if suffixes <= _MOST_CLASSES:
        classes = list(pair.classes(length))
    else:
        size = min(length, pair.locality + 1)
        drawn = rng.integers(0, pair.vocabulary_size, (_MOST_CLASSES, size)).tolist()
        classes = [pair.input_class(length, tuple(suffix)) for suffix in drawn]
    for inputs in classes:
        found = _worst_of_class(inputs, rng)
        if best is None or found.value > best.value:
            best = found
    assert best is not None
    return best


def _worst_of_class(inputs: InputClass, rng: np.random.Generator) -> LengthAgreement:
    if inputs.number <= _ROWS:
        rows = [inputs.vectors.vector(index) for index in range(inputs.number)]
        steps = 0
    else:
        columns = [
            _columns(total, parts, rng)
            for total, parts in zip(inputs.vectors.totals, inputs.vectors.parts, strict=True)
        ]
        rows = [[column[min(k, len(column) - 1)] for column in columns] for k in range(_ROWS)]
        steps = _STEPS
    errors = _errors(inputs, rows)
    evaluations = len(rows)
    index = int(errors.argmax())
    value, counts = float(errors[index]), rows[index]
    for _ in range(steps):
        rows = _moves(counts)
        errors = _errors(inputs, rows)
        evaluations += len(rows)
        index = int(errors.argmax())
        if errors[index] <= value:
            break
        value, counts = float(errors[index]), rows[index]
    return LengthAgreement(
        value, inputs.rounding, CountedInput(inputs.summary(counts)), evaluations
    )


def _errors(inputs: InputClass, rows: Sequence[Counts]) -> npt.NDArray[np.float64]:
    flat = [[float(count) for column in row for count in column] for row in rows]
    return np.concatenate(
        [
            inputs.errors(np.array(flat[start : start + inputs.step]))
            for start in range(0, len(flat), inputs.step)
        ]
    )


def _columns(total: int, parts: int, rng: np.random.Generator) -> list[list[int]]:
    """Return ways to fill one column: single atoms, rare atoms, shares; in random order."""
    if parts == 1:
        return [[total]]
    found = [[total if k == own else 0 for k in range(parts)] for own in range(parts)]
    for exponent in range(total.bit_length()):
        rare, common = rng.permutation(parts)[:2].tolist()
        counts = [0] * parts
        counts[rare] = min(1 << exponent, total)
        counts[common] = total - counts[rare]
        found.append(counts)
    while len(found) < _ROWS:
        shares = rng.dirichlet(np.full(parts, float(rng.choice([0.2, 1.0, 5.0]))))
        counts = [int(share * 2**53) * total >> 53 for share in shares]
        counts[int(rng.integers(parts))] += total - sum(counts)
        found.append(counts)
    return [found[k] for k in rng.permutation(len(found))]


def _moves(counts: Counts) -> list[Counts]:
    """Return the counts with 1, 2, 4, … tokens moved from one atom to another of its column."""
    found = []
    for number, column in enumerate(counts):
        for source, there in enumerate(column):
            for goal in range(len(column)):
                if goal == source:
                    continue
                for exponent in range(there.bit_length()):
                    moved = list(column)
                    moved[source] -= 1 << exponent
                    moved[goal] += 1 << exponent
                    found.append([*counts[:number], moved, *counts[number + 1 :]])
    return found or [counts]
