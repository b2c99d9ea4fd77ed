"""Test losses of trained models at every test length, as rows of the results file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bounds.version import version
from verify.training.experiment import Experiment, Setting
from verify.training.model import Params, forward
from verify.training.optimise import run_seed
from verify.training.tasks import Batch, Task, make_task

Row = dict[str, Any]
Losses = Callable[[Params, Batch], jax.Array]
FITTED = 0.05  # a run fitted if its loss on fresh training-length inputs is below this × variance


def versions() -> str:
    """Versions of everything that a result depends on."""
    libraries = (f"{name}={metadata.version(name)}" for name in ("jax", "optax", "numpy"))
    return " ".join([f"lgbounds={version()}", *libraries])


def evaluate(experiment: Experiment, params: Params) -> list[Row]:
    """One row per run, test distribution and test length; nothing is filtered or averaged."""
    losses = jax.jit(partial(_losses, experiment))
    common = {"experiment": experiment.name, "task": experiment.task, "sweep": experiment.sweep}
    common |= {"distribution": experiment.distribution, "scaling": experiment.scaling}
    ending = {"config_digest": experiment.digest(), "versions": versions()}
    runs = experiment.runs()
    rows = []
    for setting in experiment.settings:
        numbers = [i for i, run in enumerate(runs) if run.setting == setting]
        chosen = {name: array[np.array(numbers)] for name, array in params.items()}
        at_training = _training_losses(experiment, losses, params, numbers)
        for test_distribution, length, batch in _tests(experiment, setting):
            values = np.asarray(losses(chosen, batch))
            variance = float(batch["target"].var(axis=0).sum())
            for i, (mean, worst) in zip(numbers, values, strict=True):
                training_loss, training_variance = at_training[i]
                rows.append(
                    common
                    | _columns(setting)
                    | {
                        "training_length": runs[i].training_length,
                        "seed": runs[i].seed,
                        "test_distribution": test_distribution,
                        "test_length": length,
                        "loss": float(mean),
                        "max_error": float(worst),
                        "target_variance": variance,
                        "training_loss": training_loss,
                        "fitted": int(training_loss <= FITTED * training_variance),
                    }
                    | ending
                )
    return rows


def _columns(setting: Setting) -> Row:
    return {
        "difficulty": setting.difficulty,
        "vocabulary_size": setting.vocabulary_size,
        "period": setting.period,
        "k": setting.k,
    }


def _losses(experiment: Experiment, params: Params, batch: dict[str, jax.Array]) -> jax.Array:
    """Mean loss and largest |f − g| of each run (R, 2).

    One run after another: long inputs would not fit side by side.
    """

    def one(single: Params) -> jax.Array:
        output = forward(experiment, single, batch)
        mean = jnp.mean(Task.loss(output, batch["target"]))
        return jnp.stack([mean, jnp.abs(output - batch["target"]).max()])

    return jnp.asarray(jax.lax.map(one, params))


def _tests(experiment: Experiment, setting: Setting) -> Iterator[tuple[str, int, Batch]]:
    """Test inputs, the same for all runs of a setting, and never those of training."""
    task = make_task(experiment, setting)
    for number, distribution in enumerate(experiment.test_distributions):
        for length in experiment.test_lengths:
            entropy = [setting.vocabulary_size, setting.period, setting.k, number, length]
            rng = np.random.default_rng([*b"test", *experiment.task.encode(), *entropy])
            lengths = task.test_lengths(length, experiment.test_inputs)
            yield distribution, length, task.sample(rng, lengths, distribution)


def _training_losses(
    experiment: Experiment, losses: Losses, params: Params, numbers: list[int]
) -> dict[int, tuple[float, float]]:
    """Loss and target variance of each run on fresh inputs of its own training lengths."""
    found = {}
    for i in numbers:
        run = experiment.runs()[i]
        task = make_task(experiment, run.setting)
        rng = np.random.default_rng(run_seed(experiment, run, "fit"))
        lengths = task.training_lengths(rng, run.training_length, experiment.test_inputs)
        batch = task.sample(rng, lengths, experiment.distribution)
        if "tokens" in batch:  # one width for all runs: one compilation
            missing = max(experiment.training_lengths) - batch["tokens"].shape[1]
            batch["tokens"] = np.pad(batch["tokens"], ((0, 0), (0, missing)))
        value = losses({name: array[i : i + 1] for name, array in params.items()}, batch)
        found[i] = (float(value[0, 0]), float(batch["target"].var(axis=0).sum()))
    return found
