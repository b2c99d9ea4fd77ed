"""Nothing is rounded on the way in, and what is no number is refused with a reason."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from bounds.numbers import exact, plain, to_sympy


@pytest.mark.parametrize(
    ("given_value", "meant"),
    [
        (3, Fraction(3)),
        ("1/10", Fraction(1, 10)),
        (" 1 / 10 ", Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        ("1e-3", Fraction(1, 1000)),
        (".5", Fraction(1, 2)),
        (0.1, Fraction(1, 10)),
        (1e-7, Fraction(1, 10**7)),
        (np.float64(0.1), Fraction(1, 10)),
        (np.float32(0.1), Fraction(1, 10)),
        (np.int64(7), Fraction(7)),
        (Decimal("0.25"), Fraction(1, 4)),
        (sympy.Rational(2, 3), Fraction(2, 3)),
        (sympy.Integer(5), Fraction(5)),
    ],
)
def test_the_number_that_is_meant(given_value, meant):
    assert exact(given_value) == meant


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_its_shortest_decimal(x):
    assert exact(x) == Fraction(repr(x))
    assert float(exact(x)) == x


def test_irrational_sympy_numbers_stay_symbolic():
    assert exact(sympy.sqrt(2)) == sympy.sqrt(2)
    assert to_sympy(Fraction(1, 3)) == sympy.Rational(1, 3)
    assert plain(Fraction(4)) == 4
    assert type(plain(Fraction(4))) is int


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (True, "not a truth value"),
        (np.bool_(True), "not a truth value"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (np.float64("-inf"), "finite"),
        (Decimal("NaN"), "finite"),
        (Decimal("1e99999"), "four digits in its exponent"),
        (sympy.oo, "finite real SymPy number"),
        (sympy.nan, "finite real SymPy number"),
        (sympy.I, "finite real SymPy number"),
        (sympy.Symbol("x"), "finite real SymPy number"),
        ("one", "a string such as"),
        ("", "a string such as"),
        ("nan", "a string such as"),
        ("1/0", "denominator that is not zero"),
        ("1e99999999", "a string such as"),
        ("9" * 2000, "a string such as"),
        (None, "an int, float, Fraction"),
        ([1], "an int, float, Fraction"),
        (1 + 2j, "an int, float, Fraction"),
    ],
)
def test_what_is_no_number_is_refused(bad, reason):
    with pytest.raises(ValueError, match=reason):
        exact(bad)
