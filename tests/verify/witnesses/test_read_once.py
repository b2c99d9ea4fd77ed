"""Pairs around the hardmax threshold: read once in a period, two slopes, two shares, one share."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import bounds
import verify
from tests.verify.witnesses.test_one_layer import (
    ROUNDING,
    all_summaries,
    assert_agree_on_strings,
    difference,
    worst_over,
)
from verify.errors import InputError
from verify.witnesses import (
    limit_shares,
    shared_logits,
    threshold_one_residue,
    threshold_residues,
    threshold_two_slopes,
)

pytestmark = [
    pytest.mark.covers(
        "attack", "derived.lower_threshold", "derived.lower_limit", "derived.lower_shared_logits"
    ),
    pytest.mark.covers(
        "tightness", "derived.lower_threshold", "derived.lower_limit", "derived.lower_shared_logits"
    ),
]


def entry(witness, **changes):
    names = bounds.theorem(witness.key).parameters
    given = {k: v for k, v in (dict(witness.parameters) | changes).items() if k in names}
    return bounds.required_length(theorem=witness.key, **given).length


def agrees(witness):
    """All counts, at lengths that are read where Δ ≥ 2; the other columns hold what is worst."""
    for length in range(1, witness.agree_up_to + 1):
        if witness.f.period == 1 or length <= 4:
            inputs = all_summaries(witness.f.vocabulary_size, witness.f.period, length)
            assert worst_over(witness, inputs) <= witness.epsilon + ROUNDING, length
        else:
            for k in range(length):
                x = np.zeros(length, dtype=int)
                x[:k] = 1
                assert difference(witness, x) <= witness.epsilon + ROUNDING, (length, k)


@pytest.mark.parametrize(("period", "bits", "margin"), [*product([2, 3, 4, 5], [1, 4], [1, "3/4"])])
def test_one_token_read_once(period, bits, margin):
    witness = threshold_residues(period, bits, margin, 3, whole_period=True)
    threshold = threshold_residues(period, bits, margin, 3).agree_up_to + 1
    expected = threshold + period - 2 - (threshold % period == 2 % period)
    assert witness.agree_up_to == expected
    assert witness.gap >= min(Fraction(1), Fraction(3 * (period - 1), 2 * period))
    for length in range(1, 4 * threshold):
        apart = difference(witness, np.zeros(length, dtype=int))
        if length <= witness.agree_up_to or (length - witness.first_long) % period:
            assert apart == 0
        else:
            assert apart == pytest.approx(float(witness.gap), abs=ROUNDING)
    target = min(witness.gap, Fraction(1)) * Fraction(99, 100)
    assert expected <= entry(witness, target=target) <= expected + 1


@pytest.mark.slow
@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda d: threshold_one_residue(5, 1, 3, 3, 1, d),
        lambda d: threshold_one_residue("9/2", 1, 3, 2, "1/2", d),
        lambda d: threshold_two_slopes(9, 1, 4, 4, d),
        lambda d: threshold_two_slopes(40, 1, 9, 5, d),
        lambda d: threshold_two_slopes(30, 1, 2, 4, d),
    ],
)
def test_two_tokens_read_once(make, period):
    witness = make(period)
    assert entry(witness) == witness.agree_up_to + 1
    agrees(witness)
    if period > 1:
        assert_agree_on_strings(witness, min(9, witness.agree_up_to))
    for length in (1, witness.first_long, 3 * witness.first_long + 1):
        assert difference(witness, witness.long_input(length)) >= witness.gap - ROUNDING
    assert witness.gap > witness.parameters["target"]
    found = verify.measure(witness.f, witness.g)
    assert found.lipschitz <= witness.parameters["lipschitz"] + Fraction(1, 10**9)
    assert found.margin == witness.parameters["margin"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slope", "target", "bits", "margin"),
    [(8, 3, 8, 1), (5, 3, 8, 1), (3, "5/2", 4, "1/2"), (3, 3, 3, 1), (9, 2, 3, "1/2")],
)
def test_two_shares_in_the_limit_regime(slope, target, bits, margin):
    witness = limit_shares(slope, 1, target, bits, margin)
    found = entry(witness)
    assert found >= witness.agree_up_to + 1
    if Fraction(target) == 3:  # the other pairs reach less
        assert found == witness.agree_up_to + 1
    agrees(witness)
    for length in (witness.first_long, 2 * witness.first_long + 1):
        x = witness.long_input(length)
        assert difference(witness, x) >= witness.gap - ROUNDING > float(Fraction(target))
    constants = verify.measure(witness.f, witness.g)
    assert constants.lipschitz == pytest.approx(float(slope))


def test_the_value_of_the_table():
    witness = limit_shares(1, "1/10", "3/10", 7, "1/2")
    assert witness.agree_up_to == 6560
    assert entry(witness) == 6561


@pytest.mark.parametrize(
    ("slope", "epsilon", "target", "bits", "gap"),
    [
        (1, "1/10", "3/10", 8, "1/2"),
        (5, 1, "5/2", 4, "1/4"),
        (9, 0, 1, 9, "1/2"),
        (9, 1, 4, 6, "1/4"),
    ],
)
def test_shared_logits_need_as_much(slope, epsilon, target, bits, gap):
    witness = shared_logits(slope, epsilon, target, bits, gap)
    assert entry(witness) == witness.agree_up_to + 1
    agrees(witness)
    for length in (witness.first_long, witness.last_long):
        x = witness.long_input(length)
        assert difference(witness, x) >= witness.gap - ROUNDING
        assert witness.gap > witness.parameters["target"]
    found = verify.measure(witness.f, witness.g)
    assert {"shared_logits", "no_lag_bias"} <= set(found.assume)
    assert found.lipschitz == pytest.approx(float(slope))
    assert found.largest_gap == Fraction(gap)


def test_too_little_precision_is_refused_by_pair_and_entry_alike():
    for bits in range(1, 9):
        given = {"epsilon": "1/10", "target": "3/10", "lipschitz": 1, "largest_gap": "1/2"}
        given |= {"vocabulary_size": 2, "precision_bits": bits}
        try:
            shared_logits(1, "1/10", "3/10", bits, "1/2")
        except InputError:
            with pytest.raises(bounds.ParameterError, match="p is so large"):
                bounds.required_length(theorem="derived.lower_shared_logits", **given)
        else:
            found = bounds.required_length(theorem="derived.lower_shared_logits", **given)
            assert found.length == 16


def test_bad_input():
    for make in (
        lambda: threshold_two_slopes(4, 1, 3),
        lambda: threshold_two_slopes(8, 1, 5),
        lambda: threshold_two_slopes(8, 1, 1),
        lambda: limit_shares(2, 1, 3),
        lambda: limit_shares(9, 1, "3.1"),
        lambda: shared_logits(3, 1, 4),
        lambda: shared_logits(3, 1, 3),
        lambda: shared_logits(9, 1, 4, 8, 1),
    ):
        with pytest.raises(InputError):
            make()
