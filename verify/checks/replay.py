"""Counterexamples as plain data, and running them again from a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from verify.errors import InputError, VerifyError
from verify.model.summary import Summary
from verify.model.transformer import Head, Layer, LimitTransformer
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
        from verify.checks.slopes import replay_slopes

        return replay_slopes(report)
    run = simulator(
        model_from(report["models"]["f"]),
        model_from(report["models"]["g"]),
        epsilon=report["epsilon"],
        theorem=report["theorem"],
        control=report["control"],
    )
    return [run(summary_from(found["summary"])) for found in report["counterexamples"]]


def model_data(model: LimitTransformer) -> dict[str, Any]:
    """Return the weights as nested lists; JSON keeps every float64 exactly."""
    return _plain(model)  # type: ignore[no-any-return]


def model_from(data: dict[str, Any]) -> LimitTransformer:
    """Return the model that `model_data` described."""
    dimension = len(data["embedding"][0])
    layers = []
    for layer in data["layers"]:
        heads = tuple(Head(**head) for head in layer["heads"])
        # Empty lists have lost their second axis.
        layers.append(
            Layer(
                heads,
                np.reshape(np.array(layer["mlp_in"], dtype=float), (-1, dimension)),
                np.array(layer["mlp_bias"], dtype=float),
                np.reshape(np.array(layer["mlp_out"], dtype=float), (dimension, -1)),
            )
        )
    rest = {key: data[key] for key in ("embedding", "positions", "unembedding", "precision_bits")}
    return LimitTransformer(layers=tuple(layers), **rest)


def summary_data(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain data."""
    return {
        "counts": summary.counts.tolist(),
        "suffix": summary.suffix.tolist(),
        "length": summary.length,
    }


def summary_from(data: dict[str, Any]) -> Summary:
    """Return the summary that `summary_data` described."""
    counts = np.array(data["counts"], dtype=object)
    return Summary(counts, np.array(data["suffix"], dtype=np.int64), data["length"])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Head | Layer | LimitTransformer):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    return value
