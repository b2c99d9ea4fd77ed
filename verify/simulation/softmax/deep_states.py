"""States of softmax layers in the limit of long inputs, along an input and frozen at a block.

Y⁰ are the embedded tokens. Y^l_i is layer l with its limit attention: on the law of Y^{l−1}_j,
j ≤ i, and on the lags that keep a share. Frozen at block k, Y^l_k(w) depends on the last symbols w
alone: every layer below attends to the law of the long input's states up to the end of block k
([derived, Theorem D, step 2]).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.simulation.softmax.first_layer import regime

Floats = NDArray[np.float64]
Tokens = NDArray[np.int64]

LONGEST = 1 << 13
"""Longest input: every state along it attends to all before, so that time grows with T²."""

_ENTRIES = 1 << 22


@dataclass(frozen=True)
class LimitStates:
    """The limit states of one model along one input.

    Attributes:
        model: f, in infinite precision.
        tokens: (T,) the input.
        states: (P, T, d); states[l] are the Y^l, l = 0..P−1.
    """

    model: LimitTransformer
    tokens: Tokens
    states: Floats

    @classmethod
    def along(cls, model: LimitTransformer, tokens: Tokens) -> LimitStates:
        """Compute the states of all layers but the last.

        Raises:
            InputError: the input is longer than `LONGEST`.
        """
        total = len(tokens)
        if total > LONGEST:
            allowed = f"at most {LONGEST} tokens: beyond two layers, states take time T²"
            raise InputError("x", f"{total} tokens", allowed)
        residues = np.arange(1, total + 1) % model.period
        found = [model.embedding[tokens] + model.positions[residues]]
        for layer in model.layers[:-1]:
            found.append(_causal(layer, found[-1]))
        return cls(model, tokens, np.stack(found))

    def frozen(self, layer: int, windows: Tokens, residues: Tokens, mass: Floats) -> Floats:
        """Y^l_k(w) for N windows, (N, d).

        Args:
            layer: l, 0..P−1.
            windows: (N, W): x_i, x_{i−1}, …, at least τ_1 + … + τ_l + 1 symbols.
            residues: (N,): i mod Δ.
            mass: (M,) weights of the first M positions of the input: how long the part of the
                block's prefix inside each is.
        """
        f = self.model
        if layer == 0:
            own: Floats = f.embedding[windows[:, 0]] + f.positions[residues % f.period]
            return own

        def atoms(lag: int) -> Floats:
            return self.frozen(layer - 1, windows[:, lag:], residues - lag, mass)

        keys = self.states[layer - 1][: len(mass)]
        return limit_layer(f.layers[layer - 1], atoms(0), atoms, keys, mass)


def limit_layer(
    layer: Layer, query: Floats, atoms: Callable[[int], Floats], keys: Floats, mass: Floats
) -> Floats:
    """A layer with limit attention, for N queries, (N, d).

    Args:
        layer: its weights.
        query: (N, d).
        atoms: from a lag to the states there, (N, d).
        keys: (M, d), the states whose law is attended to.
        mass: their weights, ≥ 0, not all 0: (M,), or (N, M) where queries see different laws.
    """
    result = query.copy()
    with np.errstate(divide="ignore"):
        log_mass = np.log(mass / mass.sum(axis=-1, keepdims=True))
    for head in layer.heads:
        attended = limit_attention(head, query, atoms, keys, log_mass)
        result += attended @ head.value.T
    hidden = np.maximum(result @ layer.mlp_in.T + layer.mlp_bias, 0.0)
    outputs: Floats = result + hidden @ layer.mlp_out.T
    return outputs


def limit_attention(
    head: Head, query: Floats, atoms: Callable[[int], Floats], keys: Floats, log_mass: Floats
) -> Floats:
    """Mean of the keys under a head's limit attention, (N, d); `log_mass` of a law of mass 1."""
    projected = query @ head.query_key.T
    near = [atoms(lag) for lag in limit_lags(head)]
    logits = [np.einsum("nd,nd->n", key, projected)[:, None] for key in near]
    if regime(head) != "position dominant":
        logits.append(projected @ keys.T + log_mass)
    joined = np.concatenate(logits, axis=1)
    weights = np.exp(joined - joined.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    attended: Floats = np.zeros_like(query)
    if weights.shape[1] > len(near):
        attended = weights[:, len(near) :] @ keys
    for column, key in enumerate(near):
        attended = attended + weights[:, column : column + 1] * key
    return attended


def limit_lags(head: Head) -> list[int]:
    """Lags whose states keep a share of their own in the limit."""
    if regime(head) == "token dominant":
        return []
    lags: list[int] = np.flatnonzero(head.lag_bias == head.lag_bias.max()).tolist()
    return lags


def _causal(layer: Layer, states: Floats) -> Floats:
    """A layer with limit attention at every position; before the first one stands its state."""
    total = len(states)
    step = max(1, _ENTRIES // total)
    found = []
    for start in range(0, total, step):
        here = np.arange(start, min(start + step, total))
        stop = start + len(here)
        mass = (np.arange(stop) <= here[:, None]).astype(np.float64)
        before = partial(_at_lag, states, here)
        found.append(limit_layer(layer, states[start:stop], before, states[:stop], mass))
    return np.concatenate(found)


def _at_lag(states: Floats, here: Tokens, lag: int) -> Floats:
    """States at `here` − lag."""
    return states[np.maximum(here - lag, 0)]
