"""Figures of a check: errors against the proven ε, and lengths used against the proven N."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from verify.checks.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FLOOR = 1e-6
"""Smaller ratios, 0 included, are drawn here."""

_LONGEST = 10**250
"""Longer lengths are drawn here: axes, with their margins, are in float64."""


def errors(reports: Sequence[Report], ax: Axes | None = None) -> Axes:
    """Draw the larger error of f and g in units of ε: a line per pair, a mark per input.

    Only inputs that were shortened are drawn. Crosses violate the theorem.

    Args:
        reports: results of `verify.check`.
        ax: where to draw; by default a new figure.
    """
    ax = _axes(ax)
    for height, report in enumerate(reports):
        rows = [row for row in report.rows if row.short_length < row.length]
        for holds, marker in ((True, "|"), (False, "x")):
            ratios = [r.error / float(report.epsilon) for r in rows if r.holds is holds]
            ax.plot(
                [max(ratio, _FLOOR) for ratio in ratios],
                [height] * len(ratios),
                marker,
                color="black",
                markersize=6,
                markeredgewidth=0.8,
            )
    ax.axvline(1, color="0.4", linewidth=1.2, linestyle="--")
    ax.annotate("proven: ε", (1, 1), xycoords=ax.get_xaxis_transform(), ha="right", va="bottom")
    ax.set(xscale="log", xlabel="measured error / ε (10⁻⁶: or less)")
    _name_lines(ax, reports)
    return ax


def lengths(reports: Sequence[Report], ax: Axes | None = None) -> Axes:
    """Draw the lengths of x and of z for every input, and the proven N: a line per pair.

    Args:
        reports: results of `verify.check`.
        ax: where to draw; by default a new figure.
    """
    ax = _axes(ax)
    for height, report in enumerate(reports):
        rows = [row for row in report.rows if row.short_length < row.length]
        first = height == 0
        ax.plot(
            [_drawn(row.length) for row in rows],
            [height] * len(rows),
            "o",
            color="0.65",
            markersize=3.5,
            label="input x" if first else None,
        )
        if report.limit is not None:
            ax.plot(
                [_drawn(report.limit)],
                [height],
                "|",
                color="black",
                markersize=13,
                markeredgewidth=1.4,
                label="proven N" if first else None,
            )
        ax.plot(
            [_drawn(row.short_length) for row in rows],
            [height] * len(rows),
            "o",
            color="black",
            markerfacecolor="white",
            markersize=4,
            label="short input z" if first else None,
        )
    longest = max((row.length for report in reports for row in report.rows), default=0)
    beyond = " (10²⁵⁰: or more)" if longest > _LONGEST else ""
    ax.set(xscale="log", xlabel=f"length (tokens){beyond}")
    _name_lines(ax, reports)
    return ax


def figure(reports: Sequence[Report]) -> Figure:
    """Return both panels, one above the other, at column width (3.4 in)."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.4, 1.9 + 0.36 * len(reports)), layout="constrained")
    upper, lower = result.subplots(2, 1)
    errors(reports, upper)
    lengths(reports, lower)
    for ax in (upper, lower):
        ax.tick_params(labelsize=7)
        ax.xaxis.label.set_size(7)
        for text in ax.texts:
            text.set_size(7)
    result.legend(
        *lower.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=7,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.2,
    )
    return result


def _drawn(length: int) -> float:
    return float(min(length, _LONGEST))


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()


def _name_lines(ax: Axes, reports: Sequence[Report]) -> None:
    ax.set_yticks(range(len(reports)), [report.name for report in reports])
    ax.set_ylim(len(reports) - 0.4, -0.6)
