"""One model as inputs meet it: exact logits of all keys, and what each key adds to the output.

With A, b, B the MLP, U the unembedding, y the vectors of types (token at residue), V_h the values
and π_h the attention of head h as a law on types, the output of a one-layer model is

    f = direct + G relu(hidden),  G = U B,
    (hidden, direct) = (A y_q + b, U y_q) + Σ_h Σ_t π_h(t) (A V_h y_t, U V_h y_t).

The vectors on the right are computed exactly and rounded once to float64. Types whose exact
vectors are equal in a head have the same value number there: exchanging them changes nothing.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from verify.errors import WeightsError
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]


def trimmed(f: LimitTransformer) -> LimitTransformer:
    """Return the same function with its least period and locality."""
    layer, locality = f.layers[0], minimal_locality(f)
    heads = [Head(h.query_key, h.value, h.lag_bias[: locality + 1]) for h in layer.heads]
    layers = (Layer(tuple(heads), layer.mlp_in, layer.mlp_bias, layer.mlp_out),)
    return dataclasses.replace(f, positions=f.positions[: minimal_period(f)], layers=layers)


@dataclasses.dataclass(frozen=True)
class HeadKeys:
    """One head.

    Attributes:
        content: numerators of the content logits, Python ints, shape (types, types): key, query.
        bias: numerators of φ at the lags 0..τ.
        exponent: logits are numerators · 2^−exponent.
        value_numbers: one number per type; equal numbers, equal values.
        values: (A V y_t, U V y_t) of each type, shape (types, m + o).
    """

    content: npt.NDArray[np.object_]
    bias: list[int]
    exponent: int
    value_numbers: npt.NDArray[np.intp]
    values: Floats


@dataclasses.dataclass(frozen=True)
class ModelKeys:
    """One model; type r·|Σ| + s is token s at residue r mod Δ.

    Attributes:
        precision_bits: p.
        heads: one HeadKeys each.
        own: (A y_q + b, U y_q) of each query type, shape (types, m + o).
        gains: G, shape (o, m).
    """

    precision_bits: int
    heads: tuple[HeadKeys, ...]
    own: Floats
    gains: Floats

    @classmethod
    def of(cls, f: LimitTransformer, period: int, locality: int) -> ModelKeys:
        """Return the keys of a one-layer model for a multiple of its Δ and a τ no less than its.

        Raises:
            WeightsError: a product of weights is beyond the range of float64.
        """
        assert f.precision_bits is not None
        layer = f.layers[0]
        rows = Dyadic.of(f.positions[np.arange(period) % f.period])
        types = (rows[:, None, :] + Dyadic.of(f.embedding)[None, :, :]).reshape(-1, f.dimension)
        read = concatenate([Dyadic.of(layer.mlp_in), Dyadic.of(f.unembedding)]).T
        constant = np.concatenate([layer.mlp_bias, np.zeros(f.output_dimension)])
        heads = []
        for head in layer.heads:
            content = types @ Dyadic.of(head.query_key) @ types.T
            bias = np.zeros(locality + 1)
            bias[: head.lag_bias.size] = head.lag_bias
            joined = concatenate([content.reshape(-1), Dyadic.of(bias)])
            size = content.shape[0] ** 2
            values = types @ Dyadic.of(head.value).T @ read
            numbers: dict[tuple[int, ...], int] = {}
            heads.append(
                HeadKeys(
                    joined.numerators[:size].reshape(content.shape),
                    joined.numerators[size:].tolist(),
                    joined.exponent,
                    np.array(
                        [numbers.setdefault(tuple(row), len(numbers)) for row in values.numerators]
                    ),
                    _rounded("value", values),
                )
            )
        own = _rounded("mlp_in", types @ read + Dyadic.of(constant))
        gains = _rounded("mlp_out", Dyadic.of(f.unembedding) @ Dyadic.of(layer.mlp_out))
        return cls(f.precision_bits, tuple(heads), own, gains)


def _rounded(name: str, exact: Dyadic) -> Floats:
    """Return the nearest float64 of every entry; division of Python ints rounds correctly."""
    unit = 1 << exact.exponent
    try:
        entries = [int(n) / unit for n in exact.numerators.ravel()]
    except OverflowError:
        allowed = "weights whose products float64 can hold; this product is not"
        raise WeightsError(name, "a product beyond 1.8e308", allowed) from None
    return np.array(entries, dtype=np.float64).reshape(exact.shape)
