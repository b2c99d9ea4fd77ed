"""The output of a limit transformer, by the fastest exact method that its form allows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.forward import one_layer, two_layer
from verify.model.reference import reference
from verify.model.summary import Summary, summary_of
from verify.model.validation import as_sequence
from verify.model.weights import Weights

Method = Literal["counts", "histograms", "definition"]

__all__ = ["Method", "evaluate", "method", "of_summary"]


def method(f: Weights) -> Method:
    """Return how `evaluate` computes f(x); see LimitTransformer.method."""
    if len(f.layers) == 1:
        return "counts"
    if len(f.layers) == 2 and f.precision_bits is None:
        return "histograms"
    return "definition"


def evaluate(f: Weights, x: Any) -> npt.NDArray[np.float64]:
    """Return f(x), shape (o,); raises InputError and WeightsError as LimitTransformer says."""
    how = method(f)
    if how == "definition":
        return reference(f, x)
    tokens = as_sequence(x)
    summary = summary_of(tokens, f.vocabulary_size, f.period, f.locality)
    if how == "counts":
        return one_layer.output(f, summary)
    return two_layer.output(f, tokens, summary)


def of_summary(f: Weights, summary: Summary) -> npt.NDArray[np.float64]:
    """Return f on every input with this summary, shape (o,); see LimitTransformer.of_summary."""
    if len(f.layers) != 1:
        raise InputError("layers", len(f.layers), "one layer: of more, f is no function of counts")
    if summary.counts.shape != (f.period, f.vocabulary_size):
        allowed = f"(Δ, |Σ|) = {(f.period, f.vocabulary_size)}"
        raise InputError("summary.counts.shape", summary.counts.shape, allowed)
    if summary.suffix.size != min(summary.length, f.locality + 1):
        allowed = f"min(T, τ+1) = {min(summary.length, f.locality + 1)} tokens"
        raise InputError("summary.suffix.size", summary.suffix.size, allowed)
    return one_layer.output(f, summary)
