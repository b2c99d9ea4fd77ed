"""Formulas with values put in, and as functions over arrays."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy

import bounds
from bounds.evaluate import certify
from bounds.parameters import BY_KEYWORD

KEY = "derived.one_layer_linf"
GIVEN = {
    "epsilon": "1/10",
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 1,
}
EPS = bounds.symbols.epsilon


def ask(key=KEY, **change):
    return bounds.required_length(theorem=key, **GIVEN | change)


def test_a_formula_with_one_free_parameter():
    formula = ask().formula(free=["epsilon"])
    assert formula.free_symbols == {EPS}
    for epsilon in ("1/10", "1/7", "1/1000", 2):
        exact = {EPS: Fraction(epsilon)}
        assert certify(formula, exact).integer == ask(epsilon=epsilon).length
    assert formula.subs(EPS, sympy.Rational(1, 10)) == 963


def test_defaults_follow_what_is_free():
    """target = 3ε and lipschitz_other = L stay so, unless they are given or free themselves."""
    one = ask().formula(["lipschitz"])
    assert certify(one, {bounds.symbols.lipschitz: Fraction(5)}).integer == ask(lipschitz=5).length
    given = ask(target="3/10").formula("epsilon")
    values = {EPS: Fraction(1, 20)}
    assert certify(given, values).integer == ask(epsilon="1/20", target="3/10").length
    both = ask().formula(["epsilon", "target"])
    assert both.free_symbols == {EPS, bounds.symbols.target}


def test_nothing_is_rounded_or_written_out_on_the_way():
    """SymPy's ceiling(log(2^31 + 1)/log 2) is 31; 2^(10^9) has too many digits."""
    assert certify(ask(margin="1e-8").formula(), {}).log2 == 8e8
    assert ask(margin="1e-8").formula().free_symbols == set()
    x = sympy.Symbol("x")
    from bounds.formula import _put

    rounded = _put(sympy.ceiling(sympy.log(x, 2), evaluate=False), {x: sympy.Integer(2**31 + 1)})
    assert certify(rounded, {}).integer == 32


def test_what_was_searched_for_is_no_formula():
    found = bounds.required_length(
        theorem="derived.one_layer_linf_positional", **GIVEN | {"locality": 0, "epsilon": "1/100", "horizon": 2**20},
        tie_tolerance="1/1000",
    )  # fmt: skip
    assert found.searched
    with pytest.raises(bounds.NotComputable, match="found by a search at these parameters"):
        found.formula(["epsilon"])
    with pytest.raises(bounds.ParameterError, match="free: got 'complexity'"):
        ask().formula(["complexity"])
    with pytest.raises(bounds.NotComputable, match="has no formula"):
        bounds.required_length(theorem="derived.open_two_layer_argmax", **GIVEN).formula()


def test_a_function_over_arrays():
    log2 = ask().function("epsilon")
    epsilons = np.array([0.1, 0.01, 1e-3, 1e-200])
    expected = [ask(epsilon=e).log2_length for e in epsilons]
    assert log2(epsilons) == pytest.approx(expected, rel=1e-10)
    assert log2(0.1).shape == ()
    assert ask(margin="1/3000").function("margin")(1 / 3000) == pytest.approx(24_000, rel=1e-12)
    grid = ask().function("precision_bits", "margin")(np.array([[8], [800]]), np.array([1, 0.01]))
    assert grid == pytest.approx(np.array([[np.log2(963), 800], [800, 80_000]]))
    exact = log2([Fraction(1, 10), "1/10", sympy.Rational(1, 10)])
    assert exact == pytest.approx([np.log2(963)] * 3)


def test_where_the_theorem_does_not_apply_a_function_is_nan():
    assert np.isnan(ask().function("epsilon")([-1.0])).all()
    assert np.isnan(ask().function("period")([0, 1.5])).all()
    given = ask(target="3/10").function("epsilon")([0.1, 0.3, 0.4])
    assert np.isnan(given).tolist() == [False, True, True]  # the target has to be above ε
    shallow = bounds.required_length(theorem="derived.lower_threshold", **GIVEN)
    assert np.isnan(shallow.function("margin")([1, 2])).tolist() == [False, True]  # needs γ ≤ 1
    with pytest.raises(TypeError, match="one array for each of epsilon"):
        ask().function("epsilon")(1, 2)


def test_a_theorem_with_a_free_integer_is_asked_point_by_point():
    chain = ask("derived.one_layer_linf_chain")
    got = chain.function("epsilon")([0.1, 0.003])
    key = "derived.one_layer_linf_chain"
    assert got.tolist() == [ask(key, epsilon=e).log2_length for e in (0.1, 0.003)]


BASE = {
    "epsilon": Fraction(1, 50),
    "target": Fraction(3, 25),
    "lipschitz": 3,
    "lipschitz_other": 2,
    "lipschitz_euclidean": 4,
    "lipschitz_marginal": 5,
    "vocabulary_size": 3,
    "period": 1,
    "locality": 1,
    "heads": 1,
    "precision_bits": 8,
}
CHANGES = (
    [{}] if "FUNCTION_CHANGES" not in os.environ else [{}, {"vocabulary_size": 2, "period": 2}]
)
SUBTRACTS = {"derived.lower_average_softmax"}
"""Where nearly equal numbers are subtracted, fewer digits are right."""


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_functions_agree_with_certified_lengths_for_every_theorem(change):
    compared = 0
    for entry in bounds.theorems():
        rows = [BY_KEYWORD[k] for k in entry.parameters]
        whole = {row.keyword: 2 if row.kind == "integer" else Fraction(1, 2) for row in rows}
        given = whole | {k: v for k, v in (BASE | change).items() if k in whole}
        try:
            bound = bounds.required_length(theorem=entry.key, **given)
        except bounds.BoundsError:
            continue
        if entry.formula is None:
            continue
        for row in rows:
            value = given[row.keyword]
            others = [value, value + 1] if row.kind == "integer" else [value, value * 7 / 8]
            got = bound.function(row.keyword)(np.array(others, dtype=object))
            for other, log2 in zip(others, got, strict=True):
                try:
                    there = bounds.required_length(
                        theorem=entry.key, **given | {row.keyword: other}
                    )
                except bounds.BoundsError:
                    assert np.isnan(log2), (entry.key, row.keyword, other)
                    continue
                expected = -np.inf if there.log2_length is None else there.log2_length
                tolerance = 1e-7 if entry.key in SUBTRACTS else 1e-9
                assert log2 == pytest.approx(expected, rel=tolerance, abs=1e-9), entry.key
                compared += 1
    assert compared > 300


@pytest.mark.slow
def test_a_formula_needs_no_numpy():
    code = (
        "import sys, bounds; "
        f"b = bounds.required_length(theorem={KEY!r}, **{GIVEN!r}); "
        "b.formula(['epsilon']); b.function('epsilon'); b.explain(); b.to_dict(); b.necessary; "
        f"bounds.bracket(error='linf', attention='argmax', layers=1, **{GIVEN!r}); "
        "print([m for m in ('matplotlib', 'scipy', 'numpy', 'verify') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


SMALL_DIFFERENCES = {
    "derived.lower_average_class": {"class_probability": "1/2"},
    "derived.lower_average_softmax": {"positional_margin": 1, "locality": 1},
    "derived.lower_linf_c3": {
        "vocabulary_size": 2,
        "period": 3,
        "locality": 0,
        "assume": {"true_lipschitz"},
    },
}


@pytest.mark.parametrize("key", SMALL_DIFFERENCES)
def test_roots_that_nearly_cancel_are_right_in_floats(key):
    """They were not: mean − √(mean² − x) had log2 off by 3·10⁻⁶ at ε = 10⁻¹², then −∞."""
    given = {"lipschitz": 1, **SMALL_DIFFERENCES[key]}
    errors = [10.0**-k for k in (5, 8, 12, 16, 25, 60, 150)]
    function = bounds.required_length(theorem=key, epsilon="1/100000", **given).function("epsilon")
    for error, log in zip(errors, function(np.array(errors)), strict=True):
        exact = bounds.required_length(theorem=key, epsilon=error, **given).log2_length
        assert log == pytest.approx(exact, rel=1e-12)
