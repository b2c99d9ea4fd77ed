"""Figures of softmax models: regimes of heads, errors against length, and the k-gram task.

Every function draws on Axes and returns them. Lines differ in dash and marker, not only in
colour, so that they survive a greyscale printer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify.checks.slope_report import CHAIN, SlopeReport
from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.tasks.k_gram_error import KGramError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["attention_on_suffix", "k_gram_error", "regimes", "slopes", "slopes_figure"]

_COLOURS = ("#1b4965", "#c1440e", "#6b8e23", "#7b4b94", "#444444")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


def attention_on_suffix(
    f: LimitTransformer, head: int, x: ArrayLike, positions: Sequence[int]
) -> NDArray[np.float64]:
    """Attention of a first-layer head on the keys at lags 0..τ, at some query positions.

    Args:
        f: a model in infinite precision.
        head: index in the first layer.
        x: (T,) tokens.
        positions: 1-based query positions, at most T.

    Raises:
        InputError: finite precision, or a position out of range.
    """
    if f.precision_bits is not None:
        raise InputError("f.precision_bits", f.precision_bits, "None: infinite precision")
    tokens = np.asarray(x)
    chosen = f.layers[0].heads[head]
    locality = len(chosen.lag_bias) - 1
    keys = f.embedding[tokens] + f.positions[np.arange(1, len(tokens) + 1) % f.period]
    masses = []
    for i in positions:
        if not 1 <= i <= len(tokens):
            raise InputError("positions", i, f"1 to T = {len(tokens)}")
        logits = keys[:i] @ (chosen.query_key @ keys[i - 1])
        near = min(i, locality + 1)
        logits[i - near :] += np.log(i) * chosen.lag_bias[:near][::-1]
        weights = np.exp(logits - logits.max())
        masses.append(weights[i - near :].sum() / weights.sum())
    return np.array(masses)


def regimes(
    biases: Mapping[str, float] | None = None, *, longest: int = 10**5, ax: Axes | None = None
) -> Axes:
    """Attention on the last two tokens as the position i grows, one line per kind of head.

    Heads without content logits and with φ(0) = 0, φ(1) = φ: below 1 the suffix vanishes, at 1
    it keeps a share, above 1 it takes everything.

    Args:
        biases: name → φ(1); default one head of each regime.
        longest: largest i.
        ax: where to draw; a new figure if None.
    """
    ax = _axes(ax)
    if biases is None:
        biases = {"token dominant": 0.5, "balanced": 1.0, "position dominant": 1.5}
    positions = np.unique(np.geomspace(2, longest, 40).astype(int))
    x = np.zeros(longest, dtype=np.int64)
    none = np.zeros((1, 1))
    heads = tuple(Head(none, none, np.array([0.0, bias])) for bias in biases.values())
    f = _bare(heads)
    for number, (name, bias) in enumerate(biases.items()):
        masses = attention_on_suffix(f, number, x, positions.tolist())
        style = _style(number) | {"marker": ""}
        ax.plot(positions, masses, label=f"{name}, φ = {bias:g}", **style)
    ax.set(
        xscale="log",
        ylim=(0, 1.04),
        xlabel="position $i$ of the query",
        ylabel="attention on the last 2 tokens",
    )
    _finish(ax, below=True)
    return ax


def slopes(report: SlopeReport, family: str | None = None, *, ax: Axes | None = None) -> Axes:
    """|f(x) − f(z)| against n = |z| for every map, with fitted power laws.

    Bars reach from the mean to the worst outcome of a random map. Grey lines have the proven
    rate and the paper's.

    Args:
        report: what `measure_slopes` returned.
        family: which inputs; default the first family of the report.
        ax: where to draw; a new figure if None.

    Raises:
        InputError: no such family in the report.
    """
    ax = _axes(ax)
    lines = report.lines()
    families = list(dict.fromkeys(name for name, _ in lines))
    family = families[0] if family is None and families else family
    if family not in families:
        raise InputError("family", family, f"one of {', '.join(families)}")
    for number, ((name, map), rows) in enumerate(
        (key, rows) for key, rows in lines.items() if key[0] == family
    ):
        lengths = np.array([row.short_length for row in rows])
        errors = np.array([row.error for row in rows])
        fit = report.fit(name, map)
        label = map if fit is None else f"{map}: {fit}"
        upper = np.array([row.worst for row in rows]) - errors
        style = _style(number)
        ax.errorbar(lengths, errors, [np.zeros_like(upper), upper], label=label, **style)
        rate = -1 / 3 if map == CHAIN else report.proven_exponent
        ax.plot(
            lengths,
            errors[0] * 0.8 * (lengths / lengths[0]) ** rate,
            color="0.55",
            linewidth=0.9,
            linestyle=style["linestyle"],
            label=f"{'paper' if map == CHAIN else 'proven'}: $n^{{{_power(rate)}}}$",
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="length $n$ of $z$ (tokens)",
        ylabel="$|f(x) - f(z)|$",
    )
    for axis in (ax.xaxis, ax.yaxis):
        _plain_log_ticks(axis)
    _finish(ax, title=f"{family}; fitted slopes and rates", below=True)
    return ax


def slopes_figure(reports: Sequence[SlopeReport]) -> Figure:
    """The first family of every report, one panel under the other, at column width (3.4 in)."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.4, 3.0 * len(reports)), layout="constrained")
    for report, ax in zip(reports, result.subplots(len(reports), squeeze=False)[:, 0], strict=True):
        slopes(report, ax=ax)
        ax.set_title(report.name, fontsize=8, loc="left")
    return result


def k_gram_error(
    rows: Sequence[KGramError], *, series: str = "length", ax: Axes | None = None
) -> Axes:
    """Error of the k-gram weights against the sharpness, the worst over the families of inputs.

    Args:
        rows: from `verify.tasks.k_gram_error.k_gram_errors`.
        series: field that makes lines: "length", "k", "vocabulary_size", "positional_margin"
            or "family".
        ax: where to draw; a new figure if None.

    Raises:
        InputError: no rows with an error, or no such field.
    """
    ax = _axes(ax)
    titles = {
        "length": "length $T$",
        "k": "context $k$",
        "vocabulary_size": "tokens |Σ|",
        "positional_margin": "margin γ",
        "family": "inputs",
    }
    if series not in titles:
        raise InputError("series", series, f"one of {', '.join(titles)}")
    usable = [row for row in rows if row.error is not None]
    if not usable:
        raise InputError("rows", rows, "at least one row with an error")
    for number, value in enumerate(dict.fromkeys(getattr(row, series) for row in usable)):
        worst: dict[float, float] = {}
        for row in usable:
            if getattr(row, series) == value and row.error is not None:
                worst[row.sharpness] = max(worst.get(row.sharpness, 0.0), row.error)
        at = sorted(worst)
        label = f"{value:,}" if isinstance(value, int) else str(value)
        ax.plot(at, [worst[s] for s in at], label=label, **_style(number))
    ax.set(yscale="log", xlabel="sharpness $s$ (logit per matched token)", ylabel="largest error")
    _finish(ax, title=titles[series])
    return ax


def _bare(heads: tuple[Head, ...]) -> LimitTransformer:
    """One token, one coordinate: nothing but the lag biases."""
    one = np.ones((1, 1))
    return LimitTransformer(one, np.zeros((1, 1)), (Layer(heads),), one, None)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(3.4, 2.6), layout="constrained").subplots()


def _style(number: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _DASHES[number % len(_DASHES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.2,
    }


def _power(rate: float) -> str:
    return str(Fraction(rate).limit_denominator(100))


def _plain_log_ticks(axis: Axis) -> None:
    """1, 2, 5, 10, … as plain numbers: most of these axes span little more than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _finish(ax: Axes, title: str | None = None, *, below: bool = False) -> None:
    """Small print for column width; the legend under the axes where lines leave no room."""
    place: dict[str, Any] = {}
    if below:
        place = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.2), "ncols": 2}
    ax.legend(title=title, fontsize=7, title_fontsize=7, frameon=False, **place)
    ax.tick_params(labelsize=7)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
