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
# # Eight settings, both sides
#
# error × attention × layers: which theorems hold in each cell, how the required length grows,
# and what is known to be necessary. Every key names a theorem; the proofs of ours are in
# `docs/theory.md`. A last row has what is proved for any number of layers.

# %%
import matplotlib.pyplot as plt

import bounds
from bounds import figures

bounds.cube()

# %% [markdown]
# ## One cell: which theorem, and what else applies
#
# Without `theorem=` the shortest proved length is taken. Above 3ε a chain of short inputs needs a
# smaller power of 1/ε than a single one, and wins as ε falls.

# %%
given = dict(
    error="linf",
    attention="argmax",
    layers=1,
    lipschitz=1,
    vocabulary_size=3,
    period=2,
    locality=1,
    precision_bits=4,
    margin=1,
)
at_3 = bounds.required_length(epsilon="1/100000", target="3/100000", **given)
at_8 = bounds.required_length(epsilon="1/100000", target="8/100000", **given)
for bound in (at_3, at_8):
    print(bound)
    for other in bound.alternatives:
        print("    or", other)

# %% [markdown]
# Hypotheses that no parameter shows are asserted by name. If f and g share their logits, neither
# the precision nor the margin matters.

# %%
bounds.required_length(
    epsilon="1/1000",
    largest_gap="1/4",
    assume={"no_lag_bias", "shared_logits"},
    **given | {"period": 1, "locality": 0, "margin": "1/4"},
)

# %% [markdown]
# ## Sufficient against necessary
#
# The truth lies between: no training length below either necessary curve can do.

# %%
errors = ["1/10", "1/30", "1/100", "1/300", "1/1000"]
keys = ["derived.one_layer_linf", "derived.lower_linf_c3", "derived.lower_threshold"]
parts = [
    bounds.sweep(theorem=key, epsilon=errors, **given | {"precision_bits": 12, "lipschitz": 2})
    for key in keys
]
table = bounds.Table(parts[0].columns, [row for part in parts for row in part])
figure, ax = plt.subplots(figsize=(3.4, 2.8), layout="constrained")
figures.length_curve(table, "epsilon", series="theorem", ax=ax)
ax.set_ylim(top=32)  # room for the legend

# %% [markdown]
# ## Is the threshold 2^(p/γ) real?
#
# Yes, for γ ≤ 1: an explicit pair agrees on every shorter input and differs by more than the target
# later. So at small margins worst-case certificates are out of reach, whatever the proof.

# %%
print(
    bounds.required_length(
        theorem="derived.lower_threshold",
        epsilon="1/100",
        **given | {"precision_bits": 8, "margin": "1/10"},
    ).explain()
)

# %% [markdown]
# ## Where no bound exists
#
# Two argmax layers can simulate counter machines, if the second layer's logits may be arbitrarily
# near to each other (no `margin`), for four tokens or more, τ ≥ 1 and two heads or more.

# %%
two_layers = given | {"layers": 2, "vocabulary_size": 4, "heads": 2}
del two_layers["margin"]
bounds.required_length(epsilon="1/10", **two_layers)

# %% [markdown]
# With a margin in both layers it is not known; necessary lengths are. And if the first layer is a
# finite automaton there is a bound.

# %%
unknown = bounds.required_length(epsilon="1/2000", margin=1, **two_layers)
print(unknown.explain())

# %%
bounds.required_length(epsilon="1/2000", margin=1, assume={"suffix_only_first_layer"}, **two_layers)

# %% [markdown]
# ## On average
#
# For tokens that are i.i.d. given a Dirichlet law, rare tokens decide: the smaller α₀, the longer.

# %%
table = bounds.sweep(
    error="average",
    attention="argmax",
    layers=1,
    theorem="derived.one_layer_average",
    epsilon=errors,
    alpha_min=["1/4", "1/2", 1, 2],
    alpha_total=4,
    lipschitz_euclidean=1,
    vocabulary_size=2,
    period=1,
    locality=2,
    precision_bits=4,
    margin=1,
)
figure, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
figures.length_curve(table, "epsilon", series="alpha_min", ax=ax)
