"""The rule that drops small attention weights, against exact integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from verify.model.precision import dropped, is_dropped


@given(
    length=st.integers(1, 300)
    | st.sampled_from([2**k + e for k in range(1, 12) for e in (-1, 0, 1)]),
    numerator=st.integers(-3, 40),
    denominator=st.integers(1, 12),
    bits=st.integers(1, 30),
)
@example(length=64, numerator=1, denominator=1, bits=6)
@example(length=64, numerator=1, denominator=2, bits=3)
@example(length=64, numerator=2, denominator=3, bits=4)
@example(length=63, numerator=1, denominator=1, bits=6)
@example(length=1, numerator=5, denominator=1, bits=1)
def test_is_dropped_is_the_comparison_of_two_integers(length, numerator, denominator, bits):
    # T^(−a/b) ≤ 2^−p  ⟺  T^a ≥ 2^(pb); for a ≤ 0 the weight is at least 1.
    expected = numerator > 0 and length**numerator >= 2 ** (bits * denominator)
    assert is_dropped(length, Fraction(numerator, denominator), bits) == expected


@pytest.mark.parametrize(
    ("length", "gap", "bits", "expected"),
    [
        (2**200, Fraction(1, 200), 1, True),
        (2**200, Fraction(1, 200) - Fraction(1, 10**60), 1, False),
        (2**200 - 1, Fraction(1, 200), 1, False),
        (2**200 + 1, Fraction(1, 200), 1, True),
        (10**400, Fraction(10**9), 10**12, True),
        (3, Fraction(10**30), 10**30, True),
        (3, Fraction(306), 485, False),
        (3, Fraction(306, 485) + Fraction(1, 10**5), 1, True),
    ],
)
def test_is_dropped_where_floats_cannot_tell(length, gap, bits, expected):
    assert is_dropped(length, gap, bits) is expected


def test_dropped_asks_for_exact_gaps_only_near_the_boundary():
    asked = []
    exact = [
        Fraction(0),
        Fraction(1, 2),
        Fraction(1),
        Fraction(1) - Fraction(1, 2**60),
        Fraction(2),
    ]

    def exact_gap(k):
        asked.append(k)
        return exact[k]

    gaps = np.array([float(gap) for gap in exact])
    result = dropped(64, gaps, 6, gap_error=1e-15, exact_gap=exact_gap)
    assert result.tolist() == [False, False, True, False, True]
    assert asked == [2, 3]


def test_dropped_trusts_no_float_inside_its_error():
    # The float gap says "kept" by a margin of 1e-7, within an error of 1e-6; the exact gap is 1.
    result = dropped(64, np.array([1 - 1e-7]), 6, gap_error=1e-6, exact_gap=lambda k: Fraction(1))
    assert result.tolist() == [True]


def test_plain_floats_would_decide_wrongly():
    # The reason for the rule: in floats the weight at the boundary comes out above 2^−6.
    assert math.exp(-math.log(64)) > 2.0**-6
    assert is_dropped(64, Fraction(1), 6)
