"""Certified lengths and verdicts beside what experiments say of the same models."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from verify.training.analysis import Row, generalization_length, group_by, panel, spearman

STATUSES = ("PROVED", "REFUTED", "OPEN")


def certified_points(certified: Sequence[Row]) -> list[Row]:
    """Every row of `certified.csv.gz`, none left out, with what was tested put in its terms.

    Added: `empirical`, the generalization length of the model's setting at ε (None: no training
    length was enough); `root_plateau`, the root of this model's mean squared error at the longest
    test length.
    """
    points = []
    for (experiment, epsilon), group in group_by(certified, "experiment", "epsilon").items():
        p = panel(group, experiment)
        for row in group:
            setting = p.difficulties.index(row["difficulty"])
            points.append(
                row
                | {
                    "empirical": generalization_length(p, setting, epsilon),
                    "root_plateau": math.sqrt(row["loss"]),
                }
            )
    return points


def certified_lengths(points: Sequence[Row]) -> dict[str, Any]:
    """How certified lengths compare with empirical ones, over all models and three choices.

    A model without a certificate counts as longer than all others, in medians and ranks.
    `trained at the empirical length`: the models whose training is just long enough;
    `trained long enough`: those and all that were trained on longer inputs.
    """
    known = [row for row in points if row["empirical"]]
    chosen = {
        "all": known,
        "trained long enough": [r for r in known if _trained_long_enough(r)],
        "trained at the empirical length": [
            r for r in known if r["training_length"] == r["empirical"]
        ],
    }
    found: dict[str, Any] = {"models without an empirical length": len(points) - len(known)}
    for name, group in chosen.items():
        if group:
            certified = [_or_infinite(row["certified_length"]) for row in group]
            empirical = [row["empirical"] for row in group]
            ratios = [c / e for c, e in zip(certified, empirical, strict=True)]
            found[name] = {
                "models": len(group),
                "without a certificate": certified.count(math.inf),
                "certified (least, median, largest)": _order(certified),
                "log2 exact margin (least, median, largest)": _order(
                    [_or_infinite(row["log2_exact_margin"]) for row in group]
                ),
                "empirical (least, median, largest)": _order(empirical),
                "certified / empirical (least, median, largest)": _order(ratios),
                "spearman certified, empirical": str(spearman(empirical, certified)),
                "spearman certified, root plateau of the model": str(
                    spearman([row["root_plateau"] for row in group], certified)
                ),
                "spearman exact margin, empirical": str(
                    spearman(empirical, [_or_infinite(r["log2_exact_margin"]) for r in group])
                ),
            }
    return found


def verdicts(points: Sequence[Row]) -> dict[str, Any]:
    """Verdicts per training length, and whether they meet what tests and certificates say."""
    found: dict[str, Any] = {
        f"n = {length}": _count(group)
        for (length,), group in sorted(group_by(points, "training_length").items())
    }
    found["all"] = _count(points)
    sides: dict[str, Callable[[Row], bool]] = {
        "trained long enough": _trained_long_enough,
        "without a certificate": lambda row: row["certified_length"] is None,
        "root plateau above the target": lambda row: row["root_plateau"] > row["target"],
        "some tested input above the target": lambda row: row["max_error"] > row["target"],
    }
    for name, holds in sides.items():
        found[name] = _count([row for row in points if holds(row)])
    quantities = {
        "PROVED": ("from_length", "error_high", "width"),
        "REFUTED": ("error_low", "root_plateau"),
    }
    for status, names in quantities.items():
        group = [row for row in points if row["status"] == status]
        for name in names if group else ():
            values = [_width(row) if name == "width" else row[name] for row in group]
            found[f"{status}: {name} (least, median, largest)"] = _order(values)
    found["REFUTED: by an input with one token per residue, but for the last ones"] = sum(
        _one_token(row["counterexample"]) for row in points if row["status"] == "REFUTED"
    )
    for name in ("certify_seconds", "prove_seconds", "cells"):
        found[f"{name} (least, median, largest)"] = _order([row[name] for row in points])
    return found


def _trained_long_enough(row: Row) -> bool:
    return bool(row["empirical"] and row["training_length"] >= row["empirical"])


def _one_token(counterexample: str) -> bool:
    counts = json.loads(counterexample)["counts"]
    return all(sum(count > 0 for count in residue) <= 1 for residue in counts)


def _width(row: Row) -> float:
    """Of the enclosure of the largest error over the lengths of a proved claim."""
    return float(row["error_high"] - row["error_low"])


def _count(rows: Sequence[Row]) -> str:
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{name} {counts[name]}" for name in STATUSES)


def _or_infinite(length: float | None) -> float:
    return math.inf if length is None else float(length)


def _order(values: Sequence[float]) -> list[float | str]:
    """Least, median and largest to three digits; "none" where a model has no certificate."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    median = math.inf if math.isinf(high) else (low + high) / 2
    numbers = (ordered[0], median, ordered[-1])
    return ["none" if math.isinf(x) else float(f"{x:.3g}") for x in numbers]
