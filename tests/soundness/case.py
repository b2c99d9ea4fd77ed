"""What a family makes: two models, laws of inputs, and what is true of them by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verify import FixedLaw, LimitTransformer
from verify.average.laws import Law

from .profile import Profile


@dataclass(frozen=True)
class Truth:
    """What enumeration found: errors at every input, and on average under each law of the case."""

    linf: Profile
    averages: tuple[Profile, ...] = ()


@dataclass(frozen=True)
class Case:
    """One pair to be asked about.

    Attributes:
        family: name of the generator.
        f, g: the models.
        laws: of the inputs, for the average error.
        facts: named hypotheses that hold by construction and that `measure` does not decide.
        constants: keywords of `bounds.required_length`, for models that `measure` does not read.
        truth: where the family knows it by a formula of its own; None: enumerate.
        watched: lengths at which something may happen, such as a hardmax threshold.
    """

    family: str
    f: LimitTransformer
    g: LimitTransformer
    laws: tuple[Law, ...] = ()
    facts: frozenset[str] = frozenset()
    constants: Mapping[str, Any] = field(default_factory=dict)
    truth: Truth | None = None
    watched: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """Attention and number of layers: the theorems that are meant."""
        return self.f.attention, len(self.f.layers)


def same_law(vocabulary_size: int) -> FixedLaw:
    """Return the uniform law."""
    return FixedLaw([f"1/{vocabulary_size}"] * vocabulary_size)


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Toss a coin."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]
