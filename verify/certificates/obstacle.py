"""Why there is no length: the context, head and gap that spoil it, and a horizon that would do."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verify.certificates.choices import CutSketch, cut_sketches
from verify.certificates.contexts import Context
from verify.certificates.instance import Instance, least_length
from verify.model.transformer import LimitTransformer


@dataclass(frozen=True)
class Obstacle:
    """What stands in the way of a length below the horizon.

    Attributes:
        context: the context with the largest cost at N = T* − Δ.
        cost: that cost.
        allowed: the types of the inputs for which no cut is valid, all lags kept; empty where
            there is none and merely the cost is too large.
        heads: for each head without a valid cut there, its cuts: near ties and gap.
        horizon: the largest power of two up to which a length was found; None: none was.
        length: that length.
    """

    context: Context
    cost: Fraction
    allowed: tuple[int, ...]
    heads: tuple[tuple[CutSketch, ...], ...]
    horizon: int | None
    length: int | None


def find_obstacle(
    f: LimitTransformer, g: LimitTransformer, budget: Fraction, instance: Instance
) -> Obstacle:
    """Return the obstacle of an instance for which `least_length` found nothing."""
    worst = instance.cost(instance.horizon - instance.pair.period)
    allowed, heads = _spoilt(instance, worst.context)
    horizon, length = _largest_horizon(f, g, budget, instance)
    return Obstacle(worst.context, worst.value, allowed, heads, horizon, length)


def _spoilt(
    instance: Instance, context: Context
) -> tuple[tuple[int, ...], tuple[tuple[CutSketch, ...], ...]]:
    """Return the first case without a choice, all lags kept, and its heads without a cut."""
    for case in instance.analysed(context)[0].cases:
        if not case.choices:
            sketches = cut_sketches(instance.pair, context, case.allowed)
            spoilt = tuple(
                of_head
                for of_head in sketches
                if not any(cut.valid(instance.horizon) for cut in of_head)
            )
            return tuple(sorted(case.allowed)), spoilt
    return (), ()


def _largest_horizon(
    f: LimitTransformer, g: LimitTransformer, budget: Fraction, instance: Instance
) -> tuple[int | None, int | None]:
    """Return a power of two below the horizon that has a length, by bisection, and the length."""
    low, high = instance.pair.period.bit_length() + 1, instance.horizon.bit_length()
    found: tuple[int | None, int | None] = (None, None)
    while low < high:
        middle = (low + high) // 2
        length, _ = least_length(f, g, budget, 2**middle)
        if length is None or 2**middle >= instance.horizon:
            high = middle
        else:
            found, low = (2**middle, length), middle + 1
    return found
