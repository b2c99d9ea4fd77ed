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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import numpy.typing as npt

from verify.float_errors import usual_float_errors
from verify.model import forward, weights_file
from verify.model.foreign.pytorch import LayerParts, torch_arguments
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

    @staticmethod
    def from_torch(
        source: Any | Mapping[str, Any] | str | PathLike[str],
        *,
        embedding: str,
        layers: Sequence[LayerParts],
        unembedding: str,
        logits: Literal["plain", "log"],
        causal: bool,
        positions: str | None = None,
        positions_start: int | None = None,
        period: int | None = None,
        precision_bits: int | None = None,
        heads: int | None = None,
        scale: float | None = None,
        ignore: Sequence[str] = (),
    ) -> LimitTransformer:
        """Return the limit transformer whose parts are these parts of a PyTorch model.

        Its forward pass is embedding (+ positions), per layer y ← y + attention(y) and
        y ← y + ReLU network(y), unembedding; what the model's own `forward` does with the parts
        cannot be seen: compare the two on a few inputs. PyTorch is not needed for state dicts
        and files. Biases: see `verify.adapters.build`.

        Args:
            source: a torch.nn.Module, without dropout or in eval mode; its state dict; or a
                safetensors file of that. Pickles are not read.
            embedding: name of the nn.Embedding, or of an array (|Σ|, d).
            layers: for each layer, the name of an nn.TransformerEncoderLayer (ReLU, with
                nn.Identity as norms); or a mapping to names, {"attention": an
                nn.MultiheadAttention} or {"query", "key", "value", "output": nn.Linear}, with
                "mlp_in" and "mlp_out" (nn.Linear) where there is a ReLU network.
            unembedding: name of the nn.Linear, or of an array (o, d), that of the embedding too.
            logits: "plain" where softmax takes the logits as they are, as PyTorch's attention
                does; "log" where the model multiplies them by log T first.
            causal: whether the model masks later positions; with one layer of attention either is
                right, since the output is read at the last position.
            positions: name of the table of positions, (n, d); None where there are none.
            positions_start: the row of the first token, 0 or 1 as a rule.
            period: Δ, after how many rows positions repeat; Δ = n takes learned absolute
                positions as repeating, which agrees with the model up to length n.
            precision_bits: p with logits="log"; None with logits="plain".
            heads: H, where `source` is a state dict or the projections are separate.
            scale: factor of the logits of separate projections; None is 1/√d_head.
            ignore: names of arrays and parts that play no role, such as a stored mask.

        Raises:
            InputError: an argument is missing or impossible, an array has no role, or a part is
                none of a limit transformer: the nearest thing that fits is named.
            WeightsError: an array is not usable.
        """
        weights = torch_arguments(
            source,
            embedding=embedding,
            layers=layers,
            unembedding=unembedding,
            positions=positions,
            positions_start=positions_start,
            period=period,
            logits=logits,
            precision_bits=precision_bits,
            causal=causal,
            heads=heads,
            scale=scale,
            ignore=ignore,
        )
        return LimitTransformer(**weights)
