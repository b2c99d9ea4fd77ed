"""Pairs and questions that once got a false number, asked again through the public API."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import bounds
import verify
from verify import FixedLaw, Head, Layer, LimitTransformer
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN

from .strings import StringTruth, outputs
from .two_layer_constants import two_layer_constants
from .wide import deviation

GUARANTEES = ("PROVED", "TOO_LARGE")


def guarantees(**question):
    """Return key → length of everything that is claimed, whether or not a theorem is named."""
    found = {}
    keys = [
        t.key
        for t in bounds.theorems()
        if str(t.direction) == "sufficient" and t.constants == "proved" and t.setting
    ]
    for key in (None, *keys):
        try:
            best = bounds.required_length(**({"theorem": key} if key else {}), **question)
        except bounds.BoundsError:
            continue
        for bound in (best, *best.alternatives):
            if bound.status.name in GUARANTEES and str(bound.direction) == "sufficient":
                found[bound.theorem.key] = bound.length
    return found


def zeros(*shape):
    return np.zeros(shape)


@pytest.mark.parametrize("layers", [1, 2])
def test_average_softmax_does_not_overlook_positions(layers):
    head = Layer((Head(zeros(1, 1), zeros(1, 1), zeros(1)),))
    f, g = (
        LimitTransformer(zeros(1, 1), rows, (head,) * layers, [[1.0]], None)
        for rows in ([[1.0], [0.0]], [[0.0], [0.0]])
    )
    law = FixedLaw([1])
    assert StringTruth(f, g, laws=(law,)).averages[0].exact[:2] == (0.0, 1.0)
    parameters = verify.measure(f, g).parameters()
    found = guarantees(error="average", epsilon="1/10", **parameters)
    assert all(length >= 2 for length in found.values()), found


def test_the_built_in_periodic_pair_gets_no_average_length_for_models_without_positions():
    pair = SOFTMAX_BUILT_IN["softmax-2-periodic"]()
    parameters = verify.measure(pair.f, pair.g).parameters()
    assert parameters["period"] > 1
    assert not guarantees(error="average", epsilon="1/10", **parameters)


def test_average_theorems_read_the_euclidean_constant():
    """The TV constant of Σ_σ relu(p̂_σ − 1/|Σ|) is 2 for every |Σ|; Λ grows like √|Σ|."""
    lengths = []
    for tokens in (16, 64):
        parameters = verify.measure(deviation(tokens)).parameters()
        assert parameters["lipschitz"] == 2
        # From half of the tokens to the other: |Σ|/2 neurons on, a step of length √2.
        assert parameters["lipschitz_euclidean"] >= (tokens / 2) ** 0.5
        bound = bounds.required_length(
            error="average", epsilon="1/10", class_probability=1, **parameters
        )
        lengths.append(bound.length)
    assert lengths[1] >= 3 * lengths[0]
    only_tv = {k: v for k, v in parameters.items() if k != "lipschitz_euclidean"}
    with pytest.raises(bounds.ParameterError, match="lipschitz_euclidean"):
        bounds.required_length(
            theorem="derived.one_layer_average_fixed",
            epsilon="1/10",
            class_probability=1,
            **only_tv,
        )


def changing_query() -> LimitTransformer:
    """Δ = τ = p = 1, γ = 1/10: a flag that needs the query's own share to be 1, from 2^10 on."""
    d = 5  # own token 1, read token 1, read token 0 before, constant, output
    embedding = zeros(2, d)
    embedding[:, 3] = embedding[1, 0] = 1.0
    own, before = zeros(d, d), zeros(d, d)
    own[1, 0] = 1.0
    before[2, 3], before[2, 0] = 1.0, -1.0
    heads = (
        Head(zeros(d, d), own, np.array([2.0, 1.9])),
        Head(zeros(d, d), before, np.array([0.0, 2.0])),
    )
    reads, writes = zeros(1, d), zeros(d, 1)
    reads[0, :3], writes[4, 0] = 1.0, 400.0
    first = Layer(heads, reads, [-2.9], writes)
    second = Layer((Head(zeros(d, d), zeros(d, d), zeros(2)),))
    readout = zeros(1, d)
    readout[0, 4] = 1.0
    return LimitTransformer(embedding, zeros(1, d), (first, second), readout, 1)


@pytest.mark.slow
def test_two_argmax_layers_keep_the_threshold_where_simulation_is_trivial():
    f = changing_query()
    g = replace(f, unembedding=zeros(1, 5))
    x = np.zeros((1, 1024), dtype=int)
    x[0, -1] = 1
    assert max(StringTruth(f, g, budget=3000).linf.exact) == 0
    assert outputs(f, x[:, 1:]).max() == 0
    assert outputs(f, x).max() > 39
    constants = two_layer_constants((f, g), 3)
    assert constants["lipschitz_euclidean"] == 0
    assert abs(constants["margin"] - Fraction(1, 10)) < Fraction(1, 1000)
    for law in ({"gram_probability": "1/4"}, {"alpha_min": 1, "alpha_total": 2}):
        found = guarantees(
            error="average", epsilon="1/10", assume={"suffix_only_first_layer"}, **constants, **law
        )
        assert found
        assert all(length >= 1024 for length in found.values()), found


def test_shared_logits_mean_the_same_precision():
    # Coordinates: 1, token 0, its share.
    embedding = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    query_key, value = zeros(3, 3), zeros(3, 3)
    query_key[1, 0] = 0.5
    value[2, 1] = 1.0
    layer = Layer((Head(query_key, value, zeros(1)),))
    f, g = (
        LimitTransformer(embedding, zeros(1, 3), (layer,), [[0.0, 0.0, 1.0]], bits)
        for bits in (4, 20)
    )
    early, late = ([0] + [1] * n for n in (254, 255))
    assert f(early) == g(early)
    assert abs(f(late) - g(late)) > 0.9
    constants = verify.measure(f, g)
    assert "no_lag_bias" in constants.assume
    assert "shared_logits" not in constants.assume
    found = guarantees(
        error="linf",
        epsilon="1e-6",
        target="2/3",
        assume=constants.assume,
        **constants.parameters(),
    )
    assert found
    assert all(length >= 256 for length in found.values()), found
    same = verify.measure(f, replace(f, unembedding=2 * f.unembedding))
    assert "shared_logits" in same.assume


def test_states_alone_do_not_say_how_many_are_on_a_path():
    question = {
        "theorem": "derived.two_layer_argmax",
        "epsilon": "1/10",
        "lipschitz": 0,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 0,
        "precision_bits": 1,
        "margin": 1,
    }
    with pytest.raises(bounds.ParameterError, match="path_states"):
        bounds.required_length(states=1, **question)
    with pytest.raises(bounds.ParameterError, match="states"):
        bounds.required_length(path_states=101, **question)
    assert bounds.required_length(states=1, path_states=101, **question).length >= 100


def test_necessary_lengths_ask_for_what_their_pairs_need():
    for wrong in ({"locality": 0, "heads": 2}, {"locality": 1, "heads": 1}):
        with pytest.raises(bounds.ParameterError):
            bounds.required_length(
                theorem="derived.lower_two_layer", epsilon="1/1000", target="1/100", **wrong
            )
    with pytest.raises(bounds.ParameterError):
        bounds.required_length(
            theorem="derived.lower_two_layer_argmax",
            epsilon=0,
            target="1/100",
            lipschitz=1,
            vocabulary_size=2,
            locality=2,
            heads=1,
        )


def test_an_asymptotic_constant_is_not_called_proved():
    """Nothing finite is proved below L = 11430 targets, where 15 was once given."""
    with pytest.raises(bounds.ParameterError, match="11430"):
        bounds.required_length(
            theorem="derived.lower_average_two_layer", epsilon=1, lipschitz=30_000
        )


@pytest.mark.parametrize(
    "given", [{"precision_bits": 4, "margin": 1}, {"margin": 1, "period": 2, "locality": 1}]
)
def test_no_computable_bound_is_said_only_where_it_is_proved(given):
    bound = bounds.required_length(
        error="linf", attention="argmax", layers=2, epsilon="1/10", lipschitz=1, **given
    )
    assert bound.status.name == "UNKNOWN"
    assert bound.length is None


_TWO_LAYERS = {
    "epsilon": "1/100",
    "lipschitz": 1,
    "vocabulary_size": 4,
    "period": 1,
    "locality": 1,
    "heads": 2,
    "precision_bits": 4,
}


@pytest.mark.parametrize(
    "more",
    [
        {"target": 1000},
        {"target": "1/7"},
        {"lipschitz": 0},
        {"states": 3, "path_states": 4},
        {"horizon": 10},
        {"largest_gap": "1/2"},
        {"margin": 1},
    ],
    ids=lambda more: next(iter(more)),
)
def test_no_computable_bound_is_not_said_of_smaller_classes(more):
    """Above L/7, up to a horizon, for finitely many states: Theorem C6′ proves nothing."""
    given = {**_TWO_LAYERS, **more}
    bound = bounds.required_length(error="linf", attention="argmax", layers=2, **given)
    assert bound.status.name == "UNKNOWN"
    with pytest.raises(bounds.ParameterError):
        bounds.required_length(theorem="derived.no_bound_two_layer_argmax", **given)


def test_no_computable_bound_is_said_below_a_seventh_of_the_lipschitz_constant():
    bound = bounds.required_length(error="linf", attention="argmax", layers=2, **_TWO_LAYERS)
    assert bound.status.name == "NOT_COMPUTABLE"


_SMALLER_CLASSES = {
    "derived.lower_two_layer_argmax": (
        "states",
        {
            "epsilon": "1/100",
            "lipschitz": 1,
            "vocabulary_size": 1000,
            "period": 1,
            "locality": 1,
            "heads": 1,
            "precision_bits": 1,
            "margin": 4,
            "states": 1,
            "path_states": 1,
            "assume": {"finite_state_first_layer"},
        },
    ),
    "derived.lower_near_tie": (
        "assume",
        {
            "epsilon": "1/100",
            "lipschitz": 100,
            "vocabulary_size": 2,
            "period": 1,
            "locality": 0,
            "heads": 1,
            "precision_bits": 8,
            "margin": 1,
            "tie_tolerance": "1/100",
            "horizon": 2**50,
            "assume": {"exact_ties"},
        },
    ),
    "derived.lower_linf_c3": (
        "horizon",
        {
            "epsilon": "1/1000",
            "lipschitz": 1,
            "vocabulary_size": 8,
            "period": 1,
            "locality": 0,
            "heads": 1,
            "precision_bits": 8,
            "margin": 1,
            "horizon": 100,
        },
    ),
}


@pytest.mark.parametrize("key", _SMALLER_CLASSES)
def test_what_excludes_the_pair_is_refused_by_a_necessary_length(key):
    """Each was a necessary length above a sufficient one for the same input."""
    name, given = _SMALLER_CLASSES[key]
    with pytest.raises(bounds.ParameterError) as refused:
        bounds.required_length(theorem=key, **given)
    assert name in {problem.name for problem in refused.value.problems}


def test_uniform_attention_is_no_class_of_the_pair_with_large_gaps():
    with pytest.raises(bounds.ParameterError, match="largest_gap"):
        bounds.required_length(
            theorem="derived.lower_linf_c3",
            epsilon="1/1000",
            lipschitz=1,
            vocabulary_size=8,
            period=1,
            largest_gap=0,
        )


def test_a_searched_length_is_no_formula():
    """At ε = 1/10 the search gives 352; as a formula it said 352 at ε = 1/25 too, not 3281."""
    given = {
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 0,
        "precision_bits": 4,
        "margin": 1,
        "tie_tolerance": "1/100",
        "horizon": 2**20,
        "theorem": "derived.one_layer_linf_horizon",
    }
    assert bounds.required_length(epsilon="1/10", **given).expression is None
    exact = bounds.required_length(epsilon="1/10", **{**given, "tie_tolerance": 0})
    elsewhere = bounds.required_length(epsilon="1/25", **{**given, "tie_tolerance": 0})
    values = {bounds.symbols[k]: elsewhere.parameters[k] for k in elsewhere.theorem.parameters}
    assert exact.expression.subs(values) >= elsewhere.length


def test_a_suffix_class_is_lag_and_value():
    """Attention stays on lag 1, whatever the token: the output changes by 1 all the same."""
    value = zeros(3, 3)
    value[2, 1] = 1.0
    embedding = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    layer = Layer((Head(zeros(3, 3), value, np.array([0.0, 8.0])),))
    f = LimitTransformer(embedding, zeros(1, 3), (layer,), [[0.0, 0.0, 1.0]], 4)
    assert abs(f([0, 0, 1, 0]) - f([0, 1, 0, 0])) == 1
    assert verify.measure(f).lipschitz >= 1


def test_a_tolerance_is_about_another_model_and_says_so():
    question = {
        "theorem": "derived.one_layer_linf",
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 3,
        "period": 1,
        "locality": 0,
        "heads": 1,
        "precision_bits": 8,
        "margin": 1,
        "tie_tolerance": "1/1000",
    }
    with pytest.raises(bounds.ParameterError, match="exact_ties"):
        bounds.required_length(**question)
    bound = bounds.required_length(assume={"exact_ties"}, **question)
    assert any(a.status == "asserted" and "κ" in a.text for a in bound.assumptions)


def test_measured_constants_with_near_ties_carry_the_horizon():
    query_key = zeros(2, 2)
    query_key[1, 0] = 2.0**-12  # tokens 0 and 1 differ by that much; training leaves such ties
    layer = Layer((Head(query_key, np.eye(2), zeros(1)),))
    f = LimitTransformer([[1.0, 0.0], [1.0, 1.0]], zeros(1, 2), (layer,), [[0.0, 1.0]], 8)
    near = verify.measure(f, horizon=2**20)
    parameters = near.parameters()
    assert (parameters["tie_tolerance"], parameters["horizon"]) == (Fraction(1, 2**12), 2**20)
    with pytest.raises(bounds.ParameterError):
        bounds.required_length(theorem="derived.one_layer_linf", epsilon="1/10", **parameters)
    bound = bounds.required_length(error="linf", epsilon="1/10", assume=near.assume, **parameters)
    assert bound.length < 100
    assert "up to T*" in bound.conclusion


def test_contradictions_are_refused():
    model = {
        "lipschitz": 1,
        "lipschitz_euclidean": 1,
        "vocabulary_size": 3,
        "period": 1,
        "heads": 1,
        "precision_bits": 8,
        "margin": 1,
        "epsilon": "1/10",
        "attention": "argmax",
        "layers": 1,
    }
    with pytest.raises(bounds.ParameterError, match="alpha_total"):
        bounds.required_length(error="average", locality=0, alpha_min=1, alpha_total=2, **model)
    with pytest.raises(bounds.ParameterError, match="locality"):
        bounds.required_length(error="linf", locality=1, assume={"no_lag_bias"}, **model)


def test_inputs_from_a_chain_are_not_exchangeable():
    """Asserting a Markov chain once opened no theorem, but closed one of three only."""
    for attention, more in (
        ("softmax", {"logit_range": 1, "positional_margin": 1}),
        ("argmax", {"precision_bits": 4, "margin": 1}),
    ):
        found = guarantees(
            error="average",
            attention=attention,
            layers=1,
            epsilon="1/10",
            lipschitz=1,
            lipschitz_euclidean=1,
            vocabulary_size=2,
            period=1,
            locality=0,
            heads=1,
            assume={"markov_inputs"},
            **more,
        )
        assert not found


def test_the_number_of_heads_taken_by_default_is_shown():
    bound = bounds.required_length(
        theorem="derived.one_layer_linf",
        epsilon="1/10",
        lipschitz=1,
        vocabulary_size=2,
        period=1,
        locality=0,
        precision_bits=4,
        margin=1,
    )
    assert "heads" in bound.defaults
    assert "heads = 1" in str(bound)
    assert "heads" not in replace_heads(bound).defaults


def replace_heads(bound):
    """Ask again, with the number of heads said."""
    given = {k: v for k, v in bound.parameters.items() if k != "simulation_error"}
    return bounds.required_length(theorem=bound.theorem.key, **given)


def test_the_exponent_of_locality_counts_it_once():
    theorem = bounds.theorem("derived.average_two_layer_argmax_fixed")
    assert theorem.exponent("locality") == 1
