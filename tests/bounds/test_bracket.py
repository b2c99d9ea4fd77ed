"""`bracket`: both sides of one question, in one call and about one class of models."""

import json
import os
import pickle
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import bounds
import verify
from bounds.evaluate import size
from bounds.length import is_guarantee
from bounds.other_side import is_necessary
from tests.bounds.test_both_sides import to_assert
from verify.witnesses import windows

CELL = {"error": "linf", "attention": "argmax", "layers": 1}
MODELS = {
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 1,
}
GIVEN = MODELS | {"epsilon": "1/10"}


def test_both_sides_and_the_paper_at_once():
    both = bounds.bracket(**CELL, **GIVEN)
    assert (both.necessary.length, both.sufficient.length) == (257, 963)
    assert both.ratio == Fraction(963, 257)
    assert both.log2_ratio == pytest.approx(np.log2(963 / 257), rel=1e-12)
    assert both.paper.status is bounds.Status.ORDER_OF_GROWTH
    assert both.paper.length == 9_331_200
    assert both.reasons == {}
    assert both.sufficient.length == bounds.required_length(**CELL, **GIVEN).length
    assert both.necessary.alternatives
    assert all(other.length <= 257 for other in both.necessary.alternatives)


def test_what_it_shows():
    both = bounds.bracket(**CELL, **GIVEN)
    for text in (str(both), both.explain(), both._repr_html_()):
        for part in ("257", "963/257 ≈ 3.747", "derived.lower_threshold", "no guarantee"):
            assert part in text
        assert "|Σ| = 3, Δ = 2, τ = 1, p = 8, γ = 1, ε = 1/10" in text
        assert "heads = 1" in text  # taken by default
    back = json.loads(json.dumps(both.to_dict()))
    assert back["sufficient"]["length"] == 963
    assert back["ratio"] == "963/257"
    assert "963" in repr(both)
    assert str(pickle.loads(pickle.dumps(both))) == str(both)


def test_an_astronomic_ratio_is_a_power_of_two():
    both = bounds.bracket(**CELL, **GIVEN | {"margin": "1/100000"})  # 2^(800,000)
    assert both.sufficient.length is None
    assert both.necessary.length is None
    assert (both.ratio, both.log2_ratio) == (None, 0)
    assert "≈ 2^0" in str(both)


def test_a_missing_side_has_a_reason():
    open_cell = bounds.bracket(**CELL | {"layers": 2}, **GIVEN)
    assert open_cell.sufficient is None
    assert "derived.open_two_layer_argmax: Not known" in open_cell.reasons["sufficient"]
    assert open_cell.paper is None
    assert (open_cell.ratio, open_cell.log2_ratio) == (None, None)
    assert open_cell.ratio_text == "none: no sufficient length"
    assert open_cell.necessary.length == 7
    average = bounds.bracket(
        **CELL | {"error": "average"}, **GIVEN, lipschitz_euclidean=1, alpha_min=1, alpha_total=3
    )
    assert average.necessary is None
    assert "α₀ = 1, A = 2" in average.reasons["necessary"]
    assert average.ratio_text == "none: no necessary length"
    few = bounds.bracket(error="linf", attention="softmax", layers=1, epsilon="1/10",
                         lipschitz=1, positional_margin="1/2")  # fmt: skip
    assert few.sufficient is None
    assert "logit_range" in few.reasons["sufficient"]
    assert few.necessary.length == 3


def test_where_no_side_says_anything_it_is_refused():
    with pytest.raises(bounds.ParameterError, match="margin"):
        bounds.bracket(**CELL, epsilon="1/10")
    with pytest.raises(bounds.ParameterError, match="a theorem about a setting, no lemma"):
        bounds.bracket(theorem="izzo2025.kgram", epsilon="1/10", context=2)
    with pytest.raises(bounds.ParameterError, match="epsilonn"):
        bounds.bracket(**CELL, **GIVEN, epsilonn=1)


def test_a_theorem_of_any_side_may_be_asked_for():
    needed = {"epsilon": "1/100", "target": "3/100"}
    lower = bounds.bracket(theorem="derived.lower_linf_c3", **MODELS | {"period": 1} | needed)
    assert lower.necessary.theorem.key == "derived.lower_linf_c3"
    assert lower.sufficient.theorem.key == "derived.one_layer_linf"
    paper = bounds.bracket(theorem="izzo2025.4.1", **GIVEN)
    assert (paper.paper.theorem.key, paper.sufficient.length) == ("izzo2025.4.1", 963)
    upper = bounds.bracket(theorem="derived.one_layer_linf_positional", **GIVEN | {"locality": 0})
    assert upper.sufficient.theorem.key == "derived.one_layer_linf_positional"
    refused = bounds.bracket(theorem="derived.lower_linf_c3", horizon=9, **MODELS | needed)
    assert refused.necessary is None
    assert "horizon" in refused.reasons["necessary"]


def test_the_other_side_is_about_what_a_theorem_takes_by_default():
    """Asked for by its key, a theorem assumes: what is necessary must be so under the same."""
    key = "derived.one_layer_linf_positional"
    bound = bounds.required_length(theorem=key, **GIVEN | {"locality": 0})
    opened = {h.name for h in bound.theorem.hypotheses if h.needs_assertion()}
    assert opened
    asserted = bounds.required_length(theorem=key, assume=opened, **GIVEN | {"locality": 0})
    assert [b.theorem.key for b in bound.necessary] == [b.theorem.key for b in asserted.necessary]
    assert all(opened <= set(b.theorem.survives) for b in bound.necessary)


def test_a_pair_is_not_set_against_constants_that_it_is_not_shown_to_have():
    """It was: a necessary length of 19,599,720,000 beside a sufficient one of 525,210,005."""
    given = {"epsilon": "1/10000", "lipschitz": 7, "lipschitz_marginal": "1/2"}
    both = bounds.bracket(
        theorem="derived.lower_linf_c3", **MODELS | {"locality": 3, "precision_bits": 1} | given
    )
    assert both.sufficient.theorem.key == "derived.one_layer_linf_additive"
    assert both.necessary is None
    assert both.reasons["necessary"].endswith("its pair is not shown to have L' = 1/2")
    two = {"error": "linf", "attention": "softmax", "layers": 2, "vocabulary_size": 2}
    given = {"epsilon": "1/1000", "locality": 1, "heads": 2, "period": 1, "positional_margin": 1}
    small = bounds.bracket(**two, **given, complexity_balanced="1/100")
    assert small.necessary is None
    assert "C_F, where given, is at least that of the pair" in small.reasons["necessary"]


def test_measured_constants_go_in_as_they_come():
    measured = SimpleNamespace(
        assume=frozenset({"no_lag_bias"}),
        parameters=lambda: {"attention": "argmax", "layers": 1, **MODELS, "locality": 0},
    )
    both = bounds.bracket(measured=measured, error="linf", epsilon="1/10")
    same = bounds.bracket(**CELL, **GIVEN | {"locality": 0}, assume={"no_lag_bias"})
    assert (both.sufficient.length, both.ratio) == (same.sufficient.length, same.ratio)
    assert both.measured == {k: v for k, v in same.parameters.items() if k != "epsilon"}
    assert "measured: L = 1, |Σ| = 3" in str(both)
    with pytest.raises(bounds.ParameterError, match=r"margin: got 2 .*as `measured` has it"):
        bounds.bracket(measured=measured, error="linf", epsilon="1/10", margin=2)


def test_the_other_side_is_found_when_it_is_asked_for():
    bound = bounds.required_length(**CELL, **GIVEN)
    assert "other_side" not in vars(bound)
    assert [b.length for b in bound.necessary] == sorted(b.length for b in bound.necessary)[::-1]
    assert bound.paper.theorem.key == "izzo2025.4.1"
    assert all(other.paper.length == bound.paper.length for other in bound.alternatives)
    back = pickle.loads(pickle.dumps(bounds.required_length(**CELL, **GIVEN)))
    assert back.necessary[0].length == bound.necessary[0].length


DRAWS = int(os.environ.get("BRACKET_DRAWS", "60"))

ONE = {
    "epsilon": [Fraction(1, 10**n) for n in range(1, 7)],
    "lipschitz": [1, Fraction(1, 2), 7],
    "vocabulary_size": [2, 3, 3, 9],
    "period": [1, 2, 5],
    "locality": [1, 0, 3],
    "heads": [1, 2],
}
OR_NOT = None  # left out
ARGMAX = {"precision_bits": [1, 8], "margin": [1, Fraction(1, 2), 3]}
SOFTMAX = {"positional_margin": [1, Fraction(1, 3)], "logit_range": [0, 2]}
AVERAGE = {
    "epsilon": [Fraction(1, 10**n) for n in range(5, 8)],
    "lipschitz": [1],
    "lipschitz_euclidean": [1, 1, 2],
    "alpha_min": [1],
    "alpha_total": [2, 3],
    "vocabulary_size": [2, 3],
}
SOMETIMES = {
    "target": [OR_NOT] * 3 + [Fraction(1, 3), Fraction(1, 500), Fraction(1, 20_000)],
    "lipschitz_marginal": [OR_NOT] * 6 + [Fraction(1, 2), 1, 10],
    "lipschitz_other": [OR_NOT] * 6 + [0, Fraction(1, 2)],
    "horizon": [OR_NOT] * 9 + [2**20],
}
QUESTIONS = {
    ("linf", "argmax", 1): ONE | ARGMAX,
    ("linf", "argmax", 2): ONE | ARGMAX | {"states": [OR_NOT, 1], "path_states": [OR_NOT, 4]},
    ("linf", "softmax", 1): ONE | SOFTMAX,
    ("linf", "softmax", 2): ONE | SOFTMAX | {"complexity_balanced": [Fraction(1, 100), 1]},
    ("average", "argmax", 1): ONE | ARGMAX | AVERAGE,
    ("average", "argmax", 2): ONE | ARGMAX | AVERAGE,
    ("average", "softmax", 1): ONE | SOFTMAX | AVERAGE | {"urn_constant": [1]},
    ("average", "softmax", 2): ONE | SOFTMAX | AVERAGE | {"complexity_average": [1, 9]},
}
NOT_COMPARABLE = [("linf", "softmax", 2), ("average", "softmax", 2)]
"""There lengths that suffice are in terms of a complexity that the pairs are not shown to have."""


@pytest.mark.slow
@pytest.mark.parametrize("cell", QUESTIONS, ids=str)
def test_on_random_questions_the_necessary_length_is_no_longer_than_the_sufficient_one(cell):
    rng = np.random.default_rng([4, list(QUESTIONS).index(cell)])
    setting = bounds.Setting(*cell)
    entries = [t for t in bounds.theorems() if t.setting is not None and t.setting.covers(setting)]
    entries = [t for t in entries if is_guarantee(t) or is_necessary(t)]
    opened = sorted({name for t in entries for name in to_assert(t)})
    compared = 0
    for number in range(DRAWS):
        drawn = {k: row[rng.integers(len(row))] for k, row in (QUESTIONS[cell] | SOMETIMES).items()}
        given = {k: v for k, v in drawn.items() if v is not OR_NOT}
        if number % 2 and "heads" in given:
            del given["heads"]
        entry = entries[number // 2 % len(entries)]
        asked = {"theorem": entry.key} if number % 3 == 0 else setting.data()
        names = to_assert(entry) | (
            {str(rng.choice(opened))} if opened and number % 4 == 0 else set()
        )
        try:
            both = bounds.bracket(**asked, assume=names, **given)
        except bounds.BoundsError:
            continue
        upper, lower = both.sufficient, both.necessary
        assert (upper is None) == ("sufficient" in both.reasons)
        assert (lower is None) == ("necessary" in both.reasons)
        if upper is None or lower is None:
            continue
        compared += 1
        sides = [size(b.length, b.log2_length) for b in (lower, upper)]
        assert sides[0] <= sides[1], (both, asked, given, names)
    print(cell, compared)
    assert compared >= (0 if cell in NOT_COMPARABLE else DRAWS // 60)


def test_constants_of_given_weights():
    f, g = (verify.tasks.mod_p(1, 0, precision_bits=bits).transformer for bits in (8, 9))
    both = bounds.bracket(measured=verify.measure(f, g), error="linf", epsilon="1/10")
    assert both.setting == bounds.Setting("linf", "argmax", 1)
    assert both.measured["vocabulary_size"] == 2
    assert both.sufficient.status is bounds.Status.PROVED
    assert "epsilon" not in both.measured
    assert both.asserted == verify.measure(f, g).assume


def test_a_constant_that_no_theorem_of_the_setting_reads_hides_no_side():
    """It did: `measure` gives 𝒞 of the average error too, and no pair is shown to have that."""
    witness = windows(10**6)
    target = witness.parameters["target"]
    measured = verify.measure(witness.f, witness.g)
    both = bounds.bracket(measured=measured, error="linf", epsilon=0, target=target)
    assert "complexity_average" in both.measured
    assert both.sufficient.theorem.key == "derived.two_layer_softmax_balanced"
    assert both.necessary.theorem.key == "derived.lower_softmax_locality"
    assert both.necessary.length <= witness.agree_up_to < both.sufficient.length
    average = {"error": "average", "epsilon": "1/1000", "class_probability": "1/2"}
    other = bounds.bracket(measured=measured, **average)
    assert other.necessary is None
    assert "its pair is not shown to have 𝒞" in other.reasons["necessary"]
    assert "L_q" not in other.reasons["necessary"]
