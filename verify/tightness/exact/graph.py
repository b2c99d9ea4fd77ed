"""The graph of the duality: nodes are what short inputs show, edges L·TV and ε.

Lengths of paths are sums of at most a few hundred float64 numbers below 10⁴ or so, hence within
`ROUNDING` times the largest edge of the truth; a path that is found is also measured exactly.
Unit: ε.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from verify.tightness.exact.patterns import (
    Floats,
    Ints,
    NestedPatterns,
    distances,
    exact_distance,
    shares,
)

ROUNDING = 1e-10
"""Bound on the error of a path's length, relative to 1 + L/ε."""


@dataclass(frozen=True)
class Path:
    """A path from the g-node of the limit input to an f-node: its length in units of ε."""

    length: Fraction
    inputs: tuple[int, ...]


class ShortInputs:
    """What the inputs up to a length show, grouped by what f sees.

    Args:
        patterns: what the heads attend to.
        length: N.
        slope: L/ε.
        cap: in units of ε; what is longer need not be found (None: no cap).
    """

    def __init__(
        self,
        patterns: NestedPatterns,
        length: int,
        slope: Fraction,
        cap: Fraction | None = None,
    ) -> None:
        """List the inputs and sort them by what f sees."""
        counts = patterns.counts(length)
        both = np.hstack([patterns.seen_by_f(counts), patterns.seen_by_g(counts)])
        both = np.unique(both, axis=0)
        size = counts.shape[1]
        groups, number = np.unique(both[:, :size], axis=0, return_inverse=True)
        order = np.argsort(number.ravel(), kind="stable")
        self.f_counts: Ints = groups
        self.g_counts: Ints = both[order, size:]
        self.group: Ints = number.ravel()[order]
        self.start: Ints = np.flatnonzero(np.r_[True, np.diff(self.group) > 0])
        self.f_laws, self.g_laws = shares(self.f_counts), shares(self.g_counts)
        self.slope, self._slope = slope, float(slope)
        self._cap = np.inf if cap is None else float(cap)

    @property
    def rounding(self) -> float:
        """Bound on the error of every float length of a path."""
        return ROUNDING * (1.0 + self._slope)

    @property
    def has_detours(self) -> bool:
        """Whether paths with three ε-edges can be below the cap; others have one."""
        return self._cap > 3

    @cached_property
    def f_edges(self) -> Floats:
        """L·TV between all pairs of f-nodes."""
        return self._slope * np.array([distances(self.f_laws, law) for law in self.f_laws])

    def nearest(self, g_law: Floats) -> Floats:
        """Return, for each f-node, ε + the distance of a g-law to the nearest of its inputs."""
        steps = self._slope * distances(self.g_laws, g_law)
        return 1.0 + np.minimum.reduceat(steps, self.start)

    def detour(self, node: int) -> tuple[Floats, Ints, Ints]:
        """From an f-node by ε, g, ε to every f-node: cost, first input, last input."""
        end = self.start[node + 1] if node + 1 < len(self.start) else len(self.group)
        first = np.full(len(self.group), -1)
        cost = np.full(len(self.group), np.inf)
        for row in range(self.start[node], end):
            step = distances(self.g_laws, self.g_laws[row])
            closer = step < cost
            cost[closer], first[closer] = step[closer], row
        last = np.array(
            [
                begin + int(np.argmin(part))
                for begin, part in zip(
                    self.start, np.split(cost, self.start[1:].tolist()), strict=True
                )
            ]
        )
        return 2.0 + self._slope * cost[last], first[last], last

    @cached_property
    def between(self) -> Floats:
        """Shortest paths between f-nodes, with any number of ε-edges."""
        n = len(self.start)
        best = self.f_edges.copy()
        if self.has_detours:
            for node in range(n):
                np.minimum(best[node], self.detour(node)[0], out=best[node])
            for node in range(n):
                np.minimum(best, best[:, node : node + 1] + best[node], out=best)
        return best

    def from_limit(self) -> tuple[Floats, list[Path]]:
        """Shortest paths from the g-law "only o" to every f-node: floats, and exact paths.

        The exact length of a path is at least the shortest one's and, by the floats, at most
        `rounding` above it.
        """
        only = np.zeros(self.g_laws.shape[1])
        only[-1] = 1.0
        steps = self._slope * distances(self.g_laws, only)
        ends = [*self.start[1:].tolist(), len(self.group)]
        rows = [
            begin + int(np.argmin(steps[begin:end]))
            for begin, end in zip(self.start.tolist(), ends, strict=True)
        ]
        cost = 1.0 + steps[rows]
        limit = [0] * (self.g_laws.shape[1] - 1) + [1]
        paths = [
            Path(1 + self.slope * exact_distance(limit, self.g_counts[row]), (row,)) for row in rows
        ]
        todo = set(range(len(rows)))
        while todo:
            node = min(todo, key=lambda n: cost[n])
            todo.remove(node)
            self._relax(node, cost, paths, todo)
        return cost, paths

    def _relax(self, node: int, cost: Floats, paths: list[Path], todo: set[int]) -> None:
        """Dijkstra's step: edges of f, and ε–g–ε, from a node that is settled."""
        by_f = cost[node] + self.f_edges[node]
        by_g = np.full_like(by_f, np.inf)
        first = last = np.zeros(0, dtype=np.int64)
        if cost[node] + 2.0 < min(cost.max(), self._cap):
            through, first, last = self.detour(node)
            by_g = cost[node] + through
        for other in todo:
            short = min(by_f[other], by_g[other])
            if short >= cost[other] - self.rounding / 1000:
                continue
            cost[other], path = short, paths[node]
            if by_f[other] <= by_g[other]:
                step = exact_distance(self.f_counts[node], self.f_counts[other])
                paths[other] = Path(path.length + self.slope * step, path.inputs)
            else:
                ends = int(first[other]), int(last[other])
                step = exact_distance(self.g_counts[ends[0]], self.g_counts[ends[1]])
                paths[other] = Path(path.length + 2 + self.slope * step, (*path.inputs, *ends))
