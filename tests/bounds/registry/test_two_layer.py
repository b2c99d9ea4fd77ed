"""Softmax and two-layer entries, necessary ones, and the neighbours.

Known values, a second implementation written from the statements, the inequality that each
length stands for, monotonicity across the branches, and the stated powers.
"""

import math
import random
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest

import bounds

DOCS = Path(__file__).parents[3] / "docs"
OURS = [
    "derived.one_layer_softmax",
    "derived.two_layer_softmax",
    "derived.two_layer_softmax_periodic",
    "derived.two_layer_softmax_balanced",
    "derived.two_layer_argmax",
    "derived.two_layer_argmax_suffix_only",
    "derived.two_layer_argmax_generic",
    "derived.simulation",
    "derived.simulation_balanced",
    "derived.lower_two_layer",
    "derived.lower_softmax_locality",
    "derived.lower_softmax_range",
    "derived.lower_margin",
    "derived.lower_logit_range",
    "derived.lower_two_layer_argmax",
    "derived.lower_two_layer_argmax_margin",
    "derived.no_bound_two_layer_argmax",
    "derived.open_two_layer_argmax",
]
COMPLEXITY = {
    "derived.two_layer_softmax": "complexity_balanced",
    "derived.two_layer_softmax_periodic": "complexity_periodic",
}
NEIGHBOURS = [
    "chen2025.dfa",
    "chen2025.cfg",
    "chen2025.crasp1",
    "chen2025.crasp2",
    "yang2026.none",
    "yang2026.positive",
    "zetzsche2026.witness",
    "zetzsche2026.compression",
    "bohbot2026.uniform",
    "bohbot2026.moments",
    "bergstraesser2026",
    "zsamboki2025",
    "velickovic2024",
    "chen2025.logscale",
    "alibi.locality",
    "men2024.rope",
]


def length(key, **parameters):
    return bounds.required_length(theorem=key, **parameters).length


# Known values


def test_one_layer_softmax_known_values():
    given = {"epsilon": "1/10", "lipschitz": 1, "vocabulary_size": 2, "locality": 0}
    key = "derived.one_layer_softmax"
    assert length(key, **given, logit_range=0, positional_margin=1) == 35  # C = 2/4 + 3
    assert length(key, **given, logit_range=0, positional_margin=7) == 35
    assert length(key, **given, logit_range=0, positional_margin="1/2") == 35**2
    assert length(key, **given, logit_range=1, positional_margin=1) == math.ceil(35 * math.e)
    assert length(key, **given | {"lipschitz": 0}, logit_range=1, positional_margin=1) == 1
    assert length(key, **given | {"epsilon": 100}, logit_range=0, positional_margin="1/3") == 1
    # ε = 0 and a target: s = target/2
    given = given | {"epsilon": 0, "target": "1/5"}
    assert length(key, **given, logit_range=0, positional_margin=1) == 35


def test_two_layer_softmax_known_values():
    given = {"epsilon": "1/10", "locality": 0, "positional_margin": 1}
    for key, name in COMPLEXITY.items():
        small = {name: "1/10", "period": 1}
        assert length(key, **given, **small | {name: 10}) == 15000
        assert length(key, **given, **small) == 17  # ⌈(3/2)·11⌉
        assert length(key, **given, **small, block=3) == 47  # ⌈(3/2)·31⌉
        assert length(key, **given | {"locality": 20}, **small) == 63  # (3/2)·2·21
    key = "derived.two_layer_softmax"
    assert length(key, **given, complexity_balanced=10) == 15000
    third = given | {"positional_margin": "1/3"}
    assert length(key, **third, complexity_balanced=10) == 1_500_000
    key, small = "derived.two_layer_softmax_periodic", {"period": 4, "complexity_periodic": "1/10"}
    assert length(key, **given, **small) == 66  # (3/2)·(40 + 4)
    assert length(key, **given | {"locality": 60}, **small) == 192


def test_two_layer_argmax_known_values():
    # L/s = 10, |Σ| = 3, τ = 1, Δ = 1: e = 62 and 176, N − h₀ − Q* = e·91²
    given = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 3,
        "period": 1,
        "locality": 1,
        "precision_bits": 4,
        "margin": 1,
    }
    own = {"states": 9, "path_states": 10}
    assert length("derived.two_layer_argmax", **given, **own) == 513_422 + 16 + 10
    assert length("derived.two_layer_argmax_suffix_only", **given) == 513_422 + 16 + 10
    assert length("derived.two_layer_argmax_generic", **given) == 1_457_456 + 16 + 29


def test_the_states_of_a_run_are_the_users():
    """An automaton that counts to 100 has ν = 1: the path cannot be told from ν, |Σ|, τ and Δ."""
    given = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 1,
        "period": 1,
        "locality": 0,
        "precision_bits": 1,
        "margin": 1,
        "states": 1,
    }
    for how in (
        {"theorem": "derived.two_layer_argmax"},
        {"error": "linf", "attention": "argmax", "layers": 2},
    ):
        with pytest.raises(bounds.ParameterError, match="path_states: missing"):
            bounds.required_length(**how, assume={"finite_state_first_layer"}, **given)
        counted = bounds.required_length(
            **how, assume={"finite_state_first_layer"}, path_states=100, **given
        )
        assert counted.length > 100


def test_simulation_known_value():
    given = {"amplitude": "1/2", "lipschitz_histogram": 1, "locality": 0, "dimension": 2}
    # [(4·2+6) + (2·2 + 2)]/ε_avg = 200 = K + 1
    assert length("derived.simulation", **given, averages_error="1/10") == 199 * 200 // 2 + 1
    assert length("derived.simulation", **given, averages_error=1000) == 2


def test_necessary_known_values():
    assert length("derived.lower_two_layer", epsilon=0, target="1/100") == 400
    assert length("derived.lower_two_layer", epsilon="1/100") == math.ceil(400 / 9)
    given = {"epsilon": 0, "target": "1/100"}
    assert length("derived.lower_margin", **given, positional_margin="1/2") == 2500
    assert length("derived.lower_margin", **given, positional_margin=1, lipschitz=3) == 150
    assert length("derived.lower_logit_range", **given, logit_range=0) == 50
    assert length("derived.lower_logit_range", **given, logit_range=2) == math.ceil(
        1 + 49 * math.exp(2)
    )
    grams = {"epsilon": 0, "target": "1/40", "lipschitz": 1, "vocabulary_size": 2}
    assert [length("derived.lower_two_layer_argmax", **grams, locality=t) for t in range(5)] == [
        10,
        30,
        70,
        150,
        310,
    ]
    # 19^(K − 2), K = ⌈L/(2·target) − 3 − ln((L/target − 3)/5)⌉
    margins = {"epsilon": 0, "lipschitz": 96}
    key = "derived.lower_two_layer_argmax_margin"
    assert length(key, **margins, target=12) == 1
    assert length(key, **margins, target=8) == 19  # ⌈6 − 3 − ln 1.8⌉ = 3
    assert length(key, **margins, target=Fraction(24, 5)) == 19**4  # ⌈10 − 3 − ln 3.4⌉ = 6
    with pytest.raises(bounds.ParameterError, match="8·target ≤ L"):
        length(key, **margins, target=13)
    assert length("derived.lower_two_layer_argmax", **grams | {"target": "1/5"}, locality=0) == 2
    assert length("derived.lower_two_layer_argmax", **grams | {"target": "1/4"}, locality=0) == 1


def test_neighbours_known_values():
    assert length("chen2025.dfa", automaton_states=7) == 12
    assert length("chen2025.dfa", automaton_states=1) == 0
    assert length("chen2025.crasp1", coefficient=12) == 144
    assert length("chen2025.crasp2", coefficient=3, heads=4) == 81
    assert length("zsamboki2025") == 2
    bits = {"precision_bits": 16, "fraction_bits": 8}
    assert length("alibi.locality", **bits, slope="1/2") == 268
    assert length("alibi.locality", **bits, slope=Fraction(1, 256)) == 34_188
    assert length("velickovic2024", logit_spread=0, attention_weight="1/10") == 10
    assert length("velickovic2024", logit_spread=2, attention_weight="1/2") == 14
    assert length("velickovic2024", logit_spread=2, temperature=2, attention_weight="1/2") == 5
    # n = d = w = 1, U = 3: 2 + ℓy with ℓ = 2·log₂12, y = 2·6
    vass = {"automaton_states": 1, "counters": 1, "update": 3}
    shortest = 2 + 24 * math.log2(12)
    assert length("zetzsche2026.witness", **vass) == math.ceil(shortest)
    assert length("zetzsche2026.witness", **vass, letters=3) == math.ceil(3 * shortest)


def test_no_bound_is_said_and_the_way_out_is_named():
    given = {
        "epsilon": "1/100",
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 1,
        "precision_bits": 4,
        "margin": 1,
    }
    given |= {"vocabulary_size": 4, "heads": 2}
    cell = {"error": "linf", "attention": "argmax", "layers": 2}
    del given["margin"]
    answer = bounds.required_length(**cell, **given)
    assert answer.status is bounds.Status.NOT_COMPUTABLE
    assert answer.length is None
    assert "finite_state_first_layer" in answer.not_applicable["derived.two_layer_argmax"]
    given["margin"] = 1
    more = {"states": 16, "path_states": 17}
    allowed = bounds.required_length(**cell, **given, **more, assume={"finite_state_first_layer"})
    assert allowed.theorem.key == "derived.two_layer_argmax"
    assert allowed.length == length("derived.two_layer_argmax", **given, **more)
    for key in ("chen2025.cfg", "yang2026.none"):
        status = bounds.required_length(theorem=key).status
        assert status is bounds.Status.NOT_COMPUTABLE


def test_positions_are_refused_where_they_are_not_covered():
    given = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 2,
        "locality": 0,
        "logit_range": 0,
        "positional_margin": 1,
        "complexity_balanced": 2,
        "complexity_periodic": 2,
        "period": 2,
    }
    for key in ("derived.one_layer_softmax", "derived.two_layer_softmax"):
        with pytest.raises(bounds.ParameterError, match="Δ = 1"):
            bounds.required_length(theorem=key, **given)
    answer = bounds.required_length(error="linf", attention="softmax", layers=2, **given)
    assert answer.theorem.key == "derived.two_layer_softmax_periodic"


def test_lower_bounds_are_trivial_for_targets_they_do_not_reach():
    assert length("derived.lower_logit_range", epsilon="1/6", logit_range=3) == 1
    assert length("derived.lower_logit_range", epsilon="1/7", logit_range=3) == math.ceil(
        1 + math.exp(3) / 6
    )
    # |Σ|^(τ+1) = 32: the target has to be below 31/64
    given = {"epsilon": 0, "lipschitz": 1, "vocabulary_size": 2, "locality": 4}
    assert length("derived.lower_two_layer_argmax", **given, target=Fraction(31, 64)) == 1
    below = Fraction(31, 64) - Fraction(1, 10**9)
    assert length("derived.lower_two_layer_argmax", **given, target=below) == 17  # ⌈31/4·64/31⁺⌉
    given |= {"vocabulary_size": 1}
    with pytest.raises(bounds.ParameterError, match=r"\|Σ\| ≥ 2"):
        length("derived.lower_two_layer_argmax", **given, target="1/100")


# The inequality behind each length, with constants drawn at random


def draw(rng, low=-2.0, high=2.0):
    return Fraction(round(10 ** rng.uniform(low, high), 6)).limit_denominator(10**6)


def test_one_layer_softmax_length_gives_the_error():
    rng = random.Random(1)
    short = 0
    for _ in range(300):
        s, lam, spread = draw(rng), draw(rng, -2, 1), Fraction(rng.randint(0, 30), 10)
        margin, size, tau = draw(rng, -0.7, 0.5), rng.randint(1, 20), rng.randint(0, 5)
        n = length(
            "derived.one_layer_softmax",
            epsilon=s,
            lipschitz=lam,
            vocabulary_size=size,
            locality=tau,
            logit_range=spread,
            positional_margin=margin,
        )
        if n <= tau:
            short += 1
            assert lam <= s  # one token is enough: no attention changes the output by more
            continue
        power = mpmath.mpf(n) ** -min(float(margin), 1)
        error = (Fraction(size, 4) + tau + 1) / Fraction(n) + 2 * (tau + 1) * power
        assert float(lam) * mpmath.exp(float(spread)) * error <= float(s) * (1 + 1e-9)
    assert short > 5


def two_layer_constants(rng):
    names = ("beta", "beta_prime", "lam2", "m", "dy", "d2", "l2", "r2")
    c = {name: 10 ** rng.uniform(-1.5, 0.7) for name in names}
    c["beta_prime"] = min(c["beta_prime"], c["beta"]) if rng.random() < 0.7 else 0.0
    return c


def two_layer_error(c, n, eta, d, theta, tau, margin, period=1, end=None, slack=6):
    """The bound on |F(x) − F(z)| at length n, before it is simplified to C·n^(−γ̄)."""
    end = tau + 1 if end is None else end
    half = min(margin, 0.5)
    query = c["beta_prime"] * (2 * d * eta + end / n) + 2 * c["beta"] * (tau + 1) * n**-half
    frozen = (4 * d + slack) * c["l2"] * c["beta_prime"] + (4 * tau / (theta * period) + 2 * d) * c[
        "d2"
    ]
    inner = 2 * c["l2"] * c["beta"] * (tau + 1) * n**-half / (1 - half)
    inner += eta * frozen + 2 * end * c["d2"] / n
    return c["lam2"] * (query * (1 + c["d2"] * c["dy"] * c["m"] / 4) + math.exp(c["r2"]) * inner)


def complexity(c, d, theta, tau, margin, period=1, end=None, slack=6):
    end = tau + 1 if end is None else end
    half, root = min(margin, 0.5), math.sqrt(theta * period)
    query = c["beta_prime"] * (2 * d * root + end) + 2 * c["beta"] * (tau + 1)
    frozen = (4 * d + slack) * c["l2"] * c["beta_prime"] + (4 * tau / (theta * period) + 2 * d) * c[
        "d2"
    ]
    inner = 2 * c["l2"] * c["beta"] * (tau + 1) / (1 - half) + root * frozen + 2 * end * c["d2"]
    return c["lam2"] * (query * (1 + c["d2"] * c["dy"] * c["m"] / 4) + math.exp(c["r2"]) * inner)


@pytest.mark.parametrize("periodic", [False, True])
def test_two_layer_softmax_length_leaves_room_for_a_good_window(periodic):
    """From N on: K ≥ 4 blocks fit, and the bound at the length of the blocks is at most s.

    The proof asks for K ≥ 4; in fact 5 blocks always fit.
    """
    rng = random.Random(2)
    tightest, fewest = 0.0, 10**9
    for _ in range(250):
        c = two_layer_constants(rng)
        theta, tau, margin = rng.randint(1, 5), rng.randint(0, 5), 10 ** rng.uniform(-0.5, 0.5)
        period = rng.randint(1, 4) if periodic else 1
        size, ranks = rng.randint(1, 6), rng.randint(1, 6)
        d = period * (size - 1) + ranks
        last = tau + period if periodic else tau + 1
        slack = 8 if periodic else 6
        more = {"period": period, "slack": slack}
        cf = complexity(c, d, theta, tau, margin, end=last, **more)
        s = cf * 10 ** rng.uniform(-3, 1)
        key = "derived.two_layer_softmax" + ("_periodic" if periodic else "")
        n_max = length(
            key,
            epsilon=s,
            positional_margin=margin,
            locality=tau,
            block=theta,
            period=period,
            **{COMPLEXITY[key]: cf},
        )
        for end in range(tau + 1, last + 1):
            blocks = 0
            while period * theta * (blocks + 1) * (blocks + 2) // 2 + end <= n_max:
                blocks += 1
            n = period * theta * blocks * (blocks + 1) // 2 + end
            eta = 1 / (blocks + 1)
            assert blocks >= 4
            assert n >= 2 * end
            error = two_layer_error(c, n, eta, d, theta, tau, margin, end=end, **more)
            assert error <= s * (1 + 1e-9)
            tightest, fewest = max(tightest, error / s), min(fewest, blocks)
    assert tightest > 0.5
    assert fewest == 5


def test_simulation_length_gives_the_error():
    rng = random.Random(3)
    tightest = Fraction(0)
    for _ in range(300):
        eps, size, lip = draw(rng, -2, 1), draw(rng, -1, 1), draw(rng, -1, 1)
        tau, d, theta = rng.randint(0, 6), rng.randint(1, 9), rng.randint(1, 6)
        n = length(
            "derived.simulation",
            averages_error=eps,
            amplitude=size,
            lipschitz_histogram=lip,
            locality=tau,
            dimension=d,
            block=theta,
        )
        blocks = (math.isqrt(8 * ((n - tau - 1) // theta) + 1) - 1) // 2
        assert theta * blocks * (blocks + 1) // 2 + tau + 1 == n
        error = ((4 * d + 6) * lip + (Fraction(4 * tau, theta) + 2 * d) * 2 * size) / (blocks + 1)
        error += Fraction(2 * (tau + 1)) * 2 * size / n
        assert error <= eps
        tightest = max(tightest, error / eps)
    assert tightest > Fraction(9, 10)


def test_two_layer_argmax_against_rationals():
    rng = random.Random(4)
    for _ in range(200):
        s, lip, heads = draw(rng, -1, 1), draw(rng, -1, 1), rng.randint(1, 2)
        size, period, tau = rng.randint(1, 3), rng.randint(1, 3), rng.randint(0, 2)
        bits, margin = rng.randint(1, 8), Fraction(1, rng.randint(1, 3))
        own = rng.randint(1, 20)
        windows = period * size ** (tau + 1)
        alphabet = {"vocabulary_size": size, "period": period}
        for variant, nu, path, more in (
            ("", own, own + size, {"states": own, "path_states": own + size}),
            ("_suffix_only", windows, windows + tau, alphabet),
            ("_generic", windows, period * size * windows + tau + 1, alphabet),
        ):
            e = Fraction(path * (nu + 3), 2) + tau + 1
            expected = math.ceil(e * (1 + nu * lip / s) ** (2 * heads))
            expected += 2 ** (bits / margin) + path
            assert expected == length(
                f"derived.two_layer_argmax{variant}",
                epsilon=s,
                lipschitz=lip,
                locality=tau,
                precision_bits=bits,
                margin=margin,
                heads=heads,
                **more,
            )


def test_necessary_lengths_against_high_precision():
    rng = random.Random(5)
    with mpmath.workdps(60):
        for _ in range(200):
            goal, lip = draw(rng, -4, -0.7), draw(rng, 0, 1)
            gamma, spread = draw(rng, -0.7, 0.6), draw(rng, -2, 1)
            exact = {
                k: mpmath.mpf(v.numerator) / v.denominator
                for k, v in {"g": goal, "l": lip, "m": gamma, "r": spread}.items()
            }
            given = {"epsilon": 0, "target": goal}
            ratio = exact["l"] / (2 * exact["g"])
            assert length("derived.lower_two_layer", **given) == math.ceil(
                Fraction(4, 100) / goal**2
            )
            assert length(
                "derived.lower_margin", **given, lipschitz=lip, positional_margin=gamma
            ) == int(mpmath.ceil(ratio ** (1 / exact["m"])))
            assert length(
                "derived.lower_logit_range", **given, lipschitz=lip, logit_range=spread
            ) == int(mpmath.ceil(1 + mpmath.exp(exact["r"]) * (ratio - 1)))


def test_sufficient_lengths_exceed_necessary_ones():
    for target in ("1/100", "1/1000"):
        for margin in ("1/4", "1/2", 1):
            given = {"epsilon": 0, "target": target, "lipschitz": 1, "positional_margin": margin}
            enough = {**given, "vocabulary_size": 2, "locality": 0}
            for spread in (0, 3):
                upper = length("derived.one_layer_softmax", **enough, logit_range=spread)
                assert length("derived.lower_margin", **given) < upper
                low = {k: given[k] for k in ("epsilon", "target", "lipschitz")}
                assert length("derived.lower_logit_range", **low, logit_range=spread) < upper
    for locality in range(4):
        given = {
            "epsilon": 0,
            "target": "1/50",
            "lipschitz": 1,
            "vocabulary_size": 2,
            "locality": locality,
        }
        given["heads"] = max(1, locality)
        more = {"period": 1, "precision_bits": 1, "margin": 1}
        upper = length("derived.two_layer_argmax_suffix_only", **given, **more)
        assert length("derived.lower_two_layer_argmax", **given) < upper
    for target in ("1/50", "1/2000"):
        given = {"epsilon": 0, "target": target, "lipschitz": 1, "vocabulary_size": 4, "heads": 2}
        more = {"period": 1, "precision_bits": 1, "margin": 1}
        # The pair is not generic: its first layer counts, and no finite automaton does.
        for variant in ("generic", "suffix_only"):
            name = {"generic_first_layer", "suffix_only_first_layer"}
            with pytest.raises(bounds.ParameterError, match="excludes the pair"):
                bounds.required_length(
                    theorem="derived.lower_two_layer_argmax_margin", assume=name, **given
                )
            assert length(f"derived.two_layer_argmax_{variant}", locality=0, **given, **more) > 0


# Monotonicity, powers, sources

AUTOMATON = {
    "epsilon": ["1/100", 1, 50],
    "lipschitz": [0, 1, 30],
    "vocabulary_size": [1, 2, 4],
    "period": [1, 3],
    "locality": [0, 1, 3],
    "heads": [1, 2],
    "precision_bits": [1, 9],
    "margin": ["1/4", 1, 2],
}
GRIDS = {
    "derived.one_layer_softmax": {
        "epsilon": ["1/100", "1/10", 1, 50],
        "lipschitz": [0, "1/10", 1, 7],
        "vocabulary_size": [1, 2, 9],
        "locality": [0, 1, 6],
        "logit_range": [0, "1/2", 4],
        "positional_margin": ["1/5", "1/2", "999/1000", 1, "1001/1000", 3],
    },
    "derived.two_layer_softmax": {
        "epsilon": ["1/100", 1, 50],
        "complexity_balanced": ["1/10", 1, 2, 300],
        "locality": [0, 3, 40],
        "positional_margin": ["1/5", "499/1000", "1/2", "501/1000", 1, 3],
    },
    "derived.two_layer_softmax_periodic": {
        "epsilon": ["1/100", 1, 50],
        "complexity_periodic": ["1/10", 1, 300],
        "period": [1, 2, 7],
        "locality": [0, 3, 40],
        "positional_margin": ["1/5", "499/1000", "1/2", "501/1000", 3],
    },
    "derived.two_layer_argmax": {
        "epsilon": ["1/100", 1, 50],
        "lipschitz": [0, 1, 30],
        "locality": [0, 1, 3],
        "heads": [1, 2],
        "precision_bits": [1, 9],
        "margin": ["1/4", 1, 2],
        "states": [1, 2, 5],
        "path_states": [5, 6, 40],
    },
    "derived.two_layer_argmax_suffix_only": AUTOMATON,
    "derived.two_layer_argmax_generic": AUTOMATON,
    "derived.simulation": {
        "averages_error": ["1/100", 1, 500],
        "amplitude": [0, 1, 4],
        "lipschitz_histogram": [0, 1, 4],
        "locality": [0, 1, 9],
        "dimension": [1, 2, 30],
    },
    "derived.lower_two_layer": {"target": ["1/1000", "1/10", 3]},
    "derived.lower_softmax_locality": {
        "target": ["1/9000", "1/5000", "1/2500"],
        "lipschitz": ["1/2", 1, 2],
        "vocabulary_size": [2, 3, 50],
        "locality": [1, 2, 40],
    },
    "derived.lower_softmax_range": {
        "target": ["1/900", "1/100", "1/70"],
        "lipschitz": ["1/2", 1, 2],
        "logit_range_last": [0, "1/2", 9],
    },
    "derived.lower_margin": {
        "target": ["1/1000", "1/10", "49/100"],
        "lipschitz": [1, 2],
        "positional_margin": ["1/5", "1/2", 1, 3],
    },
    "derived.lower_logit_range": {
        "target": ["1/1000", "1/10", "49/100", 3],
        "lipschitz": [0, 1, 2],
        "logit_range": [0, 1, 9],
    },
    "derived.lower_two_layer_argmax": {
        "target": ["1/1000", "1/10", "1/5", 2],
        "lipschitz": [0, 1, 2],
        "vocabulary_size": [2, 3, 5],
        "locality": [0, 1, 4],
    },
    "derived.lower_two_layer_argmax_margin": {
        "target": ["1/5000", "1/1000", "1/100"],
        "lipschitz": ["1/2", 1, 2],
    },
    "zetzsche2026.witness": {
        "automaton_states": [1, 2, 5],
        "counters": [1, 2, 3],
        "update": [1, 9],
        "letters": [1, 4],
    },
    "velickovic2024": {
        "logit_spread": [0, 1, 9],
        "temperature": ["1/2", 1, 3],
        "attention_weight": ["1/9", 1],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("key", GRIDS)
def test_monotone_in_every_parameter(key):
    rng = random.Random(key)
    effects = {row.keyword: row.effect for row in bounds.PARAMETERS}
    grid = GRIDS[key]
    moved = set()
    for _ in range(60):
        point = {k: rng.choice(v) for k, v in grid.items()}
        if "target" in point:
            point["epsilon"] = 0
        for keyword, values in grid.items():
            found = [
                bounds.required_length(theorem=key, **point | {keyword: value}) for value in values
            ]
            if keyword in ("epsilon", "target") or effects[keyword] < 0:
                found.reverse()
            sizes = [answer.length for answer in found]
            assert sizes == sorted(sizes), (keyword, point)
            if sizes[0] < sizes[-1]:
                moved.add(keyword)
    assert moved == set(grid)


@pytest.mark.slow
@pytest.mark.parametrize("key", GRIDS)
def test_solving_for_a_parameter_gives_back_the_length(key):
    theorem = bounds.theorem(key)
    point = {k: v[len(v) // 2] for k, v in GRIDS[key].items()}
    if "target" in theorem.parameters:
        point |= {"epsilon": 0, "target": point.get("target", "1/10")}
    wanted = length(key, **point)
    solved = 0
    for keyword in theorem.parameters:
        if keyword in ("block", "epsilon") or keyword not in GRIDS[key]:
            continue
        rest = {k: v for k, v in point.items() if k != keyword}
        try:
            value = bounds.solve_for(keyword, length=wanted, theorem=key, **rest)
        except bounds.NoSolution:
            continue  # every value fits: another term decides the length
        assert length(key, **rest | {keyword: value}) == wanted
        solved += 1
    assert solved >= min(3, len(GRIDS[key]))


@pytest.mark.parametrize(
    ("key", "keyword", "start"),
    [
        ("derived.one_layer_softmax", "epsilon", {}),
        ("derived.one_layer_softmax", "lipschitz", {}),
        ("derived.one_layer_softmax", "epsilon", {"positional_margin": "1/3"}),
        ("derived.two_layer_softmax", "epsilon", {}),
        ("derived.two_layer_softmax", "complexity_balanced", {"positional_margin": "1/3"}),
        ("derived.two_layer_softmax_periodic", "epsilon", {}),
        ("derived.two_layer_softmax_periodic", "complexity_periodic", {}),
        ("derived.two_layer_argmax", "epsilon", {}),
        ("derived.two_layer_argmax", "lipschitz", {}),
        ("derived.two_layer_argmax", "states", {"path_states": 10**13}),
        ("derived.two_layer_argmax", "path_states", {}),
        ("derived.two_layer_argmax_suffix_only", "epsilon", {}),
        ("derived.two_layer_argmax_suffix_only", "lipschitz", {}),
        ("derived.two_layer_argmax_generic", "epsilon", {"heads": 2}),
        ("derived.two_layer_argmax_generic", "lipschitz", {"heads": 2}),
        ("derived.simulation", "averages_error", {}),
        ("derived.simulation", "lipschitz_histogram", {}),
        ("derived.simulation", "amplitude", {}),
        ("derived.simulation", "dimension", {}),
        ("derived.lower_two_layer", "target", {}),
        ("derived.lower_softmax_locality", "target", {}),
        ("derived.lower_softmax_locality", "vocabulary_size", {"epsilon": "1/5000"}),
        ("derived.lower_softmax_locality", "locality", {"epsilon": "1/5000"}),
        ("derived.lower_softmax_range", "target", {}),
        ("derived.lower_margin", "target", {"positional_margin": "1/3"}),
        ("derived.lower_logit_range", "target", {}),
        ("derived.lower_two_layer_argmax", "vocabulary_size", {}),
    ],
)
def test_stated_powers_are_the_slopes(key, keyword, start):
    theorem = bounds.theorem(key)
    ordinary = {
        "epsilon": "1/10",
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 1,
        "logit_range": 1,
        "logit_range_last": 1,
        "positional_margin": 2,
        "complexity_balanced": 3,
        "complexity_periodic": 3,
        "precision_bits": 1,
        "margin": 1,
        "heads": 1,
        "states": 4,
        "path_states": 6,
        "amplitude": 1,
        "lipschitz_histogram": 1,
        "averages_error": "1/10",
        "dimension": 2,
    }
    given = {k: v for k, v in (ordinary | start).items() if k in theorem.parameters}
    if keyword == "target":
        given["epsilon"] = 0
    small = keyword in ("epsilon", "target", "averages_error")
    steps = [Fraction(1, 10**9), Fraction(1, 10**12)] if small else [10**9, 10**12]
    logs = [
        bounds.required_length(theorem=key, **given | {keyword: step}).log2_length for step in steps
    ]
    slope = (logs[1] - logs[0]) / math.log2(steps[1] / steps[0])
    known = {
        bounds.symbols[k]: bounds.numbers.to_sympy(bounds.numbers.exact(v))
        for k, v in (ordinary | start).items()
    }
    name = "epsilon" if keyword == "target" else keyword
    assert slope == pytest.approx(float(theorem.exponent(name).subs(known)), abs=1e-6)


@pytest.mark.parametrize("key", OURS + NEIGHBOURS)
def test_every_entry_has_its_section_and_prints(key):
    theorem = bounds.theorem(key)
    text = "".join(path.read_text() for path in sorted(DOCS.rglob("*.md")))
    assert f'<a id="{theorem.source.section}"></a>' in text
    variants = ("_suffix_only", "_generic")  # cases of one theorem
    section = key.replace(".", "-")
    for variant in variants:
        section = section.removesuffix(variant)
    assert theorem.source.section == section
    assert theorem.latex()
    assert theorem.statement.endswith(".")
    assert theorem.source.bibtex.startswith("@")
    assert (theorem.constants == "proved") or not key.startswith("derived.")


def test_what_is_second_hand_says_so():
    second = {key for key in NEIGHBOURS if bounds.theorem(key).source.second_hand}
    assert second == {
        "chen2025.dfa",
        "chen2025.cfg",
        "chen2025.crasp1",
        "chen2025.crasp2",
        "yang2026.none",
        "yang2026.positive",
        "zetzsche2026.witness",
        "zetzsche2026.compression",
        "bohbot2026.uniform",
        "bohbot2026.moments",
        "zsamboki2025",
        "velickovic2024",
        "chen2025.logscale",
    }
    assert bounds.required_length(theorem="zsamboki2025").status is bounds.Status.SECOND_HAND
    answer = bounds.required_length(theorem="chen2025.crasp1", coefficient=3)
    assert answer.status is bounds.Status.ORDER_OF_GROWTH
    for key in (
        "yang2026.positive",
        "zetzsche2026.compression",
        "bohbot2026.uniform",
        "bohbot2026.moments",
        "bergstraesser2026",
        "men2024.rope",
        "chen2025.logscale",
    ):
        assert bounds.required_length(theorem=key).status is bounds.Status.NO_NUMBER
