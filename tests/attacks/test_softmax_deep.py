"""Theorem D attacked from its statement: every step of it, on random models and hostile inputs.

Models of three and four layers with lag biases of every regime in every layer; inputs that are
random, switch late, or have a period. Steps 1, 2, 4, 5 and the theorem are measured with code that
shares nothing with the proof's (`tests/helpers/deep_softmax.py`); only the choice of the windows is
the library's.
"""

from fractions import Fraction as F
from itertools import product

import mpmath
import numpy as np
import pytest

from tests.helpers.deep_softmax import (
    BIASES,
    frozen_state,
    limit_states,
    random_model,
    true_states,
)
from tests.helpers.theorem_d import levels, theorem_d
from verify import Head, Layer, LimitTransformer
from verify.simulation.softmax.blocks import plan_schedule
from verify.simulation.softmax.deep import DeepPair, deep_input
from verify.simulation.softmax.schedule import Schedule

GAMMA, LOG_ETA = F(1, 2), -2


def inputs(rng, total):
    """Three families of inputs."""
    yield rng.integers(2, size=total)
    yield (np.arange(total) > 0.6 * total).astype(np.int64)
    yield np.resize(rng.integers(2, size=5), total)
    yield np.arange(total) // 17 % 2


class Steps:
    """Ratios of what was measured to what the recursion allows, step by step."""

    def __init__(self, f, x, schedule, without=(), log_eta=LOG_ETA):
        self.worst = {}
        pair = DeepPair.of(f, None)
        c, stack = pair.constants, pair.stacks[0]
        plan = plan_schedule(len(x), schedule, locality=pair.locality, period=pair.period)
        z = deep_input(x, pair, plan, log_eta)
        eta = mpmath.mpf(2) ** log_eta
        period = pair.period
        shape = (c, c.f, f.vocabulary_size, period, mpmath.mpf(0.5), eta)
        found = levels(*shape, schedule.repeats, schedule.levels, without)
        y, limit = true_states(stack, x), limit_states(stack, x)
        short = z.short
        limit_z = limit_states(stack, short)
        taus = c.localities
        e = [plan.units, plan.short_units]
        for level in range(1, len(stack.layers)):
            now, span = found[level], sum(taus[:level])
            for i in range(len(x)):
                gap = np.linalg.norm(y[level][i] - limit[level][i])
                self.note("1", gap, now.B * mpmath.mpf(i + 1) ** -0.5)
            start = 0
            for k in range(1, plan.pieces + 1):
                prefix = schedule.prefix(k)
                end = e[0] * prefix / e[1]
                frozen = {}

                def state(window, place, level=level, end=end, frozen=frozen):
                    key = (place % period, *window)
                    if key not in frozen:
                        frozen[key] = frozen_state(stack, limit, level, window, place, end)
                    return frozen[key]

                low, high = e[0] * schedule.prefix(k - 1) / e[1], end
                for j in range(period * int(low) + 1, period * int(np.ceil(high)) + 1):
                    if j > span:
                        window = x[j - 1 - span : j][::-1]
                        gap = np.linalg.norm(limit[level][j - 1] - state(window, j))
                        allowed = now.x * distance(j, end, period) + now.x_ / end
                        self.note("2", gap, allowed)
                g, h, t = (v / mpmath.mpf(prefix) for v in (schedule.piece(k), k, schedule.theta))
                good = _good(z.fragments, start, period * prefix, span)
                for i in good:
                    window = short[i - 1 - span : i][::-1]
                    gap = np.linalg.norm(limit_z[level][i - 1] - state(window, i))
                    late = 1 - mpmath.mpf(i) / (period * prefix)
                    allowed = now.x * late + now.x_ / prefix + now.zeta(g, h, t)
                    self.note("4", gap, allowed)
                start = period * prefix
            share = mpmath.mpf(plan.tail) / plan.length
            zeta = now.zeta(g, h, t)
            for lag in range(sum(taus) - span + 1):
                gap = np.linalg.norm(limit[level][-1 - lag] - limit_z[level][-1 - lag])
                self.note("5", gap, zeta + 2 * now.x * share)
        error = float(np.abs(f(x) - f(short)).max())
        bound = theorem_d(
            *shape, schedule.theta, schedule.repeats, schedule.levels, plan.tail, plan.length
        )
        self.note("D", error, bound)

    def note(self, step, measured, allowed):
        if measured <= 1e-12:
            return
        ratio = float(measured / allowed) if allowed else np.inf
        self.worst[step] = max(self.worst.get(step, 0.0), ratio)


def distance(j, end, period):
    """Total variation of a uniform position of 1..j and of one before the end of the block."""
    whole = int(end)
    block = np.ones(period * (whole + 1)) / (period * end)
    block[period * whole :] *= end - whole
    return np.abs(block - (np.arange(len(block)) < j) / j).sum() / 2 if j <= len(block) else None


def _good(fragments, start, stop, span):
    """Positions (from 1) of a piece whose last `span` predecessors lie in their own fragment."""
    at = 0
    for _, count in fragments:
        for offset in range(count):
            if start < at + offset + 1 <= stop and offset >= span:
                yield at + offset + 1
        at += count


CASES = [
    ("balanced", "balanced", "balanced"),
    ("position dominant", "balanced", "none"),
    ("none", "all lags", "token dominant"),
    ("balanced", "position dominant", "position dominant"),
    ("none", "none", "none"),
    ("balanced", "none", "balanced", "none"),
    ("position dominant", "all lags", "token dominant", "balanced"),
]


def largest_ratios(seeds, cases, schedules, total, period=1):
    """The largest ratio of each step, over models × inputs × schedules."""
    worst = {}
    for seed, kinds, shape in product(seeds, cases, schedules):
        rng = np.random.default_rng([seed, len(kinds)])
        scale, scores = rng.choice([0.2, 0.6]), rng.choice([0.0, 0.3])
        f = random_model(rng, kinds, scale=scale, scores=scores, period=period)
        family = list(inputs(rng, total))
        for x in (family[seed % len(family)],):
            for step, ratio in Steps(f, x, Schedule(*shape)).worst.items():
                worst[step] = max(worst.get(step, 0.0), ratio)
    return worst


@pytest.mark.slow
@pytest.mark.covers("attack", "derived.softmax_deep")
def test_every_step_holds_on_hostile_inputs():
    worst = largest_ratios(range(1), CASES, [(2, 1, 5), (1, 6, 2)], 110)
    assert set(worst) == {"1", "2", "4", "5", "D"}
    assert all(ratio <= 1 for ratio in worst.values()), worst
    assert worst["2"] > 0.05  # somewhere near the bound


@pytest.mark.slow
def test_every_step_holds_with_periodic_positions():
    worst = largest_ratios(range(1), CASES[1:3], [(1, 2, 3)], 151, period=2)
    assert set(worst) == {"1", "2", "4", "5", "D"}
    assert all(ratio <= 1 for ratio in worst.values()), worst


def changes_counted(lag_bias=(0.0, 2.0)):
    """Layer 1: relu(x_i − x_{i−1}); layer 2: its mean so far; layer 3: reads that."""
    width = 4  # token, previous token, change, its mean
    copy = np.zeros((width, width))
    copy[1, 0] = 1.0
    mean = np.zeros((width, width))
    mean[3, 2] = 1.0
    nothing = np.zeros((width, width))
    rise = np.array([[1.0, -1.0, 0.0, 0.0]])
    layers = (
        Layer((Head(nothing, copy, list(lag_bias)),), rise, [0.0], np.eye(width)[:, 2:3]),
        Layer((Head(nothing, mean, [0.0]),)),
        Layer((Head(nothing, nothing, [0.0]),)),
    )
    embedding = np.zeros((2, width))
    embedding[1, 0] = 1.0
    return LimitTransformer(embedding, np.zeros((1, width)), layers, np.eye(width)[3:], None)


@pytest.mark.slow
def test_without_broken_windows_the_recursion_fails():
    """Pieces of one symbol: no window survives. W allows for it, nothing else does."""
    f, x = changes_counted(), np.arange(400) // 8 % 2
    assert Steps(f, x, Schedule(1, 60, 1)).worst["5"] <= 1
    assert Steps(f, x, Schedule(1, 60, 1), without={"W"}).worst["5"] > 1


def test_without_balance_the_recursion_fails():
    f = random_model(np.random.default_rng(3), ("none", "none", "none"), scores=0.0)
    x = np.random.default_rng(4).integers(2, size=300)
    assert Steps(f, x, Schedule(2, 1, 6)).worst["4"] <= 1
    assert Steps(f, x, Schedule(2, 1, 6), without={"Z"}).worst["4"] > 1


def test_without_the_distance_from_the_limit_the_recursion_fails():
    f = random_model(np.random.default_rng(5), ("balanced", "none", "none"))
    x = np.random.default_rng(6).integers(2, size=150)
    assert Steps(f, x, Schedule(2, 1, 5)).worst["1"] <= 1
    assert Steps(f, x, Schedule(2, 1, 5), without={"B"}).worst["1"] > 1


def test_regimes_are_all_attacked():
    assert {kind for kinds in CASES for kind in kinds} == set(BIASES)
