"""Pairs of every kind, and their enclosures by branch and bound, for tests that attack them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tests.helpers import certificate_cases
from tests.helpers.all_inputs import errors
from tests.helpers.random_models import LARGEST_LAG_BIAS, random_model
from verify import Head, Layer
from verify.certificates.contexts import Pair, pair_of
from verify.certificates.direct.inputs import attained
from verify.certificates.direct.pieces import least_start, pieces
from verify.certificates.direct.search import Search
from verify.certificates.direct.table import Table
from verify.errors import InputError


@dataclass(frozen=True)
class Enclosure:
    """low ≤ sup |f − g| ≤ high over the lengths start … horizon; worst: an input that has low."""

    pair: Pair
    start: int
    horizon: int | None
    low: float
    high: float
    decided: bool
    worst: object
    search: Search


def enclosure(f, g, *, horizon, start=1, tolerance=1e-3, limit=4000):
    """Return the enclosure, or None where there is nothing to enclose, or it is refused."""
    pair = pair_of(f, g, None)
    start = max(start, least_start(pair))
    if horizon is not None and horizon < start:
        return None
    try:
        found = list(pieces(pair, start, horizon))
        table = Table.of(pair, found)
    except InputError:
        return None
    search = Search.of(table)
    decided = search.run(lambda s: s.lower + tolerance, limit)
    low, worst = 0.0, None
    if search.best is not None:
        entry = attained(table, search.best, tolerance / 2)
        low, worst = float(entry.low), entry.worst.summary
    return Enclosure(pair, start, horizon, low, search.upper, decided, worst, search)


def with_bias(f, change):
    """Return the model with other lag biases."""
    layer = f.layers[0]
    heads = tuple(Head(h.query_key, h.value, change(h.lag_bias)) for h in layer.heads)
    layers = (Layer(heads, layer.mlp_in, layer.mlp_bias, layer.mlp_out),)
    return dataclasses.replace(f, layers=layers)


def perturbed(rng, f, size):
    """Return the model with all weights of the layer moved a little."""
    layer = f.layers[0]

    def moved(a):
        return a + size * rng.normal(size=a.shape)

    heads = tuple(Head(moved(h.query_key), moved(h.value), h.lag_bias.copy()) for h in layer.heads)
    new = Layer(heads, moved(layer.mlp_in), moved(layer.mlp_bias), moved(layer.mlp_out))
    return dataclasses.replace(f, layers=(new,))


def softmax_pair(rng):
    """Return a pair in infinite precision: all regimes, φ near 1, table models, near pairs."""
    tokens = int(rng.integers(1, 4))

    def one(period, locality):
        regime = rng.choice([None, *LARGEST_LAG_BIAS])
        f = random_model(
            rng,
            vocabulary_size=tokens,
            period=period,
            locality=locality,
            heads=int(rng.integers(1, 3)),
            regime=regime,
            ties=bool(rng.random() < 0.3),
            logits=float(rng.choice([0.0, 0.5, 3.0, 12.0])),
            dimension=int(rng.integers(1, 4)),
        )
        style = rng.integers(0, 4)
        if style == 0:
            top = float(rng.choice([0.999, 1.0, 1.001]))
            f = with_bias(f, lambda b: b - b.max() + top)
        elif style == 1:
            f = with_bias(f, lambda b: np.where(rng.random(b.shape) < 0.5, 0.0, b))
        elif style == 2:
            f = with_bias(f, lambda b: rng.choice([0.0, 1.0, 0.999, 1.001, 2.0, -1.0], b.shape))
        if rng.random() < 0.1:
            layer = Layer(f.layers[0].heads)
            f = dataclasses.replace(f, layers=(layer,))
        return f

    f = one(int(rng.integers(1, 4)), int(rng.integers(0, 3)))
    if rng.random() < 0.4:
        return f, perturbed(rng, f, float(rng.choice([1e-6, 1e-3, 0.05, 0.3])))
    if rng.random() < 0.2:
        f, g = certificate_cases.random_pair(rng)
        return tuple(dataclasses.replace(h, precision_bits=None) for h in (f, g))
    return f, one(int(rng.integers(1, 4)), int(rng.integers(0, 3)))


def finite_pair(rng):
    """Return a pair in finite precision: ties, near ties, generic, near pairs, unlike p and Δ."""
    style = rng.integers(0, 3)
    if style == 0:
        f, g = certificate_cases.random_pair(rng)
        if rng.random() < 0.3:
            g = dataclasses.replace(g, precision_bits=int(rng.integers(1, 10)))
        return f, g
    f, g = softmax_pair(rng)
    bits = int(rng.integers(1, 9))
    other = bits if rng.random() < 0.6 else int(rng.integers(1, 9))
    return (
        dataclasses.replace(f, precision_bits=bits),
        dataclasses.replace(g, precision_bits=other),
    )


def special_lengths(pair, last):
    """Return lengths at which weights are dropped, and powers of two, up to `last`."""
    found = {2**k for k in range(1, 63) if 2**k <= last}
    for head in pair.heads:
        if head.precision_bits:
            logits = {(a + b) for row in head.content for a in row for b in (0, *head.bias)}
            for gap in {a - b for a in logits for b in logits if a > b}:
                exponent = head.precision_bits / float(gap * head.unit)
                if exponent < math.log2(last):
                    found.add(round(2**exponent))
    return found


@dataclass(frozen=True)
class TinyCase:
    """A pair and a few lengths, all of whose strings can be tried."""

    f: object
    g: object
    start: int
    last: int

    def enclosure(self, **given):
        """Return the enclosure of these lengths."""
        return enclosure(self.f, self.g, start=self.start, horizon=self.last, **given)

    def truth(self):
        """Return the largest |f − g| over all strings of these lengths, from the definition."""
        return max(float(errors(self.f, self.g, n).max()) for n in range(self.start, self.last + 1))


LONGEST_STRING = {1: 14, 2: 14, 3: 9}


def tiny_case(seed, tokens, finite):
    """Return a pair that is not refused, |Σ| = tokens ≤ 3, with its lengths."""
    rng = np.random.default_rng([seed, tokens, finite])
    last = LONGEST_STRING[tokens]
    while True:
        f, g = (finite_pair if finite else softmax_pair)(rng)
        if f.vocabulary_size != tokens:
            continue
        start = max(int(rng.integers(1, last - 2)), least_start(pair_of(f, g, None)))
        case = TinyCase(f, g, start, last)
        if start <= last and case.enclosure(limit=0) is not None:
            return case
