"""Statistics on rows made by hand, where the right answer is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from verify.errors import InputError
from verify.training.analysis import (
    drift,
    exceptions,
    flatness,
    generalization_length,
    panel,
    slope,
    spearman,
    spearman_by_difficulty,
    spearman_by_training_length,
)


def rows(
    loss, difficulties=(1.0, 2.0), lengths=(8, 16, 32), seeds=(0, 1, 2), tests=(64, 512, 1024)
):
    return [
        {
            "experiment": "e",
            "distribution": "uniform",
            "test_distribution": "uniform",
            "sweep": "ω",
            "difficulty": d,
            "training_length": n,
            "seed": s,
            "test_length": t,
            "loss": loss(d, n, s, t),
        }
        for d in difficulties
        for n in lengths
        for s in seeds
        for t in tests
    ]


def power(exponent):
    return rows(lambda d, n, s, t: d * (1 + 0.01 * s) * float(n) ** (2 * exponent))


@pytest.mark.parametrize("exponent", [-0.5, -1.0, 0.25])
def test_slope_finds_a_power_law(exponent):
    p = panel(power(exponent), "e")
    for a in range(2):
        fit = slope(p, a)
        assert fit.low <= fit.value <= fit.high
        assert abs(fit.value - exponent) <= 1e-9


def test_slope_agrees_with_polyfit():
    rng = np.random.default_rng(0)
    noisy = {}
    made = rows(lambda d, n, s, t: noisy.setdefault((d, n, s), rng.lognormal()))
    p = panel(made, "e")
    y = 0.5 * np.log2(p.plateau[0]).mean(axis=1)
    assert abs(slope(p, 0).value - np.polyfit([3, 4, 5], y, 1)[0]) <= 1e-12


def test_rank_correlations_have_the_right_sign():
    p = panel(power(-1.0), "e")
    assert spearman_by_training_length(p).value < -0.9
    assert spearman_by_difficulty(p).value > 0.8
    assert exceptions(p) == []
    rising = panel(power(0.5), "e")
    assert spearman_by_training_length(rising).value > 0.9
    assert len(exceptions(rising)) == 4


def test_rank_correlation_agrees_with_scipy():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 5, 40), rng.normal(size=40)
    assert abs(spearman(x, y).value - spearmanr(x, y).statistic) <= 1e-12
    assert spearman([1, 1, 1], [1, 2, 3]).value == 0


def test_flatness_compares_with_the_seeds():
    flat = flatness(panel(rows(lambda d, n, s, t: 1 + 0.1 * s), "e"))
    assert all(cell["flat"] and cell["change"] == 0 for cell in flat)
    assert abs(flat[0]["spread"] - 0.2 / 1.1) <= 1e-12
    drifting = flatness(panel(rows(lambda d, n, s, t: t * (1 + 0.1 * s)), "e"))
    assert not any(cell["flat"] for cell in drifting)
    assert abs(drifting[0]["change"] - 1) <= 1e-12


def test_generalization_length_must_last():
    losses = {8: 0.01**2, 16: 0.2**2, 32: 0.05**2}
    p = panel(rows(lambda d, n, s, t: losses[n]), "e")
    assert generalization_length(p, 0, 0.1) == 32  # 8 was enough once, 16 was not
    assert generalization_length(p, 0, 0.3) == 8
    assert generalization_length(p, 0, 0.01) is None


def test_missing_cells_are_refused():
    made = power(-1.0)
    with pytest.raises(InputError, match="one loss for every difficulty"):
        panel(made[1:], "e")
    with pytest.raises(InputError, match="one of \\['e'\\]"):
        panel(made, "other")
    with pytest.raises(InputError, match="dirichlet"):
        panel(made, "e", "dirichlet")


def test_drift_is_the_exponent_in_the_test_length():
    tests = tuple(2**e for e in range(6, 13))
    p = panel(rows(lambda d, n, s, t: d * (1 + s) * t**0.3, tests=tests), "e")
    assert abs(drift(p).value - 0.3) <= 1e-12
    assert drift(panel(rows(lambda d, n, s, t: 1.0 + s), "e")).value == 0
