"""The figure of a comparison of lengths: what is proved and what was found, along a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from verify.tightness.compare import LengthComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours; markers and lines tell the series apart without them.
_STYLES = {
    "paper": ("paper, order of growth (C = 1)", "#999999", ":", "x"),
    "wide": ("sufficient for the wide class", "#56B4E9", "-", "D"),
    "necessary": ("necessary for the wide class", "#000000", "-.", "^"),
    "class": ("sufficient for the class", "#0072B2", "-", "s"),
    "certified": ("sufficient for this pair", "#009E73", "-", "o"),
    "found": ("longest simulation found", "#D55E00", "--", "v"),
}

_MOST_TICKS = 6

_MOST = 256
"""log2 of the longest length that is drawn: longer ones would flatten all others."""


def lengths_compared(
    comparisons: Mapping[float, LengthComparison], parameter: str = "ε", ax: Axes | None = None
) -> Axes:
    """Draw the six lengths against a parameter, both axes logarithmic.

    Lengths above 2^256 are left out.

    Args:
        comparisons: results of `verify.compare_lengths`, by the value of the parameter, > 0.
        parameter: its name, for the axis.
        ax: where to draw; by default a new figure.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(layout="constrained").subplots()
    values = sorted(comparisons)
    for side, (label, colour, line, marker) in _STYLES.items():
        places = [(v, comparisons[v].log2[side]) for v in values]
        drawn = [(v, 2.0**log) for v, log in places if log is not None and log <= _MOST]
        if drawn:
            x, y = zip(*drawn, strict=True)
            size = 4.0 if marker != "o" else 4.5
            ax.plot(x, y, line, marker=marker, color=colour, label=label, markersize=size)
    ax.set(xscale="log", yscale="log", xlabel=parameter, ylabel="length (tokens)")
    step = -(-len(values) // _MOST_TICKS)
    ticks = values[::step]
    ax.set_xticks(ticks, [f"{value:g}" for value in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(frameon=False)
    return ax


def lengths_compared_figure(
    comparisons: Mapping[float, LengthComparison], parameter: str = "ε"
) -> Figure:
    """Return the same at column width (3.25 in)."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.25, 2.9), layout="constrained")
    ax = lengths_compared(comparisons, parameter, result.subplots())
    ax.tick_params(labelsize=7)
    for text in (ax.xaxis.label, ax.yaxis.label):
        text.set_fontsize(7)
    for line in ax.lines:
        line.set_linewidth(1.1)
    ax.legend_ = None
    result.legend(
        *ax.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=1,
        fontsize=6.5,
        frameon=False,
        handlelength=2.6,
        labelspacing=0.25,
    )
    return result
