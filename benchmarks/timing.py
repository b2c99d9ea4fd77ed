"""Two or more programs timed in turn: the ratio of their times, with its spread.

Times are CPU times of the process, its threads together: where other processes share the cores, a
watch would charge long runs for them and leave out short ones.

Single runs on a shared machine scatter by a factor of two. Runs that stand next to each other see
the same machine, so that ratios of neighbours scatter less; their median and quartiles are
reported, and beside them the ratio of the shortest runs.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Clock = Callable[[], float]

LEAST = 2e-3
"""A timed run takes about this many seconds at least: fast programs are called several times."""


@dataclass(frozen=True)
class Ratio:
    """Time of the first program ÷ time of the second.

    Attributes:
        median, quartiles: of the ratios of neighbouring runs.
        of_minima: the shortest run of the first ÷ the shortest run of the second.
        rounds: how often both ran.
        seconds: of one call of the first, median.
        other_seconds: of one call of the second, median.
    """

    median: float
    quartiles: tuple[float, float]
    of_minima: float
    rounds: int
    seconds: float
    other_seconds: float


def alternate(
    programs: Mapping[str, Callable[[], Any]], rounds: int, clock: Clock = time.process_time
) -> Ratio:
    """The ratio of two programs, first ÷ second, from runs in turn.

    Raises:
        ValueError: not two programs, or fewer than two rounds.
    """
    if len(programs) != 2:
        raise ValueError(f"two programs, not {list(programs)}")
    return ratio(*times(programs, rounds, clock).values())


def times(
    programs: Mapping[str, Callable[[], Any]], rounds: int, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Seconds per call of every program in every round.

    All run before, which also says how many calls make a timed run. The order is turned around
    after every round, so that a machine that gets slower favours nobody.

    Raises:
        ValueError: fewer than two rounds.
    """
    if rounds < 2:
        raise ValueError(f"at least two rounds, not {rounds}")
    calls = {name: _calls(program, clock) for name, program in programs.items()}
    found: dict[str, list[float]] = {name: [] for name in programs}
    order = list(programs)
    for _ in range(rounds):
        for name in order:
            found[name].append(_seconds(programs[name], calls[name], clock))
        order.reverse()
    return found


def _calls(program: Callable[[], Any], clock: Clock) -> int:
    seconds = _seconds(program, 1, clock)
    if seconds < 20 * LEAST:  # again: the first call may have had to load or to compile something
        seconds = _seconds(program, 1, clock)
    return max(1, math.ceil(LEAST / max(seconds, 1e-9)))


def _seconds(program: Callable[[], Any], calls: int, clock: Clock) -> float:
    start = clock()
    for _ in range(calls):
        program()
    return (clock() - start) / calls


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """From the seconds of runs that stand next to each other."""
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(
        median=middle,
        quartiles=(low, high),
        of_minima=min(first) / min(second),
        rounds=len(ratios),
        seconds=statistics.median(first),
        other_seconds=statistics.median(second),
    )
