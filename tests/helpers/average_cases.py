"""Pairs without near ties and laws of inputs, on which average errors are put to the test."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.helpers.random_models import random_model
from tests.helpers.table_models import table_head, table_model
from verify import DirichletLaw, FixedLaw, Head, Layer, LimitTransformer

GAP = 4.0
"""Logits are equal or this far apart: hard from length 2^(p/4) on."""


def random_law(rng, tokens):
    """Return a Dirichlet prior or a fixed law, sometimes with tokens of probability 0."""
    if rng.random() < 0.5:
        pairs = rng.integers(1, 9, size=(tokens, 2)).tolist()
        return DirichletLaw([Fraction(a, b) for a, b in pairs])
    weights = rng.integers(0, 5, size=tokens)
    weights[0] += 1
    return FixedLaw([Fraction(int(w), int(weights.sum())) for w in weights])


def random_hard_pair(rng):
    """Return two models with exact ties, hard from short lengths on: |Σ| ≤ 3, Δ ≤ 3, τ ≤ 1."""
    tokens, period = int(rng.choice([2, 2, 3])), int(rng.choice([1, 1, 2, 3]))
    tau = int(rng.integers(0, 2))
    if rng.random() < 0.7:
        return tuple(_table(rng, tokens, period, tau) for _ in range(2))
    return tuple(
        random_model(
            rng,
            vocabulary_size=tokens,
            period=period,
            locality=tau,
            heads=int(rng.integers(1, 3)),
            precision_bits=int(rng.integers(1, 3)),
            ties=True,
            dimension=2,
        )
        for _ in range(2)
    )


def _table(rng, tokens, period, tau):
    heads = []
    for _ in range(int(rng.integers(1, 3))):
        by_token, by_residue = rng.random() < 0.6, rng.random() < 0.6
        bias = np.zeros(tau + 1)
        if rng.random() < 0.4:
            bias = rng.integers(-1, 2, size=tau + 1) * GAP
        heads.append(
            table_head(
                GAP * rng.integers(-1, 1, size=tokens) * by_token,
                GAP * rng.integers(-1, 1, size=period) * by_residue,
                rng.integers(-2, 3, size=tokens),
                rng.integers(-2, 3, size=period) * (rng.random() < 0.5),
                bias,
            )
        )
    units = int(rng.integers(1, 5))
    mlp = rng.integers(-3, 4, size=units).astype(float), rng.integers(-8, 9, size=units) / 4
    return table_model(heads, precision_bits=int(rng.integers(2, 9)), mlp=mlp)


def of_share(slopes, knots, start=0.0, *, end=True, bits=8):
    """Return start + Σ slope·relu(t − knot), t the share of token 1 (without the last, if not end).

    Attention is uniform on all positions, or on all but the last one.
    """
    d = 3
    value = np.zeros((d, d))
    value[2, 1] = 1.0
    bias = [0.0] if end else [-float(bits)]
    slopes, knots = np.asarray(slopes, dtype=float), np.asarray(knots, dtype=float)
    # One more unit, always on, for the constant.
    mlp_in, mlp_out = np.zeros((slopes.size + 1, d)), np.zeros((d, slopes.size + 1))
    mlp_in[:-1, 2] = 1.0
    mlp_out[2] = [*slopes, start]
    unembedding = np.zeros((1, d))
    unembedding[0, 2] = 1.0
    # The share itself passes through the residual stream: one more unit takes it away.
    mlp_in = np.vstack([mlp_in, [[0, 0, 1.0]]])
    mlp_out = np.hstack([mlp_out, [[0], [0], [-1.0]]])
    layer = Layer([Head(np.zeros((d, d)), value, bias)], mlp_in, [*(-knots), 1.0, 0.0], mlp_out)
    return LimitTransformer(np.eye(2, d), np.zeros((1, d)), [layer], unembedding, bits)


def nothing(tokens=2, bits=8):
    """Return the model that is 0."""
    head = Head([[0.0]], [[0.0]], [0.0])
    return LimitTransformer(np.ones((tokens, 1)), [[0.0]], [Layer([head])], [[0.0]], bits)
