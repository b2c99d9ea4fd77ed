"""A digest of weights: which model a certificate speaks of."""

from __future__ import annotations

import hashlib

import numpy as np

from verify.model.transformer import LimitTransformer


def digest(f: LimitTransformer) -> str:
    r"""Return the SHA-256, in hexadecimal, of all arrays and the precision of a model.

    It reads the text "precision_bits p\n" (p or "None"); then for each array the text
    "name d₁ d₂ …\n", its shape, and its entries as little-endian float64 in row-major order.
    The order: embedding, positions, unembedding; for each layer k = 0, 1, … its mlp_in, mlp_bias,
    mlp_out, named "layers.k.mlp_in" and so on; for each of its heads h query_key, value,
    lag_bias, named "layers.k.heads.h.query_key" and so on. The text is UTF-8. A zero counts as
    +0.0, so that equal models have equal digests.
    """
    arrays = {name: getattr(f, name) for name in ("embedding", "positions", "unembedding")}
    for k, layer in enumerate(f.layers):
        for name in ("mlp_in", "mlp_bias", "mlp_out"):
            arrays[f"layers.{k}.{name}"] = getattr(layer, name)
        for h, head in enumerate(layer.heads):
            for name in ("query_key", "value", "lag_bias"):
                arrays[f"layers.{k}.heads.{h}.{name}"] = getattr(head, name)
    state = hashlib.sha256(f"precision_bits {f.precision_bits}\n".encode())
    for name, array in arrays.items():
        state.update((" ".join([name, *map(str, array.shape)]) + "\n").encode())
        state.update(np.ascontiguousarray(array + 0.0, dtype="<f8").tobytes())
    return state.hexdigest()
