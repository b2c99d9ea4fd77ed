"""What a benchmark yields: rows of four kinds, as plain data for the JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.growth import Fit
from benchmarks.memory import Peak, in_a_fresh_process
from benchmarks.timing import Ratio

Row = dict[str, Any]
"""`kind` ("ratio", "growth", "memory", "seconds" or "missing"), `what`, `goal`, and numbers."""


def ratio_row(what: str, against: str, ratio: Ratio, *, goal: str = "") -> Row:
    """`what` ÷ `against`: how many times the time of the other one it takes."""
    return {"kind": "ratio", "what": what, "against": against, "goal": goal} | asdict(ratio)


def missing_row(what: str, against: str, why: str) -> Row:
    """A comparison that could not be made, and why."""
    return {"kind": "missing", "what": what, "against": against, "goal": "", "why": why}


def growth_row(what: str, size: str, fit: Fit, *, goal: str = "") -> Row:
    """How the time grows with `size`."""
    return {"kind": "growth", "what": what, "size": size, "goal": goal} | asdict(fit)


def seconds_row(what: str, seconds: Sequence[float], *, goal: str = "") -> Row:
    """Seconds of one call for each of several models."""
    return {"kind": "seconds", "what": what, "goal": goal, "seconds": list(seconds)}


def memory_row(what: str, size: str, peaks: dict[int, Peak], *, goal: str = "") -> Row:
    """Peak memory at several sizes, each in a process of its own."""
    points = [{"size": n} | asdict(peak) for n, peak in peaks.items()]
    return {"kind": "memory", "what": what, "size": size, "goal": goal, "points": points}


def measured_memory(
    what: str, size: str, job: Callable[..., Any], sizes: Sequence[int], *, goal: str = ""
) -> Row:
    """The row of a job, which is a function of a module of this package."""
    peaks = {n: in_a_fresh_process(job.__module__, job.__name__, n) for n in sizes}
    return memory_row(what, size, peaks, goal=goal)
