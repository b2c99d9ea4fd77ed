"""TransformerLens: HookedTransformer without normalisation, attention-only or with ReLU."""

from __future__ import annotations

from typing import Any

from verify.adapters.build import build
from verify.errors import InputError
from verify.model.foreign.block import Block
from verify.model.transformer import LimitTransformer

_NO_NORM = (
    "None: no ReLU network divides by a norm. Train with normalization_type=None; folding (LNPre) "
    "leaves the division in place"
)
_PLAIN = "plain softmax attention: logits q·k times a fixed scale"
_NO_SUCH = {
    "normalization_type": ((None,), _NO_NORM),
    "final_rms": ((False,), _NO_NORM),
    "use_normalization_before_and_after": ((False,), _NO_NORM),
    "post_embedding_ln": ((False,), _NO_NORM),
    "use_qk_norm": ((False,), _PLAIN),
    "clip_qkv": ((None,), _PLAIN),
    "use_logn_attn": ((False,), _PLAIN),
    "attn_scores_soft_cap": ((-1.0, None), _PLAIN),
    "output_logits_soft_cap": ((-1.0, None), "-1.0: the outputs are linear"),
    "scale_attn_by_inverse_layer_idx": ((False,), _PLAIN),
    "use_attention_sinks": ((False,), "False; a token of its own, such as BOS, takes its place"),
    "use_local_attn": ((False,), "False: attention to all keys; a lag_bias prefers near ones"),
    "gated_mlp": ((False,), "False: a ReLU network with one hidden layer"),
    "num_experts": ((None,), "None: a ReLU network with one hidden layer"),
    "load_in_4bit": ((False,), "False: weights as plain arrays"),
}
_POSITIONS = {
    "rotary": "rotary positions turn queries and keys by an angle that never repeats",
    "alibi": (
        "ALiBi falls with the lag without end; the nearest thing is a lag_bias of finitely many "
        "lags, multiplied by log i (verify.adapters.build)"
    ),
    "relative_positional_bias": (
        "relative biases that softmax takes unscaled; the nearest thing is a lag_bias of finitely "
        "many lags, multiplied by log i (verify.adapters.build)"
    ),
}


def from_transformer_lens(model: Any, *, period: int | None = None) -> LimitTransformer:
    """Return the limit transformer that a HookedTransformer is.

    It has to be causal or have one layer, without normalisation, attention-only or with ReLU.
    Positions are 0-based in TransformerLens: the first token uses row 0 of W_pos. The result takes
    tokens as they are: a BOS token that `model.to_tokens` puts first is part of x.

    Args:
        model: a `transformer_lens.HookedTransformer`, of the versions below 4.
        period: Δ, after how many rows W_pos repeats: 1 where all rows are equal, n_ctx to take
            learned absolute positions as repeating.

    Raises:
        InputError: the model is no such thing, or no limit transformer; it says why.
        WeightsError: an array is not usable.
    """
    cfg = getattr(model, "cfg", None)
    parts = ("embed", "pos_embed", "blocks", "unembed")
    if cfg is None or not all(hasattr(model, part) for part in ("embed", "blocks", "unembed")):
        allowed = f"a transformer_lens.HookedTransformer, with cfg, {', '.join(parts)}"
        raise InputError("model", model, allowed)
    _check(cfg, model)
    blocks = [_block(block, cfg) for block in model.blocks]
    shortformer = cfg.positional_embedding_type == "shortformer"
    return build(
        embedding=model.embed.W_E,
        blocks=blocks,
        unembedding=model.unembed.W_U,
        unembedding_bias=model.unembed.b_U,
        vectors="row",
        logits="plain",
        causal=cfg.attention_dir == "causal",
        positions=model.pos_embed.W_pos,
        positions_start=0,
        period=period,
        positions_in="queries_and_keys" if shortformer else "residual",
    )


def _block(block: Any, cfg: Any) -> Block:
    attention = block.attn
    arrays = {
        name: getattr(attention, name)
        for name in ("W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O")
    }
    if not cfg.attn_only:
        names = ("W_in", "b_in", "W_out", "b_out")
        arrays |= {name: getattr(block.mlp, name) for name in names}
    return Block(**arrays, scale=1 / float(attention.attn_scale))


def _check(cfg: Any, model: Any) -> None:
    """Refuse what is no limit transformer."""
    for name, (fits, allowed) in _NO_SUCH.items():
        value = getattr(cfg, name, fits[0])
        if value not in fits:
            raise InputError(f"cfg.{name}", value, allowed)
    if not cfg.attn_only:
        if cfg.act_fn != "relu":
            allowed = '"relu", or attn_only=True: limit transformers have ReLU networks'
            raise InputError("cfg.act_fn", cfg.act_fn, allowed)
        if cfg.parallel_attn_mlp:
            allowed = "False: the ReLU network reads what attention has added"
            raise InputError("cfg.parallel_attn_mlp", True, allowed)
    kind = cfg.positional_embedding_type
    if kind not in ("standard", "shortformer"):
        why = _POSITIONS.get(kind, "unknown here")
        allowed = f'"standard" or "shortformer" positions that repeat; {why}'
        raise InputError("cfg.positional_embedding_type", kind, allowed)
    hooks = getattr(model, "hook_dict", {})
    hooked = sorted(name for name, point in hooks.items() if getattr(point, "fwd_hooks", None))
    if hooked:
        allowed = "a model without hooks: model.reset_hooks(including_permanent=True)"
        raise InputError("model", hooked, allowed)
