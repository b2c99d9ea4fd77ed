"""Built-in pairs f, g of softmax models: the adversarial average of runs, tasks, random models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from verify.checks.pairs import Pair
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.tasks.k_gram import in_context_k_gram
from verify.tasks.lower_bounds import average_of_runs

_PEAKS = {"token dominant": 0.5, "balanced": 1.0, "position dominant": 1.75}


def runs_pair() -> Pair:
    """The average of runs, and the same with values that are 1/16 too small."""
    f = average_of_runs()
    (head,) = f.layers[1].heads
    second = replace(f.layers[1], heads=(replace(head, value=head.value * 15 / 16),))
    return Pair("average of runs", f, replace(f, layers=(f.layers[0], second)), Fraction(1, 2))


def k_gram_pair(k: int, vocabulary_size: int) -> Pair:
    """The k-gram weights with sharpness 3/2, and with 1."""
    models = [in_context_k_gram(k, vocabulary_size, s).transformer for s in (1.5, 1.0)]
    return Pair(f"k-gram, k = {k}, |Σ| = {vocabulary_size}", models[0], models[1], Fraction(1, 2))


def random_softmax_pair(seed: int, *, layers: int, period: int = 1) -> Pair:
    """Two independent random models with small weights and one head of every regime."""
    f, g = (random_softmax_model([seed, half], layers, period) for half in (0, 1))
    plural = "s" if layers > 1 else ""
    return Pair(f"random, {layers} layer{plural}, Δ = {period}", f, g, Fraction(1, 2))


def random_softmax_model(
    seed: list[int], layers: int, period: int, vocabulary_size: int = 3, dimension: int = 4
) -> LimitTransformer:
    """A model with content logits of order 1 and lag biases at lags 0 and 1."""
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return rng.integers(-8, 9, size=shape) / 32

    def layer(peaks: list[float]) -> Layer:
        heads = []
        for peak in peaks:
            bias = np.array([-0.25, peak]) if peak else np.zeros(1)
            heads.append(Head(matrix(dimension, dimension), matrix(dimension, dimension), bias))
        return Layer(tuple(heads), matrix(5, dimension), matrix(5), matrix(dimension, 5))

    stack = [layer(list(_PEAKS.values())), layer([0.0])]
    positions = matrix(period, dimension) if period > 1 else np.zeros((1, dimension))
    return LimitTransformer(
        embedding=4 * matrix(vocabulary_size, dimension),
        positions=positions,
        layers=tuple(stack[:layers]),
        unembedding=4 * matrix(2, dimension),
        precision_bits=None,
    )


SOFTMAX_BUILT_IN: dict[str, Callable[[], Pair]] = {
    "runs": runs_pair,
    "k-gram-1": lambda: k_gram_pair(1, 3),
    "softmax-1": lambda: random_softmax_pair(1, layers=1),
    "softmax-2": lambda: random_softmax_pair(2, layers=2),
    "softmax-2-periodic": lambda: random_softmax_pair(3, layers=2, period=3),
}
"""Name on the command line → pair."""
