"""The allowance for float64, worked out by hand for models of dimension 1."""

import math

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer
from verify.simulation.argmax.rounding import rounding_allowance

UNIT = 2.0**-52


def number(x):
    return np.array([[float(x)]])


def model(heads, *mlp):
    layer = Layer(tuple(Head(number(q), number(v), np.array(bias)) for q, v, bias in heads), *mlp)
    return LimitTransformer(number(1), number(-2), (layer,), number(6), 8)


def test_the_allowance_by_hand():
    # |y| = 3; logits 3·3·3 + 5 = 32, values 4·3, stream 15, output 90; one type, one lag more.
    found = rounding_allowance(model([(3, -4, [-5.0])]), 7)
    log = math.log(7)
    attention = 2 * (log * 4 * 5 * 32 + 8 * log + 2 * 2 + 8)
    assert found == pytest.approx(2 * (attention + 4 + 0 + 1 + 8) * UNIT * 90, rel=1e-14)


def test_the_allowance_by_hand_with_a_hidden_unit_and_a_second_head():
    # The second head: logits 9 + 1, value 3, stream 18, two lags; the unit: 2·18 + 1 = 37.
    mlp = number(-2), np.array([1.0]), number(3)
    found = rounding_allowance(model([(3, 4, [5.0]), (1, 1, [0.0, -1.0])], *mlp), 10**6)
    log = math.log(10**6)
    attention = 2 * (log * 4 * 5 * 32 + 8 * log + 2 * 3 + 8)
    output = 6 * (18 + 3 * 37)
    assert found == pytest.approx(2 * (attention + 4 + 1 + 2 + 8) * UNIT * output, rel=1e-14)


def test_short_inputs_count_as_longer_ones():
    f = model([(3, 4, [5.0])])
    assert rounding_allowance(f, 1) == rounding_allowance(f, 2) < rounding_allowance(f, 4)
