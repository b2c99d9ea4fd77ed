"""Clusters of logits: which pairs (κ, γ) describe a pair of models, and what its attended sets are.

For every query and head the logits of all classes (prefix types; suffix positions with their lag
biases) are divided into clusters: κ is the largest diameter of a cluster, γ the least distance of
two. The finest clusters at distance ≥ γ are those of single linkage: neighbours nearer than γ are
joined. So κ is a step function of γ, and its steps are all the pairs worth looking at.

*Kept.* Members of a cluster are kept up to the horizon T* by both models where κ log₂ T* is less
than the smaller precision; all else is dropped from 2^(p/γ) on, p the larger precision.

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
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from verify.measure.query_logits import QueryLogits
from verify.measure.size import Progress, no_progress
from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer

_Step: TypeAlias = tuple[Any, Any]
"""A gap, and the largest diameter when gaps up to it are closed (∞: too large for the horizon)."""

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
    """Return every clustering worth looking at, κ and γ increasing; the first has κ = 0.

    Args:
        models: f, and g if there is one. Without g it may be any model with as few groups of its
            own, and the numbers of groups are twice those of f.
        horizon: T*. Every κ has κ log₂ T* < p for the smaller p. None: only κ = 0.
        progress: called with what is done.
    """
    heads = [[QueryLogits(model, head) for head in range(model.heads[0])] for model in models]
    steps = _steps(heads, _limit(models, horizon), progress)
    bits = min(model.precision_bits or 0 for model in models)
    pairs: list[tuple[Fraction, Fraction | None]] = []
    diameter = Fraction(0)
    for gap, joined in steps:
        pairs.append((diameter, gap))
        if joined == math.inf or (horizon is None or is_dropped(horizon, joined, bits)):
            break
        diameter = joined
    else:
        pairs.append((diameter, None))
    return _with_sets(heads, pairs, progress)


def _limit(models: tuple[LimitTransformer, ...], horizon: int | None) -> Any:
    """Return a number that no κ with κ log₂ T* < p exceeds, a little above the least."""
    if horizon is None:
        return Fraction(0)
    if horizon == 1:
        return math.inf
    bits = min(model.precision_bits or 0 for model in models)
    return Fraction(bits) / Fraction(math.log2(horizon)) * Fraction(1000001, 1000000)


def _steps(heads: list[list[QueryLogits]], limit: Any, progress: Progress) -> list[_Step]:
    """Return the steps of κ as a function of the gaps that are closed, over all heads."""
    steps: list[_Step] = []
    for logits in (head for model in heads for head in model):
        most = limit if limit == math.inf else limit // logits.unit
        own: list[_Step] = []
        for query in range(logits.types):
            own = _staircase([*own, *_joined(logits.distinct(query), most)])
            progress("near ties", query + 1, logits.types)
        unit = logits.unit
        exact = [(gap * unit, d if d == math.inf else d * unit) for gap, d in own]
        steps = _staircase([*steps, *exact])
    return steps


def _staircase(steps: Iterable[_Step]) -> list[_Step]:
    """Return the steps that raise the diameter, by gap.

    The others are no loss: their gap can be closed for nothing.
    """
    kept: list[_Step] = []
    for gap, diameter in sorted(steps, key=lambda step: (step[0], -step[1])):
        if not kept or diameter > kept[-1][1]:
            kept.append((gap, diameter))
    return kept


def _joined(values: list[int], most: Any) -> list[_Step]:
    """Return the steps of one query: its gaps, smallest first, and the largest diameter then.

    Args:
        values: distinct logits, the least first.
        most: diameters above this are too large, and so is every later one.
    """
    gaps = [b - a for a, b in pairwise(values)]
    near = sorted((gap, place) for place, gap in enumerate(gaps) if gap <= most)
    far = min((gap for gap in gaps if gap > most), default=None)
    first, last = list(range(len(values))), list(range(len(values)))
    steps: list[_Step] = []
    for gap, place in near:
        start, end = first[place], last[place + 1]
        last[start], first[end] = end, start
        diameter = values[end] - values[start]
        if diameter > most:
            return [*steps, (gap, math.inf)]
        if not steps or diameter > steps[-1][1]:
            steps.append((gap, diameter))
    return steps if far is None else [*steps, (far, math.inf)]


def _with_sets(
    heads: list[list[QueryLogits]],
    pairs: list[tuple[Fraction, Fraction | None]],
    progress: Progress,
) -> tuple[Clustering, ...]:
    """Return the clusterings of these pairs (κ, γ), with what is said about attended sets."""
    size = heads[0][0].vocabulary_size
    period = math.lcm(*(head.period for model in heads for head in model))
    tallies = [_Tally() for _ in pairs]
    margins = [gamma for _, gamma in pairs]
    for query in range(period * size):
        residue, token = divmod(query, size)
        found = [
            _divided(head, residue % head.period * size + token, margins)
            for model in heads
            for head in model
        ]
        for number, tally in enumerate(tallies):
            tally.add([divided[number] for divided in found])
        progress("clusters", query + 1, period * size)
    of_both = 1 if len(heads) == 2 else 2
    return tuple(
        Clustering(kappa, gamma, t.clusters, t.positional, of_both * t.attended, of_both * t.light)
        for (kappa, gamma), t in zip(pairs, tallies, strict=True)
    )


@dataclass
class _Tally:
    """What the queries so far say about one pair (κ, γ)."""

    clusters: int = 0
    positional: bool = True
    attended: int = 0
    light: int = 0

    def add(self, heads: list[tuple[int, _Ranks]]) -> None:
        """Count the clusters and attended sets of one query, over all heads."""
        attended, light = set(), set()
        for clusters, ranks in heads:
            self.clusters = max(self.clusters, clusters)
            alone = ranks.min(axis=1) == ranks.max(axis=1)
            self.positional = self.positional and bool(alone.all())
            whole = int(ranks[alone].min(initial=ranks.max() + 1))
            attended.add(_key(np.minimum(ranks, whole + 1)))
            if whole > 0:
                light.add(_key(np.minimum(ranks, whole)))
        self.attended = max(self.attended, len(attended))
        self.light = max(self.light, len(light))


def _divided(
    logits: QueryLogits, query: int, margins: list[Fraction | None]
) -> list[tuple[int, _Ranks]]:
    """Return, for each γ, the number of clusters of one query and where the prefix types lie.

    The second, (Δ, |Σ|), has the rank of the type's cluster among those that have prefix types:
    0 is the highest.
    """
    values = logits.distinct(query)
    # For integers, gap · unit < γ is the same as gap < ⌈γ/unit⌉.
    needed = [math.inf if gamma is None else math.ceil(gamma / logits.unit) for gamma in margins]
    opened = np.array([bisect_right(needed, b - a) for a, b in pairwise(values)], dtype=np.int64)
    places = {value: place for place, value in enumerate(reversed(values))}
    index = np.array([places[value] for value in logits.column(query)])
    found = []
    for number in range(len(margins)):
        parts = np.concatenate([[0], np.cumsum(opened[::-1] > number)])
        _, ranks = np.unique(parts[index], return_inverse=True)
        shape = (logits.period, logits.vocabulary_size)
        found.append((int(parts[-1]) + 1, ranks.reshape(shape).astype(np.int64)))
    return found


def _key(ranks: _Ranks) -> tuple[int, bytes]:
    """Return the same for equal tables, also where one repeats the other in another period."""
    period = ranks.shape[0]
    for shorter in range(1, period):
        if period % shorter == 0 and np.array_equal(ranks, np.roll(ranks, shorter, axis=0)):
            return shorter, ranks[:shorter].tobytes()
    return period, ranks.tobytes()
