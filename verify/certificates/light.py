"""Accuracies of light sets: δ of each group, so that what they cost together is least.

Every δ in (0, 1) with S ≤ n is valid, so a search in floats is enough: its result is rounded to
rationals, and all that is claimed is computed from those. [docs/theory.md, Theorem S]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from verify.certificates.choices import Choice
from verify.certificates.variation import Accuracies, accuracies, least_free

_GRID = 2**40
_STEPS = 16
_ZOOMS = 4
_SWEEPS = 12
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

    def of_total(total: float) -> tuple[float, list[float]]:
        return _distributed(total, groups, cost)

    largest = math.log1p(most)
    if all(head.light or head.inert or not head.prefix for head in choice.heads):
        _, logs = of_total(largest)
    else:
        low = groups * _LN2
        _, logs = min(of_total(total) for total in _zoomed(low, largest, lambda x: of_total(x)[0]))
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


def _distributed(
    total: float, groups: int, cost: Callable[[Sequence[float]], float]
) -> tuple[float, list[float]]:
    """Return the least cost found, and ln(1 + 1/δ) of the groups, whose sum is `total`."""
    logs = [total / groups] * groups
    best = cost(logs)
    for _ in range(_SWEEPS if groups > 1 else 0):
        before = best
        for a in range(groups):
            for b in range(a):
                both = logs[a] + logs[b]

                def moved(x: float, a: int = a, b: int = b, both: float = both) -> float:
                    trial = list(logs)
                    trial[a], trial[b] = x, both - x
                    return cost(trial)

                for x in _zoomed(_LN2, both - _LN2, moved):
                    if moved(x) < best:
                        best = moved(x)
                        logs[a], logs[b] = x, both - x
        if best >= before * (1 - 1e-9):
            break
    return best, logs


def _zoomed(low: float, high: float, cost: Callable[[float], float]) -> Iterator[float]:
    """Yield points of an open interval, ever nearer to where the cost is least."""
    for _ in range(_ZOOMS):
        step = (high - low) / (_STEPS + 1)
        points = [low + step * (k + 1) for k in range(_STEPS)]
        yield from points
        best = min(points, key=cost)
        low, high = max(low, best - step), min(high, best + step)
    yield high


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
