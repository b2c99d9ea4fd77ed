"""Built-in pairs f, g of softmax models: the adversarial average of runs, tasks, random models.

Sizes are chosen so that the theorem says something at lengths that can be run: C/√n has to be
below what an output can move at all. C grows with e^R, R the range of the logits, and with the
rank of the second layer's values. For random weights of order 1 it takes n beyond 10⁸, and every
check at a length that can be run is vacuous.
"""

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
    """The k-gram weights with sharpness 1/2, and with 1/4."""
    models = [in_context_k_gram(k, vocabulary_size, s).transformer for s in (0.5, 0.25)]
    return Pair(f"k-gram, k = {k}, |Σ| = {vocabulary_size}", models[0], models[1], Fraction(1, 2))


def imbalance_pair() -> Pair:
    """How far the share of token a is from ½, on average over all prefixes; period 2.

    The last layer of f weighs even positions e^(1/8) times as much as odd ones, that of g
    e^(1/16) times.
    """
    return Pair("imbalance, Δ = 2", _imbalance(1 / 8), _imbalance(1 / 16), Fraction(1, 4))


def _imbalance(weight: float) -> LimitTransformer:
    """Coordinates: 1[a], (share of a)/16, |share − ½|, its mean, 1[even], 1."""
    zero = np.zeros((6, 6))
    share, mean, even = zero.copy(), zero.copy(), zero.copy()
    share[1, 0] = 1 / 16
    mean[3, 2] = 1.0
    even[4, 5] = weight
    mlp_in = np.zeros((2, 6))
    mlp_in[:, 1] = 16.0, -16.0
    absolute = np.zeros((6, 2))
    absolute[2] = 1.0
    first = Layer((Head(zero, share, np.zeros(1)),), mlp_in, np.array([-0.5, 0.5]), absolute)
    last = Layer((Head(even, mean, np.zeros(1)),))
    one = np.eye(6)
    return LimitTransformer(
        embedding=np.stack([one[0] + one[5], one[5]]),
        positions=np.stack([one[4], 0 * one[4]]),
        layers=(first, last),
        unembedding=one[3:4],
        precision_bits=None,
    )


def random_softmax_pair(seed: int, *, layers: int) -> Pair:
    """Two independent random models with small weights and one head of every regime."""
    f, g = (random_softmax_model([seed, half], layers) for half in (0, 1))
    plural = "s" if layers > 1 else ""
    return Pair(f"random, {layers} layer{plural}", f, g, Fraction(1, 2))


def random_softmax_model(
    seed: list[int], layers: int, vocabulary_size: int = 3, dimension: int = 4
) -> LimitTransformer:
    """A model with lag biases at lags 0 and 1.

    One layer: content logits of order 1. Two layers: small weights, and values of rank one in the
    second layer.
    """
    rng = np.random.default_rng(seed)
    scale = 4 if layers == 1 else 2

    def matrix(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return rng.integers(-8, 9, size=shape) / 32

    def mlp() -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
        return matrix(5, dimension), matrix(5), matrix(dimension, 5)

    biases = [np.array([-0.25, peak]) for peak in _PEAKS.values()]
    first = [Head(matrix(dimension, dimension), matrix(dimension, dimension), b) for b in biases]
    stack = [Layer(tuple(first), *mlp())]
    if layers == 2:
        rank_one = 4 * matrix(dimension, 1) @ matrix(1, dimension)
        head = Head(matrix(dimension, dimension) / 4, rank_one, np.zeros(1))
        stack.append(Layer((head,), *mlp()))
    return LimitTransformer(
        embedding=scale * matrix(vocabulary_size, dimension),
        positions=np.zeros((1, dimension)),
        layers=tuple(stack),
        unembedding=4 * matrix(2, dimension),
        precision_bits=None,
    )


SOFTMAX_BUILT_IN: dict[str, Callable[[], Pair]] = {
    "runs": runs_pair,
    "k-gram-1": lambda: k_gram_pair(1, 2),
    "softmax-1": lambda: random_softmax_pair(1, layers=1),
    "softmax-2": lambda: random_softmax_pair(0, layers=2),
    "softmax-2-periodic": imbalance_pair,
}
"""Name on the command line → pair."""
