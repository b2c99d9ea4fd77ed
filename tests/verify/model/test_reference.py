"""The oracle: closed forms by hand, and the definition in 60 digits of plain Python."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from tests.helpers.random_models import assert_same, random_model
from verify import Head, InputError, Layer, LimitTransformer, WeightsError, reference


def definition(f, x, digits=60):
    """Return f(x) with loops over numbers of 60 digits: all positions of all layers."""
    with mpmath.workdps(digits):
        number, length, d = mpmath.mpf, len(x), f.dimension
        y = [
            [number(f.embedding[s][k]) + number(f.positions[i % f.period][k]) for k in range(d)]
            for i, s in enumerate(x, start=1)
        ]
        for layer in f.layers:
            new = []
            for i in range(1, length + 1):
                u = list(y[i - 1])
                for head in layer.heads:
                    weights = []
                    for j in range(1, i + 1):
                        a = sum(
                            y[j - 1][k] * number(head.query_key[k][m]) * y[i - 1][m]
                            for k in range(d)
                            for m in range(d)
                        )
                        lag = i - j
                        phi = number(head.lag_bias[lag]) if lag < len(head.lag_bias) else number(0)
                        if f.precision_bits is None:
                            weights.append(a + mpmath.log(i) * phi)
                        else:
                            weights.append(mpmath.log(length) * (a + phi))
                    weights = [mpmath.exp(a - max(weights)) for a in weights]
                    if f.precision_bits is not None:
                        # 2^−p itself is dropped; 10^−40 of room for the 60 digits.
                        bound = mpmath.mpf(2) ** -f.precision_bits * (1 + mpmath.mpf(10) ** -40)
                        weights = [w if w > bound else number(0) for w in weights]
                    total = sum(weights)
                    for j, w in enumerate(weights):
                        for k in range(d):
                            vy = sum(number(head.value[k][m]) * y[j][m] for m in range(d))
                            u[k] += w / total * vy
                hidden = [
                    max(sum(number(row[m]) * u[m] for m in range(d)) + number(b), number(0))
                    for row, b in zip(layer.mlp_in, layer.mlp_bias, strict=True)
                ]
                new.append(
                    [
                        u[k] + sum(number(layer.mlp_out[k][h]) * v for h, v in enumerate(hidden))
                        for k in range(d)
                    ]
                )
            y = new
        return np.array(
            [float(sum(number(row[k]) * y[-1][k] for k in range(d))) for row in f.unembedding]
        )


@pytest.mark.parametrize("seed", range(12))
def test_reference_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    f = random_model(
        rng,
        vocabulary_size=int(rng.integers(1, 4)),
        period=int(rng.integers(1, 4)),
        locality=int(rng.integers(0, 4)),
        heads=int(rng.integers(1, 3)),
        layers=1 + seed % 3,
        precision_bits=(None, 4)[seed // 3 % 2],
        ties=seed % 4 == 3,
        dimension=2,
    )
    for length in (1, 2, 9):
        x = rng.integers(0, f.vocabulary_size, size=length)
        assert_same(reference(f, x), definition(f, x))


def attention_only(head, *, precision_bits, period=1):
    """Return a model over tokens 0 and 1 whose output is the mean token, as head attends."""
    return LimitTransformer(
        np.array([[1.0, 0.0], [1.0, 1.0]]),
        np.zeros((period, 2)),
        (Layer((head,), np.zeros((0, 2)), np.zeros(0), np.zeros((2, 0))),),
        np.array([[0.0, 1.0]]),
        precision_bits,
    )


MEAN = np.array([[0.0, 0.0], [0.0, 1.0]])  # value: the token itself, in the second coordinate


def test_uniform_attention_is_the_mean():
    f = attention_only(Head(np.zeros((2, 2)), MEAN, np.zeros(1)), precision_bits=None)
    assert reference(f, [0, 1, 1, 0]) == pytest.approx([2 / 4], rel=1e-14)
    assert reference(f, [1]) == pytest.approx([1 + 1], rel=1e-14)


@pytest.mark.parametrize("phi", [-2.0, 0.5, 1.0, 3.0])
def test_lag_bias_weighs_as_a_power_of_the_query_position(phi):
    f = attention_only(Head(np.zeros((2, 2)), MEAN, np.array([0.0, phi])), precision_bits=None)
    for length in (2, 3, 50):
        x = np.zeros(length, dtype=int)
        x[-2] = 1  # at lag 1: weight T^φ against T − 1 weights of 1
        expected = length**phi / (length**phi + length - 1)
        assert reference(f, x) == pytest.approx([expected], rel=1e-13)


def test_content_logits_are_not_scaled_in_infinite_precision():
    # Logit 2 for key token 1, 0 for key token 0, whatever the query.
    f = attention_only(
        Head(np.array([[0.0, 0.0], [2.0, 0.0]]), MEAN, np.zeros(1)), precision_bits=None
    )
    e2 = math.exp(2)
    assert reference(f, [1, 1, 0, 0, 0]) == pytest.approx([2 * e2 / (2 * e2 + 3)], rel=1e-14)


@pytest.mark.parametrize(
    ("length", "kept"), [(2, True), (63, True), (64, False), (65, False), (100, False)]
)
def test_rounding_drops_exactly_from_the_threshold_on(length, kept):
    # Key token 1 has logit 1, key token 0 has 0: weight 1/T of each zero, 0 from T = 2^6 on.
    f = attention_only(
        Head(np.array([[0.0, 0.0], [1.0, 0.0]]), MEAN, np.zeros(1)), precision_bits=6
    )
    x = np.zeros(length, dtype=int)
    x[0] = 1
    expected = 1 / (1 + (length - 1) / length) if kept else 1.0
    assert reference(f, x) == pytest.approx([expected], rel=1e-14)


def test_finite_precision_scales_by_the_length_of_the_whole_input_in_every_layer():
    # First layer: logit −1 for key token 1; the query at position 2 sees tokens 0, 1 with
    # weights 1 and 1/T, T the length of the whole input.
    head = Head(np.array([[0.0, 0.0], [-1.0, 0.0]]), MEAN, np.zeros(1))
    uniform = Head(np.zeros((2, 2)), MEAN, np.zeros(1))
    one = attention_only(head, precision_bits=10)
    two = LimitTransformer(
        one.embedding, one.positions, (one.layers[0], Layer((uniform,))), one.unembedding, 10
    )
    length = 4
    x = [0, 1, 0, 0]
    first = [0.0, 1 + (1 / length) / (1 + 1 / length), (1 / length) / (2 + 1 / length)]
    first.append((1 / length) / (3 + 1 / length))
    assert reference(two, x) == pytest.approx([first[-1] + sum(first) / length], rel=1e-13)


@pytest.mark.parametrize("positions_seen", [[0], [1], [0, 1], [1, 0], [0, 1, 2]])
def test_first_position_is_1_and_uses_row_1_mod_period(positions_seen):
    period = 3
    positions = np.zeros((period, 2))
    positions[:, 1] = [100.0, 10.0, 1.0]
    zero = Head(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(1))
    f = LimitTransformer(
        np.zeros((3, 2)), positions, (Layer((zero,)),), np.array([[0.0, 1.0]]), None
    )
    expected = positions[len(positions_seen) % period, 1]
    assert reference(f, positions_seen).tolist() == [expected]


def test_mlp_and_residuals():
    zero = Head(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(1))
    layer = Layer(
        (zero,),
        np.array([[1.0, 1.0], [-1.0, 0.0]]),
        np.array([0.5, -1.0]),
        np.array([[2.0, 7.0], [0.0, 7.0]]),
    )
    f = LimitTransformer(np.array([[1.0, 3.0]]), np.zeros((1, 2)), (layer,), np.eye(2), None)
    # u = (1, 3); hidden = relu(4.5, −2) = (4.5, 0); y = u + (9, 0)
    assert reference(f, [0, 0]).tolist() == [10.0, 3.0]


@pytest.mark.parametrize("x", [[], [[0, 1]], [0.0, 1.0], [True, False], [2], [-1], "01", None])
def test_reference_refuses_bad_inputs(x):
    f = attention_only(Head(np.zeros((2, 2)), MEAN, np.zeros(1)), precision_bits=8)
    with pytest.raises(InputError):
        reference(f, x)


@pytest.mark.parametrize("precision_bits", [None, 8])
def test_reference_refuses_overflow(precision_bits):
    huge = np.full((2, 2), 1e200)
    f = attention_only(Head(huge, huge, np.zeros(1)), precision_bits=precision_bits)
    g = LimitTransformer(1e200 * f.embedding, f.positions, f.layers, f.unembedding, precision_bits)
    with pytest.raises(WeightsError, match=r"query_key: got .* allowed: "):
        reference(g, [0, 1])
