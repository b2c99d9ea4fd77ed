"""Each rule of the certified evaluation by itself, with the boundary of every branch."""

import math
from fractions import Fraction as F

import pytest
import sympy
from flint import arb
from sympy import And, Eq, Ge, Gt, LambertW, Le, Lt, Max, Min, Ne, Or, Piecewise, exp, log, sqrt

from bounds.algebra import (
    MAX_BITS,
    _exact_root,
    algebraic,
    exact_power,
    put_in,
    rational_in_disguise,
)
from bounds.errors import NotComputable
from bounds.evaluate import Certified, certify, compare, enclose, least, size

x, y, z = sympy.symbols("x y z", positive=True)
ONE = (sqrt(5 + 2 * sqrt(6)) - sqrt(2)) / sqrt(3)  # neither intervals nor SymPy see that it is 1
TINY = {x: F(10**6), y: ONE}  # exp(−x) is below every precision


# Powers and roots


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        (F(1), F(7, 3), F(1)),
        (F(0), F(2), F(0)),
        (F(0), F(1, 2), F(0)),
        (F(0), F(0), F(0)),
        (F(8, 27), F(2, 3), F(4, 9)),
        (F(8, 27), F(-2, 3), F(9, 4)),
        (F(1, 2), F(3), F(1, 8)),
        (F(2), F(1, 2), None),
        (F(4, 3), F(1, 2), None),
        (F(3, 4), F(1, 2), None),
        (F(-1), F(3), F(-1)),
        (F(-1), F(2), F(1)),
        (F(-1), F(1, 3), None),
        (F(-8), F(1, 3), None),
        (F(3) ** 64, F(1, 64), F(3)),
        (F(3) ** 65, F(1, 65), None),
        (F(2), F(MAX_BITS, 2), F(2) ** (MAX_BITS // 2)),
        (F(2), F(MAX_BITS // 2 + 1), None),
        (F(4), F(60_001, 2), F(2) ** 60_001),
    ],
)
def test_exact_powers(base, exponent, expected):
    assert exact_power(base, exponent) == expected


def test_zero_has_no_negative_power():
    with pytest.raises(NotComputable, match=r"^0 to a negative power$"):
        exact_power(F(0), F(-1, 2))


@pytest.mark.parametrize("degree", [2, 3, 7])
def test_exact_roots(degree):
    for root in (1, 2, 3, 10, 2**40 + 1, 3**200):
        assert _exact_root(root**degree, degree) == root
        assert _exact_root(root**degree + 1, degree) is None
        if root > 1:
            assert _exact_root(root**degree - 1, degree) is None


# SymPy's algebra


def test_powers_too_long_are_left_out_of_the_algebra():
    def power(a, b):
        return algebraic(x**y, {x: F(a), y: F(b)})

    assert power(2, MAX_BITS // 2) == 2 ** (MAX_BITS // 2)
    assert power(2, MAX_BITS // 2 + 1) is None
    assert power(4, F(60_001, 2)) == 2**60_001
    assert power(F(1, 3), 3) == sympy.Rational(1, 27)


def test_logarithms_of_powers_are_seen():
    for a, b, ratio in [
        (8, 2, 3),
        (100, 10, 2),
        (F(9, 4), F(3, 2), 2),
        (F(1, 8), 2, -3),
        (F(1, 49), F(1, 7), 2),
        (1, 2, 0),
        (3**20, 3, 20),
    ]:
        assert rational_in_disguise(log(x) / log(y), {x: F(a), y: F(b)}) == ratio
    for a, b in [(12, 2), (6, 3), (F(9, 2), 3)]:
        assert rational_in_disguise(log(x) / log(y), {x: F(a), y: F(b)}) is None
    long = sympy.log(sympy.Integer(2) ** 64 * 3)
    assert algebraic(log(x), {x: F(2**64 * 3)}) == long
    assert algebraic(log(x), {x: F(2**63)}) == 63 * log(2)
    assert algebraic(log(x), {x: F(2**64)}) == sympy.log(2**64)
    assert algebraic(log(x), {x: sympy.pi}) == log(sympy.pi)
    assert algebraic(Max(x, y), {x: F(1), y: F(2)}) is None


def test_putting_in_leaves_extremes_as_they_are_written():
    written = put_in(Max(x, y) + x**2, {x: z + 1, y: z})
    assert written == Max(z + 1, z, evaluate=False) + (z + 1) ** 2
    assert written != Max(z + 1, z) + (z + 1) ** 2
    cases = put_in(Piecewise((x, x < y), (y, True)), {x: z})
    assert cases == Piecewise((z, z < y), (y, True), evaluate=False)
    assert put_in(x * (x + y), {x: y, y: sympy.Integer(3)}) == 18
    assert put_in(x + 1, {}) == x + 1


# Relations and cases


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [
        (Lt, 1, 0, 0),
        (Le, 1, 1, 0),
        (Gt, 0, 0, 1),
        (Ge, 0, 1, 1),
        (Eq, 0, 1, 0),
        (Ne, 1, 0, 1),
    ],
)
def test_each_relation(relation, below, equal, above):
    chosen = Piecewise((1, relation(x, y)), (0, True))
    for left, right, expected in [
        (F(1, 3), F(2, 3), below),
        (F(1, 3), F(1, 3), equal),
        (F(2, 3), F(1, 3), above),
        (sqrt(2), F(3, 2), below),
        (sqrt(3), F(3, 2), above),
        (sqrt(2), sqrt(2), equal),
    ]:
        assert certify(chosen, {x: left, y: right}).integer == expected


def test_and_or_and_constant_conditions():
    both = Piecewise((1, And(x > 1, y > 1)), (0, True))
    either = Piecewise((1, Or(x > 1, y > 1)), (0, True))
    for a in (F(1, 2), F(2)):
        for b in (F(1, 2), F(2)):
            assert certify(both, {x: a, y: b}).integer == (a > 1 and b > 1)
            assert certify(either, {x: a, y: b}).integer == (a > 1 or b > 1)
    never = Piecewise((1, sympy.false), (2, True), evaluate=False)
    assert certify(never, {}).integer == 2
    with pytest.raises(NotComputable, match="no rule for the condition"):
        certify(Piecewise((1, sympy.Xor(x > 1, y > 1)), (2, True)), {x: F(2), y: F(2)})


def test_comparison_decides_both_ways():
    assert [compare(F(a), F(1)) for a in (0, 1, 2)] == [-1, 0, 1]
    assert compare(sqrt(2) * sqrt(8), F(4)) == 0
    near = sympy.Rational(1, 10**100)
    assert compare(exp(near), F(1)) == 1  # needs more than the first precision
    assert compare(exp(-near), F(1)) == -1


# Extremes


@pytest.mark.parametrize(
    "given",
    [
        {x: sqrt(2), y: sqrt(3)},
        {x: sqrt(3), y: sqrt(2)},
        {x: sqrt(2), y: F(2)},
        {x: F(2), y: sqrt(2)},
    ],
)
def test_extremes_of_intervals(given):
    small, large = sorted(given.values(), key=float)
    for extreme, value in [(Min, small), (Max, large)]:
        found = enclose(sqrt(5) * extreme(x, y), given)
        assert float(found.mid()) == pytest.approx(math.sqrt(5) * float(value), rel=1e-14)


def test_extremes_of_equal_numbers_contain_them():
    for extreme in (Max, Min):
        for other in (F(1), 1 / ONE):
            for given in ({x: ONE, y: other}, {x: other, y: ONE}):
                assert enclose(sqrt(3) * extreme(x, y), given).overlaps(arb(3).sqrt())


def test_extremes_of_wide_intervals_contain_the_right_end():
    wide = 10**40 * (x - 1) + 5  # 5, but enclosed in an interval of width 100
    for extreme, other in [(Max, sqrt(2)), (Min, sqrt(99))]:
        for parts in ((wide, y), (y, wide)):
            found = enclose(extreme(*parts, evaluate=False), {x: ONE, y: other})
            assert found.overlaps(arb(5))
            assert not found.overlaps(arb(0 if extreme is Max else 11))


# Functions


def test_functions_at_their_exact_values():
    assert enclose(log(x), {x: F(1)}) == F(0)
    assert isinstance(enclose(log(x), {x: F(1)}), F)
    assert enclose(exp(y), {y: F(0)}) == F(1)
    assert enclose(x**y, {x: sqrt(2), y: F(0)}) == F(1)


def test_functions_against_known_values():
    principal = enclose(LambertW(x), {x: F(1)})
    assert float(principal.mid()) == pytest.approx(0.5671432904097838)
    assert enclose(12 * sympy.beta(x, y), {x: F(2), y: F(3)}).contains(1)
    assert float(enclose(sympy.beta(x, y), {x: F(5), y: F(7, 2)}).mid()) == pytest.approx(
        math.gamma(5) * math.gamma(3.5) / math.gamma(8.5)
    )
    assert float(enclose(sympy.cosh(x), {x: F(2)}).mid()) == pytest.approx(math.cosh(2))
    assert float(enclose(sympy.pi + sympy.E, {}).mid()) == pytest.approx(math.pi + math.e)


def test_exact_parts_too_long_to_keep_become_intervals():
    long = {x: F(2**99_000 + 1), y: F(2**99_001 + 1), z: F(2**99_002 + 1)}
    assert isinstance(enclose(x * y, long), F)
    product = enclose(x * y * z, long)
    assert not isinstance(product, F)
    assert product.contains(arb(int(long[x] * long[y] * long[z])))


# Certificates


def test_irrational_values_are_tight():
    for formula in (sqrt(x), 1000 * sqrt(x), sympy.ceiling(sqrt(x)) + sqrt(x)):
        assert certify(formula, {x: F(2)}).tight
    assert certify(sqrt(x) * sqrt(y), {x: F(2), y: F(8)}, "down").integer == 4
    assert certify(x, {x: F(1)}) == Certified(1, 0.0, True)
    assert certify(x - 1, {x: F(1)}) == Certified(0, None, True)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_hair_beyond_every_precision_is_on_the_safe_side(sign):
    formula = 2 * y + sign * exp(-x)
    up, down = certify(formula, TINY), certify(formula, TINY, "down")
    assert (up.integer, down.integer) == (3, 1)
    assert (up.tight, down.tight) == (False, False)
    assert (up.log2, down.log2) == (math.log2(3), 0.0)
    ceiling, floor = (3, 2) if sign > 0 else (2, 1)
    assert certify(10 * sympy.ceiling(formula), TINY).integer >= 10 * ceiling
    assert certify(10 * sympy.floor(formula), TINY, "down").integer <= 10 * floor


def test_the_safe_neighbour_may_be_zero_or_below():
    assert certify(y - 1 + exp(-x), TINY) == Certified(1, 0.0, False)
    assert certify(y - 1 + exp(-x), TINY, "down") == Certified(-1, None, False)
    assert certify(2 * y - 1 + exp(-x), TINY, "down") == Certified(0, None, False)


def test_what_is_too_long_to_write_is_still_tight():
    value = certify(2**x, {x: F(10**6)})
    assert value == Certified(None, 10.0**6, True)


def test_enclosing_with_a_second_precision():
    def inverse(gap):
        return enclose(1 / (x - y), {x: exp(1) + gap, y: sympy.E})

    near = inverse(exp(-sympy.Integer(500)))
    assert float(near.log().mid()) == pytest.approx(500)
    with pytest.raises(NotComputable, match="no finite enclosure of 1/"):
        inverse(exp(-sympy.Integer(10**5)))
    with pytest.raises(NotComputable, match="no finite enclosure of 1/"):
        certify(1 / (x - y), {x: exp(1) + exp(-sympy.Integer(10**7)), y: sympy.E})


# The order of certified values


def test_the_order_of_certified_values():
    assert size(0, None) == (-math.inf, 0)
    assert size(None, 7.5) == (7.5, 0)
    assert size(4, 2.0) == (2.0, 4)
    long = [Certified(None, 10.0**6, True), Certified(None, 10.0**5, True)]
    assert least(long) == 1
    assert least([Certified(1, 0.0, True), Certified(0, None, True)]) == 1
    assert least([Certified(3, math.log2(3), True), Certified(4, 2.0, True)]) == 0
