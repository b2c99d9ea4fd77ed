"""What theory says about the trained models: constants, predicted lengths, logit gaps, attention.

Rows only; no jax. One-layer models in finite precision are measured twice: as trained, with exact
logits, and as their rounded twin (see `verify.training.rounded`), whose near-ties are ties.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import bounds
from verify.errors import VerifyError
from verify.measure import ArgmaxConstants, measure
from verify.model.transformer import LimitTransformer
from verify.tasks.k_gram import in_context_k_gram
from verify.tasks.mod_p import mod_p
from verify.tasks.simple import simple
from verify.training.experiment import Experiment, Run
from verify.training.rounded import rounded_twin

Row = dict[str, Any]
EPSILONS = ("1/10", "3/100", "1/100")
GRID = 1.0  # of the rounded twin: gaps below ½ become ties
SHARPNESS = 8.0  # of the explicit k-gram weights that stand for the target
ATTENTION_LENGTH = 50


def target_transformer(experiment: Experiment, run: Run) -> LimitTransformer | None:
    """Explicit weights of the task's target, to be measured beside the trained model.

    None for mod_p in infinite precision: softmax without scaling attends to no residue alone.
    SimpleTask's weights have equal logits, so they are right in either precision.
    """
    setting, bits = run.setting, experiment.precision_bits
    if experiment.task == "simple":
        g = simple(setting.difficulty).transformer
        return dataclasses.replace(g, precision_bits=bits)
    if experiment.task == "mod_p":
        return mod_p(setting.period, setting.k, precision_bits=bits).transformer if bits else None
    return in_context_k_gram(setting.k, setting.vocabulary_size, SHARPNESS).transformer


def model_columns(experiment: Experiment, run: Run) -> Row:
    """The columns that name one trained model."""
    return {
        "experiment": experiment.name,
        "task": experiment.task,
        "sweep": experiment.sweep,
        "difficulty": run.setting.difficulty,
        "vocabulary_size": run.setting.vocabulary_size,
        "period": run.setting.period,
        "k": run.setting.k,
        "training_length": run.training_length,
        "seed": run.seed,
        "config_digest": experiment.digest(),
    }


def constant_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per version of the weights and ε: measured constants and the predicted N."""
    versions = {"trained": f}
    if f.precision_bits is not None:
        versions["rounded"] = rounded_twin(f, GRID)
    g = target_transformer(experiment, run)
    for weights, model in versions.items():
        constants = measure(model, g)
        for epsilon in EPSILONS:
            yield (
                model_columns(experiment, run)
                | {"weights": weights, "epsilon": float(Fraction(epsilon))}
                | _constants(constants)
                | predicted_length(constants, epsilon)
            )


def _constants(c: Any) -> Row:
    row: Row = dict.fromkeys(
        ("lipschitz", "margin", "margin_realised", "positional_margin", "logit_range", "log2_c")
    )
    row["lipschitz"] = float(c.lipschitz)
    if isinstance(c, ArgmaxConstants):
        row["margin"] = None if c.margin is None else float(c.margin)
        row["margin_realised"] = None if c.margin_realised is None else float(c.margin_realised)
    else:
        row["positional_margin"] = float(c.positional_margin)
        row["logit_range"] = float(c.logit_range)
        logs = [m.log_complexity for m in c.models]
        row["log2_c"] = None if None in logs else max(logs) / math.log(2)
    return row


def predicted_length(c: Any, epsilon: str) -> Row:
    """Shortest proved length for the error at every input; empty cells where there is none."""
    try:
        bound = bounds.required_length(error="linf", epsilon=epsilon, **c.parameters())
    except (bounds.BoundsError, VerifyError) as problem:
        return {
            "log2_length": None,
            "log2_threshold": None,
            "theorem": "",
            "status": type(problem).__name__,
        }
    threshold = bound.terms.get("hardmax threshold")
    return {
        "log2_length": bound.log2_length,
        "log2_threshold": threshold.log2_length if threshold else None,
        "theorem": bound.theorem.key,
        "status": bound.status.name,
    }


def gap_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per query type and key type of a one-layer model: gap to the largest logit.

    Lag biases are left out: they concern at most τ+1 keys. `on_target`: whether the key's residue
    is the one that the task averages over (always for a task without positions).
    """
    head = f.layers[0].heads[0]
    y = f.positions[:, None, :] + f.embedding[None, :, :]
    types = y.reshape(-1, f.dimension)
    logits = types @ head.query_key @ types.T  # (key, query)
    size = f.vocabulary_size
    for query in range(len(types)):
        for key in range(len(types)):
            yield model_columns(experiment, run) | {
                "query_residue": query // size,
                "query_token": query % size,
                "key_residue": key // size,
                "key_token": key % size,
                "on_target": int(key // size == run.setting.k % f.period),
                "gap": float(logits[:, query].max() - logits[key, query]),
            }


def attention_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per query residue and position of a uniform random input: the attention paid."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, f.vocabulary_size, ATTENTION_LENGTH + f.period - 1)
    for length in range(ATTENTION_LENGTH, ATTENTION_LENGTH + f.period):
        weights = attention(f, tokens[:length])
        for i, weight in enumerate(weights, start=1):
            yield model_columns(experiment, run) | {
                "input_length": length,
                "query_residue": length % f.period,
                "position": i,
                "residue": i % f.period,
                "token": int(tokens[i - 1]),
                "weight": float(weight),
            }


def attention(f: LimitTransformer, x: np.ndarray) -> np.ndarray:
    """Attention (T,) of the last position of x, one layer, one head, finite precision."""
    head = f.layers[0].heads[0]
    length = len(x)
    y = f.embedding[x] + f.positions[np.arange(1, length + 1) % f.period]
    logits = y @ head.query_key @ y[-1]
    reach = min(length, len(head.lag_bias))
    logits[length - reach :] += head.lag_bias[:reach][::-1]
    below = (logits - logits.max()) * math.log2(length)
    terms = np.where(below > -float(f.precision_bits or math.inf), np.exp2(below), 0.0)
    return np.asarray(terms / terms.sum())
