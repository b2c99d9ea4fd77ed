"""One bound as bars: its terms, and how much it moves with each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounds.elasticity import elasticities
from bounds.errors import ParameterError, Problem
from bounds.figures.style import (
    COLOURS,
    GREY,
    ink,
    label,
    log2_ticks,
    open_frame,
    own_axes,
    power_of_two,
    safe,
)
from bounds.result import LengthBound, Status, Term

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def terms(bound: LengthBound, *, ax: Axes | None = None) -> Axes:
    """The terms of one bound as bars of log2; the largest one, which decides, is dark.

    Args:
        bound: the answer of `required_length`.
        ax: where to draw; a new figure if None.

    Raises:
        ParameterError: the bound has no number.
    """
    sizes = {n: t.log2_length for n, t in bound.terms.items() if t.log2_length is not None}
    if not sizes:
        raise ParameterError([Problem("bound", str(bound), "a bound with a number")])
    ax = own_axes(ax)
    names = list(sizes)
    bars = ax.barh(names, [sizes[n] for n in names], height=0.6)
    for bar, name in zip(bars, names, strict=True):
        largest = name == bound.dominant
        bar.set(facecolor=COLOURS[0] if largest else GREY, edgecolor=ink(), linewidth=0.6)
        _beside(ax, sizes[name], bar.get_y() + bar.get_height() / 2, _size(bound.terms[name]))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.35)
    ax.set_xlabel("training length $N$")
    log2_ticks(ax, "x")
    rough = ", order of growth" if bound.status is Status.ORDER_OF_GROWTH else ""
    ax.set_title(safe(f"{bound.theorem.key}{rough}"), fontsize="medium")
    open_frame(ax)
    return ax


def sensitivities(bound: LengthBound, *, ax: Axes | None = None) -> Axes:
    """Elasticities, d log N / d log parameter: how many per cent N moves for one per cent.

    Args:
        bound: the answer of `required_length`.
        ax: where to draw; a new figure if None.

    Raises:
        ParameterError: the bound has no formula, or depends on nothing that was given.
    """
    found = {k: v for k, v in elasticities(bound).items() if v != 0}
    if not found:
        raise ParameterError([Problem("bound", str(bound), "a bound that depends on something")])
    ax = own_axes(ax)
    names = sorted(found, key=lambda k: -abs(found[k]))
    for place, name in enumerate(names):
        value = found[name]
        colour = COLOURS[0] if value > 0 else COLOURS[1]
        hatch = "" if value > 0 else "////"
        ax.barh(
            place, value, height=0.6, facecolor=colour, edgecolor=ink(), linewidth=0.6, hatch=hatch
        )
        _beside(ax, value, place, f"${value:.3g}$")
    ax.axvline(0, color=ink(), linewidth=0.6)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.25)
    ax.set_xlabel(r"elasticity $\mathrm{d}\,\log N\,/\,\mathrm{d}\,\log$ parameter")
    open_frame(ax)
    return ax


def _size(term: Term) -> str:
    """A length in few characters that TeX takes too."""
    if term.length is not None and term.length < 10**6:
        return f"{term.length:,}"
    assert term.log2_length is not None
    if term.log2_length >= 10**5:
        return rf"$\approx$ {power_of_two(float(f'{term.log2_length:.4g}'))}"
    return rf"$\approx 2^{{{term.log2_length:.6g}}}$"


def _beside(ax: Axes, x: float, y: float, text: str) -> None:
    ax.annotate(
        text,
        (x, y),
        xytext=(4 if x >= 0 else -4, 0),
        textcoords="offset points",
        ha="left" if x >= 0 else "right",
        va="center",
        fontsize=7,
    )
