"""Laws of inputs: tokens i.i.d. given a random or a fixed distribution, and stationary chains.

A law makes inputs of any length, and, for models that see counts only, *nested summaries*: the
summaries of the last n symbols of one input for several n at once, without making its tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bounds.numbers import exact
from verify.errors import InputError
from verify.model.summary import Summary, summarise

Tokens = npt.NDArray[np.int64]
Generator = np.random.Generator


class Law(Protocol):
    """A law of inputs of every length, with |Σ| tokens."""

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""

    def tokens(self, rng: Generator, length: int) -> Tokens:
        """Return one input, (length,) tokens."""

    def summaries(
        self, rng: Generator, lengths: Sequence[int], period: int, locality: int
    ) -> list[Summary]:
        """Return the summaries of the last n symbols of one input, n through `lengths`."""

    def probability(self, x: Sequence[int]) -> Fraction:
        """Return the exact probability of an input of length |x|."""


class _Mixed(ABC):
    """Tokens i.i.d. given a distribution; a subclass says how that is drawn."""

    @abstractmethod
    def draw(self, rng: Generator) -> npt.NDArray[np.float64]:
        """Return the distribution of the tokens of one input, (|Σ|,)."""

    def tokens(self, rng: Generator, length: int) -> Tokens:
        """Return one input, (length,) tokens."""
        shares = self.draw(rng)
        return rng.choice(shares.size, size=length, p=shares).astype(np.int64)

    def summaries(
        self, rng: Generator, lengths: Sequence[int], period: int, locality: int
    ) -> list[Summary]:
        """Return the summaries of the last n symbols of one input, n through `lengths`.

        The cost does not depend on the lengths: given the distribution, the counts before the
        suffix are multinomial for each residue, and those of a longer end add to those of a
        shorter one.

        Raises:
            InputError: lengths that are not ≡ mod Δ (their residues would not match).
        """
        check_lengths(lengths, period)
        shares = self.draw(rng)
        suffix = rng.choice(shares.size, size=min(max(lengths), locality + 1), p=shares)
        counts = np.zeros((period, shares.size), dtype=np.int64)
        positions = np.zeros(period, dtype=np.int64)
        found: dict[int, Summary] = {}
        for length in sorted(set(lengths)):
            short = suffix[max(suffix.size - length, 0) :]
            needed = positions_by_residue(length - short.size, period)
            # The prefix of a longer end: one multinomial per residue for what is new in it.
            counts = counts + rng.multinomial(needed - positions, shares)
            positions = needed
            found[length] = Summary(counts, short, length)
        return [found[length] for length in lengths]


@dataclass(frozen=True)
class DirichletLaw(_Mixed):
    """Tokens i.i.d. given a distribution drawn from Dir(α_1, …, α_|Σ|); the prior of every length.

    Attributes:
        alpha: the parameters, all positive; numbers or strings such as "1/2", kept exactly.

    Raises:
        InputError: alpha is not a sequence of at least one positive number.
    """

    alpha: tuple[Fraction, ...]

    def __init__(self, alpha: Sequence[Any]) -> None:
        """Read the parameters as exact numbers."""
        object.__setattr__(self, "alpha", _positive("alpha", alpha))

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""
        return len(self.alpha)

    def draw(self, rng: Generator) -> npt.NDArray[np.float64]:
        """Return π ~ Dir(α), (|Σ|,)."""
        return rng.dirichlet([float(a) for a in self.alpha])

    def probability(self, x: Sequence[int]) -> Fraction:
        """Return Π_σ α_σ(α_σ+1)…(α_σ+c_σ−1) / A(A+1)…(A+n−1), c the counts of x."""
        result, total = Fraction(1), sum(self.alpha, Fraction(0))
        seen = list(self.alpha)
        for place, token in enumerate(x):
            result *= seen[token] / (total + place)
            seen[token] += 1
        return result


@dataclass(frozen=True)
class FixedLaw(_Mixed):
    """Tokens i.i.d. with fixed probabilities.

    Attributes:
        probabilities: non-negative, sum 1; strings such as "1/3" are exact, floats mean their
            shortest decimals.

    Raises:
        InputError: they are negative or do not add up to 1.
    """

    probabilities: tuple[Fraction, ...]

    def __init__(self, probabilities: Sequence[Any]) -> None:
        """Read the probabilities as exact numbers."""
        object.__setattr__(self, "probabilities", _distribution("probabilities", probabilities))

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""
        return len(self.probabilities)

    def draw(self, rng: Generator) -> npt.NDArray[np.float64]:
        """Return the probabilities, (|Σ|,)."""
        shares = np.array([float(p) for p in self.probabilities])
        normalised: npt.NDArray[np.float64] = shares / shares.sum()
        return normalised

    def probability(self, x: Sequence[int]) -> Fraction:
        """Return the product of the tokens' probabilities."""
        result = Fraction(1)
        for token in x:
            result *= self.probabilities[token]
        return result


@dataclass(frozen=True)
class MarkovLaw:
    """A stationary Markov chain.

    Attributes:
        kernel: (|Σ|, |Σ|), row y = law of the token after y; rows add up to 1, exactly.
        stationary: the chain's law, (|Σ|,); the start is drawn from it.

    Raises:
        InputError: the kernel is not square or not stochastic, or `stationary` is not
            its stationary law.
    """

    kernel: tuple[tuple[Fraction, ...], ...]
    stationary: tuple[Fraction, ...]

    def __init__(self, kernel: Sequence[Sequence[Any]], stationary: Sequence[Any]) -> None:
        """Read both as exact numbers and check that the law is stationary."""
        rows = tuple(_distribution(f"kernel[{y}]", row) for y, row in enumerate(kernel))
        law = _distribution("stationary", stationary)
        if any(len(row) != len(rows) for row in rows) or len(law) != len(rows):
            raise InputError("kernel", kernel, "a square table, as wide as the stationary law")
        after = [
            sum((p * row[t] for p, row in zip(law, rows, strict=True)), Fraction(0))
            for t in range(len(law))
        ]
        if after != list(law):
            raise InputError("stationary", stationary, "π with π·kernel = π, exactly")
        object.__setattr__(self, "kernel", rows)
        object.__setattr__(self, "stationary", law)

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""
        return len(self.stationary)

    def tokens(self, rng: Generator, length: int) -> Tokens:
        """Return one input, (length,) tokens."""
        steps = np.cumsum([[float(p) for p in row] for row in self.kernel], axis=1)
        start = np.cumsum([float(p) for p in self.stationary])
        last = len(self.stationary) - 1
        x = np.empty(length, dtype=np.int64)
        state = -1
        for i, u in enumerate(rng.random(length)):
            row = start if state < 0 else steps[state]
            state = min(int(np.searchsorted(row, u, side="right")), last)
            x[i] = state
        return x

    def summaries(
        self, rng: Generator, lengths: Sequence[int], period: int, locality: int
    ) -> list[Summary]:
        """Return the summaries of the last n symbols of one input, n through `lengths`."""
        check_lengths(lengths, period)
        x = self.tokens(rng, max(lengths))
        return [summarise(x[x.size - n :], self.vocabulary_size, period, locality) for n in lengths]

    def probability(self, x: Sequence[int]) -> Fraction:
        """Return the probability of the path."""
        result = self.stationary[x[0]]
        for before, after in pairwise(x):
            result *= self.kernel[before][after]
        return result


@dataclass(frozen=True)
class SwitchedLaw:
    """One law for inputs of length ≤ `switch`, another for longer ones: no bound can hold here.

    The end of a long input is no short input: the one property that the theorems on average
    error use fails. `summaries` and `tokens` follow the law of the longest length asked for.
    """

    short: Law
    long: Law
    switch: int

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""
        return self.short.vocabulary_size

    def at(self, length: int) -> Law:
        """Return the law of inputs of this length."""
        return self.short if length <= self.switch else self.long

    def tokens(self, rng: Generator, length: int) -> Tokens:
        """Return one input, (length,) tokens."""
        return self.at(length).tokens(rng, length)

    def summaries(
        self, rng: Generator, lengths: Sequence[int], period: int, locality: int
    ) -> list[Summary]:
        """Return the summaries of the last n symbols of one input, n through `lengths`."""
        return self.at(max(lengths)).summaries(rng, lengths, period, locality)

    def probability(self, x: Sequence[int]) -> Fraction:
        """Return the exact probability of an input of length |x|."""
        return self.at(len(x)).probability(x)


def positions_by_residue(prefix: int, period: int) -> npt.NDArray[np.int64]:
    """How many of the positions 1..prefix are ≡ r (mod period), for r = 0..period−1."""
    return np.array(
        [prefix // period if r == 0 else (prefix + period - r) // period for r in range(period)],
        dtype=np.int64,
    )


def check_lengths(lengths: Sequence[int], period: int) -> None:
    """Raise InputError unless the lengths are at least 1 and equal mod Δ."""
    if not lengths or any(isinstance(n, bool) or n < 1 for n in lengths):
        raise InputError("lengths", lengths, "at least one length ≥ 1")
    if len({n % period for n in lengths}) > 1:
        raise InputError("lengths", lengths, f"lengths that are equal mod Δ = {period}")


def _positive(name: str, values: Sequence[Any]) -> tuple[Fraction, ...]:
    numbers = _fractions(name, values)
    if not numbers or min(numbers) <= 0:
        raise InputError(name, values, "at least one number, all > 0")
    return numbers


def _distribution(name: str, values: Sequence[Any]) -> tuple[Fraction, ...]:
    numbers = _fractions(name, values)
    if not numbers or min(numbers) < 0 or sum(numbers) != 1:
        raise InputError(name, values, "numbers ≥ 0 of sum 1, exactly (write '1/3', not 0.333)")
    return numbers


def _fractions(name: str, values: Sequence[Any]) -> tuple[Fraction, ...]:
    try:
        numbers = tuple(exact(v.item() if isinstance(v, np.generic) else v) for v in values)
    except (TypeError, ValueError) as problem:
        raise InputError(name, values, f"a sequence of exact numbers ({problem})") from None
    rational = tuple(n for n in numbers if isinstance(n, Fraction))
    if len(rational) < len(numbers):
        raise InputError(name, values, "rational numbers")
    return rational
