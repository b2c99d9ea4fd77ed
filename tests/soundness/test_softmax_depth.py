"""Three softmax layers, from weights to the claim: all short strings, then longer ones.

`measure`, `required_length`, and the errors themselves. What is claimed is tested at the largest
ε and the least target at which the number lies within the strings that are gone through. So short
a length leaves a target far above the errors: this tests the path, not how sharp the theorem is
(`tests/attacks/test_softmax_deep.py` measures that, step by step).
"""

from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest

import bounds
import verify
from tests.helpers.deep_softmax import random_model

LONGEST = 6
"""All strings up to this length are gone through."""


def errors(f, g, rng):
    """max |f − g| over all strings of each length up to LONGEST, and over some longer ones."""

    def apart(x):
        return float(np.abs(f(x) - g(x)).max())

    short = [
        max(apart(np.array(x)) for x in product(range(2), repeat=n)) for n in range(1, LONGEST + 1)
    ]
    blocks = [np.arange(n) // size % 2 for n in (40, 90) for size in (1, 2, 7, 30)]
    return short, max(apart(x) for x in [*blocks, rng.integers(2, size=80)])


def least_target(c, epsilon, most):
    """A target at which the number is at most `most`, to one part in 16."""
    low, high = epsilon, epsilon + 64
    while high - low > (high - epsilon) / 16:
        middle = (low + high) / 2
        found = bounds.required_length(
            error="linf", epsilon=epsilon, target=middle, **c.parameters()
        )
        low, high = (low, middle) if found.length <= most else (middle, high)
    return high


@pytest.mark.slow
def test_three_layers_keep_what_is_claimed():
    rng = np.random.default_rng(0)
    kinds = list(product(("balanced", "none"), ("position dominant", "token dominant"), ["none"]))
    for seed, kind in enumerate(kinds[:2]):
        made = np.random.default_rng(seed)
        f, g = (random_model(made, kind, scale=0.1, scores=0.1) for _ in range(2))
        c = verify.measure(f, g)
        short, long = errors(f, g, rng)
        epsilon = F(max(short)).limit_denominator(10**6) + F(1, 10**6)
        target = least_target(c, epsilon, LONGEST)
        answer = bounds.required_length(
            error="linf", epsilon=epsilon, target=target, **c.parameters()
        )
        assert answer.theorem.key == "derived.softmax_deep"
        assert answer.length <= LONGEST
        assert long <= float(target)
