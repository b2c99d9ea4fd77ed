"""Floats against the exact value: the largest |f − g| of a length, and every forward pass.

Theorem. `agreement` claims |value − max| ≤ rounding over all inputs of a length. The maximum is worked
out again here by going through all strings, in rational numbers and balls of 192 bits, from the
definition: it lies in [low, high] (containment, exact). The forward passes are the same function:
float64 within 10⁻¹³ of the balls, relative to the largest output (they state no bound of their own).
"""

import numpy as np
import pytest
from flint import arb, fmpq

import verify
from tests.second_routes import exact_forward
from tests.second_routes.cases import both_kinds, fails, model, pair, seeds, strings
from verify.certificates.window import LengthAgreement


def contained(seed, attention, tally):
    f, g = pair(seed, attention)
    for length in (1, 2, 3, 4 if f.vocabulary_size == 2 else 3):
        entry = verify.agreement(f, g, length).by_length[length]
        truth = exact_forward.largest(f, g, length)
        low, high = (arb(fmpq(e.numerator, e.denominator)) for e in (entry.low, entry.high))
        assert not truth < low, (seed, length)
        assert not truth > high, (seed, length)
        assert entry.rounding < 1e-12, (seed, length)
        tally["agreements"] += 1


@both_kinds
def test_agreement_holds_the_exact_maximum(attention, tally):
    for seed in seeds(1):
        contained(seed, attention, tally)


def forward(f, x):
    return f(x)


def passes(f, rng, tally, function=forward, most=12, number=3):
    for x in strings(rng, f.vocabulary_size, number, most=most):
        found = function(f, x)
        exact = exact_forward.output(f, x)
        size = max(1.0, float(np.abs(found).max()))
        for value, ball in zip(found.tolist(), exact, strict=True):
            near = abs(arb(ball) - arb(fmpq(*value.as_integer_ratio())))
            assert near < 1e-13 * size, (x, value, ball)
            tally["outputs"] += 1


@both_kinds
def test_forward_passes(attention, tally):
    for seed in seeds(2):
        rng = np.random.default_rng(seed)
        for f in pair(seed, attention):
            passes(f, rng, tally)
            passes(f, rng, tally, verify.reference)


def test_two_softmax_layers(tally):
    for seed in seeds(2):
        rng = np.random.default_rng(seed)
        sizes = {"vocabulary_size": 2, "period": 1 + seed % 2, "bits": None}
        one, two = (model(rng, **sizes, locality=lag) for lag in (1, 0))
        deep = verify.LimitTransformer(
            one.embedding, one.positions, one.layers + two.layers, one.unembedding, None
        )
        passes(deep, rng, tally, most=6, number=2)
        passes(deep, rng, tally, verify.reference, most=6, number=1)


def test_control_an_error_in_the_thirteenth_digit(tally, monkeypatch):
    def off(f, x):
        return f(x) * (1 + 1e-12) + 1e-12

    fails(lambda s: passes(pair(s, "softmax")[0], np.random.default_rng(s), tally, off), range(2))

    true = LengthAgreement.low.fget
    monkeypatch.setattr(LengthAgreement, "low", property(lambda e: true(e) + abs(true(e)) / 10**9))
    fails(lambda s: contained(s, "argmax", tally), range(2))
    with pytest.raises(AssertionError):
        exact_forward._kept(fmpq(1), 3, arb(3).log() / arb(2).log())  # undecided is refused
