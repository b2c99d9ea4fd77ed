"""A limit transformer from arrays with roles, in the conventions of other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy.typing as npt

from verify.model.foreign.assemble import Ends, PositionsIn, arguments
from verify.model.foreign.block import Block
from verify.model.qkvo import Vectors
from verify.model.transformer import LimitTransformer


def build(
    *,
    embedding: npt.ArrayLike,
    blocks: Sequence[Block],
    unembedding: npt.ArrayLike,
    vectors: Vectors,
    logits: Literal["plain", "log"],
    causal: bool,
    precision_bits: int | None = None,
    unembedding_bias: npt.ArrayLike | None = None,
    positions: npt.ArrayLike | None = None,
    positions_start: int | None = None,
    period: int | None = None,
    positions_in: PositionsIn = "residual",
) -> LimitTransformer:
    """Return the limit transformer that computes what these weights compute elsewhere.

    Arrays are whatever NumPy reads, JAX arrays and torch tensors too. The output is what the
    model gives at the *last* position, unembedded, before any softmax or argmax.

    Biases cost no accuracy. b_in is `mlp_bias`; b_out is one more hidden unit, which is always 1;
    b_K changes no attention weight and is left out. b_Q, b_V, b_O and the unembedding's bias need
    a coordinate that is 1 in every vector: if one of them is not 0, the residual stream gets one
    more coordinate, the last, 1 in every row of `embedding`, which no layer writes to.

    Args:
        embedding: (|Σ|, d), one row per token, in both conventions.
        blocks: one Block per layer.
        unembedding: `vectors="row"`: (d, o); `vectors="column"`: (o, d).
        vectors: "row" where vectors multiply from the left, y @ W (TransformerLens, Haiku, Flax);
            "column" where they multiply from the right, W @ y (the weight of a torch.nn.Linear).
        logits: "plain" where softmax takes the logits as they are; "log" where the model
            multiplies them by log T first, T the length of the input, which is finite precision.
        causal: whether position i attends to j ≤ i only; with one layer of attention either is
            right.
        precision_bits: p with `logits="log"`; None with `logits="plain"`.
        unembedding_bias: (o,); None is 0.
        positions: (n, d), rows that are added by position; None where there are none.
        positions_start: the row of the first token, 0 or 1 as a rule.
        period: Δ, after how many rows positions repeat; Δ = n takes a table of learned absolute
            positions as repeating.
        positions_in: "residual" where positions are added to the embedding; "queries_and_keys"
            where they are added to what queries and keys read, in every layer (Shortformer).

    Raises:
        InputError: an argument is missing, impossible, or asks for what is no limit transformer.
        WeightsError: an array is not usable.
    """
    ends = Ends(
        embedding=embedding,
        unembedding=unembedding,
        unembedding_bias=unembedding_bias,
        positions=positions,
        positions_start=positions_start,
        period=period,
        positions_in=positions_in,
    )
    weights = arguments(
        ends,
        blocks,
        vectors=vectors,
        logits=logits,
        precision_bits=precision_bits,
        causal=causal,
    )
    return LimitTransformer(**weights)
