"""Files of an experiment: weights in safetensors, rows in gzipped csv, both written atomically.

A run that was killed leaves no half file, and the next one starts with the first experiment whose
weights or rows are missing or carry another digest.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from verify.errors import InputError
from verify.files import write_beside
from verify.training.experiment import Experiment, Run

Row = dict[str, Any]

COMMITTED = Path(__file__).parents[1] / "data" / "experiments"
"""The tables of the paper preset, which come with the package."""

TEXT = {  # columns that are never numbers, whatever their digits look like
    *("experiment", "task", "sweep", "distribution", "scaling", "test_distribution"),
    *("config_digest", "versions", "quantity", "theorem", "status"),
}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it is in; readers see the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_beside(path, content)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as gzipped csv; floats with all their digits, and the same bytes each time."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, gzip.compress(text.getvalue().encode(), mtime=0))


def read_rows(path: Path) -> list[Row]:
    """Read rows; numbers come back as int or float, an empty cell as None.

    Raises:
        InputError: the file is not there.
    """
    if not path.exists():
        raise InputError("path", str(path), "a results file written by python -m verify.training")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [{n: _value(n, cell) for n, cell in row.items()} for row in csv.DictReader(file)]


def _value(name: str, cell: str) -> Any:
    if name in TEXT:
        return cell
    if cell == "":
        return None
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def write_weights(path: Path, experiment: Experiment, params: Mapping[str, Any]) -> None:
    """Write the arrays of all runs, stacked, with the experiment in the file's metadata."""
    metadata = {
        "experiment": json.dumps(dataclasses.asdict(experiment)),
        "config_digest": experiment.digest(),
    }
    write_atomically(path, save({n: np.asarray(a) for n, a in params.items()}, metadata))


def read_weights(path: Path) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """Read the digest of the experiment and its arrays."""
    with safe_open(path, framework="numpy") as file:
        digest = (file.metadata() or {}).get("config_digest", "")
        return digest, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def is_trained(out: Path, experiment: Experiment) -> bool:
    """Whether weights of exactly this experiment (by digest) are in `out`."""
    path = weights_path(out, experiment)
    return path.exists() and read_weights(path)[0] == experiment.digest()


def is_tested(out: Path, experiment: Experiment) -> bool:
    """Whether rows of exactly this experiment (by digest) are in `out`."""
    path = rows_path(out, experiment)
    return path.exists() and bool(read_rows(path)[0]["config_digest"] == experiment.digest())


def rows_path(out: Path, experiment: Experiment) -> Path:
    """Where the rows of one experiment are."""
    return out / "experiments" / f"{experiment.name}.csv.gz"


def weights_path(out: Path, experiment: Experiment) -> Path:
    """Where the weights of one experiment are."""
    return out / "experiments" / f"{experiment.name}.safetensors"


def params_of(
    experiment: Experiment, arrays: Mapping[str, NDArray[np.float32]]
) -> Iterable[tuple[Run, dict[str, NDArray[np.float32]]]]:
    """Each run with its own arrays."""
    for i, run in enumerate(experiment.runs()):
        yield run, {name: array[i] for name, array in arrays.items()}
