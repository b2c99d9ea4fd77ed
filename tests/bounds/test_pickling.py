"""Results go to other processes and come back: pools that start afresh, and saved files."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

import bounds

GIVEN = {
    "theorem": "derived.average_two_layer_argmax",
    "epsilon": "1/12",
    "target": "2/5",
    "lipschitz_euclidean": "3/2",
    "vocabulary_size": 3,
    "period": 3,
    "locality": 1,
    "precision_bits": 4,
    "margin": "3/11",
    "alpha_min": "5/9",
    "alpha_total": 3,
}


def _key(entry):
    return entry.key


def _sweep(epsilons):
    return bounds.sweep(**GIVEN | {"epsilon": epsilons})


@pytest.mark.slow
def test_results_cross_to_processes_that_start_afresh():
    here = bounds.required_length(**GIVEN)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        there = pool.submit(bounds.required_length, **GIVEN).result()
        assert there.to_dict() == here.to_dict()
        assert there.expression == here.expression
        assert there.theorem is here.theorem
        assert pool.submit(_key, here.theorem).result() == here.theorem.key
        assert pool.submit(str, here).result() == str(here)
        assert pool.submit(str, here.expression).result() == str(here.expression)
        table = pool.submit(_sweep, ["1/12", "1/24"]).result()
        assert list(table) == list(_sweep(["1/12", "1/24"]))
        refused = pool.submit(bounds.required_length, **GIVEN | {"period": 0})
        with pytest.raises(bounds.ParameterError, match="period"):
            refused.result()


@pytest.mark.slow
@pytest.mark.parametrize("key", [GIVEN["theorem"], "izzo2025.4.1"])
def test_an_entry_is_pickled_by_its_key_alone(key):
    saved = pickle.dumps(bounds.theorem(key))
    assert len(saved) < 200
    code = f"import pickle; print(pickle.loads({saved!r}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(bounds.theorem(key))


def test_a_changed_copy_of_an_entry_is_not_taken_for_the_entry():
    entry = bounds.theorem("izzo2025.4.2")
    changed = replace(entry, title="another", formula=None, defaults={}, hypotheses=())
    twin = pickle.loads(pickle.dumps(changed))
    assert twin.title == "another"
    assert twin is not entry
