"""`verify.agreement` in infinite precision: the maximum over all inputs, against all strings."""

import itertools
import math
from fractions import Fraction

import flint
import numpy as np
import pytest

from tests.helpers import softmax_exact
from tests.helpers.all_inputs import all_strings, errors, outputs
from tests.helpers.random_models import random_model as finite_model
from tests.helpers.softmax_models import random_model
from verify import Head, InputError, Layer, LimitTransformer, agreement, prove, reference, tasks
from verify.certificates.input_class import LONGEST, InputClass, PairInputs
from verify.certificates.ladder import ladder
from verify.certificates.search import worst_found

STRINGS = {2: 11, 3: 7}
"""Lengths with not too many strings, by |Σ|."""


def softmax_pair(rng, *, size=None, scale=None, outputs=None):
    """Return f and g with the same |Σ|; heads, Δ, τ and regimes of their own."""
    size = size or int(rng.integers(2, 4))
    outputs = outputs or int(rng.integers(1, 3))
    return tuple(
        random_model(
            rng,
            layers=1,
            regimes=rng.choice(["token", "balanced", "position", "negative"], 2).tolist(),
            size=size,
            locality=int(rng.integers(0, 3)),
            period=int(rng.integers(1, 4)),
            scale=scale or float(rng.choice([0.3, 1.0, 6.0])),
            outputs=outputs,
        )
        for _ in range(2)
    )


def falling(gap, bias=0.0, values=(0.0, 1.0), unit=1.0):
    """Two tokens with the logits 0 and −gap at every query; the output is the attended value."""
    query_key = np.array([[0.0, 0, 0], [-gap, -gap, 0], [0, 0, 0]])
    value = np.zeros((3, 3))
    value[2, :2] = values
    layer = Layer((Head(query_key, value * unit, [bias]),))
    return LimitTransformer(np.eye(3)[:2], np.zeros((1, 3)), (layer,), [[0.0, 0, 1]], None)


def trained(omega, length):
    """Return a stored plain-softmax model and what it should be."""
    pair = tasks.trained_pair("simple_plain", omega=omega, training_length=length)
    return pair.model, pair.target


# ---------------------------------------------------------------- against all strings


def test_vectorised_strings_are_the_definition():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        f, _ = softmax_pair(rng)
        strings = all_strings(f.vocabulary_size, int(rng.integers(1, 6)))
        x = strings[int(rng.integers(len(strings)))]
        expected = reference(f, x)
        assert outputs(f, x[None])[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.slow
def test_agreement_is_the_maximum_over_all_strings():
    fewer = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        f, g = softmax_pair(rng)
        length = int(rng.integers(1, STRINGS[f.vocabulary_size]))
        found = agreement(f, g, length)
        by_strings = errors(f, g, length)
        size = max(1.0, by_strings.max())
        assert found.value == pytest.approx(by_strings.max(), abs=1e-11 * size), seed
        assert found.worst.length == length
        x = found.worst.tokens()
        assert np.abs(f(x) - g(x)).max() == pytest.approx(found.value, abs=1e-11 * size)
        assert found.worst.error(f, g) == pytest.approx(found.value, abs=1e-11 * size)
        assert found.evaluations <= len(by_strings)
        fewer += found.evaluations < len(by_strings)
    assert fewer > 20


def test_every_string_is_in_a_class():
    """Not only the maximum: every error of every string is that of a count vector."""
    rng = np.random.default_rng(3)
    f, g = softmax_pair(rng, size=2)
    inputs, length = PairInputs(f, g), 7
    by_counts = np.concatenate(
        [c.errors(c.vectors.rows(0, c.number)) for c in inputs.classes(length)]
    )
    assert {round(e, 9) for e in by_counts} == {round(e, 9) for e in errors(f, g, length)}


def test_types_that_look_alike_are_one_atom():
    """Equal value and logit in all heads: then, and only then."""
    same = falling(0.0, values=(1.0, 1.0))
    assert agreement(same, same, 50).evaluations == 2
    assert agreement(same, falling(0.0), 50).evaluations == 2 * 50
    assert agreement(same, falling(1.0, values=(1.0, 1.0)), 50).evaluations == 2 * 50


# ---------------------------------------------------------------- rounding


def bounded(f, g, found, bits=300):
    """Whether [low, high] holds the exact error; how much of the rounding bound was used."""
    exact = softmax_exact.error(f, g, found.worst.summary, bits)
    middle, radius = Fraction(found.value), Fraction(found.high) - Fraction(found.value)
    with flint.ctx.workprec(400):
        off = abs(exact - flint.arb(flint.fmpq(middle.numerator, middle.denominator)))
        allowed = flint.arb(flint.fmpq(radius.numerator, radius.denominator))
        assert off <= allowed
        return float(off / allowed)


def test_rounding_bounds_hold_against_ball_arithmetic():
    rng = np.random.default_rng(0)
    used = []
    for _ in range(40):
        f, g = softmax_pair(rng, scale=float(rng.choice([0.5, 4.0, 20.0])))
        used.append(bounded(f, g, agreement(f, g, int(rng.integers(1, 9)))))
    for _ in range(3):
        f, g = softmax_pair(rng, size=2)
        used.append(bounded(f, g, worst_found(PairInputs(f, g), int(rng.integers(2, 2**62)))))
    assert 0 < max(used) <= 1


@pytest.mark.parametrize("gap", [0.0, 30.0, 700.0, 745.5, 800.0, 1e5, 1e300])
@pytest.mark.parametrize("bias", [0.0, 1.5, -3.0])
def test_logits_that_are_far_apart_are_safe(gap, bias):
    """A lone token with e^−800 decides where there is no other; values 1e200 are not lost."""
    f, g = falling(gap, bias), falling(gap, 0.0, (1.0, 0.0))
    for length in (1, 2, 9, 40):
        assert bounded(f, g, agreement(f, g, length), 1500) <= 1
        by_strings = [
            float(softmax_exact.error(f, g, c.summary(c.vectors.vector(k)), 1500).mid())
            for c in PairInputs(f, g).classes(length)
            for k in range(c.number)
        ]
        assert agreement(f, g, length).value == pytest.approx(max(by_strings), abs=1e-12)
    large = falling(gap, bias, unit=1e200)
    assert bounded(large, g, agreement(large, g, 9), 1500) <= 1


def test_the_longest_inputs_are_safe():
    """2^900 tokens of weight e^−600 beside one of weight 1: both count, to every digit."""
    f, g = falling(600.0, 0.7), falling(0.0)
    inputs = PairInputs(f, g)
    length = LONGEST
    one_class = InputClass(inputs, length, (0,))
    for counts in ([[length - 1, 0]], [[0, length - 1]], [[2**40, length - 1 - 2**40]]):
        value = float(one_class.errors(np.array(counts, dtype=float))[0])
        exact = softmax_exact.error(f, g, one_class.summary(counts), bits=3000)
        assert abs(value - float(exact.mid())) <= one_class.rounding
        assert one_class.rounding < 1e-12
    steep = falling(3.0, 1.9)  # T^1.9 is beyond float64, and all the rest together is nothing
    one_class = InputClass(PairInputs(steep, g), length, (1,))
    counts = [[length - 1, 0]]
    exact = softmax_exact.error(steep, g, one_class.summary(counts), bits=3000)
    value = float(one_class.errors(np.array(counts, dtype=float))[0])
    assert abs(value - float(exact.mid())) <= one_class.rounding


def test_nearly_equal_logits_are_told_apart():
    """Logits of 1e15 that differ by 1/8, and lags that differ by no more than rounding."""
    big = 1e15
    f = falling(0.0)
    head = f.layers[0].heads[0]
    query_key = head.query_key + np.array([[big, big, 0], [big + 0.125, big + 0.125, 0], [0] * 3])
    layer = Layer((Head(query_key, head.value, [0.25]),))
    shifted = LimitTransformer(f.embedding, f.positions, (layer,), f.unembedding, None)
    plain = falling(-0.125, 0.25)
    assert agreement(shifted, plain, 30).high < Fraction(1, 10**12)
    assert bounded(shifted, f, agreement(shifted, f, 30)) <= 1


# ---------------------------------------------------------------- what is said, what is refused


def test_trained_pairs_have_two_evaluations_for_each_count():
    f, g = trained(4, 32)
    found = agreement(f, g, range(5, 8))
    assert found.evaluations == 2 * (5 + 6 + 7)
    assert found.value == pytest.approx(max(errors(f, g, n).max() for n in (5, 6, 7)), abs=1e-12)


def test_a_search_is_no_more_than_the_maximum():
    f, g = trained(8, 16)
    found = worst_found(PairInputs(f, g), 900)
    best = agreement(f, g, 900)
    assert found.low <= best.high
    assert found.value == pytest.approx(best.value, rel=1e-3)
    assert worst_found(PairInputs(f, g), 2**300 + 1).high < 1


def test_the_kinds_of_precision_do_not_mix():
    f, g = softmax_pair(np.random.default_rng(1), size=2, outputs=1)
    hard = finite_model(
        np.random.default_rng(0),
        vocabulary_size=2,
        period=1,
        locality=0,
        heads=1,
        precision_bits=4,
    )
    for pair in ((f, hard), (hard, f)):
        with pytest.raises(InputError) as caught:
            agreement(*pair, 3)
        assert caught.value.name == "g.precision_bits"
    with pytest.raises(InputError):
        PairInputs(f, g, finite=True)


def test_counts_are_all_of_them():
    """|Σ|^(τ+1) suffixes, and Π C(n_r + a_r − 1, a_r − 1) count vectors for each."""
    rng = np.random.default_rng(11)
    f, g = softmax_pair(rng, size=3, outputs=1)
    inputs = PairInputs(f, g)
    length = 11
    sizes = inputs.column_sizes(length)
    expected = 3 ** (inputs.locality + 1) * math.prod(math.comb(n + 2, 2) for n in sizes)
    assert agreement(f, g, length).evaluations == expected
    assert len(list(itertools.islice(inputs.classes(length), 99))) == 3 ** (inputs.locality + 1)


def test_windows_say_that_they_cover_finite_precision():
    f, g = softmax_pair(np.random.default_rng(1), size=2, outputs=1)
    with pytest.raises(InputError, match="precision_bits"):
        prove(f, g, target=1, horizon=50, route="windows")
    with pytest.raises(InputError, match="precision_bits"):
        ladder(f, g, length=5, horizon=50)
    assert prove(f, g, target=10**6, horizon=50).status.name == "PROVED"
