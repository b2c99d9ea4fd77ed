"""Trained models are limit transformers: the same function, exported without loss."""

import dataclasses

import numpy as np
import pytest

import verify
from verify.errors import InputError
from verify.model.summary import Summary
from verify.tasks.k_gram import in_context_k_gram

jax = pytest.importorskip("jax")
pytest.importorskip("optax")

from verify.training.experiment import Experiment, Setting  # noqa: E402
from verify.training.export import to_limit_transformer  # noqa: E402
from verify.training.model import forward, initialise, one_layer_attention  # noqa: E402
from verify.training.tasks import KGramTask, make_task  # noqa: E402


def experiment(task, settings, **changes):
    base = {
        "name": "test",
        "task": task,
        "sweep": "",
        "distribution": "dirichlet",
        "settings": settings,
        "training_lengths": (8,),
        "seeds": (0,),
        "test_lengths": (128,),
        "test_distributions": ("dirichlet",),
        "width": 12,
        "hidden": 20,
        "heads": 1,
        "locality": 2,
        "precision_bits": 8,
    }
    return Experiment(**(base | changes))


def random_params(e, seed, size):
    """Parameters far from initialisation: every array dense, logits of order `size`."""
    params = initialise(e, jax.random.key(seed))
    rng = np.random.default_rng(seed)
    noisy = {}
    for name, array in params.items():
        scale = np.sqrt(1 / 12) if array.ndim > 1 and name not in ("embedding",) else 1.0
        noisy[name] = (np.asarray(array) + size * scale * rng.normal(size=array.shape)).astype("f4")
    if e.period == 1:
        noisy["positions"] = np.zeros_like(noisy["positions"])  # frozen: a task without positions
    if e.scaling == "plain":
        noisy["lag_bias"] = np.zeros_like(noisy["lag_bias"])
    return noisy


def sequences(e, setting, batch, rng):
    """Token sequences that have the counts and suffixes of a counted batch, in random order."""
    size, tau = e.vocabulary_size, e.locality
    for i in range(len(batch["length"])):
        length = int(batch["length"][i])
        x = np.full(length, -1)
        for lag in range(min(tau + 1, length)):
            x[length - 1 - lag] = batch["suffix"][i, lag] % size
        counts = batch["counts"][i].reshape(e.period, size).astype(int)
        for residue in range(setting.period):
            places = np.flatnonzero(
                (x < 0) & (np.arange(1, length + 1) % setting.period == residue)
            )
            tokens = np.repeat(np.arange(size), counts[residue])
            assert len(tokens) == len(places)
            x[rng.permutation(places)] = tokens
        yield x


ONE_LAYER = [
    ("simple", Setting(3.0), {}),
    ("mod_p", Setting(3, period=3), {}),
    ("mod_p", Setting(2, period=2), {"precision_bits": 3}),
    ("mod_p", Setting(3, period=3), {"scaling": "plain", "precision_bits": None}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "setting", "changes"), ONE_LAYER)
@pytest.mark.parametrize("size", [0.3, 1.0])
def test_one_layer_export_equals_the_reference(task, setting, changes, size):
    # Padded on purpose: the grid has a larger period than the run.
    larger = dataclasses.replace(setting, period=setting.period + (setting.period > 1))
    e = experiment(task, (larger, setting), **changes)
    run = next(r for r in e.runs() if r.setting == setting)
    params = random_params(e, 1, size)
    f = to_limit_transformer(e, run, params)
    rng = np.random.default_rng(5)
    sampler = make_task(e, setting)
    lengths = rng.integers(sampler.shortest, 40, 60)
    batch = sampler.sample(rng, lengths, "conditional")
    output = np.asarray(forward(e, params, batch))
    for i, x in enumerate(sequences(e, setting, batch, rng)):
        expected = verify.reference(f, x)
        assert np.abs(output[i] - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
        assert np.abs(f(x) - expected).max() <= 1e-9 * max(1, np.abs(expected).max())


@pytest.mark.slow
def test_attention_is_a_law_on_types():
    setting = Setting(3, period=3)
    e = experiment("mod_p", (setting,))
    batch = make_task(e, setting).sample(np.random.default_rng(0), np.arange(3, 40), "dirichlet")
    weights = np.asarray(one_layer_attention(e, random_params(e, 0, 1.0), batch))
    assert weights.min() >= 0
    assert np.abs(weights.sum(axis=2) - 1).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("size", [0.3, 1.0])
@pytest.mark.parametrize("distribution", ["uniform", "conditional"])
def test_two_layer_export_equals_the_reference(distribution, size):
    setting = Setting(2, vocabulary_size=2, k=2)
    e = experiment(
        "k_gram",
        (Setting(3, vocabulary_size=3, k=2), setting),
        heads=2,
        precision_bits=None,
    )
    run = next(r for r in e.runs() if r.setting == setting)
    params = random_params(e, 3, size)
    f = to_limit_transformer(e, run, params)
    rng = np.random.default_rng(7)
    batch = make_task(e, setting).sample(rng, rng.integers(3, 40, 40), distribution)
    output = np.asarray(forward(e, params, batch))[:, : setting.vocabulary_size]
    for i, length in enumerate(batch["length"]):
        expected = verify.reference(f, batch["tokens"][i, :length].astype(int))
        assert np.abs(output[i] - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_k_gram_targets_equal_the_definition():
    rng = np.random.default_rng(2)
    for k, size in ((1, 2), (2, 3), (3, 2)):
        setting = Setting(k, vocabulary_size=size, k=k)
        e = experiment("k_gram", (setting,), precision_bits=None, heads=k, locality=k)
        task = KGramTask(e, setting)
        definition = in_context_k_gram(k, size, 1.0)
        batch = task.sample(rng, rng.integers(k + 1, 30, 50), "dirichlet")
        for i, length in enumerate(batch["length"]):
            expected = definition.target(batch["tokens"][i, :length].astype(int))
            assert np.abs(batch["target"][i] - expected).max() <= 1e-6


@pytest.mark.parametrize(
    ("task", "setting"), [("simple", Setting(3.0)), ("mod_p", Setting(3, period=3))]
)
def test_counted_targets_equal_the_definition(task, setting):
    e = experiment(task, (setting,))
    sampler = make_task(e, setting)
    rng = np.random.default_rng(4)
    batch = sampler.sample(rng, rng.integers(sampler.shortest, 50, 80), "conditional")
    for i, x in enumerate(sequences(e, setting, batch, rng)):
        if task == "simple":
            expected = np.sin(3.0 * np.mean(np.where(x == 0, 1, -1)))
        else:
            expected = np.mean(x[np.arange(1, len(x) + 1) % 3 == 0] == 1)
        assert abs(batch["target"][i, 0] - expected) <= 1e-6
        # The summary type checks that the counts belong to an input of this length.
        counts = batch["counts"][i].reshape(e.period, -1).astype(int)
        oldest_first = (batch["suffix"][i][batch["present"][i]] % e.vocabulary_size)[::-1]
        assert Summary(counts, oldest_first.astype(int), len(x)) == verify.summarise(
            x, e.vocabulary_size, e.period, e.locality
        )


def test_unscaled_lag_biases_are_refused():
    setting = Setting(2, vocabulary_size=2, k=2)
    e = experiment("k_gram", (setting,), scaling="plain", precision_bits=None)
    params = initialise(e, jax.random.key(0))
    with pytest.raises(InputError, match="unscaled lag biases"):
        to_limit_transformer(e, e.runs()[0], params)


def test_experiment_refuses_short_tests_and_wrong_precision():
    with pytest.raises(InputError, match="16 × the longest training length"):
        experiment("simple", (Setting(1.0),), test_lengths=(127,))
    with pytest.raises(InputError, match="precision_bits"):
        experiment("simple", (Setting(1.0),), precision_bits=None)
    with pytest.raises(InputError, match="precision_bits"):
        experiment("k_gram", (Setting(1, k=1),))
