"""What is proved of each trained model itself: certified lengths and verdicts up to a horizon.

One-layer models in finite precision, as trained: their near-ties stay what they are. Rows only;
no jax.
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

    `log2_exact_margin`: of the N that the theorem for exact margins asks for, at every length.
    `certified_length`: agreement within ε on the Δ lengths up to it gives 3ε up to the horizon;
    empty where there is none. `from_length`, `proof_length`: where the proved claim starts, and
    the longest length of its (first) window. `error_low`, `error_high`: what is known of the
    largest error over the lengths of the claim; `error_low` is that of an input, and
    `error_high` is empty unless proved. `counterexample`: the input that refutes, as JSON: counts
    of its tokens by residue, last τ+1 tokens, length. Seconds are wall-clock time.
    """
    g = target_transformer(experiment, run)
    assert g is not None  # one layer in finite precision: the target has explicit weights
    constants = measure(f, g)
    for epsilon in EPSILONS:
        target = 3 * epsilon
        started = time.perf_counter()
        certificate = certify(f, g, epsilon=epsilon, target=target, horizon=HORIZON)
        certified = time.perf_counter()
        verdict = prove(f, g, target=target, horizon=HORIZON)
        proved = time.perf_counter()
        low, high = verdict.enclosure
        cost, refuted = certificate.cost, verdict.counterexample
        yield model_columns(experiment, run) | {
            "epsilon": float(epsilon),
            "target": float(target),
            "horizon": HORIZON,
            "log2_exact_margin": predicted_length(constants, str(epsilon))["log2_length"],
            "certified_length": certificate.length,
            "certified_cost": None if cost is None else float_up(cost),
            "certify_seconds": round(certified - started, 3),
            "status": verdict.status.name,
            "from_length": verdict.from_length,
            "proof_length": verdict.length,
            "error_low": float_down(low),
            "error_high": None if high is None else float_up(high),
            "counterexample": None if refuted is None else json.dumps(refuted.to_dict()),
            "inputs": verdict.inputs,
            "prove_seconds": round(proved - certified, 3),
        }
