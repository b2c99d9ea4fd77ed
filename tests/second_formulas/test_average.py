"""Average error: every formula once more, with its terms by name, exactly to the integer.

The three closed forms of K_θ(u) are written from Lemma T3 of docs/theory.md; the registry says at
which smaller mass it took form (S), and that choice is checked for itself.
"""

import math
from fractions import Fraction as F
from itertools import product
from random import Random

import pytest

import bounds
from bounds.registry.sufficient.beta_roots import smaller_mass
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded, slope

pytestmark = pytest.mark.covers(
    "second formula",
    "derived.average_softmax",
    "derived.average_softmax_euclidean",
    "derived.average_softmax_dirichlet",
    "derived.average_softmax_two_layer",
    "derived.average_softmax_two_layer_markov",
    "derived.average_two_layer_argmax",
    "derived.average_two_layer_argmax_fixed",
    "derived.lower_average",
    "derived.lower_average_class",
    "derived.lower_average_one_column",
    "derived.lower_average_softmax_one_column",
    "derived.lower_average_softmax",
    "derived.lower_average_softmax_dirichlet",
    "derived.lower_average_two_layer",
    "derived.lower_average_two_layer_argmax",
    "derived.one_layer_average",
    "derived.one_layer_average_common_order",
    "derived.one_layer_average_fixed",
    "derived.one_layer_average_nested",
)

HARDMAX = "hardmax threshold"


def draws(number, seed):
    """s on both sides of L and equal to it; terms of every kind on top."""
    rng = Random(seed)
    for _ in range(number):
        s = F(rng.randint(1, 30), rng.choice([10, 64]))
        eps = F(rng.randint(0, 20), 16)
        alpha = rng.choice([F(1, 3), F(1, 2), F(51, 100), F(3, 4), F(1), F(3, 2), F(2), F(5, 2)])
        mass = alpha + rng.choice([F(0), F(1, 2), F(1)])
        yield {
            "epsilon": eps,
            "target": eps + 2 * s,
            "s": s,
            "lipschitz": s
            * rng.choice([F(1, 2), 1, F(1009, 997), F(2003, 997), F(7919, 997), F(30011, 997)]),
            "vocabulary_size": rng.randint(1, 5),
            "period": rng.randint(1, 4),
            "locality": rng.randint(0, 3),
            "precision_bits": rng.randint(1, 16),
            "margin": F(rng.randint(2, 9), 4),
            "alpha_min": alpha,
            "alpha_class": mass,
            "alpha_total": mass + rng.choice([F(0), F(1, 2), F(3)]),
            "class_probability": rng.choice([F(1), F(1, 3), F(1, 50)]),
            "gram_probability": rng.choice([F(1), F(1, 4), F(1, 60)]),
            "gamma": rng.choice([F(1, 3), F(2, 5), F(1, 2), F(3, 5), F(1), F(2)]),
            "logit_range": rng.choice([F(0), F(1, 2), F(2)]),
            "urn_constant": rng.choice([F(0), F(1, 4), F(1, 2), F(3)]),
            "complexity_average": s * rng.choice([F(1, 9), F(1), F(9, 2), F(40)]),
            "spectral_gap": rng.choice([F(1), F(1, 2), F(9, 10), F(1, 7)]),
            "stationary_min": rng.choice([F(1, 2), F(1, 4), F(1, 100)]),
        }


def pick(v, *names):
    """What an entry reads; Λ is drawn like L."""
    drawn = v | {"lipschitz_euclidean": v["lipschitz"]}
    return {name: drawn[name] for name in ("epsilon", "target", *names)}


def threshold(v):
    return rounded(mp.mpf(2) ** (real(v["precision_bits"]) / real(v["margin"])))


# Lemma T3


def by_power(theta, a, total, m, u):
    beta = a * mp.beta(a, total + m - a)
    return (theta / ((theta - a) * beta * u)) ** (1 / a)


def by_lambert(a, total, m, u):
    beta = a * mp.beta(a, total + m - a)
    w = mp.lambertw(-u * beta / mp.e, -1)
    assert mp.im(w) == 0
    return (-mp.re(w) / (u * beta)) ** (1 / a)


def by_moment(theta, a, total, m, u):
    b = total + m - a
    return (mp.beta(a - theta, b) / mp.beta(a, b) / u) ** (1 / theta)


def reciprocal_root(theta, a, total, m, u, smaller):
    """K_θ(u): the least of (S), (W) and (M); the class of all tokens has q = 1."""
    everything = a == total
    theta, a, total, u, smaller = (real(x) for x in (theta, a, total, u, smaller))
    assert smaller <= a
    if everything:
        return u ** (-1 / theta)
    forms = [by_lambert(min(a, theta), total, m, u), by_power(theta, smaller, total, m, u)]
    if a > theta:
        forms.append(by_moment(theta, a, total, m, u))
    return min(forms)


def chosen(found):
    """The share, and the masses at which the registry took form (S)."""
    return {symbol.name: mass for symbol, mass in found.choice.items()}


QUARTERS = [F(1, 4), F(1, 2), F(3, 4)]


def best_share(lengths):
    """The terms at the share whose longest term is shortest."""
    return min(lengths, key=lambda terms: max(terms.values()))


def one_layer_constant(tau, period):
    """C of Theorem A1 at the longest end."""
    end, c = mp.mpf(tau + period), 2 + mp.sqrt(2)
    return c + end + 2 * end / mp.sqrt(c + end)


def two_layer_constant(tau, period):
    end, c0 = mp.mpf(4 * tau + period) / (2 * tau + 1), 1 + 1 / mp.sqrt(2)
    return c0 + end + end / mp.sqrt(c0 + end)


def solved(constant, error):
    """The t at which 1/√(2t) + C/t is `error`."""
    root = (mp.sqrt(mp.mpf(1) / 2 + 4 * constant * error) + 1 / mp.sqrt(2)) / (2 * error)
    assert abs(1 / mp.sqrt(2) / root + constant / root**2 - error) < error * mp.mpf(10) ** -20
    return root**2


@pytest.mark.parametrize("v", [*draws(40, 1)])
def test_one_layer(v):
    given = pick(
        v,
        "lipschitz_euclidean",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_class",
        "alpha_total",
    )
    d, tau, s, lip = v["period"], v["locality"], v["s"], v["lipschitz"]
    masses = chosen(evaluation("derived.one_layer_average", **given))
    if s >= lip:
        assert masses == {}
        expected = {HARDMAX: d, "fluctuation": d, "suffix": d}
    else:
        a, total = v["alpha_class"], v["alpha_total"]
        constant, lengths = one_layer_constant(tau, d), []
        for xi in QUARTERS:
            shares = (xi * s / lip, (1 - xi) * s / lip)
            thetas = (F(1, 2), F(1))
            smaller = [smaller_mass(a, total, 1, t, u) for t, u in zip(thetas, shares, strict=True)]
            half, one = (
                max(reciprocal_root(t, a, total, 1, u, m), mp.mpf(1))
                for t, u, m in zip(thetas, shares, smaller, strict=True)
            )
            periods = {"fluctuation": half / 2, "suffix": constant * one}
            lengths.append({n: d * max(rounded(k), 1) + tau + d for n, k in periods.items()})
            if xi == masses["xi"]:
                assert [masses["a_1"], masses["a_2"]] == smaller
                taken = lengths[-1]
        hard = threshold(v) + d - 1
        assert max(hard, *taken.values()) == max(hard, *best_share(lengths).values())
        expected = taken
        expected[HARDMAX] = threshold(v) + d - 1
    found = integers("derived.one_layer_average", **given)
    assert found == (max(expected.values()), expected)


@pytest.mark.parametrize("v", [*draws(30, 2)])
def test_one_layer_nested(v):
    given = pick(
        v,
        "lipschitz",
        "vocabulary_size",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_class",
        "alpha_total",
        "urn_constant",
    )
    tau, s, lip = v["locality"], v["s"], v["lipschitz"]
    key = "derived.one_layer_average_nested"
    masses = chosen(evaluation(key, **given, period=1))
    if s >= lip:
        expected = {HARDMAX: 1, "coupling": 1}
    else:
        u = s / (2 * lip)
        best = smaller_mass(v["alpha_class"], v["alpha_total"], 1, F(1), u)
        assert masses == {"a_1": best}
        one = reciprocal_root(1, v["alpha_class"], v["alpha_total"], 1, u, masses["a_1"])
        steps = real(max(1, 2 * v["urn_constant"]) + tau + 1) * max(one, mp.mpf(1))
        expected = {HARDMAX: threshold(v), "coupling": tau + 1 + rounded(steps)}
    assert integers(key, **given, period=1) == (max(expected.values()), expected)


def test_a_moment_that_is_rational_is_exact():
    """a* = 7/2, A = 5, u = 1/100: K_1 = 5/(5/2·u) = 200, and C = 1 + τ + 1."""
    given = {
        "epsilon": F(0),
        "target": F(2),
        "lipschitz": 50,
        "vocabulary_size": 2,
        "precision_bits": 1,
        "margin": 1,
        "alpha_min": 1,
        "alpha_class": F(7, 2),
        "alpha_total": F(5),
        "urn_constant": F(0),
        "period": 1,
    }
    for tau in (0, 3):
        found = integers("derived.one_layer_average_nested", **given, locality=tau)[0]
        assert found == tau + 1 + 200 * (tau + 2)


@pytest.mark.parametrize(
    ("least", "mass", "total", "u"),
    [
        ("W", F(1001, 1000), F(10), F(1, 1000)),
        ("S", F(1001, 1000), F(1000), F(49, 100)),
        ("M", F(2), F(3), F(1, 10)),
        ("S", F(1, 4), F(2), F(1, 1000)),
        ("W", F(1), F(2), F(1, 1000)),
    ],
)
def test_each_closed_form_is_the_least_somewhere(least, mass, total, u):
    forms = {"W": by_lambert(min(real(mass), mp.mpf(1)), real(total), 1, real(u))}
    smaller = real(smaller_mass(mass, total, 1, F(1), u))
    forms["S"] = by_power(mp.mpf(1), smaller, real(total), 1, real(u))
    if mass > 1:
        forms["M"] = by_moment(mp.mpf(1), real(mass), real(total), 1, real(u))
    assert min(forms, key=forms.get) == least
    found = integers(
        "derived.one_layer_average_nested",
        epsilon=F(0),
        target=F(2),
        lipschitz=1 / (2 * u),
        vocabulary_size=2,
        period=1,
        locality=1,
        precision_bits=1,
        margin=1,
        alpha_min=mass,
        alpha_class=mass,
        alpha_total=total,
        urn_constant=F(10),
    )
    assert found[0] == 2 + rounded(22 * forms[least])


@pytest.mark.parametrize("v", [*draws(40, 3)])
def test_fixed_laws(v):
    given = pick(v, "lipschitz_euclidean", "period", "locality", "precision_bits", "margin")
    d, tau, s, lip = v["period"], v["locality"], v["s"], v["lipschitz"]
    q, grams = v["class_probability"], v["gram_probability"]
    if s >= lip:
        one = {HARDMAX: d, "simulation": d}
        two = {"simulation": d + tau}
    else:
        error = real(s / lip)
        k = solved(one_layer_constant(tau, d), error) / real(q)
        one = {HARDMAX: threshold(v) + d - 1, "simulation": d * max(rounded(k), 1) + tau + d}
        k = (2 * tau + 1) * solved(two_layer_constant(tau, d), error / 2) / real(grams)
        two = {"simulation": d * (max(rounded(k), 1) + 1) + 4 * tau + 1}
    two[HARDMAX] = threshold(v) + d - 1  # the query is a first-layer output: hard even if s ≥ Λ
    found = integers("derived.one_layer_average_fixed", **given, class_probability=q)
    assert found == (max(one.values()), one)
    found = integers("derived.average_two_layer_argmax_fixed", **given, gram_probability=grams)
    assert found == (max(two.values()), two)


def common_order(v, varsigma):
    """The simulation term of Theorem A6 at one share ς."""
    d, tau, alpha = v["period"], v["locality"], real(v["alpha_min"])
    gap = real(v["s"] * varsigma) * 2
    theta = gap / (real(v["epsilon"]) + gap)
    sigma = real(v["s"] * (1 - varsigma) / v["lipschitz"])
    m = (mp.sqrt(2) + mp.sqrt(2 + 8 * (tau + d) * sigma)) ** 2 / (4 * sigma**2)
    if d == 1:
        smaller = real(v["s"] * (1 - varsigma) / (v["lipschitz"] * F(2, 3)))  # L is smaller than Λ
        m = min(m, 2 * (real(v["urn_constant"]) + tau + 1) / smaller)
    m = rounded(max(m, 4 * mp.log(100 / theta)))
    seen = real(v["alpha_total"]) + tau + d
    beta = alpha * mp.gamma(alpha) * mp.gamma(seen - alpha) / mp.gamma(seen)
    steps = [2 * (mp.mpf(99) / 100 * theta * beta) ** (-1 / alpha), seen / alpha]
    steps.append(1 + mp.sqrt(d) / 2)
    return d * rounded(m * max(steps) / d) + tau + d


@pytest.mark.parametrize("v", [*draws(40, 7)])
def test_one_order_of_the_tokens(v):
    names = ["period", "locality", "precision_bits", "margin", "alpha_min", "alpha_total"]
    given = pick(v, "lipschitz_euclidean", "vocabulary_size", "urn_constant", *names)
    given["lipschitz"] = v["lipschitz"] * F(2, 3)
    key, shares = "derived.one_layer_average_common_order", [F(1, 16), F(1, 4), F(1, 2), F(3, 4)]
    taken = chosen(evaluation(key, **given))
    if v["s"] >= v["lipschitz"]:
        expected = {HARDMAX: v["period"], "simulation": v["period"]}
    else:
        hard = threshold(v) + v["period"] - 1
        expected = {HARDMAX: hard, "simulation": common_order(v, taken["varsigma"])}
        assert max(expected.values()) == max(hard, min(common_order(v, q) for q in shares))
    assert integers(key, **given) == (max(expected.values()), expected)


@pytest.mark.parametrize("v", [*draws(40, 4)])
def test_two_layers_argmax(v):
    given = pick(
        v,
        "lipschitz_euclidean",
        "vocabulary_size",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
    )
    d, tau, s, lip = v["period"], v["locality"], v["s"], v["lipschitz"]
    key, m = "derived.average_two_layer_argmax", tau + 1
    masses = chosen(evaluation(key, **given))
    if s >= lip:
        expected = {"fluctuation": d + tau, "suffix": d + tau}
    else:
        whole = s / (2 * min(v["vocabulary_size"], m) * lip)
        a, total = v["alpha_min"], v["alpha_total"]
        constant, lengths = two_layer_constant(tau, d), []
        for xi in QUARTERS:
            parts = [(F(m, 2), xi * whole), (F(m), (1 - xi) * whole)]
            smaller = [smaller_mass(a, total, m, t, u) for t, u in parts]
            half, one = (
                max(reciprocal_root(t, a, total, m, u, least) ** m, mp.mpf(1))
                for (t, u), least in zip(parts, smaller, strict=True)
            )
            periods = {"fluctuation": half / 2, "suffix": constant * one}
            lengths.append(
                {
                    name: d * (max(rounded((2 * tau + 1) * k), 1) + 1) + 4 * tau + 1
                    for name, k in periods.items()
                }
            )
            if xi == masses["xi"]:
                assert [masses["a_1"], masses["a_2"]] == smaller
                expected = dict(lengths[-1])
        hard = threshold(v) + d - 1
        assert max(hard, *expected.values()) == max(hard, *best_share(lengths).values())
    expected[HARDMAX] = threshold(v) + d - 1  # even if s ≥ Λ
    assert integers(key, **given) == (max(expected.values()), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mass", "theta"),
    [*product([F(1, 5), F(1, 2), F(9, 10), F(3)], [F(1, 2), F(1), F(3, 2), F(3)])],
)
@pytest.mark.parametrize(("total", "observed"), [(F(3), 1), (F(40), 3), (F(10**7), 1)])
def test_the_smaller_mass_is_the_best_for_the_power_form(mass, theta, total, observed):
    for u in (F(1, 3), F(1, 100), F(1, 10**9)):
        best = smaller_mass(mass, total, observed, theta, u)
        assert 0 < best <= mass
        assert best < theta

        def value(a, u=u):
            return mp.log(by_power(real(theta), real(a), real(total), observed, real(u)))

        grid = [min(mass, theta) * F(k, 200) for k in range(1, 200)]
        if mass < theta:
            grid.append(mass)
        assert value(best) <= min(value(a) for a in grid) + mp.mpf(10) ** -6
        if best < mass:  # the minimiser itself, a multiple of 2^-20: its neighbours are no better
            assert (best * 2**20).denominator == 1
            step = F(4, 2**20)
            for other in (best - step, best + step):
                if 0 < other < theta:
                    assert value(best) <= value(other)


# Softmax


@pytest.mark.parametrize("v", [*draws(40, 5)])
def test_softmax_one_layer(v):
    given = pick(v, "lipschitz", "vocabulary_size", "locality", "logit_range")
    given["positional_margin"] = v["gamma"]
    ratio, rise = real(v["lipschitz"] / v["s"]), mp.exp(real(v["logit_range"]))
    power, end = 1 / real(v["gamma"]), v["locality"] + 1
    terms = {
        "histogram": max(rounded(ratio**2 * rise**2 * (v["vocabulary_size"] - 1)), 1),
        "suffix": max(rounded((4 * end * ratio * rise) ** max(mp.mpf(1), power)), 1),
    }
    assert integers("derived.average_softmax", **given) == (max(terms.values()), terms)

    # C3 reads L, C1″ reads Λ: they differ here
    euclidean = v["lipschitz"] * F(2, 3)
    urn = rounded((ratio * rise * real(4 * v["urn_constant"] + 3 * end)) ** max(mp.mpf(1), power))
    ratio = real(euclidean / v["s"])
    lengths = {xi: by_variance(ratio, rise, power, end, xi) for xi in FLUCTUATION}
    given["lipschitz_euclidean"] = euclidean
    alone = {k: x for k, x in given.items() if k not in ("lipschitz", "vocabulary_size")}
    key = "derived.average_softmax_euclidean"
    terms = lengths[chosen(evaluation(key, **alone))["vartheta"]]
    value = min(max(parts.values()) for parts in lengths.values())
    assert integers(key, **alone) == (value, terms)
    assert max(terms.values()) == value
    value = max(2 * end, min(urn, value))
    given |= {"alpha_total": v["alpha_total"], "urn_constant": v["urn_constant"]}
    found = integers("derived.average_softmax_dirichlet", **given)
    assert found == (value, {"simulation": value})


FLUCTUATION = [F(1, 2), F(3, 4), F(15, 16)]


def by_variance(ratio, rise, power, end, xi):
    """The parts of Theorem C1″ for Λ/s = `ratio`, e^R = `rise`, 1/γ = `power`."""
    share, rest = real(xi), real(1 - xi)
    c0, error = 1 + 1 / mp.sqrt(2), share / ratio
    return {
        "fluctuation": end + rounded(rise * solved(c0, error)),
        "end": max(2 * end, rounded(2 * end * ratio / rest)),
        "other lags": max(rounded((4 * end * rise * ratio / rest) ** power), 1),
    }


@pytest.mark.parametrize("s", [F(1), F(3), F(2, 7)])
def test_each_part_of_the_dirichlet_length_counts_somewhere(s):
    """Twice the end, the urn, and the three parts of C2, each where nothing else decides."""
    base = {
        "epsilon": F(0),
        "target": 2 * s,
        "vocabulary_size": 2,
        "alpha_total": 2,
        "urn_constant": F(10**9),
        "logit_range": F(0),
        "positional_margin": F(1),
    }

    def length(ratio, tau, **changes):
        slopes = {"lipschitz": ratio * s, "lipschitz_euclidean": ratio * s}
        given = base | slopes | {"locality": tau} | changes
        return integers("derived.average_softmax_dirichlet", **given)[0]

    def root(ratio, xi):
        return solved(1 + 1 / mp.sqrt(2), real(xi) / ratio)

    assert length(F(1, 100), 4) == 10
    assert length(40, 0) == 1 + rounded(root(40, F(3, 4)))
    assert length(1000, 0) == 1 + rounded(root(1000, F(15, 16)))
    assert length(F(20), 10**6, positional_margin=F(9)) == 80 * (10**6 + 1)
    assert length(F(2), 9, positional_margin=F(1, 2)) == 160**2
    assert length(100, 0, urn_constant=F(0)) == 300


def test_nothing_attended_nothing_lost():
    """L = 0: one token is enough."""
    given = {
        "epsilon": F(0),
        "target": F(1),
        "lipschitz": 0,
        "vocabulary_size": 3,
        "locality": 1,
        "logit_range": F(1),
        "positional_margin": F(1, 2),
    }
    assert integers("derived.average_softmax", **given) == (1, {"histogram": 1, "suffix": 1})


def test_default_urn_constants():
    for size, total, tau in product([1, 2, 3, 4, 5, 8, 9], [F(5, 2), F(7)], [0, 2]):
        levels = next(k for k in range(9) if 2**k >= size)
        mass = total + tau + 1
        given = {"vocabulary_size": F(size), "alpha_total": total, "locality": F(tau)}
        balanced = bounds.theorem("derived.average_softmax_dirichlet").defaults["urn_constant"]
        assert balanced(given) == 2 * (size - 1) + F(9, 8) * mass * levels
        any_tree = bounds.theorem("derived.one_layer_average_nested").defaults["urn_constant"]
        assert any_tree(given) == (size - 1) * (2 + F(9, 8) * mass)


def markov(ratio, theta, m, gamma):
    """The least n that either bound of Theorem C5 gives, 𝒞/s = `ratio`."""
    root, one = mp.sqrt(real(theta)), 1 + 1 / mp.sqrt(2)
    power = max(mp.mpf(2), 1 / real(gamma))
    together = (max(root, (root + 1 + m) / one) * ratio) ** power
    factor, rest = max(root, (root + 1) / one), m / one
    if gamma < F(1, 2):
        apart = max((2 * factor * ratio) ** power, 2 * rest * ratio)
    else:  # y = √n solves y² = ϱ′y·ratio + m′·ratio
        y = factor * ratio / 2 + mp.sqrt((factor * ratio / 2) ** 2 + rest * ratio)
        apart = y**2
    return rounded(min(together, apart))


@pytest.mark.parametrize("v", [*draws(60, 6)])
def test_softmax_two_layers(v):
    given = pick(v, "complexity_average") | {"positional_margin": v["gamma"]}
    power = max(mp.mpf(2), 1 / real(v["gamma"]))
    ratio = real(v["complexity_average"] / v["s"])
    value = max(1, rounded(ratio**power))
    found = integers("derived.average_softmax_two_layer", **given)
    assert found == (value, {"simulation": value})
    rest = 1 - v["spectral_gap"]  # λ
    theta, m = (1 + rest) / (1 - rest), 1
    while rest > 0 and rest**m > v["stationary_min"]:
        m += 1
    value = max(1, markov(ratio, theta, m, v["gamma"]))
    found = integers(
        "derived.average_softmax_two_layer_markov",
        **given,
        spectral_gap=v["spectral_gap"],
        stationary_min=v["stationary_min"],
    )
    assert found == (value, {"simulation": value})


def test_the_root_of_the_correlations_decides_where_mixing_costs_nothing():
    """π_min = 1, one token: m = 1, and √Θ exceeds (√Θ + 2)/(1 + 1/√2)."""
    key = "derived.average_softmax_two_layer_markov"
    given = {
        "epsilon": F(0),
        "target": F(2),
        "complexity_average": 1,
        "positional_margin": F(1),
        "stationary_min": F(1),
    }
    found = integers(key, **given, spectral_gap=F(3, 10**6))[0]
    assert found == rounded((2 - F(3, 10**6)) / F(3, 10**6))
    found = integers(key, **given | {"complexity_average": 100}, spectral_gap=F(1, 2))[0]
    assert found == markov(100, F(3), 1, F(1)) < 100**2 * 3.1


def test_a_mixing_time_that_is_an_integer_is_not_rounded_up():
    """ln(1/π_min)/ln(1/λ) = 2 and 3: the least m with λ^m ≤ π_min."""
    given = {"epsilon": F(0), "target": F(2), "complexity_average": 1, "positional_margin": F(1)}
    for rest, power in [(F(1, 10), 2), (F(2, 3), 2), (F(1, 4), 3), (F(3, 7), 5)]:
        theta = (1 + rest) / (1 - rest)
        for pi_min, m in [(rest**power, power), (rest**power * F(999, 1000), power + 1)]:
            value = markov(1, theta, m, F(1))
            found = integers(
                "derived.average_softmax_two_layer_markov",
                **given,
                spectral_gap=1 - rest,
                stationary_min=pi_min,
            )
            assert found[0] == value


# What is necessary


def admitted(key, **values):
    """Whether every hypothesis that shows in these values holds."""
    return all(h.check(values) for h in bounds.theorem(key).hypotheses if h.check)


def test_the_ring():
    # the formula alone: an ε above the target shows every digit
    for eps, eta, lip in product(
        [F(0), F(1, 3), F(10**9)], [F(1), F(4, 3)], [27000, 10**6, F(40001)]
    ):
        slope_ratio = F("0.1514") * lip / (F("2.0005") * eta)
        value = rounded((2 * eps / (F("1.9688") * lip)) ** 2 * (slope_ratio**2 - 2) ** 2, up=False)
        ring = (2 * eps / (F("1.9688") * lip)) ** 2 * (slope_ratio**2 - 2) ** 2
        for period in (2, 3, 7):
            # two residues hold at most 2n/Δ + 2 of n positions
            longer = value if period == 2 else math.floor(period * (ring - 2) / 2) + 1
            found = integers(
                "derived.lower_average", epsilon=eps, target=eta, lipschitz=lip, period=period
            )
            assert found == (longer, {"ring": longer})
    for target, allowed in [(F(1), True), (1 - F(1, 10**9), True), (1 + F(1, 10**9), False)]:
        assert admitted("derived.lower_average", target=target, lipschitz=F(27000)) == allowed


def test_a_rare_class():
    key = "derived.lower_average_class"
    for eps, eta, ratio, q in product(
        [F(0), F(1, 3), F(10**9)], [F(1), F(4, 3)], [125, 10**4, F(4001, 10)], [F(1), F(2, 7)]
    ):
        rest = mp.mpf("0.2408") ** 2 - 4 * mp.mpf("1.71") / real(F(ratio))
        w = (mp.mpf("0.2408") - mp.sqrt(rest)) / 2 / mp.mpf("1.71")
        assert abs(w * (mp.mpf("0.2408") - mp.mpf("1.71") * w) * real(F(ratio)) - 1) < 1e-20
        given = {"epsilon": eps, "target": eta, "lipschitz": ratio * eta, "class_probability": q}
        slope = real(F(ratio) * eta)
        value = (real(eps) / slope) ** 2 * (1 / w**2 - 1) ** 2 * mp.pi / 2 / real(q)
        value = rounded(value, up=False)
        assert integers(key, **given) == (value, {"class": value})
    for target, allowed in [(F(1), True), (1 + F(1, 10**9), False)]:
        assert admitted(key, target=target, lipschitz=F(125)) == allowed


def is_prime(number):
    return number > 1 and all(number % k for k in range(2, math.isqrt(number) + 1))


@pytest.mark.parametrize("attention", ["", "_softmax"])
def test_tents_at_the_shares_of_a_prime_length(attention):
    """The largest prime T ≥ 3 with T + 9 < λ·min(ε, η/2)/η²."""
    key = f"derived.lower_average{attention}_one_column"
    for eps, eta, lip in product(
        [F(0), F(1, 3), F(1)], [F(1, 2), F(3), F(7, 2)], [F(10), F(320), F(1280), F(5000), F(16800)]
    ):
        room = lip * min(eps, eta / 2) / eta**2 - 9
        value = next((t for t in range(math.ceil(room) - 1, 2, -1) if is_prime(t)), 0)
        found = integers(key, epsilon=eps, target=eta, lipschitz=lip)
        assert found == (value, {"tents": value})
    given = {"epsilon": F(1), "target": F(3)}
    assert integers(key, **given, lipschitz=F(1280))[0] == 131
    assert integers(key, **given, lipschitz=F(9 * 140))[0] == 127  # 131 + 9 is not below 140
    assert integers(key, **given, lipschitz=F(9 * 140) + F(1, 10**9))[0] == 131
    far = F(9 * 10**40)
    assert integers(key, **given, lipschitz=far)[0] == (10**40 - 9) * 999 // 1000


def coin(eps, eta, lip):
    mean = mp.mpf("0.2408")
    w = mean - mp.sqrt(mean**2 - 2 * real(eta / lip))
    return rounded(mp.pi / 2 * real(eps / lip) ** 2 * (w**-2 - 1) ** 2, up=False)


@pytest.mark.slow
def test_the_fair_coin_and_the_window():
    """The formula alone: ε may exceed the target here, so that every boundary shows."""
    hair = F(1, 10**20)
    coins, windows = 0, 0
    for eps, eta, lip, gamma, tau in product(
        [F(1, 100), F(1, 50), F(2, 7), F(2, 7) - hair, F(1), F(50)],
        [F(1, 30), F(1), F(1) + hair],
        [F(64), F(64) - hair, F(1000), F(10000, 289), F(10000, 289) - hair, F(2)],
        [F(1, 5), F(1, 2) - hair, F(1, 2), F(1), 1 + hair],
        [0, 1, 3],
    ):
        terms = {"fair coin": 0, "window": 0}
        if eta <= F("0.0289") * lip and gamma <= 1:
            terms["fair coin"] = coin(eps, eta, lip)
            coins += terms["fair coin"] > 0
        if tau >= 1 and gamma < F(1, 2) and eta <= F(7, 2) * eps and 64 * eta <= lip:
            terms["window"] = rounded(real(lip / (64 * eta)) ** (1 / real(gamma)), up=False)
            windows += terms["window"] > 0
        found = integers(
            "derived.lower_average_softmax",
            epsilon=eps,
            target=eta,
            lipschitz=lip,
            positional_margin=gamma,
            locality=tau,
        )
        assert found == (max(terms.values()), terms)
    assert coins > 50
    assert windows > 10


@pytest.mark.parametrize(
    ("alpha", "rest"), [*product([F(1, 2), F(1), F(5, 2)], [F(1, 3), F(1), F(3)])]
)
def test_the_rare_token(alpha, rest):
    a, b = real(alpha), real(rest)
    c = (mp.mpf("0.6") ** a - (mp.mpf(5) / 32) ** a) / (8 * a * mp.beta(a, b))
    c *= (mp.mpf(15) / 16) ** max(b - 1, mp.mpf(0))
    for ratio, spread, target in product(
        [F(20), F(1000), F(10**6)], [F(1), F(9, 4), F(5), F(40)], [F(1), F(2, 7)]
    ):
        steps = min(mp.exp(real(spread)) + 1, (c * real(ratio)) ** (1 / a))
        value = rounded(steps, up=False) if steps >= 10 else 0
        found = integers(
            "derived.lower_average_softmax_dirichlet",
            epsilon=F(0),
            target=target,
            lipschitz=ratio * target,
            logit_range=spread,
            alpha_min=alpha,
            alpha_total=alpha + rest,
        )
        assert found == (value, {"rare token": value})
    key = "derived.lower_average_softmax_dirichlet"
    assert not admitted(key, alpha_min=alpha, alpha_total=alpha)
    assert admitted(key, alpha_min=alpha, alpha_total=alpha + F(1, 10**9))


def test_the_rare_token_just_above_ten():
    """α = α′ = 1: c = 0.44375/8, and the value is c·L/η."""
    given = {
        "epsilon": F(0),
        "target": F(1),
        "logit_range": F(9),
        "alpha_min": F(1),
        "alpha_total": F(2),
    }
    ten = 10 * 8 / F("0.44375")
    for lip, value in [(ten * F(1001, 1000), 10), (ten * F(999, 1000), 0), (ten * F(11, 10), 11)]:
        lip += F(1, 10**6)
        found = integers("derived.lower_average_softmax_dirichlet", **given, lipschitz=lip)
        assert found[0] == value


def test_the_circulation():
    """N is insufficient if N ≤ (εT/(9.4λ))², T = ⌈(cλ/η)²⌉ − 1, λ = L/2 (9.41 for softmax).

    c = .175 for λ/η ≥ 5715, and .205 for λ/η ≥ 48 800.
    """
    for eps, eta, lip in product(
        [F(0), F(1, 1000), F(1), F(10**5)],
        [F(1, 100), F(3)],
        [F(34300), F(34289), F(10**6), F(976), F(975)],
    ):
        slope = lip / 2
        bump = F("0.205") if slope / eta >= 48_800 else F("0.175")
        later = rounded((bump * slope / eta) ** 2) - 1
        for key, rarity in (("", "9.41"), ("_argmax", "9.4")):
            value = rounded((eps * later / (F(rarity) * slope)) ** 2, up=False) + 1
            key = f"derived.lower_average_two_layer{key}"
            found = integers(key, epsilon=eps, target=eta, lipschitz=lip)
            assert found == (value, {"circulation": value})
    key = "derived.lower_average_two_layer"
    for target, allowed in [(F(1), True), (1 - F(1, 10**9), True), (1 + F(1, 10**9), False)]:
        # λ/η ≥ 5715, that is T ≥ 10⁶
        assert admitted(key, target=target, lipschitz=F(2 * 5715)) == allowed
    assert F("0.175") ** 2 * 5715**2 - 1 >= 10**6


FAR = {
    "lipschitz": F(10**6),
    "vocabulary_size": 10**3,
    "locality": 10**3,
    "logit_range": F(1),
    "complexity_average": F(10**9),
    "alpha_total": F(3),
    "urn_constant": F(10**6),
    "spectral_gap": F(1, 10**9),
    "stationary_min": F(1, 2),
}


@pytest.mark.parametrize("gamma", [F(1, 4), F(1, 2), F(1)])
@pytest.mark.parametrize(
    ("key", "keyword"),
    [
        (f"derived.{key}", keyword)
        for key in (
            "average_softmax_two_layer",
            "average_softmax_two_layer_markov",
            "lower_average_softmax",
        )
        for keyword in bounds.theorem(f"derived.{key}").exponents
    ],
)
def test_stated_powers_are_the_slopes(key, keyword, gamma):
    theorem = bounds.theorem(key)
    stated = float(theorem.exponent(keyword).subs(bounds.symbols.positional_margin, gamma))
    values = {k: v for k, v in FAR.items() if k in theorem.parameters}
    values |= {"positional_margin": gamma, "epsilon": F(1), "target": F(3)}
    if keyword == "epsilon":  # the target is a multiple of ε
        low = evaluation(key, **values).length.log2
        small = values | {"epsilon": F(1, 2**10), "target": F(3, 2**10)}
        grown = (low - evaluation(key, **small).length.log2) / 10
    else:
        factor = F(1, 2**10) if keyword == "spectral_gap" else 2**10
        grown = slope(key, keyword, values, factor=factor)
    assert grown == pytest.approx(stated, rel=1e-2)
