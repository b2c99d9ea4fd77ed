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
# # From trained weights to a proof
#
# A one-layer transformer was trained on inputs of up to 32 tokens. Is it right on a million? We
# load it, look at its logits, certify a length, and prove the answer; then we do the same with a
# model that fails.

# %%
import verify
from verify.figures import error_profile_figure

HORIZON = 2**20

f = verify.tasks.trained("mod_p", period=2, training_length=32)
g = verify.tasks.mod_p(2, 0, precision_bits=8).transformer
f

# %% [markdown]
# The task: the fraction of token 1 at even positions. `g` does it with explicit weights: keys of
# the right residue are tied, all others far below. Training breaks such ties, and that is what made
# the classical bound useless for trained weights: the exact logit margin is the size of the break.

# %%
print(verify.measure(f, g).table())

# %% [markdown]
# ## A certificate
#
# Up to a horizon, a broken tie κ costs no more than tanh(κ ln(T)/4). For these very weights,
# agreement within ε = 0.1 on inputs of about this length carries to 3ε at every length up to 2²⁰:

# %%
certificate = verify.certify(f, g, epsilon="1/10", horizon=HORIZON)
print(certificate.explain())

# %% [markdown]
# ## A proof
#
# Whether they do agree can be decided, at all lengths at once. All that a one-layer model sees of
# an input is how the tokens are shared out and how long the input is: a box of shares and lengths.
# Boxes are halved until a bound on each of them is below the target, or an input above it is found.

# %%
verdict = verify.prove(f, g, target="3/10", horizon=HORIZON)
print(verdict.explain())

# %% [markdown]
# The cells can be checked by code that shares nothing with the code that made them:

# %%
verify.recheck(verdict.certificate(), f, g)

# %% [markdown]
# The other way: look at all inputs of some short lengths (there are only some dozens of count
# vectors), and let the window theorem carry what was found there to the horizon.

# %%
print(verify.prove(f, g, target="3/10", horizon=HORIZON, route="windows").explain())

# %% [markdown]
# ## Both sides, at every length
#
# How large is the largest error, length by length? What is attained and what is proved lie within
# 10⁻⁴ of each other.

# %%
profile = verify.error_profile(f, g, horizon=HORIZON)
print(profile.table())

# %%
error_profile_figure([("ModPTask, Δ = 2, trained to length 32", profile)], verdict.target)

# %% [markdown]
# ## Plain softmax, to infinity
#
# Attention as it is used in practice drops nothing, and all shares converge as inputs grow. So
# there is no horizon at all: these numbers are about every input of every length.

# %%
pair = verify.tasks.trained_pair("simple_plain", omega=2, training_length=32)
print(verify.prove(pair.model, pair.target, target="3/10", horizon=None).explain())

# %%
plain = verify.error_profile(pair.model, pair.target, horizon=None)
error_profile_figure([("SimpleTask, ω = 2, trained to length 32", plain)], verdict.target)

# %% [markdown]
# ## A model that fails
#
# SimpleTask with ω = 8, trained on the same lengths. No length is certified that its agreement
# reaches; the verdict comes with an input, and anybody can run it.

# %%
h = verify.tasks.trained("simple", omega=8, training_length=32)
target = verify.tasks.simple(8).transformer
refuted = verify.prove(h, target, target="3/10", horizon=HORIZON)
print(refuted.explain())

# %%
worst = refuted.counterexample
worst.output(h), worst.output(target)
