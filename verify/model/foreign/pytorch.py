"""PyTorch: which arrays of a module or a state dict play which part in a limit transformer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from verify.errors import InputError, WeightsError
from verify.model.foreign.assemble import Ends, arguments
from verify.model.foreign.block import Block
from verify.model.foreign.modules import check_modules
from verify.model.foreign.state import State, is_module, read_state
from verify.model.qkvo import as_scale
from verify.model.validation import Problem, as_integer, as_weights

LayerParts = str | Mapping[str, str]
"""The parts of one layer; see `verify.LimitTransformer.from_torch`."""

_SEPARATE = ("query", "key", "value", "output")
_MLP = ("mlp_in", "mlp_out")


def torch_arguments(
    source: Any,
    *,
    embedding: str,
    layers: Any,
    unembedding: str,
    positions: str | None,
    positions_start: Any,
    period: Any,
    logits: Any,
    precision_bits: Any,
    causal: Any,
    heads: Any,
    scale: Any,
    ignore: Iterable[str],
) -> dict[str, Any]:
    """Return the arguments of LimitTransformer; see `verify.LimitTransformer.from_torch`."""
    if isinstance(ignore, str):
        raise InputError("ignore", ignore, "a tuple of names, such as ('mask',)")
    ignored = tuple(ignore)
    state = State(read_state(source), ignored)
    module = source if is_module(source) else None
    if module is not None:
        check_modules(module, ignored)
    if isinstance(layers, str | Mapping) or not isinstance(layers, Sequence) or not layers:
        raise InputError("layers", layers, "a list with the parts of at least one layer")
    ends = Ends(
        embedding=state.weight("embedding", embedding),
        unembedding=state.weight("unembedding", unembedding),
        unembedding_bias=state.bias(unembedding),
        positions=None if positions is None else state.weight("positions", positions),
        positions_start=positions_start,
        period=period,
    )
    blocks = [
        _block(state, module, parts, f"layers[{number}]", heads, scale)
        for number, parts in enumerate(layers)
    ]
    state.check_all_taken()
    return arguments(
        ends,
        blocks,
        vectors="column",
        logits=logits,
        precision_bits=precision_bits,
        causal=causal,
    )


def _block(
    state: State, module: Any, parts: LayerParts, role: str, heads: Any, scale: Any
) -> Block:
    if isinstance(parts, str):
        parts = _encoder_layer(state, parts, role)
    given = set(parts) if isinstance(parts, Mapping) else set()
    attention = {"attention"} if "attention" in given else set(_SEPARATE)
    if given not in (attention, attention | set(_MLP)):
        allowed = (
            'the name of an nn.TransformerEncoderLayer, or a mapping with "attention" (an '
            'nn.MultiheadAttention) or "query", "key", "value" and "output" (nn.Linear each), and '
            '"mlp_in" and "mlp_out" (nn.Linear each) where there is a ReLU network'
        )
        raise InputError(role, parts, allowed)
    assert isinstance(parts, Mapping)
    if "attention" in given:
        arrays = _multihead(state, module, parts["attention"], role, heads, scale)
    else:
        arrays = _separate(state, parts, role, heads, scale)
    if "mlp_in" in given:
        for key, suffix in (("mlp_in", "in"), ("mlp_out", "out")):
            arrays[f"W_{suffix}"] = state.weight(f"{role}.{key}", parts[key])
            arrays[f"b_{suffix}"] = state.bias(parts[key])
    return Block(**arrays)


def _encoder_layer(state: State, name: str, role: str) -> dict[str, str]:
    """Return the parts of an nn.TransformerEncoderLayer."""
    norms = [f"{name}.{norm}.weight" for norm in ("norm1", "norm2")]
    if any(state.has(norm) for norm in norms):
        allowed = (
            "an nn.TransformerEncoderLayer with nn.Identity() as norm1 and norm2: no ReLU network "
            "divides by a norm"
        )
        raise InputError(role, name, allowed)
    parts = {"attention": "self_attn", "mlp_in": "linear1", "mlp_out": "linear2"}
    return {key: f"{name}.{part}" for key, part in parts.items()}


def _multihead(
    state: State, module: Any, name: str, role: str, heads: Any, scale: Any
) -> dict[str, Any]:
    """Return the arrays of an nn.MultiheadAttention: packed (3d, d), queries, keys, values."""
    if scale is not None:
        allowed = (
            'None with nn.MultiheadAttention, which scales by 1/√d_head; with "query", "key" …'
        )
        raise InputError("scale", scale, allowed)
    if module is not None:
        known = getattr(dict(module.named_modules()).get(name), "num_heads", None)
        if known is not None and heads is not None and as_integer(heads) != known:
            raise InputError("heads", heads, f"None, or {known} as {name} has them")
        heads = known if heads is None else heads
    packed = state.weight(f"{role}.attention", f"{name}.in_proj_weight")
    bias = state.optional(f"{name}.in_proj_bias")
    output = state.weight(f"{role}.attention", f"{name}.out_proj.weight")
    problems: list[Problem] = []
    w = as_weights(problems, f"{name}.in_proj_weight", packed, 2, "(3d, d)")
    if w is not None and w.shape[0] != 3 * w.shape[1]:
        problems.append((f"{name}.in_proj_weight", packed, f"shape (3d, d); this one is {w.shape}"))
    if problems or w is None:
        raise WeightsError.of_all(problems)
    biases = np.zeros(len(w)) if bias is None else bias
    b = as_weights(problems, f"{name}.in_proj_bias", biases, 1, f"(3d,) = ({len(w)},)")
    if b is not None and len(b) != len(w):
        problems.append((f"{name}.in_proj_bias", bias, f"shape (3d,) = ({len(w)},)"))
    if problems or b is None:
        raise WeightsError.of_all(problems)
    thirds = [*np.split(w, 3), output], [*np.split(b, 3), state.bias(f"{name}.out_proj")]
    return _split(*thirds, role, heads, None)


def _separate(
    state: State, parts: Mapping[str, str], role: str, heads: Any, scale: Any
) -> dict[str, Any]:
    """Return the arrays of four nn.Linear: queries, keys, values, output."""
    weights = [state.weight(f"{role}.{key}", parts[key]) for key in _SEPARATE]
    return _split(weights, [state.bias(parts[key]) for key in _SEPARATE], role, heads, scale)


def _split(
    weights: list[Any], biases: list[Any], role: str, heads: Any, scale: Any
) -> dict[str, Any]:
    """Cut the rows of queries, keys and values, and the columns of the output, into heads."""
    problems: list[Problem] = []
    arrays = [
        as_weights(problems, f"{role}.{key}", weight, 2, "(H·d_head, d)")
        for key, weight in zip(_SEPARATE, weights, strict=True)
    ]
    found = [
        None if bias is None else as_weights(problems, f"{role}.{key}.bias", bias, 1, "(H·d_head,)")
        for key, bias in zip(_SEPARATE, biases, strict=True)
    ]
    if problems:
        raise WeightsError.of_all(problems)
    count = as_integer(heads)
    if count is None or count < 1:
        allowed = "the number of heads, at least 1: arrays do not tell it"
        raise InputError("heads", heads, allowed)
    result: dict[str, Any] = {}
    for letter, w, b in zip("QKV", arrays, found, strict=False):
        assert w is not None
        if len(w) % count:
            raise InputError("heads", heads, f"a divisor of {len(w)}, the rows of {letter}")
        result[f"W_{letter}"] = w.reshape(count, -1, w.shape[1])
        if b is not None:
            if len(b) != len(w):
                raise InputError(f"{role}.b_{letter}", b, f"shape ({len(w)},)")
            result[f"b_{letter}"] = b.reshape(count, -1)
    output = arrays[3]
    assert output is not None
    if output.shape[1] % count:
        raise InputError("heads", heads, f"a divisor of {output.shape[1]}, the columns of W_O")
    result["W_O"] = output.reshape(len(output), count, -1).transpose(1, 0, 2)
    result["b_O"] = found[3]
    result["scale"] = as_scale(scale, result["W_Q"].shape[1])
    return result
