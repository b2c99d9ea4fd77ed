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
# # Sweeps and figures
#
# From a question to a table, from a table to a figure for a paper. All figures of the package, each
# with the lines that make it, are in `docs/gallery.md`.

# %%
import matplotlib.pyplot as plt
import numpy as np

import bounds
from bounds import figures

model = {"lipschitz": 1, "vocabulary_size": 3, "locality": 1, "precision_bits": 8, "margin": 1}

# %% [markdown]
# ## A table
#
# Parameters given as lists make a grid; `paired=` moves some of them together. A row that has no
# number says why.

# %%
table = bounds.sweep(
    theorem=["derived.one_layer_linf", "derived.lower_linf_c3"],
    period=[1, 2],
    epsilon=["1/4", "1/16", "1/64"],
    **model,
)
table

# %% [markdown]
# Tables add, filter and leave: `.to_csv()`, `.to_json()`, `.to_pandas()`. Lengths are exact;
# `column(name, float)` makes them numbers for arithmetic.

# %%
necessary = table.where(direction="necessary")
sufficient = table.where(direction="sufficient")
np.divide(sufficient.column("length", float), necessary.column("length", float)).round(1)

# %% [markdown]
# ## A figure
#
# Proved lengths are solid, necessary ones dotted, orders of growth dashed; what lies between both
# sides is shaded. `figures.style()` is a context: nothing global changes. `figures.save` writes PDF
# and SVG at column width, with fonts embedded.

# %%
with figures.style():
    figure, ax = plt.subplots()
    figures.length_curve(table, "epsilon", series="period", ax=ax)
    plt.show()

# %% [markdown]
# ## A million points
#
# Above a thousand rows `log2_length` is worked out on arrays, with an error of at most 1e-9 that is
# on the safe side where it matters; `length` is still exact, row by row, when asked for.

# %%
big = bounds.sweep(
    theorem="derived.one_layer_linf",
    paired={
        "epsilon": [f"1/{n}" for n in range(10, 5010)],
        "lipschitz": [1 + n / 10 for n in range(5000)],
    },
    period=2,
    **{k: v for k, v in model.items() if k != "lipschitz"},
)
len(big), big[4999]["length"], big.column("log2_length", float).max()

# %% [markdown]
# ## Which number matters
#
# Elasticities: by how many percent N grows if a parameter grows by one.

# %%
bound = bounds.required_length(theorem="derived.one_layer_linf", epsilon="1/64", period=2, **model)
bounds.elasticities(bound)

# %% [markdown]
# The formula with some parameters left open is SymPy; as a function it runs over arrays, in log
# space, and does not overflow.

# %%
bound.formula(free=["epsilon"])

# %%
bound.function("epsilon")(np.array([1e-2, 1e-20, 1e-200]))
