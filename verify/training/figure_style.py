"""What all figures of the experiments share: one style per series, axes of their own, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vP*X"


def styles(values: Sequence[Any]) -> list[tuple[Any, dict[str, Any]]]:
    """Each value with a colour (light to dark, so that grey works) and a marker of its own."""
    from matplotlib import colormaps

    shades = np.linspace(0.85, 0.0, len(values)) if len(values) > 1 else [0.3]
    return [
        (value, {"color": colormaps["viridis"](shade), "marker": marker, "ms": 3, "lw": 1.1})
        for value, shade, marker in zip(values, shades, MARKERS * 3, strict=False)
    ]


def axes(ax: Axes | None) -> Axes:
    """The given Axes, or new ones as wide as a column of print, outside pyplot."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(3.4, 2.6), layout="constrained").add_subplot()


def legend(ax: Axes, title: str, *, columns: int = 0) -> None:
    """A legend with its title, and labels of a size that a column of print can hold.

    With `columns` it stands below the axes, in so many columns: curves that fill the axes.
    """
    ax.tick_params(labelsize=7)
    ax.xaxis.label.set_fontsize(8)
    ax.yaxis.label.set_fontsize(8)
    place: dict[str, Any] = {}
    if columns:
        from matplotlib.transforms import ScaledTranslation

        below = ScaledTranslation(0, -0.42, ax.figure.dpi_scale_trans)  # inches
        place = {"loc": "upper center", "bbox_to_anchor": (0.45, 0), "ncols": columns}
        place |= {"bbox_transform": ax.transAxes + below, "columnspacing": 1.2}
    ax.legend(title=title, fontsize=6, title_fontsize=6.5, frameon=False, **place)
