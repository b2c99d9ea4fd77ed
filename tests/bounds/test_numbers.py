"""Nothing is rounded on the way in, and what is no number is refused with a reason."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import acb, arb, fmpq, fmpz
from hypothesis import given
from hypothesis import strategies as st

import bounds
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
        (np.float16(0.1), Fraction(1, 10)),
        (np.longdouble("0.1"), Fraction(1, 10)),
        (np.array(0.1), Fraction(1, 10)),
        (np.array(7), Fraction(7)),
        (np.array(Fraction(1, 3), dtype=object), Fraction(1, 3)),
        (fmpz(10**40), Fraction(10**40)),
        (fmpq(1, 3), Fraction(1, 3)),
        (arb(3) / 4, Fraction(3, 4)),
        (arb(0), Fraction(0)),
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
        (np.complex64(1), "an int, float, Fraction"),
        (np.array([1]), "an int, float, Fraction"),
        (np.array(True), "not a truth value"),
        (np.ma.masked, "not a masked array"),
        (np.ma.array(0.5, mask=False), "not a masked array"),
        (np.timedelta64(3, "s"), "without a unit"),
        (np.datetime64("2020"), "a real number"),
        (np.float32("nan"), "finite"),
        (np.array(np.inf), "finite"),
        (arb("0.1"), "an arb that is a single number"),
        (arb("inf"), "finite"),
        (arb(2) ** 10**9, "exponent"),
        (acb(1), "an int, float, Fraction"),
    ],
)
def test_what_is_no_number_is_refused(bad, reason):
    with pytest.raises(ValueError, match=reason):
        exact(bad)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_narrow_float_is_the_shortest_decimal_of_its_own_type(x):
    narrow = np.float32(x)
    assert np.float32(float(exact(narrow))) == narrow
    assert exact(narrow) == Fraction(str(narrow))


def test_numbers_of_jax_and_bfloat16():
    jax = pytest.importorskip("jax")
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    for number in (jax.numpy.array(0.1), jax.numpy.array(0.1, dtype=bfloat16), bfloat16(0.1)):
        assert exact(number) == Fraction(1, 10)  # its binary value is 205/2048
    assert exact(jax.numpy.array(7)) == 7
    assert exact(pytest.importorskip("ml_dtypes").int4(3)) == 3
    with pytest.raises(ValueError, match="finite"):
        exact(bfloat16("nan"))
    with pytest.raises(ValueError, match="truth value"):
        exact(jax.numpy.array(True))

    def traced(x):
        with pytest.raises(ValueError, match="can be read"):
            exact(x)
        return x

    jax.jit(traced)(1.0)


def test_digits_that_do_not_determine_a_number_are_not_taken_for_it():
    mpmath = pytest.importorskip("mpmath")
    assert exact(mpmath.mpf("0.1")) == Fraction(1, 10)
    with pytest.raises(ValueError, match="give them as a string"):
        exact(mpmath.mpf(1) / 3)  # prints as 15 digits of it


def test_parameters_of_every_kind_give_the_same_length():
    given = {"theorem": "derived.average_softmax", "vocabulary_size": 3, "locality": 1}
    given |= {"logit_range": 1, "positional_margin": 1}
    kinds = ["1/10", np.float32(0.1), np.array(0.1), fmpq(1, 10), Decimal("0.1")]
    lengths = {bounds.required_length(epsilon=x, lipschitz=fmpz(4), **given).length for x in kinds}
    assert len(lengths) == 1
    with pytest.raises(bounds.ParameterError, match=r"epsilon: got .*; allowed: .*arb"):
        bounds.required_length(epsilon=arb("0.1"), lipschitz=4, **given)
