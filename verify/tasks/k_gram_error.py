"""How well the explicit two-layer weights approximate the in-context k-gram."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.tasks.k_gram import in_context_k_gram

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class KGramError:
    """Largest error over the inputs of one family.

    Attributes:
        k, vocabulary_size, sharpness, positional_margin: of the task.
        family: "independent", "markov", "periodic" or "runs".
        length: T.
        inputs: number of inputs.
        unmatched: how many of them end in a context that never occurred before; these compare
            the model with the convention of the target, not with a statistic of the input.
        error: largest |transformer(x) − target(x)| over outputs and matched inputs; None if
            all are unmatched.
        bound: largest proven bound over the matched inputs; None likewise.
    """

    k: int
    vocabulary_size: int
    sharpness: float
    positional_margin: float
    family: str
    length: int
    inputs: int
    unmatched: int
    error: float | None
    bound: float | None


def k_gram_errors(
    k: int,
    vocabulary_size: int,
    *,
    sharpness: Iterable[float],
    lengths: Sequence[int],
    positional_margin: float = 1.0,
    inputs: int = 10,
    seed: int = 0,
) -> list[KGramError]:
    """Measure the error of `in_context_k_gram` on four families of inputs.

    Args:
        k: context tokens.
        vocabulary_size: |Σ|.
        sharpness: values of s.
        lengths: values of T.
        positional_margin: γ ≥ 1.
        inputs: number of inputs per family and length.
        seed: first seed.

    Raises:
        InputError: an argument that the task refuses.
    """
    rows = []
    for s in sharpness:
        task = in_context_k_gram(k, vocabulary_size, s, positional_margin=positional_margin)
        for length in lengths:
            for family, draw in FAMILIES.items():
                errors, bounds = [], []
                for number in range(inputs):
                    x = draw(np.random.default_rng([seed + number]), length, vocabulary_size)
                    if len(task.matches(x)):
                        errors.append(float(np.abs(task.transformer(x) - task.target(x)).max()))
                        bounds.append(task.error_bound(x))
                rows.append(
                    KGramError(
                        k=k,
                        vocabulary_size=vocabulary_size,
                        sharpness=float(s),
                        positional_margin=float(positional_margin),
                        family=family,
                        length=length,
                        inputs=inputs,
                        unmatched=inputs - len(errors),
                        error=max(errors, default=None),
                        bound=max(bounds, default=None),
                    )
                )
    return rows


def _independent(rng: np.random.Generator, length: int, size: int) -> Tokens:
    return rng.integers(size, size=length)


def _markov(rng: np.random.Generator, length: int, size: int) -> Tokens:
    """A chain with random transition probabilities."""
    steps = rng.dirichlet(np.ones(size), size=size).cumsum(axis=1)
    uniform = rng.random(length)
    x = np.zeros(length, dtype=np.int64)
    for i in range(1, length):
        x[i] = min(int(np.searchsorted(steps[x[i - 1]], uniform[i])), size - 1)
    return x


def _periodic(rng: np.random.Generator, length: int, size: int) -> Tokens:
    return np.resize(rng.integers(size, size=rng.integers(2, 13)), length)


def _runs(rng: np.random.Generator, length: int, size: int) -> Tokens:
    return np.arange(length) // int(rng.integers(2, 40)) % size


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Tokens]] = {
    "independent": _independent,
    "markov": _markov,
    "periodic": _periodic,
    "runs": _runs,
}
