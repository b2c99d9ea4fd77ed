"""Simulation on trained weights: long inputs x, short inputs z, and how far f and g move."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.simulation import simulator
from verify.simulation.softmax.balanced import simulate_balanced
from verify.training.constants import GRID, model_columns, target_transformer
from verify.training.experiment import Experiment, Run
from verify.training.rounded import rounded_twin

Row = dict[str, Any]
EPSILON = "1/10"
LONG_ONE_LAYER = 2**20
LONG_TWO_LAYER = 2**14
SHORT_TWO_LAYER = 512
INPUTS = 3


def simulation_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per long random input: |z|, its limit, and the errors on z of f and g.

    One layer: z is made for the rounded twin of f and for g; `error_trained` is the error of the
    trained f itself on that z, for which nothing is proved. Two layers: z is made for f and g.
    """
    s: Any
    rng = np.random.default_rng([run.seed, run.training_length])
    g = target_transformer(experiment, run)
    assert g is not None  # every experiment with a simulation has explicit weights of its target
    one_layer = len(f.layers) == 1
    twin = rounded_twin(f, GRID) if one_layer else f
    make = simulator(twin, g, epsilon=EPSILON) if one_layer else None
    for number in range(INPUTS):
        law = rng.dirichlet(np.ones(f.vocabulary_size))
        x = rng.choice(f.vocabulary_size, LONG_ONE_LAYER if one_layer else LONG_TWO_LAYER, p=law)
        if make:
            s, proven = make(x), float(Fraction(EPSILON))
        else:
            s = simulate_balanced(x, f, g, length=SHORT_TWO_LAYER, theta=1)
            proven = s.proven_error
        f_x, g_x, twin_x = f(x), g(x), twin(x)
        yield model_columns(experiment, run) | {
            "input": number,
            "long": len(x),
            "short": s.length,
            "limit": s.limit,
            "error_simulated": s.error_f,
            "error_target": s.error_g,
            "error_trained": float(np.abs(f_x - f(s.short)).max()),
            "proven_error": proven,
            "trained_minus_target": float(np.abs(f_x - g_x).max()),
            "trained_minus_twin": float(np.abs(f_x - twin_x).max()),
            "twin_minus_target": float(np.abs(twin_x - g_x).max()),
        }
