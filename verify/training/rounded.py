"""The rounded twin of a trained one-layer model: the same model with logits on a grid.

Training never makes two logits equal, so the exact margin of a trained model is the distance of
two logits that should tie (about 1e-4), and 2^(p/γ) is astronomical. The twin has them equal.
"""

from __future__ import annotations

import numpy as np

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer


def rounded_twin(f: LimitTransformer, grid: float) -> LimitTransformer:
    """`f` in one-hot coordinates, its logits (up to a constant per query) rounded to the grid.

    The residual stream of the twin is [token, residue, attended tokens, attended residues, output
    of the MLP (d)]: logits become sums of table entries, so that equal entries tie exactly. All
    maps but the logits are those of f, up to rounding in float64.

    Args:
        f: one layer, one head, finite precision.
        grid: a power of two > 0.

    Raises:
        InputError: an argument is not usable.
    """
    if len(f.layers) != 1 or len(f.layers[0].heads) != 1 or f.precision_bits is None:
        raise InputError("f", f, "a model with one layer, one head and finite precision")
    if not grid > 0 or np.frexp(grid)[0] != 0.5:
        raise InputError("grid", grid, "a power of two > 0: other multiples are not exact")
    layer, head = f.layers[0], f.layers[0].heads[0]
    d, tokens, residues = f.dimension, f.vocabulary_size, f.period
    one_hot = tokens + residues
    table = np.concatenate([f.embedding, f.positions])  # what token and residue stand for
    width = 2 * one_hot + d

    logits = table @ head.query_key @ table.T  # (key part, query part)
    for part in (slice(0, tokens), slice(tokens, one_hot)):
        logits[part] -= logits[part].mean(axis=0)  # one of each part in every key: no effect
    query_key = np.zeros((width, width))
    query_key[:one_hot, :one_hot] = np.round(logits / grid) * grid
    value = np.zeros((width, width))
    value[one_hot : 2 * one_hot, :one_hot] = np.eye(one_hot)

    attended = table @ head.value.T
    embedding = np.zeros((tokens, width))
    embedding[:, :tokens] = np.eye(tokens)
    positions = np.zeros((residues, width))
    positions[:, tokens:one_hot] = np.eye(residues)
    stream = np.concatenate([table, attended, np.eye(d)])  # (width, d): what each coordinate means
    mlp_in = np.concatenate([table, attended, np.zeros((d, d))]) @ layer.mlp_in.T
    mlp_out = np.zeros((width, layer.hidden))
    mlp_out[2 * one_hot :] = layer.mlp_out
    lag_bias = np.round(head.lag_bias / grid) * grid
    return LimitTransformer(
        embedding,
        positions,
        (Layer((Head(query_key, value, lag_bias),), mlp_in.T, layer.mlp_bias, mlp_out),),
        f.unembedding @ stream.T,
        f.precision_bits,
    )
