"""What all figures share: sizes, colours, dashes, labels, and how they are saved."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bounds.errors import BoundsError, ParameterError, Problem
from bounds.parameters import BY_KEYWORD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS: Mapping[str, float] = {"column": 3.25, "text": 6.75}
"""Widths in inches, by name."""

# Okabe and Ito's colours, in an order in which neighbours differ in lightness; every one of
# them has a contrast of 1.9 or more to white and of 3 or more to black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7")
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "0.55"
"""A grey that shows on white and on black."""

DASHES: Mapping[str, Any] = {
    "proved": "-",
    "order of growth": (0, (5, 2)),
    "necessary": (0, (1, 1.3)),
    "stated": "-.",
    "failure": (0, (3, 1, 1, 1, 1, 1)),
}
"""What a curve is worth, and its dash."""

_FONTS: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
_SIZES: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.title_fontsize": 7.0,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
}
_DARK: dict[Any, Any] = {
    "figure.facecolor": "#101418",
    "axes.facecolor": "#101418",
    "savefig.facecolor": "#101418",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"),
        "#e8e8e8",
    ),
}

_MARKS = {
    "epsilon": r"$\varepsilon$",
    "target": r"$\eta$",
    "lipschitz": "$L$",
    "lipschitz_euclidean": r"$\Lambda$",
    "vocabulary_size": r"$|\Sigma|$",
    "period": r"$\Delta$",
    "locality": r"$\tau$",
    "heads": "$H$",
    "precision_bits": "$p$",
    "margin": r"$\gamma$",
    "positional_margin": r"$\gamma$",
    "logit_range": "$R$",
    "logit_range_columns": "$R_c$",
    "logit_range_last": "$R_2$",
    "tie_tolerance": r"$\kappa$",
    "horizon": "$T_*$",
    "alpha_min": r"$\alpha_0$",
    "alpha_total": "$A$",
}


@contextmanager
def style(*, width: str | float = "column", dark: bool = False, **more: Any) -> Iterator[None]:
    """A context in which new figures have the size and print of a paper; nothing stays changed.

    Args:
        width: "column" (3.25 in), "text" (6.75 in) or inches.
        dark: a dark background.
        **more: rcParams of your own, with `_` for `.`: `font_family="serif"`.
    """
    from matplotlib import rc_context, rcParams

    own: dict[Any, Any] = {}
    for name, value in more.items():
        found = [key for key in rcParams if key.replace(".", "_") == name]
        if not found:
            raise ParameterError([Problem(name, value, "an rcParam with _ for .")])
        own[found[0]] = value
    size: dict[Any, Any] = {"figure.figsize": (inches(width), 0.75 * inches(width))}
    with rc_context({**_FONTS, **_SIZES, **size, **(_DARK if dark else {}), **own}):
        yield


def save(
    drawing: Axes | Figure,
    name: str | Path,
    *,
    width: str | float | None = "column",
    formats: Sequence[str] = ("pdf", "svg"),
) -> list[Path]:
    """Write a figure at the width of a paper, one file per format.

    PDF has its fonts embedded as TrueType (no Type 3, which journals refuse), SVG its text as
    text. PGF and PGF's PDF need a TeX system: matplotlib asks it for the sizes of all text.

    Args:
        drawing: Axes, or their figure.
        name: the path without its ending; an ending that is a format is the only one written.
        width: "column" (3.25 in), "text" (6.75 in), inches, or None for the figure's own.
        formats: of "pdf", "svg", "png", "eps", "pgf".

    Returns:
        The paths written.

    Raises:
        BoundsError: PGF without a TeX system.
        ParameterError: no such format or width.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = drawing if isinstance(drawing, Figure) else drawing.get_figure(root=True)
    assert figure is not None
    path = Path(name)
    if path.suffix[1:] in _FORMATS:
        path, formats = path.with_suffix(""), (path.suffix[1:],)
    wrong = [f for f in formats if f not in _FORMATS]
    if wrong:
        raise ParameterError(
            [Problem("formats", f, "one of " + ", ".join(_FORMATS)) for f in wrong]
        )
    if "pgf" in formats and not any(map(shutil.which, _TEX)):
        raise BoundsError(
            f"PGF needs a TeX system (one of {', '.join(_TEX)}), and none is on the path: save as "
            'pdf or svg, or use \\includegraphics with the "pdf"'
        )
    if width is not None:
        wide, high = figure.get_size_inches()
        figure.set_size_inches(inches(width), high * inches(width) / wide)
    written = []
    with rc_context(_FONTS):
        for ending in formats:
            written.append(Path(f"{path}.{ending}"))
            backend = "pgf" if ending == "pgf" else None
            figure.savefig(written[-1], format=ending, backend=backend, dpi=_DPI)
    return written


_FORMATS = ("pdf", "svg", "png", "eps", "pgf")
_TEX = ("xelatex", "lualatex", "pdflatex")
_DPI = 200


def inches(width: str | float) -> float:
    """A width in inches.

    Raises:
        ParameterError: neither a name nor a positive number.
    """
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    if isinstance(width, (int, float)) and 0 < width < 100:
        return float(width)
    raise ParameterError([Problem("width", width, "'column', 'text' or inches")])


def own_axes(ax: Axes | None) -> Axes:
    """`ax`, or the axes of a new figure that pyplot does not know."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()


def label(column: str) -> str:
    """A column as axes name it: in words and, where the papers have one, by its symbol."""
    if column in BY_KEYWORD:
        name = column.replace("_", " ")
        return f"{name} {_MARKS[column]}" if column in _MARKS else name
    return safe(column)


def mark(column: str) -> str:
    """The symbol of a parameter, or its name."""
    return _MARKS.get(column, column.replace("_", " "))


def safe(text: str) -> str:
    """Text that TeX takes where `text.usetex` is on."""
    from matplotlib import rcParams

    return text.replace("_", r"\_") if rcParams["text.usetex"] else text


def ink() -> Any:
    """The colour of text, which shows on the background in force."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def log2_ticks(ax: Axes, which: str) -> None:
    """Ticks of a linear axis of log2 values: powers of two, few and whole."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = ax.yaxis if which == "y" else ax.xaxis
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_two(value)))


def parameter_scale(ax: Axes, which: str, keyword: str, places: Sequence[float]) -> None:
    """A logarithmic axis for values that span a factor of 8 (integers: 64); few plain ticks."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    axis = ax.xaxis if which == "x" else ax.yaxis
    if not is_logarithmic(keyword, places):
        return
    low, high = min(places), max(places)
    base = 2 if all(math.log2(p) == round(math.log2(p)) for p in places) else 10
    (ax.set_xscale if which == "x" else ax.set_yscale)("log", base=base)
    if base == 10 and high < 200 * low:  # too few powers of ten for ticks
        values = sorted(set(places))
        axis.set_major_locator(FixedLocator(values[:: -(-len(values) // 6)]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def is_logarithmic(keyword: str, places: Sequence[float]) -> bool:
    """Whether an axis of these values is logarithmic."""
    whole = keyword in BY_KEYWORD and BY_KEYWORD[keyword].kind == "integer"
    return min(places) > 0 and max(places) >= (64 if whole else 8) * min(places)


def power_of_two(exponent: float) -> str:
    """2 to a whole power, in mathtext."""
    if abs(exponent) >= 10**6:
        digits = len(str(int(abs(exponent)))) - 1
        return rf"$2^{{{exponent / 10**digits:g} \cdot 10^{{{digits}}}}}$"
    return f"$2^{{{exponent:.0f}}}$"


_BELOW = 3.9
"""From the axes to the legend, in heights of the print: ticks and label lie between."""
_LONG_LABEL = 24
"""Longer labels stand in one column."""


def legend_below(ax: Axes, handles: Sequence[Any], *, columns: int = 2) -> None:
    """A legend under the axes: it covers no data, and constrained layouts make room for it."""
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -_BELOW * rcParams["font.size"] / 72, ax.figure.dpi_scale_trans)
    long = max(len(str(handle.get_label())) for handle in handles) > _LONG_LABEL
    legend = ax.legend(
        handles=list(handles),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        ncols=1 if long else columns,
        frameon=False,
        handlelength=2.6,
        columnspacing=1.2,
        borderaxespad=0.0,
        fontsize=7,
    )
    legend.set_in_layout(True)


def open_frame(ax: Axes) -> None:
    """Only the two axes that carry numbers."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
