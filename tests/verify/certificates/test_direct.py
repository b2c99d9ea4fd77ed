"""Enclosures of sup |f − g| over every length: against all strings, and at the edges of floats."""

import dataclasses
import os
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.counted_outputs import size
from tests.helpers.direct_enclosures import enclosure, finite_pair, softmax_pair, tiny_case
from tests.helpers.table_models import table_head, table_model
from verify import reference, summarise
from verify.certificates.contexts import pair_of
from verify.certificates.direct.exact import error_range
from verify.certificates.direct.inputs import attained, input_at
from verify.certificates.direct.search import Search
from verify.certificates.direct.variation import bounded


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


@pytest.mark.parametrize("first", [2**60 + 100, 2**60 + 140])
def test_lengths_between_floats_stay_inside(first):
    # Floats near 2^60 are 256 apart: the nearest is below all these lengths, or above.
    last = first + 10
    f = softmax([table_head([0.0, 0.0], [0.0], [1.0, 0.0], [0.0], [0.0, 1.5])])
    found = enclosure(f, zero(f), start=first, horizon=last)
    assert first <= found.worst.length <= last
    assert found.low <= 1.0 <= found.high


def test_shares_that_add_up_to_more_than_one_give_an_input():
    f = softmax([table_head([0.0, 0.0, 0.0], [0.0], [0.0, 1.0, 3.0])])
    found = enclosure(f, zero(f), start=1, horizon=None)
    table, shares = found.search.table, (0.1, 0.9 + 2.0**-53)
    assert sum(map(Fraction, shares)) > 1
    piece = table.pieces[0]
    summary = input_at(table, piece, 2**70, shares, 0)
    assert (summary.counts >= 0).all()
    assert summary.length == 2**70


def test_shorter_inputs_are_forgotten_with_the_best_of_them():
    f = softmax([table_head([0.0, 0.0], [0.0], [1.0, 0.0], [0.0], [0.0, -1.0])])
    search = enclosure(f, zero(f), start=2, horizon=40, limit=20).search
    assert search.best is not None
    search.shorten(41)
    assert search.best is None
    assert not len(search.waiting)


def test_a_limit_is_shown_by_an_input_that_is_long_enough():
    f = softmax([table_head([0.0, 0.0], [0.0], [1.0, 0.0])])
    found = enclosure(f, zero(f), start=1, horizon=None).search
    assert found.best.length == np.inf
    assert attained(found.table, found.best, 0.1).worst.length == 2**20
    assert attained(found.table, found.best, 0.1, start=2**30 + 1).worst.length == 2**30 + 1


def test_an_interruption_loses_no_cell(monkeypatch):
    case = tiny_case(0, 2, False)
    table = case.enclosure(limit=0).search.table
    calls = []

    def interrupted(*given):
        calls.append(None)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return bounded(*given)

    monkeypatch.setattr("verify.certificates.direct.search.bounded", interrupted)
    search = Search.of(table)
    with pytest.raises(KeyboardInterrupt):
        search.run(lambda s: s.lower + 1e-6, 10_000)
    assert search.upper >= case.truth()


def test_weights_that_fall_too_slowly_are_not_decided():
    # v^0.001 is still 0.5 at lengths of 2^1000: no overflow, and no claim that it is decided.
    f = softmax([table_head([0.0, 0.0], [0.0], [1.0, 0.0], [0.0], [0.0, 1.001])])
    found = enclosure(f, zero(f), start=2, horizon=None, tolerance=1e-6, limit=100_000)
    assert found.high >= 1.0
    knots = np.array([0.45, 0.5, 0.55])
    tent = softmax(
        [table_head([0.0, 0.0], [0.0], [1.0, 0.0], [0.0], [0.0, 1.001])],
        mlp=([20.0, -40.0, 20.0], knots),
    )
    line = softmax([table_head([0.0, 0.0], [0.0], [1.0, 0.0], [0.0], [0.0, 1.001])])
    found = enclosure(tent, line, start=2, horizon=None, tolerance=1e-6, limit=3000)
    assert found.high >= 1.0


@pytest.mark.parametrize("finite", [True, False])
def test_errors_in_ball_arithmetic_are_those_of_the_definition(finite):
    rng = np.random.default_rng(0)
    for _ in range(40):
        f, g = (finite_pair if finite else softmax_pair)(rng)
        pair = pair_of(f, g, None)
        x = rng.integers(0, f.vocabulary_size, size=int(rng.integers(1, 30)))
        summary = summarise(x, pair.vocabulary_size, pair.period, pair.locality)
        low, high = error_range(pair, summary)
        truth = float(np.abs(reference(f, x) - reference(g, x)).max())
        scale = 1e-12 * max(1.0, size(f) + size(g))
        assert low - scale <= truth <= high + scale
        assert high - low <= 1e-9 * max(1.0, scale)


# ---------------------------------------------------------------- every string

PAIRS = int(os.environ.get("LGBOUNDS_DIRECT_PAIRS", "5"))
"""Pairs of each precision and vocabulary on which all strings are tried; 170 for the full run."""

TOLERANCE = 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("finite", [True, False], ids=["finite", "infinite"])
@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_the_truth_lies_in_the_enclosure(tokens, finite):
    decided = 0
    for seed in range(PAIRS):
        case = tiny_case(seed, tokens, finite)
        found = case.enclosure(tolerance=TOLERANCE, limit=20000)
        truth = case.truth()
        slack = 1e-9 * max(size(case.f) + size(case.g), 1.0)
        assert found.low <= truth + slack, seed
        assert found.high >= truth - slack, seed
        if found.decided:
            decided += 1
            assert found.low >= truth - TOLERANCE - slack, seed
            assert found.high <= truth + TOLERANCE + slack, seed
    assert decided >= 0.6 * PAIRS
