"""The eight cells: each is answered, by a theorem or by the statement that none can exist."""

import itertools

import pytest

import bounds

CELLS = list(itertools.product(("linf", "average"), ("argmax", "softmax"), (1, 2)))


def test_every_cell_is_answered():
    cube = bounds.cube()
    assert [(row["error"], row["attention"], row["layers"]) for row in cube] == CELLS
    for row in cube:
        assert row["sufficient"]
        assert row["power"]
    impossible = {tuple(list(row.values())[:3]) for row in cube if row["no_bound"]}
    assert impossible == {("linf", "argmax", 2)}
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
    nothing = bounds.required_length(**setting, **given)
    assert nothing.status is bounds.Status.NOT_COMPUTABLE
    assert nothing.length is None
    assert "finite_state_first_layer" in nothing.explain()
    bound = bounds.required_length(**setting, assume={"finite_state_first_layer"}, **given)
    assert bound.theorem.key == "derived.two_layer_argmax"
    with pytest.raises(bounds.UnsupportedSetting, match="suffix_only_first_layer"):
        bounds.required_length(
            error="average", attention="argmax", layers=2, alpha_min=1, alpha_total=2, **given
        )


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
    with pytest.raises(bounds.ParameterError, match="a fixed law or a Dirichlet prior"):
        bounds.required_length(**setting, class_probability="1/4", **given)
    dirichlet = bounds.required_length(**setting, **given)
    assert dirichlet.theorem.key == "derived.one_layer_average"
    fixed = bounds.required_length(
        theorem="derived.one_layer_average_fixed", class_probability="1/4", **given
    )
    assert fixed.length < dirichlet.length
