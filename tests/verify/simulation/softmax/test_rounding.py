"""The allowance for float64 of softmax models, worked out with numbers in the place of vectors."""

import math

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer
from verify.simulation.softmax.rounding import softmax_rounding

UNIT = 2.0**-52


def first(x):
    """A matrix with one entry: the second coordinate is there, and nothing sees it."""
    return np.array([[float(x), 0], [0, 0]])


def model(layers):
    made = []
    for heads, (mlp_in, bias, mlp_out) in layers:
        heads = tuple(Head(first(q), first(v), np.array(b)) for q, v, b in heads)
        made.append(Layer(heads, first(mlp_in), np.array([bias, 0.0]), first(mlp_out)))
    embedding, positions = np.array([[1.0, 9], [-3, 0]]), np.array([[-2.0, 0], [1, 8]])
    return LimitTransformer(embedding, positions, tuple(made), np.array([[6.0, 0]]), None)


def by_hand(layers, length):
    """In units of 2⁻⁵²: size and error of the first coordinate, d = 2 and two hidden units."""
    log, size, error = max(1.0, math.log(length)), 3 + 2, 3 + 2
    for heads, (mlp_in, bias, mlp_out) in layers:
        stream, wrong = size, error
        for q, v, b in heads:
            logit = abs(q) * size**2 + log * max(map(abs, b))
            logit_error = 2 * abs(q) * size * error + 2 * 4 * logit
            relative = 2 * (logit_error + 8 * log + length + 8)
            stream += abs(v) * size
            wrong += abs(v) * (error + (relative + 4) * size)
        hidden = abs(mlp_in) * stream + abs(bias)
        hidden_wrong = abs(mlp_in) * wrong + 4 * hidden
        size = stream + abs(mlp_out) * hidden
        error = wrong + abs(mlp_out) * (hidden_wrong + 4 * hidden) + 4 * size
    return 2 * 6 * (error + 4 * size) * UNIT


HEAD, OTHER = (3, -4, [-5.0, 1.0]), (-0.5, 1, [0.25])
CASES = [
    [([HEAD], (0, 0.0, 0))],
    [([HEAD, OTHER], (-2, -1.0, 3))],
    [([OTHER], (1, 0.5, -1)), ([HEAD, OTHER], (2, 3.0, 1))],
]


@pytest.mark.parametrize("layers", CASES)
@pytest.mark.parametrize("length", [1, 7, 10**6])
def test_the_allowance_by_hand(layers, length):
    assert softmax_rounding(model(layers), length) == pytest.approx(
        by_hand(layers, length), rel=1e-13
    )
