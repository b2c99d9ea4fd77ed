"""Count vectors that are hard to imitate, for one length and one suffix at a time.

A *class* is a length with a suffix; its inputs are count vectors of atoms, column by column (see
`verify.certificates.input_class`). Every family is a way to fill one column.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Generator = np.random.Generator

Family = Callable[[Generator, int, int], Integers]
"""(rng, total, atoms) → counts ≥ 0 of that sum, shape (atoms,)."""


def nested(rng: Generator, total: int, atoms: int) -> Integers:
    """Light and heavy sets: every atom has a scale of its own, from one token to all of them."""
    scales = np.exp(-rng.uniform(0, math.log(max(total, 2)), atoms))
    scales[rng.integers(atoms)] = 1.0
    return by_shares(scales / scales.sum(), total)


def farey(rng: Generator, total: int, atoms: int) -> Integers:
    """Shares beside a simple fraction p/q, off by any power of ten."""
    q = int(rng.integers(1, 40))
    shares = rng.multinomial(q, np.full(atoms, 1 / atoms)) / q
    step = 10.0 ** -rng.uniform(0.5, math.log10(max(total, 4)))
    moved = shares + step * rng.normal(size=atoms)
    moved = np.maximum(moved, 0.0)
    return by_shares(moved / moved.sum() if moved.sum() else shares, total)


def farey_in_light(rng: Generator, total: int, atoms: int) -> Integers:
    """One heavy atom, and among the few others shares beside a simple fraction."""
    if atoms < 3:
        return farey(rng, total, atoms)
    light = int(math.exp(rng.uniform(0, math.log(max(total, 2)))))
    order = rng.permutation(atoms)
    counts = np.zeros(atoms, dtype=np.int64)
    counts[order[1:]] = farey(rng, min(light, total), atoms - 1)
    counts[order[0]] = total - int(counts.sum())
    return counts


def near_tie(rng: Generator, total: int, atoms: int) -> Integers:
    """Atoms of nearly equal counts, some of them absent."""
    present = rng.random(atoms) < 0.7
    present[rng.integers(atoms)] = True
    counts = by_shares(present / present.sum(), total)
    return shifted(rng, counts, int(rng.integers(1, 4)))


def rare(rng: Generator, total: int, atoms: int) -> Integers:
    """One atom takes nearly all; each other has 0 to 3 tokens."""
    counts = np.minimum(rng.integers(0, 4, atoms), total // max(atoms, 1)).astype(np.int64)
    chosen = rng.integers(atoms)
    counts[chosen] = 0
    counts[chosen] = total - counts.sum()
    return counts


def even(rng: Generator, total: int, atoms: int) -> Integers:
    """Shares uniform on the simplex."""
    return by_shares(rng.dirichlet(np.ones(atoms)), total)


FAMILIES: dict[str, Family] = {
    "nested": nested,
    "farey": farey,
    "farey in a light set": farey_in_light,
    "near tie": near_tie,
    "rare": rare,
    "even": even,
}
"""Families of columns, by name."""


def by_shares(shares: npt.NDArray[np.float64], total: int) -> Integers:
    """Round shares to counts of the given sum."""
    counts = np.floor(shares * total).astype(np.int64)
    order = np.argsort(counts - shares * total, kind="stable")
    missing = total - int(counts.sum())
    if missing < 0:
        counts[int(counts.argmax())] += missing
    else:
        counts[order[: missing % counts.size]] += 1
        counts[order[0]] += missing - missing % counts.size
    return counts


def shifted(rng: Generator, counts: Integers, units: int) -> Integers:
    """Move some units from one atom to another, as far as it has them."""
    moved = counts.copy()
    source, goal = rng.integers(counts.size, size=2)
    step = min(units, int(moved[source]))
    moved[source] -= step
    moved[goal] += step
    return moved


def neighbour(rng: Generator, counts: Integers) -> Integers:
    """Return counts nearby, at a random scale; the sum stays."""
    total = int(counts.sum())
    scale = math.exp(rng.uniform(0, math.log(max(total, 2))))
    return shifted(rng, counts, max(int(scale), 1))
