"""Figures of required lengths. Every function takes and returns matplotlib Axes.

Lines differ in dash and marker, not only in colour, so that they survive a
greyscale printer; an order of growth is always drawn dotted and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bounds.errors import ParameterError, Problem
from bounds.parameters import BY_KEYWORD
from bounds.result import LengthBound
from bounds.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#1b4965", "#c1440e", "#6b8e23", "#7b4b94", "#8a6d00", "#444444")
_DASHES = ("-", "--", "-.", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
_ROUGH = "implicit"
_MARKS = {
    "epsilon": "ε",
    "target": "η",
    "lipschitz": "L",
    "vocabulary_size": "|Σ|",
    "period": "Δ",
    "locality": "τ",
    "heads": "H",
    "precision_bits": "p",
    "margin": "γ",
    "positional_margin": "γ",
    "logit_range": "R",
    "logit_range_columns": "R_c",
    "alpha_min": "α₀",
    "alpha_total": "A",
}


def length_curve(table: Table, x: str, *, series: str = "theorem", ax: Axes | None = None) -> Axes:
    """log2 of the required length against one parameter of a sweep.

    Args:
        table: a `bounds.sweep` table.
        x: the swept parameter on the horizontal axis (log scale if it spans a decade).
        series: the column that makes lines, e.g. "period" or "theorem".
        ax: where to draw; the current Axes if None.

    Raises:
        ParameterError: a column is missing, or no row has a length.
    """
    ax = _axes(ax)
    for name, column in (("x", x), ("series", series)):
        if column not in table.columns:
            raise ParameterError([Problem(name, column, "one of " + ", ".join(table.columns))])
    rows = [row for row in table if row["log2_length"] is not None]
    if not rows:
        raise ParameterError([Problem("table", repr(table), "a table with at least one length")])
    for i, value in enumerate(dict.fromkeys(row[series] for row in rows)):
        mine = [row for row in rows if row[series] == value]
        line = sorted((float(row[x]), row["log2_length"]) for row in mine)
        rough = any(_ROUGH in str(row["constants"]) for row in mine)
        marks = ["order of growth"] if rough else []
        marks += sorted({str(row["direction"]) for row in mine} - {"sufficient"})
        ax.plot(
            [a for a, _ in line],
            [b for _, b in line],
            label=f"{value} ({', '.join(marks)})" if marks else str(value),
            **_style(i, rough),
        )
    positions = sorted({float(row[x]) for row in rows})
    if positions[0] > 0 and positions[-1] >= 10 * positions[0]:
        ax.set_xscale("log")
    ax.set_xlabel(_label(x))
    ax.set_ylabel(r"training length, $\log_2 N$")
    ax.legend(title=_label(series), fontsize="small", title_fontsize="small", frameon=False)
    _open(ax)
    return ax


def terms(bound: LengthBound, *, ax: Axes | None = None) -> Axes:
    """The terms of one bound as bars of log2; the largest one decides."""
    ax = _axes(ax)
    sizes: Mapping[str, float] = {
        name: term.log2_length for name, term in bound.terms.items() if term.log2_length is not None
    }
    if not sizes:
        raise ParameterError([Problem("bound", str(bound), "a bound with a number")])
    names = list(sizes)
    bars = ax.barh(names, [sizes[n] for n in names], height=0.6)
    for bar, name in zip(bars, names, strict=True):
        largest = name == bound.dominant
        bar.set(facecolor=_COLOURS[0] if largest else "#d0d0d0", edgecolor="black")
        ax.annotate(
            str(bound.terms[name]),
            (sizes[name], bar.get_y() + bar.get_height() / 2),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.margins(x=0.3)
    ax.set_xlabel(r"training length, $\log_2 N$")
    rough = ", order of growth" if bound.theorem.constants == _ROUGH else ""
    ax.set_title(f"{bound.theorem.key}{rough}", fontsize="medium")
    _open(ax)
    return ax


def _style(index: int, rough: bool) -> dict[str, Any]:
    i = index % len(_COLOURS)
    return {
        "color": _COLOURS[i],
        "linestyle": ":" if rough else _DASHES[i],
        "marker": _MARKERS[i],
        "markersize": 3.5,
        "linewidth": 1.4,
    }


def _label(column: str) -> str:
    if column in BY_KEYWORD:
        mark = _MARKS.get(column)
        name = column.replace("_", " ")
        return f"{name} {mark}" if mark else name
    return column


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.gca()


def _open(ax: Axes) -> None:
    """Only the two axes that carry numbers."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


__all__: Sequence[str] = ["length_curve", "terms"]
