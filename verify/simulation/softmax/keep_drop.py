"""The random keep/drop chain behind the paper's simulation lemma.

[izzo2025, Lemma 5.3]: a two-state Markov chain on {keep, drop} walks over the positions of x; z
is what it keeps, in long contiguous pieces. The averages of a function of the last τ+1 symbols
and the histogram over x and over z then differ by O(n^(−1/3)).

What the sources do not state, and what stands here: the chain starts in its stationary law, the
share of kept positions is n/T, and the mean length of a kept piece is n^(1/3) (the balance of
2τ symbols of wrong suffix per piece against independent choices of n/piece pieces). With
Δ-periodic positions the chain walks over whole periods, so that kept symbols keep their residue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Runs = list[tuple[int, int]]


def kept_runs(units: int, wanted: float, mean_piece: float, rng: np.random.Generator) -> Runs:
    """Runs (start, count) of the units 0..units−1 that the chain keeps.

    Args:
        units: length of the walk.
        wanted: expected number of kept units, 0 < wanted ≤ units.
        mean_piece: mean length of a kept run, ≥ 1.
        rng: source of randomness.
    """
    share = wanted / units
    if share >= 1:
        return [(0, units)]
    stop = 1 / max(mean_piece, 1.0)
    resume = min(1.0, stop * share / (1 - share))
    keeping = bool(rng.random() < resume / (stop + resume))
    runs: Runs = []
    position = 0
    while position < units:
        # Geometric: the number of steps until the state changes, at least 1.
        count = min(int(rng.geometric(stop if keeping else resume)), units - position)
        if keeping:
            runs.append((position, count))
        position += count
        keeping = not keeping
    return runs


def keep(x: NDArray[np.int64], runs: Runs, *, period: int, tail: int) -> NDArray[np.int64]:
    """z: the kept runs of whole periods, then the last `tail` symbols of x."""
    pieces = [x[start * period : (start + count) * period] for start, count in runs]
    return np.concatenate([*pieces, x[len(x) - tail :]])
