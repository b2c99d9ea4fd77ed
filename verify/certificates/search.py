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
from verify.certificates.input_class import InputClass, PairInputs
from verify.certificates.window import LengthAgreement

Counts = list[list[int]]
"""Tokens of each atom, by column."""

_MOST_CLASSES = 64
_ROWS = 400
_MOST_MOVES = 4000
_STEPS = 12
"""Rounds of improvement, at most."""


def worst_found(inputs: PairInputs, length: int, seed: int = 0) -> LengthAgreement:
    """Return the input of this length with the largest |f − g| that a short search finds.

    With few inputs, all are tried.
    """
    rng = np.random.default_rng(seed)
    suffixes = inputs.number_of_suffixes(length)
    best: LengthAgreement | None = None
    if suffixes <= _MOST_CLASSES:
        classes = list(inputs.classes(length))
    else:
        size = min(length, inputs.locality + 1)
        drawn = rng.integers(0, inputs.vocabulary_size, (_MOST_CLASSES, size)).tolist()
        classes = [InputClass(inputs, length, tuple(suffix)) for suffix in drawn]
    for one_class in classes:
        found = _worst_of_class(one_class, rng)
        if best is None or found.value > best.value:
            best = found
    assert best is not None
    return best


def _worst_of_class(one_class: InputClass, rng: np.random.Generator) -> LengthAgreement:
    if one_class.number <= _ROWS:
        rows = [one_class.vectors.vector(index) for index in range(one_class.number)]
        steps = 0
    else:
        columns = [
            _columns(total, parts, rng)
            for total, parts in zip(one_class.vectors.totals, one_class.vectors.parts, strict=True)
        ]
        rows = [[column[min(k, len(column) - 1)] for column in columns] for k in range(_ROWS)]
        steps = _STEPS
    errors = _errors(one_class, rows)
    evaluations = len(rows)
    index = int(errors.argmax())
    value, counts = float(errors[index]), rows[index]
    for _ in range(steps):
        rows = _moves(counts, rng)
        errors = _errors(one_class, rows)
        evaluations += len(rows)
        index = int(errors.argmax())
        if errors[index] <= value:
            break
        value, counts = float(errors[index]), rows[index]
    return LengthAgreement(
        value, one_class.rounding, CountedInput(one_class.summary(counts)), evaluations
    )


def _errors(one_class: InputClass, rows: Sequence[Counts]) -> npt.NDArray[np.float64]:
    flat = [[float(count) for column in row for count in column] for row in rows]
    return np.concatenate(
        [
            one_class.errors(np.array(flat[start : start + one_class.step]))
            for start in range(0, len(flat), one_class.step)
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


def _moves(counts: Counts, rng: np.random.Generator) -> list[Counts]:
    """Return the counts with 1, 2, 4, … tokens moved from one atom to another of its column.

    All such moves, or as many drawn at random where there are more.
    """
    wide = [number for number, column in enumerate(counts) if len(column) > 1]
    if not wide:
        return [counts]
    parts = [len(column) for column in counts]
    bits = max(sum(column) for column in counts).bit_length()
    if sum(a * (a - 1) for a in parts) * bits <= _MOST_MOVES:
        moves = [
            (number, source, goal, exponent)
            for number in wide
            for source in range(parts[number])
            for goal in range(parts[number])
            if goal != source
            for exponent in range(counts[number][source].bit_length())
        ]
    else:
        moves = []
        for number in rng.choice(wide, _MOST_MOVES).tolist():
            source, goal = rng.permutation(parts[number])[:2].tolist()
            digits = counts[number][source].bit_length()
            if digits:
                moves.append((number, source, goal, int(rng.integers(digits))))
    found = []
    for number, source, goal, exponent in moves:
        moved = list(counts[number])
        moved[source] -= 1 << exponent
        moved[goal] += 1 << exponent
        found.append([*counts[:number], moved, *counts[number + 1 :]])
    return found or [counts]
