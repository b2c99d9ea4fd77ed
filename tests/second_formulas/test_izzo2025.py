"""The paper's formulas once more, from the section "The paper" of docs/theory.md.

Every value is an order of growth (C = 1 unless given), but it has to be the printed one.
"""

from fractions import Fraction as F
from itertools import product

import pytest

import bounds
from bounds.registry.sources import izzo2025
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded, slope

THRESHOLDS = list(product([F(1), F(3), F(8)], [F(1), F(1, 2), F(3, 4), F(5)]))


def threshold(p, gamma):
    return mp.mpf(2) ** (real(p) / real(gamma))


@pytest.mark.parametrize("constant", [1, F(7, 3)])
@pytest.mark.parametrize(("p", "gamma"), THRESHOLDS)
def test_theorem_4_1(p, gamma, constant):
    for eps, lip, size, delta, tau in [
        (F(1, 10), F(3, 2), 2, 1, 0),
        (F(1, 10), F(3, 2), 2, 1, 1),
        (F(2), F(1, 9), 3, 2, 3),
        (F(7), F(1, 5), 1, 1, 2),
        (F(100), F(1), 2, 3, 0),
    ]:
        first = real(constant) * threshold(p, gamma)
        second = constant * (lip * max(tau, 1) / eps) ** 2 * F(delta) ** 7 * F(size) ** 6
        length, terms = integers(
            "izzo2025.4.1",
            epsilon=eps,
            lipschitz=lip,
            vocabulary_size=size,
            period=delta,
            locality=tau,
            precision_bits=p,
            margin=gamma,
            constant=constant,
        )
        assert terms == {"hardmax threshold": rounded(first), "simulation": rounded(second)}
        assert length == max(terms.values())


def test_each_term_of_theorem_4_1_dominates_somewhere():
    given = {
        "epsilon": F(1),
        "lipschitz": 1,
        "vocabulary_size": 1,
        "period": 1,
        "locality": 1,
        "constant": 1,
        "margin": 1,
    }
    assert integers("izzo2025.4.1", **given, precision_bits=5)[0] == 32
    assert integers("izzo2025.4.1", **given | {"epsilon": F(1, 10)}, precision_bits=5)[0] == 100


@pytest.mark.parametrize("constant", [1, F(7, 3)])
@pytest.mark.parametrize(("p", "gamma"), THRESHOLDS)
def test_theorem_4_2(p, gamma, constant):
    for eps, alpha in [(F(1, 10), F(1)), (F(1, 3), F(1, 2)), (F(1, 2), F(7, 2)), (F(2), F(1, 3))]:
        average = real(constant) * real(eps) ** -(2 + 2 / real(alpha))
        length, terms = integers(
            "izzo2025.4.2",
            epsilon=eps,
            alpha_min=alpha,
            precision_bits=p,
            margin=gamma,
            constant=constant,
        )
        expected = {
            "hardmax threshold": rounded(threshold(p, gamma)),
            "simulation": rounded(average),
        }
        assert terms == expected
        assert length == max(terms.values())


@pytest.mark.parametrize("constant", [1, F(7, 3)])
@pytest.mark.parametrize("gamma", [F(1, 5), F(1, 3), F(2, 5), F(1), F(4)])
def test_theorem_5_2(gamma, constant):
    for eps, complexity in [(F(1, 10), F(2)), (F(3), F(1)), (F(1, 7), F(5, 3))]:
        value = real(constant) * real(complexity / eps) ** max(1 / real(gamma), mp.mpf(3))
        found = integers(
            "izzo2025.5.2",
            epsilon=eps,
            complexity=complexity,
            positional_margin=gamma,
            constant=constant,
        )
        assert found == (rounded(value), {"simulation": rounded(value)})


def test_lemma_5_3():
    for eps, size, lip, tau, constant in product(
        [F(1, 10), F(4)], [F(0), F(3, 2)], [F(1, 3), F(2)], [0, 1, 4], [1, F(7, 3)]
    ):
        n = integers(
            "izzo2025.lemma5.3",
            averages_error=eps,
            amplitude=size,
            lipschitz_histogram=lip,
            locality=tau,
            constant=constant,
        )
        # ε_avg ≥ C^(1/3)·(G + L)(τ + 1)/n^(1/3) from this n on, and not before
        cube = constant * ((size + lip) * (tau + 1)) ** 3
        assert n == (n[0], {"simulation": n[0]})
        assert n[0] * eps**3 >= cube > (n[0] - 1) * eps**3


def test_k_gram():
    for inverse, k, constant in product([2, 3, F(5, 2)], [1, 2, 3], [1, 2]):
        found = integers("izzo2025.kgram", epsilon=1 / F(inverse), context=k, constant=constant)
        value = rounded(F(inverse) ** (constant * k * k))
        assert found == (value, {"simulation": value})
    assert integers("izzo2025.kgram", epsilon=F(1, 4), context=1, constant=F(1, 2))[0] == 2


SMALL = {
    "izzo2025.4.1": {
        "epsilon": F(1, 10**6),
        "lipschitz": 10**6,
        "vocabulary_size": 10,
        "period": 10,
        "locality": 10,
        "precision_bits": 1,
        "margin": 1,
        "constant": 1,
    },
    "izzo2025.4.2": {
        "epsilon": F(1, 10**9),
        "alpha_min": F(3, 2),
        "precision_bits": 1,
        "margin": 1,
        "constant": 1,
    },
    "izzo2025.5.2": {
        "epsilon": F(1, 10**9),
        "complexity": 1,
        "positional_margin": F(1, 5),
        "constant": 1,
    },
    "izzo2025.lemma5.3": {
        "averages_error": F(1, 10**9),
        "amplitude": F(10**9),
        "lipschitz_histogram": F(10**9),
        "locality": 10**6,
        "constant": 1,
    },
    "izzo2025.kgram": {"epsilon": F(1, 10**3), "context": 2, "constant": F(3)},
}


@pytest.mark.parametrize(
    ("key", "keyword"),
    [(k, name) for k in SMALL for name in bounds.theorem(k).exponents if name != "amplitude"],
)
def test_stated_powers_are_the_slopes(key, keyword):
    values = dict(SMALL[key])
    if key == "izzo2025.lemma5.3" and keyword == "lipschitz_histogram":
        values["amplitude"] = F(0)
    at = {bounds.symbols[k]: v for k, v in values.items()}
    stated = float(bounds.theorem(key).exponent(keyword).subs(at))
    factor = F(1, 2**10) if keyword in ("epsilon", "averages_error") else 2**10
    assert slope(key, keyword, values, factor=factor) == pytest.approx(stated, rel=1e-3)


def test_the_power_of_the_amplitude_alone():
    values = SMALL["izzo2025.lemma5.3"] | {"lipschitz_histogram": F(0)}
    assert slope("izzo2025.lemma5.3", "amplitude", values) == pytest.approx(3)
    assert bounds.theorem("izzo2025.lemma5.3").exponent("amplitude") == 3


@pytest.mark.parametrize("key", SMALL)
def test_exact_agreement_is_refused(key):
    name = "averages_error" if "averages_error" in SMALL[key] else "epsilon"
    with pytest.raises(bounds.ParameterError, match=r"ε > 0|0 < ε < 1|a real number > 0"):
        bounds.required_length(theorem=key, **SMALL[key] | {name: 0})


def test_the_k_gram_task_needs_an_error_below_one():
    for epsilon, allowed in [(F(999, 1000), True), (1, False), (F(3, 2), False)]:
        checks = [h.check for h in bounds.theorem("izzo2025.kgram").hypotheses]
        assert all(check({"epsilon": F(epsilon)}) for check in checks) == allowed


def test_one_is_the_default_constant():
    for key, values in SMALL.items():
        given = {k: v for k, v in values.items() if k != "constant"}
        found = bounds.required_length(theorem=key, **given)
        assert found.log2_length == evaluation(key, **given, constant=1).length.log2


def test_the_source_in_a_line_and_in_full():
    source = izzo2025("Theorem 9.9", "anchor-9-9")
    assert source.bibkey == "izzo2025"
    assert source.label == "Izzo, Nichani, Lee 2025, arXiv 2510.27015"
    assert source.locator == "Theorem 9.9"
    assert source.section == "anchor-9-9"
    assert source.second_hand
    assert "arXiv:2510.27015; Theorem 9.9}" in source.bibtex
