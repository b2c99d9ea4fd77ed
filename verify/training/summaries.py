"""Numbers on trained models for the report: hardmax regime, attention, simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.training.analysis import Row, group_by

PRECISION_BITS = 8


def hardmax_regime(gaps: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Per training length n: are the keys that the target ignores dropped, and do the others tie?

    `dropped at T = n`: share of ignored key types with gap · log₂ n ≥ p. Gaps are those to the
    query's largest logit; quantiles run over query and key types. Ties: gaps above 0 of keys that
    the target averages, which should all be 0.
    """
    found = {}
    for (length,), rows in sorted(group_by(gaps, "training_length").items()):
        off = np.array([row["gap"] for row in rows if not row["on_target"]])
        on = np.array([row["gap"] for row in rows if row["on_target"] and row["gap"] > 0])
        entry: dict[str, Any] = {"tie gaps (median, largest)": _quantiles(on, 0.5, 1)}
        if len(off):
            entry["ignored gaps (least, median)"] = _quantiles(off, 0, 0.5)
            dropped = off * np.log2(length) >= PRECISION_BITS
            entry["dropped at T = n"] = round(float(dropped.mean()), 3)
        found[f"n = {length}"] = entry
    return found


def attention_quality(attention: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Per training length: attention off the residue, and the worst relative deviation on it."""
    found = {}
    for (length,), rows in sorted(group_by(attention, "training_length").items()):
        off, worst = [], []
        for group in group_by(rows, "seed", "input_length").values():
            target = group[0]["k"] % group[0]["period"]
            on = np.array([row["weight"] for row in group if row["residue"] == target])
            off.append(1 - on.sum())
            worst.append(np.abs(on * len(on) - 1).max())
        found[f"n = {length}"] = {
            "off the residue (median)": float(np.median(off)),
            "off the residue (largest)": float(np.max(off)),
            "deviation from uniform (median)": float(np.median(worst)),
            "deviation from uniform (largest)": float(np.max(worst)),
        }
    return found


def simulation_errors(simulation: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Per training length: lengths of x and z, and the largest errors over models and inputs."""
    found = {}
    for (length,), rows in sorted(group_by(simulation, "training_length").items()):
        shortened = [row for row in rows if row["short"] < row["long"]]
        entry: dict[str, Any] = {
            "|x|": rows[0]["long"],
            "inputs": len(rows),
            "left as they are (N > |x|)": len(rows) - len(shortened),
        }
        if shortened:
            entry["|z| (least, largest)"] = [
                min(row["short"] for row in shortened),
                max(row["short"] for row in shortened),
            ]
            for name in ("error_simulated", "error_target", "error_trained"):
                entry[name] = _quantiles(np.array([row[name] for row in shortened]), 0.5, 1)
        found[f"n = {length}"] = entry
    return found


def _quantiles(values: np.ndarray, *levels: float) -> list[float]:
    return [float(f"{q:.3g}") for q in np.quantile(values, levels)]
