"""Tracr: RASP programs compiled to the weights of a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.adapters.build import build
from verify.adapters.dead_attention import fold_dead_attention
from verify.errors import InputError
from verify.model.foreign.block import Block
from verify.model.qkvo import Floats
from verify.model.transformer import LimitTransformer


def from_tracr(compiled: Any) -> LimitTransformer:
    """Return the limit transformer that a compiled Tracr program is, at the last position.

    Tokens are those of `compiled.input_encoder.encoding_map`, the compiler's BOS first, as
    `compiled.apply` takes them. The output is what the program writes: its number, or one
    coordinate per value, in the order of `compiled.output_encoder.encoding_map`, of which Tracr
    takes the largest.

    Tracr keeps attention softer than a program means it: the weights are taken as they are,
    with plain softmax. First layers without attention are folded into the embedding
    (`fold_dead_attention`).

    Args:
        compiled: what `tracr.compiler.compiling.compile_rasp_to_model` returns.

    Raises:
        InputError: it is no such thing; the program reads indices, which end at max_seq_len; or
            more than one layer attends and the model is not causal.
    """
    config = getattr(compiled, "model_config", None)
    params = getattr(compiled, "params", None)
    if config is None or not isinstance(params, Mapping) or "token_embed" not in params:
        allowed = "what tracr.compiler.compiling.compile_rasp_to_model returns"
        raise InputError("compiled", compiled, allowed)
    if config.layer_norm or getattr(config.activation_function, "__name__", "") != "relu":
        given = (config.layer_norm, config.activation_function)
        raise InputError("compiled.model_config", given, "layer_norm=False and jax.nn.relu")
    unembedding = _unembedding(compiled)
    blocks = [_block(params, config, n) for n in range(config.num_layers)]
    _check_no_positions(compiled, params, blocks, unembedding)
    f = build(
        embedding=params["token_embed"]["embeddings"],
        blocks=blocks,
        unembedding=unembedding,
        vectors="row",
        logits="plain",
        causal=bool(config.causal),
    )
    return fold_dead_attention(f)


def _block(params: Mapping[str, Any], config: Any, number: int) -> Block:
    heads, width = config.num_heads, config.key_size

    def linear(name: str) -> tuple[Floats, Floats]:
        entry = params[f"transformer/layer_{number}/{name}"]
        return np.asarray(entry["w"], dtype=float), np.asarray(entry["b"], dtype=float)

    arrays: dict[str, Any] = {}
    for letter, name in (("Q", "query"), ("K", "key"), ("V", "value")):
        w, b = linear(f"attn/{name}")
        arrays[f"W_{letter}"] = w.reshape(len(w), heads, width).transpose(1, 0, 2)
        arrays[f"b_{letter}"] = b.reshape(heads, width)
    w, arrays["b_O"] = linear("attn/linear")
    arrays["W_O"] = w.reshape(heads, width, -1)
    arrays["W_in"], arrays["b_in"] = linear("mlp/linear_1")
    arrays["W_out"], arrays["b_out"] = linear("mlp/linear_2")
    return Block(**arrays)


def _unembedding(compiled: Any) -> Floats:
    """Return the matrix from the residual stream to the output, (d, o), without the argmax."""
    # Whoever holds a compiled model has haiku; nobody else needs it.
    import haiku

    width = len(compiled.residual_labels)

    def unembed(x: Any) -> Any:
        return compiled.get_compiled_model().unembed(x, use_unembed_argmax=False)

    rows = haiku.without_apply_rng(haiku.transform(unembed)).apply({}, np.eye(width)[None])
    return np.asarray(rows, dtype=float).reshape(width, -1)


def _check_no_positions(
    compiled: Any, params: Mapping[str, Any], blocks: list[Block], unembedding: Floats
) -> None:
    """Refuse a program in which a matrix reads the rows of positions."""
    rows = np.asarray(params["pos_embed"]["embeddings"], dtype=float)
    readers = [("the output", unembedding)]
    for number, block in enumerate(blocks):
        for name in ("W_Q", "W_K", "W_V", "W_in"):
            readers.append((f"{name} of layer {number}", np.asarray(getattr(block, name))))
    reading = [name for name, matrix in readers if (rows @ matrix).any()]
    if reading:
        allowed = (
            f"a program that reads no indices; this one does, in {', '.join(reading)}, and its "
            f"positions end at max_seq_len = {len(rows) - 1}: no longer input exists. The nearest "
            "thing is a program of tokens alone, or positions of your own that repeat "
            "(verify.adapters.build)"
        )
        raise InputError("compiled", ", ".join(compiled.residual_labels), allowed)
