"""What is true of one-layer argmax weights beyond `measure`: near ties, columns, equal classes.

Everything is read off the table of logits, which is exact: the weights are small dyadic numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verify import LimitTransformer

from .counts import OneLayer

LONGEST_HORIZON = 2**20


@dataclass(frozen=True)
class Clusters:
    """Logits of one query and head, gathered where the next one is at most a threshold away.

    Attributes:
        diameter: the largest of a cluster.
        distance: the least between two clusters; infinite where there is one only.
        prefix: the prefix types of each cluster that has some, highest first; the number of a
            type is residue · |Σ| + token.
    """

    diameter: float
    distance: float
    prefix: tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Reading:
    """Keywords to put over those that `measure` gives, and named hypotheses that hold."""

    keywords: dict[str, Any]
    facts: frozenset[str]


def readings(f: LimitTransformer, g: LimitTransformer) -> Iterator[Reading]:
    """Yield what theorems about equal classes, columns and near ties may be told.

    First with exact ties; then with the least gap of two logits taken as a tie, if a horizon of
    at least 16 keeps its members (κ log₂ T* < p).
    """
    vocabulary_size, period = f.vocabulary_size, math.lcm(f.period, g.period)
    columns = [
        frozenset(range(r * vocabulary_size, (r + 1) * vocabulary_size)) for r in range(period)
    ]
    exact = _gathered(f, g, 0.0)
    facts = {"laminar_classes"} if period == 1 and _laminar(exact) else set()
    yield from _of(exact, columns, {}, facts)

    least = min(c.distance for heads in exact for c in heads)
    if math.isinf(least):
        return
    near = _gathered(f, g, least)
    diameter = max(c.diameter for heads in near for c in heads)
    distance = min(c.distance for heads in near for c in heads)
    bits = [m.precision_bits or 1 for m in (f, g)]
    horizon = int(min(2.0 ** min(0.999 * min(bits) / diameter, 30.0), LONGEST_HORIZON))
    if horizon >= 16:
        ties = {
            "tie_tolerance": Fraction(diameter),
            "horizon": horizon,
            "margin": Fraction(max(bits) if math.isinf(distance) else distance),
        }
        yield from _of(near, columns, ties, set())


def _of(
    gathered: list[list[Clusters]],
    columns: list[frozenset[int]],
    ties: dict[str, Any],
    facts: set[str],
) -> Iterator[Reading]:
    """Yield the readings of the clusters, by query and head."""
    clusters = [c for heads in gathered for c in heads]
    if all(col <= part or not col & part for c in clusters for part in c.prefix for col in columns):
        facts = facts | {"positional_attention"}
    yield Reading(ties, frozenset(facts))
    # Heads with one order of the types always attend to the same of them.
    groups = max(len({c.prefix for c in heads}) for heads in gathered)
    yield Reading(ties | {"light_groups": groups}, frozenset({"all_light"}))
    light = max(
        len({c.prefix for c in heads if not any(col <= c.prefix[0] for col in columns)})
        for heads in gathered
    )
    yield Reading(ties | {"light_groups": light}, frozenset({"heavy"}))


def _laminar(gathered: list[list[Clusters]]) -> bool:
    """Whether the top classes of all heads are nested or disjoint, for each query."""
    return all(
        a <= b or b <= a or not a & b
        for heads in gathered
        for a, b in itertools.combinations([c.prefix[0] for c in heads], 2)
    )


def _gathered(f: LimitTransformer, g: LimitTransformer, threshold: float) -> list[list[Clusters]]:
    """Return the clusters of every head of f and g, for each type of query."""
    period, locality = math.lcm(f.period, g.period), max(f.locality, g.locality)
    models = [OneLayer(m, period, locality) for m in (f, g)]
    return [
        [
            _clusters(model, head, query, threshold)
            for model in models
            for head in range(len(model.biases))
        ]
        for query in range(len(models[0].types))
    ]


def _clusters(model: OneLayer, head: int, query: int, threshold: float) -> Clusters:
    tokens = model.f.vocabulary_size
    matrix = model.f.layers[0].heads[head].query_key
    logits = model.types @ (matrix @ model.types[query])
    found = [(logit, index) for index, logit in enumerate(logits)]
    for lag, bias in enumerate(model.biases[head]):
        residue = (query // tokens - lag) % model.period
        there = range(residue * tokens, (residue + 1) * tokens) if lag else [query]
        found += [(logits[index] + bias, -1) for index in there]
    found.sort(reverse=True)
    values = np.array([value for value, _ in found])
    cuts = np.flatnonzero(-np.diff(values) > threshold) + 1
    groups = np.split(np.arange(len(found)), cuts)
    parts = [frozenset(found[k][1] for k in group if found[k][1] >= 0) for group in groups]
    return Clusters(
        max(float(values[group[0]] - values[group[-1]]) for group in groups),
        min((float(values[cut - 1] - values[cut]) for cut in cuts), default=math.inf),
        tuple(part for part in parts if part),
    )
