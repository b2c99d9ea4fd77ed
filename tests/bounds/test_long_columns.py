"""Columns long enough to be arrays: domains, rows and floats are those of single values."""

import math
from fractions import Fraction

import numpy as np
import pytest

import bounds
from bounds.errors import BoundsError, ParameterError
from bounds.grid import _LONG, Values
from bounds.parameters import BY_KEYWORD
from bounds.sweep_arrays import floats_of, lanes, numbers, usable

NUMERIC = [k for k, row in BY_KEYWORD.items() if row.kind in ("real", "integer")]
MODEL = {"lipschitz": 1, "vocabulary_size": 3, "locality": 1, "precision_bits": 8, "margin": 1}


def padded(values, filler):
    return np.array([*values, *([filler] * (_LONG + 1))])


@pytest.mark.parametrize("keyword", NUMERIC)
def test_what_is_usable_is_what_can_be_read(keyword):
    row = BY_KEYWORD[keyword]
    lower = float(row.lower)
    top = [] if row.upper is None else [float(row.upper), row.upper + 1, float(row.upper) - 2**-10]
    inside = next(float(v) for v in (1, 2, Fraction(1, 2), *top) if row._contains(Fraction(v)))
    ends = [lower, lower - 1, lower + 1, lower + 2**-10, 1.5, 2.0, math.nan, math.inf, -1.0, *top]
    for some in ([v for v in ends if row_reads(row, v)], ends, [float(v) for v in range(1, 4)]):
        array = padded(map(float, some), inside)
        values = Values(keyword, array, 0)
        assert values.array is not None
        right = [row_reads(row, v) for v in array.tolist()]
        assert np.broadcast_to(usable(values), array.shape).tolist() == right
        floats = floats_of(values)
        assert [not math.isnan(v) for v in floats] == right
        assert all(a == b for a, b, good in zip(floats, array, right, strict=True) if good)
    whole = Values(keyword, padded(range(-2, 5), 2), 0)
    right = [row_reads(row, v) for v in whole.array.tolist()]
    assert np.broadcast_to(usable(whole), whole.array.shape).tolist() == right
    assert lanes(whole).whole
    assert lanes(whole).exact


def row_reads(row, value):
    try:
        row.read(value)
    except ParameterError:
        return False
    return True


def test_numbers_are_equal_where_values_are():
    for array in (np.array([1.5, 2.5, 1.5] * _LONG), np.array([1, 2, 1] * _LONG)):
        found = numbers(Values("lipschitz", array, 0))
        assert found[0] == found[2] != found[1]
        assert found.dtype == np.int64
    few = numbers(Values("lipschitz", ["1/3", "1/2", Fraction(1, 3)], 0))
    assert few.tolist() == [0, 1, 0]
    short = floats_of(Values("lipschitz", ["1/3", "-1"], 0))
    assert short[0] == 1 / 3
    assert math.isnan(short[1])
    far = floats_of(Values("lipschitz", ["1/3", 10**400, 10**300], 0))  # once: inf, and a warning
    assert far[0] == pytest.approx(1 / 3)
    assert math.isnan(far[1])
    assert far[2] == pytest.approx(1e300)


def test_narrow_floats_are_read_with_their_own_error():
    array = np.array([0.1, 0.25] * _LONG, dtype=np.float32)
    found = lanes(Values("lipschitz", array, 0))
    assert not found.whole
    assert np.all(np.abs(found.value - 0.1)[::2] <= found.error * 0.1)
    assert float(np.max(found.error)) >= 2**-24
    double = lanes(Values("lipschitz", array.astype(float), 0))
    assert 0 < float(np.max(double.error)) <= 2**-52


def test_a_column_over_several_theorems_is_that_of_its_rows():
    keys = ["derived.one_layer_linf", "izzo2025.4.1", "derived.lower_average_softmax_dirichlet"]
    epsilon = [float(f"{k / 3000:.6g}") for k in range(1, _LONG + 60, 7)]
    for theorem in (keys[:2], keys[:1]):
        table = bounds.sweep(theorem=theorem, epsilon=epsilon, period=2, **MODEL)
        column = table.column("log2_length", float)
        assert len(column) == len(table) == len(theorem) * len(epsilon)
        for place in (0, 5, len(epsilon) - 1, len(epsilon), len(table) - 1):
            if place >= len(table):
                continue
            row = table[place]
            try:
                alone = bounds.required_length(
                    theorem=row["theorem"], epsilon=row["epsilon"], period=2, **MODEL
                )
            except BoundsError:
                assert math.isnan(column[place])
                continue
            assert column[place] == pytest.approx(alone.log2_length, abs=1e-8)
            assert row["length"] == alone.length
            assert row["direction"] == str(alone.direction)
            assert str(row["status"]) == alone.status.name


def test_a_solution_is_a_plain_number_where_fractions_are():
    found = bounds.solve_for(
        "epsilon", length=10**6, theorem="derived.one_layer_linf", period=2, **MODEL
    )
    number = Fraction(found.value)
    assert found.limit_denominator(1000) == number.limit_denominator(1000)
    assert type(found.limit_denominator(10)) is Fraction
    assert type(found).from_float(0.25) == Fraction(1, 4)
    assert found < 1 < found + 1
    assert abs(found - number) == 0
