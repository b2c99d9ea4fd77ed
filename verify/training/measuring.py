"""Step 3: everything that needs weights but no training, as tidy files beside `runs.csv.gz`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from verify.model.transformer import LimitTransformer
from verify.training import store
from verify.training.beyond import beyond_rows
from verify.training.certified import certified_rows
from verify.training.constants import attention_rows, constant_rows, gap_rows, target_transformer
from verify.training.experiment import Experiment, Run
from verify.training.export import to_limit_transformer
from verify.training.require import require_train_extra
from verify.training.simulated import simulation_rows

Row = dict[str, Any]
Rows = Callable[[Experiment, Run, LimitTransformer], Iterable[Row]]
ATTENTION_PERIOD = 5  # the paper's Figure 3


def _hardmax(experiment: Experiment, run: Run) -> bool:
    return experiment.precision_bits is not None


def _certified(experiment: Experiment, run: Run) -> bool:
    """One layer, with explicit weights of the target, on the theory's inputs.

    Their twins on other inputs would take minutes more.
    """
    one_layer = experiment.task != "k_gram"
    explicit = one_layer and target_transformer(experiment, run) is not None
    return explicit and experiment.distribution == "dirichlet"


def _figure_3(experiment: Experiment, run: Run) -> bool:
    return _hardmax(experiment, run) and run.setting.period == ATTENTION_PERIOD


def _simulated(experiment: Experiment, run: Run) -> bool:
    covered = _hardmax(experiment, run) or experiment.task == "k_gram"
    return covered and run.seed == experiment.seeds[0]


FILES: dict[str, tuple[Rows, Callable[[Experiment, Run], bool]]] = {
    "constants": (constant_rows, lambda experiment, run: True),
    "certified": (certified_rows, _certified),
    "gaps": (gap_rows, _hardmax),
    "attention": (attention_rows, _figure_3),
    "simulation": (simulation_rows, _simulated),
    "beyond": (beyond_rows, _hardmax),
}
"""File name → the rows of one model, and the models that it covers."""
WITH_LOSSES = {"certified"}
"""Files whose rows carry the losses of their model, so that they can be compared by themselves."""


def measure_all(experiments: tuple[Experiment, ...], out: Path, *, quiet: bool = False) -> None:
    """Write `out/NAME.csv.gz` for every NAME in `FILES` from the weights in `out`.

    What an earlier call measured for the same configuration is kept.

    Raises:
        MissingExtra: tqdm is not installed.
        InputError: there are no weights.
    """
    require_train_extra()
    from tqdm import tqdm

    for name, (rows_of, covers) in FILES.items():
        gathered: list[Row] = []
        for experiment in tqdm(experiments, desc=name, disable=quiet):
            runs = [i for i, run in enumerate(experiment.runs()) if covers(experiment, run)]
            if not runs:
                continue
            path = out / "measured" / f"{experiment.name}.{name}.csv.gz"
            if not store.is_of(path, experiment):
                _, arrays = store.read_weights(store.weights_path(out, experiment))
                models = list(store.params_of(experiment, arrays))
                rows: list[Row] = []
                for i in tqdm(runs, desc=f"{name}: {experiment.name}", disable=quiet, leave=False):
                    run, params = models[i]
                    f = to_limit_transformer(experiment, run, params)
                    losses = _losses(out, experiment, run) if name in WITH_LOSSES else {}
                    rows += [row | losses for row in rows_of(experiment, run, f)]
                store.write_rows(path, rows)
            gathered += store.read_rows(path)
        if gathered:
            store.write_rows(out / f"{name}.csv.gz", gathered)


def _losses(out: Path, experiment: Experiment, run: Run) -> Row:
    """Columns of `runs.csv.gz` for one model at the longest test length, on its training law."""
    columns = {
        "difficulty": run.setting.difficulty,
        "training_length": run.training_length,
        "seed": run.seed,
        "test_distribution": experiment.distribution,
        "test_length": max(experiment.test_lengths),
    }
    (row,) = (
        row
        for row in store.read_rows(store.rows_path(out, experiment))
        if all(row[name] == value for name, value in columns.items())
    )
    kept = ("distribution", "test_distribution", "test_length", "loss", "max_error")
    return {name: row[name] for name in kept}
