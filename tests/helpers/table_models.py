"""One-layer models given by tables: a logit and a value for each token and each residue."""

from __future__ import annotations

import numpy as np

from verify import Head, Layer, LimitTransformer


def table_model(heads, *, precision_bits, mlp=None):
    """Return a model whose output is the sum of its heads' average values.

    Args:
        heads: for each head a dict: token_logits (|Σ|,), residue_logits (Δ,), token_values,
            residue_values, lag_bias (τ+1,); the logit of a key is the sum of its token's and its
            residue's, its value likewise, whatever the query.
        precision_bits: p.
        mlp: None, or (slopes, knots): the output u becomes u + Σ slope·relu(u − knot).
    """
    first = heads[0]
    tokens, residues = len(first["token_logits"]), len(first["residue_logits"])
    d = tokens + residues + 1
    embedding, positions = np.zeros((tokens, d)), np.zeros((residues, d))
    embedding[:, :tokens] = np.eye(tokens)
    positions[:, tokens:-1] = np.eye(residues)
    made = []
    for head in heads:
        query_key, value = np.zeros((d, d)), np.zeros((d, d))
        logits = np.concatenate([head["token_logits"], head["residue_logits"]])
        query_key[:-1, :tokens] = logits[:, None]  # the query's token is one of them
        value[-1, :-1] = np.concatenate([head["token_values"], head["residue_values"]])
        made.append(Head(query_key, value, np.asarray(head["lag_bias"], dtype=float)))
    layer = Layer(tuple(made))
    if mlp is not None:
        slopes, knots = map(np.asarray, mlp)
        mlp_in, mlp_out = np.zeros((len(knots), d)), np.zeros((d, len(knots)))
        mlp_in[:, -1], mlp_out[-1] = 1.0, slopes
        layer = Layer(tuple(made), mlp_in, -knots.astype(float), mlp_out)
    unembedding = np.zeros((1, d))
    unembedding[0, -1] = 1.0
    return LimitTransformer(embedding, positions, (layer,), unembedding, precision_bits)


def table_head(
    token_logits, residue_logits=(0,), token_values=None, residue_values=None, bias=(0,)
):
    """Return a head for `table_model`; values are 0 where they are not given."""
    tokens = np.zeros(len(token_logits)) if token_values is None else token_values
    residues = np.zeros(len(residue_logits)) if residue_values is None else residue_values
    return {
        "token_logits": np.asarray(token_logits, dtype=float),
        "residue_logits": np.asarray(residue_logits, dtype=float),
        "token_values": np.asarray(tokens, dtype=float),
        "residue_values": np.asarray(residues, dtype=float),
        "lag_bias": bias,
    }
