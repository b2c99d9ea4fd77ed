"""Weights from elsewhere: arrays in any convention, TransformerLens, Tracr.

PyTorch modules and state dicts: `verify.LimitTransformer.from_torch`. One head:
`verify.Head.from_qkvo`. What is no limit transformer is refused, with the nearest thing that is.
How to, with the traps: docs/own_weights.md.
"""

from verify.adapters.build import build
from verify.adapters.dead_attention import fold_dead_attention
from verify.adapters.tracr import from_tracr
from verify.adapters.transformer_lens import from_transformer_lens
from verify.model.foreign.block import Block

__all__ = ["Block", "build", "fold_dead_attention", "from_tracr", "from_transformer_lens"]
