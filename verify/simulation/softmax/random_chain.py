"""The paper's random map x → z: a keep/drop chain, with error O(n^(−1/3))."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax.keep_drop import keep, kept_runs
from verify.simulation.softmax.pair import SoftmaxPair

THEOREM = "izzo2025.lemma5.3"


def simulate_random_chain(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    length: int,
    seed: int = 0,
    mean_piece: float | None = None,
) -> Simulation:
    """What a two-state Markov chain on {keep, drop} keeps of x, then the last tokens of x.

    [izzo2025, Lemma 5.3] proves that some outcome of the chain is good; here one outcome is
    drawn. |z| is random with mean about `length`, so neither a limit nor an error is proven for
    this z. What the sources leave open is listed in `verify.simulation.softmax.keep_drop`.

    Args:
        x: (T,) integers in 0..|Σ|−1.
        f: two layers in infinite precision, no lag bias in the second.
        g: another such model on the same vocabulary, or None.
        length: n, the mean length of z; x itself where T ≤ n.
        seed: of the chain; the same seed gives the same z.
        mean_piece: mean length of a kept piece in tokens, ≥ 1; default n^(1/3).

    Raises:
        InputError: x is no sequence of tokens, length too small, or mean_piece < 1.
        WeightsError: f or g is outside the theorem.
    """
    return simulate_random_chains(x, f, g, length=length, seeds=[seed], mean_piece=mean_piece)[0]


@usual_float_errors
def simulate_random_chains(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    length: int,
    seeds: Iterable[int],
    mean_piece: float | None = None,
) -> list[Simulation]:
    """One outcome of the chain per seed, as `simulate_random_chain`; runs the models on x once."""
    pair = SoftmaxPair(f, g, layers=2)
    tokens = pair.tokens(x, length)
    if len(tokens) <= length:
        return [pair.unchanged(tokens, limit=length, theorem=THEOREM) for _ in seeds]
    tail = pair.tail(len(tokens))
    if length < tail + pair.period:
        raise InputError("length", length, f"at least Δ + (kept tail) = {tail + pair.period}")
    piece = length ** (1 / 3) if mean_piece is None else mean_piece
    if not piece >= 1:
        raise InputError("mean_piece", mean_piece, "a number ≥ 1")
    outputs = pair.outputs(tokens)
    results = []
    for seed in seeds:
        runs = kept_runs(
            (len(tokens) - tail) // pair.period,
            (length - tail) / pair.period,
            piece / pair.period,
            np.random.default_rng(seed),
        )
        z = keep(tokens, runs, period=pair.period, tail=tail)
        results.append(
            pair.measured(
                tokens, z, limit=None, proven_error=None, theorem=THEOREM, outputs=outputs
            )
        )
    return results
