"""Which torch.nn modules may be part of a model that is a limit transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from verify.errors import InputError
from verify.model.foreign.state import is_under

_FIT = {
    "Dropout",
    "Embedding",
    "Identity",
    "Linear",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "NonDynamicallyQuantizableLinear",
    "ReLU",
    "Sequential",
    "TransformerEncoder",
    "TransformerEncoderLayer",
}

# Told by words in the name of the class.
_REASONS = (
    (
        ("norm",),
        "no normalisation: no ReLU network divides by a norm. Train with nn.Identity() in its "
        "place",
    ),
    (
        ("gelu", "silu", "swish", "glu", "tanh", "sigmoid", "elu", "softplus", "mish"),
        "nn.ReLU(): limit transformers have ReLU networks. Train, or train further, with ReLU",
    ),
    (
        ("rotary", "rope"),
        "positions that are added and repeat: rotary ones turn queries and keys by an angle that "
        "never repeats",
    ),
    (
        ("alibi",),
        "a lag bias of finitely many lags, multiplied by log i (verify.adapters.build): ALiBi "
        "falls with the lag without end, and softmax takes it unscaled",
    ),
)


def check_modules(model: Any, ignore: Iterable[str]) -> None:
    """Refuse a module with parts that no limit transformer has.

    What the model's own `forward` does with its parts cannot be seen.

    Raises:
        InputError: it names the part and the nearest thing that fits.
    """
    ignored = tuple(ignore)
    for name, part in model.named_modules():
        if not is_under(name, ignored):
            _check_kind(name, part)
            _check_options(name or "source", part)


def _kind(part: Any) -> str:
    """Return the name of the torch.nn class that a part is, or derives from; "" for none."""
    for kind in type(part).__mro__:
        if kind.__module__.startswith("torch.nn.") and kind.__name__ != "Module":
            return kind.__name__
    return ""


def _check_kind(name: str, part: Any) -> None:
    kind = _kind(part)
    if kind in _FIT:
        return
    # The user's own model and containers may be called anything; what they contain comes by itself.
    if kind or (name and not any(True for _ in part.children())):
        called = (kind or type(part).__name__).lower()
        for words, allowed in _REASONS:
            if any(word in called for word in words):
                raise InputError(name or "source", part, allowed)
    if kind:
        allowed = f"parts of these kinds: {', '.join(sorted(_FIT))}, and containers of your own"
        raise InputError(name or "source", part, allowed)


def _check_options(name: str, part: Any) -> None:
    kind = _kind(part)
    for hooks in ("_forward_hooks", "_forward_pre_hooks"):
        if getattr(part, hooks, None):
            allowed = "a module without forward hooks: they may change what it computes"
            raise InputError(name, part, allowed)
    dropout = getattr(part, "p", 0.0) if kind == "Dropout" else getattr(part, "dropout", 0.0)
    if getattr(part, "training", False) and isinstance(dropout, float) and dropout > 0:
        raise InputError(name, part, "no dropout: model.eval() turns it off")
    if kind == "MultiheadAttention" and (part.add_zero_attn or part.bias_k is not None):
        allowed = (
            "add_zero_attn=False and add_bias_kv=False: keys that are no tokens; a BOS token takes "
            "their place"
        )
        raise InputError(name, part, allowed)
    if kind == "Embedding" and getattr(part, "max_norm", None) is not None:
        raise InputError(name, part, "max_norm=None: the rows as they are")
    if kind == "TransformerEncoderLayer":
        activation = getattr(part, "activation", None)
        called = getattr(activation, "__name__", type(activation).__name__)
        if called not in ("relu", "ReLU"):
            raise InputError(f"{name}.activation", called, 'activation="relu"')
