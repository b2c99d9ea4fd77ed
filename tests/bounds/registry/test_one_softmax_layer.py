"""One softmax layer: which of its lengths is the answer, and what the necessary ones refuse."""

from fractions import Fraction as F

import pytest

import bounds

CELL = {"error": "linf", "attention": "softmax", "layers": 1}
MODEL = {
    "epsilon": F(1, 10),
    "lipschitz": 4,
    "vocabulary_size": 2,
    "period": 3,
    "locality": 0,
    "logit_range": 3,
    "logit_range_columns": 3,
    "positional_margin": 1,
}


def lengths(assume=(), **changes):
    bound = bounds.required_length(**CELL, assume=assume, **MODEL | changes)
    found = {b.theorem.key.rsplit("softmax")[-1]: b.length for b in (bound, *bound.alternatives)}
    assert bound.length == min(found.values())
    return found


def test_every_period_has_a_length():
    for period in range(1, 9):
        assert "_periodic" in lengths(period=period)


def test_the_shortest_is_taken():
    """R_c = R: a whole period costs most by columns; R_c < R: the range decides."""
    assert next(iter(lengths())) == "_periodic"
    assert next(iter(lengths(logit_range_columns=0))) == "_columns"
    assert next(iter(lengths({"no_lag_bias"}))) == "_no_bias"
    assert next(iter(lengths({"no_lag_bias"}, logit_range_columns=0))) == "_no_bias_columns"


def test_at_period_one_columns_are_everything_and_the_old_constant_is_never_shorter():
    for more in ({}, {"locality": 3}, {"vocabulary_size": 7}, {"positional_margin": F(1, 2)}):
        found = lengths(period=1, **more)
        assert found["_columns"] == found["_periodic"] < found[""]


@pytest.mark.parametrize("slope", [F(1, 10), F(1, 11), F(0)])
def test_where_s_is_at_least_l_one_period_is_enough(slope):
    found = lengths({"no_lag_bias"}, lipschitz=slope, logit_range=50)
    assert set(found.values()) == {3}
    above = lengths({"no_lag_bias"}, lipschitz=F(1001, 10000), logit_range=0, period=1)
    assert above["_no_bias"] == 2


def test_one_token_without_positions_needs_one_token():
    found = lengths({"no_lag_bias"}, vocabulary_size=1, period=1, logit_range=0)
    assert found["_no_bias"] == found["_no_bias_columns"] == 1


NECESSARY = {"epsilon": F(1, 10), "lipschitz": 4, "logit_range": 3}


def necessary(name, assume=(), **changes):
    given = NECESSARY | changes
    return bounds.required_length(theorem=f"derived.lower_{name}", assume=assume, **given)


def test_a_range_that_no_column_has_is_refused_or_not_counted():
    for name, more in [("softmax_exact", {}), ("softmax_margin", {"positional_margin": F(1, 2)})]:
        whole = necessary(name, **more)
        assert whole.parameters["logit_range_columns"] == 3
        narrow = necessary(name, **more, logit_range_columns=1)
        assert narrow.length == necessary(name, **more | {"logit_range": 1}).length < whole.length
        assert necessary(name, **more, logit_range_columns=9).length == whole.length
    with pytest.raises(bounds.ParameterError, match="R_c ≥ R"):
        necessary("logit_range", logit_range_columns=1)
    prior = {"alpha_min": 1, "alpha_total": 2, "epsilon": F(1, 10**5)}
    with pytest.raises(bounds.ParameterError, match="R_c ≥ R"):
        necessary("average_softmax_dirichlet", **prior, logit_range_columns=1)
    for given in ({"logit_range_columns": 3}, {}):
        assert necessary("logit_range", **given).length > 1
        assert necessary("average_softmax_dirichlet", **prior, **given).length > 1


def test_a_margin_above_one_needs_a_lag_bias():
    with pytest.raises(bounds.ParameterError, match="γ ≤ 1"):
        necessary("softmax_exact", positional_margin=2)
    assert necessary("softmax_exact", positional_margin=F(1, 2)).length > 1
    assert necessary("softmax_margin", positional_margin=2).length > 1
    with pytest.raises(bounds.ParameterError, match="excludes the pair"):
        necessary("softmax_margin", {"no_lag_bias"}, positional_margin=1)
    assert necessary("softmax_exact", {"no_lag_bias"}).length > 1


def test_sharper_than_the_older_ones():
    """4 times at ε = 0, 6 times at target 3ε; and 1/γ has the exponential too."""
    small = {"epsilon": F(1, 10**4)}
    for given, factor in (
        (small, 6),
        ({"epsilon": 0, "target": F(1, 10**4)}, 4),
    ):
        ratio = (
            necessary("softmax_exact", **given).length / necessary("logit_range", **given).length
        )
        assert ratio == pytest.approx(factor, rel=1e-3)
    narrow = small | {"positional_margin": F(1, 2)}
    old = bounds.required_length(theorem="derived.lower_margin", lipschitz=4, **narrow)
    assert necessary("softmax_margin", **narrow).length > 400 * 6**2 * old.length


def test_the_trivial_case_of_the_necessary_ones():
    for slope in (F(1, 10), F(0)):
        assert necessary("softmax_exact", lipschitz=slope).length == 1
        assert necessary("softmax_margin", lipschitz=slope, positional_margin=F(1, 2)).length == 1
