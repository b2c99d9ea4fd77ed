"""`required_length`: the number, what it says about itself, and what it refuses."""

import json
import time
from fractions import Fraction

import pytest
import sympy

import bounds

ONE_LAYER = {"error": "linf", "attention": "argmax", "layers": 1}
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


def test_the_known_value():
    bound = bounds.required_length(theorem=THEOREM_1, **GIVEN)
    assert bound.length == 963
    assert bound.terms["simulation"].length == 963
    assert bound.terms["hardmax threshold"].length == 17
    assert bound.dominant == "simulation"
    assert bound.status is bounds.Status.PROVED
    assert bound.direction == "sufficient"
    assert bound.constants == "proved"
    assert bound.conclusion == "|f − g| ≤ 3 ε = 3/10 at every length"


def test_floats_strings_and_sympy_numbers_mean_the_same():
    for epsilon in (0.1, "0.1", Fraction(1, 10), sympy.Rational(1, 10)):
        assert (
            bounds.required_length(theorem=THEOREM_1, **GIVEN | {"epsilon": epsilon}).length == 963
        )


def test_the_expression_is_in_the_public_symbols():
    bound = bounds.required_length(theorem=THEOREM_1, **GIVEN)
    values = {bounds.symbols[k]: sympy.Rational(str(v)) for k, v in GIVEN.items()}
    values |= {bounds.symbols.heads: 1, bounds.symbols.target: sympy.Rational(3, 10)}
    values |= {bounds.symbols.lipschitz_other: values[bounds.symbols.lipschitz]}
    assert bound.expression.subs(values) == 963
    assert bound.expression.free_symbols == values.keys()


def test_without_a_key_the_shortest_guarantee_is_taken():
    best = bounds.required_length(**ONE_LAYER, **GIVEN)
    lengths = [best.length, *(other.length for other in best.alternatives)]
    assert lengths == sorted(lengths)
    keys = {best.theorem.key, *(other.theorem.key for other in best.alternatives)}
    assert THEOREM_1 in keys
    assert "izzo2025.4.1" not in keys  # an order of growth is no guarantee
    assert best.length <= 963


def test_an_order_of_growth_never_looks_like_a_guarantee():
    bound = bounds.required_length(theorem="izzo2025.4.1", **GIVEN)
    assert bound.status is bounds.Status.ORDER_OF_GROWTH
    assert bound.constants == "implicit (C = 1)"
    assert bound.length == 100 * 2**7 * 3**6
    for text in (str(bound), repr(bound), bound._repr_html_(), bound.explain(), sympy.latex(bound)):
        assert "order of growth" in text.lower()
        assert "guarantee" in text
    doubled = bounds.required_length(theorem="izzo2025.4.1", constant=2, **GIVEN)
    assert doubled.constants == "implicit (C = 2)"
    assert doubled.length == 2 * bound.length
    assert bounds.symbols.constant in bound.expression.free_symbols


def test_every_uncertain_point_of_the_paper_is_said():
    for entry in bounds.theorems(source="izzo2025"):
        assert entry.uncertain
        assert entry.constants == "implicit"
        assert entry.source.second_hand
        if entry.setting is not None:
            given = {row.keyword: 2 for row in bounds.PARAMETERS if row.keyword in entry.parameters}
            given |= {"epsilon": "1/10", "constant": 1}
            explained = bounds.required_length(theorem=entry.key, **given).explain()
            assert all(point in explained for point in entry.uncertain)


@pytest.mark.parametrize("ratio", [1, 10, 1000, 10**5 - 1, 10**5, 10**6, 10**9])
def test_any_hardmax_threshold_answers_prints_and_serialises(ratio):
    given = GIVEN | {"precision_bits": ratio}
    bounds.required_length(theorem=THEOREM_1, **given)  # the first call builds the formula
    start = time.perf_counter()
    bound = bounds.required_length(theorem=THEOREM_1, **given)
    assert time.perf_counter() - start < 1  # milliseconds; the margin is for a loaded machine
    if ratio >= 1000:
        assert bound.log2_length == pytest.approx(ratio, rel=1e-9)
        assert bound.dominant == "hardmax threshold"
    assert (bound.length is None) == (ratio >= 10**5)
    back = json.loads(json.dumps(bound.to_dict()))
    assert back["log2_length"] == bound.log2_length
    assert back["length"] == (bound.length if ratio <= 1000 else None)
    if back["length_hex"]:
        assert int(back["length_hex"], 16) == bound.length
    for show in (
        str,
        repr,
        bounds.LengthBound.explain,
        bounds.LengthBound._repr_html_,
        sympy.latex,
    ):
        assert "inf" not in show(bound).replace("linf", "").replace("info", "")


def test_margins_may_be_any_exact_number():
    tenth = bounds.required_length(
        theorem=THEOREM_1, **GIVEN | {"precision_bits": 10, "margin": 0.1}
    )
    assert 2**100 <= tenth.length <= 2**100 + 4
    root = bounds.required_length(theorem=THEOREM_1, **GIVEN | {"margin": sympy.sqrt(2) / 10})
    assert root.log2_length == pytest.approx(40 / 2**0.5, rel=1e-6)


def test_target_sharpens_or_relaxes():
    default = bounds.required_length(theorem=THEOREM_1, **GIVEN)
    same = bounds.required_length(theorem=THEOREM_1, target="3/10", **GIVEN)
    loose = bounds.required_length(theorem=THEOREM_1, target="1", **GIVEN)
    tight = bounds.required_length(theorem=THEOREM_1, target="1/9", **GIVEN)
    assert default.length == same.length
    assert loose.length < default.length < tight.length
    exact = bounds.required_length(theorem=THEOREM_1, target="1/5", **GIVEN | {"epsilon": 0})
    assert exact.length == default.length  # s = 1/10 in both


def test_where_simulation_is_trivial_one_period_is_enough():
    assert bounds.required_length(theorem=THEOREM_1, **GIVEN | {"epsilon": 1}).length == 2
    assert bounds.required_length(theorem=THEOREM_1, **GIVEN | {"lipschitz": 0}).length == 2


def test_unused_parameters_are_named():
    bound = bounds.required_length(theorem=THEOREM_1, complexity=3, **GIVEN)
    assert bound.unused == ("complexity",)
    assert "complexity" in bound.explain()


def test_html_and_latex_for_notebooks():
    bound = bounds.required_length(theorem=THEOREM_1, **GIVEN)
    assert "963" in bound._repr_html_()
    assert bound._repr_latex_().startswith("$")
    sympy.init_printing()  # must not suppress the LaTeX (as it does for a bare _repr_latex_)
    assert "963" in sympy.latex(bound)
    assert sympy.pretty(bound, wrap_line=False) == str(bound)
    assert r"\varepsilon" in bounds.theorem("izzo2025.4.1").latex()


def test_cite_is_bibtex_of_the_theorem_used():
    assert "2510.27015" in bounds.required_length(theorem="izzo2025.4.1", **GIVEN).cite()
    assert (
        bounds.required_length(theorem=THEOREM_1, **GIVEN).cite().startswith("@software{lgbounds")
    )


BAD = [
    ({"epsilon": "x"}, "epsilon: got 'x' (str); allowed: a real number ≥ 0"),
    ({"epsilon": -1}, "epsilon: got -1 (int); allowed: a real number ≥ 0"),
    ({"epsilon": float("nan")}, "epsilon: got nan (float); allowed: a real number ≥ 0"),
    ({"lipschitz": float("inf")}, "lipschitz: got inf (float)"),
    ({"period": 0}, "period: got 0 (int); allowed: an integer ≥ 1"),
    ({"period": True}, "period: got True (bool); allowed: an integer ≥ 1; a number, not a truth"),
    ({"period": 1.5}, "period: got 1.5 (float); allowed: an integer ≥ 1"),
    ({"locality": -1}, "locality: got -1 (int); allowed: an integer ≥ 0"),
    ({"vocabulary_size": None}, "vocabulary_size: got None; allowed: an integer ≥ 1"),
    ({"precision_bits": "many"}, "precision_bits: got 'many' (str)"),
    ({"margin": 0}, "margin: got 0 (int); allowed: a real number > 0"),
    ({"heads": 0}, "heads: got 0 (int); allowed: an integer ≥ 1"),
    ({"target": "1/10"}, "target: got 1/10 (Fraction); allowed: a number greater than"),
    ({"epsilon": 0}, "target: missing; needed: a number > 0, since epsilon = 0"),
    (
        {"periods": 2},
        "periods: got 2 (int); allowed: a known parameter name; did you mean 'period'?",
    ),
    ({"theorem": "izzo2025.9"}, "theorem: got 'izzo2025.9' (str); allowed: a key that bounds"),
    ({"layers": 2}, "layers: got 2 (int); allowed: 1, the setting of derived.one_layer_linf"),
    ({"layers": 0}, "layers: got 0 (int); allowed: an integer ≥ 1"),
    ({"layers": 2.5}, "layers: got 2.5 (float); allowed: an integer ≥ 1"),
    ({"layers": True}, "layers: got True (bool); allowed: an integer ≥ 1"),
    ({"error": "max"}, "error: got 'max' (str); allowed: 'linf' or 'average'"),
    ({"attention": "hard"}, "attention: got 'hard' (str); allowed: 'argmax' or 'softmax'"),
    ({"assume": {"nothing"}}, "assume: got 'nothing' (str); allowed: names of hypotheses"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_gets_one_clear_error(change, message):
    with pytest.raises(bounds.ParameterError) as caught:
        bounds.required_length(**{"theorem": THEOREM_1} | GIVEN | change)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, bounds.BoundsError)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_missing_parameter_is_named_with_all_that_are_needed():
    given = {k: v for k, v in GIVEN.items() if k not in ("margin", "period")}
    with pytest.raises(bounds.ParameterError) as caught:
        bounds.required_length(theorem=THEOREM_1, **given)
    assert {problem.name for problem in caught.value.problems} == {"margin", "period"}


def test_all_problems_are_reported_at_once():
    with pytest.raises(bounds.ParameterError) as caught:
        bounds.required_length(theorem=THEOREM_1, **GIVEN | {"period": 0, "margin": -1, "tau": 1})
    assert {problem.name for problem in caught.value.problems} == {"period", "margin", "tau"}


def test_a_setting_must_be_named_without_a_theorem():
    with pytest.raises(bounds.ParameterError, match="error: missing"):
        bounds.required_length(**GIVEN)


def test_an_astronomical_exponent_is_refused_not_rounded_to_infinity():
    with pytest.raises(bounds.NotComputable, match="log2"):
        bounds.required_length(theorem=THEOREM_1, **GIVEN | {"margin": "1e-320"})


def test_theorems_can_be_filtered():
    everything = bounds.theorems()
    assert {
        "izzo2025.4.1",
        "izzo2025.4.2",
        "izzo2025.5.2",
        "izzo2025.lemma5.3",
        "izzo2025.kgram",
    } < {entry.key for entry in everything}
    proved = bounds.theorems(error="linf", attention="argmax", layers=1, constants="proved")
    assert THEOREM_1 in {entry.key for entry in proved}
    assert all(entry.setting == bounds.Setting("linf", "argmax", 1) for entry in proved)
    assert "izzo2025.4.1" in str(everything)
    assert "<table>" in everything._repr_html_()
    with pytest.raises(bounds.ParameterError, match="direction: got 'up'"):
        bounds.theorems(direction="up")


def test_powers_are_machine_readable():
    paper, ours = bounds.theorem("izzo2025.4.1"), bounds.theorem(THEOREM_1)
    assert paper.exponent("epsilon") == -2
    sizes = {bounds.symbols.heads: 2, bounds.symbols.period: 2}
    powers = [
        ours.exponent("epsilon").subs(sizes | {bounds.symbols.vocabulary_size: n})
        for n in (1, 2, 9)
    ]
    assert powers == [-1, -3, -4]  # min{2H, Δ(|Σ| − 1) + 1} levels
    assert (paper.exponent("period"), ours.exponent("period")) == (7, 2)
    assert ours.exponent("complexity") == 0
    assert ours.compares_with == paper.key
    with pytest.raises(KeyError, match="states no power of 'margin'"):
        ours.exponent("margin")


def test_symbols_by_attribute_and_by_key():
    assert bounds.symbols.epsilon is bounds.symbols["epsilon"]
    assert "period" in dir(bounds.symbols)
    with pytest.raises(AttributeError, match="no symbol 'eps'; there are: epsilon"):
        _ = bounds.symbols.eps


def test_a_chain_of_thousands_of_links_answers_soon():
    start = time.perf_counter()
    given = GIVEN | {"epsilon": 0, "target": "1e-3000"}
    bound = bounds.required_length(theorem="derived.one_layer_linf_chain", **given)
    assert 9965 < bound.log2_length < 10_000  # 1/target, not its square
    assert time.perf_counter() - start < 10  # it was 40 s
