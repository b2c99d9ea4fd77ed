"""Near ties, whole columns, light and heavy sets: every integer computed a second time.

Closed forms in 60 digits; the shorter lengths by walking through n = 1, 2, ... where the entries
bisect; hypotheses at their boundaries.
"""

import math
from fractions import Fraction as F
from random import Random

import pytest

import bounds
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded

pytestmark = pytest.mark.covers(
    "second formula",
    "derived.lower_near_tie",
    "derived.one_layer_linf_heavy",
    "derived.one_layer_linf_horizon",
    "derived.one_layer_linf_light",
    "derived.one_layer_linf_positional",
)

HORIZON = "derived.one_layer_linf_horizon"
POSITIONAL = "derived.one_layer_linf_positional"
HEAVY, LIGHT = "derived.one_layer_linf_heavy", "derived.one_layer_linf_light"
LOWER = "derived.lower_near_tie"


def draws(number, seed, room=True):
    """Parameters with κ zero, small and large; with `room`, tanh(κ ln(T*)/4) < s/L."""
    rng = Random(seed)
    while number:
        s, eps = F(rng.randint(1, 30), rng.choice([10, 64])), F(rng.randint(0, 20), 16)
        v = {
            "epsilon": eps,
            "target": eps + 2 * s,
            "lipschitz": s * rng.choice([F(1, 2), 1, F(9, 8), 2, 4, F(13, 2), 30, 200]),
            "vocabulary_size": rng.randint(1, 9),
            "period": rng.randint(1, 6),
            "locality": rng.randint(0, 5),
            "precision_bits": rng.randint(6, 14),
            "margin": F(rng.randint(4, 12), 4),
            "tie_tolerance": rng.choice([0, F(1, 500), F(1, 90), F(1, 20), F(1, 5)]),
            "horizon": rng.randint(2, 6000),
        }
        if room and theta(v, v["horizon"]) >= real(s / v["lipschitz"]):
            continue
        number -= 1
        yield v


def theta(v, ratio):
    return mp.tanh(real(v["tie_tolerance"]) * mp.log(real(ratio)) / 4)


def share(v):
    return real((v["target"] - v["epsilon"]) / 2 / v["lipschitz"])


def inverse(v):
    """1/δ with ω̂(T*^κ, δ) = s/L − θ(κ, T*), solved for δ."""
    eta = share(v) - theta(v, v["horizon"])
    k = mp.power(v["horizon"], real(v["tie_tolerance"]))
    return (k - eta * (k - 1)) / eta


def first_hardmax(v):
    """⌈2^(p/γ)⌉."""
    return rounded(mp.power(2, real(v["precision_bits"] / v["margin"])))


def length(v, n):
    """n ≥ 1 positions in every column, and a hardmax length of every residue."""
    return v["period"] - 1 + max(v["period"] * max(n, 1) + v["locality"] + 1, first_hardmax(v))


def needed(v, n):
    """`length`, but near ties no more than the horizon: agreement up to T* is all that is claimed."""
    return min(length(v, n), v["horizon"]) if v["tie_tolerance"] else length(v, n)


def types(v):
    """So many types that Δ − 1 are left, of |Σ|Δ."""
    return v["vocabulary_size"] * v["period"] - v["period"] + 1


def walked(v, delta_of, guess):
    """The least n that the inequality of Theorem H allows, or `guess` where that is less."""
    kappa, wanted = float(v["tie_tolerance"]), float(share(v))
    for n in range(1, guess):
        long = length(v, n)
        short = long - v["period"] + 1
        if long >= v["horizon"]:
            return n
        delta = delta_of((short - v["locality"] - 1) // v["period"])
        if delta >= 1:
            continue
        k = long**kappa
        cost = k * delta / (1 + (k - 1) * delta)
        cost += math.tanh(kappa * math.log(v["horizon"] / short) / 4)
        assert abs(cost - wanted) > 1e-12  # far enough for floats to decide
        if cost < wanted:
            return n
    return guess


@pytest.mark.parametrize("v", [*draws(40, 1)])
def test_theorem_1_up_to_a_horizon(v):
    for heads in (1, 2):
        levels = min(2 * heads, types(v))
        found, terms = integers(HORIZON, **v, heads=heads)
        if share(v) >= 1:
            assert found == v["period"] == terms["simulation"] == terms["hardmax threshold"]
            continue
        e = F(v["period"] * (v["vocabulary_size"] + 1), 4) + v["locality"] + 1
        closed = rounded(real(e) * ((1 + inverse(v)) ** levels - 1))
        n = max(closed, 1)
        if v["tie_tolerance"]:
            power = 1 / levels
            n = walked(v, lambda k, e=e, p=power: 1 / ((1 + k / float(e)) ** p - 1), n)
        assert found == needed(v, n)


@pytest.mark.parametrize("v", [*draws(40, 2)])
def test_whole_columns(v):
    found, _ = integers(POSITIONAL, **v)
    if share(v) >= 1:
        assert found == v["period"]
        return
    e = F(v["vocabulary_size"], 4) + v["locality"] + 1
    n = max(rounded(real(e) * inverse(v)), 1)
    if v["tie_tolerance"]:
        n = walked(v, lambda k: float(e) / k, n)
    assert found == needed(v, n)


@pytest.mark.parametrize("v", [*draws(40, 3)])
def test_light_and_heavy_sets(v):
    e = real(F(v["period"] * (v["vocabulary_size"] + 1), 4) + v["locality"] + 1)
    for groups in (0, 1, 2, 5):
        heavy, _ = integers(HEAVY, **v, light_groups=groups)
        light, _ = integers(LIGHT, **v, light_groups=groups)
        if share(v) >= 1:
            assert heavy == light == v["period"]
            continue
        kept = mp.mpf(0)  # S, set by set
        for _ in range(groups):
            kept += (kept + e) * inverse(v)
        one_for_all = e * ((1 + inverse(v)) ** types(v) - 1)
        ends = (min(kept, one_for_all), min((kept + e) * inverse(v), one_for_all))
        for found, least in zip((light, heavy), ends, strict=True):
            assert found == needed(v, rounded(least))


def test_more_light_sets_never_shorten_and_heavy_beats_one_more_light_set():
    for v in draws(25, 4):
        lengths = [integers(LIGHT, **v, light_groups=g)[0] for g in range(4)]
        heavy = [integers(HEAVY, **v, light_groups=g)[0] for g in range(4)]
        for g in range(3):
            assert lengths[g] <= heavy[g] <= lengths[g + 1]


@pytest.mark.parametrize("v", [*draws(60, 5, room=False)])
def test_what_near_ties_cost(v):
    keys = ("epsilon", "target", "lipschitz", "precision_bits", "tie_tolerance", "horizon")
    v = {k: v[k] for k in keys} | {"horizon": v["horizon"] ** Random(str(v)).choice([1, 1, 3])}
    if not v["tie_tolerance"]:
        return
    found, _ = integers(LOWER, **v)
    even = v["horizon"] // 2 * 2
    ell = mp.log(even)
    y = min(real(v["tie_tolerance"]) * ell, mp.mpf("1.5434"))
    shortest = mp.exp(ell * (1 - share(v) * (2 + 2 * mp.cosh(y)) / y))
    if v["target"] > 3 * v["epsilon"]:
        s = (v["target"] - v["epsilon"]) / 2
        shortest = min(shortest, mp.exp(ell * real(v["epsilon"] / (s + v["epsilon"]))))
    assert found == max(1, rounded(shortest)) <= even


def test_sufficient_is_never_below_necessary():
    """Where ties cost more than s/L up to T*, lengths near T* are needed, and are enough."""
    close = 0
    for v in draws(150, 6, room=False):
        v |= {"period": 1, "locality": 0, "vocabulary_size": 2, "margin": v["precision_bits"]}
        v |= {"epsilon": F(1), "target": F(3), "lipschitz": 4 * v["lipschitz"]}
        if not v["tie_tolerance"] or share(v) >= theta(v, v["horizon"]):
            continue
        keys = ("epsilon", "target", "lipschitz", "precision_bits", "tie_tolerance", "horizon")
        lower, _ = integers(LOWER, **{k: v[k] for k in keys})
        n = walked(v, lambda k: 1.5 / k, v["horizon"])
        assert integers(POSITIONAL, **v)[0] == needed(v, n) <= v["horizon"]
        for key, more in ((HORIZON, {"heads": 1}), (POSITIONAL, {})):
            assert lower <= integers(key, **v, **more)[0] <= v["horizon"]
        close += lower > v["horizon"] / 2
    assert close >= 5


BASE = {
    "epsilon": "1/10",
    "lipschitz": 2,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 24,
    "margin": 12,
}


def test_nothing_may_be_dropped_up_to_the_horizon():
    """κ log₂ T* < p, strictly: 6·log₂ 16 = 24."""
    for key, kappa in ((LOWER, 6), (HORIZON, "1/1000")):
        given = BASE | {"tie_tolerance": kappa}
        assert bounds.required_length(theorem=key, horizon=15, **given).length
    for horizon in (16, 17, 10**30):
        with pytest.raises(bounds.ParameterError, match="no member of the highest cluster"):
            bounds.required_length(theorem=LOWER, horizon=horizon, tie_tolerance=6, **BASE)


@pytest.mark.parametrize("key", [HORIZON, POSITIONAL, LOWER])
def test_the_smallest_ties_are_answered_at_once(key):
    """2^(p/κ) has more digits than there is memory for."""
    given = BASE | {"tie_tolerance": "1e-13", "horizon": 2**20}
    assert bounds.required_length(theorem=key, **given).length


@pytest.mark.parametrize(("kappa", "room"), [(10**9, False), ("8000", False), ("1/10", True)])
def test_room_is_decided_without_huge_powers(kappa, room):
    """tanh(κ ln(T*)/4) < s/L = 9/10 for T* = 2^20."""
    given = BASE | {"epsilon": "9/10", "lipschitz": 1, "precision_bits": 10**12}
    given |= {"tie_tolerance": kappa, "horizon": 2**20, "light_groups": 0}
    checks = {h.text: h.check for h in bounds.theorem(HEAVY).hypotheses if h.check}
    values = {k: F(x) for k, x in given.items()} | {"simulation_error": F(9, 10)}
    assert next(c for t, c in checks.items() if t.startswith("tanh"))(values) is room


def test_no_cost_where_nothing_is_to_be_simulated():
    for lipschitz in (0, "1/10", "1/1000"):
        given = BASE | {"lipschitz": lipschitz, "tie_tolerance": "1/10", "horizon": 1000}
        assert bounds.required_length(theorem=LOWER, **given).length == 1
        assert bounds.required_length(theorem=HORIZON, **given).length == 2


def test_the_pair_of_near_ties_attends_to_whole_columns():
    given = BASE | {"tie_tolerance": "1/100", "horizon": 2**12, "lipschitz": 16}
    asserted = {"positional_attention", "heavy"}
    lower = bounds.required_length(theorem=LOWER, assume=asserted, **given).length
    upper = bounds.required_length(theorem=POSITIONAL, assume=asserted, **given).length
    assert 1 < lower < upper < 2**12


def test_light_sets_need_room_for_the_cost_of_ties():
    given = BASE | {"tie_tolerance": "1/100", "horizon": 2**12, "lipschitz": 16, "light_groups": 1}
    with pytest.raises(bounds.ParameterError, match="leaves room"):
        bounds.required_length(theorem=HEAVY, assume={"heavy"}, **given)


def test_exact_ties_need_no_horizon():
    for key in (HORIZON, POSITIONAL):
        found = bounds.required_length(theorem=key, **BASE)
        assert "every length up to" not in found.conclusion
        with_ties = BASE | {"tie_tolerance": "1/100", "horizon": 1000}
        assert "up to T* = 1000" in bounds.required_length(theorem=key, **with_ties).conclusion
    v = {k: F(x) for k, x in BASE.items()} | {"target": F(3, 10), "heads": 1}
    v["lipschitz_other"] = v["lipschitz"]
    ones = {"tie_tolerance": F(0), "horizon": F(1)}
    theorem_1 = evaluation("derived.one_layer_linf", **v).length.integer
    assert evaluation(HORIZON, **v, **ones).length.integer == theorem_1
