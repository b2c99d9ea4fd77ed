"""Small functions at the ends of what they accept, and texts and columns word for word."""

import json
import math
import sys
from decimal import Decimal
from fractions import Fraction as F
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from flint import arb

import bounds
from bounds import (
    arrays,
    comparing,
    depth_constants,
    depth_error,
    depth_search,
    grid,
    invert,
    length,
    log_arrays,
    models,
    sweep_arrays,
    table,
)
from bounds import numbers as exact_numbers
from bounds.algebra import MAX_BITS, exact_power, rational_beta
from bounds.errors import NotComputable, ParameterError, TooLong
from bounds.functions import Max, WrittenOut
from bounds.log_arrays import Signed
from bounds.numbers import brief, exact, written
from bounds.other_side import not_of_the_pair
from bounds.parameters import BY_KEYWORD, symbols
from bounds.request import _setting_of
from bounds.scope import contradictions
from bounds.solution import Solution
from bounds.vectorised.formulas import _simplified
from bounds.vectorised.lanes import lanes_of, lanes_of_array
from bounds.vectorised.walk import NotVectorised

ONE = {"error": "linf", "attention": "argmax", "layers": 1}
GIVEN = {"epsilon": "1/10", "lipschitz": 4, "vocabulary_size": 2, "period": 1, "locality": 0}
GIVEN |= {"precision_bits": 8, "margin": 2}
ONE_TERM = {"epsilon": "1/100", "lipschitz": 10, "largest_gap": "1/2", "period": 1, "heads": 1}


def long_bound(bits=10**6):
    """A length of about 2^bits, beyond what is written out: ⌈2^(p/γ)⌉."""
    given = {**GIVEN, "precision_bits": bits, "margin": 1}
    return bounds.required_length(theorem="derived.one_layer_linf", **given)


# Searches of the deep theorem


def test_bisection_ends_where_the_condition_holds():
    for least in (0.3, 1.0, 5.7, 90.0):
        found = depth_search._bisected(lambda x, a=least: x >= a, 100.0, 1e-3)
        assert least <= found <= least + 2e-3
    assert depth_search._bisected(lambda x: False, 100.0, 0.1) == math.inf
    assert depth_search._bisected(lambda x: x >= 100, 100.0, 0.1) == 100
    assert depth_search._bisected(lambda x: True, 100.0, 0.1) == 0


def test_least_integers():
    for start in (1, 2, 5, 64, 1000):
        for least in {1, 2, start // 2 + 1, start}:
            found = depth_search._least(F(start), lambda x, a=least: x >= a)
            assert found == min(max(least, 1), start)


def test_integers_above_powers_of_two():
    for n in [*range(1, 400), 10**5, 2**40 + 1]:
        assert depth_search._integer(math.log2(n)) in (n, n + 1)
    assert all(depth_search._integer(math.log2(n)) == n for n in range(1, 400))
    for log2 in (60.5, 500.25):
        found = depth_search._integer(log2)
        assert 0 <= found / F(2) ** int(log2) - F(2 ** (log2 % 1)) < F(1, 10**10)


def test_sums_of_powers_of_two():
    assert depth_search._exp2_sum(0.0, 0.0) == 1
    assert depth_search._exp2_sum(-math.inf, 3.0) == 3
    assert depth_search._exp2_sum(3.0, 2.0) == pytest.approx(math.log2(12))
    assert depth_search._exp2_sum(-math.inf, -math.inf) == -math.inf
    assert depth_search._exp2(1000.0) == 2.0**1000
    assert [depth_search._exp2(x) for x in (1000.1, -1070.0, 3.0)] == [math.inf, 0, 8]


def test_golden_section():
    found = depth_search._golden(lambda x: (x - 3.1) ** 2, 0.0, 24.0, 40)
    assert found == pytest.approx(3.1, abs=1e-6)


def test_exponents_below_a_margin():
    third = depth_search._exponents(F(1, 3))
    assert third[0] == F(1, 3)
    assert all(0 < g <= F(1, 3) for g in third)
    assert third == sorted(set(third), reverse=True)
    assert depth_search._exponents(F(1))[0] == F(255, 256)
    root = sympy.sqrt(2) / 3
    below = depth_search._below(root)
    assert 0 < root - sympy.Rational(below.numerator, below.denominator) < 1e-15
    assert depth_search._exponents(root)[0] == below
    assert depth_search._enclosed(sympy.pi).overlaps(arb.pi())
    assert depth_search._enclosed(sympy.Rational(1, 2) + 0) == arb(1) / 2


# Logarithms and floats


def signed(value):
    value = np.asarray(value, dtype=float)
    with np.errstate(all="ignore"):
        return log_arrays._signed(value)


def test_signed_logarithms_at_their_ends():
    one, large = Signed(np.array(1.0), np.array(0.0)), Signed(np.array(1.0), np.array(5000.0))
    with np.errstate(all="ignore"):
        assert log_arrays._power(one, large).log == 0
        zero = signed(0.0)
        main = log_arrays._lambert(signed(5.0), zero)
        assert main.log == pytest.approx(math.log2(1.3267246652422002))
        lower = log_arrays._lambert(signed(-0.2), signed(-1.0))
        assert (lower.sign, lower.log) == (-1, pytest.approx(math.log2(2.5426413577735265)))
        gone = log_arrays._sum(large, Signed(np.array(-1.0), np.array(5000.0)))
        assert (gone.sign, gone.log) == (0, -math.inf)
        assert log_arrays._sum(zero, large).log == 5000
        assert log_arrays._gamma(signed([3.0, 4.0])).sign.shape == (2,)
        equal = log_arrays._Walk({symbols.epsilon: one, symbols.target: one})
        assert not equal.holds(sympy.Gt(symbols.target, symbols.epsilon))
        assert equal.holds(sympy.Ge(symbols.target, symbols.epsilon))
        assert log_arrays._compare(zero, zero) == 0
        assert log_arrays._compare(signed(-0.0), one) == -1
    assert [log_arrays._as_float(n) for n in (10**400, -(10**400), 3)] == [math.inf, -math.inf, 3]


def test_functions_of_floats():
    assert arrays.beta_of_floats(2.0, 3.0) == pytest.approx(1 / 12)
    assert arrays.real_lambert(1.0) == pytest.approx(0.5671432904097838)
    assert arrays.real_lambert(-0.2, -1) == pytest.approx(-2.5426413577735265)
    cases = [(lambda: np.array([True, False]), lambda: np.array([1.0, 2.0]))]
    assert np.isnan(arrays.first_case(*cases)[1])
    more = [*cases, (lambda: np.array([True, True]), lambda: np.array([5.0, 6.0]))]
    assert list(arrays.first_case(*more)) == [1, 6]


def test_maxima_compare_numbers_only():
    positive = sympy.Symbol("p", positive=True)
    assert Max(positive, 0).args == (positive, 0) or set(Max(positive, 0).args) == {positive, 0}
    assert Max(2, 3) == 3
    assert isinstance(Max(positive, 3, evaluate=True), Max)


def test_written_out_powers():
    assert str(WrittenOut(3, 1)) == "3"
    assert str(WrittenOut(3, 2)) == "(3/2)"


def test_exact_powers_and_betas():
    assert exact_power(F(4, 9), F(1, 2)) == F(2, 3)
    assert exact_power(F(2), F(3)) == 8
    assert rational_beta(F(3), F(1, 2)) == F(16, 15)
    # n·size bits, not n/size: what is too long is left to enclosures
    assert rational_beta(F(2), F(1, 2**MAX_BITS)) is None


# Numbers, texts, tables


def test_numbers_at_the_ends_of_what_is_read():
    assert exact(Decimal("1e10000")) == 10**10000
    with pytest.raises(ValueError, match="four digits"):
        exact(Decimal("1e10001"))
    assert exact(sympy.Float("0.125")) == F(1, 8)
    assert brief(sympy.E) == "E"
    assert brief(sympy.sqrt(2)) == "sqrt(2)"
    assert written(sympy.sqrt(2)) == "sqrt(2)"
    assert exact_numbers.plain(F(4, 2)) == 2


def test_models_are_shown_with_their_values():
    assert models._shown(frozenset({"b", "a"})) == "{'a', 'b'}"
    assert repr(models.SIMPLE).startswith("<Model SIMPLE: ")
    assert "lipschitz=4" in repr(models.SIMPLE)


def test_solutions_are_fractions():
    assert Solution.from_decimal(Decimal("0.5")) == F(1, 2)
    assert Solution.from_float(0.5) == F(1, 2)
    value = bounds.solve_for(
        "epsilon",
        length=5000,
        theorem="derived.one_layer_linf",
        **{k: v for k, v in GIVEN.items() if k != "epsilon"},
    )
    assert value.given_length == 5000
    near = value.limit_denominator(10)
    assert type(near) is F
    assert near == F(value.numerator, value.denominator).limit_denominator(10)


def test_powers_between_and_what_is_shown():
    assert invert._power_between(F(1), F(16)) == 4
    assert invert._power_between(F(1, 64), F(4)) == F(1, 4)
    assert invert._power_between(F(5, 4), F(7, 4)) == F(3, 2)
    assert invert._show(F(2**20)) == "1048576"
    assert invert._show(F(2**21)) == "about 2^21"
    assert invert._show(F(1, 2**30)) == "about 2^-30"
    assert invert._show(F(0)) == "0"


def test_nothing_fits_where_there_is_no_length():
    def refused(value):
        raise ParameterError([]) if value else NotComputable("")

    search = invert._Search("epsilon", BY_KEYWORD["epsilon"], refused, 5, True)
    assert search.fits(F(0)) is False
    assert search.fits(F(1)) is False


def test_why_there_is_no_solution():
    given = {k: v for k, v in GIVEN.items() if k != "locality"}
    with pytest.raises(bounds.NoSolution, match="the largest term there is"):
        bounds.solve_for("locality", length=2, theorem="derived.one_layer_linf", **given)
    with pytest.raises(bounds.NoSolution) as caught:
        bounds.solve_for(
            "vocabulary_size", length=1, theorem="derived.one_layer_linf_shared_logits", **ONE_TERM
        )
    assert "largest term" not in str(caught.value)


def test_long_lengths_are_compared():
    bound = long_bound()
    assert bound.length is None
    assert comparing.order(bound, 2 ** (2 * 10**6)) == -1
    assert comparing.order(bound, 2**10**5) == 1
    assert comparing.order(bound, 0) == 1
    assert bound > 5
    assert bound >= 5
    assert not bound <= 5
    assert bound < 2 ** (2 * 10**6)
    with pytest.raises(TooLong):
        float(bound)
    same = long_bound()
    assert comparing.order(bound, same) == 0
    assert comparing.order(bound, long_bound(10**6 + 1)) == -1


def test_lists_of_numbers_are_arrays_only_where_they_are_exact():
    assert grid._numeric_array(list(range(101))).dtype.kind == "i"
    assert grid._numeric_array(range(101)).dtype.kind == "i"
    assert grid._numeric_array([0.5] * 101).dtype == np.float64
    assert grid._numeric_array([2**70] * 101) is None
    assert grid._numeric_array([True] * 101) is None
    assert grid._numeric_array(np.arange(101)).shape == (101,)
    assert grid._numeric_array(np.arange(101, dtype=np.longdouble)) is None
    assert grid._numeric_array([1] * 100) is None
    assert grid._numeric_array(np.ma.masked_array(np.arange(101), mask=[False] * 101)) is None
    many = grid.Values("epsilon", [-1] * 25, 0)
    assert len(many.problems()) == 20


def test_cells():
    assert table._cell(None, 18) == ""
    assert table._cell(math.nan, 18) == ""
    assert table._cell((1, 2), 18) == "1\n2"
    assert table._cell(0.5, 18) == "0.5"
    assert table._cell(F(1, 3), 18) == "1/3"
    assert table._cell("word", 18) == "word"
    assert table._cell(2**70, 18) == "71 bits"
    assert table._decimal("word", True) == "word"
    assert table._decimal(True, True) == "True"
    assert table._decimal(F(1, 4), True) == "0.25"
    assert table._decimal(sympy.sqrt(4) + sympy.pi, True).startswith("5.14159265")
    assert table._decimal(F(10**400), True) == ""
    assert table._written_out("word") == "word"
    assert table._written_out(7) == "7"
    assert table._written_out(sympy.sqrt(2)) == "sqrt(2)"
    assert table._written_out(F(1, 3)) == "1/3"
    assert table._written_out(F(10**5000, 3)) == "1" + "0" * 5000 + "/3"
    assert table.as_float(sympy.pi) == pytest.approx(math.pi)
    assert table.as_float(sympy.Rational(1, 2)) == 0.5
    assert math.isnan(table.as_float(None))


def test_tables_as_files(tmp_path):
    found = bounds.sweep(theorem="derived.one_layer_linf", **{**GIVEN, "epsilon": ["1/10", "1/7"]})
    assert [row["epsilon"] for row in json.loads(found.to_json())] == ["1/10", "1/7"]
    refused = bounds.sweep(theorem="derived.one_layer_linf", **{**GIVEN, "epsilon": [1, -1]})
    assert "≥" in refused.to_json() or "ε" in refused.to_json()
    # Without a direction a long integer is rounded up.
    rounded = table.Table(["n"], [{"n": 2**70 + 1}])
    rounded.to_csv(tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_text().split() == ["n", "11805916207174114e5"]


def test_both_sides_word_for_word():
    found = bounds.bracket(**ONE, **GIVEN, assume={"true_lipschitz"})
    rows = {row[0]: row for row in found._rows()}
    assert rows["necessary"][3] == "no shorter length is enough"
    assert rows["sufficient"][3] == found.sufficient.conclusion
    facts = dict(found._facts())
    assert facts["asserted"] == "true_lipschitz"
    assert {"by default, necessary", "by default, sufficient"} <= set(facts)
    assert str(found).splitlines()[1].split() == ["side", "length", "theorem", "says"]
    assert "<th style='text-align:left'>length</th>" in found._repr_html_()
    assert set(found.to_dict()) == {
        *("setting", "parameters", "measured", "assume", "necessary", "sufficient", "paper"),
        *("ratio", "log2_ratio", "reasons"),
    }
    text = found.explain()
    for bound in (found.necessary, found.sufficient, found.paper):
        assert bound is None or bound.explain() in text


def test_laws_that_contradict_each_other_are_named():
    values = {"alpha_min": F(1), "transition_gap": F(1, 2), "stationary_min": F(1, 3)}
    found = [problem for problem in contradictions(values, set()) if "one law" in problem[2]]
    for name, given, allowed in found:
        assert values[name] == given
        assert f"beside {name}" not in allowed


def test_constants_of_two_residues_have_to_be_those_of_the_weights():
    """L' ≤ 2L holds for constants from the weights, not for the least ones; L' = L for Δ = 1."""
    entry = bounds.theorem("derived.lower_presence")
    setting = entry.setting
    values = {"lipschitz": F(1), "lipschitz_marginal": F(2), "period": F(2)}
    shown = not_of_the_pair(entry, setting, values, frozenset())
    least = not_of_the_pair(entry, setting, values, frozenset({"true_lipschitz"}))
    assert shown == ""
    assert least == "its pair is not shown to have L' = 2"
    one = {**values, "period": F(1), "lipschitz_marginal": F(1)}
    assert not_of_the_pair(entry, setting, one, frozenset()) == ""
    asserted = frozenset({"true_lipschitz"})
    assert not_of_the_pair(entry, setting, one, asserted) == ""


def test_hypotheses_use_the_letters_of_the_theory():
    texts = [h.text for h in bounds.theorem("derived.two_layer_softmax").hypotheses]
    assert any(text.startswith("Δ = 1") for text in texts)


# Answers over grids


def test_answers_with_a_large_error_are_on_the_safe_side():
    enough, needed = map(bounds.theorem, ("derived.one_layer_linf", "derived.lower_presence"))
    log2, error = np.array([10.0, 4000.0, np.nan]), np.array([5e-8, 1e-7, 0.0])
    up = sweep_arrays.Answers(enough, log2, error)
    assert list(up.log2[:2]) == [10.0 + 5e-8, 4000.0]
    down = sweep_arrays.Answers(needed, log2, error)
    assert list(down.log2[:2]) == [10.0 - 5e-8, 4000.0]
    assert up.known(0, "theorem") == enough.key
    assert up.known(0, "direction") == "sufficient"
    assert up.known(0, "constants") == "proved"
    assert up.known(0, "status") == "PROVED"
    assert up.known(1, "note") == ""
    assert "too large" in up.known(0, "note")
    assert "too small" in down.known(0, "note")
    assert up.known(2, "theorem") is None
    long = sweep_arrays.Answers(
        enough,
        sweep_arrays.MAX_BITS + np.array([-2.0, 2.0, 0.5, -0.5]),
        np.zeros(4),
    )
    status = [long.known(i, "status") for i in range(4)]
    assert status == ["PROVED", "TOO_LARGE", None, None]


def test_parts_of_a_grid():
    assert list(sweep_arrays._parts((), 0)) == [(0, 1)]
    parts = list(sweep_arrays._parts((7, 10**6), 1))
    assert parts[0][0] == 0
    assert parts[-1][1] == 10**6
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert sweep_arrays._keyword_of(symbols.locality) == "locality"
    with pytest.raises(NotVectorised, match="computed"):
        sweep_arrays._keyword_of(sympy.Symbol("unknown"))
    with pytest.raises(KeyError):
        sweep_arrays._Only({"epsilon": F(1)}, {"target"})["epsilon"]


def test_usable_values():
    gap = grid.Values("largest_gap", np.linspace(0, 1, 101), 0)
    assert list(sweep_arrays.usable(gap)[[0, 50, 100]]) == [True, True, False]
    positive = grid.Values("margin", np.linspace(-1, 1, 101), 0)
    assert list(sweep_arrays.usable(positive)[[0, 50, 51]]) == [False, False, True]
    assert sweep_arrays.usable(grid.Values("epsilon", np.arange(1, 102), 0)).all()
    whole = grid.Values("locality", np.arange(0, 101), 0)
    assert sweep_arrays.usable(whole).all()
    halves = grid.Values("locality", np.arange(0, 101) / 2, 0)
    assert list(sweep_arrays.usable(halves)[:3]) == [True, False, True]
    assert list(sweep_arrays.numbers(whole)[:3]) == [0, 1, 2]
    assert list(sweep_arrays.numbers(grid.Values("epsilon", [1, "1", "1/2"], 0))) == [0, 0, 1]
    floats = sweep_arrays.floats_of(grid.Values("epsilon", ["1/2", 10**400], 0))
    assert floats[0] == 0.5
    assert not np.isfinite(floats[1])


# Lanes


def test_lanes_of_arrays():
    small = lanes_of_array(np.array([1.0, 2.0]))
    assert (small.whole, float(small.error)) == (True, 0.0)
    mixed = lanes_of_array(np.array([1.0, 2.5]))
    assert (mixed.whole, float(mixed.error)) == (False, 2.0**-52)
    beyond = lanes_of_array(np.array([1.0, 2.0**60]))
    assert beyond.whole
    assert float(beyond.error) > 0
    late = lanes_of_array(np.array([1.0] * 300 + [0.5]))
    assert not late.whole
    narrow = lanes_of_array(np.array([1.5, 2.5], dtype=np.float16))
    assert float(narrow.error) == 2.0**-10
    assert not lanes_of_array(np.array([1e20, 2.0], dtype=np.float32)).whole


def test_lanes_of_exact_values():
    assert lanes_of([F(1), F(2)]).whole
    assert not lanes_of([F(1), F(1, 2)]).whole
    assert not lanes_of([F(1), None]).whole
    zero = lanes_of([F(0), F(1)])
    assert not zero.log
    assert lanes_of([F(1), F(10) ** 400]).log
    assert lanes_of([F(1), F(1, 10**400)]).log
    assert lanes_of([arb(3), F(1)]).value[0] == 3


# What is put in by name


def test_formulas_keep_extremes_as_written():
    a, b = symbols.epsilon, symbols.locality
    values = {a: b}
    assert _simplified(a + 1, values) == b + 1
    for kept in (sympy.ceiling(a / 3), sympy.Max(a, b, evaluate=False), sympy.floor(a / 3)):
        assert _simplified(kept, values) == kept
    assert _simplified(a + 1, {a: F(2)}) == a + 1


def test_settings_of_any_depth_take_the_layers_that_are_given():
    deep, shallow = bounds.theorem("derived.lower_two_layer"), bounds.theorem("derived.lower_tent")
    assert _setting_of(shallow, None, {}) == shallow.setting
    assert _setting_of(shallow, None, {}) is not None
    assert _setting_of(deep, None, {}) == deep.setting
    assert _setting_of(deep, 4, {}).layers == 4


def test_terms_of_taylor_series():
    """The least order at which half the range to it over a factorial is small enough."""
    for half, tolerance in [(F(5, 2), -10), (F(30), -40), (F(1, 9), -3), (F(1, 1000), -1)]:
        order, size = depth_error._taylor(2 * half, tolerance, 128)

        def term(k, half=half):
            return float(half) ** k / math.gamma(k + 1)

        assert float(size.mid()) == pytest.approx(term(order + 1), rel=1e-9)
        assert term(order + 1) <= 2.0**tolerance * (1 + 1e-9)
        assert order == 0 or term(order) > 2.0**tolerance
    assert depth_error._taylor(F(0), -10, 128)[0] == 0


def test_integers_of_constants():
    assert depth_constants._integer("lags", 7) == 7
    for bad in ("x", -1, F(1, 2)):
        with pytest.raises(ValueError, match="integer ≥ 0"):
            depth_constants._integer("lags", bad)
    assert depth_constants._integer("lags", 2**64 - 1) == 2**64 - 1
    with pytest.raises(ValueError, match="below 2"):
        depth_constants._integer("lags", 2**64)


def test_floats_of_what_has_no_length():
    bound = bounds.required_length(theorem="derived.one_layer_linf", **GIVEN)
    assert comparing.as_float(bound) == float(bound.length)
    with pytest.raises(TooLong, match="a float"):
        comparing.as_float(long_bound())


def test_equal_and_certainly_less():
    bound = bounds.required_length(theorem="derived.one_layer_linf", **GIVEN)
    assert comparing.order(bound, int(bound.length)) == 0
    assert comparing.order(bound, bound.length + 1) == -1
    with pytest.raises(NotComputable, match="too close"):
        comparing._by_bits(bound, F(int(bound.length)))
    with pytest.raises(NotComputable, match="logit range"):
        depth_error._taylor(F(2) ** 1300, -10, 128)


def test_every_value_fits_or_none_does():
    def one(value):
        return SimpleNamespace(length=1)

    for growing, kind in [(True, "greatest"), (False, "least")]:
        search = invert._Search("lipschitz", BY_KEYWORD["lipschitz"], one, 5, growing)
        with pytest.raises(bounds.NoSolution, match=f"there is no {kind} one"):
            search.real()
    given = {**{k: v for k, v in GIVEN.items() if k != "lipschitz"}, "epsilon": 1}
    with pytest.raises(bounds.NoSolution, match=r"L = 1 makes \(target − ε\)/2 = 1"):
        bounds.solve_for("lipschitz", length=2, theorem="derived.one_layer_linf", **given)


def test_no_is_false_and_no_reason_is_empty():
    one, two = (bounds.theorem(f"derived.{k}").setting for k in ("lower_tent", "two_layer_softmax"))
    assert one.covers(two) is False
    assert one.covers(one) is True
    scope = bounds.theorem("derived.lower_tent").scope
    assert scope.refused_law({"epsilon"}, ()) == ""
    assert BY_KEYWORD["locality"]._contains(F(1, 2)) is False
    assert BY_KEYWORD["locality"]._contains(F(1)) is True


def test_how_far_a_refusal_is_from_an_answer():
    given = {k: v for k, v in GIVEN.items() if k not in ("margin", "locality")}
    with pytest.raises(ParameterError) as missing:
        bounds.required_length(theorem="derived.one_layer_linf", **given)
    assert length._distance(missing.value) == (0, 2)
    with pytest.raises(ParameterError) as violated:
        bounds.required_length(
            theorem="derived.two_layer_softmax",
            **{"epsilon": 1, "complexity_balanced": 2, "positional_margin": 1},
            **{"locality": 0, "period": 2},
        )
    assert length._distance(violated.value)[0] == 1


def test_ratios_beyond_floats():
    assert sys.modules["bounds.bracket"]._rounded(F(2) ** 1000, 1000.0) == "2^1000"
    assert sys.modules["bounds.bracket"]._rounded(F(2) ** 999, 999.0) == "5.358e+300"
    assert sys.modules["bounds.bracket"]._rounded(F(5, 2), None) == "2.5"


def test_long_tables_say_how_many_rows_are_left():
    found = bounds.sweep(
        theorem="derived.one_layer_linf", **{**GIVEN, "epsilon": [F(1, k) for k in range(1, 252)]}
    )
    assert "… and 151 more rows" in found._repr_html_()


def test_columns_of_theorems_without_rules_on_arrays():
    keys = ["derived.one_layer_linf_chain", "derived.one_layer_linf"]
    given = {**GIVEN, "epsilon": ["1/10", "1/7", -1], "heads": 1}
    found = bounds.sweep(theorem=keys, **given)
    floats = found.column("log2_length")
    known = [math.nan if x is None else x for x in floats]
    assert np.array_equal(found.column("log2_length", float), known, equal_nan=True)
    assert len(found) == 6
    for number, row in zip(floats, found, strict=True):
        if row["log2_length"] is None:
            assert number is None
            continue
        values = {**given, "epsilon": row["epsilon"]}
        answer = bounds.required_length(theorem=row["theorem"], **values)
        assert number == pytest.approx(math.log2(answer.length), rel=1e-9)
