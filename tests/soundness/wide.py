"""A family whose truth is a formula: many tokens, one ReLU each, symmetric laws.

The total variation constant of Σ_σ relu(p̂_σ − 1/|Σ|) is the same for every |Σ|, while its mean is
of the order √(|Σ|/N): averages see the Euclidean constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import binom

from verify import Head, Layer, LimitTransformer

from .case import Case, Truth, same_law
from .profile import Profile

SIZE = 2.0**20
"""Factor of the values: the query's own token, which no value can undo, is then of no weight."""


def deviation(vocabulary_size: int, *, softmax: bool = False) -> LimitTransformer:
    """Return Σ_σ relu(p̂_σ − 1/|Σ|), up to 2^−19, with uniform attention."""
    k, d = vocabulary_size, vocabulary_size + 2
    embedding, positions = np.eye(k, d), np.zeros((1, d))
    embedding[:, k] = 1.0
    value = np.diag([SIZE] * k + [0.0, 0.0])
    mlp_out = np.zeros((d, k))
    mlp_out[k + 1] = 1 / SIZE
    readout = np.zeros((1, d))
    readout[0, k + 1] = 1.0
    layer = Layer(
        (Head(np.zeros((d, d)), value, np.zeros(1)),), np.eye(k, d), np.full(k, -SIZE / k), mlp_out
    )
    return LimitTransformer(embedding, positions, (layer,), readout, None if softmax else 4)


def wide_pair(vocabulary_size: int, lengths: int, *, softmax: bool = False) -> Case:
    """f = Σ_σ relu(p̂_σ − 1/|Σ|) and g = 1 − f, which draw apart as averages settle.

    As 0 ≤ f ≤ 1 … E|f − g| ≤ |1 − 2 E f| + … is exact where f ≤ ½ or f ≥ ½ for all inputs; we take
    g = 2 − f, so that |f − g| = 2 − 2f always.
    """
    f = deviation(vocabulary_size, softmax=softmax)
    readout = -f.unembedding
    readout[0, vocabulary_size] = 2.0
    g = replace(f, unembedding=readout)
    law = same_law(vocabulary_size)
    exact = tuple(2 - 2 * mean(vocabulary_size, n) for n in range(1, lengths + 1))
    beyond = {n: 2 - 2 * mean(vocabulary_size, n) for n in (10**6, 10**9)}
    # The errors at every input are not needed: 0 says nothing.
    truth = Truth(Profile((0.0,), {}, 4.0), (Profile(exact, beyond, 1e4),))
    return Case("many tokens", f, g, (law,), truth=truth)


def mean(vocabulary_size: int, length: int) -> float:
    """Return E Σ_σ relu(p̂_σ − 1/|Σ|) for uniform tokens: |Σ| E relu(Bin/n − 1/|Σ|)."""
    share = 1 / vocabulary_size
    top = int(np.floor(length * share))
    # E relu(B − nq) = nq·P(B ≥ top) shifted by one trial, minus nq·P(B > top).
    above = length * share * (binom.sf(top - 1, length - 1, share) - binom.sf(top, length, share))
    return float(vocabulary_size * above / length)


Maker = Callable[[np.random.Generator], Case]
