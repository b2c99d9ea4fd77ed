"""Bounds of total variation: mild lags at every length up to the horizon, exact cases, rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from verify.certificates.choices import HeadChoice
from verify.certificates.variation import Lengths, Variation


def head(*, mild=(), full=(0,), columns=(0,), prefix_spread=0, spread=0, suffix=()):
    return HeadChoice(
        head=0,
        prefix=frozenset({0, 1}),
        suffix=suffix,
        spread=Fraction(spread),
        prefix_spread=Fraction(prefix_spread),
        full_spread=Fraction(spread),
        gap=None,
        threshold=1,
        inert=False,
        constant=Fraction(1),
        on_line=True,
        columns=columns,
        full=full,
        rounding=Fraction(1, 2),
        drift=Fraction(0),
        excess=Fraction(0),
        mild=tuple(map(Fraction, mild)),
    )


def mild_at(phi, kappa, positions, length):
    """M(T) in floats."""
    beta = max(0, *phi) - min(0, *phi)
    first = math.tanh(beta * math.log(length) / 4)
    if positions == 0:
        return first
    pushed = max(sum(length**b - 1 for b in phi if b > 0), sum(1 - length**b for b in phi if b < 0))
    return min(first, pushed * length**kappa / positions)


def draw(seed):
    """Return a head with mild lags, its lengths, and M(Z) and the largest M(T), Z < T ≤ T*."""
    rng = np.random.default_rng(seed)
    period = int(rng.integers(1, 8))
    phi = rng.normal(size=int(rng.integers(1, 5))) * rng.choice([0.01, 0.1, 0.5])
    kappa = float(rng.choice([0.0, 0.1, 0.4]))
    n = int(rng.integers(2, 60))
    short, horizon = period * n, period * n * int(2 ** rng.uniform(1, 16))
    full = (0,) if rng.random() < 0.8 else ()
    of = head(mild=[float(b) for b in phi], full=full, prefix_spread=kappa, spread=kappa)
    lengths = Lengths(short, horizon, period, (n,) * period)
    steps = sorted({int(k) for k in np.geomspace(1, (horizon - short) // period, 400)})
    at = [mild_at(phi, kappa, len(full) * (n + k), short + period * k) for k in steps]
    return of, lengths, mild_at(phi, kappa, len(full) * n, short), max(at)


def test_mild_lags_are_bounded_at_every_length():
    between = 0
    for seed in range(400):
        of, lengths, at_short, largest = draw(seed)
        assert float(Variation(lengths)._mild(of)) >= (at_short + largest) * (1 - 1e-9)
        # M may grow first: its value at Z does not bound it.
        between += largest > at_short * (1 + 1e-6)
    assert between > 20


@pytest.mark.parametrize("delta", [Fraction(1, 3), Fraction(1), Fraction(7, 2)])
def test_equal_logits_are_exact(delta):
    variation = Variation(Lengths(10, 10**6, 1, (10,)))
    assert variation._counts(Fraction(0), delta) == min(delta, 1)


def test_near_ties_are_rounded_up_and_hardly():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        kappa, delta = Fraction(float(rng.uniform(0, 0.5))), Fraction(float(rng.uniform(0, 0.9)))
        short = int(2 ** rng.uniform(1, 20))
        horizon = short + int(2 ** rng.uniform(1, 40))
        ratio = short ** float(kappa)
        expected = math.tanh(float(kappa) * math.log(horizon / short) / 4)
        expected += ratio * float(delta) / (1 + (ratio - 1) * float(delta))
        found = Variation(Lengths(short, horizon, 1, (short,)))._counts(kappa, delta)
        assert float(found) == pytest.approx(min(expected, 1), abs=1e-12)


def test_two_classes_attain_the_reweighting_bounds():
    """Lemma R: both forms are attained, so neither can be smaller."""
    for kappa, ratio in ((0.05, 2**20), (0.3, 17)):
        omega = ratio**-kappa
        share = math.sqrt(omega) / (1 + math.sqrt(omega))
        moved = share / (share + omega * (1 - share)) - share
        variation = Variation(Lengths(1, ratio, 1, (1,)))
        found = variation._counts(Fraction(kappa), Fraction(0))
        assert float(found) == pytest.approx(moved, rel=1e-9)
