"""One softmax layer with period 2 and 3: from the weights to a length, and the truth beside it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import bounds
import verify

from .counts import CountTruth
from .one_layer import by_residue
from .report import table
from .runner import run

KEYS = (
    "derived.one_layer_softmax_periodic",
    "derived.one_layer_softmax_columns",
    "derived.one_layer_softmax_no_bias",
    "derived.one_layer_softmax_no_bias_columns",
)
FAMILY = "soft, by residue"
LEVELS = {"most_levels": 2, "budget": 6000}

pytestmark = [
    pytest.mark.covers(
        "soundness",
        "derived.one_layer_softmax_periodic",
        "derived.one_layer_softmax_columns",
        "derived.one_layer_softmax_no_bias",
        "derived.one_layer_softmax_no_bias_columns",
    ),
    pytest.mark.slow,
]


def test_no_claimed_length_is_refuted():
    result = run(40, 0, families=(FAMILY,), most_subsets=2, **LEVELS)
    assert not result.violations, f"{result.violations[0]}\n{table(result)}"
    for key in KEYS:
        assert result.tallies[key].biting >= 5, table(result)
        assert result.tallies[key].tightest < 5, table(result)


FALSE = {
    "period": lambda v: Fraction(1),
    "logit_range": lambda v: Fraction(0),
    "logit_range_columns": lambda v: Fraction(0),
    "lipschitz": lambda v: v / 4,
}


@pytest.mark.parametrize("keyword", FALSE)
def test_a_false_constant_is_noticed(keyword):
    def spoil(given):
        return {k: FALSE[k](Fraction(v)) if k == keyword else v for k, v in given.items()}

    found = run(
        150, 1, families=(FAMILY,), most_subsets=1, spoil=spoil, stop_at_first=True, **LEVELS
    )
    assert found.violations, table(found)


def test_what_a_user_writes():
    """`measure`, `required_length` with what it says, and the shortest number is the answer."""
    used, refuted = set(), 0
    for number in range(25):
        case = by_residue(np.random.default_rng([7, number]))
        c = verify.measure(case.f, case.g)
        assert c.period in (1, 2, 3)
        truth = CountTruth(case.f, case.g, budget=4000).linf
        for level in truth.levels():
            bound = bounds.required_length(
                error="linf",
                epsilon=level.epsilon,
                target=level.target,
                assume=c.assume,
                **c.parameters(),
            )
            assert bound.length > level.length
            lengths = [bound.length, *(other.length for other in bound.alternatives)]
            assert bound.length == min(lengths)
            refuted += 1
            if c.period > 1:
                used.add(bound.theorem.key)
                assert bound.theorem.key in KEYS
    assert refuted >= 40
    assert used == set(KEYS)
