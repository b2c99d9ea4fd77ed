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
# # From the question to a number
#
# How long must training inputs be, so that a transformer is right on inputs of *every* length?
#
# Read `g` as the model that was learned and `f` as the target. Both are *limit transformers*.
# If they agree within ε on all inputs of length up to N, and N is large enough, they agree
# within 3ε on every input: each long input can be *simulated* by a short one that looks the
# same to both.

# %%
import dataclasses

import matplotlib.pyplot as plt
import numpy as np

import bounds
import verify
from bounds import figures
from verify.figures import counts

# %% [markdown]
# ## A number
#
# One layer, finite precision (`attention="argmax"`), worst-case error (`error="linf"`).
# The constants are proved; the length is an exact integer, rounded up.

# %%
bound = bounds.required_length(
    error="linf",
    attention="argmax",
    layers=1,
    epsilon="1/10",
    lipschitz=1,
    vocabulary_size=3,
    period=2,
    locality=1,
    precision_bits=8,
    margin=1,
    theorem="derived.one_layer_linf",
)
bound

# %%
print(bound.explain())

# %% [markdown]
# ## Its formula
#
# A bound is a SymPy expression in the paper's symbols. `s` is the error that simulation may
# cost for each of f and g: half of what the target leaves beyond ε.

# %%
bound.theorem

# %%
bound.expression

# %% [markdown]
# The paper's own theorem leaves its constants implicit. The package says so: its value at
# C = 1 is an order of growth, never a guarantee.

# %%
bounds.required_length(
    theorem="izzo2025.4.1",
    epsilon="1/10",
    lipschitz=1,
    vocabulary_size=3,
    period=2,
    locality=1,
    precision_bits=8,
    margin=1,
)

# %% [markdown]
# Inversion works for every parameter: which ε does a training length of 4096 buy?

# %%
bounds.solve_for(
    "epsilon",
    length=4096,
    theorem="derived.one_layer_linf",
    lipschitz=1,
    vocabulary_size=3,
    period=2,
    locality=1,
    precision_bits=8,
    margin=1,
)

# %% [markdown]
# ## A sweep

# %%
table = bounds.sweep(
    error="linf",
    attention="argmax",
    layers=1,
    theorem="derived.one_layer_linf",
    epsilon=["1/2", "1/5", "1/10", "1/20", "1/50", "1/100"],
    period=[1, 2, 5],
    lipschitz=1,
    vocabulary_size=3,
    locality=1,
    precision_bits=8,
    margin=1,
)
figure, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
figures.length_curve(table, "epsilon", series="period", ax=ax)

# %% [markdown]
# The flat part is the hardmax threshold 2^(p/γ) = 256: below it, softmax with 8 bits is not
# yet hardmax. Only ε ≥ L, where there is nothing to prove, gets by with less.

# %%
figure, ax = plt.subplots(figsize=(3.4, 1.6), layout="constrained")
figures.terms(bound, ax=ax)

# %% [markdown]
# ## The same on real weights
#
# ModPTask: the share of token 1 among the positions t ≡ 1 (mod 2), as explicit weights. Its
# constants are read off the weights, the bound follows from them, and an input of 10⁶ tokens
# is replaced by one within the bound.

# %%
f = verify.tasks.mod_p(2, 1).transformer
constants = verify.measure(f)
constants.parameters()

# %%
rng = np.random.default_rng(0)
x = (rng.random(10**6) < 0.003).astype(int)  # token 1 is rare
simulation = verify.simulate(x, f, epsilon="1/20")
print(f"T = {x.size:,}, |z| = {simulation.length:,}, proven N = {simulation.limit:,}")
print(f"|f(x) − f(z)| = {simulation.error_f:.2e}, proven: at most {float(simulation.epsilon)}")
print("hardmax at both lengths:", simulation.hardmax, "; the theorem holds:", simulation.holds)

# %%
figure, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
counts(simulation, ax=ax)

# %% [markdown]
# Training splits ties: here all logits are moved by about 10⁻³. The exact margin is then the size
# of the split, and the length for *every* input is astronomic. Up to a horizon the split may be
# ignored at a price that the theorem knows; `assume` says what else the weights show (here that
# each head attends by position).

# %%
(layer,) = f.layers
split = layer.heads[0].query_key + 1e-3 * rng.normal(size=layer.heads[0].query_key.shape)
heads = (dataclasses.replace(layer.heads[0], query_key=split),)
trained = dataclasses.replace(f, layers=(dataclasses.replace(layer, heads=heads),))
question = {"error": "linf", "epsilon": "1/10"}
near = verify.measure(trained, f, horizon=2**20, epsilon="1/10")
for constants in (verify.measure(trained, f), near):
    print(bounds.required_length(**constants.parameters(), assume=constants.assume, **question))
print(near.table())
