"""Statistics of a results file: plateaus, rank correlations, slopes, generalization lengths.

Everything works on rows alone (no jax, no weights), keeps every run whether it fitted or not, and
takes its confidence intervals from resampling seeds within each cell (difficulty, length).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from verify.errors import InputError

Row = dict[str, Any]
Floats = NDArray[np.float64]
RESAMPLES = 2000
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Panel:
    """Losses of one experiment on one test distribution: (difficulty, training length, seed, T)."""

    experiment: str
    test_distribution: str
    sweep: str
    difficulties: tuple[float, ...]
    training_lengths: tuple[int, ...]
    test_lengths: tuple[int, ...]
    loss: Floats

    @property
    def plateau(self) -> Floats:
        """Loss at the longest test length (difficulty, training length, seed)."""
        return self.loss[..., -1]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval (level `LEVEL`, percentile bootstrap over seeds)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Value and interval, two decimals."""
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def panel(rows: Sequence[Row], experiment: str, test_distribution: str | None = None) -> Panel:
    """Arrange the rows of one experiment; by default on the distribution that it trained on.

    Raises:
        InputError: the rows hold no such experiment, or not one loss per cell.
    """
    own = [row for row in rows if row["experiment"] == experiment]
    if not own:
        known = sorted({row["experiment"] for row in rows})
        raise InputError("experiment", experiment, f"one of {known}")
    wanted = test_distribution or own[0]["distribution"]
    own = [row for row in own if row["test_distribution"] == wanted]
    axes = [
        sorted({row[name] for row in own})
        for name in ("difficulty", "training_length", "seed", "test_length")
    ]
    loss = np.full([len(axis) for axis in axes], np.nan)
    index = [{value: i for i, value in enumerate(axis)} for axis in axes]
    for row in own:
        names = ("difficulty", "training_length", "seed", "test_length")
        loss[tuple(index[a][row[name]] for a, name in enumerate(names))] = row["loss"]
    if not own or np.isnan(loss).any():
        raise InputError("rows", wanted, "one loss for every difficulty, length and seed")
    d, n, _, t = axes
    return Panel(experiment, wanted, own[0]["sweep"], tuple(d), tuple(n), tuple(t), loss)


def flatness(p: Panel) -> list[Row]:
    """Is the plateau flat? Per cell: change between the two longest test lengths against seeds.

    `change`: relative change of the median loss; `spread`: (max − min)/median over seeds at the
    longest test length; `flat`: |change| ≤ spread.
    """
    rows = []
    for a, difficulty in enumerate(p.difficulties):
        for b, length in enumerate(p.training_lengths):
            before, last = np.median(p.loss[a, b, :, -2:], axis=0)
            change = float(last / before - 1)
            seeds = p.plateau[a, b]
            spread = float((seeds.max() - seeds.min()) / np.median(seeds))
            rows.append(
                {
                    "difficulty": difficulty,
                    "training_length": length,
                    "change": change,
                    "spread": spread,
                    "flat": abs(change) <= spread,
                }
            )
    return rows


def drift(p: Panel) -> Estimate:
    """Exponent b of loss ∝ Tᵇ over the last five test lengths, mean over all runs; 0: a plateau.

    It sees what `flatness` cannot: a slow trend that all seeds share.
    """
    steps = np.log2(p.test_lengths[-1] / p.test_lengths[-5:][0])

    def exponent(loss: Floats) -> Floats:
        means: Floats = loss.mean(axis=(-3, -2, -1))
        return means

    return _bootstrap(np.log2(p.loss[..., -1] / p.loss[..., -5:][..., 0]) / steps, exponent)


def spearman_by_training_length(p: Panel) -> Estimate:
    """Rank correlation of plateau and training length: mean over difficulties."""
    return _bootstrap(p.plateau, _mean_spearman)


def spearman_by_difficulty(p: Panel) -> Estimate:
    """Rank correlation of plateau and difficulty: mean over training lengths."""
    return _bootstrap(p.plateau, lambda x: _mean_spearman(x.swapaxes(-3, -2)))


def slope(p: Panel, difficulty: int) -> Estimate:
    """Least-squares slope of log(root of the plateau) against log(training length)."""
    x = np.log2(np.array(p.training_lengths, dtype=np.float64))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()

    def fit(plateau: Floats) -> Floats:
        means: Floats = 0.5 * np.log2(plateau[..., 0, :, :]).mean(axis=-1) @ weights
        return means

    return _bootstrap(p.plateau[difficulty : difficulty + 1], fit)


def exceptions(p: Panel) -> list[str]:
    """Neighbouring cells whose median plateaus are in the order that theory does not expect."""
    median = np.median(p.plateau, axis=2)
    found = []
    for a, difficulty in enumerate(p.difficulties):
        for b in range(len(p.training_lengths) - 1):
            if median[a, b + 1] > median[a, b]:
                pair = f"n = {p.training_lengths[b]} → {p.training_lengths[b + 1]}"
                found.append(
                    f"{p.sweep} = {difficulty:g}, {pair}: {median[a, b]:.1e} → "
                    f"{median[a, b + 1]:.1e}"
                )
    for b, length in enumerate(p.training_lengths):
        for a in range(len(p.difficulties) - 1):
            if median[a + 1, b] < median[a, b]:
                pair = f"{p.sweep} = {p.difficulties[a]:g} → {p.difficulties[a + 1]:g}"
                found.append(f"n = {length}, {pair}: {median[a, b]:.1e} → {median[a + 1, b]:.1e}")
    return found


def generalization_length(p: Panel, difficulty: int, epsilon: float) -> int | None:
    """Least training length from which on the median root plateau stays at most ε; None if none."""
    below = np.sqrt(np.median(p.plateau[difficulty], axis=1)) <= epsilon
    from_here = np.logical_and.accumulate(below[::-1])[::-1]
    return p.training_lengths[int(from_here.argmax())] if from_here.any() else None


def spearman(x: Sequence[float], y: Sequence[float]) -> Estimate:
    """Rank correlation of paired numbers, with the interval from resampling pairs."""
    pairs = np.array([x, y], dtype=np.float64)
    rng = np.random.default_rng(0)
    a, b = pairs[:, rng.integers(0, pairs.shape[1], (RESAMPLES, pairs.shape[1]))]
    return _estimate(float(_rank_correlation(*pairs)), _rank_correlation(a, b))


def _mean_spearman(plateau: Floats) -> Floats:
    """Mean over axis −3 of the rank correlation between axis −2 and the values (…, seeds)."""
    *_, steps, seeds = plateau.shape
    order = np.broadcast_to(
        np.repeat(np.arange(steps), seeds), (*plateau.shape[:-2], steps * seeds)
    )
    correlations: Floats = _rank_correlation(order, plateau.reshape(order.shape)).mean(axis=-1)
    return correlations


def _rank_correlation(x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Spearman's correlation along the last axis; 0 where one side is constant."""
    a, b = (rankdata(side, axis=-1) for side in (x, y))
    a, b = (side - side.mean(axis=-1, keepdims=True) for side in (a, b))
    scale = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    product: Floats = (a * b).sum(axis=-1)
    quotient: Floats = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    return quotient


def _bootstrap(plateau: Floats, statistic: Callable[[Floats], Floats]) -> Estimate:
    """Interval from drawing seeds with replacement in every cell (last axis)."""
    picks = np.random.default_rng(0).integers(
        0, plateau.shape[-1], (RESAMPLES, *plateau.shape), dtype=np.int8
    )
    resampled = np.take_along_axis(plateau[None], picks.astype(np.intp), axis=-1)
    return _estimate(float(statistic(plateau)), statistic(resampled))


def _estimate(value: float, resampled: Floats) -> Estimate:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def group_by(rows: Sequence[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, in order of first appearance."""
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return dict(groups)
