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
# # Trained models: plateaus, hardmax, and predicted against empirical lengths
#
# Limit transformers trained on short inputs and tested on long ones. All figures are drawn from
# the tables that come with the package; nothing is trained here. `docs/experiments.md` says
# what agrees with the theory and what does not.

# %%
import matplotlib.pyplot as plt

from verify.training import figures, figures_models, store
from verify.training.analysis import panel, spearman_by_difficulty, spearman_by_training_length
from verify.training.draw import length_points

results = store.COMMITTED
rows = store.read_rows(results / "runs.csv.gz")
len(rows), rows[0]

# %% [markdown]
# ## The plateau
#
# SimpleTask, sin(ω(c₀ − c₁)/(c₀ + c₁)): the loss is flat beyond the training length, falls with
# it, and rises with ω.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
figures.loss_by_test_length(rows, "simple", 8, ax=axes[0])
figures.plateau_by_training_length(rows, "simple", ax=axes[1])
plt.show()

# %% [markdown]
# Rank correlations of the plateau, with intervals from resampling seeds:

# %%
for name in ("simple", "mod_p", "k_gram_vocabulary", "k_gram_context"):
    p = panel(rows, name)
    print(
        f"{name:18} with training length {spearman_by_training_length(p)}, "
        f"with {p.sweep} {spearman_by_difficulty(p)}"
    )

# %% [markdown]
# ## Hardmax is real
#
# ModPTask with p = 5. After training on short inputs only, attention is almost uniform on the
# residue and exactly 0 off it: the gaps off the residue are beyond the drop threshold.

# %%
attention = [
    row for row in store.read_rows(results / "attention.csv.gz") if row["experiment"] == "mod_p"
]
gaps = [row for row in store.read_rows(results / "gaps.csv.gz") if row["experiment"] == "mod_p"]
figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
figures_models.attention_by_position(attention, 128, ax=axes[0])
figures_models.gap_histogram(gaps, 128, ax=axes[1])
plt.show()

# %% [markdown]
# ## Predicted and empirical length
#
# Logits that should tie differ by about 1e-5 after training, and 2^(p/γ) knows no mercy: for the
# weights as trained the bound is astronomical. For the same model with its logits rounded to
# integers the ties are exact, and the bound is a number.

# %%
constants = store.read_rows(results / "constants.csv.gz")
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for ax, weights in zip(axes, ("trained", "rounded"), strict=True):
    figures_models.predicted_against_empirical(length_points(rows, constants, weights), ax=ax)
    ax.set_title(f"weights as {weights}", fontsize=8)
plt.show()
