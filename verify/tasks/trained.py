"""Trained weights that come with the package: SimpleTask and ModPTask, seed 0 of `paper`.

Trained on inputs of every length up to `training_length`, as docs/experiments.md says; the
configuration is in each file's metadata. `python -m verify.training --ship` trains them again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.tasks.mod_p import mod_p
from verify.tasks.simple import simple

TaskName = Literal["simple", "mod_p", "simple_plain"]

TRAINING_LENGTHS = (8, 16, 32, 64, 128)
DIFFICULTIES: dict[str, tuple[int, ...]] = {
    "simple": (2, 4, 6, 8),
    "mod_p": (2, 3, 5, 7),
    "simple_plain": (2, 4, 6, 8),
}
"""ω of SimpleTask, Δ of ModPTask."""


@dataclass(frozen=True)
class TrainedPair:
    """A trained model and its target.

    Attributes:
        task: "simple" or "mod_p", trained with logits × log T and 8 bits of precision;
            "simple_plain": softmax as it is used in practice, logits unscaled.
        difficulty: ω or Δ.
        training_length: the longest training input.
        model: the trained weights.
        target: explicit weights of the task, in the same precision.
    """

    task: TaskName
    difficulty: int
    training_length: int
    model: LimitTransformer
    target: LimitTransformer

    @property
    def name(self) -> str:
        """Task, difficulty and training length, as tables show them."""
        letter = "Δ" if self.task == "mod_p" else "ω"
        return f"{self.task}, {letter} = {self.difficulty}, n = {self.training_length}"


def trained(
    task: str,
    *,
    training_length: int,
    omega: int | None = None,
    period: int | None = None,
    seed: int = 0,
) -> LimitTransformer:
    """Return trained weights.

    Args:
        task: "simple", "mod_p" or "simple_plain".
        training_length: the longest training input: 8, 16, 32, 64 or 128.
        omega: ω of "simple" and "simple_plain": 2, 4, 6 or 8.
        period: Δ of "mod_p": 2, 3, 5 or 7.
        seed: 0, the only one that is stored.

    Raises:
        InputError: no such weights are stored.
    """
    return LimitTransformer.load(
        str(_path(task, _difficulty(task, omega, period), training_length, seed))
    )


def trained_pair(
    task: str,
    *,
    training_length: int,
    omega: int | None = None,
    period: int | None = None,
    seed: int = 0,
) -> TrainedPair:
    """Return trained weights with the explicit weights of their target; arguments as `trained`."""
    difficulty = _difficulty(task, omega, period)
    path = _path(task, difficulty, training_length, seed)
    model = LimitTransformer.load(str(path))
    return TrainedPair(task, difficulty, training_length, model, _target(task, difficulty))  # type: ignore[arg-type]


def all_trained(task: str | None = None) -> list[TrainedPair]:
    """Return every stored model, of one task or of all, with its target."""
    tasks = list(DIFFICULTIES) if task is None else [_known("task", task, tuple(DIFFICULTIES))]
    return [
        trained_pair(name, training_length=n, **{"period" if name == "mod_p" else "omega": d})
        for name in tasks
        for d in DIFFICULTIES[name]
        for n in TRAINING_LENGTHS
    ]


def _target(task: str, difficulty: int) -> LimitTransformer:
    if task == "mod_p":
        return mod_p(difficulty, 0, precision_bits=8).transformer
    target = simple(difficulty).transformer
    return replace(target, precision_bits=None if task == "simple_plain" else 8)


def _difficulty(task: str, omega: int | None, period: int | None) -> int:
    _known("task", task, tuple(DIFFICULTIES))
    name, other = ("period", "omega") if task == "mod_p" else ("omega", "period")
    given = {"omega": omega, "period": period}
    if given[other] is not None:
        raise InputError(other, given[other], f"nothing: the difficulty of {task!r} is {name}")
    return int(_known(name, given[name], DIFFICULTIES[task]))


def _path(task: str, difficulty: int, training_length: int, seed: int) -> Any:
    _known("training_length", training_length, TRAINING_LENGTHS)
    _known("seed", seed, (0,))
    folder = resources.files("verify") / "data" / "trained"
    return folder / f"{task}_{difficulty}_{training_length}.safetensors"


def _known(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if isinstance(value, bool) or value not in allowed:
        raise InputError(name, value, "one of " + ", ".join(map(repr, allowed)))
    return value
