"""The balanced short input: which window of each block stands for the block.

[derived, Lemma B3⁺]. Given functions p(w_i, μ_i) of the last τ+1 symbols and of the histogram
of the prefix, find z with |z| = n such that the averages of p over all positions of x and of z
differ by O(n^(−1/2)). Block k of x freezes what the prefix does: the histogram at its value μ̄_k at
the end of the block. So p becomes a function of w alone, which may be another one in every block;
every cyclic window of the block is then a vector (type counts, sum of p_k(w)) whose mean over all
windows is that of the block, and vector balancing picks one window per block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.errors import CertificateError
from verify.simulation.softmax.balancing import Balancer
from verify.simulation.softmax.blocks import BlockPlan, Windows

Floats = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Suffixes:
    """What p sees of N positions besides the histogram.

    Attributes:
        tokens: (N, τ+1): x_i, x_{i−1}, …, x_{i−τ}; token 0 stands for what precedes x.
        residues: (N,): i mod Δ.
    """

    tokens: Tokens
    residues: Tokens


@dataclass(frozen=True)
class Piece:
    """What p may depend on in one block.

    Attributes:
        number: k, from 1 on.
        suffixes: N different suffixes, those that occur in the block.
        histogram: μ̄_k, (Δ, |Σ|), sums to 1: of x up to the end of the block, row i mod Δ.
    """

    number: int
    suffixes: Suffixes
    histogram: Floats


Features = Callable[[Piece], Floats]
"""p_k: the values at the N suffixes of a piece, (N, m), with a range of the order of 1."""


@dataclass(frozen=True)
class BalancedInput:
    """z and how it was put together.

    Attributes:
        short: z.
        fragments: (start, count) of every run of x in z, 0-based symbols; the tail is last.
        dimension: d = Δ(|Σ|−1) + m, the number of balanced coordinates.
        most_undecided: largest number of undecided windows at any time (≤ d).
        drift: (K, d); row k is the sum over the pieces up to k of (window − block), in symbols
            for the counts (tokens 1..|Σ|−1 of each residue class) and in sums of p for the rest.
    """

    short: Tokens
    fragments: tuple[tuple[int, int], ...]
    dimension: int
    most_undecided: int
    drift: Floats


def suffix_types(x: Tokens, locality: int, period: int) -> tuple[Suffixes, Tokens]:
    """The distinct suffixes of x, and for every position which of them it has."""
    code = np.arange(1, len(x) + 1, dtype=np.int64) % period
    first = np.arange(len(x))
    for lag in range(locality + 1):
        # Renumbering after each lag keeps the codes below T · |Σ|.
        shifted = _shift(x, lag)
        _, first, code = np.unique(
            code * (int(shifted.max()) + 1) + shifted, return_index=True, return_inverse=True
        )
    tokens = np.stack([_shift(x, lag)[first] for lag in range(locality + 1)], axis=1)
    return Suffixes(tokens, (first + 1) % period), code


def balance_windows(
    x: Tokens,
    features: Sequence[Features],
    plan: BlockPlan,
    *,
    vocabulary_size: int,
    locality: int,
) -> BalancedInput:
    """Choose a window of every block of `plan` for all `features` at once, and build z.

    Args:
        x: (T,) tokens, T = plan.total.
        features: functions whose averages z keeps; m is the sum of their dimensions. Each is
            evaluated once per block, on the suffixes that occur in it.
        plan: the blocks.
        vocabulary_size: |Σ|.
        locality: τ.

    Raises:
        CertificateError: the re-checked balance of the type counts does not hold.
    """
    period, pieces = plan.period, plan.pieces
    types, type_of = suffix_types(x, locality, period)
    block_counts = np.zeros((period, vocabulary_size), dtype=np.int64)
    balancer: Balancer | None = None
    windows: list[Windows] = []
    vectors: list[Callable[[Tokens], Floats]] = []
    for k in range(1, pieces + 1):
        low, high = plan.span(k)
        overlap = plan.overlap(k)
        symbols = slice(low * period, high * period)
        block = x[symbols].reshape(-1, period)
        for token in range(vocabulary_size):
            block_counts[:, token] += overlap @ (block == token)
        # Column u of a block holds the positions with i mod Δ = (u + 1) mod Δ.
        histogram = np.roll(block_counts, 1, axis=0) / (plan.end(k) * period)
        values = _values(features, k, types, type_of[symbols], histogram)
        values = values.reshape(high - low, period, -1).sum(axis=1)
        counts = block[:, :, None] == np.arange(1, vocabulary_size)
        rows = np.concatenate([counts.reshape(high - low, -1), values], axis=1)
        balancer = balancer or Balancer(rows.shape[1])
        windows.append(plan.windows(k))
        vectors.append(_Deviations(rows, overlap, windows[-1], low))
        balancer.add(len(windows[-1].weights), vectors[-1])
    assert balancer is not None  # a plan has at least one piece
    choices = balancer.finish()
    chosen = [v(np.array([c]))[0] for v, c in zip(vectors, choices, strict=True)]
    drift = np.cumsum(chosen, axis=0)
    _check_counts(drift, plan, vocabulary_size, balancer.dimension)
    fragments = _fragments(windows, choices, plan)
    short = np.concatenate([x[start : start + count] for start, count in fragments])
    return BalancedInput(short, fragments, balancer.dimension, balancer.most_undecided, drift)


class _Deviations:
    """Sums of rows over windows of a block, minus what the block has on average."""

    def __init__(self, rows: Floats, overlap: Tokens, windows: Windows, low: int) -> None:
        # Every window has the same number of rows, so the rows can be centred beforehand.
        centred = rows - overlap @ rows / overlap.sum()
        self._sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(centred, axis=0)])
        self._windows = windows
        self._low = low

    def __call__(self, indices: Tokens) -> Floats:
        w, sums = self._windows, self._sums
        first = w.first[indices] - self._low
        # A second run of no periods may start anywhere; its sum is 0 wherever that is.
        second = np.where(w.second_count[indices] > 0, w.second[indices] - self._low, 0)
        total: Floats = (
            sums[first + w.first_count[indices]]
            - sums[first]
            + sums[second + w.second_count[indices]]
            - sums[second]
        )
        return total


def _values(
    features: Sequence[Features], k: int, types: Suffixes, type_of: Tokens, histogram: Floats
) -> Floats:
    """p_k at every position of a block, evaluated once per distinct suffix."""
    present, where = np.unique(type_of, return_inverse=True)
    piece = Piece(k, Suffixes(types.tokens[present], types.residues[present]), histogram)
    values = [part(piece) for part in features]
    joined = np.concatenate(values, axis=1) if values else np.zeros((len(present), 0))
    return joined[where]


def _check_counts(drift: Floats, plan: BlockPlan, vocabulary_size: int, dimension: int) -> None:
    """Half the ℓ₁ drift of the type counts is at most dΔλ_k after every piece k."""
    coordinates = plan.period * (vocabulary_size - 1)
    counts = drift[:, :coordinates].reshape(plan.pieces, plan.period, -1)
    variation = 0.5 * (np.abs(counts).sum(axis=(1, 2)) + np.abs(counts.sum(axis=2)).sum(axis=1))
    pieces = [plan.schedule.piece(k) for k in range(1, plan.pieces + 1)]
    allowed = dimension * plan.period * np.array(pieces)
    if (variation > allowed + 1e-6).any():
        k = int(np.argmax(variation - allowed)) + 1
        raise CertificateError(
            f"piece {k}: the type counts drift by {variation[k - 1]}, more than {allowed[k - 1]}"
        )


def _fragments(
    windows: list[Windows], choices: list[int], plan: BlockPlan
) -> tuple[tuple[int, int], ...]:
    """The runs of x that z consists of, in symbols; the kept tail last."""
    runs: list[tuple[int, int]] = []
    for w, c in zip(windows, choices, strict=True):
        runs.append((int(w.first[c]), int(w.first_count[c])))
        runs.append((int(w.second[c]), int(w.second_count[c])))
    scaled = [(start * plan.period, count * plan.period) for start, count in runs if count]
    return (*scaled, (plan.total - plan.tail, plan.tail))


def _shift(x: Tokens, lag: int) -> Tokens:
    """x_{i−lag} at every position i; 0 where there is none."""
    if lag == 0:
        return x
    return np.concatenate([np.zeros(min(lag, len(x)), dtype=np.int64), x[: max(len(x) - lag, 0)]])
