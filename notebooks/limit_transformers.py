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
# # What a limit transformer is, and where each symbol comes from
#
# A bound on training lengths is a formula in a few symbols: |Σ|, Δ, τ, H, p, γ, L, R. This
# notebook shows each of them on explicit weights, with pictures, before any theorem.
#
# A *limit transformer* is a causal transformer whose positions repeat with period Δ, and whose
# attention may prefer the last τ + 1 positions by a *lag bias* φ. It is what is left of a trained
# transformer if it is to make sense at *every* length.

# %%
import matplotlib.pyplot as plt
import numpy as np

import verify
from verify import Head, Layer, LimitTransformer

# %% [markdown]
# ## The weights: |Σ|, Δ, τ, H
#
# ModPTask asks for the share of token 1 among the positions 3, 6, 9, …: two tokens (|Σ| = 2),
# positions that repeat after three (Δ = 3), one head (H = 1), no lag bias (τ = 0).

# %%
f = verify.tasks.mod_p(3, 0).transformer
f

# %% [markdown]
# The logit of key j for query i is $y_j^\top K^\top Q\,y_i + \varphi(i-j)$, with
# $y_i$ = embedding of token $x_i$ + row $i \bmod \Delta$ of the positions.


# %%
def logits(model, head, x):
    """Every a_ij of the first layer, before any scaling; j > i is masked."""
    i = np.arange(1, len(x) + 1)
    y = model.embedding[x] + model.positions[i % len(model.positions)]
    lag = i[:, None] - i[None, :]
    bias = np.append(head.lag_bias, 0.0)[np.clip(lag, 0, len(head.lag_bias))]
    return np.where(lag >= 0, y @ head.query_key.T @ y.T + bias, -np.inf)


def attention(model, head, x):
    """The weights s_ij, each row as its query sees them at the length T = i."""
    a = logits(model, head, x)
    scale = np.log(np.arange(1, len(x) + 1))[:, None] if model.precision_bits else 1.0
    relative = np.exp(scale * np.maximum(a - a.max(axis=1, keepdims=True), -1e300))
    relative[np.isinf(a)] = 0
    if model.precision_bits:
        relative[relative <= 2.0**-model.precision_bits] = 0
    return relative / relative.sum(axis=1, keepdims=True)


x = np.array([0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0])
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9), layout="constrained")
pictures = {
    "logits $a_{ij}$": logits(f, f.layers[0].heads[0], x),
    "attention $s_{ij}$": attention(f, f.layers[0].heads[0], x),
}
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    shown = ax.imshow(np.where(np.isfinite(picture), picture, np.nan), cmap="Greys")
    ax.set(title=title, xlabel="key j", ylabel="query i")
    ax.set_xticks(range(len(x)), x)
    ax.set_yticks(range(0, len(x), 3), range(1, len(x) + 1, 3))
    figure.colorbar(shown, ax=ax, shrink=0.8)
plt.show()

# %% [markdown]
# The columns are the tokens of the input. Attention is uniform on the positions 3, 6, 9, …,
# whatever stands there: *attention by position*. (In the first two rows no such position exists
# yet, so all keys have equal logits.)
#
# ## Finite precision: p and γ
#
# In finite precision (`precision_bits=p`) all logits are multiplied by log T, and a weight of at
# most $2^{-p}$ relative to the largest becomes 0. The *margin* γ is the least positive difference
# of two logits of one query. So from length $2^{p/\gamma}$ on, softmax is exactly hardmax: this
# length is the *threshold*.

# %%
gap, bits = 0.5, 4
lengths = np.arange(1, 600)
relative = lengths**-gap
kept = np.where(relative > 2.0**-bits, relative, 0)
figure, ax = plt.subplots(figsize=(3.4, 2.4), layout="constrained")
ax.plot(lengths, kept, color="black")
ax.axvline(2 ** (bits / gap), color="black", linestyle=":")
ax.annotate("$2^{p/\\gamma}=256$", (256, 0.6), xytext=(8, 0), textcoords="offset points")
ax.set(xlabel="length T", ylabel="weight relative to the largest", ylim=(0, 1.05))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Infinite precision: the lag bias, and three regimes
#
# In infinite precision (`precision_bits=None`) nothing is dropped, and only the lag bias is
# multiplied by log i. By its largest value against 1 a head is *token dominant*, *balanced* or
# *position dominant*: as inputs grow, the weight of the last token among i equal ones tends to
# 0, to a constant, or to 1.

# %%
figure, ax = plt.subplots(figsize=(3.4, 2.4), layout="constrained")
i = 2.0 ** np.arange(0, 21)
regimes = {"token dominant": 0.5, "balanced": 1.0, "position dominant": 1.5}
for (name, bias), dash in zip(regimes.items(), (":", "--", "-"), strict=True):
    ax.plot(i, i**bias / (i**bias + i - 1), dash, color="black", label=f"{name}, φ(0) = {bias}")
ax.set(xscale="log", xlabel="position i", ylabel="weight of the last token", ylim=(0, 1.05))
ax.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside upper center", frameon=False, fontsize="small")
plt.show()

# %% [markdown]
# ## What the model depends on: counts, and a suffix
#
# A layer averages values, so it sees of the tokens before the last τ + 1 only *how many* of each
# type (token, residue) there are. Two inputs with the same summary have the same output. This is
# why a long input has a short stand-in: one with nearly the same *shares*.

# %%
rng = np.random.default_rng(1)
long = rng.integers(0, 2, 9_000)
print(verify.summarise(long, 2, 3, 0))
shuffled = long.copy()
for residue in range(3):  # move tokens within their residue class, the last one excepted
    places = np.arange(residue, long.size - 1, 3)
    shuffled[places] = rng.permutation(shuffled[places])
print(f(long), f(shuffled))

# %% [markdown]
# ## How sharply it depends on them: L
#
# `lipschitz` is L with $|f(x)-f(z)| \le L\cdot\mathrm{TV}$, TV the total variation between the two
# attentions. It is read off the weights, rounded up, like all the others:

# %%
c = verify.measure(f)
print(c.table())

# %% [markdown]
# ## A model of your own
#
# Two heads: one looks at the last token but one, the other averages everything; the output is 1
# where the last token but one is rare. Which symbols change?

# %%
last_but_one = Head(
    query_key=np.zeros((5, 5)),
    value=np.outer([0, 0, 0, 0, 1], [0, 1, 0, 0, 0]),
    lag_bias=np.array([0.0, 2.0]),
)
average = Head(
    query_key=np.zeros((5, 5)),
    value=np.outer([0, 0, 0, 0, -1], [0, 1, 0, 0, 0]),
    lag_bias=np.zeros(1),
)
own = LimitTransformer(
    embedding=np.eye(2, 5),
    positions=np.zeros((1, 5)),
    layers=(Layer((last_but_one, average)),),
    unembedding=np.eye(1, 5, 4),
    precision_bits=8,
)
print(verify.measure(own).table())
own(np.array([0] * 50 + [1, 0])), own(np.array([1] * 50 + [1, 0]))

# %% [markdown]
# With these numbers in hand, `from_question_to_number.py` asks for a length.
