"""The registry's average-error lengths: known values, a second implementation, monotonicity."""

import math
import random
from fractions import Fraction as F
from itertools import pairwise

import mpmath as mp
import pytest

import bounds
from bounds.errors import ParameterError
from bounds.registry import necessary, sufficient

ASSUME = {"laminar_classes", "common_order", "suffix_only_first_layer"}
ARGMAX = {
    "epsilon": F(1, 10),
    "lipschitz_euclidean": 1,
    "period": 1,
    "locality": 2,
    "precision_bits": 4,
    "margin": 1,
}
SOFTMAX = {
    "epsilon": F(1, 10),
    "lipschitz": 2,
    "vocabulary_size": 3,
    "locality": 1,
    "logit_range": F(1, 2),
    "positional_margin": 1,
}
BASE = {
    "derived.one_layer_average": {**ARGMAX, "alpha_min": F(1, 2), "alpha_total": 2},
    "derived.one_layer_average_fixed": {**ARGMAX, "class_probability": F(1, 5)},
    "derived.one_layer_average_nested": {
        **{k: v for k, v in ARGMAX.items() if k != "lipschitz_euclidean"},
        "lipschitz": 1,
        "vocabulary_size": 3,
        "alpha_min": F(1, 2),
        "alpha_total": 2,
    },
    "derived.one_layer_average_common_order": {
        **ARGMAX,
        "vocabulary_size": 3,
        "alpha_min": F(1, 2),
        "alpha_total": 2,
    },
    "derived.average_softmax": SOFTMAX,
    "derived.average_softmax_euclidean": {
        **{k: v for k, v in SOFTMAX.items() if k not in ("lipschitz", "vocabulary_size")},
        "lipschitz_euclidean": 2,
    },
    "derived.average_softmax_dirichlet": {**SOFTMAX, "lipschitz_euclidean": 2, "alpha_total": 2},
    "derived.average_softmax_two_layer": {
        "epsilon": F(1, 10),
        "complexity_average": 50,
        "positional_margin": F(2, 5),
    },
    "derived.average_softmax_two_layer_markov": {
        "epsilon": F(1, 10),
        "complexity_average": 50,
        "positional_margin": F(2, 5),
        "spectral_gap": F(1, 3),
        "stationary_min": F(1, 10),
    },
    "derived.average_two_layer_argmax": {
        **ARGMAX,
        "locality": 1,
        "vocabulary_size": 3,
        "alpha_min": F(1, 2),
        "alpha_total": 2,
    },
    "derived.average_two_layer_argmax_fixed": {**ARGMAX, "gram_probability": F(1, 8)},
}


def asserted(key):
    return {"markov_inputs"} if key.endswith("markov") else ASSUME


def length(key, **changes):
    return bounds.required_length(theorem=key, assume=asserted(key), **{**BASE[key], **changes})


def log2(key, **changes):
    return length(key, **changes).log2_length


@pytest.mark.parametrize(
    ("alpha", "digits", "value"),
    [("1/2", 4, "2.3"), (1, 3, "2.3"), (2, 2, "7.1"), ("1/5", 8, "1.1"), ("3/4", 3, "5.5")],
)
def test_known_values(alpha, digits, value):
    alpha = F(alpha)
    found = length("derived.one_layer_average", alpha_min=alpha, alpha_total=2 * alpha).length
    assert f"{found / 10**digits:.1f}" == value


def test_every_key_is_covered_here():
    files = [f for f in sufficient.FILES if ".average_" in f.__name__]
    numbers = {t.key for file in files for t in file.THEOREMS if t.formula is not None}
    assert set(BASE) == numbers


# --- a second implementation, straight from the theorems, in 40 digits -------------------------


def expectation(t, a, b, theta):
    """E min(1, (t/q)^θ) for q ~ Beta(a, b), by quadrature."""
    end = -mp.log(t)
    near = mp.quad(
        lambda r: mp.exp(-a * r) * (1 - mp.exp(-r)) ** (b - 1) * mp.exp(theta * (r - end)),
        [0, end / 16, end / 4, end / 2, end],
    )
    return near / mp.beta(a, b) + mp.betainc(a, b, 0, t, regularized=True)


def root(a, total, m, theta, u):
    """Least 1/t that the three forms give for a, solved numerically, not in closed form."""
    b = total + m - a

    def solve(bound):
        return mp.exp(
            mp.findroot(
                lambda r: mp.log(bound(mp.exp(-r)) / u),
                [1, 200],
                solver="anderson",
                tol=1e-30,
                maxsteps=400,
            )
        )

    found = []
    if a > theta:
        found.append(solve(lambda t: t**theta * mp.beta(a - theta, b) / mp.beta(a, b)))
        a, b = theta, total + m - theta
    found.append(solve(lambda t: t**a * (1 / a - mp.log(t)) / mp.beta(a, b)))
    if a < theta:
        found.append(solve(lambda t: t**a * theta / (a * (theta - a) * mp.beta(a, b))))
    return min(found)


CASES = [
    (F(1, 5), 1, F(1, 10)),
    (F(1, 2), 1, F(1, 10)),
    (F(1, 2), 7, F(1, 3)),
    (F(3, 5), 2, F(1, 50)),
    (1, 2, F(1, 10)),
    (1, 9, F(1, 100)),
    (F(5, 2), 5, F(1, 10)),
]


@pytest.mark.parametrize(("alpha", "total", "epsilon"), CASES)
@pytest.mark.parametrize("period", [1, 3])
def test_one_layer_average_by_a_second_implementation(alpha, total, epsilon, period):
    with mp.workdps(40):
        a, u = mp.mpf(F(alpha).numerator) / F(alpha).denominator, mp.mpf(epsilon.numerator)
        u /= epsilon.denominator
        end, c = 2 + period, 2 + mp.sqrt(2)
        constant = c + end + 2 * end / mp.sqrt(c + end)
        k = min(
            max(
                root(a, total, 1, mp.mpf(1) / 2, xi * u) / 2,
                constant * root(a, total, 1, mp.mpf(1), (1 - xi) * u),
                constant,
            )
            for xi in (mp.mpf(1) / 4, mp.mpf(1) / 2, mp.mpf(3) / 4)
        )
        expected = period * int(mp.ceil(k)) + end
        b = total + 1 - a
        cost = expectation(1 / (2 * k), a, b, mp.mpf(1) / 2)
        cost += expectation(constant / k, a, b, mp.mpf(1))
    found = length(
        "derived.one_layer_average",
        alpha_min=alpha,
        alpha_total=total,
        epsilon=epsilon,
        period=period,
    ).length
    assert found <= expected  # the registry may use (S) at a smaller mass
    assert found >= 0.999 * expected
    # The statement itself: at k periods both expectations together cost at most s = ε.
    assert cost <= float(epsilon)
    assert cost >= float(epsilon) / 8


def test_the_window_below_the_threshold_is_counted():
    """T may be ≡ N + 1: then the short length is N − Δ + 1, and it has to reach 2^(p/γ)."""
    found = length("derived.one_layer_average", period=7, precision_bits=40)
    assert found.length == 2**40 + 6
    assert (
        length("derived.average_two_layer_argmax", period=3, precision_bits=80).length == 2**80 + 2
    )
    assert length("derived.one_layer_average_nested", precision_bits=40).length == 2**40


@pytest.mark.parametrize("q", [F(1, 5), F(1, 100), 1])
@pytest.mark.parametrize("period", [1, 4])
def test_fixed_laws(q, period):
    found = length("derived.one_layer_average_fixed", class_probability=q, period=period).length
    k = (found - 2 - period) // period
    c, end = 2 + math.sqrt(2), 2 + period

    def cost(t, least, end, falls):
        return 1 / math.sqrt(2 * t) + (least + end + falls * end / math.sqrt(least + end)) / t

    assert cost(k * q, c, end, 2) <= 0.1 < cost((k - 1) * q, c, end, 2)
    two = length("derived.average_two_layer_argmax_fixed", gram_probability=q, period=period).length
    k = (two - 4 * 2 - 1) // period - 1
    c0, end = 1 + 1 / math.sqrt(2), (8 + period) / 5
    assert 2 * cost(k * q / 5, c0, end, 1) <= 0.1 < 2 * cost((k - 1) * q / 5, c0, end, 1)


def test_the_value_for_a_fair_coin():
    """q* = 1/2, s = Λ/10, Δ = 1, τ = 0; bounded one by one the fluctuations gave 9327."""
    found = length("derived.one_layer_average_fixed", class_probability=F(1, 2), locality=0)
    assert found.length == 274


def first_lengths(v, dirichlet):
    """N of the first edition: fluctuations bounded one by one, without the variance's share."""
    c, end, u = 2 + mp.sqrt(2), v["locality"] + v["period"], mp.mpf(1) / (20 * v["ratio"])
    if dirichlet:
        a, total = mp.mpf(float(v["alpha"])), mp.mpf(float(v["total"]))
        k = max(
            c**2 * root(a, total, 1, mp.mpf(1) / 2, u), end * root(a, total, 1, mp.mpf(1), u), c**2
        )
    else:
        k = max(c**2 / u**2, end / u) / mp.mpf(float(v["q"]))
    return v["period"] * int(mp.ceil(k)) + end


@pytest.mark.slow
def test_no_length_is_longer_than_in_the_first_edition():
    rng = random.Random(2)
    for number in range(24):
        v = {
            "locality": rng.choice([0, 1, 5, 60, 700]),
            "period": rng.choice([1, 2, 9]),
            "ratio": rng.choice([1, 3, 50]),
            "alpha": rng.choice([F(1, 4), F(1, 2), F(1), F(5, 4), F(4)]),
            "q": rng.choice([F(1), F(1, 9)]),
        }
        v["total"] = v["alpha"] + rng.choice([F(1, 2), F(5)])
        common = {
            "locality": v["locality"],
            "period": v["period"],
            "lipschitz_euclidean": v["ratio"],
        }
        if number % 3:
            key, law = (
                "derived.one_layer_average",
                {"alpha_min": v["alpha"], "alpha_total": v["total"]},
            )
        else:
            key, law = "derived.one_layer_average_fixed", {"class_probability": v["q"]}
        assert length(key, **common, **law).length <= first_lengths(v, number % 3 > 0) + 1


@pytest.mark.parametrize(("alpha", "total"), [(F(1, 3), 2), (1, 3), (2, 7), (F(7, 2), 30)])
def test_nested_by_a_second_implementation(alpha, total):
    with mp.workdps(40):
        a = mp.mpf(F(alpha).numerator) / F(alpha).denominator
        urn = 2 * (2 + mp.mpf(9) / 8 * (total + 3))
        steps = (2 * urn + 3) * root(a, total, 1, mp.mpf(1), mp.mpf(1) / 20)
        cost = 2 * expectation((2 * urn + 3) / (steps + 1), a, total + 1 - a, mp.mpf(1))
    found = length("derived.one_layer_average_nested", alpha_min=alpha, alpha_total=total).length
    assert 0.999 * (steps + 3) <= found <= steps + 4
    assert cost <= 0.1
    given = length(
        "derived.one_layer_average_nested", alpha_min=alpha, alpha_total=total, urn_constant=F(5, 2)
    ).length
    assert given < found


@pytest.mark.parametrize(("alpha", "tau"), [(F(1, 3), 1), (1, 1), (2, 1), (2, 0), (F(3, 2), 2)])
def test_two_layer_argmax_by_a_second_implementation(alpha, tau):
    m, total, size = tau + 1, 6, 3
    with mp.workdps(40):
        a = mp.mpf(F(alpha).numerator) / F(alpha).denominator
        u = mp.mpf(1) / 10 / (2 * min(size, m))
        c0, end = 1 + 1 / mp.sqrt(2), mp.mpf(4 * tau + 1) / (2 * tau + 1)
        constant = c0 + end + end / mp.sqrt(c0 + end)
        k = (2 * tau + 1) * min(
            max(
                root(a, total, m, mp.mpf(m) / 2, xi * u) ** m / 2,
                constant * root(a, total, m, mp.mpf(m), (1 - xi) * u) ** m,
                constant,
            )
            for xi in (mp.mpf(1) / 4, mp.mpf(1) / 2, mp.mpf(3) / 4)
        )
        expected = int(mp.ceil(k)) + 1 + 4 * tau + 1
        b, t = total + m - a, k / (2 * tau + 1)
        cost = expectation((1 / (2 * t)) ** (mp.mpf(1) / m), a, b, mp.mpf(m) / 2)
        cost += expectation((constant / t) ** (mp.mpf(1) / m), a, b, mp.mpf(m))
        cost *= 2 * min(size, m)
    found = length(
        "derived.average_two_layer_argmax", alpha_min=alpha, alpha_total=total, locality=tau
    ).length
    assert 0.999 * expected <= found <= 1.00001 * expected + 1
    assert cost <= 0.1


def test_softmax_lengths_meet_their_theorems():
    size, s, spread, tau = 2, 0.1, 0.5, 1
    for margin in (F(1, 3), F(4, 5), 1, 3):
        least = min(float(margin), 1.0)
        n = length("derived.average_softmax", positional_margin=margin).length

        def cost_c1(n, least=least):
            shift = 0.5 * math.sqrt(2 / n) * math.exp(spread)
            return size * (shift + 2 * (tau + 1) * math.exp(spread) * n**-least)

        assert cost_c1(n) <= s
        assert cost_c1(n / 4 ** (1 / least)) > s

        n = length("derived.average_softmax_dirichlet", positional_margin=margin).length
        urn = 2 * 2 + 9 / 8 * (2 + tau + 1) * 2
        k, end, rise = n - tau - 1, tau + 1, math.exp(spread)
        leak = end * rise * n ** (1 - float(margin)) / k
        coupled = size * (
            rise * 2 * urn / k + end / n + max(leak, end * rise * n ** -float(margin))
        )
        tilted = size * (
            math.exp(spread / 2) / math.sqrt(2 * k)
            + (1 + math.sqrt(0.5)) * math.exp(spread) / k
            + end / n
            + max(leak, end * rise * n ** -float(margin))
        )
        assert min(coupled, tilted) <= s


def test_two_layer_softmax_lengths():
    n = length("derived.average_softmax_two_layer").length
    assert n == math.ceil((50 / 0.1) ** 2.5)
    assert length("derived.average_softmax_two_layer", positional_margin=2).length == 500**2
    theta, m = 5, math.ceil(math.log(10) / math.log(1.5))
    one = 1 + math.sqrt(0.5)
    ratio = max(math.sqrt(theta), (math.sqrt(theta) + 1 + m) / one)
    apart = max(math.sqrt(theta), (math.sqrt(theta) + 1) / one)
    found = length("derived.average_softmax_two_layer_markov").length
    assert found == math.ceil((min(ratio, 2 * apart) * 500) ** 2.5)
    # The factors cover what C5 needs at every τ.
    for tau in range(200):
        least = math.sqrt(tau + 0.5) + 2 * tau + 1
        assert (math.sqrt(2 * tau + theta) + 2 * tau + 1 + m) / least <= ratio
        assert (math.sqrt(2 * tau + theta) + 2 * tau + 1) / least <= apart
        assert m / least <= m / one
    # No correlation at all: only the m = 1 step of mixing is left.
    free = length("derived.average_softmax_two_layer_markov", spectral_gap=1).length
    assert free == math.ceil((3 / (1 + math.sqrt(0.5)) * 500) ** 2.5)


def test_the_power_of_the_gap():
    """𝒞 = 1, s = π_min = 1/10, γ ≥ ½: 1/gap, where 1/gap² stood."""
    given = {"complexity_average": 1, "positional_margin": 1}
    found = [
        length("derived.average_softmax_two_layer_markov", **given, spectral_gap=gap).length
        for gap in (F(1, 10), F(1, 100), F(1, 1000))
    ]
    assert found == [2151, 22514, 226066]


# --- monotone in every parameter, across the branches ------------------------------------------

DIRECTION = {
    "epsilon": -1,
    "lipschitz": 1,
    "lipschitz_euclidean": 1,
    "period": 1,
    "locality": 1,
    "precision_bits": 1,
    "margin": -1,
    "alpha_min": -1,
    "alpha_total": 1,
    "alpha_class": -1,
    "class_probability": -1,
    "gram_probability": -1,
    "vocabulary_size": 1,
    "logit_range": 1,
    "positional_margin": -1,
    "complexity_average": 1,
    "spectral_gap": -1,
    "stationary_min": -1,
    "urn_constant": 1,
    "target": -1,
}
RANGE = {
    "epsilon": (F(1, 1000), F(2)),
    "lipschitz": (F(1, 10), F(20)),
    "lipschitz_euclidean": (F(1, 10), F(20)),
    "period": (1, 12),
    "locality": (0, 9),
    "precision_bits": (1, 60),
    "margin": (F(1, 8), F(4)),
    "alpha_min": (F(1, 20), F(2)),
    "alpha_total": (F(2), F(60)),
    "alpha_class": (F(1, 2), F(2)),
    "class_probability": (F(1, 1000), F(1)),
    "gram_probability": (F(1, 1000), F(1)),
    "vocabulary_size": (2, 40),
    "logit_range": (F(0), F(6)),
    "positional_margin": (F(1, 10), F(3)),
    "complexity_average": (F(1, 10), F(500)),
    "spectral_gap": (F(1, 50), F(1)),
    "stationary_min": (F(1, 1000), F(1)),
    "urn_constant": (F(0), F(50)),
    "target": (F(11, 100), F(2)),
}


def samples(keyword, rng, count=7):
    low, high = RANGE[keyword]
    if isinstance(low, int):
        return sorted({rng.randint(low, high) for _ in range(count)})
    found = {low + (high - low) * F(rng.randint(0, 1000), 1000) ** 2 for _ in range(count)}
    if keyword in ("alpha_min", "alpha_class", "positional_margin"):
        found |= {F(1, 2), F(51, 100), F(49, 100), F(1), F(99, 100), F(101, 100)}
        found = {value for value in found if value >= low}
    return sorted(found)


@pytest.mark.parametrize("key", sorted(BASE))
def test_monotone_in_every_parameter(key):
    rng = random.Random(key)
    theorem = bounds.theorem(key)
    for keyword in theorem.parameters:
        for _ in range(2):
            changes = {
                other: rng.choice(samples(other, rng, 3))
                for other in BASE[key]
                if other not in ("alpha_min", "alpha_total")
            }
            if keyword == "target":
                changes["epsilon"] = F(1, 10)
            if key == "derived.one_layer_average_nested":
                changes["period"] = 1
                if keyword == "period":
                    continue
            if {"vocabulary_size", "alpha_min"} <= BASE[key].keys():  # α₀ ≤ A/|Σ|
                small = keyword == "alpha_total"
                changes |= {"vocabulary_size": 3} if small else {"alpha_total": F(80)}
            changes["precision_bits"] = changes.get("precision_bits", 1) % 5 + 1
            if "precision_bits" not in theorem.parameters:
                del changes["precision_bits"]
            grid = samples(keyword, rng)
            values = [log2(key, **{**changes, keyword: value}) for value in grid]
            for before, after in pairwise(values):
                assert (after - before) * DIRECTION[keyword] >= -1e-12, (keyword, changes)


@pytest.mark.slow
def test_monotone_at_the_branches_in_exact_integers():
    for total in (2, 5, 40):
        for epsilon in (F(1, 3), F(1, 10), F(1, 1000)):
            grid = sorted(
                {F(k, 40) for k in range(4, 80)}
                | {F(1, 2) + F(d, 10**6) for d in (-1, 1)}
                | {F(1) + F(d, 10**6) for d in (-1, 1)}
            )
            grid = [a for a in grid if a <= total]
            found = [
                length(
                    "derived.one_layer_average",
                    alpha_min=F(1, 10),
                    alpha_class=a,
                    alpha_total=total,
                    epsilon=epsilon,
                ).length
                for a in grid
            ]
            # + 2: a* = 1, A = 2, s/Λ = 1/3 gives 512 periods exactly, which an interval rounds up
            assert all(later <= sooner + 2 for sooner, later in pairwise(found))


# --- edges, errors, inversion -------------------------------------------------------------------


@pytest.mark.parametrize("key", [k for k in sorted(BASE) if "softmax" not in k])
def test_nothing_to_simulate_where_the_error_allows_everything(key):
    """One layer: one period. Two: the query is a first-layer output, which has to be hard, too."""
    name = next(k for k in ("lipschitz", "lipschitz_euclidean") if k in BASE[key])
    for bits, threshold in ((1, 2), (4, 16), (40, 2**40)):
        given = {"epsilon": 1, "period": 1, "precision_bits": bits}
        trivial = length(key, **given, **{name: F(1, 2)}).length
        one_window = 1 + BASE[key]["locality"]
        assert trivial == (max(one_window, threshold) if "two_layer" in key else 1)
        assert length(key, **given, **{name: 0}).length == trivial


@pytest.mark.parametrize("law", [{"alpha_min": 1, "alpha_total": 2}, {"gram_probability": F(1, 4)}])
@pytest.mark.parametrize("slope", [0, F(1, 20), F(1, 10)])
def test_two_layers_whose_query_changes_at_the_threshold(law, slope):
    """Δ = τ = p = 1, γ = 1/10: a first-layer output that differs below and from 1024 on.

    Its query changes the output by 40 although Λ = 0: the pair is equal up to 1023 and 10 apart
    on average later, so that Δ + τ = 2 (what the second layer's attention alone asks for) is
    wrong.
    """
    found = bounds.required_length(
        error="average",
        attention="argmax",
        layers=2,
        assume={"suffix_only_first_layer"},
        epsilon=F(1, 10),
        target=F(3, 10),
        lipschitz_euclidean=slope,
        vocabulary_size=2,
        period=1,
        locality=1,
        precision_bits=1,
        margin=F(1, 10),
        **law,
    )
    assert found.length == 1024
    assert found.terms["hardmax threshold"].length == 1024


def test_target_and_exact_agreement():
    at_target = length("derived.one_layer_average", epsilon=F(1, 10), target=F(3, 10))
    assert length("derived.one_layer_average", epsilon=0, target=F(1, 5)).length == at_target.length


def test_tiny_masses_keep_their_log2():
    found = length("derived.one_layer_average", alpha_min=F(1, 10**6), alpha_total=1)
    assert found.length is None
    assert 4e6 < found.log2_length < 5e6
    assert log2("derived.one_layer_average", alpha_min=F(1, 2), alpha_total=10**12) > 50


@pytest.mark.parametrize(
    ("key", "changes", "word"),
    [
        ("derived.one_layer_average", {"alpha_class": F(1, 4)}, "at least alpha_min = 1/2"),
        ("derived.one_layer_average", {"alpha_class": 3}, "at most alpha_total = 2"),
        ("derived.one_layer_average", {"alpha_min": 3}, "at least alpha_min = 3"),
        ("derived.one_layer_average_nested", {"period": 2}, "Δ = 1"),
        ("derived.average_two_layer_argmax", {"alpha_min": 3}, "alpha_min = 9"),
        ("derived.one_layer_average_fixed", {"class_probability": 2}, "class_probability"),
    ],
)
def test_masses_that_cannot_be(key, changes, word):
    with pytest.raises(ParameterError, match=word):
        length(key, **changes)


def test_missing_parameters_are_named_even_where_defaults_depend_on_them():
    with pytest.raises(ParameterError, match="alpha_min") as caught:
        bounds.required_length(theorem="derived.one_layer_average", epsilon=F(1, 10))
    names = {p.name for p in caught.value.problems}
    assert names >= {"alpha_min", "alpha_total", "lipschitz_euclidean"}


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(BASE))
def test_inversion_of_every_parameter(key):
    reference = length(key).length
    for keyword in bounds.theorem(key).parameters:
        if keyword in ("period", "target") or keyword not in BASE[key]:
            continue
        given = {k: v for k, v in BASE[key].items() if k != keyword}
        try:
            found = bounds.solve_for(
                keyword, length=reference, theorem=key, assume=asserted(key), **given
            )
        except bounds.errors.NoSolution:
            continue  # every value fits: the parameter does not bind at this length
        assert length(key, **{keyword: found}).length <= reference


# --- what is necessary --------------------------------------------------------------------------


def test_lower_values():
    tiny = F(1, 10**8)
    found = bounds.required_length(
        theorem="derived.lower_average_softmax", epsilon=tiny, lipschitz=1, positional_margin=1
    ).length
    assert found * float(tiny) ** 2 == pytest.approx(6.5e-5, rel=0.01)
    window = bounds.required_length(
        theorem="derived.lower_average_softmax",
        epsilon=F(1, 1000),
        lipschitz=1,
        positional_margin=F(1, 4),
    ).length
    assert window == math.floor((1000 / 192) ** 4)
    ring = bounds.required_length(theorem="derived.lower_average", epsilon=tiny, lipschitz=1).length
    assert ring * float(tiny) ** 2 == pytest.approx(4.18e-7, rel=0.01)
    two = bounds.required_length(
        theorem="derived.lower_average_two_layer", epsilon=tiny, lipschitz=2
    ).length
    # λ = L/2 = 1: (ε·T/9.41)² with T = (0.205/3ε)², as L/target is far above 97600
    assert two * float(tiny) ** 2 == pytest.approx((0.205**2 / 9 / 9.41) ** 2, rel=1e-6)


def test_lower_values_are_zero_or_refused_outside_their_range():
    found = bounds.required_length(
        theorem="derived.lower_average_softmax", epsilon=F(1, 10), lipschitz=1, positional_margin=2
    )
    assert found.length == 0
    with pytest.raises(ParameterError, match="11430"):
        bounds.required_length(
            theorem="derived.lower_average_two_layer", epsilon=F(1, 10), lipschitz=1
        )
    with pytest.raises(ParameterError, match="27000"):
        bounds.required_length(theorem="derived.lower_average", epsilon=F(1, 10), lipschitz=1)
    with pytest.raises(ParameterError, match="α₀ < A"):
        bounds.required_length(
            theorem="derived.lower_average_softmax_dirichlet",
            epsilon=F(1, 10),
            lipschitz=1,
            logit_range=1,
            alpha_min=1,
            alpha_total=1,
        )


def test_rare_token_by_its_limit():
    """At N = the value the error in the limit exceeds the target, by the Beta law itself."""
    for alpha, total, target in [
        (F(1, 2), 2, F(1, 1000)),
        (F(1, 4), 1, F(1, 100)),
        (1, 4, F(1, 500)),
    ]:
        value = bounds.required_length(
            theorem="derived.lower_average_softmax_dirichlet",
            epsilon=target / 3,
            lipschitz=1,
            logit_range=60,
            alpha_min=alpha,
            alpha_total=total,
        ).length
        assert value >= 10
        a, b, n = float(alpha), float(total - alpha), value

        def bump(q, n=n):
            share = (n - 1) * q / ((n - 1) * q + 1 - q)
            return max(0, min(share, mp.mpf(1) / 2 - share))

        limit = mp.quad(
            lambda q, a=a, b=b: bump(q) * q ** (a - 1) * (1 - q) ** (b - 1) / mp.beta(a, b),
            [0, 1e-3 / n, 0.1 / n, 1 / (3 * n), 1 / n],
        )
        assert limit > float(target)
        by_range = bounds.required_length(
            theorem="derived.lower_average_softmax_dirichlet",
            epsilon=F(1, 10**12),
            lipschitz=1,
            logit_range=3,
            alpha_min=alpha,
            alpha_total=total,
        ).length
        assert by_range == math.floor(math.exp(3) + 1)


def test_necessary_is_below_sufficient():
    for epsilon in (F(1, 10**5), F(1, 10**6)):
        need = bounds.required_length(theorem="derived.lower_average", epsilon=epsilon, lipschitz=1)
        enough = length(
            "derived.one_layer_average",
            epsilon=epsilon,
            period=2,
            locality=0,
            alpha_min=1,
            alpha_total=2,
        )
        assert need.length < enough.length
        coin = bounds.required_length(
            theorem="derived.lower_average_softmax",
            epsilon=epsilon,
            lipschitz=1,
            positional_margin=F(1, 4),
        )
        fair = length(
            "derived.average_softmax",
            epsilon=epsilon,
            lipschitz=1,
            vocabulary_size=2,
            logit_range=0,
            positional_margin=F(1, 4),
        )
        assert coin.length < fair.length


def test_counterparts_and_exponents():
    theorem = bounds.theorem("derived.one_layer_average")
    a = bounds.symbols.alpha_class
    assert theorem.compares_with == "izzo2025.4.2"
    assert theorem.exponent("epsilon").subs(a, F(1, 4)) == -4
    assert theorem.exponent("epsilon").subs(a, 3) == -2
    assert {t.key for f in necessary.FILES if ".average_" in f.__name__ for t in f.THEOREMS} == {
        "derived.lower_average",
        "derived.lower_average_class",
        "derived.lower_average_one_column",
        "derived.lower_average_every_prior",
        "derived.lower_average_rare",
        "derived.lower_average_softmax_one_column",
        "derived.lower_average_softmax",
        "derived.lower_average_softmax_dirichlet",
        "derived.lower_average_two_layer",
        "derived.lower_average_two_layer_argmax",
    }


def test_the_class_of_every_token_has_probability_one():
    """a* = A: no power 1/α₀, and no more than the class of all tokens but a rare one."""
    small = {"alpha_min": F(1, 10), "alpha_total": F(1, 5), "epsilon": F(1, 100), "locality": 0}
    assert log2("derived.one_layer_average", **small) > 80
    whole = length("derived.one_layer_average", **small, alpha_class=F(1, 5)).length
    assert whole < 2**19
    nearly = length("derived.one_layer_average", **small, alpha_class=F(1, 5) - F(1, 10**9)).length
    assert whole <= nearly
    nested = {k: v for k, v in small.items() if k != "epsilon"} | {"vocabulary_size": 2}
    # 2L·C/(k + 1) ≤ s with C = max(1, 2W̄) + 1
    found = length(
        "derived.one_layer_average_nested", **nested, alpha_class=F(1, 5), urn_constant=2
    )
    assert found.length == 1 + 5 * 20
    with pytest.raises(ParameterError):  # the pair of A4 prefers one token of two
        bounds.required_length(
            theorem="derived.lower_average",
            epsilon=F(1, 10**6),
            lipschitz=1,
            alpha_min=1,
            alpha_total=2,
            alpha_class=2,
        )


@pytest.mark.parametrize(
    ("key", "slope", "power"),
    [
        ("one_layer_average_two_tokens", "lipschitz_euclidean", F(12, 5)),
        ("lower_average_rare", "lipschitz", F(12, 5)),
        ("lower_average_every_prior", "lipschitz", 2),
    ],
)
def test_exponents_without_constants_are_no_lengths(key, slope, power):
    given = {"epsilon": F(1, 100), slope: 1, "alpha_min": F(1, 4), "vocabulary_size": 2}
    found = bounds.required_length(theorem=f"derived.{key}", period=2, **given)
    assert (found.length, found.log2_length) == (None, None)
    assert "no number" in str(found.status)
    values = {bounds.symbols.alpha_min: F(1, 4), bounds.symbols.period: 2}
    assert found.theorem.exponent("epsilon").subs(values) == -power
    assert found.theorem.exponent(slope).subs(values) == power
    if key != "lower_average_every_prior":
        with pytest.raises(ParameterError):
            bounds.required_length(
                theorem=f"derived.{key}", period=2, **given | {"alpha_min": F(1, 2)}
            )
    cell = {"error": "average", "attention": "argmax", "layers": 1}
    shortest = bounds.required_length(
        **cell,
        **given | {"lipschitz_euclidean": 1},
        alpha_total=1,
        locality=0,
        precision_bits=4,
        margin=1,
        period=2,
    )
    assert shortest.theorem.key == "derived.one_layer_average"


@pytest.mark.parametrize("key", ["softmax_one_column", "softmax_dirichlet"])
def test_pairs_without_lag_bias_have_the_positional_margin_one(key):
    given = {"epsilon": F(1, 10**4), "lipschitz": 1, "alpha_min": 1, "alpha_total": 2}
    given |= {"logit_range": 9} if key == "softmax_dirichlet" else {}
    for margin, allowed in ((F(1, 2), True), (1, True), (F(3, 2), False)):
        ask = {"theorem": f"derived.lower_average_{key}", "positional_margin": margin, **given}
        if allowed:
            assert bounds.required_length(**ask).length > 0
        else:
            with pytest.raises(ParameterError, match="positional margin of heads without"):
                bounds.required_length(**ask)


def test_pairs_whose_constants_are_the_same_refuse_a_smaller_euclidean_one():
    """Λ < L given: no model of the class has the slope L in one statistic."""
    given = {"epsilon": F(1, 10**5), "lipschitz": 1}
    uniform = {"alpha_min": 1, "alpha_total": 2}
    for key, law in [
        ("", uniform),
        ("_one_column", uniform),
        ("_class", {"class_probability": F(1, 2)}),
        ("_softmax", {"positional_margin": 1}),
        ("_softmax_one_column", uniform),
        ("_softmax_dirichlet", uniform | {"logit_range": 9}),
        ("_two_layer", {}),
        ("_two_layer_argmax", {}),
    ]:
        ask = {"theorem": f"derived.lower_average{key}", **given, **law}
        same = bounds.required_length(**ask, lipschitz_euclidean=1).length
        assert bounds.required_length(**ask).length == same
        with pytest.raises(ParameterError, match="Λ ≥ L"):
            bounds.required_length(**ask, lipschitz_euclidean=F(1, 2))
