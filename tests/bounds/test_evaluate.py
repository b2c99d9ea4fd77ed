"""Certified evaluation: on the safe side always, tight where it says so, never a float."""

import math
import time
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import LambertW, Max, Min, Piecewise, ceiling, exp, floor, gamma, log, sqrt

from bounds.algebra import MAX_BITS
from bounds.errors import NotComputable
from bounds.evaluate import certify, compare, enclose, least

x, y = sympy.symbols("x y", positive=True)


def test_sympys_ceiling_is_wrong_and_ours_is_not():
    formula = log(2**31 + 1) / log(2)
    assert sympy.ceiling(sympy.log(2**31 + 1, 2)) == 31  # the trap, as long as it exists
    assert certify(formula, {}).integer == 32
    assert certify(formula, {}, "down").integer == 31


@pytest.mark.slow
@given(st.integers(0, 3000), st.integers(1, 60))
def test_powers_of_two_against_integers(numerator, denominator):
    power = Fraction(numerator, denominator)
    up = certify(2**x, {x: power}).integer
    down = certify(2**x, {x: power}, "down").integer
    # ⌈2^(n/d)⌉ is the least m with m^d ≥ 2^n: decided in integers
    assert up**denominator >= 2**numerator
    assert (up - 1) ** denominator < 2**numerator
    assert down**denominator <= 2**numerator < (down + 1) ** denominator


@pytest.mark.slow
@given(st.fractions(min_value=0, max_value=50), st.fractions(min_value=0, max_value=50))
def test_nested_rounding_against_fractions(a, b):
    formula = ceiling(x / 3 + ceiling(y * 7) / 2) + floor(x * y) * Max(x, y, 1) + Min(x, y)
    by_hand = (
        math.ceil(a / 3 + Fraction(math.ceil(b * 7), 2))
        + math.floor(a * b) * max(a, b, 1)
        + min(a, b)
    )
    assert enclose(formula, {x: a, y: b}) == by_hand
    assert certify(formula, {x: a, y: b}).integer == math.ceil(by_hand)


@given(st.integers(1, 400), st.integers(2, 9))
def test_integers_in_disguise_are_recognised(n, degree):
    value = certify(x ** (1 / y), {x: Fraction(n**degree), y: Fraction(degree)})
    assert (value.integer, value.tight) == (n, True)
    disguised = certify(sqrt(x) * sqrt(y), {x: Fraction(2), y: Fraction(2 * n * n)})
    assert (disguised.integer, disguised.tight) == (2 * n, True)


def test_a_hair_above_an_integer_is_rounded_up():
    hair = Fraction(1, 10**60)
    assert (
        certify(
            sqrt(x) * sqrt(y) + sympy.Rational(1, 10**60), {x: Fraction(2), y: Fraction(8)}
        ).integer
        == 5
    )
    assert certify(2**x, {x: 4 + hair}).integer == 17
    assert certify(2**x, {x: 4 - hair}).integer == 16
    assert certify(2**x, {x: 4 - hair}, "down").integer == 15


@pytest.mark.parametrize("power", [1, 10, 1000, 99_990, 10**5, 10**6, 10**9, 10**30])
def test_any_size_answers_with_the_right_log2(power):
    value = certify(ceiling(2**x - 5) * 3, {x: Fraction(power)})
    if power > 10:
        assert value.log2 == pytest.approx(power + math.log2(3), rel=1e-12)
    assert (value.integer is None) == (power > MAX_BITS - 2)
    if value.integer is not None:
        assert value.integer == 3 * (2**power - 5)


def test_special_functions_against_known_values():
    assert certify(gamma(x), {x: Fraction(11)}).integer == math.factorial(10)
    assert certify(sympy.beta(x, y) ** -1, {x: Fraction(1, 2), y: Fraction(1, 2)}).integer == 1
    assert certify(exp(x), {x: Fraction(1)}).integer == 3
    lower_branch = enclose(LambertW(-x, -1), {x: Fraction(1, 10)})
    w = float(lower_branch.mid())
    assert w * math.exp(w) == pytest.approx(-0.1)
    assert w < -1
    assert certify(exp(x), {x: sympy.sqrt(2)}).integer == 5


def test_auxiliary_symbols_may_stand_for_formulas():
    s = sympy.Symbol("s", positive=True)
    assert certify(1 / s, {s: x / 3, x: Fraction(1, 7)}).integer == 21


def test_piecewise_is_decided_exactly():
    step = Piecewise((1, x >= y), (2, True))
    assert certify(step, {x: Fraction(1, 3), y: Fraction(1, 3)}).integer == 1
    assert certify(step, {x: Fraction(1, 3) - Fraction(1, 10**40), y: Fraction(1, 3)}).integer == 2
    assert certify(step, {x: sympy.sqrt(2), y: Fraction(141421356237, 10**11)}).integer == 1
    with pytest.raises(NotComputable, match="no branch"):
        certify(Piecewise((1, x < y)), {x: Fraction(2), y: Fraction(1)})


def test_comparison_of_exact_numbers():
    assert compare(Fraction(1, 3), Fraction(1, 3)) == 0
    assert compare(sympy.sqrt(2), Fraction(3, 2)) == -1
    assert compare(sympy.pi, Fraction(3)) == 1
    with pytest.raises(NotComputable, match="cannot decide"):
        compare(sympy.cosh(1) ** 2 - sympy.cosh(1) ** 2 * (1 + sympy.exp(-(10**6))), Fraction(0))


def test_what_it_cannot_do_it_says():
    with pytest.raises(NotComputable, match="no rule for sin"):
        certify(sympy.sin(x), {x: Fraction(1)})
    with pytest.raises(NotComputable, match="negative power"):
        certify(x**-1, {x: Fraction(0)})
    with pytest.raises(NotComputable, match="log2"):
        certify(2**x, {x: Fraction(10**400)})


def test_the_safe_neighbour_where_no_precision_helps():
    # exp(log 2 / 2)² is 2, but only in disguise: rounding up may give 3, never 1
    half = sympy.exp(sympy.log(2) / 2, evaluate=False)
    value = certify(half * half * x, {x: Fraction(1)})
    assert value.integer >= 2
    assert certify(half * half * x, {x: Fraction(1)}, "down").integer <= 2


def test_equality_in_disguise_is_seen_through_auxiliary_symbols():
    s = sympy.Symbol("s", positive=True)
    root = sympy.sqrt(2)
    trivial = Piecewise((1, x <= s), (2, True))
    assert certify(trivial, {x: root, s: (3 * y - y) / 2, y: root}).integer == 1
    exact = certify(ceiling(x / s), {x: Fraction(1), s: y - root, y: root + sympy.Rational(1, 7)})
    assert (exact.integer, exact.tight) == (7, True)


def test_what_cannot_be_told_apart_ends_soon_and_on_the_safe_side():
    one = (sqrt(5 + 2 * sqrt(6)) - sqrt(2)) / sqrt(3)  # 1, and SymPy does not see it
    start = time.perf_counter()
    for power in (3, 60_000):
        given = {x: Fraction(power), y: one}
        up = certify(ceiling(2 ** (x / y)) + 3, given).integer
        down = certify(ceiling(2 ** (x / y)) + 3, given, "down").integer
        assert down <= 2**power + 3 <= up
        assert up - down <= 4
    assert time.perf_counter() - start < 20  # it was minutes
    with pytest.raises(NotComputable, match=r"cannot decide whether sqrt\(2\*sqrt\(6\) \+ 5\) and"):
        certify(Piecewise((1, x <= y), (2, True)), {x: sqrt(5 + 2 * sqrt(6)), y: sqrt(2) + sqrt(3)})


def test_exact_algebra_never_writes_a_long_power():
    value = certify(Min(2**x, 3) * sqrt(y) * sqrt(y), {x: Fraction(10**12), y: Fraction(2)})
    assert value.integer in (6, 7)


def test_a_value_known_only_roughly_has_no_log2():
    tiny = sympy.exp(-(10**7), evaluate=False)
    hidden = (sqrt(5 + 2 * sqrt(6)) - sqrt(2)) - sqrt(3) + tiny  # beyond all precision
    with pytest.raises(NotComputable):
        certify(1 / x, {x: hidden})


def test_equal_log2_is_decided_by_the_integer():
    values = [certify(x, {x: Fraction(2**60 + k)}) for k in (2, 0, 1)]
    assert len({value.log2 for value in values}) == 1
    assert least(values) == 1
