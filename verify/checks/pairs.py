"""Built-in pairs f, g: the tasks against perturbed copies, and random models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from verify import tasks
from verify.measure import measure
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer


@dataclass(frozen=True)
class Pair:
    """Two models, and the ε at which they are checked."""

    name: str
    f: LimitTransformer
    g: LimitTransformer
    epsilon: Fraction


def simple_pair(omega: int) -> Pair:
    """SimpleTask, and the same with a four times coarser sine."""
    f = tasks.simple(omega)
    g = tasks.simple(omega, resolution=max(f.resolution // 4, 1))
    return Pair(f"simple, ω = {omega}", f.transformer, g.transformer, Fraction(1, 10))


def mod_p_pair(period: int, residue: int) -> Pair:
    """ModPTask, and the same with values that are 1/16 too small."""
    f = tasks.mod_p(period, residue).transformer
    (head,) = f.layers[0].heads
    g = replace(f, layers=(Layer((replace(head, value=head.value * 15 / 16),)),))
    return Pair(f"mod p, p = {period}", f, g, Fraction(1, 20))


def nested_pair() -> Pair:
    """f looks at the tokens 1 and 2 only, g at all; both give the share of token 1.

    Where 1 and 2 are rare, one z has to serve a light and a heavy argmax set at once.
    """
    embedding = np.array([[0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    looks = np.zeros((4, 4))
    looks[1, 2] = 8.0
    value = np.zeros((4, 4))
    value[3, 0] = 1.0
    models = [
        LimitTransformer(
            embedding=embedding,
            positions=np.zeros((1, 4)),
            layers=(Layer((Head(query_key, value, np.zeros(1)),)),),
            unembedding=np.array([[0.0, 0.0, 0.0, 1.0]]),
            precision_bits=8,
        )
        for query_key in (looks, np.zeros((4, 4)))
    ]
    return Pair("nested", models[0], models[1], Fraction(1, 20))


def random_pair(
    seed: int,
    *,
    heads: int,
    vocabulary_size: int = 4,
    period: int = 2,
    locality: int = 1,
    steps: int = 20,
    precision_bits: int = 6,
) -> Pair:
    """Two independent random models with integer logits, and ε ≈ L/`steps`."""
    sizes = (heads, vocabulary_size, period, locality, precision_bits)
    f, g = (random_model([seed, half], *sizes) for half in (0, 1))
    # A short decimal number is easier to read than L/steps.
    epsilon = Fraction(f"{float(measure(f, g).lipschitz or 1) / steps:.2g}")
    return Pair(f"random, H = {heads}, seed {seed}", f, g, epsilon)


def random_model(
    seed: list[int],
    heads: int,
    vocabulary_size: int,
    period: int,
    locality: int,
    precision_bits: int,
    dimension: int = 4,
    hidden: int = 6,
    outputs: int = 2,
) -> LimitTransformer:
    """A model with small integer logits, so that ties occur and the logit margin is at least 1."""
    rng = np.random.default_rng(seed)

    def small(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return rng.integers(-2, 3, size=shape).astype(float)

    return LimitTransformer(
        embedding=np.sign(small(vocabulary_size, dimension)),
        positions=np.sign(small(period, dimension)),
        layers=(
            Layer(
                tuple(
                    Head(
                        np.sign(small(dimension, dimension)) * (rng.random((dimension, 1)) < 0.6),
                        rng.integers(-8, 9, size=(dimension, dimension)) / 16,
                        small(locality + 1),
                    )
                    for _ in range(heads)
                ),
                rng.integers(-8, 9, size=(hidden, dimension)) / 16,
                rng.integers(-8, 9, size=hidden) / 16,
                rng.integers(-8, 9, size=(dimension, hidden)) / 16,
            ),
        ),
        unembedding=rng.integers(-8, 9, size=(outputs, dimension)) / 8,
        precision_bits=precision_bits,
    )


BUILT_IN: dict[str, Callable[[], Pair]] = {
    "simple-1": lambda: simple_pair(1),
    "simple-4": lambda: simple_pair(4),
    "simple-16": lambda: simple_pair(16),
    "mod-p-2": lambda: mod_p_pair(2, 1),
    "mod-p-5": lambda: mod_p_pair(5, 2),
    "nested": nested_pair,
    "random-h1-a": lambda: random_pair(1, heads=1),
    "random-h1-b": lambda: random_pair(2, heads=1, vocabulary_size=6, period=3, locality=2),
    "random-h2": lambda: random_pair(3, heads=2, steps=5),
}
"""Name on the command line → pair."""
