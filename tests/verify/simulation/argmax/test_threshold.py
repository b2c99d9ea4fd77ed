"""The least length of hardmax, directly, against the exact rule of finite precision."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from verify.model.precision import is_dropped
from verify.simulation.argmax.threshold import hardmax_threshold


@pytest.mark.parametrize(
    ("bits", "margin"),
    [(1, "1"), (8, "1"), (8, "3"), (10, "1/10"), (7, "3/2"), (5, "1000"), (24, "7/1000")],
)
def test_it_is_the_first_length_past_the_rule(bits, margin):
    threshold = hardmax_threshold(bits, Fraction(margin))
    assert is_dropped(threshold, Fraction(margin), bits)
    assert not is_dropped(threshold - 1, Fraction(margin), bits)


def test_random_margins_of_float_weights():
    rng = np.random.default_rng(0)
    for _ in range(100):
        bits, margin = int(rng.integers(1, 30)), Fraction(float(rng.exponential()) + 1e-2)
        threshold = hardmax_threshold(bits, margin)
        assert is_dropped(threshold, margin, bits)
        assert not is_dropped(threshold - 1, margin, bits)


def test_a_hundred_thousand_bits_at_once():
    start = time.monotonic()
    threshold = hardmax_threshold(8, Fraction(0.00008123))
    assert 98_000 < threshold.bit_length() < 99_000
    assert time.monotonic() - start < 2
