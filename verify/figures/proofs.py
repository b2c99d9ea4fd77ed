"""The figure of all lengths: the largest error, from both sides, against the length, up to ∞."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verify.certificates import CountedInput, Profile, Stretch
from verify.certificates.window import float_up
from verify.lengths import show_long

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "0.55"
"""A grey that shows on white and on black."""

_DECADES = 4
"""Errors this many powers of ten below the largest, and 0, are drawn at the bottom."""

_GAP = 5.0
"""Powers of two between the last finite length and the point at infinity."""


def error_profile(
    profile: Profile, target: Fraction | None = None, ax: Axes | None = None, notes: bool = True
) -> Axes:
    """Draw both sides of the largest |f − g| against the length.

    Points: single lengths. Bars: stretches of lengths, from what is attained to what is proved;
    they are as thin as the enclosure is narrow. The diamond at ∞: all lengths beyond.

    Args:
        profile: result of `verify.error_profile`.
        target: the error asked for, as a line.
        ax: where to draw; by default a new figure.
        notes: write the worst input beside its place.
    """
    from matplotlib import rcParams

    ax = _axes(ax)
    ink = rcParams["text.color"]
    stretches = profile.stretches
    shown = [float_up(s.high) for s in stretches] + ([] if target is None else [float(target)])
    floor = _floor(shown)
    finite = [s for s in stretches if s.last is not None]
    end = max((math.log2(s.last + 1) for s in finite if s.last is not None), default=0.0)
    singles = [s for s in finite if s.last == s.first]
    places = [math.log2(s.first) for s in singles]
    ax.plot(places, [max(float(s.low), floor) for s in singles], "o", color=ink, markersize=2.2)
    for stretch in finite:
        if stretch.last is not None and stretch.last > stretch.first:
            span = [math.log2(stretch.first), math.log2(stretch.last + 1)]
            low, high = max(float(stretch.low), floor), max(float_up(stretch.high), floor)
            ax.fill_between(span, low, high, color=_GREY, alpha=0.6, linewidth=0)
            ax.plot(span, [high, high], color=_GREY, linewidth=0.8)
            ax.plot(span, [low, low], color=ink, linewidth=1.6, solid_capstyle="butt")
    step = 2 if end <= 12 else 5 if end <= 30 else 10 * math.ceil(end / 60)
    ticks = [float(k) for k in range(0, math.floor(end + 0.01) + 1, step)]
    labels = ["1" if k == 0 else f"$2^{{{k:.0f}}}$" for k in ticks]
    unbounded = [s for s in stretches if s.last is None]
    if unbounded:
        place = end + _GAP
        value = max(float(unbounded[0].low), floor)
        ax.plot([end, place], [value, value], color=ink, linewidth=1.6, linestyle=(0, (2, 1.2)))
        ax.plot([place], [value], "D", color=ink, markersize=4, clip_on=False)
        ticks, labels = [*ticks, place], [*labels, "∞"]
    if target is not None:
        ax.axhline(float(target), color=ink, linewidth=0.9, linestyle=":")
        across = ax.get_yaxis_transform()
        place_of = (0.98, float(target))
        ax.annotate(f"target {target}", place_of, xycoords=across, ha="right", va="bottom")
    ax.set_xticks(ticks, labels)
    ax.set_yscale("log")
    ax.set(xlabel="length (tokens)", ylabel="largest |f − g|")
    ax.set_ylim(floor, 3.0 * max(shown))
    ax.margins(x=0.03)
    if notes:
        _note(ax, profile.largest, end)
    return ax


def error_profile_figure(
    panels: Sequence[tuple[str, Profile]], target: Fraction | None = None
) -> Figure:
    """Return one panel below the other at column width (3.4 in), each with its title."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.4, 0.5 + 1.75 * len(panels)), layout="constrained")
    axes = np.atleast_1d(result.subplots(len(panels), 1, sharex=True, sharey=True))
    for ax, (title, profile) in zip(axes, panels, strict=True):
        error_profile(profile, target, ax)
        ax.set_title(title, fontsize=7, loc="right")
        ax.tick_params(labelsize=7)
        for text in (ax.xaxis.label, ax.yaxis.label, *ax.texts):
            text.set_fontsize(7)
    shown = [float_up(s.high) for _, p in panels for s in p.stretches]
    shown += [] if target is None else [float(target)]
    axes[0].set_ylim(_floor(shown), 3.0 * max(shown))
    for ax in axes[:-1]:
        ax.set_xlabel("")
    return result


def described(worst: CountedInput) -> str:
    """Return an input in a few words: length, share of its rarest token, last token."""
    counts = worst.summary.counts.astype(object).sum(axis=0).tolist()
    total = sum(counts)
    last = f"last token {worst.summary.suffix[-1]}"
    if not total:
        return f"length {show_long(worst.length)}, {last}"
    rarest = min((t for t, c in enumerate(counts) if c), key=lambda t: counts[t])
    share = 100 * Fraction(counts[rarest], total)
    of = f"{counts[rarest]} ×" if counts[rarest] <= 3 else f"{float(share):.3g} %"
    of = "all" if counts[rarest] == total else of
    return f"length {show_long(worst.length)}: {of} token {rarest}, {last}"


def _note(ax: Axes, stretch: Stretch, end: float) -> None:
    first = math.log2(stretch.first)
    last = end + _GAP if stretch.last is None else math.log2(stretch.last + 1)
    place = last if stretch.last is None else (first + last) / 2
    value = max(float_up(stretch.high), ax.get_ylim()[0])
    ax.annotate(
        described(stretch.worst),
        (place, value),
        xytext=(0.5, 0.1),
        textcoords="axes fraction",
        ha="center",
        va="bottom",
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": _GREY},
    )


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
