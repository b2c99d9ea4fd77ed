"""One simulation, looked at: the counts of x and of z by residue and token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verify.simulation.argmax.one_layer import OneLayerSimulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def counts(simulation: OneLayerSimulation, *, ax: Axes | None = None) -> Axes:
    """Counts of every (residue, token) in the prefix of x and of z, on a logarithmic scale.

    Args:
        simulation: result of `verify.simulate` for a one-layer argmax pair.
        ax: where to draw; the current Axes if None.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.gca()
    before, after = simulation.summary, simulation.short_summary
    period, vocabulary_size = before.counts.shape
    places = range(period * vocabulary_size)
    styles = (
        (before, -0.2, f"x, T = {before.length:,}", "#d0d0d0"),
        (after, 0.2, f"z, |z| = {after.length:,}", "#1b4965"),
    )
    for summary, shift, label, colour in styles:
        heights = [int(c) for row in summary.counts.tolist() for c in row]
        ax.bar(
            [p + shift for p in places],
            heights,
            width=0.38,
            label=label,
            color=colour,
            edgecolor="black",
            linewidth=0.6,
        )
    ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(0, 300 * max(1, int(before.counts.max())))  # the legend needs room
    names = [
        str(token) if period == 1 else f"{residue},{token}"
        for residue in range(period)
        for token in range(vocabulary_size)
    ]
    ax.set_xticks(places, names)
    ax.set_xlabel("token" if period == 1 else "residue, token")
    ax.set_ylabel("positions (linear below 1)")
    ax.legend(
        title="input",
        ncols=2,
        loc="upper center",
        fontsize="small",
        title_fontsize="small",
        frameon=False,
        columnspacing=1.0,
    )
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax
