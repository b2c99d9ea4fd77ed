"""Seeded random limit transformers of every form, for tests that compare two computations."""

from __future__ import annotations

import numpy as np

from verify import Head, Layer, LimitTransformer

LARGEST_LAG_BIAS = {
    "token dominant": 0.5,
    "balanced": 1.0,
    "position dominant": 2.5,
    "negative": -0.25,
}


def random_model(
    rng,
    *,
    vocabulary_size,
    period,
    locality,
    heads,
    layers=1,
    precision_bits=None,
    regime=None,
    logits=3.0,
    ties=False,
    dimension=4,
):
    """Return a model; `ties`: small integers as weights, so that logits coincide exactly.

    regime: a key of LARGEST_LAG_BIAS, the largest φ of each head; without it, φ is normal.
    logits: the largest content logit of the first layer, about.
    """

    def numbers(*shape):
        return rng.integers(-1, 2, size=shape) if ties else rng.normal(size=shape)

    def head(scale, lags):
        bias = rng.integers(-1, 2, size=lags) if ties else rng.normal(size=lags)
        if regime is not None:
            bias = bias - bias.max() + LARGEST_LAG_BIAS[regime]
        return Head(numbers(dimension, dimension) * scale, numbers(dimension, dimension), bias)

    embedding = numbers(vocabulary_size, dimension)
    positions = numbers(period, dimension)
    # One head of each layer has the full locality; the others may be shorter.
    lags = [locality + 1, *rng.integers(1, locality + 2, size=heads - 1)]
    keys = (embedding[:, None] + positions[None]).reshape(-1, dimension)
    typical = max(1.0, float(np.mean(np.sum(keys.astype(float) ** 2, axis=1))))
    scale = 1 if ties else logits / typical
    return LimitTransformer(
        embedding,
        positions,
        tuple(
            Layer(
                tuple(head(scale, n) for n in lags),
                numbers(5, dimension),
                numbers(5),
                numbers(dimension, 5),
            )
            for _ in range(layers)
        ),
        rng.normal(size=(4, dimension)),
        precision_bits,
    )


def assert_same(first, second, tolerance=1e-12):
    """Assert equality relative to the largest output (or to 1, where all are smaller)."""
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    size = max(1.0, float(np.abs(second).max()))
    assert float(np.abs(first - second).max()) <= tolerance * size
