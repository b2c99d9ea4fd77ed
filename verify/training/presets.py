"""The two presets. The hyper-parameters are ours: those of the paper are not public.

`mini` trains in about a minute on two cores and shows every step at work; its numbers mean little.
`paper` is what docs/experiments.md reports.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from verify.training.experiment import Experiment, Setting

Preset = Literal["mini", "paper"]


def _simple(*omegas: float) -> tuple[Setting, ...]:
    return tuple(Setting(omega) for omega in omegas)


def _mod_p(*periods: int) -> tuple[Setting, ...]:
    return tuple(Setting(p, period=p) for p in periods)


def _k_gram_vocabulary(k: int, *sizes: int) -> tuple[Setting, ...]:
    return tuple(Setting(size, vocabulary_size=size, k=k) for size in sizes)


def _k_gram_context(size: int, *contexts: int) -> tuple[Setting, ...]:
    return tuple(Setting(k, vocabulary_size=size, k=k) for k in contexts)


def _powers(first: int, last: int) -> tuple[int, ...]:
    return tuple(2**e for e in range(first, last + 1))


SIMPLE = Experiment(
    name="simple",
    task="simple",
    sweep="ω",
    distribution="dirichlet",
    settings=_simple(2, 4, 6, 8),
    training_lengths=_powers(3, 7),
    seeds=(0, 1, 2, 3, 4),
    test_lengths=_powers(3, 16),
    test_distributions=("dirichlet", "uniform"),
    steps=5000,
)
MOD_P = dataclasses.replace(
    SIMPLE,
    name="mod_p",
    task="mod_p",
    sweep="Δ",
    settings=_mod_p(2, 3, 5, 7),
    test_distributions=("dirichlet", "conditional", "uniform"),
)
K_GRAM_VOCABULARY = Experiment(
    name="k_gram_vocabulary",
    task="k_gram",
    sweep="|Σ|",
    distribution="dirichlet",
    settings=_k_gram_vocabulary(2, 2, 3, 4),
    training_lengths=_powers(3, 6),
    seeds=(0, 1, 2, 3, 4),
    test_lengths=_powers(3, 10),
    test_distributions=("dirichlet", "conditional", "uniform"),
    steps=6000,
    batch=64,
    test_inputs=256,
    heads=2,
    locality=2,
    precision_bits=None,
    learning_rate=0.02,
    attention_rate=1.0,
)
K_GRAM_CONTEXT = dataclasses.replace(
    K_GRAM_VOCABULARY,
    name="k_gram_context",
    sweep="k",
    settings=_k_gram_context(2, 1, 2, 3),
    heads=3,
    locality=3,
)


def _with(experiment: Experiment, suffix: str, **changes: object) -> Experiment:
    """The same experiment with one thing changed, named after it."""
    return dataclasses.replace(experiment, name=f"{experiment.name}_{suffix}", **changes)  # type: ignore[arg-type]


PAPER = (
    SIMPLE,
    MOD_P,
    K_GRAM_VOCABULARY,
    K_GRAM_CONTEXT,
    _with(MOD_P, "conditional", distribution="conditional"),
    _with(SIMPLE, "plain", scaling="plain", precision_bits=None),
    _with(MOD_P, "plain", scaling="plain", precision_bits=None),
    _with(SIMPLE, "uniform", distribution="uniform"),
    _with(MOD_P, "uniform", distribution="uniform"),
    _with(K_GRAM_CONTEXT, "conditional", distribution="conditional"),
)

_SMALL = {"seeds": (0, 1), "steps": 600, "test_inputs": 512, "hidden": 64, "width": 16}
MINI = (
    dataclasses.replace(
        SIMPLE,
        settings=_simple(1, 4),
        training_lengths=(8, 32),
        test_lengths=(8, 32, 128, 512),
        **_SMALL,  # type: ignore[arg-type]
    ),
    dataclasses.replace(
        MOD_P,
        settings=_mod_p(2, 5),
        training_lengths=(16, 64),
        test_lengths=(16, 64, 256, 1024),
        **_SMALL,  # type: ignore[arg-type]
    ),
    dataclasses.replace(
        K_GRAM_VOCABULARY,
        settings=_k_gram_vocabulary(1, 2, 3),
        training_lengths=(8, 16),
        test_lengths=(8, 16, 64, 256),
        test_distributions=("dirichlet",),
        heads=1,
        locality=1,
        **_SMALL | {"test_inputs": 128},  # type: ignore[arg-type]
    ),
    dataclasses.replace(
        K_GRAM_CONTEXT,
        settings=_k_gram_context(2, 1, 2),
        training_lengths=(8, 16),
        test_lengths=(8, 16, 64, 256),
        test_distributions=("dirichlet",),
        heads=2,
        locality=2,
        **_SMALL | {"test_inputs": 128},  # type: ignore[arg-type]
    ),
)
PRESETS: dict[str, tuple[Experiment, ...]] = {"mini": MINI, "paper": PAPER}
