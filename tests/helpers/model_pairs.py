"""Seeded random pairs of one-layer models in finite precision, with all that makes them special."""

from __future__ import annotations

import dataclasses

from tests.helpers.random_models import random_model
from verify import Head, Layer


def random_pair(rng, *, vocabulary_size=None, period=None, locality=None):
    """Return f and g with the same |Σ|: exact ties, near ties, or neither; p of their own.

    What is not given is drawn: |Σ| ≤ 3, Δ ≤ 3, τ ≤ 2, one or two heads.
    """
    vocabulary_size = vocabulary_size or int(rng.integers(1, 4))
    kind = rng.choice(["ties", "near ties", "generic"])
    pair = []
    for _ in range(2):
        f = random_model(
            rng,
            vocabulary_size=vocabulary_size,
            period=period or int(rng.integers(1, 4)),
            locality=int(rng.integers(0, 3)) if locality is None else locality,
            heads=int(rng.integers(1, 3)),
            precision_bits=int(rng.integers(1, 7)),
            ties=kind != "generic",
            logits=1.0 if kind != "generic" else float(rng.choice([0.3, 1.0, 3.0])),
            dimension=int(rng.integers(1, 4)),
        )
        pair.append(near_ties(rng, f) if kind == "near ties" else f)
    return tuple(pair)


def near_ties(rng, f, size=1e-3):
    """Return the model with its logits moved a little, so that ties are broken."""
    layer = f.layers[0]
    heads = [
        Head(
            h.query_key + size * rng.normal(size=h.query_key.shape),
            h.value,
            h.lag_bias + size * rng.normal(size=h.lag_bias.shape),
        )
        for h in layer.heads
    ]
    layers = (Layer(heads, layer.mlp_in, layer.mlp_bias, layer.mlp_out),)
    return dataclasses.replace(f, layers=layers)
