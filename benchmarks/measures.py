"""`verify.measure`: seconds on stored models, growth with |Σ| and with d."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import verify
from benchmarks.certificates import each
from benchmarks.growth import grow
from benchmarks.plain import random_model
from benchmarks.rows import Row, growth_row, seconds_row
from verify.tasks.trained import all_trained


def measures(quick: bool) -> Iterator[Row]:
    """Near ties count up to a horizon in finite precision."""
    for task in ("mod_p", "simple", "simple_plain"):
        pairs = all_trained(task)[:: 5 if quick else 2]
        horizon = {} if task == "simple_plain" else {"horizon": 2**20}
        found = each(lambda pair, h=horizon: verify.measure(pair.model, pair.target, **h), pairs)
        yield seconds_row(f"`verify.measure`, stored {task} models", found)

    def measuring(**sizes: int) -> Callable[[], Any]:
        f = random_model(np.random.default_rng(0), 1, **sizes)
        return lambda: verify.measure(f)

    sizes = [2, 8, 32] if quick else [2, 8, 32, 128, 512]
    fit = grow(lambda n: measuring(vocabulary_size=n), sizes, 2)
    yield growth_row("`verify.measure`, one softmax layer, d = 16", "|Σ|", fit)
    sizes = [2, 8, 32] if quick else [2, 8, 32, 128, 256]
    fit = grow(lambda n: measuring(dimension=n), sizes, 2)
    yield growth_row("`verify.measure`, one softmax layer, |Σ| = 4", "d", fit)
