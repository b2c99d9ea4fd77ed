"""The trained weights that ship: all there, as described, and near their targets."""

import json

import numpy as np
import pytest
from safetensors import safe_open

import verify
from verify import InputError
from verify.tasks import all_trained, trained, trained_pair
from verify.tasks.trained import _path


def test_sixty_models_are_stored_with_their_training_configuration():
    pairs = all_trained()
    assert len(pairs) == len({pair.name for pair in pairs}) == 60
    for pair in pairs:
        path = str(_path(pair.task, pair.difficulty, pair.training_length, 0))
        with safe_open(path, framework="numpy") as file:
            notes = json.loads(file.metadata()["experiment"])
        assert notes["name"] == pair.task
        assert notes["seeds"] == [0]
        assert pair.training_length in notes["training_lengths"]


@pytest.mark.parametrize("pair", all_trained(), ids=lambda pair: pair.name)
def test_a_trained_model_is_near_its_target_at_the_length_it_was_trained_on(pair):
    rng = np.random.default_rng(0)
    length = pair.training_length
    errors = []
    for _ in range(50):
        x = rng.integers(0, 2, size=length)
        if pair.task == "mod_p" and length < 2 * pair.difficulty:
            x = rng.integers(0, 2, size=2 * pair.difficulty)
        errors.append(float(np.abs(pair.model(x) - pair.target(x)).max()))
    # A model that had not been trained would be off by about 0.3 (ModPTask) or 0.6 (SimpleTask).
    assert np.median(errors) < 0.15


def test_a_model_is_named_by_task_difficulty_and_training_length():
    model = trained("mod_p", period=5, training_length=64)
    assert model == trained_pair("mod_p", period=5, training_length=64).model
    assert model.period == 5
    assert trained("simple_plain", omega=4, training_length=32).precision_bits is None
    assert verify.tasks.trained is trained


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"task": "mod_q", "training_length": 8}, "task"),
        ({"task": "mod_p", "training_length": 8}, "period"),
        ({"task": "mod_p", "period": 4, "training_length": 8}, "period"),
        ({"task": "mod_p", "period": 5, "omega": 2, "training_length": 8}, "omega"),
        ({"task": "simple", "omega": 2, "training_length": 10}, "training_length"),
        ({"task": "simple", "omega": 2, "training_length": 8, "seed": 1}, "seed"),
    ],
)
def test_what_is_not_stored_is_refused_by_name(arguments, named):
    with pytest.raises(InputError, match=named):
        trained(**arguments)
