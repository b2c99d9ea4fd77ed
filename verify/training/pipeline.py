"""Step 1: train what is not finished, and gather the rows of all experiments in one file."""

from __future__ import annotations

import functools
import json
import os
import platform
import time
from pathlib import Path

from verify.training import store
from verify.training.experiment import Experiment
from verify.training.require import require_train_extra


def train_all(experiments: tuple[Experiment, ...], out: Path, *, quiet: bool = False) -> Path:
    """Train every experiment not yet finished in `out`; returns the path of the rows of all.

    Killed and started again, it goes on with the first experiment whose files are not there or
    belong to another configuration. `out/timing.json` holds the seconds and the machine of each.

    **Raises:** `MissingExtra` with the install line when jax, optax or tqdm is not installed.
    """
    require_train_extra()
    import jax
    from tqdm import tqdm

    from verify.training.evaluate import evaluate
    from verify.training.optimise import train

    for experiment in tqdm(experiments, desc="experiments", disable=quiet):
        if store.is_finished(out, experiment):
            continue
        bar = functools.partial(
            tqdm,
            desc=f"{experiment.name}: {len(experiment.runs())} runs, chunks of steps",
            total=-(-experiment.steps // 50),
            disable=quiet,
            leave=False,
        )
        started = time.perf_counter()
        params, _ = train(experiment, bar)
        trained = time.perf_counter()
        rows = evaluate(experiment, params)
        store.write_weights(store.weights_path(out, experiment), experiment, params)
        store.write_rows(store.rows_path(out, experiment), rows)
        _note_timing(
            out,
            experiment,
            {
                "runs": len(experiment.runs()),
                "steps": experiment.steps,
                "train_seconds": round(trained - started, 1),
                "test_seconds": round(time.perf_counter() - trained, 1),
                "device": jax.devices()[0].device_kind,
                "machine": platform.machine(),
                "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            },
        )
    return gather(experiments, out)


def gather(experiments: tuple[Experiment, ...], out: Path) -> Path:
    """Write `out/runs.csv.gz`: the rows of all experiments, in their order."""
    rows = [row for e in experiments for row in store.read_rows(store.rows_path(out, e))]
    path = out / "runs.csv.gz"
    store.write_rows(path, rows)
    return path


def _note_timing(out: Path, experiment: Experiment, entry: dict[str, object]) -> None:
    path = out / "timing.json"
    timing = json.loads(path.read_text()) if path.exists() else {}
    timing[experiment.name] = entry
    store.write_atomically(path, (json.dumps(timing, indent=2) + "\n").encode())
