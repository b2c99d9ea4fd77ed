"""Defaults, written out; and both sides, at random.

(a) Theorem. A parameter that is left out counts as its default (H = 1, target = 3ε, κ = 0, L_o = L, …), so
writing out what the answer says was used changes nothing: equality of the answers.

(b) Theorem. A necessary length M: some pair in the class agrees within ε on all inputs shorter than M, and is
beyond the target somewhere. A sufficient length N for a class with that pair: agreement up to N is enough.
So M ≤ N (inequality), for every pair of theorems that one set of parameters reaches, whichever they are.

(c) At |Σ| = 1 there is one input of each length; with Δ = 1 and |Σ| = 1 all attention outputs the same value,
so all models are constant after their query's own vector: |f − g| is one number, and no length but 1 is
necessary. So every necessary length (of pairs that exist at |Σ| = 1) is at most 1 there (equality), or refused.
"""

from fractions import Fraction

import numpy as np
import pytest

import bounds
from bounds.errors import BoundsError
from tests.second_routes.cases import fails, seeds
from tests.second_routes.registry_points import WITH_FORMULA, asked, points

KEYS = [key for key in WITH_FORMULA if bounds.theorem(key).defaults]


def defaults(key, tally, change=0):
    entry = bounds.theorem(key)
    for values, _ in points(key):
        short = {k: v for k, v in values.items() if k not in entry.defaults}
        if "target" in short and "target" not in entry.defaults:
            short.pop("target")
        bound = asked(key, short)
        if bound is None:
            continue
        full = {k: v for k, v in bound.parameters.items() if k in entry.parameters}
        again = asked(key, full | ({"heads": full["heads"] + 1} if change else {}))
        assert again is not None, (key, short)
        assert again.length == bound.length, (key, short)
        assert again.log2_length == bound.log2_length, (key, short)
        tally["defaults"] += 1


@pytest.mark.parametrize("key", KEYS)
def test_defaults_written_out(key, tally):
    defaults(key, tally)


def setting(rng):
    """Parameters of one layer, worst case, in either attention."""
    epsilon = Fraction(1, int(rng.integers(2, 60)))
    values = {
        "epsilon": epsilon,
        "target": epsilon * Fraction(int(rng.integers(3, 12)), 2),
        "lipschitz": epsilon * Fraction(int(rng.integers(4, 400)), int(rng.integers(1, 9))),
        "vocabulary_size": int(rng.integers(1, 6)),
        "period": int(rng.integers(1, 4)),
        "locality": int(rng.integers(0, 3)),
    }
    if rng.random() < 0.6:
        values |= {
            "attention": "argmax",
            "heads": int(rng.integers(1, 3)),
            "precision_bits": int(rng.integers(1, 9)),
            "margin": Fraction(int(rng.integers(1, 9)), 4),
        }
    else:
        values |= {
            "attention": "softmax",
            "logit_range": Fraction(int(rng.integers(1, 9)), 4),
            "positional_margin": Fraction(int(rng.integers(1, 5)), 4),
        }
    return values | {"error": "linf", "layers": 1}


def both_sides(seed, tally, factor=1):
    values = setting(np.random.default_rng(seed))
    needed, enough = [], []
    given = {k: v for k, v in values.items() if k not in ("error", "attention", "layers")}
    cell = bounds.theorems(
        error=values["error"], attention=values["attention"], layers=values["layers"]
    )
    for entry in cell:
        # Hypotheses on the models that are not asserted: such a theorem is about fewer models.
        if entry.stated is None or entry.constants != "proved":
            continue
        if any(h.needs_assertion() for h in entry.hypotheses):
            continue
        try:
            bound = bounds.required_length(theorem=entry.key, **{k: v for k, v in given.items()})
        except BoundsError:
            continue
        if bound.length is not None:
            (enough if bound.direction == "sufficient" else needed).append(
                (bound.length, entry.key)
            )
    for low, lower in needed:
        for high, upper in enough:
            assert low * factor <= high, (lower, low, upper, high, values)
            tally["necessary against sufficient"] += 1


def test_no_necessary_length_is_above_a_sufficient_one(tally):
    for seed in seeds(12):
        both_sides(seed, tally)
    assert tally["necessary against sufficient"]


def alone(key, tally, size=1):
    """Nothing is necessary where all inputs of a length are one."""
    for values, _ in points(key):
        if "vocabulary_size" not in values:
            continue
        change = {"vocabulary_size": size} | ({"period": 1} if "period" in values else {})
        bound = asked(key, values | change)
        if bound is None:
            tally["refused"] += 1
            continue
        assert bound.length <= 1, (key, values, bound.length)
        tally["one token"] += 1


NECESSARY = [
    key
    for key in WITH_FORMULA
    if bounds.theorem(key).direction == "necessary" and "threshold" not in key
]


@pytest.mark.parametrize("key", NECESSARY)
def test_one_token_needs_no_length(key, tally):
    alone(key, tally)


def test_control_one_head_more_half_a_length_two_tokens(tally):
    with pytest.raises(AssertionError):
        defaults("derived.one_layer_linf", tally, change=1)
    fails(lambda seed: both_sides(seed, tally, factor=20), range(60))
    fails(lambda key: alone(key, tally, size=2), NECESSARY)
