"""How many cases a relation is tried on, and random pairs with dyadic weights.

Weights are small multiples of powers of two, so that relabelling, doubling, adding up and
turning signs are exact in float64.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer

FACTOR = int(os.environ.get("SECOND_ROUTES", "1"))

ATTENTION = ("argmax", "softmax")


def seeds(number):
    """Seeds of `number` cases, times SECOND_ROUTES."""
    return range(number * FACTOR)


def fails(check, cases):
    """A control: the check fails in one of the cases."""
    for case in cases:
        try:
            check(case)
        except AssertionError:
            return
    pytest.fail("a broken variant was not noticed")


def dyadic(rng, *shape, most=2, unit=1.0):
    """Multiples of `unit`, at most `most` in size, many of them equal."""
    return rng.integers(-most, most + 1, size=shape) * unit


def pair(seed, attention, *, vocabulary_size=None, period=None, locality=None, bits=None):
    """Return f and g of one layer with exact ties, gaps, lag biases, MLPs.

    Their precision is the same; what is not given is drawn: |Σ| 2..3, Δ 1..2, τ 0..1, H 1..2.
    """
    rng = np.random.default_rng([seed, ATTENTION.index(attention)])
    sizes = {
        "vocabulary_size": vocabulary_size or int(rng.integers(2, 4)),
        "period": period or int(rng.integers(1, 3)),
        "locality": int(rng.integers(0, 2)) if locality is None else locality,
        "bits": (bits or int(rng.integers(2, 6))) if attention == "argmax" else None,
    }
    return model(rng, **sizes), model(rng, **sizes)


def model(rng, *, vocabulary_size, period, locality, bits, dimension=3, outputs=2, heads=None):
    """Return a one-layer model with dyadic weights; bits=None: softmax."""
    unit = float(rng.choice([0.25, 0.5, 1.0])) if bits else 0.25

    def head():
        bias = dyadic(rng, locality + 1, most=2, unit=unit) * (rng.random() < 0.6)
        logits = dyadic(rng, dimension, dimension, most=1, unit=unit)
        return Head(logits, dyadic(rng, dimension, dimension, unit=0.25), bias)

    hidden = int(rng.integers(0, 4))
    layer = Layer(
        tuple(head() for _ in range(heads or int(rng.integers(1, 3)))),
        dyadic(rng, hidden, dimension, unit=0.5),
        dyadic(rng, hidden, unit=0.25),
        dyadic(rng, dimension, hidden, unit=0.25),
    )
    return LimitTransformer(
        dyadic(rng, vocabulary_size, dimension, most=1),
        dyadic(rng, period, dimension, most=1) * float(period > 1),
        (layer,),
        dyadic(rng, outputs, dimension, unit=0.25),
        bits,
    )


def strings(rng, vocabulary_size, number, most=12):
    """Random inputs of random lengths."""
    return [
        rng.integers(0, vocabulary_size, size=int(rng.integers(1, most + 1))) for _ in range(number)
    ]


both_kinds = pytest.mark.parametrize("attention", ATTENTION)
