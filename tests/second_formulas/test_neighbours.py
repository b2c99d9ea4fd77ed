"""The neighbours' formulas once more, from the section "Neighbours in the field"."""

from fractions import Fraction as F
from itertools import product

import pytest

import bounds
from bounds.registry.literature import neighbours
from tests.helpers.second_implementation import evaluation, integers, mp, real, rounded

pytestmark = pytest.mark.covers(
    "second formula",
    "alibi.locality",
    "chen2025.crasp1",
    "chen2025.crasp2",
    "chen2025.dfa",
    "velickovic2024",
    "zetzsche2026.witness",
    "zsamboki2025",
)


def test_automata():
    for n in range(1, 12):
        assert integers("chen2025.dfa", automaton_states=n) == (2 * n - 2, {"states": 2 * n - 2})


def test_counting_programs():
    for size, constant, heads in product([1, 2, 5, 9], [1, F(5, 2)], [1, 2, 3]):
        one = rounded(constant * F(size) ** 2)
        found = integers("chen2025.crasp1", coefficient=size, constant=constant)
        assert found == (one, {"coefficients": one})
        two = rounded(real(size) ** real(constant * heads))
        found = integers("chen2025.crasp2", coefficient=size, heads=heads, constant=constant)
        assert found == (two, {"coefficients": two})


def test_witnesses():
    for n, d, update, letters in product([1, 2, 3], [1, 2, 3], [1, 3], [1, 4]):
        ell = 2 * d * mp.log(4 * d * n * update, 2)
        y = (d + 1) * mp.mpf(d) ** (mp.mpf(d) / 2) * (n * (n + 1) * update) ** d
        value = rounded(letters * (n * (n + 1) + n * ell * y))
        found = integers(
            "zetzsche2026.witness", automaton_states=n, counters=d, update=update, letters=letters
        )
        assert found == (value, {"witness": value})


def test_set_complement():
    assert integers("zsamboki2025") == (2, {"lengths 1 and 2": 2})


def test_dispersion_is_rounded_down():
    for spread, heat, weight in product([F(0), F(1, 2), F(3)], [F(1), F(1, 4)], [F(1), F(2, 7)]):
        value = rounded(mp.exp(real(spread / heat)) / real(weight), up=False)
        found = integers(
            "velickovic2024", logit_spread=spread, temperature=heat, attention_weight=weight
        )
        assert found == (value, {"dispersion": value})


def test_alibi():
    for bits, fraction, slope in product([2, 8, 16], [0, 1, 5], [F(1), F(1, 3), F(7)]):
        if fraction < bits:
            far = (2 ** (bits - 1 - fraction) + fraction * mp.log(2)) / real(slope)
            value = rounded(far, up=False) + 1
            found = integers(
                "alibi.locality", precision_bits=bits, fraction_bits=fraction, slope=slope
            )
            assert found == (value, {"locality": value})


def test_all_bits_fractional_is_refused():
    for fraction, allowed in [(7, True), (8, False), (9, False)]:
        given = {"precision_bits": F(8), "fraction_bits": F(fraction)}
        checks = [h.check for h in bounds.theorem("alibi.locality").hypotheses if h.check]
        assert all(check(given) for check in checks) == allowed


@pytest.mark.parametrize(
    ("key", "keyword", "values", "expected"),
    [
        ("chen2025.crasp1", "coefficient", {"coefficient": 7, "constant": 3}, 2),
        ("chen2025.crasp2", "coefficient", {"coefficient": 7, "heads": 3, "constant": 2}, 6),
        (
            "zetzsche2026.witness",
            "letters",
            {"automaton_states": 2, "counters": 2, "update": 2, "letters": 10**6},
            1,
        ),
        (
            "velickovic2024",
            "attention_weight",
            {"logit_spread": 1, "temperature": 1, "attention_weight": F(1, 10**9)},
            -1,
        ),
        (
            "alibi.locality",
            "slope",
            {"precision_bits": 40, "fraction_bits": 3, "slope": F(1, 10**9)},
            -1,
        ),
    ],
)
def test_stated_powers_are_the_slopes(key, keyword, values, expected):
    at = {bounds.symbols[k]: v for k, v in values.items()}
    assert bounds.theorem(key).exponent(keyword).subs(at) == expected
    doubled = evaluation(key, **values | {keyword: 2 * F(values[keyword])}).length.log2
    assert doubled - evaluation(key, **values).length.log2 == pytest.approx(expected, abs=1e-5)


def test_a_paper_is_cited_in_a_line_and_in_full():
    source = neighbours._paper(
        "roe2024.lemma.two", "Roe, Jane and Doe, John", "On Lengths", "2401.00001", 2024, "Lemma 2"
    )
    assert str(source) == "[roe2024, Lemma 2], from secondary sources"
    assert source.bibkey == "roe2024"
    assert source.label == "Roe et al. 2024, arXiv 2401.00001"
    assert source.section == "roe2024-lemma-two"
    assert source.bibtex == (
        "@misc{roe2024,\n  author = {Roe, Jane and Doe, John},\n  title  = {On Lengths},\n"
        "  year   = {2024},\n  note   = {arXiv:2401.00001; Lemma 2}\n}"
    )
    alone = neighbours._paper(
        "roe2024", "Roe, Jane", "On Lengths", "2401.00001", 2024, "Lemma 2", second_hand=False
    )
    assert (alone.label, alone.second_hand) == ("Roe 2024, arXiv 2401.00001", False)


def test_the_two_papers_with_several_entries():
    chen = neighbours._chen("chen2025.some", "some place")
    assert str(chen) == "[chen2025, some place], from secondary sources"
    assert (chen.label, chen.section) == ("Chen et al. 2025, arXiv 2506.03085", "chen2025-some")
    assert "{Chen, Thomas and Ma, Tengyu and Li, Zhiyuan}" in chen.bibtex
    assert "{Non-Asymptotic Length Generalization}" in chen.bibtex
    yang = neighbours._yang("yang2026.some", "some place")
    assert str(yang) == "[yang2026, some place], from secondary sources"
    assert (yang.label, yang.section) == ("Yang et al. 2026, arXiv 2603.02238", "yang2026-some")
    assert (
        "{Yang, Andy and Bergsträßer, Pascal and Zetzsche, Georg and Chiang, David and "
        "Lin, Anthony W.}" in yang.bibtex
    )
    assert "{Length Generalization Bounds for Transformers}" in yang.bibtex
