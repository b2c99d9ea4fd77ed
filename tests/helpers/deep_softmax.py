"""Softmax models of any depth, position by position: true, limit and frozen states, and random ones.

Written from the statement of Theorem D, with loops; shares nothing with `verify.simulation`.
"""

import math

import numpy as np

from verify import Head, Layer, LimitTransformer

BIASES = {
    "none": [0.0],
    "token dominant": [0.25, 0.5],
    "balanced": [0.0, 1.0],
    "position dominant": [0.0, 2.0],
    "all lags": [1.0, 1.0, 1.0],
}


def random_model(rng, kinds, *, tokens=2, width=2, scale=0.5, scores=0.5, period=1, hidden=2):
    """One head per layer, of the kinds given; `scale` is the size of the values."""

    def matrix(*shape):
        drawn = rng.normal(size=shape)
        return drawn / max(np.linalg.norm(drawn, 2), 1e-9)

    layers = tuple(
        Layer(
            (Head(scores * matrix(width, width), scale * matrix(width, width), BIASES[kind]),),
            matrix(hidden, width),
            0.3 * rng.normal(size=hidden),
            0.5 * matrix(width, hidden),
        )
        for kind in kinds
    )
    positions = 0.3 * rng.normal(size=(period, width)) if period > 1 else np.zeros((1, width))
    embedding = rng.normal(size=(tokens, width)) / 2
    return LimitTransformer(embedding, positions, layers, matrix(1, width), None)


def mlp(layer, u):
    return u + layer.mlp_out @ np.maximum(layer.mlp_in @ u + layer.mlp_bias, 0)


def softmax_mean(head, query, keys, log_weights):
    """Σ softmax V y over keys with these base weights."""
    logits = keys @ (head.query_key @ query) + log_weights
    weights = np.exp(logits - logits.max())
    return head.value @ (weights @ keys / weights.sum())


def embedded(f, x):
    residues = np.arange(1, len(x) + 1) % f.period
    return f.embedding[x] + f.positions[residues]


def true_states(f, x):
    """y^l at all positions, l = 0..P−1."""
    found = [embedded(f, x)]
    for layer in f.layers[:-1]:
        y, out = found[-1], []
        for i in range(1, len(x) + 1):
            u = y[i - 1].copy()
            for head in layer.heads:
                bias = np.zeros(i)
                for lag, phi in enumerate(head.lag_bias[:i]):
                    bias[i - 1 - lag] = phi
                u += softmax_mean(head, y[i - 1], y[:i], math.log(i) * bias)
            out.append(mlp(layer, u))
        found.append(np.array(out))
    return found


def limit_output(layer, query, atom, keys, weights):
    """A layer with limit attention: `weights` of mass 1 on the keys, `atom(t)` at lag t."""
    u = query.copy()
    for head in layer.heads:
        top = max(head.lag_bias.max(), 0.0)
        lags = [t for t, phi in enumerate(head.lag_bias) if top >= 1 and phi == top]
        near = np.array([atom(t) for t in lags]).reshape(-1, len(query))
        if top > 1:
            u += softmax_mean(head, query, near, np.zeros(len(near)))
        else:
            both = np.concatenate([keys, near])
            base = np.concatenate([np.log(weights), np.zeros(len(near))])
            u += softmax_mean(head, query, both, base)
    return mlp(layer, u)


def limit_states(f, x):
    """Y^l at all positions, l = 0..P−1; before the first position stands the first state."""
    found = [embedded(f, x)]
    for layer in f.layers[:-1]:
        y = found[-1]
        found.append(
            np.array(
                [
                    limit_output(
                        layer,
                        y[i],
                        lambda t, i=i, y=y: y[max(i - t, 0)],
                        y[: i + 1],
                        np.full(i + 1, 1 / (i + 1)),
                    )
                    for i in range(len(x))
                ]
            )
        )
    return found


def frozen_state(f, states, level, window, residue, end):
    """Y^l_k(w): `window` x_i, x_{i−1}, …; `end`: how many periods (real) the block's prefix has."""
    if level == 0:
        return f.embedding[window[0]] + f.positions[residue % f.period]
    weights = np.ones(int(end) * f.period)
    if end > int(end):
        # the positions of a period that the end cuts share what lies before it
        weights = np.append(weights, np.full(f.period, end - int(end)))
    keys = states[level - 1][: len(weights)]
    atom = {}

    def at(t):
        if t not in atom:
            atom[t] = frozen_state(f, states, level - 1, window[t:], residue - t, end)
        return atom[t]

    return limit_output(f.layers[level - 1], at(0), at, keys, weights / weights.sum())
