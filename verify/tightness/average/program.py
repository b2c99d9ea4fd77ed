"""The linear program of one branch structure: floats, to be certified elsewhere. Unit: ε."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from verify.errors import VerifyError
from verify.tightness.average.law import Branch, Law

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """Primal and dual solution, one array of points for each branch.

    Attributes:
        points: sorted shares of each branch.
        heights: h there.
        prices: of E_n h ≤ ε, n = 1, ..., N.
        floors: of h ≥ 0 at each point.
    """

    points: tuple[list[Fraction], ...]
    heights: tuple[Floats, ...]
    prices: Floats
    floors: tuple[Floats, ...]


def solve(
    branches: tuple[Branch, ...], slope: Fraction, length: int, goals: tuple[Law, ...]
) -> Solution:
    """Maximise E h over h ≥ 0, `slope`-Lipschitz in each branch, with E_n h ≤ 1 for n ≤ N.

    Args:
        branches: of the inputs.
        slope: Lipschitz constant in units of ε.
        length: N.
        goals: for each branch the weights of the objective; their shares become points.

    Raises:
        VerifyError: the solver finds no solution.
    """
    points, starts, total = [], [], 0
    for branch, goal in zip(branches, goals, strict=True):
        own = set(goal).union(*(branch.at(n) for n in range(1, length + 1)))
        points.append(sorted(own))
        starts.append(total)
        total += len(own)
    places = [{v: at + k for k, v in enumerate(p)} for p, at in zip(points, starts, strict=True)]
    aim = np.zeros(total)
    rows, columns, entries = [], [], []
    for branch, goal, place in zip(branches, goals, places, strict=True):
        for v, weight in goal.items():
            aim[place[v]] = float(weight)
        for n in range(1, length + 1):
            for v, weight in branch.at(n).items():
                rows.append(n - 1)
                columns.append(place[v])
                entries.append(float(weight))
    limits = [1.0] * length
    for own_points, at in zip(points, starts, strict=True):
        for k in range(len(own_points) - 1):
            gap = float(slope * (own_points[k + 1] - own_points[k]))
            for sign in (1.0, -1.0):
                rows += [len(limits)] * 2
                columns += [at + k, at + k + 1]
                entries += [-sign, sign]
                limits.append(gap)
    matrix: Any = scipy.sparse.csr_matrix((entries, (rows, columns)), shape=(len(limits), total))
    found = scipy.optimize.linprog(-aim, A_ub=matrix, b_ub=limits, bounds=(0, None), method="highs")
    if found.status != 0 or found.x is None:
        raise VerifyError(f"the linear program has no solution: {found.message}")
    cut = starts[1:]
    return Solution(
        tuple(points),
        tuple(np.split(found.x, cut)),
        -found.ineqlin.marginals[:length],
        tuple(np.split(found.lower.marginals, cut)),
    )
