"""Figures of required lengths. Every function takes and returns matplotlib Axes.

What a curve is worth shows in its dash, in every figure: proved solid, necessary dotted, an order
of growth dashed, which is no guarantee. Series differ in colour, marker and lightness, so that
they survive a greyscale printer and eyes that see no difference between red and green; text and
frames take the colours of the style in force, so that a dark background works too. Legends stand
below the axes, where no data are.

    with figures.style():
        ax = figures.length_curve(table, "epsilon", series="period")
        figures.save(ax, "lengths")
"""

from bounds.figures.bars import sensitivities, terms
from bounds.figures.curves import bracket_curve, length_curve, term_curves
from bounds.figures.maps import length_map
from bounds.figures.style import WIDTHS, save, style

__all__ = [
    "WIDTHS",
    "bracket_curve",
    "length_curve",
    "length_map",
    "save",
    "sensitivities",
    "style",
    "term_curves",
    "terms",
]
