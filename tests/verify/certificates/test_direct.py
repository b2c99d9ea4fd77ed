"""Enclosures of sup |f − g| over every length: against all strings, and at the edges of floats."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.direct_enclosures import enclosure
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
