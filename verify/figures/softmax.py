"""Figures of softmax models: regimes of heads, errors against length, and the k-gram task.

Every function draws on Axes and returns them. Lines differ in dash and marker, not only in
colour, so that they survive a greyscale printer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify.checks.slope_report import SlopeReport, SlopeRow
from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.tasks.k_gram_error import KGramError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["attention_on_suffix", "k_gram_error", "regimes", "slopes", "slopes_figure"]

_COLOURS = ("#1b4965", "#c1440e", "#6b8e23", "#7b4b94", "#444444", "#b8860b", "#2a9d8f")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "x")


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


def slopes(
    report: SlopeReport,
    family: str | None = None,
    *,
    map: str | None = None,
    fits: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """|f(x) − f(z)| of one map against n = |z|, a line per family of inputs, and what is proved.

    The thick grey line is the proven error itself; the thin one is what the error can be for any
    z (a proven error above it says nothing). A map without a proven error gets a line of the
    paper's slope through the largest first error, and the legend calls it a slope. Bars reach
    from the mean to the worst outcome of a random map. Inputs that were not shortened are left
    out.

    Args:
        report: what `measure_slopes` returned.
        family: which inputs; default all families of the report.
        map: which map; default the first of the report, the theorem's own.
        fits: whether the legend has the fitted slopes.
        ax: where to draw; a new figure if None.

    Raises:
        InputError: no such family or map in the report.
    """
    ax = _axes(ax, height=3.4)
    lines = report.lines()
    families = list(dict.fromkeys(name for name, _ in lines))
    maps = list(dict.fromkeys(name for _, name in lines))
    if family is not None and family not in families:
        raise InputError("family", family, f"one of {', '.join(families)}, or None")
    if map is not None and map not in maps:
        raise InputError("map", map, f"one of {', '.join(maps)}, or None")
    map = maps[0] if map is None and maps else map
    drawn = []
    for number, name in enumerate(families):
        rows = [r for r in lines.get((name, map or ""), []) if r.short_length < r.input_length]
        if family not in (None, name) or not rows:
            continue
        drawn += rows
        errors = np.array([row.error for row in rows])
        upper = np.array([row.worst for row in rows]) - errors
        fit = report.fit(name, map or "")
        ax.errorbar(
            [row.short_length for row in rows],
            errors,
            np.array([np.zeros_like(upper), upper]),
            label=f"{name}: {fit}" if fits and fit else name,
            **_style(number),
        )
    if drawn:
        _draw_claims(ax, drawn)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="length $n$ of $z$ (tokens)",
        ylabel="$|f(x) - f(z)|$",
    )
    _finish(ax)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        labels,
        title="inputs and fitted slopes" if fits else "inputs",
        loc="upper center",
        bbox_to_anchor=(0.4, -0.24),
        ncols=2,
        fontsize=6,
        title_fontsize=6.5,
        frameon=False,
        handlelength=2.4,
        columnspacing=0.8,
    )
    return ax


def _draw_claims(ax: Axes, rows: Sequence[SlopeRow]) -> None:
    """The proven error and the largest possible one; without the former, the paper's slope."""
    proven: dict[int, float] = {}
    for row in rows:
        if row.proven_error is not None and np.isfinite(row.proven_error):
            proven[row.length] = max(proven.get(row.length, 0.0), row.proven_error)
    lengths = sorted({row.length for row in rows})
    if proven:
        at = sorted(proven)
        style: dict[str, Any] = {"color": "0.55", "linewidth": 2.4, "zorder": 1}
        ax.plot(at, [proven[n] for n in at], label="proven error", **style)
    else:
        top = max(row.error for row in rows if row.length == lengths[0])
        guide = top * (np.array(lengths) / lengths[0]) ** (-1 / 3)
        style = {"color": "0.55", "linewidth": 1.2, "linestyle": (0, (1, 1)), "zorder": 1}
        ax.plot(lengths, guide, label="slope −1/3 (paper), not a bound", **style)
    largest = max(row.largest_error for row in rows)
    if np.isfinite(largest):
        ax.axhline(largest, color="0.35", linewidth=0.8, label="largest for any z", zorder=1)


def slopes_figure(reports: Sequence[SlopeReport]) -> Figure:
    """Every map of every report, all families, three panels to a row, at page width (6.8 in).

    The legend is common; fitted slopes are in the tables.
    """
    from matplotlib.figure import Figure

    panels = [
        (report, map)
        for report in reports
        for map in dict.fromkeys(name for _, name in report.lines())
    ]
    columns = min(3, max(1, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    width = 6.8 if columns > 1 else 3.4
    result = Figure(figsize=(width, 0.8 + 2.0 * rows), layout="constrained")
    grid = result.subplots(rows, columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for ax, (report, map) in zip(grid, panels, strict=False):
        slopes(report, map=map, fits=False, ax=ax)
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            # Runs have a length that differs from report to report.
            handles.setdefault("runs" if label.startswith("runs of") else label, handle)
        ax.get_legend().remove()
        ax.set_title(f"{report.name}\n{map}", fontsize=7, loc="left")
        ax.tick_params(labelsize=6)
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set_fontsize(7)
        if ax not in grid[::columns]:
            ax.set_ylabel("")
    for ax in grid[len(panels) :]:
        ax.remove()
    result.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4 if columns > 1 else 2,
        fontsize=6.5,
        frameon=False,
    )
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


def _axes(ax: Axes | None, height: float = 2.6) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(3.4, height), layout="constrained").subplots()


def _style(number: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _DASHES[number % len(_DASHES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.2,
    }


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
