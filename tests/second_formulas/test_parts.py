"""Parts of formulas and hypotheses that a length shows only where they are the largest.

Each is computed once more from its statement: constants of the pairs of two layers, closed forms and
errors of the balanced short inputs, the root of (S), hypotheses exactly at their boundaries.
"""

import json
import math
from fractions import Fraction as F
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import sympy
from flint import arb

import bounds
from bounds import registry
from bounds.evaluate import certify, enclose
from bounds.registry.necessary import linf_argmax_2, linf_softmax_2
from bounds.registry.sufficient import (
    beta_roots,
    linf_argmax_1_ties,
    linf_softmax_deep,
    near_ties,
    schedules,
)
from bounds.registry.sufficient import linf_softmax_2 as enough
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded
from tests.second_formulas.test_two_layer import draws, pieces_error

NAMES = json.loads(Path(__file__).with_name("printed_names.json").read_text())


def printed_names(key):
    """What `explain` prints of a formula: keys of terms, and the symbols, by name."""
    formula = bounds.theorem(key).stated
    used = set().union(
        *(e.free_symbols for e in [*formula.terms.values(), *formula.where.values()])
    )
    return {
        "terms": list(formula.terms),
        "where": [str(name) for name in formula.where],
        "symbols": sorted(map(str, used)),
    }


@pytest.mark.parametrize("key", sorted(NAMES))
def test_terms_and_symbols_have_the_names_that_are_printed(key):
    """Users read terms by key (`bound.terms["suffix"]`) and choices by symbol."""
    assert printed_names(key) == NAMES[key]


def test_every_theorem_is_in_the_table_of_names():
    assert set(NAMES) == {t.key for t in bounds.theorems() if t.stated is not None}


def as_float(enclosed):
    return float(enclosed if isinstance(enclosed, F) else enclosed.mid())


# The room that a pair needs


def by_the_page(v, outer, hist, both, spread, slope, reach):
    """C_Δ of the page with 1/(1 − γ̄) = 2 and ‖M‖ = R₂, D_Y = 9/4."""
    d = v["period"] * (v["vocabulary_size"] - 1) + 2
    delta, tau, theta = v["period"], v["locality"], v["block"]
    root = mp.sqrt(theta * delta)
    ask = 1 + real(spread) * mp.mpf(9) / 4 * reach / 4
    first = hist * (2 * d * root + tau + delta) + 2 * both * (tau + 1)
    turns = (4 * d + (6 if delta == 1 else 8)) * slope * hist
    seams = (mp.mpf(4 * tau) / (theta * delta) + 2 * d) * real(spread)
    second = 4 * slope * both * (tau + 1) + root * (turns + seams)
    second += 2 * (tau + delta) * real(spread)
    keys = outer * mp.exp(reach)
    return {
        "complexity_balanced": outer * ask * first + keys * second,
        "complexity_periodic": outer * ask * first + keys * second,
        "lipschitz_query": outer * ask * hist,
        "lipschitz_keys": keys * slope * hist,
        "limit_query": outer * ask * both,
        "limit_keys": keys * slope * both,
        "influence_keys": keys * real(spread),
        "dimension": d,
    }


def test_constants_of_the_pairs_of_two_layers():
    two, three = mp.sqrt(2), mp.sqrt(3)
    for size, delta, tau, theta, lip, reach in [
        (2, 1, 1, 1, F(1), F(0)),
        (3, 2, 4, 3, F(7, 3), F(1, 2)),
        (5, 3, 2, 2, F(9, 4), F(3)),
    ]:
        v = {"vocabulary_size": size, "period": delta, "locality": tau, "block": theta}
        given = {k: F(x) for k, x in v.items()} | {"lipschitz": lip, "logit_range_last": reach}
        r, slope = real(reach), two + mp.mpf(7) / 2 * real(reach)
        for pair, expected in [
            ("runs", by_the_page(v, mp.mpf(2), two, 2 * two, F(3, 2), 1, mp.mpf(0))),
            (
                "windows",
                by_the_page(v, real(lip), three, 2 * three, 2 - F(1, size), 1, mp.mpf(0)),
            ),
            (
                "changes",
                by_the_page(
                    v,
                    real(lip) * 4 / 3,
                    two,
                    two + mp.sqrt(34) / 3,
                    F(3, 2),
                    slope,
                    r,
                ),
            ),
        ]:
            found = getattr(linf_softmax_2, f"_of_{pair}")(given).constants(given)
            assert set(found) == set(expected)
            for name, value in expected.items():
                assert float(found[name].evalf(30)) == pytest.approx(float(value), rel=1e-14), name
    least = linf_softmax_2._of_runs({}).constants({})  # |Σ| = 2; Δ = τ = θ = 1
    ordinary = {"vocabulary_size": 2, "period": 1, "locality": 1, "block": 1}
    expected = by_the_page(ordinary, mp.mpf(2), two, 2 * two, F(3, 2), 1, mp.mpf(0))
    for name, value in expected.items():
        assert float(least[name].evalf(30)) == pytest.approx(float(value), rel=1e-14), name


@pytest.mark.parametrize("key", ["two_layer", "softmax_locality", "softmax_range"])
def test_a_class_has_room_for_the_pair_from_its_constants_on(key):
    pair = {
        "two_layer": linf_softmax_2._of_runs,
        "softmax_locality": linf_softmax_2._of_windows,
        "softmax_range": linf_softmax_2._of_changes,
    }[key]
    given = {"lipschitz": F(3, 2), "vocabulary_size": F(3), "logit_range_last": F(1, 2)}
    theorem = bounds.theorem(f"derived.lower_{key}")
    own = pair(given).constants(given)
    for hypothesis in theorem.hypotheses:
        if hypothesis.keyword not in own or not hypothesis.text.endswith("that of the pair"):
            continue
        value = own.pop(hypothesis.keyword)
        above = F(math.ceil(float(value) * 2**40) + 1, 2**40)
        assert hypothesis.check(given)
        assert hypothesis.check({**given, hypothesis.keyword: above})
        assert not hypothesis.check({**given, hypothesis.keyword: above - F(1, 2**38)})
    assert not own


def test_windows_need_a_small_target():
    """1200·target < L; 120·|Σ|·target < L where γ > 1."""
    check = linf_softmax_2._small_enough_for_windows
    given = {"lipschitz": F(1200), "vocabulary_size": F(20)}
    assert check({**given, "target": F(999, 1000)})
    assert check({**given, "target": F(1)}) is False
    steep = {**given, "positional_margin": F(2)}
    assert check({**steep, "target": F(499, 1000)})
    assert not check({**steep, "target": F(1, 2)})
    assert check({**given, "target": F(1, 2), "positional_margin": F(1)})


# Balanced short inputs


def test_closed_form_of_two_layers_with_repeated_pieces():
    """K with n ≥ max{(C/s)^max(1/γ, 2), 2(τ + Δ)}, with the C of the page for θ = 1."""
    stated = bounds.theorem("derived.two_layer_softmax_balanced").stated
    symbols = {str(name): name for name in stated.where}
    for v in draws(25, 12):
        rng = Random(str(v))
        names = ("lipschitz_query", "lipschitz_keys", "limit_query", "limit_keys", "influence_keys")
        scalars = {k: v["s"] * rng.choice([F(0), F(1, 9), F(1), F(7)]) for k in names}
        l_q, l_k, b_q, b_k, l_v = scalars.values()
        delta, tau, d = v["period"], v["locality"], rng.randint(1, 6)
        rate, root = min(v["gamma"], F(1, 2)), mp.sqrt(delta)
        c = real(l_q) * (2 * d * root + tau + delta)
        c += real(2 * (tau + 1) * (b_q + b_k / (1 - rate)) + 2 * (tau + delta) * l_v)
        turns = (4 * d + (6 if delta == 1 else 8)) * l_k
        c += root * real(turns + (F(4 * tau, delta) + 2 * d) * l_v)
        n = max((c / real(v["s"])) ** (1 / real(rate)), mp.mpf(2 * (tau + delta)))
        levels = max(1, rounded(mp.sqrt(2 * (n - tau - 1) / delta + mp.mpf(1) / 4) - 0.5))
        given = scalars | {"period": delta, "locality": tau, "dimension": d}
        given |= {"epsilon": v["epsilon"], "target": v["target"], "positional_margin": v["gamma"]}
        known = {bounds.symbols[k]: F(x) for k, x in given.items()} | dict(stated.where)
        assert certify(stated.where[symbols["K"]], known).integer == levels
        found = as_float(enclose(stated.where[symbols["C"]], known))
        assert found == pytest.approx(float(c), rel=1e-12)


def test_errors_of_short_inputs():
    """What is asked of a choice of θ, q, J is the error of the page, and so is what is searched."""
    for v in draws(25, 21):
        rng = Random(str(v))
        delta, tau, d = v["period"], v["locality"], rng.randint(1, 6)
        extra = 6 if delta == 1 else 8
        theta, q, levels = rng.randint(1, 9), rng.randint(1, 9), rng.randint(1, 9)
        choice = {schedules.THETA: theta, schedules.REPEATS: q, schedules.LEVELS: levels}
        lip, size = v["complexity"], v["lipschitz"] / 2
        given = {"period": delta, "locality": tau, "dimension": d}
        averages = given | {"lipschitz_histogram": lip, "amplitude": size}
        terms = ((4 * d + extra) * lip, 4 * d * size, F(8 * tau, delta) * size)
        terms += (4 * (tau + delta) * size,)
        names = ("lipschitz_query", "lipschitz_keys", "limit_query", "limit_keys", "influence_keys")
        scalars = {k: v["s"] * rng.choice([F(0), F(1, 9), F(1), F(7)]) for k in names}
        l_q, l_k, b_q, b_k, l_v = scalars.values()
        models = given | scalars | {"positional_margin": v["gamma"]}
        more = ((4 * d + extra) * l_k, 2 * d * (l_q + l_v), F(4 * tau, delta) * l_v)
        more += ((tau + delta) * (l_q + 2 * l_v),)
        for expression, known, expected in [
            (enough._averages_apart(), averages, pieces_error(v, theta, q, levels, terms)),
            (
                enough._outputs_apart(),
                models,
                pieces_error(v, theta, q, levels, more, (b_q, b_k)),
            ),
        ]:
            values = {bounds.symbols[k]: F(x) for k, x in known.items()}
            values |= {name: F(x) for name, x in choice.items()}
            found = as_float(enclose(expression, values, 128))
            assert found == pytest.approx(float(expected), rel=1e-13)


def falling_error(f, x, y, j):
    """The error of `Falling` from its docstring, in 60 digits."""
    theta, q, levels = map(mp.exp, (x, y, j))
    n = f.period * theta * q * levels * (levels + 1) / 2 + f.first
    u, v = 1 / (q * (levels + 1)), 1 / (theta * (levels + 1))
    turns, flat, seams, ends, late, mean = (
        mp.exp(k) for k in (f.turns, f.flat, f.seams, f.ends, f.late, f.mean)
    )
    c = mp.mpf(f.rate)
    average = (1 + (mp.log(n) if c == 1 else (n ** (1 - c) - 1) / (1 - c))) / n
    total = turns * u * (1 + mp.log(q) / (2 * levels)) + flat * u + seams * v
    return total + ends / (n + f.period - 1) + late * n**-c + mean * average


def fallings(seed, number=12):
    rng = Random(seed)
    for _ in range(number):
        terms = {k: rng.uniform(-3, 5) for k in ("turns", "flat", "seams", "ends", "late", "mean")}
        rate = rng.choice([0.3, 0.5, 0.9, 1.0])
        yield schedules.Falling(
            **terms, rate=rate, period=rng.randint(1, 4), first=rng.randint(1, 4)
        )


def test_the_error_that_is_searched():
    rng = Random(5)
    for falling in fallings(3):
        for _ in range(4):
            point = tuple(rng.choice([0.0, math.log(2), rng.uniform(0, 6)]) for _ in range(3))
            expected = mp.log(falling_error(falling, *point))
            assert falling.over(point) == pytest.approx(float(expected), abs=1e-12, rel=1e-12)
            assert falling.fits(point) == (expected <= 0)
    exactly = schedules.Falling(flat=math.log(2.0))  # the error is s at J = q = 1
    assert exactly.over((0.0, 0.0, 0.0)) == 0
    assert exactly.fits((0.0, 0.0, 0.0))


def test_the_least_coordinate_that_fits():
    """One coordinate, by bisection over integers; and not many looks at the error."""
    rng = Random(7)
    looked, times = [0], 0

    class Counted(schedules.Falling):
        def over(self, point):
            looked[0] += 1
            return super().over(point)

    for plain in fallings(11, 20):
        falling = Counted(**{k: getattr(plain, k) for k in plain.__dataclass_fields__})
        for index in range(3):
            start = [math.log(rng.randint(1, 30)) for _ in range(3)]
            point = tuple(start)

            def fits(n, point=point, index=index, plain=plain):
                return plain.fits(schedules._with(point, index, math.log(n)))

            before = looked[0]
            found = schedules._solved(falling, point, index)
            times += 1
            assert looked[0] - before < 45
            if found is None:
                assert not fits(2**19)
                continue
            high = round(math.exp(min(found[index], 25)))
            assert fits(high)
            assert high == 1 or not fits(high - 1)
            assert found[:index] + found[index + 1 :] == point[:index] + point[index + 1 :]
    assert looked[0] < 13 * times


def test_what_does_not_promise_to_be_shorter_is_not():
    rng = Random(13)
    seen = set()
    for falling in fallings(17, 30):
        point = tuple(math.log(rng.randint(1, 12)) for _ in range(3))
        for index in range(3):
            found = schedules._solved(falling, point, index)
            if found is None:
                continue
            size = schedules._size(found)
            # A little more room promises it; much less does not.
            assert schedules._promising(falling, point, index, size + 1e-9)
            if found[index] > math.log(20):
                assert not schedules._promising(falling, point, index, size - 0.7)
                seen.add(index)
    assert seen == {0, 1, 2}


def test_candidates_and_integers_of_logarithms():
    assert list(schedules._candidates(40.0)) == [40.0, 40.0 + 40e-12, 40.0 + 40e-9]
    near = [round(math.exp(c)) for c in schedules._candidates(math.log(10.5))]
    assert near == [9, 10, 11, 12]
    assert [round(math.exp(c)) for c in schedules._candidates(0.0)] == [1, 2, 3]
    for value in (31.0, 40.5, 600.0):
        found = schedules._integer(value)
        assert found.denominator == 1
        assert 0 < mp.log(real(found)) - value < 1e-10
    point = (math.log(5), math.log(7), math.log(2))
    moved = schedules._moved(point, [1, -1, 0], 0.0)
    assert [round(math.exp(c)) for c in moved] == [6, 6, 2]
    assert schedules._moved((0.0, 0.0, 0.0), [-1, 0, -1], 0.0) == (0.0, 0.0, 0.0)


# Average error


@pytest.mark.parametrize(
    ("mass", "total", "observed", "u"),
    [(F(1, 2), F(1), 3, F(1, 100)), (F(5), F(9), 1, F(1, 10**6)), (F(8), F(10**7), 4, F(1, 10**9))],
)
@pytest.mark.parametrize("theta", [F(1), F(2)])
def test_the_smaller_mass_is_where_s_is_least(mass, total, observed, u, theta):
    """(S): (θ/((θ − a)·a·B(a, A + m − a)·u))^(1/a), 0 < a < θ; the least on a grid."""

    def s(a):
        a = mp.mpf(a)
        scaled = a * mp.beta(a, real(total) + observed - a)
        return mp.log(real(theta) / ((real(theta) - a) * scaled * real(u))) / a

    found = beta_roots.smaller_mass(mass, total, observed, theta, u)
    steps = [k for k in range(1, 64 * int(theta)) if F(k, 64) < theta]
    grid = beta_roots._GRID
    best = min((F(k, 64) for k in steps), key=lambda a: s(real(a)))
    if mass < best - F(1, 64):
        assert found == mass
        return
    assert abs(found - min(best, mass)) <= F(1, 64) + F(1, grid)


def test_fair_coins_and_rare_tokens():
    key = "derived.lower_average_softmax"
    given = {"lipschitz": F(1), "locality": 0, "positional_margin": F(1)}
    for target in (F("0.0289"), *(F(k, 9999) for k in range(5, 125, 4))):
        width = mp.mpf("0.2408") - mp.sqrt(mp.mpf("0.2408") ** 2 - 2 * real(target))
        for share in (F(1, 2), F(99, 100)):
            coin = mp.pi / 2 * real(share * target) ** 2 * (width**-2 - 1) ** 2
            found = evaluation(key, **given, target=target, epsilon=share * target)
            assert found.terms["fair coin"].integer == rounded(coin, up=False)
    given["epsilon"] = F(1, 200)
    beyond = evaluation(key, **given, target=F("0.0289000001"))
    assert {name: term.integer for name, term in beyond.terms.items()} == {
        "fair coin": 0,
        "window": 0,
    }
    flat = {**given, "positional_margin": F(11, 10), "target": F(1, 100)}
    assert evaluation(key, **flat).terms["fair coin"].integer == 0


def test_hypotheses_of_priors():
    seen = 0
    for theorem in bounds.theorems():
        for hypothesis in theorem.hypotheses:
            if hypothesis.check is None:
                continue
            if "α₀ = 1, A = " in hypothesis.text:
                total = 3 if "A = 3" in hypothesis.text else 2
                check, seen = hypothesis.check, seen + 1
                assert check({})
                assert check({"alpha_min": F(1), "alpha_total": F(total)})
                assert not check({"alpha_min": F(2), "alpha_total": F(total)})
                assert not check({"alpha_min": F(1), "alpha_total": F(total + 1)})
            elif hypothesis.text == "α₀ ≤ A":
                check, seen = hypothesis.check, seen + 1
                assert check({"alpha_min": F(2), "alpha_total": F(2)}), theorem.key
                assert not check({"alpha_min": F(3), "alpha_total": F(2)})
    assert seen >= 4


def test_the_last_prime_of_the_average_tents():
    """T prime, T + 9 < λ·min(ε, η/2)/η²."""
    theorem = bounds.theorem("derived.lower_average_one_column")
    given = {"epsilon": F(1), "target": F(2)}
    last = sympy.prevprime(2**40)
    for room, prime in [(F(3), 0), (F(4), 3), (F(5), 3), (F(6), 5), (F(2**40), last)]:
        (choice,) = theorem.choices({**given, "lipschitz": 4 * (room + 9)})
        assert list(choice.values()) == [prime]


def test_a_rare_token_from_ten_steps_on():
    """α = 1, A = 2: c = (3/5 − 5/32)/8, and c·L/η steps, from 10 on."""
    for steps, shown in [(F(1001, 100), 10), (F(999, 100), 0)]:
        target = F(71, 160) / 8 / steps
        given = {"epsilon": target / 2, "target": target, "lipschitz": F(1), "logit_range": F(9)}
        found = evaluation(
            "derived.lower_average_softmax_dirichlet", **given, alpha_min=1, alpha_total=2
        )
        assert found.length.integer == shown


# Near ties


def test_near_ties_at_their_boundaries():
    tie = {"tie_tolerance": F(1), "horizon": F(8)}
    kept = linf_argmax_1_ties._kept  # T* < 2^(p/κ)
    for bits, horizon, expected in [
        (F(3), 8, False),
        (F(7, 2), 8, True),
        (F(7, 2), 11, True),
        (F(7, 2), 12, False),
        (F(4), 15, True),
        (F(1), 8, False),
    ]:
        assert kept({**tie, "precision_bits": bits, "horizon": F(horizon)}) is expected
    # s = L leaves nothing to simulate, even where tanh is 1 to all digits
    far = {"tie_tolerance": F(10**6), "horizon": F(2**4000), "lipschitz": F(1)}
    assert linf_argmax_1_ties._room({**far, "simulation_error": F(1)})
    assert not linf_argmax_1_ties._room({**far, "simulation_error": F(99, 100)})
    assert linf_argmax_1_ties._no_horizon({"tie_tolerance": F(0)}) == 1
    assert linf_argmax_1_ties._no_horizon({"tie_tolerance": F(1)}) is None
    positive = next(
        h for h in bounds.theorem("derived.lower_near_tie").hypotheses if h.text == "κ > 0"
    )
    assert not positive.check({"tie_tolerance": F(0)})
    least = next(
        h for h in bounds.theorem("derived.lower_near_tie").hypotheses if h.text == "T* ≥ 2"
    )
    assert [least.check({"horizon": F(t)}) for t in (1, 2)] == [False, True]


def test_what_is_within_reach_of_the_search():
    bits = {"precision_bits": F(10), "margin": F(1)}
    for horizon, expected in [(2**4095, True), (2**4096, False)]:
        assert near_ties.within_reach({**bits, "horizon": F(horizon)}) is expected
    huge = {"precision_bits": F(10**12), "margin": F(1, 10**12), "horizon": F(9)}
    assert near_ties.within_reach(huge) is False  # the threshold is too large to be written out
    values = {
        **bits,
        "precision_bits": F(1),
        "lipschitz": F(1),
        "tie_tolerance": F(1, 1000),
        "horizon": F(10**6),
        "period": F(1),
        "locality": F(0),
    }
    wide = {**values, "simulation_error": F(9, 10)}
    assert near_ties.least_steps(wide, lambda n, v: arb(10**9)) == 1
    assert near_ties.least_steps({**wide, "simulation_error": F(1)}, lambda n, v: arb(10)) is None
    assert near_ties.least_steps({**wide, "tie_tolerance": F(0)}, lambda n, v: arb(10)) is None


# Two argmax layers


def test_alternations_between_their_steps():
    for k in range(24, 180, 7):
        inverse = F(k, 3)
        number = mp.ceil(real(inverse / 2) - 3 - mp.log(real((inverse - 3) / 5)))
        value = 19 ** max(0, int(number) - 2)
        found = integers(
            "derived.lower_two_layer_argmax_margin", epsilon=F(0), target=1 / inverse, lipschitz=1
        )
        assert found[0] == value


def test_below_the_output():
    """7·target < L, the target being 3ε where none is given."""
    check = linf_argmax_2._below_the_output
    assert check({"target": F(1)})
    assert check({"target": F(1), "lipschitz": F(15, 2)})
    assert not check({"target": F(1), "lipschitz": F(7)})
    assert check({"epsilon": F(1), "lipschitz": F(22)})
    assert not check({"epsilon": F(1), "lipschitz": F(21)})


def test_steps_of_the_limit_regime():
    """n₀ = ⌈e₀(1 + ρ)/(ρη)⌉ for one head, with σ₀ = min{1/4, s/L}."""
    stated = bounds.theorem("derived.one_layer_linf_limit").stated
    n_0 = next(name for name in stated.where if str(name) == "n_0")
    for ratio, size, delta in [(F(1, 3), 2, 1), (F(1, 9), 5, 3), (F(2, 11), 7, 2)]:
        sigma = min(F(1, 4), ratio)
        eta = sigma**2 / 4
        rho = sigma * (1 - sigma) * (1 - eta)
        e0 = F(delta * (size + 1), 4) + 1
        values = {"epsilon": 0, "target": 2 * ratio, "lipschitz": 1, "period": delta}
        known = {bounds.symbols[k]: F(x) for k, x in values.items()}
        known |= {bounds.symbols.vocabulary_size: F(size), **dict(stated.where)}
        assert certify(stated.where[n_0], known).integer == math.ceil(e0 * (1 + rho) / (rho * eta))


def test_constants_are_sympy_integers():
    assert linf_softmax_2._read({}, "vocabulary_size") == sympy.Integer(2)


def test_the_closed_form_just_above_a_step():
    """(C/s)² a little above 56 = J(J + 1)/2 + 1, J = 10, needs K = 11; at 56 and below 10."""
    stated = bounds.theorem("derived.two_layer_softmax_balanced").stated
    k = next(name for name in stated.where if str(name) == "K")
    for c, levels in [(F(74834, 10**4), 11), (F(74833, 10**4), 10)]:
        given = {"epsilon": 0, "target": 2, "positional_margin": 1, "period": 1, "locality": 0}
        given |= dict.fromkeys(("lipschitz_keys", "limit_query", "limit_keys"), 0)
        given |= {"lipschitz_query": c / 3, "influence_keys": 0, "dimension": 1}
        known = {bounds.symbols[name]: F(x) for name, x in given.items()} | dict(stated.where)
        assert certify(stated.where[k], known).integer == levels


def test_means_far_away():
    assert schedules._log_mean(0.5, 2000.0) == pytest.approx(-1000 + math.log(2))
    assert schedules._log_mean(0.5, 10.0) == pytest.approx(
        math.log(1 + (math.exp(5.0) - 1) / 0.5) - 10
    )


def test_intervals_of_near_ties():
    assert near_ties._interval(sympy.sqrt(2)).overlaps(arb(2).sqrt())
    nothing = {"tie_tolerance": F(0), "simulation_error": F(0), "lipschitz": F(1)}
    assert not near_ties.ties_cost_less({**nothing, "horizon": F(9)})


def test_constants_of_another_depth_are_refused():
    three = SimpleNamespace(layers=3)
    check = linf_softmax_deep._as_deep
    assert check({"depth_constants": three, "layers": 3})
    assert not check({"depth_constants": three, "layers": 2})
    assert check({"depth_constants": three})
    assert check({"layers": 2})


def test_two_theorems_have_two_keys():
    theorem = bounds.theorem("derived.lower_tent")
    assert registry._by_key([theorem]) == {theorem.key: theorem}
    with pytest.raises(RuntimeError, match="two theorems"):
        registry._by_key([theorem, theorem])
