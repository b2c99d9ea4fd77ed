"""Elasticities against the lengths themselves, a little to both sides."""

import math
from fractions import Fraction

import pytest

import bounds
from bounds.errors import ParameterError
from bounds.parameters import BY_KEYWORD

STEP = Fraction(1, 64)
FAR = {
    "epsilon": "1e-7",
    "target": "4e-7",
    "lipschitz": 50,
    "lipschitz_euclidean": 50,
    "vocabulary_size": 4,
    "period": 1,
    "locality": 3,
    "precision_bits": 9,
    "margin": "1/3",
    "positional_margin": "2/5",
    "alpha_min": "2/3",
    "class_probability": "1/5",
}
KEY = "derived.one_layer_linf"


def known_keys():
    entries = [e for e in bounds.theorems() if e.stated and not e.searched]
    return [e.key for e in entries if set(e.parameters) <= set(FAR) and "epsilon" in e.parameters]


@pytest.mark.parametrize("key", known_keys())
def test_elasticities_are_slopes_of_the_lengths(key):
    entry = bounds.theorem(key)
    given = {k: v for k, v in FAR.items() if k in entry.parameters}
    if key == "derived.lower_average":  # for Δ ≥ 2
        given["period"] = 2
    bound = bounds.required_length(theorem=key, **given)
    found = bounds.elasticities(bound)
    assert list(found) == [k for k in entry.parameters if k in found]
    tried = 0
    for keyword, slope in found.items():
        if BY_KEYWORD[keyword].kind == "integer":
            continue
        value = Fraction(FAR[keyword])
        sides = []
        for factor in (1 + STEP, 1 - STEP):
            moved = bounds.required_length(theorem=key, **given | {keyword: value * factor})
            sides.append(moved.log2_length)
        width = math.log2((1 + STEP) / (1 - STEP))
        assert (sides[0] - sides[1]) / width == pytest.approx(slope, rel=0.02, abs=0.02)
        assert slope == round(slope, 9)
        tried += 1
    assert tried


def test_of_integers_the_formula_is_read_at_real_ones():
    given = FAR | {"period": 4, "epsilon": "1e-9"}
    given = {k: given[k] for k in bounds.theorem(KEY).parameters if k in given}
    given.pop("target", None)
    bound = bounds.required_length(theorem=KEY, **given)
    found = bounds.elasticities(bound)
    assert found["epsilon"] == pytest.approx(-2, abs=1e-6)
    assert found["lipschitz"] == pytest.approx(2, abs=1e-6)
    longer = bounds.required_length(theorem=KEY, **given | {"period": 8})
    ratio = longer.log2_length - bound.log2_length
    assert found["period"] == pytest.approx(ratio, abs=0.3)
    zero = bounds.required_length(theorem=KEY, **given | {"locality": 0})
    assert "locality" not in bounds.elasticities(zero)


def test_a_bound_without_a_formula_is_refused():
    """T of this bound is a prime below a formula: its slope was said to be 0 in all parameters."""
    given = {"epsilon": "1e-7", "target": "4e-7", "lipschitz": 50}
    prime = bounds.required_length(theorem="derived.lower_average_one_column", **given)
    exponents = [e.key for e in bounds.theorems() if e.stated is None and e.exponents]
    given |= {"period": 2, "lipschitz": 50}
    power = bounds.required_length(theorem="derived.lower_average_every_prior", **given)
    assert power.theorem.key in exponents
    for bound in (prime, power):
        with pytest.raises(ParameterError) as caught:
            bounds.elasticities(bound)
        assert "a formula that holds at other parameters" in str(caught.value)
