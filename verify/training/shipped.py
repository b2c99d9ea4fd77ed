"""The trained weights that come with the package, trained again: `--ship`."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import numpy as np

from verify.model import weights_file
from verify.training.export import to_limit_transformer
from verify.training.presets import PAPER
from verify.training.require import require_train_extra

_EXPERIMENTS = ("simple", "mod_p", "simple_plain")


def ship(folder: Path | None = None) -> list[Path]:
    """Train seed 0 of the `paper` preset and write one file per model; returns their paths.

    Args:
        folder: where to; by default where `verify.tasks.trained` reads them.

    Raises:
        MissingExtra: jax or optax is not installed; with the install line.
    """
    require_train_extra()
    from verify.training.optimise import train

    target = folder or Path(str(resources.files("verify") / "data" / "trained"))
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for experiment in (e for e in PAPER if e.name in _EXPERIMENTS):
        alone = dataclasses.replace(experiment, seeds=(0,))
        params, _ = train(alone)
        notes = {"experiment": json.dumps(dataclasses.asdict(alone)), "seed": "0"}
        for number, run in enumerate(alone.runs()):
            arrays = {name: np.asarray(array)[number] for name, array in params.items()}
            model = to_limit_transformer(alone, run, arrays)
            name = f"{alone.name}_{run.setting.difficulty:g}_{run.training_length}.safetensors"
            weights_file.save(model, target / name, notes)
            written.append(target / name)
    return written
