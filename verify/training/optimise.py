"""Training: Adam with μP learning rates and a schedule, all runs of an experiment at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from verify.training.experiment import Experiment, Run
from verify.training.inputs import stack
from verify.training.model import Params, forward, initialise, learning_rates
from verify.training.tasks import Task, make_task

CHUNK = 50  # steps whose data are drawn at once and run in one call


def run_seed(experiment: Experiment, run: Run, purpose: str) -> np.random.SeedSequence:
    """Seeds that depend on the run alone, never on which runs train beside it."""
    setting = run.setting
    return np.random.SeedSequence(
        [
            *purpose.encode(),
            *experiment.task.encode(),
            *experiment.distribution.encode(),
            setting.vocabulary_size,
            setting.period,
            setting.k,
            round(1000 * setting.difficulty),
            run.training_length,
            run.seed,
        ]
    )


def schedule(experiment: Experiment) -> optax.Schedule:
    """Linear warm-up over 5% of the steps, then a cosine to 0."""
    warmup = max(1, experiment.steps // 20)
    return optax.warmup_cosine_decay_schedule(
        0.0, experiment.learning_rate, warmup, experiment.steps
    )


def optimiser(experiment: Experiment) -> optax.GradientTransformation:
    """Adam, its update multiplied by the μP factor of each parameter and by the schedule."""
    factors = learning_rates(experiment)

    def scale(updates: Params, state: Any, params: Any = None) -> tuple[Params, Any]:
        return {name: factors[name] * update for name, update in updates.items()}, state

    return optax.chain(
        optax.scale_by_adam(b1=0.9, b2=0.99),
        optax.GradientTransformation(lambda params: optax.EmptyState(), scale),
        optax.scale_by_learning_rate(schedule(experiment)),
    )


def initial_params(experiment: Experiment, runs: tuple[Run, ...]) -> Params:
    """Parameters of all runs, stacked along a first axis."""
    seeds = [run_seed(experiment, run, "weights").generate_state(1)[0] for run in runs]
    keys = jnp.stack([jax.random.key(int(seed)) for seed in seeds])
    return dict(jax.vmap(lambda key: initialise(experiment, key))(keys))


def train(
    experiment: Experiment,
    progress: Callable[[Iterator[int], int, str], Iterable[int]] | None = None,
) -> tuple[Params, np.ndarray]:
    """Train every run of the experiment on fresh inputs at every step.

    Runs on counts train all in one program. Runs on tokens are padded to the training length, so
    each length has its own; what a run learns does not depend on which runs are beside it.

    Args:
        progress: wraps the chunks of one program, given their number and a title.

    Returns:
        Parameters with the runs along the first axis, and training losses (R, steps).
    """
    if experiment.task != "k_gram" or len(experiment.training_lengths) == 1:
        return _train_together(experiment, progress)
    parts = {
        length: _train_together(
            dataclasses.replace(experiment, training_lengths=(length,)), progress
        )
        for length in experiment.training_lengths
    }
    place = {
        run: (length, i)
        for length in parts
        for i, run in enumerate(dataclasses.replace(experiment, training_lengths=(length,)).runs())
    }
    order = [place[run] for run in experiment.runs()]
    names = parts[experiment.training_lengths[0]][0]
    params = {name: jnp.stack([parts[n][0][name][i] for n, i in order]) for name in names}
    return params, np.stack([parts[n][1][i] for n, i in order])


def _train_together(experiment: Experiment, progress: Any) -> tuple[Params, np.ndarray]:
    """Train all runs in one compiled program."""
    runs = experiment.runs()
    tasks = [make_task(experiment, run.setting) for run in runs]
    generators = [np.random.default_rng(run_seed(experiment, run, "data")) for run in runs]
    transform = optimiser(experiment)

    def loss(params: Params, batch: dict[str, jax.Array]) -> jax.Array:
        return jnp.mean(Task.loss(forward(experiment, params, batch), batch["target"]))

    def step(carry: Any, batch: dict[str, jax.Array]) -> tuple[Any, jax.Array]:
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params, batch)
        updates, state = transform.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def advance(carry: Any, batches: dict[str, jax.Array]) -> tuple[Any, jax.Array]:
        return jax.lax.scan(jax.vmap(step), carry, batches)

    params = initial_params(experiment, runs)
    carry = (params, jax.vmap(transform.init)(params))
    losses = []
    chunks: Iterable[int] = range(0, experiment.steps, CHUNK)
    if progress:
        title = f"{experiment.name}: {len(runs)} runs, n ≤ {max(experiment.training_lengths)}"
        chunks = progress(iter(chunks), len(range(0, experiment.steps, CHUNK)), title)
    for start in chunks:
        number = min(CHUNK, experiment.steps - start)
        batches = [
            _draw(experiment, task, rng, run, number)
            for task, rng, run in zip(tasks, generators, runs, strict=True)
        ]
        carry, values = advance(carry, stack(batches))
        losses.append(np.asarray(values))
    return carry[0], np.concatenate(losses).T


def _draw(
    experiment: Experiment, task: Task, rng: np.random.Generator, run: Run, steps: int
) -> dict[str, np.ndarray]:
    """Fresh training inputs of one run, with axes (step, input, …)."""
    number = steps * experiment.batch
    lengths = task.training_lengths(rng, run.training_length, number)
    batch = task.sample(rng, lengths, experiment.distribution)
    if "tokens" in batch:  # one width for all runs of the experiment
        missing = max(experiment.training_lengths) - batch["tokens"].shape[1]
        batch["tokens"] = np.pad(batch["tokens"], ((0, 0), (0, missing)))
    return {name: a.reshape(steps, experiment.batch, *a.shape[1:]) for name, a in batch.items()}
