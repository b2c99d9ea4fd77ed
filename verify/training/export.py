"""From trained arrays to `verify.LimitTransformer`, without loss: float32 is exact in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.training.experiment import Experiment, Run

Arrays = Mapping[str, NDArray[np.float32]]


def to_limit_transformer(experiment: Experiment, run: Run, params: Arrays) -> LimitTransformer:
    """The trained model of one run as a limit transformer, padding removed.

    KᵀQ/d and U/d are multiplied out in float64, from the float32 weights as they are.

    Args:
        params: arrays of this run alone, by name, as `initialise` makes them.

    Raises:
        InputError: a plain model with lag biases, which is no limit transformer.
    """
    p = {name: np.asarray(array, dtype=np.float64) for name, array in params.items()}
    if experiment.scaling == "plain" and np.any(p["lag_bias"]):
        allowed = "log-scaled logits, or lag biases 0: unscaled lag biases are no limit transformer"
        raise InputError("experiment.scaling", experiment.scaling, allowed)
    d = experiment.width
    setting = run.setting
    lag_bias = np.zeros((experiment.heads, 1)) if experiment.scaling == "plain" else p["lag_bias"]
    heads = tuple(
        Head(key.T @ query / d, value, lags)
        for key, query, value, lags in zip(p["key"], p["query"], p["value"], lag_bias, strict=True)
    )
    mlp = (p["mlp_in"], p["mlp_bias"], p["mlp_out"])
    outputs = len(p["unembedding"])
    if experiment.task == "k_gram":
        second = Head(p["key_2"][0].T @ p["query_2"][0] / d, p["value_2"][0], np.zeros(1))
        layers: tuple[Layer, ...] = (Layer(heads), Layer((second,), *mlp))
        outputs = setting.vocabulary_size
    else:
        layers = (Layer(heads, *mlp),)
    return LimitTransformer(
        p["embedding"][: setting.vocabulary_size],
        p["positions"][: setting.period],
        layers,
        p["unembedding"][:outputs] / d,
        experiment.precision_bits,
    )
