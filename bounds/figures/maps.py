"""Lengths over two parameters, with the lines where another term or theorem takes over."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bounds.errors import ParameterError, Problem
from bounds.figures.style import (
    ink,
    is_logarithmic,
    label,
    log2_ticks,
    own_axes,
    parameter_scale,
    power_of_two,
    safe,
)
from bounds.parameters import BY_KEYWORD
from bounds.table import Table, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def length_map(
    table: Table, x: str, y: str, *, regions: str | None = None, ax: Axes | None = None
) -> Axes:
    """A heat map of the required length over two parameters of a sweep.

    A line, white in black, runs where another theorem takes over, or another term of the only
    theorem; each region has its name inside. Cells without a length stay empty.

    Args:
        table: a `bounds.sweep` table over a grid of x and y.
        x, y: the swept parameters (logarithmic axes if they span a factor of 8).
        regions: the column whose change is drawn; None: "theorem" if there are several, otherwise
            "dominant".
        ax: where to draw; a new figure if None.

    Raises:
        ParameterError: a column is missing, no row has a length, or rows of one cell differ in
            another parameter.
    """
    import numpy as np
    from matplotlib import patheffects
    from matplotlib.ticker import FuncFormatter

    wanted = (x, y, *(() if regions is None else (regions,)))
    missing = [c for c in wanted if c not in table.columns]
    if missing:
        raise ParameterError(
            [Problem("column", c, "one of " + ", ".join(table.columns)) for c in missing]
        )
    rows = [row for row in table if row["log2_length"] is not None]
    if not rows:
        raise ParameterError([Problem("table", repr(table), "a table with at least one length")])
    for name in table.columns:
        if name in BY_KEYWORD and name not in (x, y) and len({row[name] for row in rows}) > 1:
            allowed = f"one value of {name}: table.where({name}=...)"
            raise ParameterError([Problem("table", repr(table), allowed)])
    if regions is None:
        regions = "theorem" if len({row["theorem"] for row in rows}) > 1 else "dominant"
    across = sorted({as_float(row[x]) for row in table})
    upward = sorted({as_float(row[y]) for row in table})
    sizes = np.full((len(upward), len(across)), np.nan)
    names: Any = np.full(sizes.shape, "", dtype=object)
    for row in rows:
        place = upward.index(as_float(row[y])), across.index(as_float(row[x]))
        if not np.isnan(sizes[place]):
            raise ParameterError([Problem("table", repr(table), "one row per cell: one theorem")])
        sizes[place], names[place] = row["log2_length"], str(row[regions] or "")
    ax = own_axes(ax)
    edges = [_edges(x, across), _edges(y, upward)]
    mesh = ax.pcolormesh(*edges, sizes, cmap="cividis", rasterized=True)
    bar = ax.figure.colorbar(mesh, ax=ax, label="training length $N$")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_two(value)))
    log2_ticks(bar.ax, "y")
    halo = [patheffects.Stroke(linewidth=2.4, foreground="black"), patheffects.Normal()]
    for (row_, column), name in np.ndenumerate(names):
        left, right = edges[0][column], edges[0][column + 1]
        bottom, top = edges[1][row_], edges[1][row_ + 1]
        sides = []
        if column + 1 < len(across) and names[row_, column + 1] not in (name, "") and name:
            sides.append(([right, right], [bottom, top]))
        if row_ + 1 < len(upward) and names[row_ + 1, column] not in (name, "") and name:
            sides.append(([left, right], [top, top]))
        for line in sides:
            ax.plot(*line, color="white", linewidth=1.2, path_effects=halo, gid="takes over")
    for name in dict.fromkeys(names.ravel()):
        if not name or len(set(names.ravel()) - {""}) < 2:
            continue
        widths = (names == name).sum(axis=1)
        broad = np.flatnonzero(widths >= 0.8 * widths.max())
        row_ = int(broad[len(broad) // 2])
        columns = np.flatnonzero(names[row_] == name)
        ax.annotate(
            safe(name),
            (across[columns[len(columns) // 2]], upward[row_]),
            ha="center",
            va="center",
            color="white",
            fontsize=7,
            path_effects=[patheffects.withStroke(linewidth=1.8, foreground="black")],
        )
    parameter_scale(ax, "x", x, across)
    parameter_scale(ax, "y", y, upward)
    ax.set(xlabel=label(x), ylabel=label(y), xlim=_ends(edges[0]), ylim=_ends(edges[1]))
    for spine in ax.spines.values():
        spine.set_edgecolor(ink())
    return ax


def _edges(keyword: str, values: list[float]) -> list[float]:
    """Edges of cells around values, halfway between neighbours on the scale that is drawn."""
    if len(values) == 1:
        return [values[0] * 0.9, values[0] * 1.1] if values[0] else [-0.5, 0.5]
    if is_logarithmic(keyword, values):
        inner = [(a * b) ** 0.5 for a, b in pairwise(values)]
        return [values[0] ** 2 / inner[0], *inner, values[-1] ** 2 / inner[-1]]
    inner = [(a + b) / 2 for a, b in pairwise(values)]
    return [2 * values[0] - inner[0], *inner, 2 * values[-1] - inner[-1]]


def _ends(edges: list[float]) -> tuple[float, float]:
    return edges[0], edges[-1]
