"""Branch and bound for one integer program, with every bound worked out in rational numbers.

HiGHS solves the linear relaxations in float64; from its dual values, rounded to dyadic numbers, a
bound follows that holds whatever they are. For min c·y subject to A y ≤ b, B y = d, l ≤ y ≤ h and
any u ≥ 0 and w,

    c·y ≥ (c + Aᵀu + Bᵀw)·y − u·b − w·d ≥ Σ_j min(r_j l_j, r_j h_j) − u·b − w·d,

r = c + Aᵀu + Bᵀw. Violations of the constraints on attention are allowed at a price, so that every
relaxation has a solution; where the price lifts the bound above the best known n, nothing is left.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]

_GRID = 2**44
_PROPOSAL_NODES = 2000
_LARGEST = 10**6
"""Largest n up to which solutions are sought: float64 solvers are of no use far beyond."""


@dataclass(frozen=True)
class Row:
    """One head: Σ_k e_k ≤ slack·W, e_k ≥ shares_k·W − unit·a_k, W ≥ 1, all in units of 1/unit.

    Attributes:
        members: variables that are counted in W.
        suffix: positions of the suffix that are.
        met: for each type of the law that z can attend to, its variable; None: suffix only.
        met_suffix: positions of the suffix of that type.
        shares: unit·π of these types.
        slack: unit·(δ − π of all other types).
        unit: the common denominator.
    """

    members: tuple[int, ...]
    suffix: int
    met: tuple[int | None, ...]
    met_suffix: tuple[int, ...]
    shares: tuple[int, ...]
    slack: int
    unit: int

    def holds(self, counts: Sequence[int]) -> bool:
        """Whether these counts satisfy the row, exactly."""
        weight = self.suffix + sum(counts[k] for k in self.members)
        missing = 0
        for k, fixed, share in zip(self.met, self.met_suffix, self.shares, strict=True):
            attended = fixed + (0 if k is None else counts[k])
            missing += max(share * weight - self.unit * attended, 0)
        return weight >= 1 and missing <= self.slack * weight


@dataclass(frozen=True)
class Program:
    """Minimise n subject to: column r of counts sums to base_r + n, and the rows.

    Attributes:
        columns: variables of each column.
        base: see above.
        first, last: range of n.
        variables: number of counts.
        rows: the heads.
    """

    columns: tuple[tuple[int, ...], ...]
    base: tuple[int, ...]
    first: int
    last: int
    variables: int
    rows: tuple[Row, ...]

    def holds(self, counts: Sequence[int]) -> bool:
        """Whether counts satisfy all rows, exactly."""
        return all(row.holds(counts) for row in self.rows)

    def least(self, counts: Sequence[int]) -> int | None:
        """Return n of these counts; None if the columns do not fit each other."""
        found = {
            sum(counts[k] for k in column) - base
            for column, base in zip(self.columns, self.base, strict=True)
            if column
        }
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Found:
    """What the tree gave.

    Attributes:
        counts: of the least n found; None: none with n ≤ last.
        lower: no solution has a smaller n; None: there is none up to `last`, or none below the
            one found.
        nodes: nodes looked at.
    """

    counts: list[int] | None
    lower: int | None
    nodes: int


Box = tuple[tuple[int, ...], tuple[int, ...]]
"""Lower and upper bounds of n and of the counts."""


def minimum(program: Program, last: int, limit: int) -> Found:
    """Return the least n ≤ last, as far as `limit` nodes allow."""
    if last < program.first:
        return Found(None, None, 0)
    if last > _LARGEST:
        found = minimum(program, _LARGEST, limit)
        beyond = max(program.first, _LARGEST + 1)
        if found.counts is None and found.lower is None:
            return Found(None, beyond, found.nodes)
        return found
    root = _tightened(
        program,
        (program.first, *[0] * program.variables),
        (last, *[max(program.base) + last] * program.variables),
    )
    if root is None:
        return Found(None, None, 0)
    relaxation = _Relaxation(program)
    best = relaxation.proposal(root)
    goal = last + 1 if best is None else _n_of(program, best)
    return _search(program, relaxation, root, best, goal, limit)


def _search(
    program: Program,
    relaxation: _Relaxation,
    root: Box,
    best: list[int] | None,
    goal: int,
    limit: int,
) -> Found:
    number = itertools.count()
    heap: list[tuple[int, int, Box]] = [(root[0][0], next(number), root)]
    nodes = 0
    while heap:
        bound, _, box = heapq.heappop(heap)
        if bound >= goal:
            break
        if nodes >= limit:
            return Found(best, bound, nodes)
        nodes += 1
        tight = _tightened(program, box[0], (min(box[1][0], goal - 1), *box[1][1:]))
        if tight is None:
            continue
        low, high = tight
        if low == high:
            if program.holds(low[1:]):
                best, goal = list(low[1:]), low[0]
            continue
        value, point = relaxation.solve(low, high)
        value = max(value, low[0])
        if value >= goal:
            continue
        counts = None if point is None else [round(v) for v in point[: program.variables + 1]]
        if counts is not None and program.holds(counts[1:]) and min(counts[1:]) >= 0:
            n = program.least(counts[1:])
            if n is not None and program.first <= n < goal:
                best, goal = counts[1:], n
                if value >= goal:
                    continue
        for child in _children(low, high, point):
            heapq.heappush(heap, (value, next(number), child))
    return Found(best, None, nodes)


def _n_of(program: Program, counts: list[int]) -> int:
    n = program.least(counts)
    assert n is not None  # proposals are checked
    return n


def _tightened(program: Program, lows: Sequence[int], highs: Sequence[int]) -> Box | None:
    """Return the bounds that the sums of the columns leave; None if they leave nothing."""
    low, high = list(lows), list(highs)
    for _ in range(4):
        before = (tuple(low), tuple(high))
        for column, base in zip(program.columns, program.base, strict=True):
            if not column:
                continue
            least = sum(low[k + 1] for k in column)
            most = sum(high[k + 1] for k in column)
            low[0] = max(low[0], least - base)
            high[0] = min(high[0], most - base)
            for k in column:
                high[k + 1] = min(high[k + 1], base + high[0] - (least - low[k + 1]))
                low[k + 1] = max(low[k + 1], base + low[0] - (most - high[k + 1]))
                if low[k + 1] > high[k + 1]:
                    return None
                least = sum(low[j + 1] for j in column)
                most = sum(high[j + 1] for j in column)
        if low[0] > high[0]:
            return None
        if before == (tuple(low), tuple(high)):
            break
    return tuple(low), tuple(high)


def _children(low: tuple[int, ...], high: tuple[int, ...], point: Floats | None) -> list[Box]:
    """Split one variable that is not fixed: the most fractional count, else the widest range."""
    open_ones = [j for j in range(len(low)) if low[j] < high[j]]
    chosen, at = max(open_ones, key=lambda j: high[j] - low[j]), None
    if point is not None:
        fractional = [(abs(point[j] - round(point[j])), j) for j in open_ones]
        largest, j = max(fractional)
        if largest > 1e-6:
            chosen, at = j, math.floor(point[j])
        else:
            at = round(point[chosen])
    middle = (low[chosen] + high[chosen]) // 2 if at is None else at
    middle = min(max(middle, low[chosen]), high[chosen] - 1)
    upper, lower = list(high), list(low)
    upper[chosen], lower[chosen] = middle, middle + 1
    return [(low, tuple(upper)), (tuple(lower), high)]


class _Relaxation:
    """The linear relaxation: variables n, counts, e of all rows, one violation for each row."""

    def __init__(self, program: Program) -> None:
        self._program = program
        counts = program.variables
        self._extra = 1 + counts
        met = sum(len(row.met) for row in program.rows)
        self._size = 1 + counts + met + len(program.rows)
        # A y ≤ b in integers, each row with the unit by which float64 divides it.
        self._rows: list[tuple[dict[int, int], int, int]] = []
        first: int = self._extra
        for number, row in enumerate(program.rows):
            violation = self._extra + met + number
            bound = dict.fromkeys(range(first, first + len(row.met)), row.unit)
            for k in row.members:
                bound[k + 1] = bound.get(k + 1, 0) - row.slack
            bound[violation] = -row.unit
            self._rows.append((bound, row.slack * row.suffix, row.unit))
            for j, (met_by, fixed, share) in enumerate(
                zip(row.met, row.met_suffix, row.shares, strict=True), start=first
            ):
                entry = {m + 1: share for m in row.members}
                if met_by is not None:
                    entry[met_by + 1] = entry.get(met_by + 1, 0) - row.unit
                entry[j] = -row.unit
                self._rows.append((entry, row.unit * fixed - share * row.suffix, row.unit))
            if not row.suffix:
                present = {m + 1: -1 for m in row.members}
                present[violation] = -1
                self._rows.append((present, -1, 1))
            first += len(row.met)
        self._equal: list[tuple[dict[int, int], int]] = []
        for column, base in zip(program.columns, program.base, strict=True):
            if column:
                self._equal.append(({0: -1} | {k + 1: 1 for k in column}, base))
        self._upper = scipy.sparse.csr_array(self._matrix([(r, u) for r, _, u in self._rows]))
        self._right = np.array([b / u for _, b, u in self._rows])
        self._sums = scipy.sparse.csr_array(self._matrix([(r, 1) for r, _ in self._equal]))
        self._totals = np.array([float(b) for _, b in self._equal])

    def _matrix(self, rows: list[tuple[dict[int, int], int]]) -> Floats:
        matrix = np.zeros((len(rows), self._size))
        for i, (row, unit) in enumerate(rows):
            for j, entry in row.items():
                matrix[i, j] = entry / unit
        return matrix

    def _box(self, low: Sequence[int], high: Sequence[int]) -> tuple[list[int], list[int]]:
        # Feasible points need no e above the weight, and no violation.
        most = sum(high[1:]) + sum(row.suffix for row in self._program.rows) + 1
        rest = self._size - self._extra
        return [*low, *[0] * rest], [*high, *[most] * rest]

    def proposal(self, root: Box) -> list[int] | None:
        """Return counts that HiGHS found and exact integers confirm, or None."""
        low, high = self._box(*root)
        violations = len(self._program.rows)
        for row in range(violations):
            high[self._size - 1 - row] = 0
        cost = np.zeros(self._size)
        cost[0] = 1.0
        whole = np.zeros(self._size, dtype=np.int64)
        whole[: self._extra] = 1
        constraints = [scipy.optimize.LinearConstraint(self._sums, self._totals, self._totals)]
        if self._rows:
            constraints.append(scipy.optimize.LinearConstraint(self._upper, -np.inf, self._right))
        result = scipy.optimize.milp(
            cost,
            integrality=whole,
            bounds=scipy.optimize.Bounds(np.array(low, float), np.array(high, float)),
            constraints=constraints,
            options={"node_limit": _PROPOSAL_NODES},
        )
        if result.x is None:
            return None
        counts = [round(v) for v in result.x[1 : self._extra]]
        n = self._program.least(counts)
        inside = n is not None and root[0][0] <= n <= root[1][0] and min(counts) >= 0
        return counts if inside and self._program.holds(counts) else None

    def solve(self, low: Sequence[int], high: Sequence[int]) -> tuple[int, Floats | None]:
        """Return a proved lower bound of n in a box, and the relaxed solution."""
        lows, highs = self._box(low, high)
        cost = np.zeros(self._size)
        price = 1000 * (high[0] - low[0] + 1)
        cost[0], cost[self._size - len(self._program.rows) :] = 1.0, price
        solver: Any = scipy.optimize.linprog
        result = solver(
            cost,
            A_ub=self._upper if self._rows else None,
            b_ub=self._right if self._rows else None,
            A_eq=self._sums,
            b_eq=self._totals,
            bounds=np.array([lows, highs], float).T,
            method="highs",
        )
        if result.x is None or result.status != 0:
            return low[0], None
        upper = -result.ineqlin.marginals if self._rows else np.zeros(0)
        return self._safe(lows, highs, price, upper, -result.eqlin.marginals), result.x

    def _safe(
        self, low: list[int], high: list[int], price: int, upper: Floats, equal: Floats
    ) -> int:
        """Return ⌈the bound of the module's first lines⌉, in integers throughout."""
        reduced = [0] * self._size
        reduced[0] = _GRID
        for j in range(self._size - len(self._program.rows), self._size):
            reduced[j] = price * _GRID
        constant = 0
        denominator = math.lcm(*(unit for _, _, unit in self._rows), 1)
        reduced = [entry * denominator for entry in reduced]
        for (row, bound, unit), u in zip(self._rows, upper.tolist(), strict=True):
            factor = max(round(u * _GRID), 0) * (denominator // unit)
            for j, entry in row.items():
                reduced[j] += factor * entry
            constant -= factor * bound
        for (row, bound), w in zip(self._equal, equal.tolist(), strict=True):
            factor = round(w * _GRID) * denominator
            for j, entry in row.items():
                reduced[j] += factor * entry
            constant -= factor * bound
        total = constant + sum(
            min(r * a, r * b) for r, a, b in zip(reduced, low, high, strict=True)
        )
        return math.ceil(Fraction(total, _GRID * denominator))
