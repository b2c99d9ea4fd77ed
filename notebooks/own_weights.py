# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own weights
#
# From matrices that you have, in PyTorch, JAX or NumPy, to a proof about every length. This
# notebook makes up a small softmax layer, in PyTorch's names and layout but without PyTorch;
# `docs/own_weights.md` has the same for modules of PyTorch, TransformerLens and Tracr, with all
# traps.

# %%
import matplotlib.pyplot as plt
import numpy as np

import bounds
import verify
from verify import LimitTransformer
from verify.figures import error_profile

# %% [markdown]
# ## The state dict
#
# Three tokens. One `nn.MultiheadAttention` with one head, which attends a little more to token 1
# than to the others, and an output that reads the share of token 1: what training leaves of a
# uniform average. Every array needs a role; what is left over would be refused.

# %%
rng = np.random.default_rng(0)


def state_dict(noise):
    """Uniform attention and the share of token 1, both up to noise."""
    in_proj, bias = np.zeros((9, 3)), np.zeros(9)
    bias[0] = 1.0  # the query is the same everywhere
    in_proj[3] = [0, 0.8, 0] if noise else 0  # keys
    in_proj[6:] = np.eye(3)  # values
    out = np.zeros((3, 3))
    out[2, 1] = 1.0
    return {
        "embed.weight": np.eye(3) * [1, 1, 0] + noise * rng.normal(size=(3, 3)) * [1, 1, 0],
        "attention.in_proj_weight": in_proj,
        "attention.in_proj_bias": bias,
        "attention.out_proj.weight": out,
        "out.weight": np.array([[0.0, 0.0, 1.0]]),
    }


roles = {
    "embedding": "embed",
    "layers": [{"attention": "attention"}],
    "unembedding": "out",
    "heads": 1,
    "logits": "plain",  # softmax takes them as they are, not times log T
    "causal": True,
}
learned = LimitTransformer.from_torch(state_dict(0.005), **roles)
target = LimitTransformer.from_torch(state_dict(0.0), **roles)
learned

# %% [markdown]
# Always compare with your own forward pass on a few inputs before you believe a converted model.

# %%
x = rng.integers(0, 3, 1000)
float(target(x)[0]), float((x == 1).mean())

# %% [markdown]
# ## Constants, and both sides of the length
#
# For *every* pair of models with these constants: how long must training inputs be?

# %%
constants = verify.measure(learned, target)
bounds.bracket(error="linf", epsilon="1/20", measured=constants)

# %% [markdown]
# ## This very pair
#
# A certificate for these weights is shorter than a bound for their class; and the largest
# difference over *all* inputs of *all* lengths can be enclosed outright.

# %%
print(verify.certify(learned, target, epsilon="1/20").length)
verdict = verify.prove(learned, target, target="3/20", horizon=None)
print(verdict)
print([round(float(side), 4) for side in verdict.enclosure])

# %%
profile = verify.error_profile(learned, target, horizon=None)
figure, ax = plt.subplots(figsize=(4.2, 2.6), layout="constrained")
error_profile(profile, ax=ax)
plt.show()
