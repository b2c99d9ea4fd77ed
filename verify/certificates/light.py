"""Accuracies of light sets: δ of each group, so that what they cost together is least.

Every δ in (0, 1) with S ≤ n is valid, so a search in floats is enough: its result is rounded to
rationals, and all that is claimed is computed from those. [docs/theory/one_layer_argmax.md,
Theorem S]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

from verify.certificates.choices import Choice
from verify.certificates.variation import Accuracies, accuracies, least_free

_GRID = 2**40
_STEPS = 8
_ZOOMS = 4
_SWEEPS = 8
_LN2 = math.log(2)


def best_accuracies(choice: Choice, free: Sequence[int], short: int) -> Accuracies | None:
    """Return accuracies whose cost is nearly least; None if there are too few free positions.

    Args:
        choice: what is attended to.
        free: n_r of each residue, for the length of z.
        short: that length.
    """
    if not choice.groups:
        return accuracies(choice, free, ())
    most = float(min(free) - least_free(choice)) / float(choice.error)
    groups = len(choice.groups)
    if most <= 2**groups - 1:  # each δ < 1 makes a factor above 2
        return None
    cost = _Cost(choice, min(free), short)
    largest, least = math.log1p(most), groups * _LN2
    starts = [largest]
    if any(head.full and not head.inert for head in choice.heads):
        starts += [(largest + least) / 2, (largest + 9 * least) / 10]
    logs = min((_descended([s / groups] * groups, largest, cost) for s in starts), key=cost)
    return _rounded(choice, free, logs)


class _Cost:
    """Σ L ω̂ in floats, as a function of ln(1 + 1/δ) of each group."""

    def __init__(self, choice: Choice, least: int, short: int) -> None:
        self._error = float(choice.error)
        terms = [(float(head.constant), _power(short, float(head.spread))) for head in choice.heads]
        self._groups = [[terms[number] for number in group] for group in choice.groups]
        self._heavy = [
            (*terms[number], float(choice.error_of(head)), len(head.full) * least)
            for number, head in enumerate(choice.heads)
            if head.full and not head.inert
        ]

    def __call__(self, logs: Sequence[float]) -> float:
        """Return the cost."""
        total = 0.0
        for log, terms in zip(logs, self._groups, strict=True):
            delta = 1 / math.expm1(log)
            total += sum(constant * _hat(ratio, delta) for constant, ratio in terms)
        kept = self._error * math.expm1(min(sum(logs), 700.0))
        for constant, ratio, error, mass in self._heavy:
            total += constant * _hat(ratio, (kept + error) / mass)
        return total


def _power(base: int, exponent: float) -> float:
    return math.exp(min(math.log(base) * exponent, 300.0))


def _hat(ratio: float, delta: float) -> float:
    return min(1.0, ratio * delta / (1 + (ratio - 1) * delta))


def _descended(
    logs: list[float], largest: float, cost: Callable[[Sequence[float]], float]
) -> list[float]:
    """Lower the cost, by turns: one group alone, or one at the expense of another.

    Args:
        logs: ln(1 + 1/δ) of each group, each above ln 2, with a sum of at most `largest`.
        largest: what they may add up to.
        cost: to be lowered.
    """
    groups = range(len(logs))
    best = cost(logs)
    for _ in range(_SWEEPS):
        before = best
        for a, b in itertools.product(groups, groups):
            high = logs[a] + (largest - sum(logs) if a == b else logs[b] - _LN2)
            trial = _lowest(partial(_moved, logs, a, b), _LN2, high, cost)
            reached = cost(trial)
            if reached < best:
                best, logs = reached, trial
        if best >= before * (1 - 1e-9):
            break
    return logs


def _moved(logs: Sequence[float], a: int, b: int, x: float) -> list[float]:
    """Set entry a to x, and, where b is another one, keep the sum of both."""
    trial = list(logs)
    if a != b:
        trial[b] = logs[a] + logs[b] - x
    trial[a] = x
    return trial


def _lowest(
    point: Callable[[float], list[float]],
    low: float,
    high: float,
    cost: Callable[[Sequence[float]], float],
) -> list[float]:
    """Return the point with about the least cost: a grid, ever finer around its best entry."""
    best = high
    for _ in range(_ZOOMS):
        step = (high - low) / (_STEPS + 1)
        best = min((low + step * (k + 1) for k in range(_STEPS)), key=lambda x: cost(point(x)))
        low, high = max(low, best - step), min(high, best + step)
    return point(best)


def _rounded(choice: Choice, free: Sequence[int], logs: Sequence[float]) -> Accuracies | None:
    """Return rational accuracies near the floats, a little larger until they are valid."""
    deltas = [Fraction(math.ceil(_GRID / math.expm1(log)), _GRID) for log in logs]
    for exponent in range(-38, -2):
        if max(deltas) >= 1:
            return None
        found = accuracies(choice, free, deltas)
        if found is not None:
            return found
        larger = 1 + Fraction(2) ** exponent
        deltas = [Fraction(math.ceil(delta * larger * _GRID), _GRID) for delta in deltas]
    return None
