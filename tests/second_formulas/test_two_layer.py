"""Softmax in one and two layers, argmax in two: every formula once more, with its terms by name."""

from fractions import Fraction as F
from itertools import product
from math import isqrt
from random import Random

import pytest

import bounds
from bounds.registry.sufficient import linf_softmax_2
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded

pytestmark = pytest.mark.covers(
    "second formula",
    "derived.lower_logit_range",
    "derived.lower_margin",
    "derived.lower_softmax_exact",
    "derived.lower_softmax_locality",
    "derived.lower_softmax_margin",
    "derived.lower_softmax_range",
    "derived.lower_two_layer",
    "derived.lower_two_layer_argmax",
    "derived.lower_two_layer_argmax_margin",
    "derived.one_layer_softmax",
    "derived.one_layer_softmax_columns",
    "derived.one_layer_softmax_no_bias",
    "derived.one_layer_softmax_no_bias_columns",
    "derived.one_layer_softmax_periodic",
    "derived.simulation",
    "derived.simulation_balanced",
    "derived.two_layer_argmax",
    "derived.two_layer_argmax_generic",
    "derived.two_layer_argmax_suffix_only",
    "derived.two_layer_softmax",
    "derived.two_layer_softmax_balanced",
    "derived.two_layer_softmax_periodic",
)


def draws(number, seed):
    rng = Random(seed)
    for _ in range(number):
        s = F(rng.randint(1, 30), rng.choice([10, 64]))
        eps = F(rng.randint(0, 20), 16)
        yield {
            "epsilon": eps,
            "target": eps + 2 * s,
            "s": s,
            "lipschitz": s * rng.choice([0, F(1, 100), F(1, 2), 1, 4, F(13, 2), 30]),
            "vocabulary_size": rng.randint(1, 5),
            "period": rng.randint(1, 4),
            "locality": rng.randint(0, 3),
            "heads": rng.choice([1, 1, 2]),
            "precision_bits": rng.randint(1, 14),
            "margin": F(rng.randint(1, 9), 4),
            "gamma": rng.choice([F(1, 3), F(1, 2), F(3, 5), F(1), F(2)]),
            "logit_range": rng.choice([F(0), F(1, 2), F(2)]),
            "complexity": s * rng.choice([F(1, 9), F(1), F(9, 2), F(40)]),
            "block": rng.randint(1, 4),
            "states": rng.randint(1, 9),
            "path_states": rng.randint(1, 30),
        }


def pick(v, *names):
    return {name: v[name] for name in ("epsilon", "target", *names)}


@pytest.mark.parametrize("v", [*draws(30, 1)])
def test_one_layer_softmax(v):
    c = real(v["lipschitz"] * (F(v["vocabulary_size"], 4) + 3 * (v["locality"] + 1)))
    c *= mp.exp(real(v["logit_range"]))
    steps = 0 if c == 0 else rounded((c / real(v["s"])) ** max(1 / real(v["gamma"]), mp.mpf(1)))
    given = pick(v, "lipschitz", "vocabulary_size", "locality", "logit_range")
    found = integers("derived.one_layer_softmax", **given, period=1, positional_margin=v["gamma"])
    assert found == (max(1, steps), {"simulation": steps, "one token": 1})


def moved(types, kept=0):
    """The most that largest remainders move: k of a numbers go up, k(a − k)/a at most."""
    return max(F(k * (types - k), types - kept) if types > kept else F(0) for k in range(types + 1))


def softmax_base(v, key):
    """The base of Theorem B7, as the page has it: a number times K, and what is added."""
    delta, tau, size = v["period"], v["locality"], v["vocabulary_size"]
    if key == "periodic":
        e = delta * moved(size) + moved(delta) + tau + 1
        return e, e, "logit_range"
    if key == "columns":
        lags = -(-(tau + 1) // delta)
        return (
            delta * moved(size) + tau + delta,
            delta * (moved(size) + lags + 1) - 1,
            "logit_range_columns",
        )
    if key == "no_bias":
        e = (delta - 1) * moved(size) + moved(size, 1) + moved(delta)
        return e, e, "logit_range"
    e = delta * moved(size, 1) + delta - 1
    return e, e, "logit_range_columns"


@pytest.mark.parametrize("key", ["periodic", "columns", "no_bias", "no_bias_columns"])
@pytest.mark.parametrize("v", [*draws(30, 5)])
def test_one_layer_softmax_of_any_period(v, key):
    added, factor, name = softmax_base(v, key)
    delta, given = v["period"], pick(v, "lipschitz", "vocabulary_size", "period")
    biased = key in ("periodic", "columns")
    if biased:
        given |= {"locality": v["locality"], "positional_margin": v["gamma"]}
    if v["s"] >= v["lipschitz"]:
        length = delta
    else:
        odds = mp.exp(real(v["logit_range"])) * real(v["lipschitz"] / v["s"] - 1)
        base = real(added) + odds * real(factor)
        if biased:
            base = base ** max(1 / real(v["gamma"]), mp.mpf(1))
        length = rounded(base) + delta - 1
    terms = {"simulation": length} | ({} if biased else {"one period": delta})
    found = integers(f"derived.one_layer_softmax_{key}", **given, **{name: v["logit_range"]})
    assert found == (max(terms.values()), terms)


def test_without_lag_bias_two_or_three_tokens_need_exactly_what_suffices():
    for size, ratio, reach in product([2, 3], [F(5, 4), F(2), F(9), F(50)], [F(0), F(1, 3), F(3)]):
        given = {"epsilon": F(1, 7), "target": F(1, 7) + F(2, 3), "lipschitz": ratio / 3}
        value = rounded(1 + mp.exp(real(reach)) * real(ratio - 1))
        enough = integers(
            "derived.one_layer_softmax_no_bias",
            **given,
            vocabulary_size=size,
            period=1,
            logit_range=reach,
        )
        assert enough[0] == value
        ranges = {"logit_range": reach, "logit_range_columns": reach}
        assert integers("derived.lower_softmax_exact", **given, **ranges)[0] == value


@pytest.mark.parametrize("v", [*draws(30, 2)])
def test_two_layer_softmax(v):
    power = max(1 / real(v["gamma"]), mp.mpf(2))
    main = mp.mpf(3) / 2 * real(v["complexity"] / v["s"]) ** power
    given = pick(v, "locality", "block", "period")
    for key, name, period in [
        ("two_layer_softmax", "complexity_balanced", 1),
        ("two_layer_softmax_periodic", "complexity_periodic", v["period"]),
    ]:
        given = given | {name: v["complexity"]}
        end = v["locality"] + period
        terms = {
            "simulation": rounded(main),
            "suffix": 3 * end,
            "four blocks": rounded(F(3, 2) * (10 * v["block"] * period + end)),
        }
        found = integers(f"derived.{key}", **given, positional_margin=v["gamma"])
        assert found == (max(terms.values()), terms)


def test_each_term_of_two_layer_softmax_dominates_somewhere():
    given = {"epsilon": F(0), "target": F(2), "positional_margin": F(1), "period": 1}
    for constant, tau, block, dominant in [
        (9, 0, 1, "simulation"),
        (1, 30, 1, "suffix"),
        (1, 0, 1, "four blocks"),
    ]:
        length, terms = integers(
            "derived.two_layer_softmax",
            **given,
            complexity_balanced=constant,
            locality=tau,
            block=block,
        )
        assert length == terms[dominant]
        assert sum(value == length for value in terms.values()) == 1


def automaton(v, nu, path):
    """Theorem C7 for ν states in a component and Q* on a run: the length, and its terms."""
    e = F(path * (nu + 3), 2) + v["locality"] + 1
    steps = rounded(e * (1 + nu * v["lipschitz"] / v["s"]) ** (2 * v["heads"]))
    first = rounded(mp.mpf(2) ** (real(v["precision_bits"]) / real(v["margin"])))
    terms = {"simulation": steps + path, "hardmax threshold": first + path}
    return steps + first + path, terms


MODELS = ("lipschitz", "locality", "heads", "precision_bits", "margin")


@pytest.mark.parametrize("v", [*draws(30, 3)])
def test_two_layer_argmax(v):
    given = pick(v, *MODELS, "states", "path_states")
    expected = automaton(v, v["states"], v["path_states"])
    assert integers("derived.two_layer_argmax", **given) == expected


@pytest.mark.parametrize("v", [*draws(30, 7)])
def test_two_layer_argmax_with_known_automata(v):
    """(F1) the state is a window of τ + 1 tokens and the residue; (F2) and the types seen."""
    size, period, tau = v["vocabulary_size"], v["period"], v["locality"]
    windows = period * size ** (tau + 1)
    given = pick(v, *MODELS, "vocabulary_size", "period")
    # A run is in windows of all τ + 1 tokens, after τ shorter ones.
    found = integers("derived.two_layer_argmax_suffix_only", **given)
    assert found == automaton(v, windows, windows + tau)
    # Of P layers all but the last see a window of (P − 1)τ + 1 tokens.
    reach = 3 * tau
    windows_of_four = period * size ** (reach + 1)
    found = integers("derived.two_layer_argmax_suffix_only", **given, layers=4)
    assert found == automaton(v, windows_of_four, windows_of_four + reach)
    # The types seen only grow, Δ|Σ| times at most: as many passes through the windows.
    found = integers("derived.two_layer_argmax_generic", **given)
    assert found == automaton(v, windows, period * size * windows + tau + 1)


def test_what_defines_the_automaton_has_no_default():
    for key, names in [
        ("two_layer_argmax", {"states", "path_states", "locality", "margin", "precision_bits"}),
        ("two_layer_argmax_suffix_only", {"vocabulary_size", "period", "locality"}),
        ("two_layer_argmax_generic", {"vocabulary_size", "period", "locality"}),
    ]:
        with pytest.raises(bounds.ParameterError) as caught:
            bounds.required_length(theorem=f"derived.{key}", epsilon=1)
        assert names <= {problem.name for problem in caught.value.problems}


def test_simulation_of_averages():
    for eps, size, lip, tau, d, theta in product(
        [F(1, 10), F(9, 7), F(10**4)],
        [F(0), F(1, 2), F(3)],
        [F(0), F(5, 3)],
        [0, 2],
        [1, 4],
        [1, 3],
    ):
        error = (4 * d + 6) * lip + (F(4 * tau, theta) + 2 * d + 2 * tau + 2) * 2 * size
        blocks = max(1, rounded(error / eps) - 1)
        value = rounded(F(theta * blocks * (blocks + 1), 2)) + tau + 1
        found = integers(
            "derived.simulation",
            averages_error=eps,
            amplitude=size,
            lipschitz_histogram=lip,
            locality=tau,
            dimension=d,
            block=theta,
        )
        assert found == (value, {"simulation": value})


def pieces_error(v, theta, q, levels, terms, late=0):
    """Lemma B3⁺ and Theorem B4⁺ for the worst residue: (turns, flat, seams, ends) and the rest."""
    delta, tau = v["period"], v["locality"]
    turns, flat, seams, ends = map(real, terms)
    z = delta * theta * q * levels * (levels + 1) / mp.mpf(2)
    error = (turns * (1 + mp.log(q) / (2 * levels)) + flat) / (q * (levels + 1))
    error += seams / (theta * (levels + 1)) + ends / (z + tau + delta)
    if late:
        n, rate = z + tau + 1, real(min(v["gamma"], F(1)))
        mean = (1 + (mp.log(n) if rate == 1 else (n ** (1 - rate) - 1) / (1 - rate))) / n
        error += 2 * (tau + 1) * (real(late[0]) * n**-rate + real(late[1]) * mean)
    return error


def shortest_by_hand(v, allowed, longest, *terms):
    """The least N over all θ, q, J with N ≤ `longest`; the error falls in θ."""
    delta, tau = v["period"], v["locality"]
    best = longest
    for levels in range(1, longest):
        level = levels * (levels + 1) // 2
        if delta * level + tau + delta >= best:
            return best
        for q in range(1, longest):
            low, high = 1, (best - 1 - tau - delta) // (delta * level * q)
            if high < 1:
                break
            if pieces_error(v, high, q, levels, *terms) > allowed:
                continue
            while low < high:
                middle = (low + high) // 2
                fits = pieces_error(v, middle, q, levels, *terms) <= allowed
                low, high = (low, middle) if fits else (middle + 1, high)
            best = delta * low * q * level + tau + delta
    return best


def found_by_search(v, key, allowed, terms, **given):
    """N and the three integers; the error there is at most s, and about no shorter z has it."""
    bound = bounds.required_length(theorem=f"derived.{key}", **given)
    chosen = {str(name): value for name, value in bound.choice.items()}
    delta, tau = v["period"], v["locality"]
    if chosen["J"].is_Symbol:  # no shorter than the closed form
        room = (bound.length - tau - delta) // delta
        chosen["J"] = (isqrt(8 * room + 1) - 1) // 2
    theta, q, levels = (int(chosen[name]) for name in ("theta", "q", "J"))
    assert pieces_error(v, theta, q, levels, *terms) <= real(allowed)
    n = F(delta * theta * q * levels * (levels + 1), 2) + tau + delta
    assert bound.length == n == bound.terms["simulation"].length
    if n < 400:
        best = shortest_by_hand(v, real(allowed), int(n), *terms)
        assert best <= n <= max(1.03 * best, best + delta)
    return int(n)


def test_simulation_with_repeated_pieces():
    seen = set()
    for v in draws(40, 11):
        rng = Random(str(v))
        lip, size, d = v["complexity"], v["lipschitz"] / 2, rng.randint(1, 6)
        eps, spread, delta, tau = v["s"], 2 * size, v["period"], v["locality"]
        extra = 6 if delta == 1 else 8
        ends = 2 * (tau + delta) * spread
        seams = F(4 * tau, delta) * spread
        terms = ((4 * d + extra) * lip, 2 * d * spread, seams, ends)
        given = {"amplitude": size, "lipschitz_histogram": lip, "dimension": d}
        given |= {"averages_error": eps, "locality": tau, "period": delta}
        n = found_by_search(v, "simulation_balanced", eps, [terms], **given)
        entry = bounds.theorem("derived.simulation_balanced").stated
        closed = max(1, rounded(sum(terms) / eps) - 1)
        (name,) = entry.where
        values = {bounds.symbols[k]: F(value) for k, value in given.items()}
        assert bounds.evaluate.certify(entry.where[name], values).integer == closed
        longest = delta * closed * (closed + 1) // 2 + tau + delta
        assert n <= longest
        seen.add(n < longest)
    assert seen == {True, False}


def test_two_layer_softmax_with_repeated_pieces():
    shorter = 0
    for v in draws(40, 12):
        rng = Random(str(v))
        names = ("lipschitz_query", "lipschitz_keys", "limit_query", "limit_keys", "influence_keys")
        scalars = {k: v["s"] * rng.choice([F(0), F(1, 9), F(1), F(7)]) for k in names}
        l_q, l_k, b_q, b_k, l_v = scalars.values()
        delta, tau, d = v["period"], v["locality"], rng.randint(1, 6)
        extra = 6 if delta == 1 else 8
        turns, flat = (4 * d + extra) * l_k, 2 * d * (l_q + l_v)
        terms = (turns, flat, F(4 * tau, delta) * l_v, (tau + delta) * (l_q + 2 * l_v))
        given = pick(v, "period", "locality") | scalars
        given |= {"positional_margin": v["gamma"], "dimension": d}
        args = ("two_layer_softmax_balanced", v["s"], [terms, (b_q, b_k)])
        n = found_by_search(v, *args, **given)
        # The closed form is Theorem B4 with its remark: the C of the page, θ = q = 1.
        rate = min(v["gamma"], F(1, 2))
        root = mp.sqrt(delta)
        c = real(l_q) * (2 * d * root + tau + delta)
        c += real(2 * (tau + 1) * (b_q + b_k / (1 - rate)) + 2 * (tau + delta) * l_v)
        c += root * real(turns + (F(4 * tau, delta) + 2 * d) * l_v)
        power = 1 / real(rate)
        enough = max((c / real(v["s"])) ** power, mp.mpf(2 * (tau + delta)))
        levels = max(1, rounded(mp.sqrt(2 * (enough - tau - 1) / delta + mp.mpf(1) / 4) - 0.5))
        longest = delta * levels * (levels + 1) // 2 + tau + delta
        assert n <= longest
        shorter += n < longest
    assert shorter >= 20


def test_necessary_softmax():
    for eta, gamma, lip in product([F(1, 9), F(2, 100), F(1, 5)], [F(1, 2), F(1), F(3)], [1, F(7)]):
        given = {"epsilon": F(1, 99), "target": eta}
        value = rounded(F(1, 25) / eta**2)
        assert integers("derived.lower_two_layer", **given) == (value, {"balance": value})
        value = rounded(real(lip / (2 * eta)) ** (1 / real(gamma)))
        found = integers("derived.lower_margin", **given, lipschitz=lip, positional_margin=gamma)
        assert found == (value, {"suffix": value})
        value = rounded(1 + mp.exp(real(gamma)) * real(lip / (2 * eta) - 1))
        found = integers("derived.lower_logit_range", **given, lipschitz=lip, logit_range=gamma)
        assert found == (value, {"logit range": value, "one token": 1})
    for s, gamma, lip, wide, narrow in product(
        [F(1, 9), F(2, 100), F(5)],
        [F(1, 2), F(2, 3), F(1), F(3)],
        [F(1), F(7)],
        [F(0), F(2)],
        [F(1, 2), F(5)],
    ):
        given = {"epsilon": F(1, 99), "target": F(1, 99) + 2 * s, "lipschitz": lip}
        ranges = {"logit_range": wide, "logit_range_columns": narrow}
        odds = mp.exp(real(min(wide, narrow))) * real(max(lip / s - 1, F(0)))
        value = rounded(1 + odds)
        found = integers("derived.lower_softmax_exact", **given, **ranges)
        assert found == (value, {"last token": value})
        value = rounded(odds ** (1 / real(gamma)) + real(min(1, 1 / gamma)))
        found = integers("derived.lower_softmax_margin", **given, **ranges, positional_margin=gamma)
        assert found == (value, {"last token": value})
    given = {"epsilon": F(1), "target": F(3), "lipschitz": 1, "logit_range": 2}
    assert integers("derived.lower_logit_range", **given)[0] == 1


def test_necessary_two_softmax_layers():
    for ratio, lip in product([F(1, 1201), F(1, 9999), F(3, 10**6)], [F(1), F(7, 3)]):
        given = {"epsilon": F(0), "target": ratio * lip, "lipschitz": lip}
        for size, tau, gamma in product([2, 3, 9], [1, 4], [F(1, 2), F(3)]):
            value = rounded(F(size * tau, 500) / ratio**2)
            found = integers(
                "derived.lower_softmax_locality",
                **given,
                vocabulary_size=size,
                locality=tau,
                positional_margin=gamma,
            )
            assert found == (value, {"windows": value})
    for ratio, lip, reach in product([F(1, 33), F(1, 999)], [F(1), F(7, 3)], [F(0), F(1, 2), F(9)]):
        given = {"epsilon": F(0), "target": ratio * lip, "lipschitz": lip}
        value = rounded(mp.exp(real(reach)) / real(10 * ratio**2))
        found = integers("derived.lower_softmax_range", **given, logit_range_last=reach)
        assert found == (value, {"changes": value})


def test_gram_tents():
    for size, tau, lip in product([1, 2, 3], [0, 1, 2], [F(1), F(7, 2)]):
        grams = size ** (tau + 1)
        bound = lip * (1 - F(1, grams)) / 2
        for eta in (F(1, 50), F(1, 3), bound, bound - F(1, 10**9)):
            if eta <= 0:
                continue
            value = rounded((grams - 1) * lip / (4 * eta)) if eta < bound else 1
            found = integers(
                "derived.lower_two_layer_argmax",
                epsilon=F(0),
                target=eta,
                lipschitz=lip,
                vocabulary_size=size,
                locality=tau,
            )
            assert found == (value, {"grams": value})


def test_alternations_of_two_shares():
    """19^(K − 2), K = ⌈1/(2η) − 3 − ln((1/η − 3)/5)⌉, η = target/L ≤ 1/8."""
    for eta, lip in product([F(1, 500), F(1, 90), F(1, 30), F(2, 17), F(1, 8)], [F(1), F(5)]):
        number = mp.ceil(real(1 / (2 * eta)) - 3 - mp.log(real((1 / eta - 3) / 5)))
        value = 19 ** max(0, int(number) - 2)
        found = integers(
            "derived.lower_two_layer_argmax_margin", epsilon=F(0), target=eta * lip, lipschitz=lip
        )
        assert found == (value, {"alternation": value})
    checks = [
        h.check
        for h in bounds.theorem("derived.lower_two_layer_argmax_margin").hypotheses
        if h.check
    ]
    for target, allowed in [(F(1), True), (F(1) + F(1, 10**9), False), (F(2), False)]:
        assert all(c({"target": target, "lipschitz": F(8)}) for c in checks) == allowed


def test_hypotheses():
    for key in ("one_layer_softmax", "two_layer_softmax"):
        checks = [h.check for h in bounds.theorem(f"derived.{key}").hypotheses if h.check]
        assert [all(c({"period": d}) for c in checks) for d in (F(1), F(2))] == [True, False]


def test_the_complexity_is_said_to_be_ours():
    assert linf_softmax_2._complexity("C_?", "some-section").text == (
        "C_? is the explicit constant of docs/theory.md#some-section, for this θ and for |Σ|, τ "
        "and the ranks of both models (not the paper's C(f))"
    )


def test_stated_powers_are_the_slopes_where_two_layers_meet():
    given = {
        "epsilon": F(0),
        "target": F(1),
        "complexity_balanced": F(10**6),
        "locality": 1,
        "block": 1,
        "period": 1,
    }
    for gamma in (F(1, 3), F(1, 2), F(4)):
        values = given | {"positional_margin": gamma}
        double = evaluation(
            "derived.two_layer_softmax", **values | {"complexity_balanced": F(2 * 10**6)}
        )
        grown = double.length.log2 - evaluation("derived.two_layer_softmax", **values).length.log2
        theorem = bounds.theorem("derived.two_layer_softmax")
        stated = theorem.exponent("complexity_balanced").subs(
            bounds.symbols.positional_margin, gamma
        )
        assert grown == pytest.approx(float(stated), rel=1e-6)
