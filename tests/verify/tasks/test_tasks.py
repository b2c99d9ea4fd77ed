"""SimpleTask and ModPTask: the weights realise the target, and L behaves as the paper says."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import verify
from verify import InputError
from verify.tasks import mod_p, simple


@pytest.mark.slow
@pytest.mark.parametrize("omega", [0.25, 1, 3.7, 16, 64])
def test_simple_weights_realise_the_sine_within_the_stated_error(omega):
    task = simple(omega)
    f = task.transformer
    worst = 0.0
    # Lengths 1..40 with every count, and long inputs whose averages fall between the knots.
    for length in [*range(1, 41), 997, 4001]:
        for ones in sorted({*range(0, length + 1, max(1, length // 40))}):
            x = np.zeros(length, dtype=int)
            x[:ones] = 1
            expected = math.sin(omega * (length - 2 * ones) / length)
            assert task.target(x) == pytest.approx(expected, abs=1e-12)
            assert task.target_of_counts([length - ones, ones]) == task.target(x)
            worst = max(worst, abs(float(f(x)[0]) - task.target(x)))
    assert worst <= task.uniform_error + 1e-11
    assert task.uniform_error <= 2.0**-10 * 1.001
    assert worst > task.uniform_error / 10  # the stated error is not idle


@pytest.mark.parametrize("pieces", [1, 2, 8, 64, 512])
def test_simple_error_at_every_resolution(pieces):
    omega = 5.0
    task = simple(omega, resolution=pieces)
    width = Fraction(2, pieces)
    assert task.uniform_error >= float(Fraction(omega) ** 2 * width**2 / 8)
    f, length = task.transformer, 2000
    gaps = []
    for ones in range(0, length + 1, 7):
        x = np.repeat([0, 1], [length - ones, ones])
        gaps.append(abs(float(f(x)[0]) - task.target(x)))
    assert max(gaps) <= task.uniform_error + 1e-11


def test_simple_weights_are_exact():
    # At the knots the interpolation is within 2^-40 of the sine: nothing was lost in the weights.
    task = simple(4, resolution=64)
    for j in range(65):
        x = np.repeat([0, 1], [j, 64 - j]) if 0 < j < 64 else np.full(64, int(j == 0))
        assert float(task.transformer(x)[0]) == pytest.approx(
            math.sin(4 * (2 * j - 64) / 64), abs=2.0**-40 + 1e-13
        )


@pytest.mark.slow
@pytest.mark.parametrize("omega", [0.1, 0.5, 1, 2, 4, 8, 16, 64])
def test_simple_lipschitz_constant_grows_like_omega(omega):
    c = verify.measure(simple(omega).transformer)
    # The average moves by 2·TV, the sine by at most ω times that, and that much at its zero.
    assert (
        Fraction(19, 10) * Fraction(omega) <= c.lipschitz <= Fraction(2001, 1000) * Fraction(omega)
    )
    assert c.margin is None
    assert (c.period, c.locality, c.heads) == (1, 0, 1)


@pytest.mark.parametrize(("period", "residue"), [(1, 0), (2, 0), (2, 1), (5, 3), (7, 0)])
def test_mod_p_weights_realise_the_target(period, residue):
    task = mod_p(period, residue)
    rng = np.random.default_rng(period)
    for length in range(1, 50):
        x = rng.integers(2, size=length)
        places = [t for t in range(1, length + 1) if t % period == residue]
        chosen = [x[t - 1] for t in places] or list(x)
        assert task.target(x) == sum(chosen) / len(chosen)
        assert float(task.transformer(x)[0]) == pytest.approx(task.target(x), abs=1e-13)
        assert float(verify.reference(task.transformer, x)[0]) == pytest.approx(
            task.target(x), abs=1e-13
        )


@pytest.mark.parametrize("period", [2, 3, 5, 16, 101])
def test_mod_p_lipschitz_constant_does_not_grow(period):
    task = mod_p(period, 1, precision_bits=10)
    c = verify.measure(task.transformer)
    assert c.lipschitz == 1
    assert c.period == period
    assert c.margin == 10  # so that 2^(p/γ) = 2
    assert c.lipschitz_operator >= c.lipschitz


def test_mod_p_counts():
    task = mod_p(3, 1)
    assert task.target_of_counts([[5, 0], [1, 3], [0, 9]]) == 0.75
    assert task.target_of_counts([[1, 0], [0, 0], [1, 2]]) == 0.5  # none of the residue: all
    x = [1, 0, 0, 1, 1, 0]  # positions 1, 4 hold 1, 1
    assert task.target(x) == 1.0


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: simple(0), "omega"),
        (lambda: simple(-1.5), "omega"),
        (lambda: simple(float("nan")), "omega"),
        (lambda: simple(float("inf")), "omega"),
        (lambda: simple(True), "omega"),
        (lambda: simple("4"), "omega"),
        (lambda: simple(10**400), "omega"),
        (lambda: simple(1e9), "omega"),
        (lambda: simple(1, resolution=3), "resolution"),
        (lambda: simple(1, resolution=0), "resolution"),
        (lambda: simple(1, resolution=2.0), "resolution"),
        (lambda: simple(1, resolution=True), "resolution"),
        (lambda: simple(1).target([2]), "x[0]"),
        (lambda: simple(1).target([]), "x"),
        (lambda: simple(1).target_of_counts([0, 0]), "counts"),
        (lambda: simple(1).target_of_counts([1, -1]), "counts"),
        (lambda: simple(1).target_of_counts([1.0, 2]), "counts"),
        (lambda: simple(1).target_of_counts(3), "counts"),
        (lambda: mod_p(0, 0), "period"),
        (lambda: mod_p(2.0, 0), "period"),
        (lambda: mod_p(3, 3), "residue"),
        (lambda: mod_p(3, -1), "residue"),
        (lambda: mod_p(3, True), "residue"),
        (lambda: mod_p(3, 1, precision_bits=0), "precision_bits"),
        (lambda: mod_p(2, 1).target([0.5]), "x"),
        (lambda: mod_p(2, 1).target_of_counts([[1, 1]]), "counts"),
        (lambda: mod_p(2, 1).target_of_counts([[1, 1], [1]]), "counts"),
        (lambda: mod_p(2, 1).target_of_counts([[0, 0], [0, 0]]), "counts"),
        (lambda: mod_p(2, 1).target_of_counts([[0, 0], [0, -1]]), "counts"),
    ],
)
def test_bad_arguments(make, name):
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.name == name


def test_bad_precision_of_simple():
    with pytest.raises(verify.WeightsError, match="precision_bits"):
        _ = simple(1, precision_bits=0).transformer
