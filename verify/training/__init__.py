"""Experiments: train limit transformers, measure them, and draw what they do beyond training.

Three separate steps, each readable from the files of the one before:

1. train: `python -m verify.training --preset mini --out DIR` → weights (safetensors) and rows;
2. tidy results: `runs.csv.gz`, one row per run and test length;
3. figures and statistics: from `runs.csv.gz` and `models.csv` alone.

Only step 1 needs jax and optax (`pip install lgbounds[train]`); importing this package does not.
"""
