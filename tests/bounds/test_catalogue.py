"""The eight cells: each is answered, by a theorem or by the statement that none can exist."""

import itertools

import pytest

import bounds

CELLS = list(itertools.product(("linf", "average"), ("argmax", "softmax"), (1, 2)))


def test_every_cell_is_answered():
    cube = bounds.cube()
    cells = [(row["error"], row["attention"], row["layers"]) for row in cube]
    assert cells[:8] == CELLS
    assert cells[8:] == [("linf", "argmax", "≥ 3"), ("linf", "softmax", "≥ 3")]
    for row in cube:
        assert row["sufficient"]
        assert row["power"] or row["layers"] == "≥ 3"
    impossible = {tuple(list(row.values())[:3]) for row in cube if row["no_bound"]}
    assert impossible == {("linf", "argmax", 2), ("linf", "argmax", "≥ 3")}
    treated = {tuple(list(row.values())[:3]) for row in cube if row["paper"]}
    assert treated == {("linf", "argmax", 1), ("average", "argmax", 1), ("linf", "softmax", 2)}


def test_the_cube_shows_well():
    text = str(bounds.cube())
    assert max(map(len, text.splitlines())) < 230
    assert "<br>derived.one_layer_linf_additive<br>" in bounds.cube()._repr_html_()


def test_two_argmax_layers_have_no_bound_unless_the_first_is_finite_state():
    given = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 1,
        "precision_bits": 4,
        "margin": 1,
    }
    setting = {"error": "linf", "attention": "argmax", "layers": 2}
    for name in ("suffix_only", "generic"):
        bound = bounds.required_length(**setting, assume={f"{name}_first_layer"}, **given)
        assert bound.theorem.key == f"derived.two_layer_argmax_{name}"
    automaton = {"states": 4, "path_states": 5}
    bound = bounds.required_length(
        **setting, assume={"finite_state_first_layer"}, **given, **automaton
    )
    assert bound.theorem.key == "derived.two_layer_argmax"
    with pytest.raises(bounds.UnsupportedSetting, match="suffix_only_first_layer"):
        bounds.required_length(
            error="average", attention="argmax", layers=2, alpha_min=1, alpha_total=2, **given
        )


TWO_ARGMAX_LAYERS = {
    "error": "linf",
    "attention": "argmax",
    "layers": 2,
    "epsilon": "1/10000",
    "lipschitz": 1,
    "vocabulary_size": 4,
    "period": 1,
    "locality": 1,
    "heads": 2,
    "precision_bits": 4,
}


def test_without_a_margin_in_both_layers_no_bound_is_computable():
    """Theorem C6′: the pair has margin 0 in its second layer; `margin` means both layers."""
    nothing = bounds.required_length(**TWO_ARGMAX_LAYERS)
    assert nothing.status is bounds.Status.NOT_COMPUTABLE
    assert nothing.theorem.key == "derived.no_bound_two_layer_argmax"
    assert nothing.theorem.source.locator == "Theorem C6′"
    assert nothing.length is None
    assert "no computable bound" in str(nothing)
    for name in ("finite_state", "suffix_only", "generic"):
        assert f"{name}_first_layer" in nothing.explain()


@pytest.mark.parametrize(
    "smaller", [{"heads": 1}, {"locality": 0}, {"vocabulary_size": 3}], ids=lambda c: next(iter(c))
)
def test_no_bound_is_not_said_of_a_class_without_the_machine(smaller):
    answer = bounds.required_length(**TWO_ARGMAX_LAYERS | smaller)
    assert answer.status is bounds.Status.UNKNOWN
    with pytest.raises(bounds.ParameterError):
        bounds.required_length(
            theorem="derived.no_bound_two_layer_argmax", **TWO_ARGMAX_LAYERS | smaller
        )


@pytest.mark.parametrize("layers", [3, 7])
def test_deeper_argmax_models_are_answered_as_two_layers_are(layers):
    deeper = TWO_ARGMAX_LAYERS | {"layers": layers}
    assert bounds.required_length(**deeper).status is bounds.Status.NOT_COMPUTABLE
    answer = bounds.required_length(**deeper, margin=1)
    assert answer.status is bounds.Status.UNKNOWN
    two = bounds.required_length(**TWO_ARGMAX_LAYERS, margin=1)
    assert [b.length for b in answer.necessary] == [b.length for b in two.necessary] != []
    finite = {"assume": {"finite_state_first_layer"}, "states": 64, "path_states": 66}
    lengths = [
        bounds.required_length(**d, margin=1, **finite).length for d in (deeper, TWO_ARGMAX_LAYERS)
    ]
    assert lengths[0] == lengths[1]  # the automaton counts, not what it is made of


def test_localities_of_the_layers_before_the_last_add_up():
    given = {"epsilon": 1, "lipschitz": 7, "vocabulary_size": 2, "period": 3, "locality": 2}
    given |= {"precision_bits": 4, "margin": 1}
    key = "derived.two_layer_argmax_suffix_only"
    for layers in (2, 3, 4):
        reach = (layers - 1) * 2
        states = 3 * 2 ** (reach + 1)
        automaton = {"states": states, "path_states": states + reach}
        known = bounds.required_length(theorem="derived.two_layer_argmax", **automaton, **given)
        assert bounds.required_length(theorem=key, layers=layers, **given).length == known.length
    shortest = bounds.required_length(theorem=key, **given)
    assert shortest.length == bounds.required_length(theorem=key, layers=2, **given).length
    with pytest.raises(bounds.ParameterError, match="layers"):
        bounds.required_length(theorem=key, layers=1, **given)
    with pytest.raises(bounds.ParameterError, match="layers"):
        bounds.required_length(theorem="derived.two_layer_argmax_generic", layers=3, **given)


def test_with_margins_in_both_layers_it_is_not_known():
    answer = bounds.required_length(**TWO_ARGMAX_LAYERS, margin=1)
    assert answer.status is bounds.Status.UNKNOWN
    assert (answer.length, answer.log2_length) == (None, None)
    keys = [other.theorem.key for other in answer.necessary]
    assert keys == ["derived.lower_two_layer_argmax_margin", "derived.lower_two_layer_argmax"]
    lengths = [other.length for other in answer.necessary]
    assert lengths == sorted(lengths, reverse=True)
    for other in answer.necessary:
        alone = bounds.required_length(
            theorem=other.theorem.key, **{k: v for k, v in TWO_ARGMAX_LAYERS.items()}
        )
        assert alone.length == other.length
    shown = (str(answer), repr(answer), answer.explain(), answer._repr_html_())
    assert all("not known whether a bound exists" in text for text in shown)
    assert all(str(other) in answer.explain() for other in answer.necessary)
    assert answer.to_dict()["status"] == "UNKNOWN"
    assert answer.to_dict()["necessary"] == [
        {
            "theorem": other.theorem.key,
            "length": other.length,
            "length_hex": None,
            "log2_length": other.log2_length,
        }
        for other in answer.necessary
    ]
    small = bounds.required_length(**TWO_ARGMAX_LAYERS | {"heads": 1, "locality": 2}, margin=1)
    assert (small.status, small.necessary) == (bounds.Status.UNKNOWN, ())


def test_a_fixed_law_and_a_prior_exclude_each_other():
    given = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 1,
        "precision_bits": 4,
        "margin": 1,
        "alpha_min": 1,
        "alpha_total": 2,
    }
    setting = {"error": "average", "attention": "argmax", "layers": 1}
    given = {k: v for k, v in given.items() if k != "lipschitz"} | {"lipschitz_euclidean": 1}
    with pytest.raises(bounds.ParameterError, match="inputs have one law, not Dirichlet"):
        bounds.required_length(**setting, class_probability="1/4", **given)
    dirichlet = bounds.required_length(**setting, **given)
    assert dirichlet.theorem.key == "derived.one_layer_average"
    fixed = bounds.required_length(
        theorem="derived.one_layer_average_fixed",
        class_probability="1/4",
        **{k: v for k, v in given.items() if not k.startswith("alpha")},
    )
    assert fixed.length < dirichlet.length
