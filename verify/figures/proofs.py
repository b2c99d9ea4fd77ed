"""The figure of a proof: the largest error, enclosed from both sides, against the length."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from verify.certificates import Agreement, Ladder
from verify.certificates.window import float_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "0.55"
"""A grey that shows on white and on black."""

_DECADES = 4
"""Errors this many powers of ten below the largest, and 0, are drawn at the bottom."""


def enclosure(
    ladder: Ladder,
    shorter: Agreement | None = None,
    target: Fraction | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw both sides of the largest |f − g| against the length, up to the horizon.

    Points: the largest error at lengths at which all inputs were looked at. Band: for the
    stretch that each window carries to, between what the window attains and what it proves.

    Args:
        ladder: result of `verify.enclose`.
        shorter: result of `verify.agreement` for lengths below, if they are to be shown.
        target: the error asked for, as a line.
        ax: where to draw; by default a new figure.
    """
    from matplotlib import rcParams

    ax = _axes(ax)
    ink = rcParams["text.color"]
    points = {n: e.value for rung in ladder.rungs for n, e in rung.window.by_length.items()}
    points |= {} if shorter is None else {n: e.value for n, e in shorter.by_length.items()}
    tops = [float_up(rung.high) for rung in ladder.rungs]
    shown = [*tops, *points.values(), *([] if target is None else [float(target)])]
    floor = _floor(shown)
    for number, (rung, top) in enumerate(zip(ladder.rungs, tops, strict=True)):
        stretch = [min(rung.window.by_length), rung.reach]
        label = "proved between windows" if number == 0 else None
        bottom = max(rung.window.value, floor)
        ax.fill_between(stretch, bottom, top, color=_GREY, alpha=0.5, linewidth=0, label=label)
        ax.plot(stretch, [top, top], color=_GREY, linewidth=1.2)
    lengths = sorted(points)
    errors = [max(points[n], floor) for n in lengths]
    label = "all inputs looked at"
    ax.plot(lengths, errors, "o", color=ink, markersize=2.2, clip_on=False, label=label)
    if target is not None:
        ax.axhline(float(target), color=ink, linewidth=1.0, linestyle=":")
        place = (0.98, float(target))
        across = ax.get_yaxis_transform()
        ax.annotate(f"target {target}", place, xycoords=across, ha="right", va="bottom")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="length (tokens)", ylabel="largest |f − g| over all inputs")
    ax.set_ylim(floor, 2.2 * max(shown))
    ax.margins(x=0.02)
    return ax


def figure(
    ladder: Ladder, shorter: Agreement | None = None, target: Fraction | None = None
) -> Figure:
    """Return the panel at column width (3.4 in), with its legend."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.4, 2.4), layout="constrained")
    ax = enclosure(ladder, shorter, target, result.subplots())
    ax.tick_params(labelsize=7)
    for text in (ax.xaxis.label, ax.yaxis.label, *ax.texts):
        text.set_fontsize(7)
    result.legend(
        *ax.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=2,
        fontsize=7,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.2,
    )
    return result


def _floor(values: list[float]) -> float:
    """Return where the axis ends below: under the least positive value, or _DECADES down."""
    largest = max(values)
    if largest == 0:
        return 1e-12
    least = min(value for value in values if value > 0)
    return max(least / 1.5, largest * 10.0**-_DECADES)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()
