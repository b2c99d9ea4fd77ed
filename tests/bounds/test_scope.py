"""What a theorem allows of every quantity: generated from the scopes, entry by quantity.

Nothing that contradicts a hypothesis may be "without influence": it is refused, whatever the
entry. The tables of laws and of what pairs survive are written here once more by hand.
"""

from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest

import bounds
from bounds.apply import restrictions
from bounds.parameters import BY_KEYWORD
from bounds.scope import ANY, at_least, contradictions, exactly
from verify import witnesses

SCOPED = [entry for entry in bounds.theorems() if entry.scope is not None]
NECESSARY = [entry for entry in SCOPED if entry.direction is bounds.Direction.NECESSARY]
QUANTITIES = ("vocabulary_size", "period", "locality", "heads")
NAMES = sorted({h.name for t in bounds.theorems() for h in t.hypotheses if h.name})
MODELS = sorted(set(NAMES) - {"exact_ties", "markov_inputs", "true_lipschitz"})
ONE = {
    "epsilon": F(1, 10**5),
    "lipschitz": F(1),
    "lipschitz_other": F(1),
    "lipschitz_euclidean": F(1),
    "lipschitz_marginal": F(1),
    "vocabulary_size": F(4),
    "period": F(2),
    "locality": F(1),
    "heads": F(2),
    "precision_bits": F(8),
    "margin": F(1, 2),
    "largest_gap": F(1, 2),
    "positional_margin": F(1, 2),
    "logit_range": F(5),
    "logit_range_columns": F(5),
    "logit_range_last": F(5),
    "complexity": F(2),
    "complexity_balanced": F(2),
    "complexity_periodic": F(2),
    "complexity_average": F(2),
    "lipschitz_query": F(1),
    "lipschitz_keys": F(1),
    "limit_query": F(1),
    "limit_keys": F(1),
    "influence_keys": F(1),
    "dimension": F(20),
    "alpha_min": F(1),
    "alpha_class": F(1),
    "class_probability": F(1, 4),
    "gram_probability": F(1, 4),
    "urn_constant": F(3),
    "block": F(1),
    "states": F(2),
    "path_states": F(3),
    "spectral_gap": F(1, 2),
    "stationary_min": F(1, 8),
    "constant": F(1),
    "tie_tolerance": F(1, 10**4),
    "horizon": F(2**20),
    "light_groups": F(1),
    "depth_constants": bounds.DepthConstants(
        [
            bounds.LayerConstants("5/4", 5, (bounds.HeadConstants(1, "1/2", 1, "1/2", 1, 1),)),
            bounds.LayerConstants(1, 1, (bounds.HeadConstants("1/2", 1, 2, "1/2", 1, 1),)),
        ]
    ),
}


def point(entry, **changes):
    """Values of what the formula reads that satisfy every rule, one of them as asked."""
    values = ONE | ({"margin": F(3, 2)} if entry.key.endswith("steep") else {})
    if entry.direction is bounds.Direction.SUFFICIENT:
        values["epsilon"] = F(1, 10)
    if entry.key in ("derived.one_layer_average_two_tokens", "derived.lower_average_rare"):
        values["alpha_min"] = F(1, 4)
    if entry.key == "derived.lower_two_layer_argmax":
        values["locality"] = F(2)  # so that one head is too few
    for keyword in QUANTITIES:
        allowed = (F(n) for n in (values[keyword], 0, 1, 2, 3))
        rule = getattr(entry.scope, keyword)
        values[keyword] = next(n for n in allowed if rule.holds(n, values))
    if entry.scope.lag_bias == "none":
        values["locality"] = F(0)
    values |= {k: F(v) for k, v in changes.items()}
    values["alpha_total"] = values["vocabulary_size"] * values["alpha_min"]
    given = {k: values[k] for k in entry.parameters if k != "target"}
    return given | {k: F(v) for k, v in changes.items()}


def answer(entry, assume=(), **given):
    return bounds.required_length(theorem=entry.key, assume=assume, **given)


def entries(pairs):
    return {"argvalues": pairs, "ids": [f"{entry.key}-{name}" for entry, name in pairs]}


def by_key(entry):
    return entry.key


# Every entry says something of every quantity


def test_every_entry_with_a_setting_has_a_scope():
    assert [t.key for t in bounds.theorems() if t.setting and t.scope is None] == []
    assert len(SCOPED) >= 38


RESTRICTED = {
    "derived.one_layer_linf_chain": {"heads": "= 1"},
    "derived.one_layer_linf_shared_logits": {"period": "= 1", "heads": "= 1"},
    "derived.one_layer_softmax": {"period": "= 1"},
    "derived.two_layer_softmax": {"period": "= 1"},
    "derived.one_layer_average_nested": {"period": "= 1"},
    "derived.average_softmax": {"period": "= 1"},
    "derived.average_softmax_euclidean": {"period": "= 1"},
    "derived.average_softmax_dirichlet": {"period": "= 1"},
    "derived.average_softmax_two_layer": {"period": "= 1"},
    "derived.average_softmax_two_layer_markov": {"period": "= 1"},
    "derived.lower_tent": {"vocabulary_size": "≥ 2"},
    "derived.lower_single_z": {"vocabulary_size": "≥ 2"},
    "derived.lower_linf_c3": {"vocabulary_size": "≥ 2"},
    "derived.lower_linf_chain": {"vocabulary_size": "≥ 3"},
    "derived.lower_threshold_window": {"vocabulary_size": "≥ 2"},
    "derived.lower_shared_logits": {"vocabulary_size": "≥ 2"},
    "derived.lower_margin": {"vocabulary_size": "≥ 2"},
    "derived.lower_logit_range": {"vocabulary_size": "≥ 2"},
    "derived.lower_softmax_exact": {"vocabulary_size": "≥ 2"},
    "derived.lower_softmax_margin": {"vocabulary_size": "≥ 2"},
    "derived.lower_two_layer": {"vocabulary_size": "≥ 2", "locality": "≥ 1", "heads": "≥ 2"},
    "derived.lower_softmax_locality": {"vocabulary_size": "≥ 2", "locality": "≥ 1", "heads": "≥ 2"},
    "derived.lower_softmax_range": {"vocabulary_size": "≥ 2", "locality": "≥ 1", "heads": "≥ 2"},
    "derived.lower_two_layer_argmax": {"vocabulary_size": "≥ 2", "heads": "≥ max(1, τ)"},
    "derived.lower_two_layer_argmax_margin": {"vocabulary_size": "≥ 4", "heads": "≥ 2"},
    "derived.no_bound_two_layer_argmax": {
        "vocabulary_size": "≥ 4",
        "locality": "≥ 1",
        "heads": "≥ 2",
    },
    "derived.lower_average": {"vocabulary_size": "= 2", "period": "≥ 2"},
    "derived.one_layer_average_two_tokens": {"vocabulary_size": "= 2"},
    "derived.lower_average_every_prior": {"vocabulary_size": "= 2"},
    "derived.lower_average_rare": {"vocabulary_size": "= 2", "period": "= 2", "heads": "≥ 2"},
    "derived.lower_average_class": {"vocabulary_size": "= 3"},
    "derived.lower_average_one_column": {"vocabulary_size": "= 2"},
    "derived.lower_average_softmax_one_column": {"vocabulary_size": "= 2"},
    "derived.lower_near_tie": {"vocabulary_size": "≥ 2"},
    "derived.lower_average_two_layer_argmax": {"vocabulary_size": "= 3", "locality": "≥ 1"},
    "derived.lower_average_softmax": {"vocabulary_size": "= 2"},
    "derived.lower_average_softmax_dirichlet": {"vocabulary_size": "= 2"},
    "derived.lower_average_two_layer": {"vocabulary_size": "= 3", "locality": "≥ 1"},
}
"""What the proofs in docs/theory.md need, written down once more."""


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_the_rules_are_those_of_the_proofs(entry):
    found = {quantity: rule.text for quantity, rule in entry.rules.items()}
    assert found == RESTRICTED.get(entry.key, {})
    assert RESTRICTED.keys() <= {other.key for other in SCOPED}


def test_lag_biases_logits_and_laws_are_those_of_the_proofs():
    def with_(name, value):
        return {t.key.removeprefix("derived.") for t in SCOPED if getattr(t.scope, name) == value}

    assert with_("lag_bias", "none") == {
        "one_layer_linf_shared_logits",
        "one_layer_linf_limit",
        "one_layer_softmax_no_bias",
        "one_layer_softmax_no_bias_columns",
    }
    assert with_("lag_bias", "first layer") == {
        "two_layer_softmax",
        "two_layer_softmax_periodic",
        "two_layer_softmax_balanced",
        "average_softmax_two_layer",
        "average_softmax_two_layer_markov",
        "lower_two_layer",
        "lower_softmax_locality",
        "lower_softmax_range",
        "lower_average_two_layer",
    }
    assert with_("logits", "shared") == {"one_layer_linf_shared_logits"}
    assert with_("precision", "common") == {"one_layer_linf_shared_logits"}
    assert with_("inputs", "exchangeable") == {
        "average_softmax",
        "average_softmax_euclidean",
    }
    assert with_("inputs", "mixed") == {"average_softmax_two_layer"}
    assert with_("inputs", "Markov") == {"average_softmax_two_layer_markov"}
    assert with_("inputs", "fixed") == {
        "one_layer_average_fixed",
        "average_two_layer_argmax_fixed",
        "lower_average_class",
        "lower_average_softmax",
    }
    assert with_("inputs", "Dirichlet") == {
        "izzo2025.4.2",
        "one_layer_average",
        "one_layer_average_nested",
        "one_layer_average_common_order",
        "one_layer_average_two_tokens",
        "average_softmax_dirichlet",
        "average_two_layer_argmax",
        "lower_average",
        "lower_average_one_column",
        "lower_average_every_prior",
        "lower_average_rare",
        "lower_average_softmax_dirichlet",
        "lower_average_softmax_one_column",
        "lower_average_two_layer",
        "lower_average_two_layer_argmax",
    }
    assert with_("ties", "near") == {
        "one_layer_linf_horizon",
        "one_layer_linf_positional",
        "one_layer_linf_heavy",
        "one_layer_linf_light",
        "lower_near_tie",
    }
    worst_case = {t.key for t in SCOPED if t.scope.inputs == "every input"}
    assert worst_case == {t.key for t in SCOPED if t.setting is None or t.setting.error == "linf"}


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_what_the_scope_allows_is_answered(entry):
    found = answer(entry, **point(entry))
    assert found.theorem is entry
    assert not {a.status for a in found.assumptions} & {"violated"}
    for text in (str(found), found.explain(), found._repr_html_()):
        assert text


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "quantity"), **entries([*product(SCOPED, QUANTITIES)]))
def test_every_value_of_every_quantity_is_allowed_or_refused(entry, quantity):
    rule = getattr(entry.scope, quantity)
    allowed, refused = 0, 0
    for value in range(0 if quantity == "locality" else 1, 6):
        given = point(entry, **{quantity: value})
        if entry.scope.lag_bias == "none" and quantity == "locality" and value:
            holds = False
        else:
            values = {**ONE, **given}
            holds = rule.holds(F(value), values)
        if holds:
            if entry.key == "derived.lower_limit" and value == 1:
                continue  # Δ ≥ 2 or |Σ| ≥ 2
            found = answer(entry, **given)
            assert (quantity in found.unused) == (quantity not in entry.reads)
            allowed += 1
            continue
        with pytest.raises(bounds.ParameterError) as caught:
            answer(entry, **given)
        assert rule.text in str(caught.value)
        # nor is it overlooked where other theorems are looked at
        if entry.setting is not None:
            elsewhere = _in_the_setting(entry, given)
            assert entry.key not in elsewhere
        refused += 1
    assert allowed
    restricts = rule is not ANY or (entry.scope.lag_bias == "none" and quantity == "locality")
    assert bool(refused) == restricts


def _in_the_setting(entry, given):
    """Keys of all theorems used for a setting."""
    cell = vars(entry.setting)
    names = {h.name for h in entry.hypotheses if h.name} - {"exact_ties"}
    try:
        found = bounds.required_length(**cell, assume=names, **given)
    except bounds.BoundsError:
        return set()
    both = (found, *found.alternatives, *found.necessary)
    return {other.theorem.key for other in both}


def test_a_rule_reads_other_quantities():
    entry = bounds.theorem("derived.lower_two_layer_argmax")
    for locality, heads in product(range(4), range(1, 5)):
        given = point(entry) | {"locality": locality, "heads": heads}
        if heads >= max(1, locality):
            assert answer(entry, **given).length >= 1
        else:
            with pytest.raises(bounds.ParameterError, match=r"H ≥ max\(1, τ\)"):
                answer(entry, **given)
    assert answer(entry, **point(entry) | {"locality": 3}).parameters["heads"] == 3


def test_rules_in_words_and_in_values():
    for rule, text, held, default in [
        (exactly(1), "= 1", {1}, 1),
        (at_least(6), "≥ 6", {6, 7}, 6),
    ]:
        assert rule.text == text
        assert {n for n in range(1, 8) if rule.holds(F(n), {})} == held
        assert rule.default({}) == default


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_a_rule_that_is_not_met_is_never_without_influence(entry):
    """Nothing that restricts is in `.unused`, where it is allowed either."""
    restrictive = set(entry.rules) | set(entry.parameters)
    if entry.scope.ties == "exact":
        restrictive.add("tie_tolerance")
    given = point(entry)
    rules = {k: rule.default({**ONE, **given}) for k, rule in entry.rules.items()}
    ties = {"tie_tolerance": 0} if entry.scope.ties == "exact" else {}
    found = answer(entry, **rules | given | ties)
    assert not set(found.unused) & restrictive


# Ties, precision, lag biases


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_a_tolerance_of_ties_is_a_hypothesis(entry):
    given = point(entry)
    if entry.scope.ties == "near":
        found = answer(entry, **given)
        assert found.theorem is entry
        assert not any("exact_ties" in a.text for a in found.assumptions)
        return
    assert answer(entry, **given, tie_tolerance=0).theorem is entry
    if entry.scope.ties == "no matter":
        assert answer(entry, **given, tie_tolerance="1/100").unused[-1] == "tie_tolerance"
        return
    with pytest.raises(bounds.ParameterError, match=r"κ = 0.*or assume=\{'exact_ties'\}"):
        answer(entry, **given, tie_tolerance="1/100")
    found = answer(entry, {"exact_ties"}, **given, tie_tolerance="1/100")
    (tie,) = [a for a in found.assumptions if "κ" in a.text]
    assert tie.status == "asserted"
    assert tie.text in found.explain()
    assert found.length == answer(entry, **given).length


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_finite_precision_is_refused_where_a_theorem_is_about_infinite(entry):
    bits = 60 if entry.key == "derived.lower_shared_logits" else 8  # it needs large ones
    given = point(entry) | {"precision_bits": bits}
    if entry.scope.precision == "infinite":
        with pytest.raises(bounds.ParameterError, match=r"precision_bits: got .* infinite"):
            answer(entry, **given)
    else:
        assert answer(entry, **given).theorem is entry
    softmax = entry.setting is not None and entry.setting.attention == "softmax"
    assert softmax == (entry.scope.precision == "infinite")


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("error", ["linf", "average"])
def test_what_no_theorem_of_a_cell_covers_is_refused_in_the_cell(error, layers):
    given = ONE | {"alpha_total": 4, "period": 1}
    for name in ("class_probability", "gram_probability", "spectral_gap", "stationary_min"):
        given.pop(name)
    given.pop("depth_constants")  # they are those of two layers
    with pytest.raises(bounds.ParameterError, match="infinite precision"):
        bounds.required_length(error=error, attention="softmax", layers=layers, **given)


# Laws of the inputs

DIRICHLET, FIXED, MARKOV = "Dirichlet", "fixed", "Markov"
COVERED = {
    "every input": {DIRICHLET, FIXED, MARKOV},
    "exchangeable": {DIRICHLET, FIXED},
    "mixed": {DIRICHLET, FIXED},
    "Dirichlet": {DIRICHLET},
    "fixed": {FIXED},
    "Markov": {MARKOV},
}
SAID = [
    (DIRICHLET, {"alpha_min": 1}, ()),
    (DIRICHLET, {"alpha_total": 4}, ()),
    (DIRICHLET, {"alpha_class": 1}, ()),
    (FIXED, {"class_probability": "1/4"}, ()),
    (FIXED, {"gram_probability": "1/4"}, ()),
    (MARKOV, {"spectral_gap": "1/2"}, ()),
    (MARKOV, {"stationary_min": "1/4"}, ()),
    (MARKOV, {}, {"markov_inputs"}),
]


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
@pytest.mark.parametrize(
    ("law", "more", "assume"),
    SAID,
    ids=[next(iter({**more, **dict.fromkeys(a)})) for _, more, a in SAID],
)
def test_every_law_is_covered_or_refused(entry, law, more, assume):
    given = {**more, **point(entry)}
    if "alpha_total" in more:  # as large as the least alphabet needs
        rule = entry.scope.vocabulary_size
        given["alpha_total"] = 4 if rule is ANY else rule.default(ONE)
    own = {law_ for law_, said, _ in SAID if set(said) & set(point(entry))}
    assert len(own) <= 1
    if law in COVERED[entry.scope.inputs] and own <= {law}:
        found = answer(entry, assume, **given)
        assert found.theorem is entry
        assert set(more) <= set(found.unused) | set(entry.parameters)
        return
    with pytest.raises(bounds.ParameterError, match=r": needs (tokens|inputs)|inputs have one law"):
        answer(entry, assume, **given)


@pytest.mark.parametrize(
    ("first", "second"),
    [(a, b) for a, b in product(SAID, SAID) if a[0] < b[0]],
    ids=lambda said: next(iter({**said[1], **dict.fromkeys(said[2])})),
)
def test_inputs_have_one_law(first, second):
    more, assume = {**first[1], **second[1]}, {*first[2], *second[2]}
    with pytest.raises(bounds.ParameterError, match="inputs have one law") as caught:
        answer(bounds.theorem("derived.one_layer_linf"), assume, **more)
    assert first[0] in str(caught.value)
    assert second[0] in str(caught.value)


# Contradictions

CONTRADICTORY = [
    ({"locality": 1}, {"no_lag_bias"}, "locality", "0, as assume={'no_lag_bias'}"),
    ({"positional_margin": "3/2"}, {"no_lag_bias"}, "positional_margin", "at most 1"),
    (
        {"alpha_min": 1, "alpha_total": 3, "vocabulary_size": 4},
        (),
        "alpha_total",
        "vocabulary_size · alpha_min = 4",
    ),
    ({"alpha_min": 2, "alpha_total": 1}, (), "alpha_total", "at least alpha_min = 2"),
    ({"alpha_min": 2, "alpha_class": 1}, (), "alpha_class", "at least alpha_min = 2"),
    ({"alpha_class": 3, "alpha_total": 2}, (), "alpha_class", "at most alpha_total = 2"),
    ({"stationary_min": "2/5", "vocabulary_size": 3}, (), "stationary_min", "at most 1/3"),
    ({"largest_gap": "1/4", "margin": "1/2"}, (), "margin", "at most largest_gap = 1/4"),
    ({"states": 5, "path_states": 4}, (), "path_states", "at least states = 5"),
    ({"alpha_min": 1, "class_probability": "1/4"}, (), "alpha_min", "inputs have one law"),
    ({"alpha_min": 1}, {"markov_inputs"}, "alpha_min", "inputs have one law"),
]
AT_THE_EDGE = [
    ({"locality": 0, "positional_margin": 1}, {"no_lag_bias"}),
    ({"alpha_min": 1, "alpha_total": 4, "vocabulary_size": 4}, ()),
    ({"alpha_min": 2, "alpha_total": 2, "alpha_class": 2}, ()),
    ({"stationary_min": "1/3", "vocabulary_size": 3}, ()),
    ({"largest_gap": "1/2", "margin": "1/2"}, ()),
    ({"largest_gap": 0, "margin": 8}, ()),  # no two logits differ: the margin is any number
    ({"states": 5, "path_states": 5}, ()),
    ({"spectral_gap": "1/2", "stationary_min": "1/4"}, {"markov_inputs"}),
]


@pytest.mark.parametrize(
    ("given", "assume", "name", "allowed"), CONTRADICTORY, ids=[c[3] for c in CONTRADICTORY]
)
def test_what_cannot_be_true_together_is_refused_by_every_entry(given, assume, name, allowed):
    for entry in bounds.theorems():
        with pytest.raises(bounds.ParameterError) as caught:
            answer(entry, assume, **given)
        (problem,) = caught.value.problems
        assert problem.name == name
        assert allowed in problem.allowed
        assert problem.given == F(str(given[name]))
    for cell in product(("linf", "average"), ("argmax", "softmax"), (1, 2)):
        setting = dict(zip(("error", "attention", "layers"), cell, strict=True))
        with pytest.raises(bounds.ParameterError) as caught:
            bounds.required_length(**setting, assume=assume, **given)
        assert [problem.name for problem in caught.value.problems] == [name]


@pytest.mark.parametrize(("given", "assume"), AT_THE_EDGE)
def test_what_is_just_possible_is_not_refused(given, assume):
    exact = {k: BY_KEYWORD[k].read(v) for k, v in given.items()}
    assert contradictions(exact, assume) == []


def test_all_contradictions_are_named_at_once():
    given = {"locality": 1, "states": 5, "path_states": 4, "margin": 1, "largest_gap": "1/2"}
    with pytest.raises(bounds.ParameterError) as caught:
        answer(bounds.theorem("izzo2025.4.1"), {"no_lag_bias"}, **given)
    assert {p.name for p in caught.value.problems} == {"locality", "path_states", "margin"}


def test_a_prior_with_too_little_mass_erred_on_the_unsafe_side():
    given = point(bounds.theorem("derived.average_two_layer_argmax"))
    for total in (given["vocabulary_size"] - F(1, 10**9), F(1)):
        with pytest.raises(bounds.ParameterError, match="alpha_total"):
            answer(
                bounds.theorem("derived.average_two_layer_argmax"), **given | {"alpha_total": total}
            )


def test_sweeps_keep_contradictory_combinations_as_rows_with_a_note():
    table = bounds.sweep(
        error="average",
        attention="argmax",
        layers=1,
        epsilon="1/10",
        lipschitz_euclidean=1,
        vocabulary_size=[2, 4],
        period=1,
        locality=1,
        precision_bits=4,
        margin=1,
        alpha_min=[1, 2],
        alpha_total=[4, 8],
    )
    assert len(table) == 8
    for row in table:
        possible = row["alpha_total"] >= row["vocabulary_size"] * row["alpha_min"]
        assert (row["length"] is not None) == possible
        assert ("alpha_total" in row["note"]) == (not possible)
        if possible:
            assert row["status"] == "PROVED"
    asserted = bounds.sweep(
        error="linf",
        attention="argmax",
        layers=1,
        assume={"no_lag_bias"},
        locality=[0, 1],
        **{k: str(ONE[k]) for k in ("epsilon", "lipschitz", "vocabulary_size", "period")},
        precision_bits=4,
        margin=1,
    )
    assert [bool(row["note"]) for row in asserted] == [False, True]
    assert "no_lag_bias" in asserted[1]["note"]


# What is asserted of the models, against the pairs behind necessary lengths

SURVIVES = {
    "derived.lower_presence": {
        "no_lag_bias",
        "shared_logits",
        "limit_regime",
        "positional_attention",
        "heavy",
    },
    "derived.lower_tent": {
        "no_lag_bias",
        "shared_logits",
        "limit_regime",
        "positional_attention",
        "heavy",
    },
    "derived.lower_near_tie": {"no_lag_bias", "positional_attention", "heavy"},
    "derived.lower_average_two_layer_argmax": {
        "suffix_only_first_layer",
        "finite_state_first_layer",
    },
    "derived.lower_linf_c3": {"no_lag_bias", "limit_regime"},
    "derived.lower_linf_chain": {"no_lag_bias", "limit_regime"},
    "derived.lower_threshold": {"limit_regime", "positional_attention", "heavy"},
    "derived.lower_threshold_window": {"no_lag_bias"},
    "derived.lower_limit": {"no_lag_bias", "limit_regime"},
    "derived.lower_shared_logits": {"no_lag_bias", "shared_logits"},
    "derived.lower_average": {"no_lag_bias"},
    "derived.lower_average_every_prior": {"no_lag_bias"},
    "derived.lower_average_rare": {"no_lag_bias"},
    "derived.lower_average_class": {
        "no_lag_bias",
        "shared_logits",
        "laminar_classes",
        "common_order",
    },
    "derived.lower_average_one_column": {
        "no_lag_bias",
        "shared_logits",
        "laminar_classes",
        "common_order",
    },
    "derived.lower_average_softmax_one_column": {"no_lag_bias", "shared_logits"},
    "derived.lower_average_softmax_dirichlet": {"no_lag_bias"},
    "derived.lower_softmax_exact": {"no_lag_bias", "shared_logits"},
    "derived.lower_softmax_margin": {"shared_logits"},
    "derived.lower_two_layer_argmax": {"suffix_only_first_layer", "finite_state_first_layer"},
    "derived.lower_two_layer_argmax_margin": {"no_lag_bias"},
}


@pytest.mark.parametrize(("entry", "name"), **entries([*product(NECESSARY, MODELS)]))
def test_a_restriction_of_the_models_excludes_the_pair_unless_it_survives(entry, name):
    given = point(entry)
    if name == "no_lag_bias":
        given |= {"locality": F(0)} if "locality" in given else {}
    if name in SURVIVES.get(entry.key, ()):
        assert answer(entry, {name}, **given).theorem is entry
        return
    with pytest.raises(bounds.ParameterError, match=f"excludes the pair behind {entry.key}") as e:
        answer(entry, {name}, **given)
    assert name in [problem.given for problem in e.value.problems]


def test_names_that_restrict_the_models():
    assert restrictions() == set(MODELS)
    assert {
        "no_lag_bias",
        "shared_logits",
        "suffix_only_first_layer",
        "finite_state_first_layer",
        "generic_first_layer",
        "laminar_classes",
        "common_order",
        "limit_regime",
        "lipschitz_from_weights",
        "positional_attention",
        "heavy",
        "all_light",
    } == set(MODELS)


@pytest.mark.parametrize(
    ("key", "pair"),
    [
        ("presence", witnesses.own_share(12, 0, "0.999", 2, 3)),
        ("tent", witnesses.tents(20, "1.1", 3, 2)),
        ("linf_c3", witnesses.nested_classes(8, 1, 3)),
        ("softmax_exact", witnesses.last_token(5, 1, "1/2", 1)),
        ("threshold_window", witnesses.threshold_window(4, "1/2", 2)),
        ("limit", witnesses.limit_residues(10, 1, 2, 12, "1/2")),
        ("limit", witnesses.limit_one_residue(20, 1, 3, 8, "1/2")),
        ("limit", witnesses.limit_shares(20, 1, 3, 8, "1/2")),
        ("shared_logits", witnesses.shared_logits(1, "1/10", "3/10", 8, "1/2")),
        ("average", witnesses.ring(100)),
        ("average_softmax_dirichlet", witnesses.rare_token(20, "1/2", 1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pairs_have_what_they_are_said_to_survive(key, pair):
    survives = bounds.theorem(f"derived.lower_{key}").survives
    heads = [head for model in (pair.f, pair.g) for layer in model.layers for head in layer.heads]
    if "no_lag_bias" in survives:
        assert all(not np.any(head.lag_bias) for head in heads)
    if "shared_logits" in survives:
        first, second = (model.layers[0].heads for model in (pair.f, pair.g))
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one.query_key, other.query_key)
        assert np.array_equal(pair.f.embedding, pair.g.embedding)
        assert np.array_equal(pair.f.positions, pair.g.positions)
        assert pair.f.precision_bits == pair.g.precision_bits
    assert "no_lag_bias" in survives  # of every pair here


def test_the_pair_of_the_threshold_has_a_lag_bias():
    pair = witnesses.threshold_residues(3, 6, "3/4", 2)
    assert any(np.any(head.lag_bias) for head in pair.f.layers[0].heads)
    assert "no_lag_bias" not in bounds.theorem(pair.key).survives


# Defaults


def said_of_itself(text):
    """Whether an answer names defaults of its own, not of the necessary lengths beside it."""
    own = text.split("Necessary all the same")[0].split("necessary</th>")[0]
    return "default" in own


@pytest.mark.parametrize("entry", SCOPED, ids=by_key)
def test_defaults_are_said(entry):
    given = {k: v for k, v in point(entry).items() if k not in entry.defaults}
    given = {k: v for k, v in given.items() if k not in entry.rules}
    missing = [k for k, rule in entry.rules.items() if k not in entry.parameters]
    given |= {k: point(entry)[k] for k in entry.rules if k in entry.parameters}
    given = {k: v for k, v in given.items() if k not in entry.defaults}
    found = answer(entry, **given)
    taken = set(entry.defaults) | set(missing)
    if "target" in entry.parameters:
        taken.add("target")
    assert set(found.defaults) == taken
    if not entry.choices:  # the power of a mass in steps of 2^-20 is long for SymPy
        assert found.to_dict()["defaults"] == list(found.defaults)
    said = taken - {"constant", "tie_tolerance", "horizon"}
    for text in (str(found), found.explain(), found._repr_html_()):
        shown = text.replace("&#x27;", "'")
        assert said_of_itself(shown) == bool(said)
        for keyword in said:
            value = bounds.numbers.brief(found.parameters[keyword])
            value = f"3 ε = {value}" if keyword == "target" else value
            assert f"{keyword} = {value}" in shown
    assert set(found.defaults) <= set(found.parameters)
    again = answer(entry, **given | {k: found.parameters[k] for k in found.defaults})
    assert again.defaults == ()
    assert "default" not in str(again)
    assert (again.length, again.log2_length) == (found.length, found.log2_length)


def test_the_number_of_heads_is_said_as_the_power_depends_on_it():
    entry = bounds.theorem("derived.one_layer_linf")
    given = {k: v for k, v in point(entry).items() if k != "heads"} | {"epsilon": F(1, 10**9)}
    one = answer(entry, **given)
    assert "heads = 1" in str(one)
    two = answer(entry, **given, heads=2)
    assert "heads" not in str(two)
    assert two.log2_length > 1.9 * one.log2_length


# Single decisions


def test_pairs_of_two_softmax_layers_need_room_for_their_constants():
    """A class with smaller constants does not contain them: C below theirs, L below 3/2."""
    asked = {
        "derived.lower_two_layer": {"target": "1/100"},
        "derived.lower_softmax_locality": {
            "target": "1/2000",
            "vocabulary_size": 2,
            "locality": 1,
        },
        "derived.lower_softmax_range": {"target": "1/100", "logit_range_last": 0},
    }
    for key, given in asked.items():
        free = bounds.required_length(theorem=key, epsilon=0, **given).length
        for name in ("complexity_balanced", "complexity_periodic"):
            for more in ({}, {"block": 4}, {"period": 2}):
                with pytest.raises(bounds.ParameterError, match="at least that of the pair"):
                    bounds.required_length(theorem=key, epsilon=0, **given, **more, **{name: 50})
                found = bounds.required_length(
                    theorem=key, epsilon=0, **given, **more, **{name: 10**4}
                )
                assert found.length == free
    two_layer = {"theorem": "derived.lower_two_layer", "epsilon": 0, "target": "1/100"}
    with pytest.raises(bounds.ParameterError, match="at least 3/2"):
        bounds.required_length(**two_layer, lipschitz="149/100")
    assert bounds.required_length(**two_layer, lipschitz="3/2").length == 400


def test_small_targets_only_for_two_softmax_layers():
    windows = {"theorem": "derived.lower_softmax_locality", "epsilon": 0, "locality": 1}
    for size, margin, least in ((2, 1, 1200), (100, 1, 1200), (10, 2, 1200), (100, 2, 12000)):
        given = windows | {"vocabulary_size": size, "positional_margin": margin, "lipschitz": 3}
        with pytest.raises(bounds.ParameterError, match="1200·target < L"):
            bounds.required_length(**given, target=F(3, least))
        target = F(3, least) - F(1, 10**9)
        found = bounds.required_length(**given, target=target).length
        assert found == -(-size * 9 // (500 * target**2))
    changes = {"theorem": "derived.lower_softmax_range", "epsilon": 0, "logit_range_last": 1}
    with pytest.raises(bounds.ParameterError, match="32·target < L"):
        bounds.required_length(**changes, target="1/32")
    assert bounds.required_length(**changes, target="1/33").length == 297  # e·33²/10 = 296.02


def test_average_softmax_refuses_positions():
    """Embedding 0, positions 1 and 0 against 0 and 0: equal at T = 1, apart by 1 at T = 2."""
    for layers in (1, 2):
        given = ONE | {"period": 2, "alpha_total": 4}
        for name in (
            *("class_probability", "gram_probability", "precision_bits"),
            *("spectral_gap", "stationary_min", "depth_constants"),
        ):
            given.pop(name)
        cell = {"error": "average", "attention": "softmax", "layers": layers}
        with pytest.raises(bounds.ParameterError, match="Δ = 1"):
            bounds.required_length(**cell, **given)
        assert bounds.required_length(**cell, **given | {"period": 1}).length > 0
    for key in ("", "_euclidean", "_dirichlet", "_two_layer", "_two_layer_markov"):
        entry = bounds.theorem(f"derived.average_softmax{key}")
        with pytest.raises(bounds.ParameterError, match="Δ = 1"):
            answer(entry, **point(entry) | {"period": 2})


def test_shared_logits_means_the_same_precision_too():
    entry = bounds.theorem("derived.one_layer_linf_shared_logits")
    assert entry.scope.precision == "common"
    (shared,) = [h for h in entry.hypotheses if h.name == "shared_logits"]
    assert "same precision p" in shared.text


def test_measured_states_cannot_exceed_those_of_a_path():
    entry = bounds.theorem("derived.two_layer_argmax")
    with pytest.raises(bounds.ParameterError, match="path_states"):
        answer(entry, **point(entry) | {"states": 4, "path_states": 3})


@pytest.mark.parametrize(
    ("key", "reads", "not_read"),
    [
        ("one_layer_average", "lipschitz_euclidean", "lipschitz"),
        ("one_layer_average_fixed", "lipschitz_euclidean", "lipschitz"),
        ("average_two_layer_argmax", "lipschitz_euclidean", "lipschitz"),
        ("average_two_layer_argmax_fixed", "lipschitz_euclidean", "lipschitz"),
        ("average_two_layer_argmax_fixed", "gram_probability", "class_probability"),
        ("one_layer_average_fixed", "class_probability", "gram_probability"),
        ("one_layer_average_nested", "lipschitz", "lipschitz_euclidean"),
        ("average_softmax", "lipschitz", "lipschitz_euclidean"),
        ("average_softmax_euclidean", "lipschitz_euclidean", "lipschitz"),
        ("two_layer_softmax", "complexity_balanced", "complexity"),
        ("two_layer_softmax_periodic", "complexity_periodic", "complexity_balanced"),
        ("average_softmax_two_layer", "complexity_average", "complexity"),
        ("average_softmax_two_layer_markov", "complexity_average", "complexity_balanced"),
        ("simulation", "lipschitz_histogram", "lipschitz"),
        ("simulation", "averages_error", "epsilon"),
    ],
)
def test_one_keyword_has_one_meaning(key, reads, not_read):
    """The number of another quantity is no substitute."""
    entry = bounds.theorem(f"derived.{key}")
    assert reads in entry.reads
    assert not_read not in entry.reads
    assert reads in entry.exponents
    assert not_read not in entry.exponents
    other = {not_read: 1}
    with pytest.raises(bounds.ParameterError, match=f"{reads}: missing"):
        answer(entry, **other)


def test_the_total_variation_constant_does_not_stand_in_for_the_euclidean():
    """f = Σ relu(share − 1/K), uniform law: L = 1 for every K, and Λ = √K/2 or so."""
    entry = bounds.theorem("derived.one_layer_average_fixed")
    given = point(entry) | {"epsilon": F(1, 10), "class_probability": 1, "period": 1, "locality": 0}
    given["margin"] = 8
    lengths = [answer(entry, **given | {"lipschitz_euclidean": F(800) * k}).length for k in (1, 2)]
    assert lengths[1] > 3.9 * lengths[0]
    given = {k: v for k, v in given.items() if k != "lipschitz_euclidean"}
    with pytest.raises(bounds.ParameterError, match="lipschitz_euclidean: missing"):
        answer(entry, **given, lipschitz=1)


def test_dirichlet_softmax_takes_the_euclidean_constant_where_no_other_is_given():
    entry = bounds.theorem("derived.average_softmax_dirichlet")
    given = point(entry) | {"lipschitz_euclidean": 3}
    del given["lipschitz"]
    found = answer(entry, **given)
    assert found.parameters["lipschitz"] == 3
    assert "lipschitz" in found.defaults
    smaller = answer(entry, **given, lipschitz=1)
    assert smaller.length <= found.length
    assert answer(entry, **given, lipschitz=3).length == found.length


def test_the_power_of_the_locality_for_a_fixed_law():
    entry = bounds.theorem("derived.average_two_layer_argmax_fixed")
    assert entry.exponent("locality") == 1
    far = point(entry) | {"epsilon": F(1), "lipschitz_euclidean": F(2), "margin": F(8)}
    logs = [answer(entry, **far | {"locality": 2**k}).log2_length for k in (30, 40)]
    assert (logs[1] - logs[0]) / 10 == pytest.approx(1, abs=1e-3)
