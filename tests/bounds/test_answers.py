"""A `LengthBound` as a number, and what it shows: every value, the formula, what stands in the way."""

import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy

import bounds
from bounds.answer import show_length
from bounds.evaluate import certify
from bounds.parameters import read_all

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


def ask(key=KEY, **change):
    return bounds.required_length(theorem=key, **GIVEN | change)


def test_a_bound_is_the_number_that_it_gives():
    bound = ask()
    assert (int(bound), float(bound), f"{bound:,}", f"{bound:08d}") == (
        963,
        963.0,
        "963",
        "00000963",
    )
    assert f"{ask(epsilon='1/1000'):,}" == "8,016,003"
    assert f"{bound:.2e}" == "9.63e+02"
    assert f"{bound}" == str(bound)
    with pytest.raises(ValueError, match="format"):
        f"{bound:q}"


def test_what_a_kind_of_number_cannot_hold_is_refused_with_the_way_out():
    digits, no_float, no_integer = ask(margin="1/3000"), ask(margin="1/200"), ask(margin="1e-5")
    assert int(digits).bit_length() == 24_001
    for change, bound in (
        (lambda b: f"{b:,}", digits),
        (float, digits),
        (float, no_float),
        (lambda b: f"{b:.3e}", no_float),
        (int, no_integer),
        (float, no_integer),
    ):
        with pytest.raises(bounds.TooLong, match="use log2_length") as caught:
            change(bound)
        assert isinstance(caught.value, OverflowError)
        assert caught.value.log2_length == bound.log2_length
    assert f"{no_float:d}" == str(2**1600 + 1)


def test_an_order_of_growth_is_no_number_to_train_with():
    rough = ask("izzo2025.4.1")
    for change in (int, float, lambda b: f"{b:,}"):
        with pytest.raises(bounds.NotComputable, match="no guarantee; its value at that C"):
            change(rough)
    assert rough.length == 9_331_200
    none = bounds.required_length(theorem="derived.no_bound_two_layer_argmax")
    with pytest.raises(bounds.NotComputable, match="gives no number"):
        int(none)
    with pytest.raises(bounds.NotComputable, match="gives no number"):
        _ = none < rough


def test_equal_means_the_same_theorem_parameters_and_length():
    assert ask() == ask(epsilon=0.1)
    assert hash(ask()) == hash(ask(epsilon=0.1))
    assert ask() != ask(target="3/10", epsilon="1/10", period=3)
    assert ask() == ask(target="3/10")  # the same values, given or taken by default
    assert ask() != ask("izzo2025.4.1")
    assert ask() != 963  # a bound is more than its length: compare `.length`
    assert len({ask(), ask(), ask(period=3)}) == 2


def test_bounds_sort_by_length():
    mixed = [ask(margin="1e-5"), ask(), ask(period=3), ask(margin="1/3000"), ask(margin="1e-6")]
    logs = [b.log2_length for b in sorted(mixed)]
    assert logs == sorted(logs)
    assert max(mixed).log2_length == 8e6
    best = bounds.required_length(error="linf", attention="argmax", layers=1, **GIVEN)
    assert all(best <= other for other in best.alternatives)
    assert list(best.alternatives) == sorted(best.alternatives)


def test_bounds_compare_with_numbers():
    bound, long = ask(), ask(margin="1e-5")  # 963 and 2^800,000 + 1
    assert bound <= 963 <= bound
    assert not bound < 963
    assert bound < 963.5
    assert bound > Fraction(9629, 10)
    assert bound < np.int64(1000)
    assert bound < math.inf
    assert not bound < math.nan
    assert long > 10**4000
    assert long > 2**799_999
    assert long < 2**800_001
    assert long > 2**800_000 - 2**799_900
    assert long > -1
    with pytest.raises(TypeError, match="no length can be compared with str"):
        _ = bound < "many"


def test_lengths_too_long_to_write_compare_by_certified_bits_or_not_at_all():
    one, two = ask(margin="1e-5"), ask(margin="1e-5", epsilon="1/20")
    with pytest.raises(bounds.NotComputable, match="too close to tell"):
        _ = one < two  # both are 2^800,000 + 1
    assert one <= ask(margin="1e-5")  # the same question
    assert ask(margin="1.0000000001e-5") < one  # a log2 of 799,999.99992: apart
    near = ask(margin=Fraction(1, 100_000) * (1 + Fraction(1, 10**15)))  # the floats of log2 tie
    assert near.log2_length == pytest.approx(one.log2_length, rel=1e-14)
    assert near < one


def test_every_value_and_default_is_shown_everywhere():
    bound = ask()
    shown = {"str": str(bound), "explain": bound.explain(), "html": bound._repr_html_()}
    for name, text in shown.items():
        for part in ("ε = 1/10", "L = 1", "|Σ| = 3", "Δ = 2", "τ = 1", "p = 8", "γ = 1"):
            assert part in text, (name, part)
        assert "lipschitz_other = 1, heads = 1" in text
    data = bound.to_dict()
    assert set(data["defaults"]) == {"target", "lipschitz_other", "heads"}
    assert set(data["parameters"]) == {*GIVEN, *data["defaults"]}


def test_the_formula_is_in_the_html_the_text_and_the_latex_with_its_auxiliary_symbols():
    bound = ask()
    typeset = re.findall(r"\$\$(.*?)\$\$", bound._repr_html_(), re.DOTALL)
    assert len(typeset) == 1
    for text in (typeset[0], bound._repr_latex_()):
        assert r"\left\lceil" in text
        assert r"h_{0} = 2^{\frac{p}{\gamma}}" in text
        assert r"s = \frac{\eta}{2} - \frac{\varepsilon}{2}" in text
    assert "<" not in typeset[0]  # escaped: it is inside HTML
    assert "h_0 = 2^(p/γ)" in bound.explain()
    assert bounds.required_length(theorem="derived.no_bound_two_layer_argmax")._repr_html_()


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        (
            KEY,
            {"margin": "1/10"},
            (
                "2^(p/γ), p = 8, γ = 1/10",
                "two logits of one query",
                "half precision_bits, p (1,099,511,627,777)",
                "horizon=",
            ),
        ),
        (
            KEY,
            {"heads": 9, "epsilon": "1/100000"},
            ("the term 'simulation' decides", "half vocabulary_size, |Σ| (600,003)", "certificate"),
        ),
    ],
)
def test_an_astronomic_length_says_why_and_what_would_help(key, change, words):
    bound = ask(key, **change)
    assert bound.length is not None  # not only what is too long to write
    (line,) = [text for text in bound.explain().splitlines() if text.startswith("Out of reach")]
    for word in words:
        assert word in line
    assert bound.to_dict()["obstacle"] == line
    assert "out of reach" in bound._repr_html_()


def test_what_is_said_to_help_helps():
    bound = ask(margin="1/10")
    assert show_length(ask(margin="1/5").length, ask(margin="1/5").log2_length) in bound.explain()
    assert "Out of reach" not in ask().explain()


PARSED = [
    (KEY, {}),
    ("derived.one_layer_linf_limit", {"margin": 100, "locality": 0}),
    ("derived.lower_linf_c3", {}),
    ("izzo2025.4.1", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("key", "change"), PARSED)
def test_the_formula_in_json_is_code_in_the_keywords(key, change):
    bound = ask(key, **change)
    data = json.loads(json.dumps(bound.to_dict()))
    parsed = sympy.sympify(data["formula"], evaluate=False)
    assert {str(symbol) for symbol in parsed.free_symbols} <= set(data["symbols"])
    values = read_all(data["parameters"])
    exact = {symbol: values[str(symbol)] for symbol in parsed.free_symbols}
    assert certify(parsed, exact, bound.theorem.rounding).integer == bound.length
    for keyword, names in data["symbols"].items():
        assert bounds.symbols[keyword].name == names["sympy"]
        assert names["latex"] in data["latex"] or keyword in bound.defaults


SETTING = {"error": "linf", "attention": "argmax", "layers": 1}
ONE_LAYER = {"lipschitz": 1, "vocabulary_size": 3, "period": 2, "locality": 1}
ONE_LAYER |= {"precision_bits": 8, "margin": 1}


@pytest.mark.parametrize(("epsilon", "target"), [(10, None), (1, 3), (0, 2), ("1/2", "5/2")])
def test_a_target_that_nothing_can_miss_is_said_to_be_vacuous(epsilon, target):
    asked = {"epsilon": epsilon} | ({} if target is None else {"target": target})
    bound = bounds.required_length(**SETTING, **asked, **ONE_LAYER)
    assert bound.nothing_to_shorten
    assert bound.status is bounds.Status.PROVED
    for text in (bound.conclusion, bound.explain(), bound._repr_html_(), str(bound.to_dict())):
        assert "vacuous: s = (target − ε)/2 is at least L" in text
    just_below = {**ONE_LAYER, "lipschitz": bound.parameters["simulation_error"] + 1}
    bound = bounds.required_length(**SETTING, **asked, **just_below)
    assert not bound.nothing_to_shorten
    assert "vacuous" not in bound.explain()


def test_an_order_of_growth_is_not_called_vacuous():
    bound = bounds.required_length(theorem="izzo2025.4.1", epsilon=10, **ONE_LAYER)
    assert not bound.nothing_to_shorten
    assert "vacuous" not in bound.conclusion


def test_what_is_not_known_has_no_direction_and_no_constants():
    bound = bounds.required_length(theorem="derived.open_two_layer_argmax")
    assert bound.status is bounds.Status.UNKNOWN
    assert (bound.direction, bound.constants) == (None, "none")
    assert "sufficient" not in str(bound)
    data = bound.to_dict()
    assert (data["direction"], data["constants"]) == (None, "none")
    known = "derived.no_bound_two_layer_argmax"
    table = bounds.sweep(theorem=["derived.open_two_layer_argmax", known], epsilon="1/10")
    assert [row["direction"] for row in table] == [None, "necessary"]
    assert [row["constants"] for row in table] == ["none", "proved"]
