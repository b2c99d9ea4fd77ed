"""Counterexamples of saved reports, run again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bounds.errors import BoundsError
from verify.checks.slopes import replay_slopes
from verify.errors import InputError, VerifyError
from verify.files import read_json
from verify.model.plain import model_from, summary_from
from verify.simulation import OneLayerSimulation, Simulation, simulator

_ANY = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RecursionError, BoundsError, VerifyError),
)
"""What data that is no report may raise."""


def replay(path: str | os.PathLike[str]) -> list[OneLayerSimulation | Simulation]:
    """Run every counterexample of a saved report again; `.holds` of each says what came out.

    Args:
        path: a file that `Report.save` or `python -m verify` wrote.

    Raises:
        InputError: the file cannot be read, is no such report, or has no counterexample.
    """
    allowed = "a JSON report of verify with at least one counterexample"
    try:
        data = read_json(path)
        reports = [*data["reports"], *data.get("slopes", [])] if "reports" in data else [data]
        runs = [_simulations(report) for report in reports if report["counterexamples"]]
    except _ANY as error:
        raise InputError("replay", os.fspath(path), f"{allowed} ({error})") from None
    if not runs:
        raise InputError("replay", os.fspath(path), allowed)
    return [simulation for run in runs for simulation in run]


def _simulations(report: dict[str, Any]) -> Sequence[OneLayerSimulation | Simulation]:
    if "proven_exponent" in report:
        return replay_slopes(report)
    run = simulator(
        model_from(report["models"]["f"]),
        model_from(report["models"]["g"]),
        epsilon=report["epsilon"],
        theorem=report["theorem"],
        control=report["control"],
    )
    return [run(summary_from(found["summary"])) for found in report["counterexamples"]]
