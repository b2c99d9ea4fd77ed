"""One-layer models on every string of a length, all at once, straight from the definition."""

from __future__ import annotations

import itertools
import math

import numpy as np

from verify import reference


def all_strings(vocabulary_size, length):
    """Return all inputs of this length, shape (|Σ|^T, T)."""
    return np.array(list(itertools.product(range(vocabulary_size), repeat=length)))


def outputs(f, strings):
    """Return f of each row, shape (n, o).

    Float arithmetic decides what is dropped; where it is near, `verify.reference` gives the output.
    """
    length = strings.shape[1]
    y = f.embedding[strings] + f.positions[np.arange(1, length + 1) % f.period]
    last, layer = y[:, -1], f.layers[0]
    u = last.copy()
    unclear = np.zeros(len(strings), dtype=bool)
    for head in layer.heads:
        logits = np.einsum("ntd,de,ne->nt", y, head.query_key, last)
        finite = f.precision_bits is not None
        for lag in range(min(head.lag_bias.size, length)):
            scale = 1.0 if finite else math.log(length)
            logits[:, length - 1 - lag] += scale * head.lag_bias[lag]
        gaps = logits.max(axis=1, keepdims=True) - logits
        if finite:
            excess = gaps * math.log2(length) - f.precision_bits
            unclear |= (np.abs(excess) < 1e-9 * f.precision_bits).any(axis=1)
            kept = excess < 0
            weights = np.where(kept, np.exp(-gaps * math.log(length)), 0.0)
        else:
            weights = np.exp(-gaps)
        weights /= weights.sum(axis=1, keepdims=True)
        u += np.einsum("nt,ntd->nd", weights, y) @ head.value.T
    hidden = np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0)
    found = (u + hidden @ layer.mlp_out.T) @ f.unembedding.T
    for row in np.flatnonzero(unclear):
        found[row] = reference(f, strings[row])
    return found


def errors(f, g, length):
    """Return |f − g|, largest output, on every string of a length."""
    strings = all_strings(f.vocabulary_size, length)
    return np.abs(outputs(f, strings) - outputs(g, strings)).max(axis=1)
