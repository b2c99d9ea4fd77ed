"""Lengths against one parameter: curves of a sweep, both sides of a bracket, the terms of one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bounds.bracket import bracket
from bounds.catalogue import theorem as find
from bounds.errors import BoundsError, ParameterError, Problem
from bounds.figures.style import (
    COLOURS,
    DASHES,
    GREY,
    MARKERS,
    ink,
    label,
    legend_below,
    log2_ticks,
    mark,
    open_frame,
    own_axes,
    parameter_scale,
    safe,
)
from bounds.length import required_length
from bounds.numbers import brief, exact
from bounds.parameters import BY_KEYWORD
from bounds.result import LengthBound
from bounds.table import Table, as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SETTINGS = ("error", "attention", "layers")


def length_curve(
    table: Table,
    x: str,
    *,
    series: str | None = None,
    slopes: bool = True,
    band: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Required lengths against one parameter of a sweep, both on logarithmic scales.

    A curve per theorem and per value of `series`: proved solid, necessary dotted, orders of growth
    dashed. Lengths of any size are drawn: the axis is linear in log2 N.

    Args:
        table: a `bounds.sweep` table.
        x: the swept parameter on the horizontal axis (logarithmic if it spans a factor of 8).
        series: the column that tells curves apart by colour and marker, e.g. "period"; None:
            the theorems.
        slopes: draw a thin line for every power of x that the theorems state, with its power.
        band: shade what lies between the necessary and the sufficient length of a series, where
            there is one of each.
        ax: where to draw; a new figure if None.

    Raises:
        ParameterError: a column is missing, no row has a length, or rows of one curve differ in
            another parameter, whose points no line may join.
    """
    series = series or "theorem"
    rows = _rows(table, x, series)
    ax = own_axes(ax)
    values = list(dict.fromkeys(row[series] for row in rows))
    keys = list(dict.fromkeys(row["theorem"] for row in rows))
    used: dict[str, None] = {}
    for number, value in enumerate(values):
        sides: dict[str, list[list[tuple[float, float]]]] = {}
        for key in keys:
            mine = [r for r in rows if r[series] == value and r["theorem"] == key]
            if not mine:
                continue
            points = sorted((as_float(row[x]), float(row["log2_length"])) for row in mine)
            kind = _kind(mine[0])
            used.setdefault(kind)
            sides.setdefault(kind, []).append(points)
            ax.plot(
                [a for a, _ in points],
                [b for _, b in points],
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                linestyle=DASHES[kind],
                markersize=3,
                linewidth=1.2,
                label=f"{_shown(value)} ({kind})",
            )
        if band and len(sides.get("proved", [])) == len(sides.get("necessary", [])) == 1:
            _shade(ax, sides["necessary"][0], sides["proved"][0], COLOURS[number % len(COLOURS)])
    _scale(ax, x, [as_float(row[x]) for row in rows])
    if slopes:
        _slopes(ax, x, keys, rows)
    if series == "theorem":
        legend_below(ax, ax.get_legend_handles_labels()[0])
    else:
        legend_below(ax, [*_value_handles(series, values), *_kind_handles(used)])
    return ax


def bracket_curve(
    x: str, values: Iterable[Any], *, ax: Axes | None = None, **question: Any
) -> Axes:
    """Both sides of the required length, and the paper's order, against one parameter.

    Args:
        x: the parameter on the horizontal axis.
        values: its values.
        ax: where to draw; a new figure if None.
        **question: the other arguments of `bounds.bracket`.

    Raises:
        ParameterError: no value has a bracket.
    """
    ax = own_axes(ax)
    sides: dict[str, list[tuple[float, float]]] = {}
    refusal: BoundsError | None = None
    for value in values:
        try:
            found = bracket(**question, **{x: value})
        except BoundsError as problem:
            refusal = problem
            continue
        named = {
            "order of growth": found.paper,
            "proved": found.sufficient,
            "necessary": found.necessary,
        }
        for kind, bound in named.items():
            if bound is not None and bound.log2_length is not None:
                place = as_float(exact(value))
                sides.setdefault(kind, []).append((place, bound.log2_length))
    if not sides:
        raise refusal or ParameterError([Problem("values", values, "a value with a bracket")])
    names = {"order of growth": "paper, order of growth", "proved": "sufficient, proved"}
    for kind, points in sides.items():
        points.sort()
        ax.plot(
            [a for a, _ in points],
            [b for _, b in points],
            color=ink() if kind != "order of growth" else COLOURS[1],
            linestyle=DASHES[kind],
            marker={"proved": "o", "necessary": "s", "order of growth": "^"}[kind],
            markersize=3,
            linewidth=1.2,
            label=names.get(kind, kind),
        )
    if "proved" in sides and "necessary" in sides:
        _shade(ax, sides["necessary"], sides["proved"], GREY)
    _scale(ax, x, [a for points in sides.values() for a, _ in points])
    legend_below(ax, ax.get_legend_handles_labels()[0])
    return ax


def term_curves(x: str, values: Iterable[Any], *, ax: Axes | None = None, **question: Any) -> Axes:
    """Each term of a length against one parameter; the largest one, which decides, drawn broad.

    Args:
        x: the parameter on the horizontal axis.
        values: its values.
        ax: where to draw; a new figure if None.
        **question: the other arguments of `required_length`, `theorem` among them.

    Raises:
        ParameterError: no value has a length.
    """
    ax = own_axes(ax)
    points: dict[str, list[tuple[float, float]]] = {}
    largest: list[tuple[float, float]] = []
    refusal: BoundsError | None = None
    bound: LengthBound | None = None
    for value in values:
        try:
            bound = required_length(**question, **{x: value})
        except BoundsError as problem:
            refusal = problem
            continue
        place = as_float(exact(value))
        if bound.log2_length is not None:
            largest.append((place, bound.log2_length))
        for name, term in bound.terms.items():
            if term.log2_length is not None:
                points.setdefault(name, []).append((place, term.log2_length))
    if not largest or bound is None:
        raise refusal or ParameterError([Problem("values", values, "a value with a length")])
    largest.sort()
    where = [a for a, _ in largest], [b for _, b in largest]
    ax.plot(*where, color=GREY, linewidth=4, alpha=0.5, label="length", solid_capstyle="round")
    for number, (name, mine) in enumerate(points.items()):
        mine.sort()
        ax.plot(
            [a for a, _ in mine],
            [b for _, b in mine],
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=DASHES[_kind_of(bound)],
            markersize=3,
            linewidth=1.2,
            label=name,
        )
    _scale(ax, x, where[0])
    legend_below(ax, ax.get_legend_handles_labels()[0])
    return ax


def _rows(table: Table, x: str, series: str) -> list[Mapping[str, Any]]:
    """The rows with a length; refused where a line would join what must not be joined."""
    for name, column in (("x", x), ("series", series)):
        if column not in table.columns:
            raise ParameterError([Problem(name, column, "one of " + ", ".join(table.columns))])
    rows = [row for row in table if row["log2_length"] is not None]
    if not rows:
        notes = "; ".join(dict.fromkeys(str(row["note"]) for row in table if row["note"]))
        allowed = f"a table with at least one length{': ' + notes[:300] if notes else ''}"
        raise ParameterError([Problem("table", repr(table), allowed)])
    others = [
        c for c in table.columns if (c in BY_KEYWORD or c in _SETTINGS) and c not in (x, series)
    ]
    for name in others:
        for key in dict.fromkeys((row["theorem"], row[series]) for row in rows):
            mine = {row[name] for row in rows if (row["theorem"], row[series]) == key}
            if len(mine) > 1:
                shown = ", ".join(sorted(map(_shown, mine))[:4])
                allowed = (
                    f"one value of {name} per curve, not {shown}: series={name!r}, or "
                    f"table.where({name}=...)"
                )
                raise ParameterError([Problem("table", repr(table), allowed)])
    return rows


def _kind(row: Mapping[str, Any]) -> str:
    if "implicit" in str(row["constants"]):
        return "order of growth"
    if row["direction"] in ("necessary", "failure"):
        return str(row["direction"])
    return "proved" if row["constants"] == "proved" else "stated"


def _kind_of(bound: LengthBound) -> str:
    return _kind({"constants": bound.constants, "direction": str(bound.direction)})


def _shown(value: Any) -> str:
    return brief(value) if isinstance(value, Fraction) else safe(str(value))


def _shade(ax: Axes, low: Sequence[Any], high: Sequence[Any], colour: str) -> None:
    lower, upper = dict(low), dict(high)
    at = sorted(lower.keys() & upper.keys())
    bottom, top = [lower[a] for a in at], [upper[a] for a in at]
    ax.fill_between(at, bottom, top, color=colour, alpha=0.15, linewidth=0)


def _scale(ax: Axes, x: str, places: Sequence[float]) -> None:
    parameter_scale(ax, "x", x, places)
    ax.set_xlabel(label(x))
    ax.set_ylabel("training length $N$")
    log2_ticks(ax, "y")
    open_frame(ax)


def _slopes(ax: Axes, x: str, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Above all curves, a thin line for each power of x; on top of the other where several."""
    powers: dict[float, None] = {}
    for key in keys:
        power = _power(key, x, next(row for row in rows if row["theorem"] == key))
        if power:
            powers.setdefault(power)
    places = [as_float(row[x]) for row in rows]
    low, high = min(places), max(places)
    if not powers or low <= 0 or high < 8 * low:
        return
    tops = [float(row["log2_length"]) for row in rows]
    span = max(tops) - min(tops) or 1.0
    first, last = low * (high / low) ** 0.36, low * (high / low) ** 0.64
    room = max(tops)
    for power in sorted(powers, key=abs):
        steep = power * math.log2(last / first)
        anchor = max(t - power * math.log2(p / first) for p, t in zip(places, tops, strict=True))
        inside = [
            t - power * math.log2(p / first)
            for p, t in zip(places, tops, strict=True)
            if first / 1.5 <= p <= last * 1.5
        ]
        start = max(inside, default=anchor) + 0.08 * span
        start = max(start, room + 0.12 * span - max(steep, 0)) if room > max(tops) else start
        ax.plot([first, last], [start, start + steep], color=GREY, linewidth=0.8, zorder=1)
        end = (first, start, -3) if steep > 0 else (last, start + steep, 3)
        exponent = "" if power == 1 else f"$^{{{power:g}}}$"
        ax.annotate(
            rf"$\propto$ {mark(x)}{exponent}",
            end[:2],
            xytext=(end[2], 0),
            textcoords="offset points",
            ha="right" if steep > 0 else "left",
            va="center",
            color=ink(),
            fontsize=7,
        )
        room = max(room, start + max(steep, 0)) + 0.01 * span


def _power(key: str, x: str, row: Mapping[str, Any]) -> float | None:
    try:
        power = find(key).exponent(x)
    except KeyError:
        return None
    values = {BY_KEYWORD[k].symbol: row[k] for k in row if k in BY_KEYWORD and row[k] is not None}
    values.setdefault(BY_KEYWORD["heads"].symbol, 1)
    number = power.subs(values)
    return float(number) if number.is_number and number.is_finite else None


def _value_handles(series: str, values: Sequence[Any]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [],
            [],
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle="none",
            markersize=4,
            label=f"{mark(series)} = {_shown(value)}" if series in BY_KEYWORD else _shown(value),
        )
        for i, value in enumerate(values)
    ]


def _kind_handles(kinds: Iterable[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=ink(), linestyle=DASHES[k], linewidth=1.2, label=k) for k in kinds]
