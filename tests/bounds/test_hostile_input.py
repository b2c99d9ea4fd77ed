"""Inputs made to break `bounds`: endless digits, disguises, copies, closed pipes."""

import copy
import json
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy import sqrt

import bounds
from bounds.__main__ import main
from bounds.numbers import brief, written
from bounds.result import show_length

SETTING = {"error": "linf", "attention": "argmax", "layers": 1}
GIVEN = {
    "epsilon": "1/10",
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 4,
    "margin": 1,
}
THEOREM_1 = "derived.one_layer_linf"
SHOWS = (
    str,
    repr,
    sympy.latex,
    sympy.pretty,
    bounds.LengthBound.explain,
    bounds.LengthBound._repr_html_,
    bounds.LengthBound._repr_latex_,
    bounds.LengthBound.cite,
)
LONG = [
    ("epsilon", "1e-9999"),
    ("epsilon", Fraction(1, 10**100_000)),
    ("epsilon", Fraction(1, 10) + Fraction(1, 10**6000)),
    ("lipschitz", 10**5000),
    ("lipschitz", sqrt(2) * 10**5000),
    ("vocabulary_size", 10**10_000),
    ("period", 10**10_000),
    ("locality", 10**10_000),
    ("heads", 10**30),
    ("precision_bits", 10**300),
    ("margin", "1e9000"),
]


@pytest.mark.parametrize(("name", "value"), LONG, ids=[f"{i}-{n}" for i, (n, _) in enumerate(LONG)])
@pytest.mark.parametrize("how", [SETTING, {"theorem": THEOREM_1}, {"theorem": "izzo2025.4.1"}])
def test_numbers_with_endless_digits_are_answered_shown_and_written(name, value, how):
    given = GIVEN | {name: value}
    if how.get("theorem") == "izzo2025.4.1":
        given.pop("heads", None)
    bound = bounds.required_length(**how, **given)
    assert bound.log2_length > 0
    for show in SHOWS:
        assert len(show(bound)) < 10_000
    back = json.loads(json.dumps(bound.to_dict()))
    if name in given and not isinstance(value, sympy.Expr):
        top, _, bottom = back["parameters"].get(name, "0").partition("/")
        found = Fraction(int(top, 0), int(bottom or "1", 0))
        assert found == Fraction(value) or name not in bound.parameters
    table = bounds.sweep(**how, **{k: [v] for k, v in given.items()})
    assert table.column("log2_length") == [bound.log2_length]
    assert len(str(table)) < 2000


def test_errors_about_long_numbers_print():
    for change in ({"target": Fraction(1, 10**6000)}, {"margin": -(10**6000)}):
        with pytest.raises(bounds.ParameterError):
            bounds.required_length(theorem=THEOREM_1, **GIVEN | change)
    given = GIVEN | {"lipschitz": 10**6000}
    with pytest.raises(bounds.ParameterError, match="γ > 1"):
        bounds.required_length(theorem="derived.one_layer_linf_steep", **given)
    with pytest.raises(bounds.ParameterError, match="at most 4000 digits"):
        bounds.required_length(theorem=THEOREM_1, **GIVEN | {"lipschitz": sympy.Float("1e20000")})


def test_brief_and_written_numbers():
    assert brief(Fraction(1, 10)) == "1/10"
    assert brief(Fraction(1, 10) + Fraction(1, 10**6000)) == "≈ 0.1"
    assert brief(Fraction(-3, 10**5000)).startswith("≈ -10^-4999.52")
    assert brief(sqrt(2)) == "sqrt(2)"
    assert brief(sqrt(2) * 10**5000).startswith("≈ 1.41421")
    assert written(Fraction(1, 3)) == "1/3"
    assert written(Fraction(10**5000)) == f"{10**5000:#x}/0x1"


def test_lengths_are_shown_to_the_last_digit_or_as_a_power():
    assert show_length(17, 4.09) == "17"
    assert show_length(1_234_449_999, 30.2) == "1,234,449,999"
    assert show_length(2**64 + 1, 64.0) == "≈ 1.845e+19 (2^64)"
    assert show_length(None, 1e9) == "≈ 2^1000000000"


@pytest.mark.parametrize("key", [THEOREM_1, "derived.one_layer_linf_steep", "izzo2025.4.1"])
def test_results_and_theorems_can_be_copied_and_pickled(key):
    bound = bounds.required_length(theorem=key, **GIVEN | {"margin": 2})
    for twin in (pickle.loads(pickle.dumps(bound)), copy.deepcopy(bound), copy.copy(bound)):
        assert twin.theorem is bounds.theorem(key)
        assert twin.to_dict() == bound.to_dict()
    best = bounds.required_length(**SETTING, **GIVEN)
    assert pickle.loads(pickle.dumps(best)).explain() == best.explain()
    for entry in bounds.theorems():
        assert pickle.loads(pickle.dumps(entry)) is entry


def test_errors_keep_their_data_across_processes():
    errors = [
        bounds.ParameterError([bounds.Problem("period", 0, "an integer ≥ 1")]),
        bounds.UnsupportedSetting("no theorem", ["linf, argmax, 1 layer"]),
        bounds.NoSolution("period", "too long"),
        bounds.NotComputable("beyond"),
    ]
    for error in errors:
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(twin) is type(error)
            assert str(twin) == str(error)
            assert vars(twin) == vars(error)


def test_equality_at_a_branch_with_irrational_values():
    root = {"epsilon": sqrt(2), "lipschitz": sqrt(2)}  # s = L: one period is enough
    assert bounds.required_length(theorem=THEOREM_1, **GIVEN | root).length == 2
    third = {"epsilon": sqrt(2) / 10, "target": sqrt(2) / 10 + sympy.Rational(1, 10**3000)}
    bound = bounds.required_length(theorem=THEOREM_1, **GIVEN | third)
    assert bound.log2_length == pytest.approx(2 * 3000 * np.log2(10), rel=1e-3)


def test_a_theorem_beyond_arithmetic_does_not_hide_the_others():
    given = GIVEN | {"period": 1, "margin": "1e-320", "largest_gap": "1/2", "locality": 0}
    names = {"no_lag_bias", "shared_logits"}
    bound = bounds.required_length(**SETTING, **given, assume=names)
    assert bound.theorem.key == "derived.one_layer_linf_shared_logits"
    assert "log2" in bound.not_applicable[THEOREM_1]
    assert f"Not used: {THEOREM_1}" in bound.explain()
    with pytest.raises(bounds.NotComputable, match="log2"):
        bounds.required_length(**SETTING, **given)


def test_reasons_read_as_sentences():
    reasons = bounds.required_length(**SETTING, **GIVEN).not_applicable
    assert reasons["derived.one_layer_linf_additive"] == "needs lipschitz_marginal"
    assert reasons["derived.one_layer_linf_steep"] == "needs γ > 1"
    with pytest.raises(bounds.ParameterError) as caught:
        bounds.required_length(theorem=THEOREM_1)
    assert "margin: missing; needed: a real number > 0 (logit margin:" in str(caught.value)


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("tau", "locality"),
        ("L", "lipschitz"),
        ("gamma", "margin"),
        ("p", "precision_bits"),
        ("Delta", "period"),
        ("eps", "epsilon"),
        ("varepsilon", "epsilon"),
    ],
)
def test_the_papers_symbols_are_recognised(given_name, meant):
    with pytest.raises(bounds.ParameterError, match=f"did you mean '{meant}'"):
        bounds.required_length(theorem=THEOREM_1, **{given_name: 1})


def test_odd_arguments_get_an_error_of_the_family_or_an_answer():
    for bad in (sympy.sin(1), sympy.zeta(3), sqrt(5 + 2 * sqrt(6)) - sqrt(2) - sqrt(3)):
        with pytest.raises(bounds.ParameterError, match="lipschitz: got"):
            bounds.required_length(theorem=THEOREM_1, **GIVEN | {"lipschitz": bad})
    for bad in (np.array(["linf"]), ["linf"], None, True):
        with pytest.raises(bounds.ParameterError, match=r"error: (got|missing)"):
            bounds.required_length(error=bad, attention="argmax", layers=1, **GIVEN)
    assert bounds.required_length(**SETTING, **GIVEN, assume=None).length == 963
    (row,) = bounds.sweep(**SETTING, **GIVEN | {"epsilon": np.array(0.1)})
    assert row["length"] == 963
    with pytest.raises(bounds.ParameterError, match="unknown: got"):
        bounds.solve_for(["epsilon"], length=10, theorem=THEOREM_1)
    rest = {k: v for k, v in GIVEN.items() if k != "period"}
    assert bounds.solve_for("period", length=np.int64(963), theorem=THEOREM_1, **rest) == 2


def test_a_covered_setting_says_what_its_theorems_need():
    given = GIVEN | {"period": 1, "alpha_min": "1/2"}
    with pytest.raises(bounds.UnsupportedSetting) as caught:
        bounds.required_length(error="average", attention="argmax", layers=2, **given)
    assert any(
        "derived.average_two_layer_argmax: only with assume" in c for c in caught.value.covered
    )


def test_a_theorem_for_other_inputs_than_asserted_is_not_used():
    given = {
        "epsilon": "1/10",
        "complexity_average": 3,
        "positional_margin": "1/2",
        "period": 1,
        "lipschitz": 1,
        "vocabulary_size": 3,
        "locality": 1,
        "spectral_gap": "1/2",
        "stationary_min": "1/4",
    }
    cell = {"error": "average", "attention": "softmax", "layers": 2}
    bound = bounds.required_length(**cell, **given, assume={"markov_inputs"})
    assert bound.theorem.key == "derived.average_softmax_two_layer_markov"
    assert not bound.alternatives
    assert "derived.average_softmax_two_layer" in bound.not_applicable


def test_the_s_of_the_statements_is_explained():
    shown = bounds.required_length(theorem=THEOREM_1, **GIVEN | {"target": 2}).explain()
    assert "Where s stands, it is (target − ε)/2 = 19/20." in shown


def test_every_symbol_is_listed():
    assert "epsilon: varepsilon" in repr(bounds.symbols)
    assert "locality: tau" in repr(bounds.symbols)


def test_necessary_and_lemma_lengths_do_not_pose_as_sufficient():
    given = {"epsilon": "1/100", "lipschitz": 3, "vocabulary_size": 4}
    below = bounds.required_length(theorem="derived.lower_presence", **given)
    assert str(below).startswith("Every sufficient training length is at least 150 (")
    method = bounds.required_length(theorem="derived.lower_single_z", period=2, locality=1, **given)
    assert "training length" not in method.explain().splitlines()[0]


def test_no_argument_of_the_command_line_names_all_that_are_missing(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert "--epsilon: missing" in shown
    assert "--margin: missing" in shown
    assert "--help" in shown


@pytest.mark.slow
def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m bounds --list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("izzo2025.4.1")
    assert done.stderr == ""


def test_no_computable_bound_is_exit_code_1(capsys):
    assert main(["--theorem", "derived.no_bound_two_layer_argmax"]) == 1
    assert "no computable bound" in capsys.readouterr().out
