"""Pairs of models and long inputs on which certificates are put to the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.helpers.random_models import random_model
from tests.helpers.short_strings import ShortString, output_difference, random_long
from tests.helpers.table_models import table_head, table_model
from verify.certificates.instance import Instance

FLOAT_ERROR = 1e-9
"""Outputs are computed in float64; those of the models here are at most about 100."""


@dataclass
class Tally:
    """What a campaign found."""

    instances: int = 0
    trivial: int = 0
    light: int = 0
    suffix: int = 0
    mild: int = 0
    worst: float = 0.0
    violations: int = 0

    def look(self, rng, pair, found, x):
        """Compare one x with its z; `found` is the cost of its context."""
        if found.kept is None:
            self.trivial += 1
            return
        string = ShortString(rng, pair, found, x)
        z = string.build()
        if z is None:
            self.trivial += 1
            return
        self.instances += 1
        choice = string.cost.choice
        self.light += bool(choice.groups)
        self.suffix += any(head.suffix for head in choice.heads)
        self.mild += any(any(head.mild) for head in choice.heads)
        difference = output_difference(pair, x, z)
        bound = float(string.cost.value)
        if bound > 1e-6:
            self.worst = max(self.worst, difference / bound)
        self.violations += difference > bound + FLOAT_ERROR


def random_pair(rng):
    """Return a pair of table models (mostly) or of random ones: near ties, gaps, lag biases."""
    bits = int(rng.integers(2, 9))
    size, period = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    tau = int(rng.integers(0, 3))
    if rng.random() < 0.15:
        made = [
            random_model(
                rng,
                vocabulary_size=size,
                period=period,
                locality=tau,
                heads=int(rng.integers(1, 3)),
                precision_bits=bits,
                logits=float(rng.choice([0.05, 3.0, 20.0])),
                ties=bool(rng.random() < 0.5),
            )
            for _ in range(2)
        ]
        return made[0], made[1]
    return _random_table(rng, size, period, tau, bits), _random_table(rng, size, period, tau, bits)


def _random_table(rng, size, period, tau, bits):
    gap = float(rng.choice([2.0, 4.0, 8.0]))
    tie = float(rng.choice([0.0, 1e-3, 0.05, 0.2]))

    def logits(number, spread):
        steps = rng.integers(-1, 1, size=number) * spread
        return gap * steps + tie * rng.normal(size=number) / 2

    def head():
        by_token, by_residue = rng.random() < 0.5, rng.random() < 0.5
        style = rng.integers(0, 4)
        bias = np.zeros(tau + 1)
        if style == 1:
            bias = rng.normal(size=tau + 1) * tie
        elif style == 2:
            bias = rng.integers(-1, 2, size=tau + 1) * gap
        elif style == 3:
            bias = rng.normal(size=tau + 1) * 0.3
        return table_head(
            logits(size, by_token),
            logits(period, by_residue),
            rng.integers(-2, 3, size=size),
            rng.integers(-2, 3, size=period) * (rng.random() < 0.5),
            bias,
        )

    heads = [head() for _ in range(1 + (rng.random() < 0.3))]
    mlp = None
    if rng.random() < 0.5:
        knots = rng.integers(-4, 5, size=3) / 2
        mlp = (rng.integers(-2, 3, size=3).astype(float), knots)
    return table_model(heads, precision_bits=bits, mlp=mlp)


def look_at_pair(rng, tally, f, g, inputs):
    """Draw contexts, window lengths and long inputs of one pair."""
    horizon = 2 ** int(rng.integers(4, 41))
    instance = Instance(f, g, horizon)
    contexts = list(instance.contexts())
    for _ in range(4):
        context = contexts[int(rng.integers(len(contexts)))]
        length = int(instance.pair.period * 2.0 ** rng.uniform(1, 12)) + instance.pair.locality + 1
        short = instance.short_length(context.residue, length)
        if short + instance.pair.period > horizon:
            continue
        found = instance.context_cost(context, length)
        for _ in range(inputs):
            steps = (horizon - short) // instance.pair.period
            scale = rng.random() if rng.random() < 0.8 else 1.0
            step = max(1, min(steps, int(float(steps) ** scale)))
            x = random_long(rng, instance.pair, context, short + step * instance.pair.period)
            tally.look(rng, instance.pair, found, x)
