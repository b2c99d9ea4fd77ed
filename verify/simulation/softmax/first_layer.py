"""Outputs of a first softmax layer in the limit of long inputs.

As the position i grows, the attention of a head depends on the last τ+1 symbols w and the
histogram μ of the prefix alone ([derived, Lemma B1]); Y(w, μ) is the output of the layer with
that attention. A head is token dominant, balanced or position dominant as max φ < 1, = 1, > 1:

    token dominant     weights e^c μ
    balanced           weights e^c μ + Σ_{t: φ(t) = 1} e^{c(x_{i−t}, x_i)} on x_{i−t}
    position dominant  weights         Σ_{t: φ(t) = φ*} e^{c(x_{i−t}, x_i)} on x_{i−t}
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head
from verify.simulation.softmax.windows import Suffixes, Tokens

Floats = NDArray[np.float64]

REGIMES = ("token dominant", "balanced", "position dominant")


def regime(head: Head) -> str:
    """Name of the regime of a head: by max φ against 1, exactly as the weights are given."""
    largest = max(float(head.lag_bias.max()), 0.0)
    return REGIMES[int(largest >= 1) + int(largest > 1)]


def limit_outputs(f: LimitTransformer, suffixes: Suffixes, histograms: Floats) -> Floats:
    """Y(w, μ) for N suffixes, shape (N, d).

    Args:
        f: model in infinite precision; only its first layer is used.
        suffixes: N suffixes of at least f's first-layer τ + 1 symbols.
        histograms: (N, Δ, |Σ|) or (1, Δ, |Σ|), non-negative with sum 1; row r: i mod Δ = r.
    """
    period = f.period
    embedded = f.embedding[None, :, :] + f.positions[:, None, :]  # (Δ, |Σ|, d)
    keys = embedded.reshape(-1, f.dimension)
    query = embedded[suffixes.residues, suffixes.tokens[:, 0]]
    result = query.copy()
    mass = histograms.reshape(len(histograms), -1)
    with np.errstate(divide="ignore"):
        log_mass = np.log(mass)
    layer = f.layers[0]
    for head in layer.heads:
        lags = _limit_lags(head)
        near = [embedded[(suffixes.residues - t) % period, suffixes.tokens[:, t]] for t in lags]
        projected = query @ head.query_key.T
        logits = [np.einsum("nd,nd->n", key, projected)[:, None] for key in near]
        if regime(head) != "position dominant":
            logits.append(projected @ keys.T + log_mass)
        joined = np.concatenate(logits, axis=1)
        weights = np.exp(joined - joined.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        attended = weights[:, len(lags) :] @ keys if weights.shape[1] > len(lags) else 0.0
        for column, key in enumerate(near):
            attended = attended + weights[:, column : column + 1] * key
        result += attended @ head.value.T
    hidden = np.maximum(result @ layer.mlp_in.T + layer.mlp_bias, 0.0)
    outputs: Floats = result + hidden @ layer.mlp_out.T
    return outputs


def prefix_histograms(
    x: Tokens, first: int, last: int, before: Tokens, vocabulary_size: int
) -> Floats:
    """Histograms of the prefixes x_1..x_i for the 0-based positions first ≤ i−1 < last.

    Args:
        x: all tokens.
        first, last: range of positions.
        before: (Δ, |Σ|) counts of the positions before `first`.
        vocabulary_size: |Σ|.
    """
    period = len(before)
    types = np.arange(first + 1, last + 1) % period * vocabulary_size + x[first:last]
    hits = types[:, None] == np.arange(period * vocabulary_size)
    counts = before.reshape(-1) + np.cumsum(hits, axis=0)
    histograms: Floats = counts / np.arange(first + 1, last + 1)[:, None]
    return histograms.reshape(last - first, period, vocabulary_size)


def _limit_lags(head: Head) -> list[int]:
    """Lags whose symbols keep their own weight in the limit."""
    if regime(head) == "token dominant":
        return []
    return np.flatnonzero(head.lag_bias == head.lag_bias.max()).tolist()
