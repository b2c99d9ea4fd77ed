"""Draws docs/overview.png, the picture of the README: `python docs/overview.py`."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import bounds
import verify
from bounds import figures
from verify.figures import counts

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.7), layout="constrained")

table = bounds.sweep(
    theorem="derived.one_layer_linf",
    epsilon=["1/2", "1/5", "1/10", "1/20", "1/50", "1/100"],
    period=[1, 2, 5],
    lipschitz=1,
    vocabulary_size=3,
    locality=1,
    precision_bits=8,
    margin=1,
)
figures.length_curve(table, "epsilon", series="period", ax=left)
left.set_title("how long training inputs must be", fontsize="medium")

f = verify.tasks.mod_p(2, 1).transformer
x = (np.random.default_rng(0).random(10**6) < 0.003).astype(int)
counts(verify.simulate(x, f, epsilon="1/20"), ax=right)
right.set_title("a long input and its short stand-in", fontsize="medium")

figure.savefig(Path(__file__).with_name("overview.png"), dpi=160)
