"""Steps 1 and 2: train what is not trained, test what is not tested, gather all rows."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from verify.files import read_json
from verify.training import store
from verify.training.experiment import Experiment
from verify.training.require import require_train_extra


def train_all(experiments: tuple[Experiment, ...], out: Path, *, quiet: bool = False) -> Path:
    """Train and test every experiment not yet finished in `out`; returns the path of all rows.

    Killed and started again, it goes on with the first experiment whose files are not there or
    belong to another configuration. `out/timing.json` holds the seconds and the machine of each.

    Raises:
        MissingExtra: jax, optax or tqdm is not installed; with the install line.
    """
    require_train_extra()
    import jax
    from tqdm import tqdm

    from verify.training.evaluate import evaluate
    from verify.training.optimise import train

    for experiment in tqdm(experiments, desc="experiments", disable=quiet):
        started = time.perf_counter()
        if not store.is_trained(out, experiment):

            def bar(chunks: Iterator[int], total: int, title: str) -> Iterable[int]:
                return tqdm(chunks, desc=title, total=total, disable=quiet, leave=False)  # type: ignore[no-any-return]

            params, _ = train(experiment, bar)
            # First the seconds: with its weights there, an experiment is not trained again.
            _note_timing(out, experiment, time.perf_counter() - started, jax.devices()[0])
            store.write_weights(store.weights_path(out, experiment), experiment, params)
        if not store.is_tested(out, experiment):
            _, arrays = store.read_weights(store.weights_path(out, experiment))
            params = {name: jax.numpy.asarray(array) for name, array in arrays.items()}
            store.write_rows(store.rows_path(out, experiment), evaluate(experiment, params))
    return gather(experiments, out)


def gather(experiments: tuple[Experiment, ...], out: Path) -> Path:
    """Write `out/runs.csv.gz`: the rows of all experiments, in their order."""
    rows = [row for e in experiments for row in store.read_rows(store.rows_path(out, e))]
    path = out / "runs.csv.gz"
    store.write_rows(path, rows)
    return path


def _note_timing(out: Path, experiment: Experiment, seconds: float, device: Any) -> None:
    """Add to `out/timing.json` how long training took, compilation included, and on what."""
    path = out / "timing.json"
    try:
        timing = read_json(path) if path.exists() else {}
        timing = timing if isinstance(timing, dict) else {}
    except (OSError, ValueError):
        timing = {}  # nothing rests on it
    affinity = getattr(os, "sched_getaffinity", None)
    timing[experiment.name] = {
        "runs": len(experiment.runs()),
        "steps": experiment.steps,
        "train_seconds": round(seconds, 1),
        "device": device.device_kind,
        "machine": platform.machine(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
    }
    store.write_atomically(path, (json.dumps(timing, indent=2) + "\n").encode())
