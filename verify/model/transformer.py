"""Limit transformers: the output at the last position, and files.

The model, for an input x of length T over the vocabulary Σ; positions are 1-based, position i
uses row i mod Δ of `positions`:

    y_i   = embedding[x_i] + positions[i mod Δ]
    a_ij  = y_jᵀ query_key y_i + φ(i − j),  j ≤ i,  φ(t) = lag_bias[t] for t ≤ τ, 0 beyond
    o_i   = Σ_heads Σ_j softmax_j(a_ij) value y_j
    u_i   = y_i + o_i
    y_i  ← u_i + mlp_out relu(mlp_in u_i + mlp_bias)           (next layer)
    f(x)  = unembedding y_T

Finite precision (`precision_bits=p`): every logit is multiplied by log T, and relative weights
T^(a − max a) ≤ 2^−p are 0. Infinite precision (`precision_bits=None`): φ is multiplied by log i,
i the position of the query; content logits stay as they are. Both in every layer.
Source: [izzo2025, sections 2, 4 and 5].
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy.typing as npt

from verify.float_errors import usual_float_errors
from verify.model import forward, weights_file
from verify.model.summary import Summary
from verify.model.weights import Floats, Weights


@dataclass(frozen=True, eq=False, repr=False)
class LimitTransformer(Weights):
    """A limit transformer; calling it gives the output at the last position.

    Attributes:
        embedding: E, shape (|Σ|, d).
        positions: shape (Δ, d); position i = 1, 2, … adds row i mod Δ. A row of zeros: none.
        layers: at least one Layer of width d; a list is taken too.
        unembedding: U, shape (o, d).
        precision_bits: p ≥ 1 for finite precision (argmax attention in the limit), None for
            infinite precision (softmax attention).

    Raises:
        WeightsError: an argument is not usable (all problems at once).
    """

    @property
    def method(self) -> forward.Method:
        """How a call computes the output, from the fastest to the slowest.

        "counts" (one layer): the input is read once and only counted; memory ∝ |Σ|Δ + τ.
        "histograms" (two layers, infinite precision): O(T·|Σ|Δ·H) time, bounded memory.
        "definition" (all else): `verify.reference`, O(T²) time, O(T) memory.
        """
        return forward.method(self)

    @usual_float_errors
    def __call__(self, x: npt.ArrayLike) -> Floats:
        """Return the output at the last position, shape (o,).

        Args:
            x: (T,) integers in 0..|Σ|−1, T at least 1, of any integer type.

        Raises:
            InputError: x is not such a sequence.
            WeightsError: the weights lead to numbers beyond the range of float64.
        """
        return forward.evaluate(self, x)

    @usual_float_errors
    def of_summary(self, summary: Summary) -> Floats:
        """Return the output of a one-layer model on every input with this summary, shape (o,).

        Raises:
            InputError: the model has more than one layer, or the summary's |Σ|, Δ or length of
                the suffix is not the model's.
            WeightsError: the weights lead to numbers beyond the range of float64.
        """
        return forward.of_summary(self, summary)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file; `load` gives back exactly the same weights.

        An existing file of that name stays as it was until the new one is complete.

        Raises:
            InputError: the file cannot be written.
        """
        weights_file.save(self, path)

    @staticmethod
    def load(path: str | PathLike[str]) -> LimitTransformer:
        """Read a model that `save` wrote. Nothing in the file is executed.

        Raises:
            InputError: the file cannot be read, or is none that `save` wrote.
            WeightsError: the file holds weights that are not usable.
        """
        return LimitTransformer(**weights_file.load(path))
