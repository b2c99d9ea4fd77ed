"""First layers whose attention adds nothing that depends on the input: part of the embedding."""

from __future__ import annotations

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.weights import Floats, Layer


def fold_dead_attention(f: LimitTransformer) -> LimitTransformer:
    """Return the same function with first layers of dead attention folded into the embedding.

    Attention is dead where every head writes the same vector whatever it attends to: its `value`
    reads only coordinates that all tokens and positions share, or none. Such a layer is a function
    of one token and its position; it is folded if it has no ReLU network or there are no positions
    (Δ = 1), since embedding + positions holds no other tables. The last layer stays in any case.

    The rows of the new embedding are computed in float64, in the order of the forward pass.

    Args:
        f: a model with any number of layers.
    """
    embedding, positions, layers = f.embedding, f.positions, f.layers
    while len(layers) > 1:
        added = _added(layers[0], embedding, positions)
        if added is None or (layers[0].hidden and len(positions) > 1):
            break
        if layers[0].hidden:
            u = embedding + positions[0] + added
            hidden = np.maximum(u @ layers[0].mlp_in.T + layers[0].mlp_bias, 0.0)
            embedding = u + hidden @ layers[0].mlp_out.T
            positions = np.zeros_like(positions)
        else:
            embedding = embedding + added
        layers = layers[1:]
    return LimitTransformer(embedding, positions, layers, f.unembedding, f.precision_bits)


def _added(layer: Layer, embedding: Floats, positions: Floats) -> Floats | None:
    """Return what dead attention adds to every vector, (d,); None where attention lives."""
    shared = (embedding == embedding[0]).all(axis=0) & (positions == positions[0]).all(axis=0)
    if any(head.value[:, ~shared].any() for head in layer.heads):
        return None
    return sum(
        (head.value @ np.where(shared, embedding[0] + positions[0], 0.0) for head in layer.heads),
        np.zeros(embedding.shape[1]),
    )
