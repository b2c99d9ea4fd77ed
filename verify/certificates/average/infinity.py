"""What a shape becomes in the limit T = ∞: lower bounds of E|l_k|, and E|F|.

In the limit each group attends to its highest level alone, last tokens weigh nothing, and the
columns of the level weigh the same.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from verify.average.laws import DirichletLaw, FixedLaw
from verify.certificates.average.attention import Exact, Group
from verify.certificates.average.limit import mean_absolute, mean_of_pieces
from verify.certificates.average.shape import Shape
from verify.certificates.window import float_down

Floats = npt.NDArray[np.float64]
Tokens = dict[int, Exact]


def least_kinks(
    shape: Shape, law: DirichletLaw | FixedLaw, suffix: tuple[int, ...]
) -> Floats | None:
    """Return lower bounds of E|l_k| in the limit; None if groups attend to different classes.

    They are exact up to rounding, except that an integral is cut off at a relative 10^−11.
    """
    number, theta = shape.weights.size, _parameters(law, suffix)
    classes = [
        _by_token(group, table)
        for group, table in zip(shape.groups, shape.functionals, strict=True)
    ]
    if isinstance(law, FixedLaw):
        return least_means(shape, law, suffix)
    tokens = {tuple(sorted(rows)) for rows in classes if len(rows) > 1}
    if len(tokens) > 1:
        return None
    common = next(iter(tokens), (0,))
    found = np.zeros(number)
    for k in range(number):
        values = [
            sum((rows[t if len(rows) > 1 else min(rows)][k] for rows in classes), Fraction(0))
            for t in common
        ]
        found[k] = float_down(mean_absolute(values, [theta[t] for t in common]))
    return found


def least_means(shape: Shape, law: DirichletLaw | FixedLaw, suffix: tuple[int, ...]) -> Floats:
    """Return |E l_k| in the limit, rounded down."""
    theta = _parameters(law, suffix)
    total: Exact = np.full(shape.weights.size, Fraction(0), dtype=object)
    for group, table in zip(shape.groups, shape.functionals, strict=True):
        total = total + _mean(_by_token(group, table), theta)
    return np.array([float_down(abs(value)) for value in total])


def error_at_infinity(
    shape: Shape, law: DirichletLaw | FixedLaw, suffix: tuple[int, ...]
) -> tuple[Fraction, Fraction] | None:
    """Return both sides of E|F| in the limit, largest output, where it is known."""
    theta = _parameters(law, suffix)
    classes = [_by_token(group, group.values) for group in shape.groups]
    if isinstance(law, FixedLaw) or all(len(rows) == 1 for rows in classes):
        units = shape.gains.shape[1]
        point = sum((_mean(rows, theta) for rows in classes), shape.own)
        hidden = [max(value, Fraction(0)) for value in point[:units]]
        outputs = [
            direct + sum((Fraction(c) * h for c, h in zip(row, hidden, strict=True)), Fraction(0))
            for direct, row in zip(point[units:], shape.gains.tolist(), strict=True)
        ]
        error = max(abs(value) for value in outputs)
        return error, error
    if shape.numbers is None:
        return None
    numbers = _by_token(shape.groups[0], shape.numbers[:, None])
    merged: dict[Fraction, Fraction] = {}
    for token, row in numbers.items():
        merged[row[0]] = merged.get(row[0], Fraction(0)) + theta[token]
    if set(merged) != {Fraction(0), Fraction(1)}:
        return None
    return mean_of_pieces(shape.pieces, merged[Fraction(1)], merged[Fraction(0)])


def _parameters(law: DirichletLaw | FixedLaw, suffix: tuple[int, ...]) -> list[Fraction]:
    """Return the parameters of the prior given the last tokens, or the fixed probabilities."""
    if isinstance(law, FixedLaw):
        return list(law.probabilities)
    return [a + suffix.count(t) for t, a in enumerate(law.alpha)]


def _by_token(group: Group, table: Exact) -> Tokens:
    """Return what attention on each token of the highest level gives, columns averaged.

    One entry only where the level has one value.
    """
    level, tokens = group.levels[0], len(group.prefix) // group.period
    if not level.varied:
        column, own = next(iter(level.columns.items()))
        return {own[0]: table[column * tokens + own[0]]}
    columns = list(level.columns)
    return {
        t: sum(table[r * tokens + t] for r in columns) / Fraction(len(columns))
        for t in level.columns[columns[0]]
    }


def _mean(rows: Tokens, theta: list[Fraction]) -> Exact:
    total = sum((theta[t] for t in rows), Fraction(0))
    mean: Exact = sum(row * (theta[t] / total) for t, row in rows.items())
    return mean
