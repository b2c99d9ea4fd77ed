"""Which pieces of z have the least proven error, at a given length.

The error of [derived, Theorem B4⁺] falls with θ, q and J alike, and n ≈ Δθq J(J+1)/2 is what there
is to spend. Any choice is valid; this one is near the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf, log

from flint import ctx

from bounds.precision import FLINT
from bounds.registry.sufficient.schedules import Falling, added
from verify.measure.complexity import Ingredients, output_constants
from verify.measure.norms import PRECISION
from verify.simulation.softmax.schedule import Schedule

_GROWTH = 1.3
"""Factor between the numbers of levels, and of repeats, that are tried."""


def best_schedule(
    models: Sequence[Ingredients],
    room: int,
    *,
    dimension: int,
    period: int,
    locality: int,
) -> Schedule:
    """The schedule with n′ ≤ `room` whose largest proven error is about the least.

    Args:
        models: constants of f, and of g.
        room: periods that z may have before its tail, at least 1.
        dimension: d.
        period, locality: Δ and τ of all models together.
    """
    errors = [_error(model, dimension, period, locality) for model in models]
    largest = max(max(e.turns, e.flat, e.seams, e.ends, e.late, e.mean) for e in errors)
    if largest == -inf:
        return Schedule(1, 1, 1)
    # Numbers that no float holds are compared by their quotients.
    errors = [_scaled(error, largest) for error in errors]

    def worst(schedule: Schedule) -> float:
        point = (log(schedule.theta), log(schedule.repeats), log(schedule.levels))
        return max(error.over(point) for error in errors)

    return min(_candidates(room), key=worst)


def _candidates(room: int) -> Iterator[Schedule]:
    """Levels and repeats on a grid; pieces as long as fit."""
    for levels in _grid(room):
        each = levels * (levels + 1) // 2
        if each > room:
            return
        for repeats in _grid(room // each):
            yield Schedule(room // (each * repeats), repeats, levels)


def _grid(largest: int) -> Iterator[int]:
    """1, 2, 3, … with growing steps, up to the largest."""
    number = 1
    while number < largest:
        yield number
        number = max(number + 1, int(number * _GROWTH))
    yield largest


def _error(model: Ingredients, dimension: int, period: int, locality: int) -> Falling:
    """The proven error of one model, as logarithms."""
    c = output_constants(model)
    with FLINT, ctx.workprec(PRECISION):
        query, keys, limit_query, limit_keys, influence = (
            float(value.log().mid()) if value > 0 else -inf
            for value in (c.query, c.keys, c.limit_query, c.limit_keys, c.influence)
        )
    suffix = log(2 * (locality + 1))
    return Falling(
        turns=log(4 * dimension + (6 if period == 1 else 8)) + keys,
        flat=log(2 * dimension) + added(query, influence) if dimension else -inf,
        seams=log(4 * locality / period) + influence if locality else -inf,
        ends=log(locality + period) + added(query, log(2) + influence),
        late=suffix + limit_query,
        mean=suffix + limit_keys,
        rate=float(min(model.positional_margin, Fraction(1))),
        period=period,
        first=locality + 1,
    )


def _scaled(error: Falling, by: float) -> Falling:
    return replace(
        error,
        turns=error.turns - by,
        flat=error.flat - by,
        seams=error.seams - by,
        ends=error.ends - by,
        late=error.late - by,
        mean=error.mean - by,
    )
