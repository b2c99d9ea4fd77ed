"""Random softmax models in all regimes, and inputs made to break averages."""

from __future__ import annotations

import numpy as np

from verify import Head, Layer, LimitTransformer

BIASES = {
    "token": lambda rng, lags: rng.uniform(-1.0, 0.8, lags),
    "balanced": lambda rng, lags: np.where(rng.random(lags) < 0.5, 1.0, rng.uniform(-1, 0.6, lags)),
    "position": lambda rng, lags: np.where(
        rng.random(lags) < 0.5, 1 + rng.uniform(0.2, 1.5), rng.uniform(-1, 0.9, lags)
    ),
    "negative": lambda rng, lags: rng.uniform(-2.0, -0.1, lags),
}


def random_model(
    rng, *, layers, regimes, size=2, locality=1, dimension=3, scale=0.5, period=1, outputs=1, last=1
):
    """A model with one first-layer head per regime and `last` heads in the second layer."""
    d = dimension

    def matrix(*shape):
        return rng.normal(size=shape) * scale / np.sqrt(shape[-1])

    first = []
    for name in regimes:
        bias = BIASES[name](rng, locality + 1)
        if name == "balanced":
            bias[rng.integers(locality + 1)] = 1.0
        if name == "position" and bias.max() <= 1:
            bias[rng.integers(locality + 1)] = 1.7
        first.append(Head(matrix(d, d), matrix(d, d), bias))
    stack = [Layer(tuple(first), matrix(4, d), matrix(4), matrix(d, 4))]
    if layers == 2:
        heads = tuple(Head(matrix(d, d), matrix(d, d), np.zeros(1)) for _ in range(last))
        stack.append(Layer(heads, matrix(4, d), matrix(4), matrix(d, 4)))
    positions = matrix(period, d) if period > 1 else np.zeros((1, d))
    return LimitTransformer(
        rng.normal(size=(size, d)), positions, tuple(stack), matrix(outputs, d), None
    )


def hostile_inputs(rng, length, size):
    """Runs, growing runs, halves, drifting frequencies, a short period, rare tokens, chance."""
    run = max(2, int(length**0.4))
    drift = (rng.random(length) < np.linspace(0, 1, length)).astype(np.int64) * (size - 1)
    rare = np.zeros(length, dtype=np.int64)
    rare[rng.integers(length, size=3)] = size - 1
    blocks = np.arange(1, 200) ** 2
    growing = np.repeat(np.arange(199) % size, blocks)
    return {
        "runs": np.arange(length) // run % size,
        "growing runs": np.resize(growing, length),
        "halves": (np.arange(length) >= length // 2).astype(np.int64) * (size - 1),
        "drift": drift,
        "periodic": np.resize(rng.integers(size, size=7), length),
        "rare": rare,
        "uniform": rng.integers(size, size=length),
    }
