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
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from verify.errors import InputError
from verify.files import MOST_TEXT, MOST_WEIGHTS, check_plain, read_bytes, write_beside
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
        InputError: the file is not there, or is none that `write_rows` wrote.
    """
    allowed = "a results file written by python -m verify.training"
    try:
        packed = io.BytesIO(read_bytes(path, MOST_TEXT))
        with gzip.GzipFile(fileobj=packed) as file:
            content = file.read(MOST_TEXT + 1)
        if len(content) > MOST_TEXT:
            raise ValueError(f"more than {MOST_TEXT:,} bytes once unpacked; no more are read")
        lines = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        names = next(lines, [])
        if not names or len(set(names)) != len(names):
            raise ValueError("no names of columns, or one that stands twice")
        return [
            {n: _value(n, cell) for n, cell in zip(names, row, strict=True)} for row in lines if row
        ]
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise InputError("path", str(path), f"{allowed}; {error}") from None


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
    """Read the digest of the experiment and its arrays.

    Raises:
        InputError: the file is not there, or is none that `write_weights` wrote.
    """
    try:
        check_plain(path, MOST_WEIGHTS)
        with safe_open(path, framework="numpy") as file:
            digest = (file.metadata() or {}).get("config_digest", "")
            return digest, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        allowed = "a file of weights written by python -m verify.training"
        raise InputError("path", str(path), f"{allowed}; {error}") from None


def is_trained(out: Path, experiment: Experiment) -> bool:
    """Whether weights of exactly this experiment (by digest) are in `out`."""
    path = weights_path(out, experiment)
    return path.exists() and read_weights(path)[0] == experiment.digest()


def is_tested(out: Path, experiment: Experiment) -> bool:
    """Whether rows of exactly this experiment (by digest) are in `out`."""
    return is_of(rows_path(out, experiment), experiment)


def is_of(path: Path, experiment: Experiment) -> bool:
    """Whether there are rows at `path`, of exactly this experiment (by digest)."""
    if not path.exists():
        return False
    rows = read_rows(path)
    return bool(rows) and rows[0].get("config_digest") == experiment.digest()


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
