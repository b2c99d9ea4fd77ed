"""Figures of trained models: attention, logit gaps, predicted lengths; all return the Axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.training.analysis import Row, group_by
from verify.training.figure_style import MARKERS, axes, legend, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attention_by_position(
    rows: Sequence[Row],
    training_length: int,
    *,
    seed: int = 0,
    query_residue: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Figure 3 (left): attention of the last position of one input, position by position."""
    ax = axes(ax)
    chosen = [
        row
        for row in rows
        if (row["training_length"], row["seed"], row["query_residue"])
        == (training_length, seed, query_residue)
    ]
    target = chosen[0]["k"] % chosen[0]["period"]
    number = sum(row["residue"] == target for row in chosen)
    for on, marker, color, label in (
        (True, "o", "black", "on the residue"),
        (False, "x", "0.5", "off the residue"),
    ):
        part = [row for row in chosen if (row["residue"] == target) == on]
        ax.plot(
            [row["position"] for row in part],
            [row["weight"] for row in part],
            marker,
            color=color,
            ms=3.5,
            label=label,
        )
    ax.axhline(1 / number, color="0.4", lw=0.8, ls="--", label=f"1/{number} (hardmax)")
    period, length = chosen[0]["period"], chosen[0]["input_length"]
    ax.set_xlabel("key position")
    ax.set_ylabel("attention weight")
    ax.set_title(
        f"p = {period}, n = {training_length}, one uniform input, T = {length}", fontsize=8
    )
    ax.set_ylim(-0.1 / number, 1.8 / number)
    legend(ax, f"position ≡ {target} (mod {period})")
    return ax


def attention_map(rows: Sequence[Row], training_length: int, *, ax: Axes | None = None) -> Axes:
    """Figure 3 (right): attention by residues of query and key, in units of hardmax attention."""
    ax = axes(ax)
    chosen = [row for row in rows if row["training_length"] == training_length]
    period = chosen[0]["period"]
    target = chosen[0]["k"] % period
    table = np.zeros((period, period))
    for (query, _), group in group_by(chosen, "query_residue", "seed").items():
        number = sum(row["residue"] == target for row in group)
        seeds = len({row["seed"] for row in chosen})
        for key in range(period):
            weights = [row["weight"] for row in group if row["residue"] == key]
            table[query, key] += np.mean(weights) * number / seeds
    image = ax.imshow(table, cmap="Greys", vmin=0, vmax=1)
    for query in range(period):
        for key in range(period):
            dark = table[query, key] > 0.5
            text = f"{table[query, key]:.2g}" if table[query, key] >= 5e-3 else "0"
            ax.text(
                key, query, text, ha="center", va="center", fontsize=6, color="w" if dark else "k"
            )
    ax.set_xticks(range(period))
    ax.set_yticks(range(period))
    ax.tick_params(labelsize=7)
    ax.set_xlabel("residue of the key", fontsize=8)
    ax.set_ylabel("residue of the query", fontsize=8)
    ax.set_title(f"p = {period}, n = {training_length}, mean of seeds", fontsize=8)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.04)
    bar.set_label("mean weight ÷ hardmax weight", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    return ax


def gap_histogram(
    rows: Sequence[Row], training_length: int, *, precision_bits: int = 8, ax: Axes | None = None
) -> Axes:
    """Gaps of content logits to the largest of their query: ties, dropped terms, and between."""
    ax = axes(ax)
    chosen = [row for row in rows if row["training_length"] == training_length]
    edges = np.logspace(-5.2, 1.5, 54).tolist()
    floor = 1e-5  # the largest logit itself has gap 0
    for on, color, hatch, label in (
        (1, "black", "", "that the target averages"),
        (0, "0.75", "////", "other"),
    ):
        gaps = [max(row["gap"], floor) for row in chosen if row["on_target"] == on]
        if gaps:
            ax.hist(gaps, edges, color=color, hatch=hatch, edgecolor="0.4", lw=0.3, label=label)
    threshold = precision_bits / np.log2(training_length)
    ax.axvline(
        threshold, color="black", lw=0.9, ls="--", label=f"dropped at T = {training_length} beyond"
    )
    ax.set_xscale("log")
    ax.set_xlabel("logit gap to the query's largest (0 shown at 10⁻⁵)")
    ax.set_ylabel("pairs of query and key types")
    ax.set_title(f"{chosen[0]['experiment'].replace('_', ' ')}, n = {training_length}", fontsize=8)
    legend(ax, "key")
    return ax


def error_beyond(rows: Sequence[Row], difficulty: float, *, ax: Axes | None = None) -> Axes:
    """Error of trained models at lengths up to 2²⁵⁶, one curve per training length."""
    ax = axes(ax)
    chosen = [row for row in rows if row["difficulty"] == difficulty]
    groups = group_by(sorted(chosen, key=lambda row: row["training_length"]), "training_length")
    for ((length,), group), (_, style) in zip(groups.items(), styles(list(groups)), strict=True):
        by_length = group_by(group, "log2_test_length")
        x = [exponent for (exponent,) in by_length]
        errors = np.array([[row["error"] for row in cell] for cell in by_length.values()])
        ax.fill_between(
            x, errors.min(axis=1), errors.max(axis=1), color=style["color"], alpha=0.15, lw=0
        )
        ax.plot(x, np.median(errors, axis=1), label=str(length), markevery=8, **style)
    ax.set_yscale("log")
    ax.set_xlabel("log₂ of the test length T (tokens)")
    ax.set_ylabel("|f − target|, one input")
    name = chosen[0]["experiment"].replace("_", " ")
    ax.set_title(f"{name}, {chosen[0]['sweep']} = {difficulty:g}; 30% of token 1", fontsize=8)
    legend(ax, "training length n", columns=len(groups))
    return ax


def predicted_against_empirical(
    points: Sequence[Row], *, experiments: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Predicted N of trained models against the least training length that was enough for ε.

    `points`: rows with `experiment`, `empirical` (tokens) and `log2_length`. `experiments`: names
    in the order of their markers, to keep these the same in several axes.
    """
    ax = axes(ax)
    groups = {name: group for (name,), group in group_by(points, "experiment").items()}
    for name, style in styles(experiments or list(groups)):
        group = groups.get(name, [])
        if not group:
            continue
        x = np.array([row["empirical"] for row in group], dtype=float)
        jitter = 2 ** np.linspace(-0.12, 0.12, len(x)) if len(x) > 1 else np.ones(1)
        y = [row["log2_length"] for row in group]
        style = style | {"ls": ""}
        ax.plot(x * jitter, y, label=name.replace("_", " "), **style)
    ax.set_xscale("log", base=2)
    low, high = ax.get_xlim()
    line = np.array([max(low, 4), high])
    ax.plot(line, np.log2(line), color="0.5", lw=0.8, ls="--", label="N = empirical")
    ax.set_xlabel("empirical generalization length (tokens)")
    if max(row["log2_length"] for row in points) > 100:
        ax.set_yscale("log")
    ax.set_ylabel("log₂ of the predicted N (tokens)")
    legend(ax, "experiment", columns=3)
    return ax


def certified_against_empirical(points: Sequence[Row], *, ax: Axes | None = None) -> Axes:
    """Certified N of every model against the empirical length of its setting, both in tokens.

    `points`: rows of `certified_points` for one ε. Full marks: proved up to the horizon; open
    marks: refuted; grey: open. Models without a certificate stand above the horizon; settings
    without an empirical length right of all others. Marks of one place are spread sideways.
    """
    ax = axes(ax)
    horizon, epsilon = points[0]["horizon"], points[0]["epsilon"]
    edge = 4 * horizon
    known = [row["empirical"] for row in points if row["empirical"]] or [4]
    groups = group_by(points, "experiment")
    for number, ((name,), group) in enumerate(groups.items()):
        marker, color = MARKERS[number], str(0.5 * number / len(groups))
        lane = 0.8 / len(groups)
        x = np.zeros(len(group))
        for (empirical,), rows in group_by(group, "empirical").items():
            spread = (number - (len(groups) - 1) / 2 + np.linspace(-0.4, 0.4, len(rows))) * lane
            chosen = [row["empirical"] == empirical for row in group]
            x[chosen] = (empirical or 4 * max(known)) * 2.0**spread
        y = np.array([row["certified_length"] or edge for row in group], dtype=float)
        for status, face in (("PROVED", color), ("REFUTED", "white"), ("OPEN", "0.8")):
            at = np.array([row["status"] == status for row in group])
            if at.any():
                label = f"{name.replace('_', ' ')}, {status.lower()}"
                ax.plot(x[at], y[at], marker, ms=3.2, mew=0.6, c=color, mfc=face, label=label)
    ax.axhline(horizon, color="0.5", lw=0.8, ls=":")
    ax.text(
        0.02, edge, "no certificate", fontsize=6, va="center", transform=ax.get_yaxis_transform()
    )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    line = np.array([min(known), max(known)]) * np.array([0.6, 1.6])
    ax.plot(line, line, color="0.5", lw=0.8, ls="--", label="N = empirical")
    ax.set_xlabel("empirical generalization length (tokens)")
    ax.set_ylabel("certified N (tokens)")
    ax.set_title(f"ε = {epsilon:g}; dotted: horizon {horizon:,}", fontsize=8)
    legend(ax, f"|f − g| ≤ {3 * epsilon:g} up to the horizon", columns=3)
    return ax
