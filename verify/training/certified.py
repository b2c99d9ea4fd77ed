"""What is proved of each trained model itself: certified lengths and verdicts.

One-layer models with an explicit target, as trained: in finite precision near-ties stay what they
are, and claims go up to a horizon; plain softmax is decided at every length. Rows only; no jax.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from verify.certificates import certify, prove
from verify.certificates.window import float_down, float_up
from verify.measure import measure
from verify.model.transformer import LimitTransformer
from verify.training.constants import model_columns, predicted_length, target_transformer
from verify.training.experiment import Experiment, Run

Row = dict[str, Any]
EPSILONS = (Fraction(1, 10), Fraction(3, 100))
HORIZON = 2**20


def certified_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per ε: the certified N at target 3ε, and the verdict on |f − target| ≤ 3ε.

    `horizon`: of the claim; empty: every length (softmax). `log2_exact_margin`: of the N that the
    theorem asks for at every length (finite precision: for exact margins). `certified_length`:
    agreement within ε on the Δ lengths up to it gives 3ε up to the horizon; empty where there is
    none. `from_length`: where the proved claim starts. `proved_horizon`: of a refuted claim, the
    largest power of two found up to which it is proved. `error_low`, `error_high`: both sides of
    the largest error over the lengths of the claim; `error_low` is that of an input, and
    `error_high` is empty unless proved. `counterexample`: the input that refutes, as JSON: counts
    of its tokens by residue, last τ+1 tokens, length. `cells`: how many boxes of shares and
    lengths were bounded. Seconds are wall-clock time.
    """
    g = target_transformer(experiment, run)
    assert g is not None  # `measuring` chooses models whose target has explicit weights
    horizon = HORIZON if experiment.precision_bits is not None else None
    constants = measure(f, g)
    for epsilon in EPSILONS:
        target = 3 * epsilon
        started = time.perf_counter()
        certificate = certify(f, g, epsilon=epsilon, target=target, horizon=horizon)
        certified = time.perf_counter()
        verdict = prove(f, g, target=target, horizon=horizon)
        proved = time.perf_counter()
        low, high = verdict.enclosure
        cost, refuted = certificate.cost, verdict.counterexample
        yield model_columns(experiment, run) | {
            "epsilon": float(epsilon),
            "target": float(target),
            "horizon": horizon,
            "log2_exact_margin": predicted_length(constants, str(epsilon))["log2_length"],
            "certified_length": certificate.length,
            "certified_cost": None if cost is None else float_up(cost),
            "certify_seconds": round(certified - started, 3),
            "status": verdict.status.name,
            "from_length": verdict.from_length,
            "proved_horizon": verdict.proved_horizon,
            "error_low": float_down(low),
            "error_high": None if high is None else float_up(high),
            "counterexample": None if refuted is None else json.dumps(refuted.to_dict()),
            "cells": verdict.inputs,
            "prove_seconds": round(proved - certified, 3),
        }
