"""The answer of `solve_for`: a number like any other, which knows where it comes from."""

import copy
import json
import pickle
from fractions import Fraction

import numpy as np
import pytest

import bounds

KEY = "derived.one_layer_linf"
MODEL = {
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 1,
}


@pytest.fixture(scope="module")
def epsilon():
    return bounds.solve_for("epsilon", length=4096, theorem=KEY, **MODEL)


@pytest.fixture(scope="module")
def period():
    rest = {k: v for k, v in MODEL.items() if k != "period"}
    return bounds.solve_for("period", length=963, theorem=KEY, epsilon="1/10", **rest)


def test_it_is_the_number(epsilon, period):
    assert float(epsilon) == epsilon.float == 0.046214003607709775
    assert epsilon == epsilon.value
    assert hash(epsilon) == hash(epsilon.value)
    assert type(epsilon.value) is Fraction
    assert epsilon < 0.05 < 2 * epsilon
    assert (period == 2, int(period), type(period.value)) == (True, 2, int)
    assert (list(range(period)), [0] * period, np.zeros(period).size) == ([0, 1], [0, 0], 2)
    assert (f"{epsilon:.3g}", f"{period:,}", f"{period}", str(period)) == ("0.0462", "2", "2", "2")
    assert type(epsilon + 1) is Fraction
    with pytest.raises(TypeError, match="is no integer"):
        range(epsilon)


def test_it_goes_back_in(epsilon):
    again = bounds.required_length(theorem=KEY, epsilon=epsilon, **MODEL)
    assert again == epsilon.bound
    assert again.length <= 4096


def test_it_knows_its_theorem_its_length_and_what_they_are_worth(epsilon, period):
    assert (epsilon.unknown, epsilon.given_length) == ("epsilon", 4096)
    assert epsilon.bound.length <= 4096
    assert epsilon.theorem.key == KEY
    assert epsilon.status is bounds.Status.PROVED
    assert "Solution epsilon" in repr(epsilon)
    assert "just fits length 963" in period.explain()
    assert "just fits length 963" in period._repr_html_()
    assert json.loads(json.dumps(period.to_dict()))["bound"]["length"] == 963
    rough = bounds.solve_for("epsilon", length=10**9, theorem="izzo2025.4.1", **MODEL)
    assert rough.status is bounds.Status.ORDER_OF_GROWTH


def test_it_can_be_copied_and_saved(epsilon):
    for twin in (pickle.loads(pickle.dumps(epsilon)), copy.copy(epsilon), copy.deepcopy(epsilon)):
        assert twin == epsilon
        assert twin.bound == epsilon.bound
        assert twin.unknown == "epsilon"


@pytest.mark.parametrize(
    ("unknown", "length", "given"),
    [
        ("epsilon", 100, {}),
        ("target", 100, {"epsilon": "1/10"}),
        ("lipschitz", 256, {"epsilon": "1/10", "precision_bits": 8}),
    ],
)
def test_a_value_at_which_nothing_is_said_is_refused(unknown, length, given):
    """Below the threshold 2^8 only the trivial case is left: s ≥ L, and any two models will do."""
    rest = {k: v for k, v in (MODEL | given).items() if k != unknown}
    with pytest.raises(bounds.NoSolution, match="leaves only what says nothing") as caught:
        bounds.solve_for(unknown, length=length, theorem=KEY, **rest)
    assert "a greater length is needed" in caught.value.reason
    assert bounds.solve_for(unknown, length=300, theorem=KEY, **rest).bound.length <= 300
