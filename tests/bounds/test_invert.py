"""`solve_for`: the solver tested apart from the mathematics, then round trips on the theorems."""

import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bounds
from bounds.invert import _Search, simplest_between
from bounds.parameters import BY_KEYWORD

KEY = "derived.one_layer_linf"
GIVEN = {
    "epsilon": Fraction(1, 10),
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 4,
    "margin": 1,
}


def fake(length_at):
    """A bound that is any function: only its length matters to the solver."""

    def bound(value):
        length = length_at(value)
        return SimpleNamespace(
            length=length, log2_length=math.log2(length), dominant=None, terms={}, theorem=None
        )

    return bound


def step(value):
    return 10 if value <= Fraction(7, 3) else 1000


def square(value):
    return max(1, math.ceil(value**2))


@pytest.mark.parametrize(
    ("length_at", "length", "root"), [(square, 1000, None), (step, 50, Fraction(7, 3))]
)
def test_greatest_real_on_a_growing_function(length_at, length, root):
    row = BY_KEYWORD["lipschitz"]
    value = _Search("lipschitz", row, fake(length_at), length, growing=True).real()
    assert length_at(value) <= length
    assert length_at(value * (1 + Fraction(1, 2**40))) > length
    assert root is None or value == root


def test_least_real_on_a_falling_function():
    row = BY_KEYWORD["margin"]

    def falling(value):
        return math.ceil(1 / value)

    value = _Search("margin", row, fake(falling), 12, growing=False).real()
    assert value == Fraction(1, 12)


def test_a_sawtooth_still_ends_on_the_safe_side():
    def sawtooth(value):
        return max(1, math.ceil(value + 3 * (value % 1)))

    row = BY_KEYWORD["lipschitz"]
    value = _Search("lipschitz", row, fake(sawtooth), 100, growing=True).real()
    assert sawtooth(value) <= 100


@pytest.mark.parametrize("limit", [1, 2, 3, 17, 1000, 10**6 + 1])
def test_greatest_integer(limit):
    row = BY_KEYWORD["period"]
    search = _Search("period", row, fake(lambda value: int(value)), limit, growing=True)
    assert search.integer() == limit


def test_impossible_and_unbounded_requests_are_refused_with_the_reason():
    row = BY_KEYWORD["period"]
    with pytest.raises(
        bounds.NoSolution, match="even at period = 1 length 500 is needed, given 100"
    ):
        _Search("period", row, fake(lambda value: 500), 100, growing=True).integer()
    with pytest.raises(bounds.NoSolution, match="every value fits; there is no greatest one"):
        _Search("period", row, fake(lambda value: 5), 100, growing=True).integer()
    row = BY_KEYWORD["margin"]
    with pytest.raises(bounds.NoSolution, match="every value fits; there is no least one"):
        _Search("margin", row, fake(lambda value: 5), 100, growing=False).real()
    with pytest.raises(bounds.NoSolution, match=r"even at margin = about 2\^25. length 500"):
        _Search("margin", row, fake(lambda value: 500), 100, growing=False).real()


@pytest.mark.slow
@given(
    st.fractions(min_value=0, max_value=10**6),
    st.fractions(min_value=0, max_value=1, max_denominator=10**6),
)
def test_simplest_fraction_in_an_interval(low, width):
    value = simplest_between(low, low + width)
    assert low <= value <= low + width
    for denominator in range(1, min(value.denominator, 200)):
        assert math.ceil(low * denominator) > (low + width) * denominator


@pytest.mark.parametrize("unknown", [*GIVEN, "heads"])
@pytest.mark.parametrize("length", [963, 4096, 10**9])
def test_round_trip_of_every_parameter(unknown, length):
    given = {k: v for k, v in GIVEN.items() if k != unknown}
    try:
        value = bounds.solve_for(unknown, length=length, theorem=KEY, **given)
    except bounds.NoSolution as reason:
        if "every value fits" in str(reason):  # from some number of heads on, N is the same
            assert unknown == "heads"
            many = bounds.required_length(theorem=KEY, **given, heads=10**6).length
            assert many == bounds.required_length(theorem=KEY, **given, heads=3).length <= length
            return
        # refused: then even the most favourable value must be too long
        row = BY_KEYWORD[unknown]
        best = row.lower if row.effect > 0 else Fraction(2**256)
        bound = bounds.required_length(theorem=KEY, **given, **{unknown: best})
        assert bound.length > length
        return
    row = BY_KEYWORD[unknown]
    assert type(value.value) is (int if row.kind == "integer" else Fraction)
    fits = bounds.required_length(theorem=KEY, **given, **{unknown: value})
    assert fits.length <= length
    nudge = 1 if row.kind == "integer" else value * Fraction(1, 2**40)
    beyond = value + nudge if row.effect > 0 else value - nudge
    too_long = bounds.required_length(theorem=KEY, **given, **{unknown: beyond})
    assert too_long.length is None or too_long.length > length


def test_the_exact_value_comes_back():
    for unknown in ("epsilon", "lipschitz", "vocabulary_size", "period", "locality"):
        given = {k: v for k, v in GIVEN.items() if k != unknown}
        assert bounds.solve_for(unknown, length=963, theorem=KEY, **given) == GIVEN[unknown]
    assert bounds.solve_for("target", length=963, theorem=KEY, **GIVEN) == Fraction(3, 10)


def test_with_a_target_the_greatest_epsilon_is_meant():
    given = {k: v for k, v in GIVEN.items() if k != "epsilon"} | {"target": "3/10"}
    assert bounds.solve_for("epsilon", length=963, theorem=KEY, **given) == Fraction(1, 10)
    assert bounds.solve_for("epsilon", length=10**9, theorem=KEY, **given) > Fraction(299, 1000)
    with pytest.raises(bounds.NoSolution, match="needed"):
        bounds.solve_for("epsilon", length=100, theorem=KEY, **given)


def test_a_threshold_that_no_value_passes_is_named():
    given = GIVEN | {"precision_bits": 80}
    del given["vocabulary_size"]
    with pytest.raises(bounds.NoSolution, match="largest term there is 'hardmax threshold'"):
        bounds.solve_for("vocabulary_size", length=10**6, theorem=KEY, **given)


@pytest.mark.parametrize(
    ("unknown", "length", "more", "message"),
    [
        ("epsilonn", 10, {}, "unknown: got 'epsilonn' (str); allowed: a known parameter name; did"),
        ("eps", 10, {}, "did you mean 'epsilon'?"),
        ("n", 10, {}, "unknown: got 'n' (str); allowed: one of epsilon, target, "),
        (
            "epsilon",
            10,
            {"epsilon": 1},
            "epsilon: got 1 (int); allowed: nothing: it is the unknown",
        ),
        ("block", 10, {}, "unknown: got 'block' (str); allowed: a parameter in which"),
        ("epsilon", 0, {}, "length: got 0 (int); allowed: an integer ≥ 1"),
        ("epsilon", 2.5, {}, "length: got 2.5 (float); allowed: an integer ≥ 1"),
        ("epsilon", True, {}, "length: got True (bool); allowed: an integer ≥ 1"),
    ],
)
def test_bad_requests(unknown, length, more, message):
    given = {k: v for k, v in GIVEN.items() if k != "epsilon"} | more
    with pytest.raises(bounds.ParameterError) as caught:
        bounds.solve_for(unknown, length=length, theorem=KEY, **given)
    assert message in str(caught.value)


def test_values_outside_the_hypotheses_are_stepped_over():
    # ε < 1 only, and (1/ε)^(C k²) ≤ 4096 at k = 2: ε = 1/8
    assert bounds.solve_for("epsilon", length=4096, theorem="izzo2025.kgram", context=2) == (
        Fraction(1, 8)
    )
    given = {"theorem": "derived.lower_presence", "vocabulary_size": 3}
    epsilon = bounds.solve_for("epsilon", length=4096, lipschitz=4, **given)
    assert bounds.required_length(epsilon=epsilon, lipschitz=4, **given).length <= 4096
    assert epsilon == Fraction(4, 2 * 4096)  # L/(2ε) = 4096
    assert bounds.solve_for("lipschitz", length=40, epsilon="1/10", **given) == 8
    tent = {"theorem": "derived.lower_tent", "epsilon": "1/100", "lipschitz": 4, "period": 2}
    size = bounds.solve_for("vocabulary_size", length=4096, **tent)  # |Σ| ≥ 2 only
    assert bounds.required_length(vocabulary_size=size, **tent).length <= 4096
    assert bounds.required_length(vocabulary_size=size + 1, **tent).length > 4096


def test_what_is_missing_or_without_influence_is_named():
    with pytest.raises(bounds.ParameterError, match="lipschitz: missing") as caught:
        bounds.solve_for("epsilon", length=10, theorem=KEY)
    assert "margin" in str(caught.value)
    with pytest.raises(bounds.NoSolution, match=f"{KEY} does not depend on it"):
        bounds.solve_for("complexity", length=10, theorem=KEY, **GIVEN)
    setting = {"error": "linf", "attention": "argmax", "layers": 1}
    with pytest.raises(bounds.NoSolution, match="for linf, argmax, 1 layer depends on it"):
        bounds.solve_for("complexity", length=10, **setting, **GIVEN)
    with pytest.raises(bounds.ParameterError, match="γ > 1"):
        bounds.solve_for(
            "lipschitz",
            length=10,
            theorem="derived.one_layer_linf_steep",
            **{k: v for k, v in GIVEN.items() if k != "lipschitz"},
        )


def test_lengths_beyond_all_digits_may_be_given():
    given = {k: v for k, v in GIVEN.items() if k != "precision_bits"}
    bits = bounds.solve_for("precision_bits", length=2**200_000, theorem=KEY, **given)
    assert bits in (199_999, 200_000)


def test_the_edge_of_a_hypothesis_is_found_exactly():
    given = {"lipschitz": 1, "vocabulary_size": 3, "period": 1, "epsilon": Fraction(1, 50)}
    given["assume"] = {"no_lag_bias", "true_lipschitz"}  # (|Σ| − 2)/d², an integer at 3ε
    key = "derived.lower_linf_c3"  # needs target ≤ 3ε
    length = bounds.required_length(theorem=key, **given).length
    assert bounds.solve_for("target", length=length, theorem=key, **given) == Fraction(3, 50)
    with pytest.raises(bounds.NoSolution, match="even at target = 3/50"):
        bounds.solve_for("target", length=length - 1, theorem=key, **given)


def _three_layers():
    head = bounds.HeadConstants(*(Fraction(1, 4),) * 4, 1, 1, "balanced")
    return bounds.DepthConstants((bounds.LayerConstants(1, 1, (head,)),) * 3)


def _base_values():
    values = {row.keyword: Fraction(2) for row in bounds.PARAMETERS}
    ones = (
        "lipschitz",
        "lipschitz_other",
        "lipschitz_marginal",
        "period",
        "locality",
        "heads",
        "logit_range",
    )
    values |= {k: Fraction(1) for k in (*ones, "block", "amplitude", "constant")}
    halves = ("margin", "positional_margin", "alpha_min", "spectral_gap", "attention_weight")
    values |= {k: Fraction(1, 2) for k in halves}
    quarters = ("class_probability", "largest_gap", "stationary_min")
    values |= {k: Fraction(1, 4) for k in quarters} | {"gram_probability": Fraction(1, 4)}
    small = {"epsilon": Fraction(1, 10**7), "vocabulary_size": Fraction(3)}
    return values | small | {"precision_bits": Fraction(8)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry", [t for t in bounds.theorems() if t.formula and t.parameters], ids=lambda t: t.key
)
def test_round_trip_of_every_parameter_of_every_theorem(entry):
    """At the length of given values, solving for any of them gives a value that fits again."""
    base = _base_values()
    base |= {"margin": Fraction(3, 2)} if entry.key.endswith("steep") else {}
    base |= {"period": Fraction(2)} if entry.key == "derived.lower_average" else {}
    base |= {"depth_constants": _three_layers()}
    base |= {"epsilon": Fraction(1, 10**5)} if entry.key.endswith("window") else {}
    base |= {"epsilon": Fraction(1, 100)} if entry.key.endswith("argmax_margin") else {}
    if "tie_tolerance" in entry.parameters and entry.key != "derived.lower_near_tie":
        # Near ties that leave room for an error of ε: tanh(κ ln(T*)/4) < ε.
        base |= {"tie_tolerance": Fraction(1, 10**8), "horizon": Fraction(2**20)}
    given = {k: base[k] for k in entry.parameters if k != "target"}
    bound = bounds.required_length(theorem=entry.key, **given)
    assert bound.length is not None
    solved = []
    for unknown in given:
        if BY_KEYWORD[unknown].effect == 0 or BY_KEYWORD[unknown].kind == "structure":
            continue
        rest = {k: v for k, v in given.items() if k != unknown}
        try:
            value = bounds.solve_for(
                unknown, length=max(1, bound.length), theorem=entry.key, **rest
            )
        except bounds.NoSolution as refusal:
            # not a power of it here: every value gives at most this length
            if "every value fits" not in str(refusal):
                raise
            continue
        back = bounds.required_length(theorem=entry.key, **rest, **{unknown: value})
        assert back.length <= max(1, bound.length)
        solved.append(unknown)
    assert solved


_ONE_LAYER = {
    "theorem": "derived.one_layer_linf",
    "epsilon": "1/10",
    "lipschitz": 1,
    "vocabulary_size": 2,
    "period": 1,
    "precision_bits": 4,
    "heads": 1,
}


@pytest.mark.parametrize(
    ("unknown", "given"),
    [
        ("locality", {"assume": {"no_lag_bias"}, "margin": 1}),
        ("margin", {"largest_gap": "1/2", "locality": 0}),
    ],
)
def test_answers_are_accepted_by_required_length(unknown, given):
    """They were 8262 lags without a lag bias, and a margin above the largest gap."""
    found = bounds.solve_for(unknown, length=10**6, **_ONE_LAYER, **given)
    assert bounds.required_length(**_ONE_LAYER, **given, **{unknown: found}).length <= 10**6
    if unknown == "locality":
        assert found == 0
