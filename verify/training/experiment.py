"""What is trained: an `Experiment` (one compiled program) is a grid of `Run`s.

All runs of an experiment share shapes, so that they train side by side in one program; they differ
in difficulty, training length and seed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Literal

from verify.errors import InputError

TaskName = Literal["simple", "mod_p", "k_gram"]
Distribution = Literal["uniform", "dirichlet", "conditional"]
Scaling = Literal["log", "plain"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One difficulty of a task.

    `difficulty` is the swept quantity: ω (simple), Δ = p (mod_p), |Σ| or k (k_gram).
    """

    difficulty: float
    vocabulary_size: int = 2
    period: int = 1
    k: int = 0


@dataclasses.dataclass(frozen=True)
class Run:
    """One model: a setting, the longest training input, and a seed of weights and data."""

    setting: Setting
    training_length: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A grid of runs trained in one compiled program; all numbers here are our choices.

    Attributes:
        name: what files and figures call it.
        task, sweep: what is learned, and what `difficulty` means there.
        distribution: of the training inputs.
        settings: one per difficulty.
        scaling: of the logits: "log" as in the theory, "plain" unscaled.
        training_lengths: inputs have every length up to this one.
        seeds, test_lengths: of the runs, and T of the tests.
        steps, batch: of the training; inputs per step.
        test_inputs: inputs per test length.
        width, hidden: d, and the MLP's units m.
        heads, locality: heads of the first layer, and τ.
        precision_bits: p; None: infinite precision.
        learning_rate: Adam's, at the base width.
        attention_rate: factor of the learning rate for K and Q: at 1, one-layer runs on short
            inputs saturate their attention within 200 steps and never recover.
    """

    name: str
    task: TaskName
    sweep: str
    distribution: Distribution
    settings: tuple[Setting, ...]
    training_lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    test_lengths: tuple[int, ...]
    test_distributions: tuple[Distribution, ...]
    scaling: Scaling = "log"
    steps: int = 4000
    batch: int = 128
    test_inputs: int = 2048
    width: int = 32
    hidden: int = 128
    heads: int = 1
    locality: int = 1
    precision_bits: int | None = 8
    learning_rate: float = 0.01
    attention_rate: float = 0.02

    def __post_init__(self) -> None:
        if max(self.test_lengths) < 16 * max(self.training_lengths):
            raise InputError(
                "test_lengths", max(self.test_lengths), "at least 16 × the longest training length"
            )
        finite = self.task != "k_gram" and self.scaling == "log"
        if (self.precision_bits is not None) != finite:
            allowed = "an integer: log-scaled logits" if finite else "None: infinite precision"
            raise InputError("precision_bits", self.precision_bits, allowed)

    def runs(self) -> tuple[Run, ...]:
        """Every run of the grid, in the order in which weights and rows are stored."""
        return tuple(
            Run(setting, length, seed)
            for setting in self.settings
            for length in self.training_lengths
            for seed in self.seeds
        )

    @property
    def vocabulary_size(self) -> int:
        """Largest vocabulary of the grid: the shape that smaller ones are padded to."""
        return max(setting.vocabulary_size for setting in self.settings)

    @property
    def period(self) -> int:
        """Largest period of the grid."""
        return max(setting.period for setting in self.settings)

    def digest(self) -> str:
        """Twelve hex digits that change with any field: rows and weights carry them."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
