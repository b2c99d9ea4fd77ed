"""One layer, argmax, ℓ∞: terms by name, every link of the chain, hypotheses at their boundaries.

The lengths themselves have their second implementation in test_registry_linf.
"""

import math
from fractions import Fraction as F
from itertools import pairwise, product
from random import Random

import pytest
import sympy

import bounds
from bounds.evaluate import certify
from bounds.registry.necessary import linf_argmax_1
from bounds.registry.sources import derived
from tests.helpers.second_implementation import (
    evaluation,
    integers,
    mp,
    nested_terms,
    presence_terms,
    real,
    rounded,
)

pytestmark = pytest.mark.covers(
    "second formula",
    "derived.lower_limit",
    "derived.lower_linf_c3",
    "derived.lower_linf_chain",
    "derived.lower_presence",
    "derived.lower_shared_logits",
    "derived.lower_single_z",
    "derived.lower_tent",
    "derived.lower_threshold",
    "derived.lower_threshold_window",
    "derived.one_layer_linf",
    "derived.one_layer_linf_additive",
    "derived.one_layer_linf_additive_weights",
    "derived.one_layer_linf_chain",
    "derived.one_layer_linf_limit",
    "derived.one_layer_linf_shared_logits",
    "derived.one_layer_linf_steep",
)

SIMULATION, HARDMAX = "simulation", "hardmax threshold"


def draws(number, seed):
    """Parameters with s on both sides of L and equal to it, thresholds small and large."""
    rng = Random(seed)
    for _ in range(number):
        s = F(rng.randint(1, 30), rng.choice([10, 64]))
        eps = F(rng.randint(0, 20), 16)
        lip = s * rng.choice([F(1, 2), 1, F(9, 8), 2, 4, F(13, 2), 30])
        other = rng.choice([lip, lip, s, s * F(9, 8), lip / 3, lip / 50, F(0)])
        yield {
            "epsilon": eps,
            "target": eps + 2 * s,
            "lipschitz": lip,
            "lipschitz_other": min(lip, other),
            "vocabulary_size": rng.randint(1, 9),
            "period": rng.randint(1, 6),
            "locality": rng.randint(0, 5),
            "heads": rng.choice([1, 1, 2, 3]),
            "precision_bits": rng.randint(1, 14),
            "margin": F(rng.randint(1, 9), 4),
        }


def threshold(v):
    return mp.mpf(2) ** (real(v["precision_bits"]) / real(v["margin"]))


def theorem_1(v, e, inverses, first):
    """The length, and the length that each term alone asks for; 1/δ for each model's heads."""
    d, tau = v["period"], v["locality"]
    by_heads = math.prod((1 + i) ** v["heads"] for i in inverses)
    by_types = (1 + max(inverses)) ** types(v)
    n = rounded(F(e) * (min(by_heads, by_types) - 1))
    terms = {SIMULATION: d * (n + 1) + tau, HARDMAX: rounded(first) + d - 1}
    return max(terms.values()), terms


def types(v):
    """So many types that Δ − 1 are left, of |Σ|Δ."""
    return v["vocabulary_size"] * v["period"] - v["period"] + 1


def short_error(v):
    return F(v["target"] - v["epsilon"]) / 2


def trivial(v):
    return v["period"], {SIMULATION: v["period"], HARDMAX: v["period"]}


@pytest.mark.parametrize("v", [*draws(40, 1)])
def test_theorem_1_and_its_variants(v):
    s, lip = short_error(v), v["lipschitz"]
    constants = [lip, *([v["lipschitz_other"]] if v["lipschitz_other"] > s else [])]
    e = F(v["period"] * (v["vocabulary_size"] + 1), 4) + v["locality"] + 1
    found = integers("derived.one_layer_linf", **v)
    inverses = [k / s for k in constants]
    assert found == (trivial(v) if s >= lip else theorem_1(v, e, inverses, threshold(v)))
    additive = {**v, "lipschitz_marginal": lip}
    del additive["lipschitz"]
    e2 = F(v["period"], 4) + v["locality"] + 1
    e2 += 2 ** (2 * v["heads"] - 1) * max(v["vocabulary_size"], v["period"])
    found = integers("derived.one_layer_linf_additive", **additive)
    assert found == (trivial(v) if s >= lip else theorem_1(v, e2, [lip / s] * 2, threshold(v)))
    found = integers("derived.one_layer_linf_additive_weights", **v)
    doubled = theorem_1(v, e2, [2 * lip / s] * 2, threshold(v))
    assert found == (trivial(v) if s >= lip else doubled)
    steep = {**v, "margin": v["margin"] + 1}
    first = min(threshold(steep), (4 * real(lip / s)) ** (1 / real(v["margin"])))
    found = integers("derived.one_layer_linf_steep", **steep)
    inverses = [2 * k / s for k in constants]
    assert found == (trivial(v) if s >= lip else theorem_1(v, e, inverses, first))


@pytest.mark.parametrize("v", [*draws(25, 2)])
def test_every_link_of_the_chain(v):
    theorem = bounds.theorem("derived.one_layer_linf_chain")
    v = {**v, "heads": 1}
    d, tau, s, lip = v["period"], v["locality"], short_error(v), v["lipschitz"]
    link = sympy.Symbol("m", integer=True, nonnegative=True)
    known = {bounds.symbols[k]: F(x) for k, x in v.items()} | dict(theorem.stated.where)
    tried = [int(choice[link]) for choice in theorem.choices({k: F(x) for k, x in v.items()})]
    assert tried == list(range(len(tried)))
    lengths = {}
    for m in range(40):
        budget = v["target"] - (2 * m + 1) * v["epsilon"]
        if budget <= 0:
            assert m not in tried
            break
        delta = min(F(1, 2), budget / ((2 * m + 2) * lip + v["lipschitz_other"]))
        k = max(mp.mpf(2), real(delta) ** (mp.mpf(-1) / (m + 1)))
        e = d * (F(v["vocabulary_size"], 4) + 2) + tau + 1
        terms = {
            SIMULATION: d * (rounded((k + 3) * real(e / delta)) + 1) + tau,
            HARDMAX: rounded(k * (rounded(threshold(v)) - 2), up=False) + d + 1,
        }
        terms = {name: d if s >= lip else term for name, term in terms.items()}
        lengths[m] = max(terms.values())
        if m in tried:
            for name, expected in terms.items():
                given = {**known, link: F(m)}
                assert certify(theorem.stated.terms[name], given).integer == expected
    found = evaluation("derived.one_layer_linf_chain", **v)
    assert found.length.integer == min(lengths.values())
    assert lengths[int(found.choice[link])] == found.length.integer


def test_the_chain_stops_at_the_first_link_with_ratio_two():
    """m = 0, 1: K = 1/δ = 6 and √(10) ; m = 2: K = 14^(1/3) > 2; m = 3: 18^(1/4) > 2; m = 4: 2."""
    choices = bounds.theorem("derived.one_layer_linf_chain").choices
    given = {"epsilon": F(0), "lipschitz": F(2), "lipschitz_other": F(2), "target": F(1)}
    assert [list(c.values()) for c in choices(given)] == [[0], [1], [2], [3], [4]]
    # 2^(m+1)·budget = (2m+3)·L exactly at m = 1: K = 2 there
    both = ("lipschitz", "lipschitz_other")
    assert len(list(choices(given | dict.fromkeys(both, F(4, 5))))) == 2
    assert len(list(choices(given | dict.fromkeys(both, F(4, 5) + F(1, 10**9))))) == 3
    # 4L + L_o for 5L: a smaller L_o stops earlier
    more = given | {"lipschitz": F(4, 5) + F(1, 10**9), "lipschitz_other": F(4, 5) - F(1, 10**8)}
    assert len(list(choices(more))) == 2
    # target = 3ε exactly admits m = 0 only
    above = {"epsilon": F(1), "target": F(3)} | dict.fromkeys(both, F(100))
    assert len(list(choices(above))) == 1
    above["target"] += F(1, 99)
    assert len(list(choices(above | dict.fromkeys(both, F(1))))) == 1
    assert len(list(choices(above))) == 2


@pytest.mark.parametrize("target", [F(7), F(20), F(41), F(100)])
@pytest.mark.parametrize("lip", [F(5), F(20), F(300), F(10**5)])
def test_links_are_tried_as_long_as_they_may_help(target, lip):
    """Every m with target > (2m + 1)ε, up to the first with (2m + 3)L ≤ 2^(m+1)·budget."""
    theorem = bounds.theorem("derived.one_layer_linf_chain")
    given = {"epsilon": F(1), "lipschitz": lip, "lipschitz_other": lip, "target": target}
    expected = []
    for m in range(31):
        budget = target - (2 * m + 1)
        if budget <= 0:
            break
        expected.append(m)
        if 2 ** (m + 1) * budget >= (2 * m + 3) * lip:
            break
    assert [int(*choice.values()) for choice in theorem.choices(given)] == expected


def test_long_chains_are_tried_in_growing_steps():
    choices = bounds.theorem("derived.one_layer_linf_chain").choices
    given = {"epsilon": F(0), "target": F(1)}
    given |= {"lipschitz": F(2) ** 90, "lipschitz_other": F(2) ** 90}
    tried = [int(*c.values()) for c in choices(given)]
    assert tried[:34] == [*range(33), 34]
    assert all(b - a == max(1, a // 16) for a, b in pairwise(tried))
    assert 2 ** (tried[-2] + 1) < (2 * tried[-2] + 3) * 2**90
    assert 2 ** (tried[-1] + 1) >= (2 * tried[-1] + 3) * 2**90


@pytest.mark.parametrize("gap", [F(0), F(1, 3), F(1, 2), F(9, 10)])
def test_shared_logits(gap):
    for v in draws(12, 3):
        given = {k: v[k] for k in ("epsilon", "target", "lipschitz", "vocabulary_size")}
        s = short_error(v)
        base = (F(v["vocabulary_size"], 4) + 1) * v["lipschitz"] / s
        value = 1 if s >= v["lipschitz"] else rounded(real(base) ** (1 / (1 - real(gap))))
        found = integers(
            "derived.one_layer_linf_shared_logits", **given, period=1, heads=1, largest_gap=gap
        )
        assert found == (value, {SIMULATION: value})


@pytest.mark.parametrize("v", [*draws(60, 4)])
def test_the_limit_regime(v):
    given = {k: x for k, x in v.items() if k not in ("locality", "precision_bits")}
    d, s, lip = v["period"], short_error(v), v["lipschitz"]
    power = 1 / real(v["margin"])
    e0 = F(d * (v["vocabulary_size"] + 1), 4) + 1
    if s >= lip:
        value = d
    else:
        delta = s / (2 * lip)
        x = (1 + 1 / delta) ** min(2 * v["heads"], types(v)) - 1
        h2 = real(2 * d * x / (1 - delta)) ** power
        value = max(d * rounded(e0 * x) + d - 1, rounded(h2) + d - 1)
        if v["heads"] == 1:
            sigma = min(F(1, 4), s / lip)
            eta = sigma**2 / 4
            rho = sigma * (1 - sigma) * (1 - eta)
            n0 = rounded(e0 * (1 + rho) / (rho * eta))
            h3 = real(F(601, 600) * d * (1 + rho) / (rho * (1 - eta) * (sigma - eta))) ** power
            value = min(value, max(d * n0 + d - 1, rounded(h3) + d - 1))
    assert integers("derived.one_layer_linf_limit", **given) == (value, {SIMULATION: value})


# What is necessary: every term, and the hypotheses as inequalities of fractions


def test_necessary_terms():
    for eps, more, lip, size, d, tau in product(
        [F(0), F(1, 7)], [F(1, 5), F(2, 3)], [F(3), F(22, 7)], [2, 3, 8], [1, 2, 5], [0, 3]
    ):
        eta = eps + more
        models = {"epsilon": eps, "target": eta, "lipschitz": lip}
        more_models = {**models, "vocabulary_size": size, "period": d}
        value = d * rounded((size - 1) * lip / (4 * eta))
        assert integers("derived.lower_tent", **more_models) == (value, {SIMULATION: value})
        delta = more / 2 / lip
        terms = {  # first f asks for W_f tokens, then g for W_f/δ
            "frequencies": d * rounded(rounded(F(size - 2) / (4 * delta)) / delta),
            "suffix": rounded(rounded((tau + 1) / delta) / delta),
        }
        found = integers("derived.lower_single_z", **more_models, locality=tau)
        assert found == (max(terms.values()), terms)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_levels_and_what_else_there_is_up_to_three_epsilon(size, heads):
    """With and without lag bias, with L from the weights and with the least L."""
    asked = [(), ("no_lag_bias",), ("true_lipschitz",), ("no_lag_bias", "true_lipschitz")]
    for rise, d, tau, share in product(
        [F(1, 40), F(2, 9), F(1, 3), F(1, 2), F(3, 4), F(99, 100)],
        [1, 2, 5],
        [0, 3],
        [F(1), F(1, 2)],
    ):
        eps = rise / (2 * share)  # target ≤ 3ε, = at share 1; L = 1
        v = {"epsilon": eps, "target": eps + rise, "lipschitz": 1, "vocabulary_size": size}
        v |= {"period": d, "locality": tau, "heads": heads}
        for names in asked:
            lag_bias = "no_lag_bias" not in names
            if size >= 2:
                terms = nested_terms(v, lag_bias, "true_lipschitz" in names)
                found = integers("derived.lower_linf_c3", names, **v)
                assert found == (max(terms.values()), terms)
            terms = presence_terms(v, lag_bias)
            found = integers("derived.lower_presence", names, **v)
            assert found == (max(terms.values()), terms)


@pytest.mark.parametrize("size", [3, 5, 12, 200])
def test_chains_from_below(size):
    for times, shrink, d in product([F(2), F(3), F(31, 10), 5, 6, 9], [1, F(1, 9)], [1, 3]):
        m = next(m for m in range(9) if times <= 2 * m + 3)
        rise = F(1, 44 ** (m + 1)) * shrink
        eps = rise / (times - 1)
        many = (size - 2) / (16 * mp.e) * real(rise) ** (-1 - 1 / mp.mpf(m + 1))
        value = d * rounded(min(mp.mpf(2) ** (size - 2), many))
        given = {"epsilon": eps, "target": times * eps, "lipschitz": 1, "period": d}
        found = integers("derived.lower_linf_chain", **given, vocabulary_size=size)
        assert found == (value, {"profile": value})
        answer = bounds.required_length(
            theorem="derived.lower_linf_chain", **given, vocabulary_size=size
        )
        assert answer.length == value
        near = given | {"lipschitz": F(43, 44) ** (m + 1) * shrink}
        with pytest.raises(bounds.ParameterError, match="16e"):  # (16e)^−1 = 1/43.49
            bounds.required_length(theorem="derived.lower_linf_chain", **near, vocabulary_size=size)


def test_values_of_the_table():
    """q₂ = (1 + √(1−d))²/d² and the others, put in by hand."""

    def least(**v):
        return bounds.required_length(theorem="derived.lower_linf_c3", **v).length

    two = {"vocabulary_size": 2, "period": 1, "locality": 0}
    assert least(epsilon="1/5", target="3/5", lipschitz=1, **two) == 20
    three = {"vocabulary_size": 3, "period": 1, "locality": 3}
    assert least(epsilon="11/100", target="32/100", lipschitz=1, **three) == 324
    four = {"vocabulary_size": 4, "period": 1, "locality": 0, "heads": 2}
    assert least(epsilon="1/20", lipschitz=1, **four) == 151_840


def found_flat(v, gamma, first, d):
    """γ < 1: L/ε ≥ 2(C+1)((C+1)/2)^(1/(1−γ)), or one token."""
    c = v["target"] / v["epsilon"]
    if real(v["lipschitz"] / v["epsilon"]) >= 2 * (c + 1) * real((c + 1) / 2) ** (
        1 / real(1 - gamma)
    ):
        return first + d - 1
    return first + d - 2 if d >= 2 else first


@pytest.mark.parametrize("gap", [F(0), F(1, 3), F(1, 2), F(9, 10)])
def test_shared_logits_from_below(gap):
    for rise in (F(1, 30), F(2, 7), F(1, 2), F(9, 10)):
        value = rounded(real(1 / rise - 1) ** (1 / (1 - real(gap))))
        found = integers(
            "derived.lower_shared_logits",
            epsilon=F(1, 3),
            target=F(1, 3) + 2 * rise,
            lipschitz=2,
            vocabulary_size=2,
            largest_gap=gap,
        )
        assert found == (value, {SIMULATION: value})


@pytest.mark.parametrize(("p", "gamma"), [*product([1, 3, 6], [F(1), F(1, 2), F(3, 4), F(2)])])
def test_necessary_thresholds(p, gamma):
    given = {
        "epsilon": F(1, 9),
        "target": F(1, 3),
        "lipschitz": F(5),
        "vocabulary_size": 2,
        "precision_bits": p,
        "margin": gamma,
    }
    first = rounded(mp.mpf(2) ** (p / real(gamma)))
    for d in (1, 2, 7):  # γ ≤ 1: two tokens, target = 3ε
        found = integers("derived.lower_threshold", **given, period=d)
        assert found == (first + d - 1, {HARDMAX: first + d - 1})
        one = given | {"vocabulary_size": 1}
        found = integers("derived.lower_threshold", **one, period=d)
        value = first + d - 2 if d >= 2 else first  # target < L/3
        assert found == (value, {HARDMAX: value})
        one |= {"lipschitz": F(1)}  # not < L/3
        assert integers("derived.lower_threshold", **one, period=d)[0] == first
        far = given | {"epsilon": F(1, 50)}  # C = 50/3 > 3: L/ε = 250 ≥ (C−1)²/2 = 122.7
        value = first + d - 1 if gamma >= 1 else found_flat(far, gamma, first, d)
        assert integers("derived.lower_threshold", **far, period=d)[0] == value
    found = integers("derived.lower_threshold_window", **given)
    assert found == (first - 1, {HARDMAX: first - 1})


def test_the_staircase_and_the_residues():
    for eps, eta, size, d, p, gamma in product(
        [F(0), F(1, 9)], [F(1, 3), F(10, 9)], [1, 2], [1, 2, 4], [2, 9], [F(1, 2), F(4, 5), F(2)]
    ):
        for lip in (F(5), F(5, 2) * (eta + eps), F(5, 2) * (eta + eps) - F(1, 1000)):
            first = rounded(mp.mpf(2) ** (p / real(gamma)))
            terms = {"residues": 1, "staircase": 1, "shares": 1}
            if size >= 2 and 0 < eta <= 3 * eps:
                odds = 2 * lip / (eta - eps) - 1
                terms["shares"] = rounded(real(odds) ** (2 / real(gamma)))
            if d >= 2:
                terms["residues"] = rounded(real((d - 1) * (lip / eta - 1)) ** (1 / real(gamma)))
            if size >= 2 and 2 * lip >= 5 * (eta + eps):
                power = real(4 * eps / ((eta + eps) * gamma))
                terms["staircase"] = rounded(real(2 * lip / (eta + eps)) ** power)
            terms = {name: min(first, value) for name, value in terms.items()}
            found = integers(
                "derived.lower_limit",
                epsilon=eps,
                target=eta,
                lipschitz=lip,
                vocabulary_size=size,
                period=d,
                precision_bits=p,
                margin=gamma,
            )
            assert found == (max(terms.values()), terms)


BASE = {
    "epsilon": F(1, 10),
    "target": F(3, 10),
    "lipschitz": F(2),
    "lipschitz_other": F(2),
    "vocabulary_size": F(3),
    "period": F(2),
    "locality": F(1),
    "precision_bits": F(4),
    "margin": F(1, 2),
    "heads": F(1),
    "largest_gap": F(1, 2),
}
NO_LAG = {"period": 1, "locality": 0}
HAIR = F(1, 10**12)


def admitted(key, **changes):
    values = BASE | {k: F(v) for k, v in changes.items()}
    values["simulation_error"] = (values["target"] - values["epsilon"]) / 2
    return all(h.check(values) for h in bounds.theorem(f"derived.{key}").hypotheses if h.check)


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("one_layer_linf_chain", {"heads": 1}, {"heads": 2}),
        ("one_layer_linf_steep", {"margin": 1 + HAIR}, {"margin": 1}),
        ("one_layer_linf_shared_logits", NO_LAG, NO_LAG | {"period": 2}),
        ("one_layer_linf_shared_logits", NO_LAG, NO_LAG | {"heads": 2}),
        ("one_layer_linf_shared_logits", NO_LAG, NO_LAG | {"locality": 1}),
        ("one_layer_linf_shared_logits", NO_LAG, NO_LAG | {"tie_tolerance": HAIR}),
        ("one_layer_linf_limit", {"locality": 0}, {"locality": 1}),
        ("one_layer_linf", {"tie_tolerance": 0}, {"tie_tolerance": HAIR}),
        ("lower_presence", {"lipschitz": F(2, 10) + HAIR}, {"lipschitz": F(2, 10)}),
        ("lower_presence", {"vocabulary_size": 1}, {"vocabulary_size": 1, "period": 1}),
        # one token, Δ = 2: target − ε < L/2
        (
            "lower_presence",
            {"vocabulary_size": 1, "lipschitz": F(4, 10) + HAIR},
            {"vocabulary_size": 1, "lipschitz": F(4, 10)},
        ),
        ("lower_tent", {"vocabulary_size": 2}, {"vocabulary_size": 1}),
        ("lower_tent", {"lipschitz": F(6, 10) + HAIR}, {"lipschitz": F(6, 10)}),
        ("lower_single_z", {"vocabulary_size": 2}, {"vocabulary_size": 1}),
        ("lower_single_z", {"lipschitz": F(2, 10) + HAIR}, {"lipschitz": F(2, 10)}),
        ("lower_linf_c3", {"vocabulary_size": 2}, {"vocabulary_size": 1}),
        ("lower_linf_c3", {}, {"epsilon": 0, "target": F(3, 10)}),
        ("lower_linf_c3", {"target": F(3, 10)}, {"target": F(3, 10) + HAIR}),
        ("lower_linf_c3", {"lipschitz": F(2, 10) + HAIR}, {"lipschitz": F(2, 10)}),
        ("lower_linf_chain", {"lipschitz": 9}, {"lipschitz": 9, "vocabulary_size": 2}),
        ("lower_linf_chain", {"lipschitz": 9}, {"lipschitz": 9, "epsilon": 0}),
        ("lower_linf_chain", {"lipschitz": 9}, {"lipschitz": 8}),  # 16e/5 = 8.7
        # 3ε < target ≤ 5ε: (16e)²/5 = 378.4
        (
            "lower_linf_chain",
            {"lipschitz": 379, "epsilon": F(1, 10), "target": F(3, 10) + HAIR},
            {"lipschitz": 378, "epsilon": F(1, 10), "target": F(3, 10) + HAIR},
        ),
        ("lower_limit", {"lipschitz": F(2, 10) + HAIR}, {"lipschitz": F(2, 10)}),
        (
            "lower_limit",
            {"lipschitz": F(3, 10) + HAIR, "vocabulary_size": 1},
            {"lipschitz": F(3, 10), "vocabulary_size": 1},
        ),
        (
            "lower_shared_logits",
            {"vocabulary_size": 2, "precision_bits": 12},
            {"vocabulary_size": 1, "precision_bits": 12},
        ),
        ("lower_shared_logits", {"precision_bits": 12}, {"precision_bits": 4}),
        ("lower_shared_logits", {"lipschitz": F(2, 10) + HAIR}, {"lipschitz": F(2, 10)}),
        ("lower_limit", {"period": 2, "vocabulary_size": 1}, {"period": 1, "vocabulary_size": 1}),
        (
            "lower_limit",
            {"period": 1, "epsilon": F(1, 11), "lipschitz": F(43, 44)},
            {"period": 1, "epsilon": F(1, 11), "lipschitz": F(43, 44) - HAIR},
        ),
        (
            "lower_limit",
            {"period": 1, "lipschitz": F(1, 2)},
            {"period": 1, "lipschitz": F(1, 2), "target": F(3, 10) + HAIR},
        ),
        ("lower_limit", {"period": 1, "vocabulary_size": 2}, {"period": 1, "vocabulary_size": 1}),
        ("lower_threshold", {"margin": 1}, {"margin": 1 + HAIR}),
        # Δ ≥ 2 alone: (Δ − 1)L > 2Δ·target
        (
            "lower_threshold",
            {"vocabulary_size": 1, "lipschitz": F(12, 10) + HAIR},
            {"vocabulary_size": 1, "lipschitz": F(12, 10)},
        ),
        (
            "lower_threshold",
            {"vocabulary_size": 1, "period": 3, "lipschitz": F(9, 10) + HAIR},
            {"vocabulary_size": 1, "period": 3, "lipschitz": F(9, 10)},
        ),
        # two tokens: target ≤ 3ε and target + ε < L
        (
            "lower_threshold",
            {"period": 1, "lipschitz": F(4, 10) + HAIR},
            {"period": 1, "lipschitz": F(4, 10)},
        ),
        (
            "lower_threshold",
            {"period": 1, "lipschitz": F(6, 10)},
            {"period": 1, "lipschitz": F(6, 10), "target": F(3, 10) + HAIR},
        ),
        # γ = 1: L > 2(target − ε), and 2Lε ≥ (target − ε)²
        (
            "lower_threshold",
            {"period": 1, "margin": 1, "target": F(35, 100), "lipschitz": F(1, 2) + HAIR},
            {"period": 1, "margin": 1, "target": F(35, 100), "lipschitz": F(1, 2)},
        ),
        (
            "lower_threshold",
            {"period": 1, "margin": 1, "target": F(11, 10), "lipschitz": 5},
            {"period": 1, "margin": 1, "target": F(11, 10), "lipschitz": 5 - HAIR},
        ),
        (
            "lower_threshold",
            {"period": 1, "vocabulary_size": 2},
            {"period": 1, "vocabulary_size": 1},
        ),
        ("lower_threshold", {"period": 1}, {"period": 1, "epsilon": 0}),
        # C = 5, γ = 1/2: L/ε ≥ 12·3² = 108
        (
            "lower_threshold",
            {"period": 1, "target": F(1, 2), "lipschitz": F(108, 10)},
            {"period": 1, "target": F(1, 2), "lipschitz": F(108, 10) - HAIR},
        ),
        # C = 7, γ = 2/3: L/ε ≥ 16·4³ = 1024
        (
            "lower_threshold",
            {"period": 1, "target": F(7, 10), "margin": F(2, 3), "lipschitz": F(1024, 10)},
            {"period": 1, "target": F(7, 10), "margin": F(2, 3), "lipschitz": F(1024, 10) - HAIR},
        ),
        (
            "lower_threshold",
            {"period": 1, "target": F(7, 10), "lipschitz": 10**6},
            {"period": 1, "target": F(7, 10), "lipschitz": 10**6, "margin": 1 + HAIR},
        ),
        ("lower_threshold_window", {"vocabulary_size": 2}, {"vocabulary_size": 1}),
        ("lower_threshold_window", {}, {"margin": 1}),
        # ⌈2^(p/γ)⌉ − 1 > 2^p: p = 1, γ = 1 − a little has ⌈2^(p/γ)⌉ = 3
        (
            "lower_threshold_window",
            {"precision_bits": 1},
            {"precision_bits": 1, "margin": 1 - HAIR},
        ),
        # ⌈2^(4/γ)⌉ = 256: ε ≥ L/(8·255), and target(1 + 254/16) < L·254/16
        ("lower_threshold_window", {"lipschitz": 204}, {"lipschitz": 204 + HAIR}),
        (
            "lower_threshold_window",
            {"lipschitz": F(3, 10) * F(270, 254) + HAIR},
            {"lipschitz": F(3, 10) * F(270, 254)},
        ),
    ],
)
def test_hypotheses_at_their_boundaries(key, inside, outside):
    assert admitted(key, **inside)
    assert not admitted(key, **outside)


def test_strict_and_weak_signs():
    for value, positive, nonnegative in [(-1, False, False), (0, False, True), (1, True, True)]:
        given = {"epsilon": F(value), "simulation_error": F(1)}
        eps = bounds.symbols.epsilon
        assert linf_argmax_1._positive(eps)(given) == positive
        assert linf_argmax_1._positive(1 + 0 * eps, eps)(given) == positive
        assert linf_argmax_1._nonnegative(eps)(given) == nonnegative


def test_the_jump_of_the_window_as_a_fraction():
    for bits, gamma in [(2, F(1, 2)), (3, F(1, 3)), (4, F(4, 5))]:
        formula = linf_argmax_1._window_target(bounds.symbols.precision_bits)
        steps = rounded(mp.mpf(2) ** (bits / real(gamma))) - 2
        share = F(steps, 2**bits)
        lip, target = F(7, 3), F(1, 5)
        at = {"lipschitz": lip, "target": target, "precision_bits": F(bits), "margin": gamma}
        value = linf_argmax_1._enclose(formula, at)
        assert value / (2**bits * (1 + share)) == lip * (1 - 1 / (1 + share)) - target


def test_our_proofs_are_cited_by_their_section():
    source = derived("derived-some_theorem", "Theorem 99")
    assert source.bibkey == "lgbounds"
    assert source.label == "docs/theory.md"
    assert (source.locator, source.section) == ("Theorem 99", "derived-some_theorem")
    assert not source.second_hand
    assert "{docs/theory.md, section Theorem 99}" in source.bibtex
