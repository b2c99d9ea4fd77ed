"""Exact dyadic arithmetic and rounded-up norms, against Fractions and against extreme numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from verify.measure.dyadic import Dyadic, concatenate, maximum, minimum
from verify.measure.norms import float_up, keyword, log_up, operator_norm_up, rounded_up, up

floats = st.floats(allow_nan=False, allow_infinity=False)
small_matrices = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(floats, min_size=n, max_size=n), min_size=1, max_size=4)
)


def fractions(array):
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(np.asarray(array))


@given(small_matrices)
def test_values_and_products_are_exact(rows):
    a, exact = Dyadic.of(rows), fractions(rows)
    assert a.fractions() == list(exact.ravel())
    assert (a @ a.T).fractions() == list((exact @ exact.T).ravel())
    assert (a - a * a).fractions() == list((exact - exact * exact).ravel())
    assert a.largest() == exact.max()
    assert a.max(axis=0).fractions() == list(exact.max(axis=0))
    assert a.positive_part().fractions() == [max(v, 0) for v in exact.ravel()]


@given(floats, floats)
def test_extremes_of_numbers_with_different_exponents(a, b):
    x, y = Dyadic.of([a]), Dyadic.of([b])
    assert minimum(x, y).fractions() == [min(Fraction(a), Fraction(b))]
    assert maximum(x, y).fractions() == [max(Fraction(a), Fraction(b))]
    assert concatenate([x, y]).fractions() == [Fraction(a), Fraction(b)]


@given(floats.map(abs))
def test_roots_are_rounded_up_by_little(value):
    root = Dyadic.of(value).root_up().fractions()[0]
    assert root**2 >= Fraction(value)
    # Numbers below 2^−128 · (their unit) cannot occur: numerators are whole.
    assert root**2 <= Fraction(value) * (1 + Fraction(1, 2**60))


def test_rational_roots_are_exact():
    assert Dyadic.of([0, 0.25, 9, 2**40 + 2**21 + 1]).root_up().fractions() == [
        0,
        Fraction(1, 2),
        3,
        2**20 + 1,
    ]


def test_rank_is_exact():
    nearly = np.array([[1.0, 1.0], [1.0, 1.0 + 2**-52]])
    assert Dyadic.of(nearly).rank() == 2
    assert np.linalg.matrix_rank(nearly) == 1
    assert Dyadic.of(np.outer([1, 2], [3, 4])).rank() == 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 2), (8, 8)])
def test_operator_norm_is_an_upper_bound_and_near(seed, shape):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)
    bound = operator_norm_up(Dyadic.of(matrix))
    # An exact witness from below: ‖Av‖² ≤ ‖A‖² ‖v‖² for the float singular vector v.
    vector = fractions(np.linalg.svd(matrix)[2][0])
    image = fractions(matrix) @ vector
    assert image @ image <= bound**2 * (vector @ vector)
    assert float(bound) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-8)


def test_operator_norm_of_equal_singular_values():
    """All singular values equal is the worst case of the power bound: dimension^(1/2^32)."""
    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    assert 2 <= operator_norm_up(Dyadic.of(hadamard)) <= 2 * (1 + 1e-8)


def test_operator_norms_that_are_exact():
    assert operator_norm_up(Dyadic.of(np.diag([3, -5, 0.25]))) == 5
    assert operator_norm_up(Dyadic.of([[3, 4]])) == 5
    assert operator_norm_up(Dyadic.of(np.zeros((0, 4)))) == 0
    assert operator_norm_up(Dyadic.of([[1e300, 0], [0, 1e-300]])) >= Fraction(1e300)


@given(st.fractions())
def test_rounding_up(value):
    rounded = rounded_up(value)
    assert rounded >= value
    assert rounded - value <= abs(value) / 2**62
    assert Fraction(float_up(value)) >= value


def test_keywords_are_upper_bounds_of_any_size():
    with ctx.workprec(256):
        third = arb(1) / 3
        assert 0 < keyword(third) - Fraction(1, 3) < Fraction(1, 2**60)
        assert keyword(arb(0)) == Fraction(1, 2**64)
        huge = keyword(arb(10**7).exp())
        assert huge.args[0] >= 10**7
        assert float(huge.args[0]) == pytest.approx(10**7, rel=1e-15)
        assert log_up(arb(10**7).exp()) >= 10**7
        assert log_up(arb(0)) is None
        assert up(third) > Fraction(1, 3)
        assert math.isfinite(log_up(arb(10) ** 400))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.0, -0.0],
        [0.5, -0.75, 3.0],
        [2.0**70, 1.0],
        [5e-324, -1.7976931348623157e308, 0.0],
        np.ldexp(np.linspace(-1, 1, 501), np.arange(-900, 603, 3)).reshape(3, 167),
    ],
)
def test_floats_become_the_integers_that_they_are(values):
    """Over the least common power of two, as Python's own reduced fractions have it."""
    found = Dyadic.of(values)
    array = np.asarray(values, dtype=float)
    ratios = [float(v).as_integer_ratio() for v in array.ravel()]
    assert 2**found.exponent == max((d for _, d in ratios), default=1)
    assert found.numerators.ravel().tolist() == [n * 2**found.exponent // d for n, d in ratios]
    assert found.shape == array.shape
