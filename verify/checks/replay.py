"""Counterexamples of saved reports, run again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verify.checks.slopes import replay_slopes
from verify.errors import InputError, VerifyError
from verify.model.plain import model_from, summary_from
from verify.simulation import OneLayerSimulation, Simulation, simulator


def replay(path: str | os.PathLike[str]) -> list[OneLayerSimulation | Simulation]:
    """Run every counterexample of a saved report again; `.holds` of each says what came out.

    Args:
        path: a file that `Report.save` or `python -m verify` wrote.

    Raises:
        InputError: the file cannot be read, is no such report, or has no counterexample.
    """
    allowed = "a JSON report of verify with at least one counterexample"
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        reports = [*data["reports"], *data.get("slopes", [])] if "reports" in data else [data]
        runs = [_simulations(report) for report in reports if report["counterexamples"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VerifyError) as error:
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
