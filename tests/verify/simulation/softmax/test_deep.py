"""The map x → z for any depth: what it keeps, what it proves, what it refuses."""

from fractions import Fraction as F

import numpy as np
import pytest

import bounds
import verify
from tests.helpers.deep_softmax import frozen_state, limit_states, random_model
from verify import InputError, WeightsError, simulate_deep
from verify.simulation.softmax import deep_states
from verify.simulation.softmax.blocks import plan_schedule
from verify.simulation.softmax.deep import DeepPair, deep_input, dimension, proven_error
from verify.simulation.softmax.deep_features import prefix_mass
from verify.simulation.softmax.schedule import Schedule

KINDS = ("balanced", "position dominant", "token dominant")


def model(seed, kinds=KINDS, **changes):
    return random_model(np.random.default_rng(seed), kinds, **changes)


@pytest.mark.parametrize("period", [1, 2])
def test_limit_and_frozen_states_as_in_the_statement(period):
    f, x = model(0, period=period), np.random.default_rng(1).integers(2, size=41)
    along, again = deep_states.LimitStates.along(f, x), limit_states(f, x)
    assert along.states == pytest.approx(np.array(again), abs=1e-12)
    plan = plan_schedule(len(x), Schedule(1, 2, 2), locality=3, period=period)
    for k in (1, 2, 3):
        mass, end = prefix_mass(plan, k), plan.end(k) / plan.short_units
        assert mass.sum() == pytest.approx(period * end)
        window, place = np.array([1, 0, 1, 1]), 7
        for level in (1, 2):
            found = along.frozen(level, window[None], np.array([place]), mass)[0]
            expected = frozen_state(f, again, level, window, place, end)
            assert found == pytest.approx(expected, abs=1e-12)


def test_every_balanced_sum_is_small():
    """Lemma B2 for the coordinates themselves: |drift| ≤ d · λ_k · (largest feature range)."""
    f, g = model(2, scores=0.2), model(3, ("none", "balanced", "none"), scores=0.2)
    pair = DeepPair.of(f, g)
    x = np.arange(600) // 23 % 2
    plan = plan_schedule(len(x), Schedule(2, 2, 4), locality=pair.locality)
    z = deep_input(x, pair, plan, -3)
    assert z.dimension == dimension(pair, -3)
    assert z.most_undecided <= z.dimension
    pieces = np.array([plan.schedule.piece(k) for k in range(1, plan.pieces + 1)])
    assert (np.abs(z.drift).max(axis=1) <= 4 * z.dimension * pieces).all()
    assert z.short[-plan.tail :].tolist() == x[-plan.tail :].tolist()


@pytest.mark.parametrize("kinds", [KINDS, ("balanced", "balanced"), ("none",) * 3])
def test_the_map_keeps_what_is_proved(kinds):
    small = {"scale": 0.2, "scores": 0.1}
    f, g = model(4, kinds, **small), model(5, ("balanced", "none"), **small)
    x = np.arange(500) // 40 % 2
    result = simulate_deep(x, f, g, length=90)
    assert result.theorem == "derived.softmax_deep"
    assert result.length <= 90
    assert result.holds
    assert 0 < result.error <= result.proven_error < np.inf


def test_the_proven_length_comes_with_its_pieces():
    """`simulate` takes θ, q, J and η of the number that `required_length` certified."""
    f = model(6, scale=0.05, scores=0.05)
    x = np.random.default_rng(7).integers(2, size=400)
    result = verify.simulate(x, f, epsilon="1/2")
    bound = bounds.required_length(error="linf", epsilon="1/2", **verify.measure(f).parameters())
    assert result.limit == bound.length == result.length < len(x)
    assert result.proven_error <= 0.5
    assert result.holds
    short = verify.simulate(x[:5], f, epsilon="1/2")
    assert short.short.tolist() == x[:5].tolist()


@pytest.mark.slow
def test_the_error_falls_with_the_length():
    f = model(8, ("none", "balanced", "none"), scale=0.4, scores=0.2)
    pair = DeepPair.of(f, None)
    errors = [proven_error(pair, Schedule(4**k, 4**k, 4), -3) for k in range(1, 6)]
    assert errors == sorted(errors, reverse=True)
    x = np.arange(600) // 60 % 2
    measured = [simulate_deep(x, f, length=n).error for n in (30, 250)]
    assert measured[1] < measured[0]


def test_what_cannot_be_shortened_is_refused_with_the_reason():
    f = model(9)
    with pytest.raises(InputError, match=r"at most 8192 tokens"):
        simulate_deep(np.zeros(9000, int), f, length=100)
    with pytest.raises(InputError, match="at least Δ"):
        simulate_deep(np.zeros(100, int), f, length=3)
    with pytest.raises(InputError, match="coordinates to balance"):
        simulate_deep(np.zeros(100, int), model(1, ("none",) * 3), length=50, tolerance=-200)
    with pytest.raises(WeightsError, match="infinite precision"):
        simulate_deep([0, 1], verify.tasks.mod_p(2, 0).transformer, length=1)


@pytest.mark.slow
def test_check_tests_any_depth_and_the_control_differs():
    f, g = model(10, scale=0.3, scores=0.1), model(11, ("balanced", "balanced"), scale=0.3)
    report = verify.check(f, g, epsilon="1/10", length=300)
    assert report.theorem == "derived.softmax_deep"
    assert report.holds
    assert {row.map for row in report.rows} == {"balanced, any depth"}
    assert report.limit > 10**3
    wrong = verify.check(f, g, epsilon=F(1, 10), length=300, control="truncated")
    errors = [{row.family: row.error for row in one.rows} for one in (report, wrong)]
    assert errors[1]["late constant"] > 2 * errors[0]["late constant"]
