"""The forward pass of a transformer as other libraries compute it, biases and all, in NumPy.

Row vectors, y @ W, written from the formulas of the libraries and not from verify: the ordinary
tests compare adapters with it; tests_adapters compares them with the libraries themselves.
"""

import numpy as np

MATRICES = ("W_Q", "W_K", "W_V", "W_O")


def random_block(rng, d, heads=2, d_head=3, d_v=2, hidden=5, biases=True):
    """A dict of arrays in the row convention, as verify.adapters.Block names them."""
    shapes = {
        "W_Q": (heads, d, d_head),
        "W_K": (heads, d, d_head),
        "W_V": (heads, d, d_v),
        "W_O": (heads, d_v, d),
        "W_in": (d, hidden),
        "W_out": (hidden, d),
    }
    if biases:
        shapes |= {
            "b_Q": (heads, d_head),
            "b_K": (heads, d_head),
            "b_V": (heads, d_v),
            "b_O": (d,),
            "b_in": (hidden,),
            "b_out": (d,),
        }
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def columns(block):
    """The same block in the column convention."""
    return {k: np.swapaxes(v, -1, -2) if k.startswith("W_") else v for k, v in block.items()}


def forward(
    x,
    embedding,
    blocks,
    unembedding,
    bias=0.0,
    positions=None,
    start=0,
    scale=None,
    causal=True,
    log=False,
    shortformer=False,
):
    """Outputs at the last position; `positions` is read row by row from row `start` on."""
    x = np.asarray(x)
    length = len(x)
    p = np.zeros((length, embedding.shape[1]))
    if positions is not None:
        p = positions[start + np.arange(length)]
    y = embedding[x] + (0 if shortformer else p)
    for b in blocks:
        attended = np.zeros_like(y)
        reads = y + (p if shortformer else 0)
        for h in range(len(b["W_Q"])):
            q = reads @ b["W_Q"][h] + (b["b_Q"][h] if "b_Q" in b else 0)
            k = reads @ b["W_K"][h] + (b["b_K"][h] if "b_K" in b else 0)
            v = y @ b["W_V"][h] + (b["b_V"][h] if "b_V" in b else 0)
            logits = q @ k.T * (1 / np.sqrt(q.shape[1]) if scale is None else scale)
            if log:
                logits = logits * np.log(length)
            if causal:
                logits = np.where(np.tri(length, dtype=bool), logits, -np.inf)
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            attended += weights @ v @ b["W_O"][h]
        y = y + attended + b.get("b_O", 0)
        if "W_in" in b:
            hidden = np.maximum(y @ b["W_in"] + b.get("b_in", 0), 0)
            y = y + hidden @ b["W_out"] + b.get("b_out", 0)
    return y[-1] @ unembedding + bias
