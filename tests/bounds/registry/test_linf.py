"""The one-layer ℓ∞ argmax entries: known values, a second implementation, order, and witnesses.

The second implementation uses integers and fractions only: a root is never taken, ⌈a^(1/b)⌉ is
the least n with n^b ≥ a. (Nested levels: 60 digits.)
"""

import math
from fractions import Fraction
from itertools import count
from random import Random

import pytest

import bounds
from bounds import ParameterError
from bounds.parameters import BY_KEYWORD
from tests.helpers.second_implementation import nested_terms, presence_terms
from verify import witnesses

HALF = Fraction(1, 2)


def length(key, **parameters):
    return bounds.required_length(theorem=f"derived.{key}", **parameters).length


def least(holds):
    """Least n ≥ 1 with a monotone property."""
    high = 1
    while not holds(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def first_hardmax(p, gamma):
    """⌈2^(p/γ)⌉."""
    return least(lambda t: t**gamma.numerator >= 2 ** (p * gamma.denominator))


def models(v):
    return v["epsilon"], v["target"], v["lipschitz"]


class Second:
    """Each formula once more."""

    @staticmethod
    def theorem_1(v, e, inverse, threshold, lipschitz, other):
        s = (v["target"] - v["epsilon"]) / 2
        d, tau = v["period"], v["locality"]
        if s >= lipschitz:
            return d
        growth = (1 + inverse * lipschitz / s) ** v["heads"]
        if s < other:
            growth *= (1 + inverse * other / s) ** v["heads"]
        growth = min(growth, (1 + inverse * lipschitz / s) ** (d * (v["vocabulary_size"] - 1) + 1))
        steps = math.ceil(e * (growth - 1))
        return max(d * (steps + 1) + tau, threshold + d - 1)

    @staticmethod
    def one_layer_linf(v):
        e = Fraction(v["period"] * (v["vocabulary_size"] + 1), 4) + v["locality"] + 1
        first = first_hardmax(v["precision_bits"], v["margin"])
        return Second.theorem_1(v, e, 1, first, v["lipschitz"], v["lipschitz_other"])

    @staticmethod
    def one_layer_linf_additive(v):
        e = 2 ** (2 * v["heads"] - 1) * max(v["vocabulary_size"], v["period"])
        e += Fraction(v["period"], 4) + v["locality"] + 1
        first = first_hardmax(v["precision_bits"], v["margin"])
        return Second.theorem_1(v, e, 1, first, *2 * [v["lipschitz_marginal"]])

    @staticmethod
    def one_layer_linf_steep(v):
        e = Fraction(v["period"] * (v["vocabulary_size"] + 1), 4) + v["locality"] + 1
        s = (v["target"] - v["epsilon"]) / 2
        first = first_hardmax(v["precision_bits"], v["margin"])
        if s < v["lipschitz"]:
            power = v["margin"] - 1
            ratio = (4 * v["lipschitz"] / s) ** power.denominator
            first = min(first, least(lambda t: t**power.numerator >= ratio))
        return Second.theorem_1(v, e, 2, first, v["lipschitz"], v["lipschitz_other"])

    @staticmethod
    def one_layer_linf_chain(v):
        target, epsilon, slope = v["target"], v["epsilon"], v["lipschitz"]
        d, tau, p, gamma = v["period"], v["locality"], v["precision_bits"], v["margin"]
        if target - epsilon >= 2 * slope:
            return d
        e = d * (Fraction(v["vocabulary_size"], 4) + 2) + tau + 1
        best = None
        for m in range(40):
            budget = target - (2 * m + 1) * epsilon
            if budget <= 0:
                break
            delta = min(HALF, budget / ((2 * m + 2) * slope + v["lipschitz_other"]))
            steps, least_hard = Second.chain_steps(m, delta, e, first_hardmax(p, gamma))
            found = max(d * (steps + 1) + tau, least_hard + d + 1)
            best = found if best is None else min(best, found)
        return best

    @staticmethod
    def chain_steps(m, delta, e, first):
        """⌈(K + 3)e/δ⌉ and ⌊K(first − 2)⌋, K the larger of 2 and δ^(−1/(m+1))."""
        simulation = least(
            lambda n: n * delta / e >= 5 and (n * delta / e - 3) ** (m + 1) * delta >= 1
        )
        above = least(
            lambda n: n > 2 * (first - 2) and n ** (m + 1) * delta > (first - 2) ** (m + 1)
        )
        return simulation, above - 1

    @staticmethod
    def one_layer_linf_shared_logits(v):
        s = (v["target"] - v["epsilon"]) / 2
        if s >= v["lipschitz"]:
            return 1
        base = (Fraction(v["vocabulary_size"], 4) + 1) * v["lipschitz"] / s
        free = 1 - v["largest_gap"]
        return least(lambda n: n**free.numerator >= base**free.denominator)

    @staticmethod
    def one_layer_linf_limit(v):
        s, d, gamma = (v["target"] - v["epsilon"]) / 2, v["period"], v["margin"]
        if s >= v["lipschitz"]:
            return d
        delta = s / (2 * v["lipschitz"])
        levels = min(2 * v["heads"], d * (v["vocabulary_size"] - 1) + 1)
        x = (1 + 1 / delta) ** levels - 1
        e0 = Fraction(d * (v["vocabulary_size"] + 1), 4) + 1

        def longest(steps, odds):
            """Δ·steps and odds^(1/γ), both in whole periods."""
            first = least(lambda n: n**gamma.numerator >= odds**gamma.denominator)
            return max(d * steps, first) + d - 1

        general = longest(math.ceil(e0 * x), 2 * d * x / (1 - delta))
        if v["heads"] > 1:
            return general
        sigma = min(Fraction(1, 4), s / v["lipschitz"])
        eta = sigma**2 / 4
        rho = sigma * (1 - sigma) * (1 - eta)
        n0 = math.ceil(e0 * (1 + rho) / (rho * eta))
        assert n0 >= 600
        odds = d * Fraction(601, 600) * (1 + rho) / (rho * (1 - eta) * (sigma - eta))
        return min(general, longest(n0, odds))

    @staticmethod
    def lower_presence(v):
        return max(presence_terms(v).values())

    @staticmethod
    def lower_tent(v):
        first = math.ceil((v["vocabulary_size"] - 1) * v["lipschitz"] / (4 * v["target"]))
        return v["period"] * first

    @staticmethod
    def lower_threshold(v):
        first, (eps, eta, lip) = first_hardmax(v["precision_bits"], v["margin"]), models(v)
        d, free = v["period"], 1 - v["margin"]
        if v["vocabulary_size"] >= 2 and eps > 0:
            base, goal = lip / (2 * (eta + eps)), (eta + eps) / (2 * eps)
            if (
                (eta <= 3 * eps and eta + eps < lip)
                or (free > 0 and base**free.numerator >= goal**free.denominator)
                or (free == 0 and 2 * (eta - eps) < lip and (eta - eps) ** 2 <= 2 * lip * eps)
            ):
                return first + d - 1
        return first + (d - 2 if 3 * eta < lip else 0)

    @staticmethod
    def lower_threshold_window(v):
        return first_hardmax(v["precision_bits"], v["margin"]) - 1

    @staticmethod
    def lower_limit(v):
        first = first_hardmax(v["precision_bits"], v["margin"])
        found = [1]
        a, b = v["margin"].numerator, v["margin"].denominator
        if v["vocabulary_size"] >= 2 and 0 < v["target"] <= 3 * v["epsilon"]:
            odds = 2 * v["lipschitz"] / (v["target"] - v["epsilon"]) - 1
            found.append(least(lambda n: n >= first or n**a >= odds ** (2 * b)))
        if v["period"] >= 2 and v["lipschitz"] > v["target"]:
            odds = (v["period"] - 1) * (v["lipschitz"] / v["target"] - 1)
            a, b = v["margin"].numerator, v["margin"].denominator
            found.append(least(lambda n: n >= first or n**a >= odds**b))
        total = v["target"] + v["epsilon"]
        if v["vocabulary_size"] >= 2 and 2 * v["lipschitz"] >= 5 * total:
            base, power = 2 * v["lipschitz"] / total, 4 * v["epsilon"] / (total * v["margin"])
            a, b = power.numerator, power.denominator
            found.append(least(lambda n: n >= first or n**b >= base**a))
        return min(first, max(found))

    @staticmethod
    def lower_shared_logits(v):
        base, free = v["lipschitz"] / (v["target"] - v["epsilon"]) - 1, 1 - v["largest_gap"]
        return least(lambda n: n**free.numerator >= base**free.denominator)

    @staticmethod
    def lower_single_z(v):
        delta = (v["target"] - v["epsilon"]) / 2 / v["lipschitz"]
        seen = math.ceil(Fraction(v["vocabulary_size"] - 2) / (4 * delta))
        kept = math.ceil((v["locality"] + 1) / delta)
        return max(v["period"] * math.ceil(seen / delta), math.ceil(kept / delta))

    @staticmethod
    def lower_linf_c3(v):
        return max(nested_terms(v).values())


SUFFICIENT = [
    "one_layer_linf",
    "one_layer_linf_additive",
    "one_layer_linf_chain",
    "one_layer_linf_steep",
    "one_layer_linf_shared_logits",
    "one_layer_linf_limit",
]
NECESSARY = [
    "lower_presence",
    "lower_tent",
    "lower_threshold",
    "lower_threshold_window",
    "lower_limit",
    "lower_shared_logits",
    "lower_single_z",
    "lower_linf_c3",
]


def random_values(random, key):
    """Parameters of all kinds: s near and above L, thresholds that dominate, targets above 3ε."""
    epsilon = Fraction(random.choice([0, 1, 1, 2, 3, 7]), random.choice([10, 64, 100, 1000]))
    target = epsilon + Fraction(random.randint(1, 60), random.choice([10, 50, 100]))
    if epsilon and random.random() < 0.6:
        target = random.choice([3, 3, 2, Fraction(3, 2), Fraction(7, 2), 9]) * epsilon
    gamma = Fraction(random.choice([1, 1, 2, 3, 4, 5]), random.choice([1, 2, 3, 4]))
    if key == "one_layer_linf_steep":
        gamma += 1
    slope = (target - epsilon) / 2 * Fraction(random.choice([1, 2, 3, 7, 20, 150]), 2)
    alone = key in ("one_layer_linf_chain", "one_layer_linf_shared_logits")
    return {
        "epsilon": epsilon,
        "target": target,
        "lipschitz": slope,
        "lipschitz_other": slope * random.choice([1, 1, Fraction(3, 4), Fraction(1, 20), 0]),
        "lipschitz_marginal": slope * Fraction(3, 2),
        "vocabulary_size": random.randint(1, 9),
        "period": 1 if key == "one_layer_linf_shared_logits" else random.randint(1, 6),
        "locality": random.randint(0, 5),
        "heads": 1 if alone else random.choice([1, 1, 1, 2, 3]),
        "precision_bits": random.randint(1, 12),
        "margin": gamma,
        "largest_gap": Fraction(random.choice([0, 1, 2, 3]), random.choice([4, 5])),
    }


def used(key, values):
    names = bounds.theorem(f"derived.{key}").parameters
    return {name: value for name, value in values.items() if name in names}


def random_cases(key, number, seed=0):
    """`number` parameter sets that satisfy the hypotheses, with the length."""
    random, found = Random(f"{key} {seed}"), []
    for _ in range(400 * number):
        values = random_values(random, key)
        try:
            found.append((values, length(key, **used(key, values))))
        except ParameterError:
            continue
        if len(found) == number:
            break
    assert len(found) == number
    return found


@pytest.mark.parametrize("key", SUFFICIENT + NECESSARY)
def test_second_implementation(key):
    for values, value in random_cases(key, 60):
        assert value == getattr(Second, key)(values), values


KNOWN = {
    "epsilon": "1/10",
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 2,
}


class TestKnownValues:
    def test_theorem_1(self):
        assert length("one_layer_linf", **KNOWN) == 963

    def test_theorem_1_with_a_constant_for_each_model(self):
        # e = 4: 11·3 − 1 = 32, and 11 − 1 = 10 where the other model is within ε of a constant
        assert length("one_layer_linf", lipschitz_other="1/5", **KNOWN) == 2 * (4 * 32 + 1) + 1
        for other in ("1/10", "1/1000", 0):
            assert length("one_layer_linf", lipschitz_other=other, **KNOWN) == 2 * (4 * 10 + 1) + 1
        values = {**KNOWN, "heads": 2, "lipschitz_other": "1/5"}
        assert length("one_layer_linf", **values) == 2 * (4 * (33**2 - 1) + 1) + 1

    def test_levels_of_types(self):
        # one token: 2(1 − 1) + 1 = 1 level, e = 2·2/4 + 2 = 3, 3·10 = 30, whatever the heads
        for heads in (1, 2, 7):
            values = {**KNOWN, "vocabulary_size": 1, "heads": heads}
            assert length("one_layer_linf", **values) == 2 * 31 + 1
        # two tokens: 2 + 1 = 3 levels for 4 heads, e = 3.5, 3.5·(11³ − 1) = 4655
        values = {**KNOWN, "vocabulary_size": 2, "heads": 2}
        assert length("one_layer_linf", **values) == 2 * 4656 + 1
        assert length("one_layer_linf", **values, lipschitz_other="1/10") == 2 * 421 + 1

    def test_chain_with_a_constant_for_each_model(self):
        # as below, but δ = 2ε/(4·16 + 1): 1/δ = 325, K = √325, (K + 3)·7.5·325 = 51255.2
        values = {**KNOWN, "lipschitz": 16, "lipschitz_other": 1, "target": "1/2"}
        assert length("one_layer_linf_chain", **values) == 2 * 51257 + 1

    def test_the_other_constant_is_the_smaller_one(self):
        for key in ("one_layer_linf", "one_layer_linf_chain", "one_layer_linf_additive"):
            values = {**KNOWN, "lipschitz_other": "1001/1000", "lipschitz_marginal": 1}
            with pytest.raises(ParameterError, match="at most lipschitz = 1"):
                length(key, **values)
        assert length("one_layer_linf", lipschitz_other=1, **KNOWN) == 963

    def test_a_smaller_constant_for_one_model_leaves_fewer_pairs(self):
        two = {"epsilon": 1, "lipschitz": 10, "vocabulary_size": 2}
        assert length("lower_presence", **two, lipschitz_other=10) == 5
        with pytest.raises(ParameterError, match="fewer models"):
            length("lower_presence", **two, lipschitz_other=9)

    def test_theorem_1_two_heads(self):
        # e = 4, 11⁴ − 1 = 14640
        assert length("one_layer_linf", heads=2, **KNOWN) == 2 * (4 * 14640 + 1) + 1

    def test_additive(self):
        # e' = 2·3 + 1/2 + 2 = 8.5, L' = 1: 8.5·120 = 1020
        values = {**KNOWN, "lipschitz_marginal": 1}
        del values["lipschitz"]
        assert length("one_layer_linf_additive", **values) == 2 * 1021 + 1

    def test_additive_from_the_weights_alone(self):
        # L' = 2: 8.5·(21² − 1) = 3740; for 400 tokens and 200 residues less than Theorem 1
        assert length("one_layer_linf_additive_weights", **KNOWN) == 2 * 3741 + 1
        sizes = {**KNOWN, "vocabulary_size": 400, "period": 200}
        plain = length("one_layer_linf", **sizes)
        assert 5 * length("one_layer_linf_additive_weights", **sizes) < plain
        setting = {"error": "linf", "attention": "argmax", "layers": 1}
        assert bounds.required_length(**setting, **sizes).length == plain
        told = bounds.required_length(**setting, **sizes, assume={"lipschitz_from_weights"})
        assert told.theorem.key == "derived.one_layer_linf_additive_weights"

    def test_chain(self):
        # target 5ε, m = 1: δ = 2ε/5L = 1/400, K = 20, e = 15/2: (20 + 3)·7.5·400 = 69000
        values = {**KNOWN, "lipschitz": 16, "target": "1/2"}
        assert length("one_layer_linf_chain", **values) == 2 * 69001 + 1

    def test_steep(self):
        # δ = s/2L = 1/20: 4·(21² − 1) = 1760
        assert length("one_layer_linf_steep", **KNOWN) == 2 * 1761 + 1

    def test_steep_replaces_the_threshold(self):
        # p = 40, γ = 2: 2^20, against (4L/s)^1 = 40
        values = {**KNOWN, "precision_bits": 40}
        assert length("one_layer_linf", **values) > 2**20
        assert length("one_layer_linf_steep", **values) == 2 * 1761 + 1

    def test_shared_logits(self):
        # (3/4 + 1)·10 = 17.5, squared: 306.25
        values = {"epsilon": "1/10", "lipschitz": 1, "vocabulary_size": 3, "period": 1}
        assert length("one_layer_linf_shared_logits", **values, largest_gap="1/2") == 307
        assert length("one_layer_linf_shared_logits", **values, largest_gap=0) == 18

    def test_limit_two_heads(self):
        # δ = 1/20, X = 21⁴ − 1 = 194480, e₀ = 3; h₂ = 2·2·194480·20/19 < e₀X·2
        values = {k: v for k, v in KNOWN.items() if k not in ("precision_bits", "locality")}
        values["margin"] = 1
        assert length("one_layer_linf_limit", **values, heads=2) == 2 * (3 * 194480 + 1) - 1

    def test_threshold(self):
        values = {**KNOWN, "margin": "1/2", "precision_bits": 4}
        del values["locality"]
        assert length("lower_threshold", **values) == 257
        values["margin"] = "3/4"  # 2^(16/3) = 40.3
        assert length("lower_threshold", **values) == 42
        assert length("lower_threshold_window", **{**values, "period": 1}) == 40

    def test_presence(self):
        two = {"lipschitz": 10, "vocabulary_size": 2}
        assert length("lower_presence", epsilon=0, target="0.999", **two) == 11  # L + 1
        assert length("lower_presence", epsilon=0, target="0.999", **two, period=3) == 3 * 10 + 1
        assert length("lower_presence", epsilon=1, **two) == 5  # L/2ε

    def test_tent(self):
        values = {"epsilon": 0, "target": 1, "lipschitz": 20, "vocabulary_size": 3, "period": 2}
        assert length("lower_tent", **values) == 2 * 10
        values["target"] = "1.1"  # 40/4.4 = 9.09
        assert length("lower_tent", **values) == 2 * 10

    def test_single_z(self):
        values = {"epsilon": "1/10", "lipschitz": 1, "vocabulary_size": 22, "period": 2}
        assert length("lower_single_z", **values, locality=2) == 2 * 500
        assert length("lower_single_z", **values, locality=9) == 1000
        values["lipschitz"] = "0.95"  # δ = 2/19: ⌈⌈47.5⌉·9.5⌉, not ⌈451.25⌉
        assert length("lower_single_z", **values, locality=2) == 2 * 456
        assert length("lower_single_z", **values, locality=9) == 2 * 456
        assert length("lower_single_z", **values, locality=10) == math.ceil(105 * 9.5)

    def test_exponent_two(self):
        values = {"epsilon": 1, "lipschitz": 10, "period": 3, "assume": {"no_lag_bias"}}
        assert length("lower_linf_c3", vocabulary_size=2, **values) == 1
        values["assume"] = {"no_lag_bias", "true_lipschitz"}
        assert length("lower_linf_c3", vocabulary_size=2, **values) == 3 * 40  # 2/(1−√0.6)² = 39.4
        assert length("lower_linf_c3", vocabulary_size=12, **values) == 3 * 250
        values["assume"] = ()  # (1 + √0.8)²/0.04 = 89.7
        assert length("lower_linf_c3", vocabulary_size=12, **values) == 3 * 90

    def test_limit_lower(self):
        values = {"epsilon": 1, "precision_bits": 30, "margin": "1/2"}
        one = bounds.required_length(
            theorem="derived.lower_limit", lipschitz=20, vocabulary_size=2, period=1, **values
        )
        assert one.terms["staircase"].length == 100  # (2·20/4)^(4/(4·½))
        assert one.length == one.terms["shares"].length == 19**4  # (2·20/2 − 1)^(2/½)
        two = length("lower_limit", lipschitz=9, vocabulary_size=1, period=2, **values)
        assert two == 4  # (9/3 − 1)²


MONOTONE = [
    (key, keyword)
    for key in SUFFICIENT + NECESSARY
    for keyword in bounds.theorem(f"derived.{key}").parameters
    if keyword != "epsilon"
]


def larger(random, keyword, value):
    if BY_KEYWORD[keyword].kind == "integer":
        return value + random.choice([1, 1, 2, 5])
    if keyword == "largest_gap":
        return value + (1 - value) * Fraction(random.randint(1, 9), 10)
    return value * (1 + Fraction(random.randint(1, 30), random.choice([10, 1000])))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "keyword"), MONOTONE)
def test_monotone_in_every_parameter(key, keyword):
    random, sign = Random(f"{key} {keyword}"), BY_KEYWORD[keyword].effect
    compared = 0
    for values, value in random_cases(key, 40, seed=keyword):
        moved = {**values, keyword: larger(random, keyword, values[keyword])}
        try:
            after = length(key, **used(key, moved))
        except ParameterError:
            continue
        compared += 1
        assert sign * (after - value) >= 0, (values, moved[keyword])
    fixed = {
        ("one_layer_linf_chain", "heads"),
        ("one_layer_linf_shared_logits", "heads"),
        ("one_layer_linf_shared_logits", "period"),
    }
    assert compared >= (0 if (key, keyword) in fixed else 5)


@pytest.mark.parametrize("key", [*SUFFICIENT, "lower_presence", "lower_limit", "lower_linf_c3"])
def test_monotone_in_epsilon_at_target_three_epsilon(key):
    random, compared = Random(key), 0
    for values, _ in random_cases(key, 40, seed="epsilon"):
        if not values["epsilon"]:
            continue
        del values["target"]
        more = {**values, "epsilon": larger(random, "epsilon", values["epsilon"])}
        try:
            assert length(key, **used(key, more)) <= length(key, **used(key, values)), values
        except ParameterError:
            continue
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("key", SUFFICIENT)
def test_monotone_in_epsilon_at_a_fixed_target(key):
    """The better the agreement, the shorter the length that reaches a target."""
    for values, value in random_cases(key, 40, seed="fixed target"):
        better = {**values, "epsilon": values["epsilon"] * HALF}
        assert length(key, **used(key, better)) <= value, values


@pytest.mark.parametrize("key", ["one_layer_linf", "one_layer_linf_additive"])
def test_hardmax_term_in_its_window(key):
    """The term is T₁ + Δ − 1, unless s ≥ L."""
    for values, _ in random_cases(key, 60, seed="window"):
        first = first_hardmax(values["precision_bits"], values["margin"])
        if values["target"] >= 2 * values["lipschitz"]:
            continue
        found = bounds.required_length(theorem=f"derived.{key}", **used(key, values))
        assert found.terms["hardmax threshold"].length == first + values["period"] - 1


@pytest.mark.slow
def test_branches_of_the_chain_meet():
    """K = 2 or larger, δ = ½ or smaller, m changing: no jump upwards as the target grows."""
    base = {"vocabulary_size": 3, "period": 2, "locality": 1, "precision_bits": 3, "margin": 1}
    previous, chosen = math.inf, set()
    for step in range(31, 300):
        found = bounds.required_length(
            theorem="derived.one_layer_linf_chain",
            epsilon=1,
            lipschitz=10**4,
            target=Fraction(step, 10),
            **base,
        )
        assert found.length <= previous
        previous = found.length
        chosen.update(int(m) for m in found.choice.values())
    assert chosen >= {0, 1, 2, 3}


def test_chain_beats_one_string_above_three_epsilon():
    base = {"vocabulary_size": 3, "period": 2, "locality": 1, "precision_bits": 3, "margin": 1}
    best = bounds.required_length(
        error="linf",
        attention="argmax",
        layers=1,
        epsilon="1/1000",
        target="9/1000",
        lipschitz=1,
        **base,
    )
    assert best.theorem.key == "derived.one_layer_linf_chain"
    assert "derived.one_layer_linf" in [a.theorem.key for a in best.alternatives]
    assert all(a.length >= best.length for a in best.alternatives)


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [k for k in NECESSARY if k not in ("lower_single_z", "lower_limit", "lower_shared_logits")],
)
@pytest.mark.parametrize("upper", ["one_layer_linf", "one_layer_linf_chain"])
def test_necessary_never_exceeds_sufficient(key, upper):
    for values, value in random_cases(key, 60, seed=upper):
        if upper.endswith("chain") and values.get("heads", 1) > 1:
            values = {**values, "heads": 1}
            value = length(key, **used(key, values))
        values = {"heads": 1, "locality": 0, **values, "lipschitz_other": values["lipschitz"]}
        assert value <= length(upper, **used(upper, values)), values


def test_limit_regime_necessary_never_exceeds_sufficient():
    for values, value in random_cases("lower_limit", 80, seed="limit"):
        values = {**values, "heads": 1, "lipschitz_other": values["lipschitz"]}
        limit = length("one_layer_linf_limit", **used("one_layer_linf_limit", values))
        assert value <= min(limit, length("one_layer_linf", **used("one_layer_linf", values)))


def test_one_string_necessary_never_exceeds_sufficient():
    """The method's own bound: below Theorem 1 at every τ, |Σ|, δ."""
    for values, value in random_cases("lower_single_z", 80, seed="z"):
        values = {**values, "heads": 1, "lipschitz_other": values["lipschitz"]}
        assert value <= length("one_layer_linf", **used("one_layer_linf", values))


def test_steep_exponent_is_met_from_below():
    """γ > 1: 2^(p/γ) is not necessary, so the entry does not claim it."""
    with pytest.raises(ParameterError, match="γ ≤ 1"):
        length(
            "lower_threshold",
            epsilon=0,
            target="1/100",
            lipschitz=1,
            vocabulary_size=2,
            period=2,
            precision_bits=8,
            margin="3/2",
        )


@pytest.mark.parametrize(
    "witness",
    [
        witnesses.threshold_residues(2, 6, "3/4", 2),
        witnesses.threshold_one_residue(5, 1, 3, 3, "1/2", 3),
        witnesses.threshold_two_slopes(9, 1, 4, 4, 2),
        witnesses.limit_shares(10, 1, 3, 12, 1),
        witnesses.shared_logits(1, "1/10", "3/10", 8, "1/2"),
        witnesses.threshold_one_residue(5, 1, 3, 3, "1/2"),
        witnesses.threshold_window(4, "1/2", 2),
        witnesses.limit_residues(10, 1, 2, 12, "1/2"),
        witnesses.limit_residues(8, 1, 3, 12, "3/4"),
        witnesses.limit_residues(900, 1, 2, 3, "1/2"),
        witnesses.presence(12, 0, "0.999"),
        witnesses.presence(7, 1, 3),
        witnesses.tents(20, "1.1", 3, 2),
        witnesses.tents(20, 1, 2, 3),
        witnesses.own_share(7, 1, 3, 2, 3),
        witnesses.nested_levels(5, 1, 3),
        witnesses.nested_levels(9, 1, "5/2", 2, 3, 4),
        witnesses.nested_levels(9, 1, 3, 5, 2, 1, 2),
        witnesses.levels_of_one(9, 0, 2, 2, 2, 4),
        witnesses.levels_of_one(9, 1, 3, 3, 1, 0, 3),
        witnesses.levels_of_one(9, 1, 3, 1, 2, 3),
    ],
    ids=lambda w: w.key,
)
def test_the_witness_reaches_the_entry(witness):
    """Every length below the entry's value is refuted by the pair, and no larger one is."""
    values = dict(witness.parameters)
    if "target" not in values:  # any target below the gap
        values["target"] = witness.gap * Fraction(99, 100)
        values["epsilon"] = witness.epsilon
    names = bounds.theorem(witness.key).parameters
    found = bounds.required_length(
        theorem=witness.key, **{k: v for k, v in values.items() if k in names}
    )
    assert found.length == witness.agree_up_to + 1


@pytest.mark.parametrize("given", [(8, 1, 3), (5, 1, 3, 3, 2), ("4.1", 1, 3, 3, 3)])
def test_tents_reach_the_term_of_three_tokens(given):
    """Without lag bias and with the least L; for more tokens an explicit pair reaches half."""
    witness = witnesses.nested_classes(*given)
    names = bounds.theorem(witness.key).parameters
    found = bounds.required_length(
        theorem=witness.key,
        assume={"no_lag_bias", "true_lipschitz"},
        **{k: v for k, v in witness.parameters.items() if k in names},
    )
    assert found.terms["tokens"].length == witness.agree_up_to + 1 <= found.length


def test_the_staircase_approaches_the_entry():
    """(ii) of the limit regime is a supremum over r: larger r, longer agreement, never beyond."""
    lengths = [
        witnesses.limit_one_residue(20, 1, 3, 16, "1/2", ratio=r).agree_up_to for r in (1, 3, 9, 99)
    ]
    found = bounds.required_length(
        theorem="derived.lower_limit",
        epsilon=1,
        lipschitz=20,
        vocabulary_size=2,
        period=1,
        precision_bits=16,
        margin="1/2",
    )
    value = found.terms["staircase"].length
    assert lengths == sorted(lengths)
    assert value == 100
    assert 90 <= lengths[-1] < value


ALL_HOLD = {
    "epsilon": 1,
    "lipschitz": 30,
    "vocabulary_size": 3,
    "period": 1,
    "locality": 1,
    "precision_bits": 4,
    "margin": "1/2",
    "largest_gap": "1/2",
}


class TestHypotheses:
    @pytest.mark.parametrize(
        ("key", "changes"),
        [
            ("one_layer_linf_chain", {"heads": 2}),
            ("one_layer_linf_steep", {"margin": 1}),
            ("one_layer_linf_shared_logits", {"period": 2}),
            ("one_layer_linf_shared_logits", {"heads": 2}),
            ("lower_presence", {"lipschitz": 2}),
            ("lower_presence", {"vocabulary_size": 1}),
            ("lower_tent", {"lipschitz": 6}),
            ("lower_tent", {"vocabulary_size": 1}),
            ("lower_threshold", {"margin": "1001/1000"}),
            ("lower_threshold", {"lipschitz": 4}),
            ("lower_threshold", {"target": 9, "margin": 1}),  # 8² > 2·30
            ("lower_threshold", {"vocabulary_size": 1}),
            ("lower_threshold", {"period": 2, "vocabulary_size": 1, "lipschitz": 12}),
            ("lower_threshold_window", {"margin": 1}),
            ("lower_threshold_window", {"precision_bits": 1, "margin": "7/8"}),
            ("lower_threshold_window", {"epsilon": "1/1000"}),
            ("lower_threshold_window", {"target": 29}),
            ("lower_limit", {"target": 4, "lipschitz": "12.4"}),
            ("lower_shared_logits", {"lipschitz": 2}),
            ("lower_shared_logits", {"vocabulary_size": 1}),
            ("lower_limit", {"vocabulary_size": 1}),
            ("lower_limit", {"lipschitz": 3, "period": 2, "vocabulary_size": 1}),
            ("lower_limit", {"lipschitz": 2}),
            ("lower_single_z", {"lipschitz": 2}),
            ("lower_linf_c3", {"target": "3.001"}),
            ("lower_linf_c3", {"lipschitz": 2}),
            ("lower_linf_c3", {"vocabulary_size": 1}),
        ],
    )
    def test_violated(self, key, changes):
        base = {"margin": 2} if key == "one_layer_linf_steep" else {}
        assert length(key, **used(key, {**_exact(ALL_HOLD), **base})) > 1
        with pytest.raises(ParameterError):
            length(key, **used(key, {**_exact(ALL_HOLD), **base, "heads": 1, **changes}))

    @pytest.mark.parametrize(
        "values",
        [
            {"period": 2, "vocabulary_size": 1, "epsilon": 0, "target": "7.49"},  # A: L/4 = 7.5
            {"target": 3, "lipschitz": "4.001"},  # C, one query share
            {"target": 9, "lipschitz": 1000},  # C, small θ: 2·10·5² = 500
        ],
    )
    def test_each_family_of_the_threshold(self, values):
        assert length("lower_threshold", **used("lower_threshold", {**ALL_HOLD, **values})) == 256

    def test_shared_logits_and_limit_only_on_request(self):
        """Used unasked only where the user asserts what no parameter shows."""
        cell = {"error": "linf", "attention": "argmax", "layers": 1}
        values = {**ALL_HOLD, "precision_bits": 30}
        assert bounds.required_length(**cell, **values).log2_length >= 60
        values["locality"] = 0  # as no lag has a bias
        shared = bounds.required_length(**cell, **values, assume={"no_lag_bias", "shared_logits"})
        assert shared.theorem.key == "derived.one_layer_linf_shared_logits"
        assert shared.length == math.ceil((Fraction(7, 4) * 30) ** 2)
        limit = bounds.required_length(**cell, **values, assume={"no_lag_bias", "limit_regime"})
        assert limit.theorem.key == "derived.one_layer_linf_limit"
        assert "2^(p/γ)" in limit.conclusion


def _exact(values):
    return {k: Fraction(v) if k in ("margin", "largest_gap") else v for k, v in values.items()}


class TestExponents:
    @pytest.mark.parametrize(
        "key", [*SUFFICIENT, "lower_presence", "lower_tent", "lower_single_z", "lower_linf_c3"]
    )
    @pytest.mark.parametrize("keyword", ["epsilon", "lipschitz", "vocabulary_size"])
    def test_slopes_are_the_stated_powers(self, key, keyword):
        """log N against log parameter, far out, at target 3ε."""
        theorem = bounds.theorem(f"derived.{key}")
        keyword = {("one_layer_linf_additive", "lipschitz"): "lipschitz_marginal"}.get(
            (key, keyword), keyword
        )
        values = {
            "epsilon": Fraction(1, 10**12),
            "lipschitz": Fraction(1),
            "period": 1,
            "locality": 0,
            "lipschitz_other": Fraction(1),
            "lipschitz_marginal": Fraction(1),
            "vocabulary_size": 10**4,
            "precision_bits": 1,
            "margin": Fraction(2),
            "largest_gap": Fraction(1, 2),
            "heads": 1,
        }
        factor = Fraction(1, 2**30) if keyword == "epsilon" else 2**30
        moved = {**values, keyword: values[keyword] * factor}
        moved |= {"lipschitz_other": moved["lipschitz"]}  # the powers of L are those of both
        logs = [
            bounds.required_length(theorem=theorem.key, **used(key, v)).log2_length
            for v in (values, moved)
        ]
        slope = (logs[1] - logs[0]) / math.log2(factor)
        substitutions = {
            "H": 1,
            "m": 0,
            "gamma": 2,
            r"\hat{g}": 0.5,
            "Delta": 1,
            r"|\Sigma|": 10**4,
        }
        stated = theorem.exponent(keyword)
        stated = stated.subs({x: substitutions[x.name] for x in stated.free_symbols})
        assert slope == pytest.approx(float(stated), abs=0.02)

    def test_chain_exponent_falls_with_the_target(self):
        for m in (0, 1, 2):
            logs = []
            for power in (200, 400):
                found = bounds.required_length(
                    theorem="derived.one_layer_linf_chain",
                    epsilon=Fraction(1, 2**power),
                    target=Fraction(2 * m + 2, 2**power),
                    lipschitz=1,
                    vocabulary_size=2,
                    period=1,
                    locality=0,
                    precision_bits=1,
                    margin=2,
                )
                assert [int(k) for k in found.choice.values()] == [m]
                logs.append(found.log2_length)
            assert (logs[1] - logs[0]) / 200 == pytest.approx(1 + 1 / (m + 1), abs=0.01)

    def test_compared_with_the_paper(self):
        ours = bounds.theorem("derived.one_layer_linf")
        paper = bounds.theorem(ours.compares_with)
        assert ours.exponent("vocabulary_size") == 1 < paper.exponent("vocabulary_size") == 6
        assert ours.exponent("period") == 2 < paper.exponent("period") == 7


def test_every_entry_names_its_own_section():
    for key in SUFFICIENT + NECESSARY:
        theorem = bounds.theorem(f"derived.{key}")
        assert theorem.source.section == f"derived-{key}"
        assert theorem.constants == "proved"
        expected = "necessary" if key in NECESSARY else "sufficient"
        assert theorem.direction == expected


def test_enormous_thresholds_have_a_logarithm():
    values = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 3,
        "period": 2,
        "locality": 1,
        "precision_bits": 16,
        "margin": Fraction(1, 10**6),
    }
    for key in (
        "one_layer_linf",
        "one_layer_linf_chain",
        "lower_threshold",
        "lower_threshold_window",
    ):
        found = bounds.required_length(theorem=f"derived.{key}", **used(key, values))
        assert found.length is None
        assert found.log2_length == pytest.approx(16e6, rel=1e-5)


def test_many_strings_are_never_tried_without_end():
    """ε = 0: the chain tries m up to the first with K = 2, and no more."""
    theorem = bounds.theorem("derived.one_layer_linf_chain")
    values = {"target": Fraction(1, 1000), "epsilon": Fraction(0)}
    values |= dict.fromkeys(("lipschitz", "lipschitz_other"), Fraction(1))
    tried = [int(m) for choice in theorem.choices(values) for m in choice.values()]
    expected = next(m for m in count() if 2 ** (m + 1) >= (2 * m + 3) * 1000)
    assert tried == list(range(expected + 1))
