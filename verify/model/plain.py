"""Models and inputs as plain data, for JSON; every float64 is kept exactly."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from verify.lengths import from_json, to_json
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer


def model_data(model: LimitTransformer) -> dict[str, Any]:
    """Return the weights as nested lists; JSON keeps every float64 exactly."""
    return _plain(model)  # type: ignore[no-any-return]


def model_from(data: dict[str, Any]) -> LimitTransformer:
    """Return the model that `model_data` described."""
    dimension = len(data["embedding"][0])
    layers = []
    for layer in data["layers"]:
        heads = tuple(Head(**head) for head in layer["heads"])
        # Empty lists have lost their second axis.
        layers.append(
            Layer(
                heads,
                np.reshape(np.array(layer["mlp_in"], dtype=float), (-1, dimension)),
                np.array(layer["mlp_bias"], dtype=float),
                np.reshape(np.array(layer["mlp_out"], dtype=float), (dimension, -1)),
            )
        )
    rest = {key: data[key] for key in ("embedding", "positions", "unembedding", "precision_bits")}
    return LimitTransformer(layers=tuple(layers), **rest)


def summary_data(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain data; integers too long for decimal digits in hexadecimal."""
    return {
        "counts": [[to_json(count) for count in row] for row in summary.counts.tolist()],
        "suffix": summary.suffix.tolist(),
        "length": to_json(summary.length),
    }


def summary_from(data: dict[str, Any]) -> Summary:
    """Return the summary that `summary_data` described."""
    counts = np.array([[from_json(n) for n in row] for row in data["counts"]], dtype=object)
    suffix = np.array(data["suffix"], dtype=np.int64)
    return Summary(counts, suffix, from_json(data["length"]))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Head | Layer | LimitTransformer):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    return value
