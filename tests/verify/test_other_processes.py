"""Pools of processes, and callers with floating-point errors set to raise."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import verify
from verify import inputs
from verify.checks.check import standard_inputs
from verify.checks.pairs import nested_pair, random_pair
from verify.checks.slopes import standard_families
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN, runs_pair
from verify.simulation import simulator
from verify.simulation.softmax.simulator import SoftmaxSimulator

PAIR = nested_pair()


def again(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("control", [None, "truncated"])
def test_a_simulator_pickles_with_all_it_measured(control):
    run = simulator(PAIR.f, PAIR.g, epsilon="1/20", control=control)
    copy = again(run)
    x = inputs.make("nested", 1, 5000, vocabulary_size=3).build()
    assert copy.bound.length == run.bound.length
    assert copy(x).short.tolist() == run(x).short.tolist()
    assert copy(x).violations == run(x).violations


def test_a_softmax_simulator_pickles():
    pair = SOFTMAX_BUILT_IN["softmax-1"]()
    run = SoftmaxSimulator(pair.f, pair.g, 1)
    x = np.arange(3000) % 3
    assert again(run)(x).short.tolist() == run(x).short.tolist()


def test_inputs_pickle(tmp_path):
    run = simulator(PAIR.f, PAIR.g, epsilon="1/20")
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be", encoding="utf-8")
    entries = [*standard_inputs(run, length=500), inputs.from_text(path, 3, 50)]
    for entry in entries:
        copy = again(entry)
        assert copy.name == entry.name
        first, second = entry.build(), copy.build()
        assert first == second if isinstance(first, verify.Summary) else (first == second).all()


def test_families_and_reports_pickle():
    for build in standard_families(2, longest=64, most=1000).values():
        assert (again(build)(64) == build(64)).all()
    report = verify.check(PAIR.f, PAIR.g, epsilon="1/20", length=2000, control="truncated")
    assert again(report).to_dict() == report.to_dict()
    softmax = verify.check(runs_pair().f, epsilon=1, inputs=[np.arange(900) // 30 % 2])
    assert again(softmax).to_dict() == softmax.to_dict()


def errors_of(run, entry):
    simulation = run(entry.build())
    return simulation.error_f, simulation.error_g


@pytest.mark.slow
def test_a_pool_of_processes():
    run = simulator(PAIR.f, PAIR.g, epsilon="1/20")
    entries = standard_inputs(run, length=2000)[:6]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = list(pool.map(errors_of, [run] * len(entries), entries))
    assert found == [errors_of(run, entry) for entry in entries]


@pytest.mark.slow
@pytest.mark.parametrize("name", SOFTMAX_BUILT_IN)
def test_callers_may_let_underflow_raise_in_softmax_models(name):
    pair = SOFTMAX_BUILT_IN[name]()
    x = np.arange(1600) // 40 % pair.f.vocabulary_size
    plain = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x])
    with np.errstate(all="raise"):
        report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x])
        assert verify.simulate(x, pair.f, pair.g, epsilon=pair.epsilon).holds
    assert report.rows == plain.rows


def test_callers_may_let_underflow_raise():
    pair = random_pair(3, heads=2, steps=5)
    sharp = verify.tasks.in_context_k_gram(1, 2, 900.0).transformer
    x = np.arange(900) // 30 % 2
    expected = sharp(x)
    with np.errstate(all="raise"):
        report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, length=20_000)
        assert report.holds
        assert (sharp(x) == expected).all()
        assert np.abs(verify.reference(sharp, x) - expected).max() < 1e-9
