"""Step 4: all figures and statistics from the tidy files alone, in seconds, without jax."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify.training import figures, figures_models, store
from verify.training.analysis import (
    Row,
    drift,
    exceptions,
    flatness,
    generalization_length,
    group_by,
    panel,
    slope,
    spearman,
    spearman_by_difficulty,
    spearman_by_training_length,
)
from verify.training.certified_summary import certified_lengths, certified_points, verdicts
from verify.training.summaries import attention_quality, hardmax_regime, simulation_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Exponents a of ε ∝ nᵃ that the theorems' N(ε) turn into.
ONE_LAYER = {
    "n^(−1/2): N ∝ L²/ε² (Thm 4.1)": -0.5,
    "n^(−1): N ∝ L/ε (chains; tents)": -1.0,
    "n^(−1/8): Thm 4.2, α₀ = 1": -0.125,
}
TWO_LAYERS = {
    "n^(−1/3): N ∝ (C/ε)³ (Thm 5.2)": -1 / 3,
    "n^(−1/2): N ∝ (C/ε)² (balanced)": -0.5,
}


def draw_all(out: Path, tables: Path) -> list[Path]:
    """Write every figure that the files in `tables` allow to `out/figures`, PNG and PDF.

    Returns:
        The paths of the PNG files.

    Raises:
        InputError: `runs.csv.gz` is not there.
    """
    rows = store.read_rows(tables / "runs.csv.gz")
    made = {**_loss_figures(rows), **_slope_figures(rows)}
    if (tables / "constants.csv.gz").exists():
        made |= _model_figures(rows, tables)
    if (tables / "certified.csv.gz").exists():
        made |= _certified_figure(tables)
    paths = []
    for name, figure in made.items():
        for ending, options in (
            (".png", {"dpi": 150}),
            (".pdf", {"metadata": {"CreationDate": None}}),
        ):
            path = out / "figures" / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, **options)
        paths.append(out / "figures" / f"{name}.png")
    return paths


def write_statistics(out: Path, tables: Path) -> Path:
    """Write `out/statistics.json`: every number that the report on the experiments quotes."""
    rows = store.read_rows(tables / "runs.csv.gz")
    found: dict[str, Any] = {}
    for experiment in experiments_of(rows):
        p = panel(rows, experiment)
        cells = flatness(p)
        found[experiment] = {
            "inputs": p.test_distribution,
            "spearman plateau, training length": str(spearman_by_training_length(p)),
            "spearman plateau, difficulty": str(spearman_by_difficulty(p)),
            "slope of log root plateau": {
                f"{p.sweep} = {d:g}": str(slope(p, a)) for a, d in enumerate(p.difficulties)
            },
            "flat cells": f"{sum(cell['flat'] for cell in cells)} of {len(cells)}",
            "not flat": [cell for cell in cells if not cell["flat"]],
            "exceptions": exceptions(p),
            "drift exponent": str(drift(p)),
            "fitted runs": _fitted(rows, experiment),
        }
    if (tables / "constants.csv.gz").exists():
        points = length_points(rows, store.read_rows(tables / "constants.csv.gz"), "rounded")
        points += length_points(rows, store.read_rows(tables / "constants.csv.gz"), "trained")
        for (weights, experiment), group in group_by(points, "weights", "experiment").items():
            x, y = [r["empirical"] for r in group], [r["log2_length"] for r in group]
            found[experiment][f"spearman predicted ({weights}), empirical"] = {
                "estimate": str(spearman(x, y)),
                "at each ε": {
                    f"{epsilon:g}": str(
                        spearman([r["empirical"] for r in rs], [r["log2_length"] for r in rs])
                    )
                    for (epsilon,), rs in group_by(group, "epsilon").items()
                },
                "models": len(group),
                "log2 predicted": [round(min(y), 1), round(max(y), 1)],
                "empirical": [min(x), max(x)],
            }
    if (tables / "certified.csv.gz").exists():
        points = certified_points(store.read_rows(tables / "certified.csv.gz"))
        for (experiment,), group in group_by(points, "experiment").items():
            found[experiment]["certified, all ε"] = certified_lengths(group)
            for (epsilon,), part in group_by(group, "epsilon").items():
                found[experiment][f"certified, ε = {epsilon:g}"] = certified_lengths(part)
                found[experiment][f"verdicts, ε = {epsilon:g}"] = verdicts(part)
    summaries_of = {
        "gaps": ("hardmax regime", hardmax_regime),
        "attention": ("attention", attention_quality),
        "simulation": ("simulation", simulation_errors),
    }
    for name, (title, summary) in summaries_of.items():
        if (tables / f"{name}.csv.gz").exists():
            groups = group_by(store.read_rows(tables / f"{name}.csv.gz"), "experiment")
            for (experiment,), group in groups.items():
                found[experiment][title] = summary(group)
    path = out / "statistics.json"
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    store.write_atomically(path, text.encode())
    return path


def experiments_of(rows: Sequence[Row]) -> list[str]:
    """Names of the experiments in the rows, in order."""
    return list(dict.fromkeys(row["experiment"] for row in rows))


def length_points(rows: Sequence[Row], constants: Sequence[Row], weights: str) -> list[Row]:
    """Predicted against empirical length: models trained at the empirical length for ε.

    Left out: settings where no training length of the grid was enough for ε, and models for which
    no theorem gives a proved number.
    """
    points = []
    for (experiment, difficulty, epsilon), group in group_by(
        [row for row in constants if row["weights"] == weights],
        *("experiment", "difficulty", "epsilon"),
    ).items():
        p = panel(rows, experiment)
        empirical = generalization_length(p, p.difficulties.index(difficulty), epsilon)
        for row in group:
            proved = row["status"] in ("PROVED", "TOO_LARGE")
            if row["training_length"] == empirical and proved and row["log2_length"]:
                points.append(row | {"empirical": empirical})
    return points


def _dirichlet(rows: Sequence[Row]) -> list[str]:
    """The experiments on the theory's inputs; summary figures show these, the tables show all."""
    return experiments_of([row for row in rows if row["distribution"] == "dirichlet"])


def _fitted(rows: Sequence[Row], experiment: str) -> str:
    runs = {
        (row["difficulty"], row["training_length"], row["seed"]): row["fitted"]
        for row in rows
        if row["experiment"] == experiment
    }
    return f"{sum(runs.values())} of {len(runs)}"


def _figure(rows: int, columns: int, height: float = 2.7) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(3.4 * columns, height * rows), layout=layout)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _loss_figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Per experiment: curves at every difficulty, then plateaus by length and by difficulty."""
    made = {}
    for experiment in experiments_of(rows):
        p = panel(rows, experiment)
        columns = 2 if len(p.difficulties) % 2 == 0 else 3
        figure, grid = _figure(-(-(len(p.difficulties) + 2) // columns), columns)
        cells = list(grid.ravel())
        for difficulty in p.difficulties:
            figures.loss_by_test_length(rows, experiment, difficulty, ax=cells.pop(0))
        figures.plateau_by_training_length(rows, experiment, ax=cells.pop(0))
        figures.plateau_by_difficulty(rows, experiment, ax=cells.pop(0))
        for unused in cells:
            unused.set_axis_off()
        made[f"loss_{experiment}"] = figure
    return made


def _slope_figures(rows: Sequence[Row]) -> dict[str, Figure]:
    made = {}
    names = _dirichlet(rows)
    for title, k_gram, predicted in (
        ("slopes_one_layer", False, ONE_LAYER),
        ("slopes_two_layers", True, TWO_LAYERS),
    ):
        chosen = [name for name in names if name.startswith("k_gram") == k_gram]
        if chosen:
            figure, grid = _figure(1, 1, height=1.2 + 0.42 * len(chosen))
            figures.slopes(rows, chosen, predicted, ax=grid[0, 0])
            made[title] = figure
    figure, grid = _figure(1, 1)
    figures.plateau_flatness(rows, names, ax=grid[0, 0])
    made["flatness"] = figure
    return made


def _certified_figure(tables: Path) -> dict[str, Figure]:
    """Certified against empirical length, one panel for each ε, with the same axes."""
    points = certified_points(store.read_rows(tables / "certified.csv.gz"))
    by_epsilon = group_by([row for row in points if row["horizon"] is not None], "epsilon")
    figure, grid = _figure(1, len(by_epsilon), height=3.3)
    for ax, group in zip(grid[0], by_epsilon.values(), strict=True):
        figures_models.certified_against_empirical(group, ax=ax)
    return {"lengths": figure}


def _model_figures(rows: Sequence[Row], tables: Path) -> dict[str, Figure]:
    made = {}

    def read(name: str) -> list[Row]:
        return [r for r in store.read_rows(tables / f"{name}.csv.gz") if r["experiment"] in shown]

    shown = _dirichlet(rows)
    constants = read("constants")
    figure, grid = _figure(1, 2, height=3.0)
    for ax, weights in zip(grid[0], ("trained", "rounded"), strict=True):
        points = length_points(rows, constants, weights)
        if points:
            figures_models.predicted_against_empirical(points, experiments=shown, ax=ax)
        ax.set_title(f"weights as {weights}", fontsize=8)
    made["lengths_every_length"] = figure

    gaps = read("gaps")
    for experiment, group in group_by(gaps, "experiment").items():
        lengths = sorted({row["training_length"] for row in group})
        figure, grid = _figure(1, 2)
        for ax, length in zip(grid[0], (lengths[0], lengths[-1]), strict=True):
            figures_models.gap_histogram(group, length, ax=ax)
        made[f"gaps_{experiment[0]}"] = figure

    for experiment, group in group_by(read("beyond"), "experiment").items():
        difficulties = sorted({row["difficulty"] for row in group})
        figure, grid = _figure(1, 2)
        for ax, difficulty in zip(grid[0], difficulties[-2:], strict=True):
            figures_models.error_beyond(group, difficulty, ax=ax)
        made[f"beyond_{experiment[0]}"] = figure

    attention = read("attention")
    for experiment, group in group_by(attention, "experiment").items():
        longest = max(row["training_length"] for row in group)
        figure, grid = _figure(1, 2)
        figures_models.attention_by_position(group, longest, ax=grid[0, 0])
        figures_models.attention_map(group, longest, ax=grid[0, 1])
        made[f"attention_{experiment[0]}"] = figure
    return made
