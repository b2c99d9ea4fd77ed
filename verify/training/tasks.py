"""Tasks: a sampler, a target and a loss behind one small class each.

A batch is a dict of arrays that the model reads plus `target` (B, o). `shape` pads it to the
experiment's largest vocabulary and period, so that runs of different difficulty stack.
"""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.training.experiment import Distribution, Experiment, Setting
from verify.training.inputs import CountedInputs, Floats, Ints, counted_inputs, token_inputs

Batch = dict[str, NDArray[Any]]


class Task(abc.ABC):
    """A task at one difficulty; `experiment` gives the shapes that batches are padded to."""

    def __init__(self, experiment: Experiment, setting: Setting) -> None:
        self.experiment = experiment
        self.setting = setting

    @property
    @abc.abstractmethod
    def shortest(self) -> int:
        """Least input length at which the target is defined for every input."""

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator, lengths: Ints, distribution: Distribution) -> Batch:
        """A batch of inputs with the given lengths (B,) and their targets."""

    @staticmethod
    def loss(output: Any, target: Any) -> Any:
        """Squared error summed over output coordinates, one number per input; jax or numpy."""
        return ((output - target) ** 2).sum(-1)

    def training_lengths(self, rng: np.random.Generator, longest: int, number: int) -> Ints:
        """Lengths of training inputs: uniform on shortest..longest, as the theorems ask."""
        return rng.integers(self.shortest, longest + 1, number)

    def test_lengths(self, length: int, number: int) -> Ints:
        """Lengths T, T+1, …, T+Δ−1 in turn, so that the query takes every residue."""
        return length + np.arange(number) % self.setting.period


class _Counted(Task):
    """One-layer tasks: inputs are counts and a suffix."""

    def sample(self, rng: np.random.Generator, lengths: Ints, distribution: Distribution) -> Batch:
        """A batch of inputs with the given lengths (B,) and their targets."""
        inputs = counted_inputs(rng, lengths, self.setting, distribution, self.experiment.locality)
        return self.encode(inputs) | {"target": self.target(inputs).astype(np.float32)}

    @abc.abstractmethod
    def target(self, inputs: CountedInputs) -> Floats:
        """Targets (B, 1) of the inputs."""

    def encode(self, inputs: CountedInputs) -> Batch:
        """Arrays of the model: types (residue, token) are numbered residue · |Σ| + token."""
        size = self.experiment.vocabulary_size
        counts = np.zeros((len(inputs.counts), self.experiment.period, size), dtype=np.float32)
        counts[:, : self.setting.period, : self.setting.vocabulary_size] = inputs.counts
        return {
            "counts": counts.reshape(len(counts), -1),
            "suffix": (inputs.suffix_residues * size + inputs.suffix_tokens).astype(np.int8),
            "present": inputs.suffix_present,
            "length": inputs.lengths.astype(np.float32),
        }


class SimpleTask(_Counted):
    """sin(ω (c₀ − c₁)/(c₀ + c₁)) with c_s the number of tokens s [izzo2025, Section 6]."""

    @property
    def shortest(self) -> int:
        """Every input has a target."""
        return 1

    def target(self, inputs: CountedInputs) -> Floats:
        """Targets (B, 1) of the inputs."""
        c = inputs.all_counts()[:, 0, :]
        return np.sin(self.setting.difficulty * (c[:, :1] - c[:, 1:2]) / inputs.lengths[:, None])


class ModPTask(_Counted):
    """Fraction of token 1 among the positions t ≡ k (mod p), Δ = p [izzo2025, Section 6]."""

    @property
    def shortest(self) -> int:
        """One period: then every residue occurs."""
        return self.setting.period

    def target(self, inputs: CountedInputs) -> Floats:
        """Targets (B, 1) of the inputs."""
        c = inputs.all_counts()[:, self.setting.k % self.setting.period, :]
        fraction: Floats = c[:, 1:2] / c.sum(axis=1, keepdims=True)
        return fraction


class KGramTask(Task):
    """Empirical law of the token after earlier copies of the last k [izzo2025, Definition 5.4].

    Where the context never occurred before (0/0 in the definition) the target is uniform on Σ.
    """

    @property
    def shortest(self) -> int:
        """One token after the first context."""
        return self.setting.k + 1

    def sample(self, rng: np.random.Generator, lengths: Ints, distribution: Distribution) -> Batch:
        """A batch of inputs with the given lengths (B,) and their targets."""
        tokens = token_inputs(rng, lengths, self.setting, distribution)
        target = self.target(tokens, lengths).astype(np.float32)
        return {
            "tokens": tokens.astype(np.int8),
            "length": lengths.astype(np.int32),
            "target": np.pad(target, ((0, 0), (0, self._padding()))),
        }

    def target(self, tokens: Ints, lengths: Ints) -> Floats:
        """Targets (B, |Σ|) of token sequences (B, longest) with the given lengths."""
        size, k = self.setting.vocabulary_size, self.setting.k
        batch, longest = tokens.shape
        rows = np.arange(batch)
        match = np.ones((batch, max(longest - k, 0)), dtype=bool)  # entry t: context t..t+k−1
        for lag in range(k):
            last = tokens[rows, lengths - 1 - lag]
            match &= tokens[:, k - 1 - lag : longest - 1 - lag] == last[:, None]
        match &= np.arange(k, longest) < lengths[:, None]
        counts = np.stack([(match & (tokens[:, k:] == s)).sum(axis=1) for s in range(size)], axis=1)
        total = counts.sum(axis=1, keepdims=True)
        return np.where(total > 0, counts / np.maximum(total, 1), 1 / size)

    def _padding(self) -> int:
        return self.experiment.vocabulary_size - self.setting.vocabulary_size


TASKS: dict[str, type[Task]] = {"simple": SimpleTask, "mod_p": ModPTask, "k_gram": KGramTask}


def make_task(experiment: Experiment, setting: Setting) -> Task:
    """The task of an experiment at one of its settings."""
    return TASKS[experiment.task](experiment, setting)
