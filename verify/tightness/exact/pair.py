"""`worst_pair`: heads f, g that attain the worst case, as distances in the graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verify.errors import InputError
from verify.tightness.exact.graph import ShortInputs
from verify.tightness.exact.patterns import Ints, NestedPatterns
from verify.tightness.exact.worst import (
    at_the_limit,
    check_length,
    in_units,
    longest_listed,
    rational,
)


@dataclass(frozen=True, eq=False)
class WorstPair:
    """Two Lipschitz heads: f(u) = dist(g_x, f_u), g(u) = dist(g_x, g_u), for a limit input x.

    Every number is exact. What is not a node gets McShane's extension, the lowest of the cones
    above the nodes.

    Attributes:
        patterns, lipschitz, epsilon, length: L, ε and N.
        value: f(x) − g(x), exactly.
        law: on Σ, what f sees at x, o last, where the share of A in all tokens tends to 0.
        f_nodes, g_nodes: (n, |Σ|) token counts, what f and g see of short inputs.
        f_values, g_values: their values, as whole numbers, in units of 1/`unit`.
        unit: see there.
        agreed: the largest |f − g| on all inputs of length ≤ N, exactly.
        slopes: the least Lipschitz constants of f and g on the nodes, exactly.
    """

    patterns: NestedPatterns
    lipschitz: Fraction
    epsilon: Fraction
    length: int
    value: Fraction
    law: tuple[Fraction, ...]
    f_nodes: Ints
    g_nodes: Ints
    f_values: Ints
    g_values: Ints
    unit: Fraction
    agreed: Fraction
    slopes: tuple[Fraction, Fraction]

    def f(self, counts: Any) -> Fraction:
        """The value of f where it sees tokens in proportion to these counts."""
        return self._extended(self.f_nodes, self.f_values, counts)

    def g(self, counts: Any) -> Fraction:
        """The value of g where it sees tokens in proportion to these counts."""
        return self._extended(self.g_nodes, self.g_values, counts)

    def _extended(self, nodes: Ints, values: Ints, counts: Any) -> Fraction:
        total = sum(int(c) for c in counts)
        best: Fraction | None = None
        for node, value in zip(nodes.tolist(), values.tolist(), strict=True):
            size = sum(node)
            excess = sum(
                max(a * size - int(c) * total, 0)
                for a, c in zip([int(c) for c in counts], node, strict=True)
            )
            cone = value / self.unit + self.lipschitz * Fraction(excess, total * size)
            best = cone if best is None else min(best, cone)
        assert best is not None
        return best


def worst_pair(patterns: NestedPatterns, *, lipschitz: Any, epsilon: Any, length: int) -> WorstPair:
    """Heads that agree within ε up to N and attain the worst case.

    Source: [derived, docs/theory/one_layer_argmax.md#one-layer-duality].

    Args:
        patterns, lipschitz, epsilon, length: as in `exact_worst`; N so small that all distances
            are whole numbers below 2⁶² in a common unit (N ≤ 36 for L/ε = 24).

    Raises:
        InputError: an argument is none of those.
    """
    if patterns.vocabulary_size == 4:
        raise InputError("patterns", patterns, "three tokens, or two if tied")
    slope, agreement = rational("lipschitz", lipschitz), rational("epsilon", epsilon)
    check_length("length", length, longest_listed(patterns))
    ratio = in_units("lipschitz", slope, agreement)
    unit = math.lcm(*range(1, length + 1)) * ratio.denominator
    if unit * (4 + 2 * ratio) >= 2**62:
        allowed = "so small that lcm(1, ..., N)·L/ε < 2⁶⁰, such as 36"
        raise InputError("length", length, allowed)
    short = ShortInputs(patterns, length, ratio)
    _, paths = short.from_limit()
    limit = at_the_limit(patterns, short)
    f_values = np.array([int(p.length * unit) for p in paths], dtype=np.int64)
    only = np.array([[0] * (patterns.vocabulary_size - 1) + [1]], dtype=np.int64)
    edge = int(ratio * unit)
    g_values = _distances(short.g_counts, only, edge)[:, 0]
    for rows in _parts(len(short.g_counts)):
        steps = _distances(short.g_counts, short.g_counts[rows], edge)
        through = f_values[short.group[rows]] + unit + steps
        np.minimum(g_values, through.min(axis=1), out=g_values)
    apart = int(np.abs(f_values[short.group] - g_values).max())
    return WorstPair(
        patterns,
        slope,
        agreement,
        length,
        limit.high * agreement,
        limit.law,
        short.f_counts,
        short.g_counts,
        f_values,
        g_values,
        Fraction(unit) / agreement,
        Fraction(apart, unit) * agreement,
        (
            _steepest(short.f_counts, f_values, edge) * slope,
            _steepest(short.g_counts, g_values, edge) * slope,
        ),
    )


def _parts(rows: int) -> list[slice]:
    return [slice(at, at + 256) for at in range(0, rows, 256)]


def _distances(nodes: Ints, others: Ints, edge: int) -> Ints:
    """Return edge·TV between rows, (nodes, others): whole, as `edge` has lcm(1, ..., N)."""
    size, sizes = nodes.sum(axis=1)[:, None], others.sum(axis=1)[None, :]
    excess = np.zeros((len(nodes), len(others)), dtype=np.int64)
    for token in range(nodes.shape[1]):
        excess += np.maximum(nodes[:, token, None] * sizes - others[:, token] * size, 0)
    common = np.gcd(excess, size * sizes)
    return np.asarray(edge // (size * sizes // common) * (excess // common), dtype=np.int64)


def _steepest(nodes: Ints, values: Ints, edge: int) -> Fraction:
    """Return the largest |difference of values| / (edge·TV) over pairs of different rows."""
    best = Fraction(0)
    distinct, where = np.unique(nodes, axis=0, return_index=True)
    own = values[where]
    for rows in _parts(len(distinct)):
        steps = _distances(distinct, distinct[rows], edge)
        rises = np.abs(own[:, None] - own[None, rows])
        steep = rises > steps  # exact; only these can exceed 1
        ratio = rises / np.maximum(steps, 1)
        ratio[steps == 0] = 0.0
        place = np.unravel_index(int(np.argmax(np.where(steep, ratio + 2, ratio))), ratio.shape)
        best = max(best, Fraction(int(rises[place]), max(int(steps[place]), 1)))
    return best
