"""Explicit pairs that agree up to a length: the exponents and the exponential are needed."""

import itertools
import math

import numpy as np
import pytest

import verify
from verify import InputError
from verify.tasks.lower_bounds import (
    average_of_runs,
    one_layer_margin,
    one_layer_range,
    two_layers,
)

pytestmark = [
    pytest.mark.covers(
        "attack", "derived.lower_two_layer", "derived.lower_margin", "derived.lower_logit_range"
    ),
    pytest.mark.covers(
        "tightness", "derived.lower_two_layer", "derived.lower_margin", "derived.lower_logit_range"
    ),
]

ROUNDING = 1e-15


def all_inputs(longest):
    for length in range(1, longest + 1):
        yield from itertools.product((0, 1), repeat=length)


def counted(zeros, ones):
    """An input of `zeros` tokens a and `ones` tokens b that ends in b, of any length."""
    return verify.Summary(np.array([[zeros, ones - 1]], dtype=object), [1], zeros + ones)


def average_from_the_definition(x):
    """Mean of |μ_i(a) − ½| + |1[x_i = a] − s_i|, s_i with its leak, a = 0."""
    total = 0.0
    for i in range(1, len(x) + 1):
        share = sum(t == 0 for t in x[:i]) / i
        weights = [1.0] * i
        if i >= 2:
            weights[i - 2] = float(i) ** 2
        previous = sum(w for w, t in zip(weights, x[:i], strict=True) if t == 0) / sum(weights)
        total += abs(share - 0.5) + abs((x[i - 1] == 0) - previous)
    return total / len(x)


# ---------------------------------------------------------------- two layers


def test_the_weights_compute_the_average_of_runs():
    f = average_of_runs()
    rng = np.random.default_rng(0)
    for x in [*all_inputs(5), *(rng.integers(2, size=n) for n in (12, 30, 77))]:
        expected = average_from_the_definition(tuple(x))
        assert f(np.array(x))[0] == pytest.approx(expected, abs=1e-12)
        assert verify.reference(f, np.array(x))[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_two_layers_agree_on_every_input_up_to_n():
    average = average_of_runs()
    longest = 11
    values = [(len(x), float(average(np.array(x))[0])) for x in all_inputs(longest)]
    # The inequality of the proof, on every input; its exact minimum is 0.5/√n or more.
    assert min(value * math.sqrt(n) for n, value in values) >= 0.5 - 1e-9
    for n in (1, 2, 3, 5, 8, longest):
        pair = two_layers(n)
        assert pair.gap == 0.2 / math.sqrt(n)
        assert all(value >= pair.gap for length, value in values if length <= n)
    pair = two_layers(6)
    for x in all_inputs(6):
        assert pair.f(np.array(x))[0] == 0 == pair.g(np.array(x))[0]


def test_near_optimal_long_inputs_still_obey_the_two_layer_bound():
    average = average_of_runs()
    for n in (100, 1000, 10_000):
        for run in {1, 2, int(n**0.5), int(2 * n**0.5), int(0.5 * n**0.5), n // 2}:
            x = np.resize(np.repeat([0, 1], run), n)
            assert average(x)[0] >= 0.2 / math.sqrt(n)


@pytest.mark.parametrize("n", [1, 10, 100])
def test_a_long_input_shows_most_of_the_two_layer_gap(n):
    pair = two_layers(n)
    values = [pair.f(pair.witness(length))[0] for length in (10**4, 10**5, 10**6)]
    assert values == sorted(values)
    assert all(0 <= value < pair.gap for value in values)
    assert values[-1] >= 0.5 * pair.gap
    assert pair.g(pair.witness(100))[0] == 0


def test_positional_margin_and_norms_do_not_depend_on_n():
    constants = [verify.measure(two_layers(n).f) for n in (1, 100, 10**6)]
    assert {c.positional_margin for c in constants} == {1}
    assert len({c.complexity_balanced for c in constants}) == 1


# ---------------------------------------------------------------- one layer


@pytest.mark.parametrize("margin", [0.2, 0.5, 0.9, 1.5])
def test_one_layer_margin_agrees_up_to_n_and_reaches_its_gap(margin):
    for n in (1, 2, 5, 9):
        pair = one_layer_margin(n, margin)
        assert pair.gap == 0.5 * n**-margin
        assert all(pair.f(np.array(x))[0] == 0 for x in all_inputs(n))
        far = pair.f.of_summary(counted(10**40 - 1, 1))[0]
        assert 0.999 * pair.gap <= far <= pair.gap
        assert float(verify.measure(pair.f).positional_margin) == pytest.approx(margin, abs=1e-15)


@pytest.mark.parametrize("logit_range", [0, 1, 5, 30.0])
def test_one_layer_range_agrees_up_to_n_and_reaches_its_gap(logit_range):
    for n in (1, 2, 5, 9):
        pair = one_layer_range(n, logit_range)
        e = math.exp(logit_range)
        assert pair.gap == pytest.approx(0.5 * e / (e + n - 1))
        assert max(abs(pair.f(np.array(x))[0]) for x in all_inputs(n)) <= ROUNDING
        # One token a among many b gives any attention; take the nearest to h.
        others = round(e * (1 - pair.gap) / pair.gap * 10**6)
        far = pair.f.of_summary(counted(10**6, others))[0]
        assert far == pytest.approx(pair.gap, rel=1e-5)
        assert verify.measure(pair.f).logit_range == logit_range


def test_the_witness_of_the_range_is_a_sequence_of_that_length():
    pair = one_layer_range(5, 1.0)
    x = pair.witness(1000)
    assert abs(len(x) - 1000) <= 10
    assert pair.f(x)[0] >= 0.99 * pair.gap
    assert pair.f(one_layer_range(5, 6.0).witness(1))[0] >= 0  # at least one token of each kind


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3"])
def test_lengths_that_are_none_are_refused(n):
    for build in (two_layers, lambda n: one_layer_margin(n, 0.5), lambda n: one_layer_range(n, 1)):
        with pytest.raises(InputError, match="agreement_length"):
            build(n)


def test_constants_out_of_range_are_refused():
    with pytest.raises(InputError, match="margin"):
        one_layer_margin(3, 0.0)
    with pytest.raises(InputError, match="logit_range"):
        one_layer_range(3, math.inf)
