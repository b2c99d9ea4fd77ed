"""Vector balancing: from every set of vectors pick one, so that all prefix sums stay small.

The constructive part of the simulation theorem for two layers
([derived, Lemma B2]; the argument is that of Bárány and Grinberg, 1981). Sets V₁, V₂, … of
vectors in ℝᵈ arrive one by one, each with 0 in its convex hull. Weights on every set keep the
weighted sum at 0; after each arrival the weights move to a vertex of that polytope, and at a
vertex at most d sets have two or more positive weights. Hence for every k and every seminorm
p, the chosen vectors satisfy p(v₁ + … + v_k) ≤ d · max_{i ≤ k} diam_p(V_i).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from verify.errors import CertificateError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_ZERO_WEIGHT = 1e-9
"""Weights below it count as 0; the moved sum is re-checked after every program."""
_RESIDUAL = 1e-6
"""Largest tolerated distance of a weighted sum from its target, in units of the coordinate."""

_OPTIONS: tuple[Any, ...] = (
    # Small programs: presolving takes longer than solving. What one program misses, the next ones
    # inherit, so that the solver's own tolerance would be too much.
    {"presolve": False, "primal_feasibility_tolerance": 1e-9},
    {"presolve": True, "primal_feasibility_tolerance": 1e-9},
    {"presolve": True},
)
"""Tried in turn: now and then the solver stops without a status on one of them."""


@dataclass
class _Undecided:
    """A set that still has several candidates with a positive weight."""

    number: int
    candidates: Indices
    vectors: Floats
    weights: Floats


class Balancer:
    """Chooses one vector of each set, online.

    The sum is kept at 0 within 1e-6 of each coordinate's unit: the largest entry that it had so
    far, but at least 1. What is far below that cannot matter against d · max diam, and is not
    balanced; so coordinates should be of the order of 1 or more wherever they matter.

    Attributes:
        dimension: d.
        choices: index of the chosen vector of every set so far; −1 while undecided.
        most_undecided: the largest number of undecided sets after any arrival (≤ d).
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.choices: list[int] = []
        self.most_undecided = 0
        self._decided_sum = np.zeros(dimension)
        self._units = np.ones(dimension)
        self._open: list[_Undecided] = []

    def add(self, size: int, vectors: Callable[[Indices], Floats]) -> None:
        """Take in the next set: `size` vectors, of which `vectors(indices)` gives some, (·, d).

        Few of many vectors suffice to keep 0 in the convex hull, and the argument needs no
        more than weights that solve the equations. So a spread-out subset is tried first, and
        all vectors only where it fails.

        Raises:
            CertificateError: the weighted sum cannot be kept at 0 (0 is not in the hull), or
                the solver did not return a vertex.
        """
        number = len(self.choices)
        self.choices.append(-1)
        subset = _spread(size, 64 + 8 * self.dimension)
        if not self._admit(number, subset, vectors):
            everything = np.arange(size)
            if len(subset) == size or not self._admit(number, everything, vectors):
                raise CertificateError(
                    f"set {number}: no weights keep the sum at 0; "
                    "the mean of the vectors must be 0 in every coordinate"
                )
        self.most_undecided = max(self.most_undecided, len(self._open))
        if len(self._open) > self.dimension:
            raise CertificateError(
                f"{len(self._open)} undecided sets in dimension {self.dimension}: "
                "the linear program did not return a vertex"
            )

    def finish(self) -> list[int]:
        """Decide what is open (each set takes its largest weight) and return all choices."""
        for one in self._open:
            self._decide(one, int(np.argmax(one.weights)))
        self._open = []
        return self.choices

    def _decide(self, one: _Undecided, position: int) -> None:
        self.choices[one.number] = int(one.candidates[position])
        self._decided_sum = self._decided_sum + one.vectors[position]

    def _admit(
        self, number: int, candidates: Indices, vectors: Callable[[Indices], Floats]
    ) -> bool:
        """Move to a vertex with the new set; False if no weights reach the sum."""
        new = _Undecided(number, candidates, vectors(candidates), np.empty(0))
        self._units = np.maximum(self._units, np.abs(new.vectors).max(axis=0))
        sets = [*self._open, new]
        weights = _vertex(sets, -self._decided_sum, self._units)
        if weights is None:
            return False
        self._open = []
        for one, weight in zip(sets, weights, strict=True):
            kept = weight > 0
            reduced = _Undecided(one.number, one.candidates[kept], one.vectors[kept], weight[kept])
            if len(reduced.candidates) == 1:
                self._decide(reduced, 0)
            else:
                self._open.append(reduced)
        return True


def _vertex(sets: list[_Undecided], target: Floats, units: Floats) -> list[Floats] | None:
    """Vertex of {weights ≥ 0: Σ weight·vector = target, weights of each set sum to 1}.

    The equations may miss the target at a price that is minimised, so that rounding can never
    make the program infeasible; the miss is then measured afresh from the vectors.
    """
    columns = np.concatenate([one.vectors for one in sets]).T / units[:, None]
    target = target / units
    sizes = [len(one.vectors) for one in sets]
    rows, total = columns.shape
    membership = np.repeat(np.eye(len(sets)), sizes, axis=1)
    miss = np.concatenate([np.eye(rows), -np.eye(rows)], axis=1)
    equations = np.block([[columns, miss], [membership, np.zeros((len(sets), 2 * rows))]])
    values = np.concatenate([target, np.ones(len(sets))])
    cost = np.concatenate([np.zeros(total), np.ones(2 * rows)])
    for options in _OPTIONS:
        solution = scipy.optimize.linprog(
            cost, A_eq=equations, b_eq=values, method="highs-ds", options=options
        )
        if solution.x is None:
            continue
        weights = np.where(solution.x[:total] > _ZERO_WEIGHT, solution.x[:total], 0.0)
        sums = membership @ weights
        residual = np.abs(columns @ weights - target)
        if np.abs(sums - 1).max() <= _RESIDUAL and residual.max(initial=0.0) <= _RESIDUAL:
            return np.split(weights, np.cumsum(sizes)[:-1])
    return None


def _spread(total: int, wanted: int) -> Indices:
    """At most `wanted` of 0..total−1, spread evenly but out of step with any period."""
    if total <= wanted:
        return np.arange(total)
    golden = (np.sqrt(5) - 1) / 2
    return np.unique((np.arange(wanted) * golden % 1.0 * total).astype(np.int64))
