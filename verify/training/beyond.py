"""One-layer models at lengths that nobody could write down: a function of counts needs no input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.training.constants import model_columns
from verify.training.experiment import Experiment, Run

Row = dict[str, Any]
EXPONENTS = range(4, 257, 4)
SHARE = Fraction(3, 10)  # of token 1 in every residue, up to rounding


def beyond_rows(experiment: Experiment, run: Run, f: LimitTransformer) -> Iterator[Row]:
    """One row per length T = 2⁴, 2⁸, …, 2²⁵⁶: |f − target| on an input with 30% of token 1.

    Near-ties of the logits are harmless at any length that can be tested, and not for ever: from
    T = 2^(p/gap) on, the smaller one is dropped.
    """
    for exponent in EXPONENTS:
        summary, share = _summary(f, 2**exponent, run.setting.k % f.period)
        target = share
        if experiment.task == "simple":
            target = math.sin(run.setting.difficulty * (1 - 2 * share))
        yield model_columns(experiment, run) | {
            "log2_test_length": exponent,
            "error": abs(float(f.of_summary(summary)[0]) - target),
        }


def _summary(f: LimitTransformer, length: int, residue: int) -> tuple[Summary, float]:
    """An input of that length, its suffix all token 0, and its share of token 1 on a residue."""
    period, suffix = f.period, f.locality + 1
    prefix = length - suffix
    counts = np.zeros((period, 2), dtype=object)
    for r in range(period):
        total = max(prefix - (r or period) + period, 0) // period
        counts[r] = [total - int(SHARE * total), int(SHARE * total)]
    positions = (length - (residue or period) + period) // period
    summary = Summary(counts, np.zeros(suffix, dtype=np.int64), length)
    return summary, float(Fraction(int(counts[residue, 1]), positions))
