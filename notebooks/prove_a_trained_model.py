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
from verify.figures import enclosure_figure

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
# And the hypothesis, "f and g agree on inputs of this length", can be decided: the models see
# counts, and there are only some dozens of count vectors.

# %%
verdict = verify.prove(f, g, target="3/10", horizon=HORIZON)
print(verdict.explain())

# %%
window = verify.agreement(f, g, range(2, 41))
print(window.table())

# %% [markdown]
# ## Both sides, up to the horizon
#
# Windows at growing lengths enclose the largest error from both sides. What lies between them is
# covered by the window theorem, not by trying inputs.

# %%
ladder = verify.enclose(f, g, length=64, horizon=HORIZON, factor=8)
enclosure_figure(ladder, window, target=verdict.target)

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
