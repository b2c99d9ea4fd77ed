"""Small parts of the counting core, where their branches part."""

from fractions import Fraction

import numpy as np

from verify.model.summary import Summary
from verify.simulation.argmax import threshold
from verify.simulation.argmax.summaries import coarsened


def test_what_is_coarse_enough_is_left_alone():
    summary = Summary(np.array([[1, 2]]), np.array([0, 1]), 5)
    assert coarsened(summary, 1, 1) is summary
    coarser = coarsened(summary, 1, 0)
    assert coarser.suffix.tolist() == [1]
    assert coarser.counts.tolist() == [[2, 2]]


def test_the_threshold_takes_as_many_digits_as_it_needs(monkeypatch):
    """2^20.5 = 1482910.40…, from two bits on."""
    monkeypatch.setattr(threshold, "_GUARD_BITS", 2 - 20)
    assert threshold.hardmax_threshold(41, Fraction(2)) == 1_482_911
