"""Shares of token 1 under a Dirichlet prior on two tokens, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

Law = dict[Fraction, Fraction]
"""Share → probability."""


@dataclass(frozen=True)
class Branch:
    """The inputs with one query token, or all: their weight, prior and the query's own count.

    Attributes:
        weight: probability of the branch.
        ones, zeros: parameters of the law of the other symbols: Beta(ones, zeros).
        query: (1, own): one symbol is fixed, and is a 1 if own = 1; (0, 0): none is.
    """

    weight: Fraction
    ones: Fraction
    zeros: Fraction
    query: tuple[int, int] = (0, 0)

    def at(self, length: int) -> Law:
        """Share of token 1 in an input of this length, times the branch's weight."""
        return _shares(self, length)

    def primitive(self, power: int, at: Fraction) -> Fraction:
        """∫₀^at v^power dBeta(ones, zeros), times the weight; whole parameters only."""
        a, b = int(self.ones), int(self.zeros)
        scale = Fraction(math.factorial(a + b - 1), math.factorial(a - 1) * math.factorial(b - 1))
        terms = (
            Fraction((-1) ** k * math.comb(b - 1, k), a + power + k) * at ** (a + power + k)
            for k in range(b)
        )
        return self.weight * scale * sum(terms, start=Fraction(0))


def branches(ones: Fraction, zeros: Fraction, query: bool) -> tuple[Branch, ...]:
    """All inputs at once, or one branch for each query token."""
    if not query:
        return (Branch(Fraction(1), ones, zeros),)
    total = ones + zeros
    return (
        Branch(ones / total, ones + 1, zeros, (1, 1)),
        Branch(zeros / total, ones, zeros + 1, (1, 0)),
    )


@lru_cache(maxsize=4096)
def _shares(branch: Branch, length: int) -> Law:
    fixed, own = branch.query
    free = length - fixed
    probability = branch.weight
    for k in range(free):  # no 1 among the free symbols
        probability *= (branch.zeros + k) / (branch.ones + branch.zeros + k)
    law = {}
    for j in range(free + 1):
        law[Fraction(j + own, length)] = probability
        if j < free:
            probability *= Fraction(free - j, j + 1)
            probability *= (branch.ones + j) / (branch.zeros + free - j - 1)
    return law
