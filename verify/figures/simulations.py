"""Figures of simulations: measured errors against ε, and lengths of z against those of x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from verify.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "0.55"
"""A grey that shows on white and on black."""

_COLOURS = ("#0072b2", "#e69f00")
"""Blue and orange of the same lightness apart in grey, too."""


class Simulated(Protocol):
    """What these figures read of a simulation, such as `verify.simulate` returns."""

    @property
    def epsilon(self) -> Fraction:
        """What the theorem allows each error to be."""

    @property
    def error_f(self) -> float:
        """|f(x) − f(z)|."""

    @property
    def error_g(self) -> float:
        """|g(x) − g(z)|."""

    @property
    def length(self) -> int:
        """|z|."""

    @property
    def input_length(self) -> int:
        """|x|."""

    @property
    def log2_limit(self) -> float | None:
        """log2 of the proven N."""


def error_against_epsilon(simulations: Sequence[Simulated], *, ax: Axes | None = None) -> Axes:
    """Draw the errors of f and of g against the ε asked for, and the line that none may cross.

    An error of 0 is drawn at the bottom, as an open mark.

    Args:
        simulations: results of `verify.simulate`, for several ε.
        ax: where to draw; a new figure if None.

    Raises:
        InputError: there are none.
    """
    _refuse_none(simulations)
    ax = _axes(ax)
    allowed = sorted({float(s.epsilon) for s in simulations})
    ax.plot(allowed, allowed, color=_ink(), linewidth=1.0, label="proven")
    errors = {"f": [s.error_f for s in simulations], "g": [s.error_g for s in simulations]}
    positive = [e for both in errors.values() for e in both if e > 0]
    floor = min([*positive, allowed[0]]) / 4
    for (name, values), colour, marker in zip(errors.items(), _COLOURS, "ox", strict=True):
        at = [float(s.epsilon) for s in simulations]
        ax.plot(
            at,
            [max(v, floor) for v in values],
            linestyle="none",
            marker=marker,
            markersize=5 if marker == "x" else 4,
            color=colour,
            label=f"measured, ${name}$",
        )
    ax.set(xscale="log", yscale="log", xlabel=r"$\varepsilon$ asked for")
    zero = "" if len(positive) == 2 * len(simulations) else "\n(at the bottom: 0)"
    ax.set_ylabel(f"error of the short input{zero}")
    _finish(ax)
    return ax


def short_against_long(simulations: Sequence[Simulated], *, ax: Axes | None = None) -> Axes:
    """Draw |z| against |x|, the proven N, and the line on which nothing is shortened.

    Args:
        simulations: results of `verify.simulate`, for several inputs.
        ax: where to draw; a new figure if None.

    Raises:
        InputError: there are none.
    """
    _refuse_none(simulations)
    ax = _axes(ax)
    rows = sorted(simulations, key=lambda s: s.input_length)
    long = [math.log2(s.input_length) for s in rows]
    ax.plot(long, long, color=_GREY, linewidth=0.8, linestyle=(0, (5, 2)), label="$|z| = |x|$")
    limits = [s.log2_limit for s in rows]
    if None not in limits:
        top = [float(limit) for limit in limits if limit is not None]
        ax.plot(long, top, color=_ink(), linewidth=1.0, label="proven $N$")
    short = [math.log2(s.length) for s in rows]
    ax.plot(long, short, "o", color=_COLOURS[0], markersize=4, label="short input $z$")
    for axis in (ax.xaxis, ax.yaxis):
        _powers_of_two(axis)
    ax.set(xlabel="length of $x$ (tokens)", ylabel="length of $z$ (tokens)")
    _finish(ax)
    return ax


def _powers_of_two(axis: object) -> None:
    from matplotlib.axis import Axis
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    assert isinstance(axis, Axis)
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"$2^{{{value:.0f}}}$"))


def _refuse_none(simulations: Sequence[Simulated]) -> None:
    if not simulations:
        raise InputError("simulations", simulations, "at least one result of verify.simulate")


def _ink() -> str:
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()


def _finish(ax: Axes) -> None:
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -3.9 * rcParams["font.size"] / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        borderaxespad=0.0,
        ncols=3,
        frameon=False,
        fontsize=7,
        handletextpad=0.4,
        columnspacing=1.0,
    )
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
