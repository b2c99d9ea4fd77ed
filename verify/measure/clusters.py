"""Clusters of logits: which pairs (κ, γ) describe a pair of models, and what its attended sets are.

For every query and head the logits of all classes (prefix types; suffix positions with their lag
biases) are divided into clusters: κ is the largest diameter of a cluster, γ the least distance of
two. The finest clusters at distance ≥ γ are those of single linkage: neighbours nearer than γ are
joined, and κ is the diameter that results, not the gap up to which they are joined.

*One pair for a horizon.* Up to T* all members of the attended cluster must be kept by both models,
κ log₂ T* < p for the smaller precision, and lengths are never below 2^(p/γ), p the larger one, so
that γ log₂ T* ≥ p or nothing is said up to T*. So gaps with gap · log₂ T* < p are to be joined, and
no others: a pair with less joined has a smaller γ, one with more too great a κ. Besides it there
is κ = 0, which needs no horizon.

*Attended sets.* In an input x a head attends to the members, in x, of its highest cluster that
occurs in x. List the prefix parts of the clusters of one head, highest first, without empty ones.
If the attended cluster has a prefix type in x, no higher cluster has one, so the attended set of
prefix types is the first part of the list that occurs in x (otherwise it is empty, and exact in
every theorem). A part that contains a whole column, all types of one residue, occurs in every
prefix that has all residues: no later part is ever attended, and the part itself is heavy, as it
contains all types of that residue that occur. Hence for every x, and one query:

- heads with the same list, cut off after its first part with a whole column, attend to the same
  set or to none, so there are at most as many different attended sets as such lists;
- light sets are parts before the one with a whole column, so there are at most as many different
  light sets as there are different non-empty beginnings before that part.

Both are counted over the heads of f and g; the greatest numbers over all queries bound those of
Theorem S at every input. A set that is heavy in some inputs only counts as light, which Theorem S
allows: what it says of light sets is true of every set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from verify.measure.query_logits import QueryLogits
from verify.measure.size import Progress, no_progress
from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer

_Ranks: TypeAlias = "npt.NDArray[np.int64]"


@dataclass(frozen=True)
class Clustering:
    """One way to take near ties as ties, over all queries and heads of f and g.

    Attributes:
        tie_tolerance: κ, the largest diameter of a cluster; exact. 0: only equal logits are tied.
        margin: γ, the least distance of two clusters; exact. None: nowhere are there two.
        clusters: the greatest number of clusters of one query and head.
        positional: whether all prefix types of one residue always lie in one cluster.
        attended_groups: no more different sets of prefix types are attended to at one query, by
            the heads of f and g.
        light_groups: no more of them are light, that is without a whole column.
    """

    tie_tolerance: Fraction
    margin: Fraction | None
    clusters: int
    positional: bool
    attended_groups: int
    light_groups: int

    @property
    def assume(self) -> frozenset[str]:
        """The named hypotheses of `bounds` about attended sets that hold with these clusters.

        Both "heavy" and "all_light" are about `light_groups` as it is here: the second holds where
        that number leaves out no set. (Otherwise it would need `attended_groups`, which is greater
        by 1 at least, and then it gives no shorter length.)
        """
        facts = {
            "positional_attention": self.positional,
            "heavy": True,
            "all_light": self.light_groups == self.attended_groups,
        }
        return frozenset(name for name, holds in facts.items() if holds)


def clusterings(
    models: tuple[LimitTransformer, ...],
    horizon: int | None,
    progress: Progress = no_progress,
) -> tuple[Clustering, ...]:
    """Return the clusters of equal logits, then those of near ties up to the horizon, if any.

    Args:
        models: f, and g if there is one. Without g it may be any model with as few groups of its
            own, and the numbers of groups are twice those of f.
        horizon: T*; None: only equal logits are tied.
        progress: called with what is done.

    Returns:
        One clustering with κ = 0; a second one if some logits are near ties, and their clusters
        are kept up to the horizon.
    """
    heads = [[QueryLogits(model, head) for head in range(model.heads[0])] for model in models]
    bits = [model.precision_bits or 0 for model in models]
    limits: list[Fraction | float] = [Fraction(0)]
    if horizon is not None:
        limits.append(_least_dropped(horizon, max(bits), heads))
    size = heads[0][0].vocabulary_size
    period = math.lcm(*(head.period for model in heads for head in model))
    tallies = [_Tally() for _ in limits]
    for query in range(period * size):
        residue, token = divmod(query, size)
        for limit, tally in zip(limits, tallies, strict=True):
            tally.add(
                [
                    _divided(head, residue % head.period * size + token, limit)
                    for model in heads
                    for head in model
                ]
            )
        progress("clusters", query + 1, period * size)
    of_both = 1 if len(models) == 2 else 2
    exact, *near = (tally.result(of_both) for tally in tallies)
    kept = (
        c
        for c in near
        if c.tie_tolerance and not is_dropped(horizon or 1, c.tie_tolerance, min(bits))
    )
    return (exact, *kept)


def _least_dropped(horizon: int, bits: int, heads: list[list[QueryLogits]]) -> Fraction | float:
    """Return the least gap, in the smallest unit of all heads, that is dropped at the horizon."""
    if horizon == 1:
        return math.inf
    unit = min(head.unit for model in heads for head in model)
    low, high = 0, 1
    while not is_dropped(horizon, high * unit, bits):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if is_dropped(horizon, middle * unit, bits):
            high = middle
        else:
            low = middle
    return high * unit


class _Divided(NamedTuple):
    """The clusters of one query and head.

    Attributes:
        clusters: how many there are.
        diameter, distance: the largest of a cluster, the least of two; None: there is one only.
        ranks: (Δ, |Σ|); the rank of a prefix type's cluster among those that have prefix types,
            0 the highest.
    """

    clusters: int
    diameter: Fraction
    distance: Fraction | None
    ranks: _Ranks


@dataclass
class _Tally:
    """What the queries so far say."""

    diameter: Fraction = Fraction(0)
    distance: Fraction | None = None
    clusters: int = 0
    positional: bool = True
    attended: int = 0
    light: int = 0

    def add(self, heads: list[_Divided]) -> None:
        """Count the clusters and attended sets of one query, over all heads."""
        attended, light = set(), set()
        for found in heads:
            self.clusters = max(self.clusters, found.clusters)
            self.diameter = max(self.diameter, found.diameter)
            distances = [d for d in (self.distance, found.distance) if d is not None]
            self.distance = min(distances, default=None)
            ranks = found.ranks
            alone = ranks.min(axis=1) == ranks.max(axis=1)  # columns within one cluster
            self.positional = self.positional and bool(alone.all())
            whole = int(ranks[alone].min(initial=ranks.max() + 1))
            attended.add(_key(np.minimum(ranks, whole + 1)))
            if whole > 0:
                light.add(_key(np.minimum(ranks, whole)))
        self.attended = max(self.attended, len(attended))
        self.light = max(self.light, len(light))

    def result(self, models: int) -> Clustering:
        """Return what was found, for so many models that each have these groups."""
        return Clustering(
            self.diameter,
            self.distance,
            self.clusters,
            self.positional,
            models * self.attended,
            models * self.light,
        )


def _divided(logits: QueryLogits, query: int, limit: Fraction | float) -> _Divided:
    """Return the clusters of one query: logits nearer than `limit` to the next are joined."""
    values = logits.distinct(query)
    # For integers, gap · unit < limit is the same as gap < ⌈limit/unit⌉.
    least = limit if limit == math.inf else math.ceil(limit / logits.unit)
    cuts = [place for place, (a, b) in enumerate(pairwise(values), 1) if b - a >= least]
    starts, ends = [0, *cuts], [*cuts, len(values)]
    diameter = max(values[end - 1] - values[start] for start, end in zip(starts, ends, strict=True))
    distance = min((values[cut] - values[cut - 1] for cut in cuts), default=None)
    cluster = {
        value: len(starts) - number
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        for value in values[start:end]
    }
    _, ranks = np.unique([cluster[value] for value in logits.column(query)], return_inverse=True)
    return _Divided(
        len(starts),
        diameter * logits.unit,
        None if distance is None else distance * logits.unit,
        ranks.reshape(logits.period, logits.vocabulary_size).astype(np.int64),
    )


def _key(ranks: _Ranks) -> tuple[int, bytes]:
    """Return the same for equal tables, also where one repeats the other in another period."""
    period = ranks.shape[0]
    for shorter in range(1, period):
        if period % shorter == 0 and np.array_equal(ranks, np.roll(ranks, shorter, axis=0)):
            return shorter, ranks[:shorter].tobytes()
    return period, ranks.tobytes()
