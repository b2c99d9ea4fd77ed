"""What each key of a one-layer model adds to its output, as float64 rounded once.

With A, b, B the MLP, U the unembedding, y the vectors of types (token at residue), V_h the values
and π_h the attention of head h as a law on types, the output of a one-layer model is

    f = direct + G relu(hidden),  G = U B,
    (hidden, direct) = (A y_q + b, U y_q) + Σ_h Σ_t π_h(t) (A V_h y_t, U V_h y_t).

The vectors on the right are computed exactly, and then rounded.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from verify.errors import WeightsError
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import minimal_locality, minimal_period, type_vectors
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]


@lru_cache(maxsize=4)
def trimmed(f: LimitTransformer) -> LimitTransformer:
    """Return the same function with its least period and locality."""
    layer, locality = f.layers[0], minimal_locality(f)
    heads = [Head(h.query_key, h.value, h.lag_bias[: locality + 1]) for h in layer.heads]
    layers = (Layer(tuple(heads), layer.mlp_in, layer.mlp_bias, layer.mlp_out),)
    return dataclasses.replace(f, positions=f.positions[: minimal_period(f)], layers=layers)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """One model; type r·|Σ| + s is token s at residue r mod Δ.

    Attributes:
        own: (A y_q + b, U y_q) of each query type, shape (types, m + o).
        values: (A V_h y_t, U V_h y_t) of each head and type, shape (H, types, m + o).
        gains: G, shape (o, m).
    """

    own: Floats
    values: Floats
    gains: Floats

    @classmethod
    def of(cls, f: LimitTransformer, period: int) -> Outputs:
        """Return the table of a one-layer model for a multiple of its Δ.

        Raises:
            WeightsError: a product of weights is beyond the range of float64.
        """
        layer, types = f.layers[0], type_vectors(f)
        read = concatenate([Dyadic.of(layer.mlp_in), Dyadic.of(f.unembedding)]).T
        constant = np.concatenate([layer.mlp_bias, np.zeros(f.output_dimension)])
        own = _rounded("mlp_in", types @ read + Dyadic.of(constant))
        values = [_rounded("value", types @ Dyadic.of(head.value).T @ read) for head in layer.heads]
        gains = _rounded("mlp_out", Dyadic.of(f.unembedding) @ Dyadic.of(layer.mlp_out))
        repeated = np.arange(period * f.vocabulary_size) % len(own)
        return cls(own[repeated], np.stack(values)[:, repeated], gains)


def _rounded(name: str, exact: Dyadic) -> Floats:
    """Return the nearest float64 of every entry; division of Python ints rounds correctly."""
    unit = 1 << exact.exponent
    try:
        entries = [int(n) / unit for n in exact.numerators.ravel()]
    except OverflowError:
        allowed = "weights whose products float64 can hold; this product is not"
        raise WeightsError(name, "a product beyond 1.8e308", allowed) from None
    return np.array(entries, dtype=np.float64).reshape(exact.shape)
