"""The keep/drop chain: its law, and the map made from it."""

import numpy as np
import pytest

from tests.helpers.softmax_models import hostile_inputs, random_model
from verify import InputError
from verify.simulation.softmax.keep_drop import keep, kept_runs
from verify.simulation.softmax.random_chain import simulate_random_chain
from verify.tasks.lower_bounds import average_of_runs


def test_runs_are_ordered_disjoint_and_inside():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        units = int(rng.integers(1, 500))
        wanted = rng.uniform(0.01, 1) * units
        runs = kept_runs(units, wanted, rng.uniform(1, 30), rng)
        ends = [0]
        for start, count in runs:
            assert count >= 1
            assert start > ends[-1] or len(ends) == 1  # kept runs are maximal
            ends.append(start + count)
        assert ends[-1] <= units


def test_the_chain_has_the_stated_share_and_piece_length():
    # 400 kept of 40,000 in pieces of mean 8: means over seeds, within 5 standard errors.
    totals, pieces = [], []
    for seed in range(300):
        runs = kept_runs(40_000, 400, 8.0, np.random.default_rng(seed))
        totals.append(sum(count for _, count in runs))
        pieces += [count for start, count in runs if start > 0 and start + count < 40_000]
    assert abs(np.mean(totals) - 400) <= 5 * np.std(totals) / np.sqrt(len(totals))
    assert abs(np.mean(pieces) - 8) <= 5 * np.std(pieces) / np.sqrt(len(pieces))


def test_every_position_is_kept_equally_often():
    # The chain starts in its stationary law: no edge is favoured.
    hits = np.zeros(60)
    for seed in range(4000):
        for start, count in kept_runs(60, 15, 5.0, np.random.default_rng(seed)):
            hits[start : start + count] += 1
    assert np.abs(hits / 4000 - 0.25).max() <= 5 * np.sqrt(0.25 * 0.75 / 4000)


def test_everything_wanted_is_everything_kept():
    assert kept_runs(10, 10, 3.0, np.random.default_rng(0)) == [(0, 10)]


@pytest.mark.parametrize("period", [1, 3])
def test_z_is_what_was_kept_with_its_residues(period):
    x = np.arange(100)
    tail = 1 + (100 - 1) % period
    runs = kept_runs((100 - tail) // period, 8, 2.0, np.random.default_rng(1))
    z = keep(x, runs, period=period, tail=tail)
    assert len(z) == period * sum(count for _, count in runs) + tail
    assert (np.diff(z) > 0).all()
    assert (z % period == np.arange(len(z)) % period).all()
    assert z[-tail:].tolist() == x[-tail:].tolist()


def test_the_map_measures_and_is_repeatable():
    rng = np.random.default_rng(0)
    f = random_model(rng, layers=2, regimes=["token"], period=2)
    g = random_model(rng, layers=2, regimes=["position"])
    x = hostile_inputs(rng, 3000, 2)["drift"]
    s = simulate_random_chain(x, f, g, length=200, seed=3)
    again = simulate_random_chain(x, f, g, length=200, seed=3)
    other = simulate_random_chain(x, f, g, length=200, seed=4)
    assert np.array_equal(s.short, again.short)
    assert not np.array_equal(s.short, other.short)
    assert s.error_f == np.abs(f(x) - f(s.short)).max()
    assert s.error_g == np.abs(g(x) - g(s.short)).max()
    assert s.limit is None
    assert s.proven_error is None
    assert s.length % 2 == len(x) % 2


def test_longer_pieces_trade_seams_for_fluctuations():
    # Piece length 1 cuts everywhere: the average of changes is far off on long runs.
    f = average_of_runs()
    x = np.resize(np.repeat([0, 1], 300), 120_000)
    means = {}
    for piece in (1.0, 10.0):
        errors = [
            simulate_random_chain(x, f, length=1000, seed=seed, mean_piece=piece).error_f
            for seed in range(10)
        ]
        means[piece] = np.mean(errors)
    assert means[1.0] > 2 * means[10.0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("length", {"length": 2}), ("mean_piece", {"length": 50, "mean_piece": 0.5})],
)
def test_bad_arguments_are_named(name, arguments):
    f = random_model(np.random.default_rng(0), layers=2, regimes=["token"], locality=2)
    with pytest.raises(InputError) as caught:
        simulate_random_chain(np.zeros(100, dtype=np.int64), f, **arguments)
    assert caught.value.name == name
