"""One softmax layer: z from the rounded histogram of the prefix, with error O(n^(−min(γ, 1)))."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.summaries import coarsened
from verify.simulation.result import Simulation
from verify.simulation.softmax.pair import SoftmaxPair, Tokens
from verify.simulation.softmax.proven_error import one_layer_error

THEOREM = "derived.one_layer_softmax"


@usual_float_errors
def simulate_softmax_one_layer(
    x: Any, f: LimitTransformer, g: LimitTransformer | None = None, *, length: int
) -> Simulation:
    """A short z on which f and g nearly repeat their outputs on x, |z| ≤ length.

    z has the type counts of the prefix of x, scaled down and rounded by largest remainders, in
    sorted order, and then the last tokens of x ([derived, Theorem B5]). |z| is the largest
    number ≡ T (mod Δ) that does not exceed `length`; x itself where it is short enough.

    Args:
        x: (T,) integers in 0..|Σ|−1.
        f: one layer in infinite precision.
        g: another such model on the same vocabulary, or None.
        length: largest |z| allowed; at least τ + Δ.

    Raises:
        InputError: x is no sequence of tokens, or length too small for the kept tail.
        WeightsError: f or g is outside the theorem.
    """
    pair = SoftmaxPair(f, g, layers=1)
    tokens = pair.sequence(x, length)
    if len(tokens) <= length:
        return pair.unchanged(pair.tokens(tokens, length), limit=length, theorem=THEOREM)
    tail = pair.tail(len(tokens))
    if length < tail:
        raise InputError("length", length, f"at least the kept tail, {tail}")
    summary = pair.summary(tokens, tail - 1)  # the one read of all tokens
    z = rounded_input(summary, (length - tail) // pair.period, tail)
    proven = [
        one_layer_error(model, len(z), tail=tail, period=pair.period, locality=pair.locality)
        for model in pair.models
    ]
    return pair.measured(
        tokens,
        z,
        limit=len(z),
        proven_error=max(proven),
        theorem=THEOREM,
        outputs=pair.outputs_of(summary),
    )


def rounded_input(x: Summary, periods: int, tail: int) -> Tokens:
    """`periods` whole periods with the rounded histogram of x, then the last `tail` tokens.

    Every residue class is rounded on its own.

    Args:
        x: the summary of T tokens, its suffix not shorter than the tail; T − tail a multiple
            of Δ.
        periods: number of periods before the tail.
        tail: number of last tokens kept.
    """
    period, vocabulary_size = x.counts.shape
    counts = coarsened(x, period, tail - 1).counts
    short = np.empty((periods, period), dtype=np.int64)
    for column in range(period):  # of the positions i ≡ column + 1 (mod Δ)
        rounded = largest_remainders(counts[(column + 1) % period], periods)
        short[:, column] = np.repeat(np.arange(vocabulary_size), rounded)
    return np.concatenate([short.reshape(-1), x.suffix[x.suffix.size - tail :]])


def largest_remainders(counts: Tokens, total: int) -> Tokens:
    """Integers that sum to `total`, in proportion to `counts`; exact integer arithmetic.

    Every share is rounded down, and the ones with the largest remainders go up by 1. So the
    total variation to the exact shares is at most |Σ|/(4·total).
    """
    scaled = [int(c) * total for c in counts]
    whole = int(counts.sum())
    if whole == 0:
        return np.zeros(len(scaled), dtype=np.int64)
    rounded = np.array([s // whole for s in scaled], dtype=np.int64)
    remainders = np.array([s % whole for s in scaled], dtype=np.int64)
    order = np.argsort(-remainders, kind="stable")
    rounded[order[: total - int(rounded.sum())]] += 1
    return rounded
