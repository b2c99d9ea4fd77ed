"""Errors say what was meant, what is missing, what is contradicted, in the user's own names."""

import numpy as np
import pytest

import bounds
import verify
from bounds.__main__ import main
from bounds.errors import Missing, Violation
from bounds.parameters import FROM_WEIGHTS
from tests.helpers.softmax_models import random_model
from verify import LimitTransformer

CELL = {"error": "linf", "attention": "argmax", "layers": 1}
GIVEN = {
    "epsilon": "1/10",
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 1,
}


def refusal(call=bounds.required_length, **arguments):
    with pytest.raises(bounds.ParameterError) as caught:
        call(**arguments)
    return caught.value


@pytest.mark.parametrize(
    ("name", "meant"),
    {
        "Sigma": "vocabulary_size",
        "|Sigma|": "vocabulary_size",
        "vocab": "vocabulary_size",
        "vocab_size": "vocabulary_size",
        "Delta": "period",
        "delta": "period",
        "gamma": "margin",
        "eps": "epsilon",
        "varepsilon": "epsilon",
        "eta": "target",
        "tau": "locality",
        "L": "lipschitz",
        "H": "heads",
        "n_heads": "heads",
        "bits": "precision_bits",
        "p": "precision_bits",
        "kappa": "tie_tolerance",
        "T": "horizon",
        "C": "complexity",
        "alpha_0": "alpha_min",
        "Margin": "margin",
        "marginn": "margin",
        "n_layers": "layers",
        "atention": "attention",
    }.items(),
)
def test_names_of_the_paper_and_slips(name, meant):
    error = refusal(**CELL, **GIVEN, **{name: 1})
    (problem,) = error.problems
    assert problem.name == name
    assert f"did you mean {meant!r}" in str(error)


def test_the_meaning_of_gamma_depends_on_the_attention():
    assert "'positional_margin'?" in str(refusal(error="linf", attention="softmax", gamma=1))
    both = str(refusal(theorem="izzo2025.lemma5.3", gamma=1))
    assert "'margin' or 'positional_margin' (argmax; softmax)?" in both


@pytest.mark.parametrize("name", ["N", "n", "length"])
def test_the_length_is_the_answer(name):
    assert "bounds.solve_for(unknown, length=...)" in str(refusal(**CELL, **GIVEN, **{name: 1}))


@pytest.mark.parametrize(
    ("argument", "value", "meant"),
    [
        ("error", "l_inf", "linf"),
        ("error", "linf ", "linf"),
        ("error", "max", "linf"),
        ("error", "L∞", "linf"),
        ("error", "mean", "average"),
        ("attention", "hardmax", "argmax"),
        ("attention", "Softmax", "softmax"),
        ("attention", "soft-max", "softmax"),
        ("theorem", "4.1", "izzo2025.4.1"),
        ("theorem", "Theorem 4.1", "izzo2025.4.1"),
        ("theorem", "Lemma 5.3", "izzo2025.lemma5.3"),
        ("theorem", "one_layer_linf", "derived.one_layer_linf"),
        ("theorem", "derived.one_layer_lnf", "derived.one_layer_linf"),
        ("assume", {"no lag bias"}, "no_lag_bias"),
        ("assume", {"true_lipshitz"}, "true_lipschitz"),
    ],
)
def test_settings_theorems_and_hypotheses(argument, value, meant):
    error = refusal(**CELL | {argument: value}, **GIVEN)
    assert error.problems[0].name == argument
    assert f"did you mean {meant!r}?" in str(error)


def test_where_nothing_is_close_nothing_is_guessed():
    assert "did you mean" not in str(refusal(**CELL | {"theorem": "nonsense"}, **GIVEN))
    assert "did you mean" not in str(refusal(**CELL | {"error": 7}, **GIVEN))


def test_missing_is_not_none():
    error = refusal(**CELL, epsilon="1/10")
    assert all(isinstance(problem, Missing) for problem in error.problems)
    assert "margin: missing; needed: a real number > 0 (logit margin" in str(error)
    assert "error: missing; needed: 'linf' or 'average'" in str(refusal(**GIVEN))
    assert "margin: got None" in str(refusal(**CELL, **GIVEN | {"margin": None}))


def test_every_law_of_the_inputs_is_offered():
    cell = {"error": "average", "attention": "argmax", "layers": 1}
    error = refusal(**cell, **GIVEN, lipschitz_euclidean=1)
    (problem,) = error.problems
    assert problem.name == "law of the inputs"
    assert "alpha_min and alpha_total (Dirichlet law)" in problem.allowed
    assert "class_probability (fixed law)" in problem.allowed
    one = refusal(**cell, **GIVEN, lipschitz_euclidean=1, alpha_min=1)
    assert [p.name for p in one.problems] == ["alpha_total"]


@pytest.mark.parametrize("layers", [1, 2])
def test_a_contradicted_hypothesis_comes_first(layers):
    """It asked for logit_range and more before it said that Δ = 1 is needed."""
    error = refusal(error="average", attention="softmax", layers=layers, epsilon="1/10", period=3)
    assert isinstance(error.problems[0], Violation)
    assert str(error).startswith("period: needs Δ = 1 (derived.average_softmax")
    assert str(error).splitlines()[0].endswith("; period is 3")
    assert any(isinstance(problem, Missing) for problem in error.problems)


def test_the_command_line_speaks_in_options(capsys):
    assert main(["--epsilon", "1/10"]) == 2
    shown = capsys.readouterr().err
    assert "--vocabulary-size: missing" in shown
    assert "vocabulary_size" not in shown
    assert main(["--epsilon", "1/10", "--error", "average"]) == 2
    assert "--alpha-min and --alpha-total" in capsys.readouterr().err
    words = [w for k, v in GIVEN.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    assert main([*words, "--assume", "no_lag_bias"]) == 2
    assert "as --assume no_lag_bias says" in capsys.readouterr().err


def test_both_sides_on_the_command_line(capsys):
    words = [w for k, v in GIVEN.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    assert main(["--bracket", *words]) == 0
    shown = capsys.readouterr().out
    assert "necessary   257" in shown
    assert "ratio       963/257" in shown
    assert main(["--bracket", "--json", *words]) == 0
    assert '"ratio": "963/257"' in capsys.readouterr().out


def test_free_parameters_of_a_formula_have_hints_too():
    bound = bounds.required_length(**CELL, **GIVEN)
    with pytest.raises(bounds.ParameterError, match=r"margin; did you mean 'margin'\?"):
        bound.formula(["gamma"])
    with pytest.raises(bounds.ParameterError, match=r"precision_bits, margin$"):
        bound.function("alpha")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["epsilon=1/10"], "epsilon=1/10: write --epsilon 1/10"),
        (["precision_bits=8"], "precision_bits=8: write --precision-bits 8"),
        (["--gamma", "3"], "--gamma: no such option; did you mean --margin or --positional-margin"),
        (["--gamma=3", "--attention", "softmax"], "did you mean --positional-margin?"),
        (["Sigma=3"], "Sigma=3: no such option; did you mean --vocabulary-size?"),
        (["--zzz"], "--zzz: no such option\n"),
        (["7"], "7: no option\n"),
    ],
)
def test_arguments_that_are_no_options(words, said, capsys):
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.endswith("All options: python -m bounds --help\n")


def test_a_law_of_inputs_that_is_refused_is_named():
    given = {"epsilon": 0, "target": "1/100000", "lipschitz": 1, "vocabulary_size": 2}
    given |= {"period": 2, "class_probability": "1/3"}
    error = refusal(theorem="derived.lower_average", **given)
    assert "derived.lower_average: needs tokens i.i.d. given their law" in str(error)
    assert "needs nothing" not in str(error)
    both = bounds.bracket(
        error="average",
        attention="argmax",
        layers=1,
        **GIVEN,
        **{"lipschitz_euclidean": 1, "class_probability": "1/3"},
    )
    assert "Dirichlet" in str(both)
    assert "nothing" not in str(both)


@pytest.mark.parametrize("keyword", sorted(FROM_WEIGHTS))
def test_a_missing_constant_of_the_weights_says_what_measures_it(keyword):
    entry = next(t for t in bounds.theorems() if keyword in t.parameters and t.setting)
    with pytest.raises(bounds.ParameterError) as refused:
        bounds.required_length(theorem=entry.key, epsilon="1/10")
    (missing,) = [p for p in refused.value.problems if p.name == keyword]
    assert str(missing).endswith("; verify.measure(f, g) gives it")


def test_what_measures_a_constant_does():
    """Every keyword of which that is said is among those that `verify.measure` returns."""
    rng = np.random.default_rng(0)
    two = [random_model(rng, layers=2, regimes=["balanced"], period=period) for period in (1, 2)]
    one = random_model(rng, layers=1, regimes=["token"])
    three = LimitTransformer(
        one.embedding, one.positions, one.layers[:1] * 3, one.unembedding, None
    )
    models = [*two, one, three, verify.tasks.mod_p(2, 1).transformer]
    assert {k for f in models for k in verify.measure(f).parameters()} >= FROM_WEIGHTS
