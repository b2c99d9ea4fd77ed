"""From blocks, embedding, positions and unembedding to the arguments of LimitTransformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from verify.errors import InputError, WeightsError
from verify.model.foreign.block import Block, CheckedBlock, check_block
from verify.model.foreign.positions import periodic_rows
from verify.model.qkvo import Floats, Vectors, check_vectors, products
from verify.model.validation import Problem, as_weights
from verify.model.weights import Head, Layer

PositionsIn = Literal["residual", "queries_and_keys"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ends:
    """What stands before and behind the layers, as `verify.adapters.build` takes it."""

    embedding: Any
    unembedding: Any
    unembedding_bias: Any = None
    positions: Any = None
    positions_start: Any = None
    period: Any = None
    positions_in: Any = "residual"


def arguments(
    ends: Ends, blocks: Any, *, vectors: Any, logits: Any, precision_bits: Any, causal: Any
) -> dict[str, Any]:
    """Return the arguments of LimitTransformer; see `verify.adapters.build` for what they mean.

    Raises:
        InputError: an argument is missing, impossible, or asks for what is no limit transformer.
        WeightsError: an array is not usable.
    """
    vectors = check_vectors(vectors)
    bits = _precision(logits, precision_bits)
    if not isinstance(blocks, Sequence) or not blocks or isinstance(blocks, str):
        raise InputError("blocks", blocks, "a sequence of at least one Block")
    for number, block in enumerate(blocks):
        if not isinstance(block, Block):
            raise InputError(f"blocks[{number}]", block, "a verify.adapters.Block")
    checked = [check_block(b, vectors, f"blocks[{n}]") for n, b in enumerate(blocks)]
    embedding, unembedding, bias, positions = _ends(ends, vectors)
    d = embedding.shape[1]
    for number, found in enumerate(checked):
        if found.dimension != d:
            allowed = f"width d = {d}, as in embedding; this block's is {found.dimension}"
            raise InputError(f"blocks[{number}].W_Q", blocks[number].W_Q, allowed)
    needed = bool(bias.any()) or any(block.needs_constant for block in checked)
    doubled = _doubled(ends.positions_in, positions)
    frame = _Frame(d, doubled, needed)
    result = {
        "embedding": frame.rows(embedding, constant=1.0),
        "positions": frame.position_rows(positions),
        "layers": tuple(frame.layer(block) for block in checked),
        "unembedding": frame.unembedding(unembedding, bias),
        "precision_bits": bits,
    }
    _check_causal(causal, result["layers"])
    return result


@dataclass(frozen=True)
class _Frame:
    """The residual stream of the result: d coordinates, then positions apart, then the constant.

    Attributes:
        d: width of the model as given.
        doubled: whether positions have d coordinates of their own, which queries and keys read.
        constant: whether there is a coordinate that is 1 in every vector.
    """

    d: int
    doubled: bool
    constant: bool

    @property
    def width(self) -> int:
        return self.d * (1 + self.doubled) + self.constant

    def rows(self, array: Floats, constant: float) -> Floats:
        """Return (n, d) rows as (n, width), the constant coordinate filled."""
        result = np.zeros((len(array), self.width))
        result[:, : self.d] = array
        if self.constant:
            result[:, -1] = constant
        return result

    def position_rows(self, positions: Floats) -> Floats:
        if not self.doubled:
            return self.rows(positions, constant=0.0)
        result = np.zeros((len(positions), self.width))
        result[:, self.d : 2 * self.d] = positions
        return result

    def unembedding(self, unembedding: Floats, bias: Floats) -> Floats:
        result = self.rows(unembedding, constant=0.0)
        if self.constant:
            result[:, -1] = bias
        return result

    def layer(self, block: CheckedBlock) -> Layer:
        constant = self.width - 1 if self.constant else None
        heads = []
        for arrays, lag_bias in zip(block.heads, block.lag_bias, strict=True):
            wide = dict(arrays)
            for key in ("W_Q", "W_K", "W_V"):
                wide[key] = self.rows(arrays[key].T, constant=0.0).T
                if self.doubled and key != "W_V":
                    wide[key][self.d : 2 * self.d] = arrays[key]
            wide["W_O"] = self.rows(arrays["W_O"], constant=0.0)
            wide["b_O"] = self.rows(arrays["b_O"][None], constant=0.0)[0]
            heads.append(Head(*products(wide, block.scale, constant), lag_bias))
        mlp_in = self.rows(block.mlp["W_in"].T, constant=0.0)
        mlp_bias = block.mlp["b_in"]
        mlp_out = self.rows(block.mlp["W_out"], constant=0.0).T
        if block.mlp["b_out"].any():  # one more hidden unit, which is always 1
            mlp_in = np.vstack([mlp_in, np.zeros((1, self.width))])
            mlp_bias = np.append(mlp_bias, 1.0)
            added = self.rows(block.mlp["b_out"][None], constant=0.0).T
            mlp_out = np.hstack([mlp_out, added])
        return Layer(tuple(heads), mlp_in, mlp_bias, mlp_out)


def _ends(ends: Ends, vectors: Vectors) -> tuple[Floats, Floats, Floats, Floats]:
    """Return embedding (|Σ|, d), unembedding (o, d), its bias (o,) and positions (Δ, d)."""
    problems: list[Problem] = []
    shape = "(d, o)" if vectors == "row" else "(o, d)"
    embedding = as_weights(problems, "embedding", ends.embedding, 2, "(|Σ|, d)")
    unembedding = as_weights(problems, "unembedding", ends.unembedding, 2, shape)
    given = [[0.0]] if ends.positions is None else ends.positions
    rows = as_weights(problems, "positions", given, 2, "(n, d)")
    if embedding is None or unembedding is None or rows is None:
        raise WeightsError.of_all(problems)
    d = embedding.shape[1]
    unembedding = unembedding.T if vectors == "row" else unembedding
    if unembedding.shape[1] != d:
        allowed = f'shape {shape} with vectors="{vectors}" and d = {d}, as in embedding'
        problems.append(("unembedding", ends.unembedding, allowed))
    zeros = np.zeros(len(unembedding))
    bias = zeros if ends.unembedding_bias is None else ends.unembedding_bias
    array = as_weights(problems, "unembedding_bias", bias, 1, "(o,)")
    if array is not None and array.shape != zeros.shape:
        problems.append(("unembedding_bias", bias, f"shape (o,) = {zeros.shape}"))
    if ends.positions is not None and rows.shape[1] != d:
        problems.append(("positions", ends.positions, f"shape (n, d) with d = {d}"))
    if problems or array is None:
        raise WeightsError.of_all(problems)
    if ends.positions is None:
        for name in ("period", "positions_start"):
            if getattr(ends, name) is not None:
                raise InputError(name, getattr(ends, name), "None where there are no positions")
        return embedding, unembedding, array, np.zeros((1, d))
    table = periodic_rows(rows, ends.period, ends.positions_start)
    return embedding, unembedding, array, table


def _doubled(positions_in: Any, positions: Floats) -> bool:
    if positions_in not in ("residual", "queries_and_keys"):
        allowed = (
            '"residual" where positions are added to the embedding once, or "queries_and_keys" '
            "where they are added to what queries and keys read, in every layer (Shortformer)"
        )
        raise InputError("positions_in", positions_in, allowed)
    return positions_in == "queries_and_keys" and bool(positions.any())


def _precision(logits: Any, precision_bits: Any) -> Any:
    """Return precision_bits, where it goes with `logits`."""
    if logits not in ("plain", "log"):
        allowed = (
            '"plain" where softmax takes the logits as they are, or "log" where the model '
            "multiplies them by the logarithm of the length first"
        )
        raise InputError("logits", logits, allowed)
    if logits == "plain" and precision_bits is not None:
        allowed = (
            'None with logits="plain": finite precision multiplies logits by log T; '
            'logits="log" says that the model does so'
        )
        raise InputError("precision_bits", precision_bits, allowed)
    if logits == "log" and precision_bits is None:
        allowed = (
            'an integer p, at least 1, with logits="log": without finite precision content logits '
            "are not scaled; p = 24 drops what float32 would hardly add"
        )
        raise InputError("precision_bits", None, allowed)
    return precision_bits


def _check_causal(causal: Any, layers: tuple[Layer, ...]) -> None:
    """Refuse attention to later positions where an output at the last position sees it."""
    if not isinstance(causal, bool | np.bool_):
        allowed = "True where position i attends to j ≤ i only, or False"
        raise InputError("causal", causal, allowed)
    if not causal and sum(any(h.value.any() for h in layer.heads) for layer in layers) > 1:
        allowed = (
            "True for more than one layer of attention: limit transformers are causal. With one, "
            "the output at the last position is the same either way"
        )
        raise InputError("causal", causal, allowed)
