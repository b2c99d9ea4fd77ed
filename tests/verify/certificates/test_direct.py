"""Enclosures of sup |f − g| over every length: against all strings, and at the edges of floats."""

import dataclasses
import os

import numpy as np
import pytest

from tests.helpers.all_inputs import errors
from tests.helpers.counted_outputs import size
from tests.helpers.direct_enclosures import enclosure, finite_pair, softmax_pair
from tests.helpers.table_models import table_head, table_model
from verify import reference


def softmax(heads, mlp=None):
    """A table model in infinite precision."""
    return dataclasses.replace(table_model(heads, precision_bits=1, mlp=mlp), precision_bits=None)


def zero(like):
    """The model with output 0, of the same form."""
    return dataclasses.replace(like, unembedding=np.zeros_like(like.unembedding))


def test_a_residue_without_positions_has_no_weight():
    # Length 49, Δ = 50: no position has residue 0, whose logit is the largest; 49·(1/49) < 1.
    logits, values = np.zeros(50), np.ones(50)
    logits[0], values[0] = 45.0, 0.0
    f = softmax([table_head([0.0], logits, [0.0], values)])
    assert reference(f, np.zeros(49, dtype=int)) == pytest.approx([1.0])
    found = enclosure(f, zero(f), start=49, horizon=49)
    assert found.low == pytest.approx(1.0)
    assert found.high >= 1.0


# ---------------------------------------------------------------- every string

PAIRS = int(os.environ.get("LGBOUNDS_DIRECT_PAIRS", "5"))
"""Pairs of each precision and vocabulary on which all strings are tried; 170 for the full run."""

LONGEST_STRING = {1: 14, 2: 14, 3: 9}
TOLERANCE = 1e-3


def brute_force(seed, tokens, finite):
    """Return an enclosure, the largest |f − g| over all strings, and the scale of rounding."""
    rng = np.random.default_rng([seed, tokens, finite])
    for _ in range(1000):
        f, g = (finite_pair if finite else softmax_pair)(rng)
        last = LONGEST_STRING[tokens]
        if f.vocabulary_size != tokens:
            continue
        start = int(rng.integers(1, last - 2))
        found = enclosure(f, g, start=start, horizon=last, tolerance=TOLERANCE, limit=20000)
        if found is not None:
            lengths = range(found.start, last + 1)
            return found, max(float(errors(f, g, n).max()) for n in lengths), size(f) + size(g)
    raise AssertionError("no pair")


@pytest.mark.slow
@pytest.mark.parametrize("finite", [True, False], ids=["finite", "infinite"])
@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_the_truth_lies_in_the_enclosure(tokens, finite):
    decided = 0
    for seed in range(PAIRS):
        found, truth, scale = brute_force(seed, tokens, finite)
        slack = 1e-9 * max(scale, 1.0)
        assert found.low <= truth + slack, seed
        assert found.high >= truth - slack, seed
        if found.decided:
            decided += 1
            assert found.low >= truth - TOLERANCE - slack, seed
            assert found.high <= truth + TOLERANCE + slack, seed
    assert decided >= 0.8 * PAIRS
