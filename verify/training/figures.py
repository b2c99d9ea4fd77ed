"""Figures of losses; every function takes rows of `runs.csv.gz` and returns the Axes.

Seeds are shown as their whole range with the median as the line. Losses are squared errors summed
over outputs, so their roots compare with ε.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from verify.training.analysis import Row, flatness, panel, slope
from verify.training.figure_style import axes, legend, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INPUTS = {
    "uniform": "uniform i.i.d. tokens",
    "dirichlet": "i.i.d. tokens, Dir(1, …, 1)",
    "conditional": "Dir(1, …, 1) per residue or context",
}


def loss_by_test_length(
    rows: Sequence[Row],
    experiment: str,
    difficulty: float,
    *,
    test_distribution: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Figures 1, 2, 4 (left): test loss against test length, one curve per training length.

    A dotted line continues each plateau; the mark below it on the axis is the training length.
    """
    ax = axes(ax)
    p = panel(rows, experiment, test_distribution)
    at = p.difficulties.index(difficulty)
    for b, (length, style) in enumerate(styles(p.training_lengths)):
        loss = p.loss[at, b]
        median = np.median(loss, axis=0)
        ax.fill_between(
            p.test_lengths,
            loss.min(axis=0),
            loss.max(axis=0),
            color=style["color"],
            alpha=0.15,
            lw=0,
        )
        ax.plot(p.test_lengths, median, label=str(length), **style)
        ax.axhline(median[-1], color=style["color"], lw=0.6, ls=":")
        ax.plot(
            [length], [0.01], "^", color=style["color"], ms=4, transform=ax.get_xaxis_transform()
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("test length T (tokens)")
    ax.set_ylabel("mean squared error")
    ax.set_title(f"{p.sweep} = {difficulty:g}; {INPUTS[p.test_distribution]}", fontsize=8)
    legend(ax, "training length n (▲)", columns=len(p.training_lengths))
    return ax


def plateau_by_training_length(
    rows: Sequence[Row],
    experiment: str,
    *,
    test_distribution: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Figures 1, 2, 4 (right): loss at the longest test length against the training length."""
    ax = axes(ax)
    p = panel(rows, experiment, test_distribution)
    for a, (difficulty, style) in enumerate(styles(p.difficulties)):
        _spread(ax, p.training_lengths, p.plateau[a], f"{difficulty:g}", style)
    lengths = np.array(p.training_lengths, dtype=float)
    top = np.median(p.plateau, axis=2).max()
    for power, ls in ((1, "--"), (2, "-.")):
        ax.plot(
            lengths,
            top * (lengths / lengths[0]) ** -power,
            color="0.5",
            lw=0.8,
            ls=ls,
            label=rf"$\propto n^{{-{power}}}$",
            zorder=0,
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("training length n (tokens)")
    ax.set_ylabel(f"mean squared error at T = {p.test_lengths[-1]}")
    ax.set_title(INPUTS[p.test_distribution], fontsize=8)
    legend(ax, p.sweep, columns=len(p.difficulties) + 2)
    return ax


def plateau_by_difficulty(
    rows: Sequence[Row],
    experiment: str,
    *,
    test_distribution: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Loss at the longest test length against difficulty, one curve per training length."""
    ax = axes(ax)
    p = panel(rows, experiment, test_distribution)
    for b, (length, style) in enumerate(styles(p.training_lengths)):
        _spread(ax, p.difficulties, p.plateau[:, b], str(length), style)
    ax.set_yscale("log")
    ax.set_xticks(p.difficulties)
    ax.set_xlabel(f"difficulty {p.sweep}")
    ax.set_ylabel(f"mean squared error at T = {p.test_lengths[-1]}")
    ax.set_title(INPUTS[p.test_distribution], fontsize=8)
    legend(ax, "training length n", columns=len(p.training_lengths))
    return ax


def slopes(
    rows: Sequence[Row],
    experiments: Sequence[str],
    predicted: dict[str, float],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Slopes of log √plateau against log n with 95% intervals, beside predicted exponents."""
    ax = axes(ax)
    labels: list[str] = []
    for experiment in experiments:
        p = panel(rows, experiment)
        for a, difficulty in enumerate(p.difficulties):
            fit = slope(p, a)
            y = len(labels)
            ax.plot([fit.low, fit.high], [y, y], color="black", lw=1.2)
            ax.plot([fit.value], [y], "o", color="black", ms=3.5)
            labels.append(f"{experiment.replace('_', ' ')}, {p.sweep} = {difficulty:g}")
    for (name, exponent), ls in zip(
        predicted.items(), ("--", "-.", ":", (0, (1, 3))), strict=False
    ):
        ax.axvline(exponent, color="0.5", lw=0.9, ls=ls, label=name)
    ax.set_yticks(range(len(labels)), labels, fontsize=6)
    ax.invert_yaxis()
    ax.set_xlabel("exponent a of √(plateau) ∝ nᵃ")
    legend(ax, "predicted", columns=1)
    return ax


def plateau_flatness(
    rows: Sequence[Row], experiments: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Change of the loss between the two longest test lengths against the spread of the seeds."""
    ax = axes(ax)
    for name, style in styles(experiments):
        cells = flatness(panel(rows, name))
        style = style | {"ls": ""}
        x = [cell["spread"] for cell in cells]
        ax.plot(x, [abs(cell["change"]) for cell in cells], label=name.replace("_", " "), **style)
    ends = np.array([1e-2, 1e2])
    ax.plot(ends, ends, color="0.5", lw=0.8, ls="--", label="change = spread")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("(max − min) ÷ median over seeds")
    ax.set_ylabel("relative change, last two T")
    legend(ax, "experiment", columns=3)
    return ax


def _spread(ax: Axes, x: Sequence[float], values: Any, label: str, style: dict[str, Any]) -> None:
    """Median line over seeds (last axis of `values`) with their whole range."""
    ax.fill_between(
        x, values.min(axis=1), values.max(axis=1), color=style["color"], alpha=0.15, lw=0
    )
    ax.plot(x, np.median(values, axis=1), label=label, **style)
