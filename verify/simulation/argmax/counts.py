"""Theorem 1's map x → z, on counts alone, in exact arithmetic.

Three things of an input matter to a one-layer model in the hardmax regime: its last τ + 1 tokens
(the suffix), its length mod Δ, and how often each *type* (residue of the position, token) occurs
before the suffix (the prefix). The attention of a head is uniform on its *argmax set*: all prefix
positions of some types P, and σ single positions of the suffix. The map keeps the suffix and the
residue of the length, cuts every residue class of the prefix to about n positions, and chooses the
new counts so that the uniform law on each argmax set moves by at most its δ in total variation.

Source: [derived, Theorem 1], proof in docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from verify.errors import InputError

Counts = list[list[int]]
"""`counts[r][s]`: prefix positions i with i mod Δ = r that hold token s; any size."""


@dataclass(frozen=True)
class ArgmaxSet:
    """The positions of maximal logit of one head: prefix types and single suffix positions."""

    types: frozenset[tuple[int, int]]
    """P: types (residue, token); all prefix positions of such a type belong to the set."""
    suffix: int
    """σ: how many of the τ + 1 suffix positions belong to the set."""

    def weight(self, counts: Sequence[Sequence[int]]) -> int:
        """W = c(P) + σ, the number of positions in the set."""
        return sum(counts[r][s] for r, s in self.types) + self.suffix


def slack(period: int, vocabulary_size: int, locality: int) -> Fraction:
    """e = Δ(|Σ| + 1)/4 + τ + 1: rounding, unequal columns and the suffix, counted in positions."""
    return Fraction(period * (vocabulary_size + 1), 4) + locality + 1


def simulation_block(e: Fraction, delta: Fraction | Sequence[Fraction], sets: int) -> int:
    """⌈e(∏(1 + 1/δ) − 1)⌉, the least n for which Theorem 1 serves h argmax sets.

    `delta` has one δ for each of the `sets` = h sets, or is the same for all of them.
    """
    return ceil(e * (prod(1 + 1 / d for d in _each(delta, sets)) - 1))


def levels_of_types(counts: Sequence[Sequence[int]]) -> int:
    """Δ(|Σ| − 1) + 1: so many levels of single types serve any number of argmax sets."""
    return len(counts) * (len(counts[0]) - 1) + 1


def _each(delta: Fraction | Sequence[Fraction], sets: int) -> list[Fraction]:
    return [delta] * sets if isinstance(delta, Fraction) else list(delta)


def shorten(
    counts: Sequence[Sequence[int]],
    sets: Sequence[ArgmaxSet],
    *,
    delta: Fraction | Sequence[Fraction],
    e: Fraction,
    block: int,
) -> Counts:
    """Counts of z: column r sums to n + [column r of x has the larger sum], n = `block`.

    With e from `slack` and `block` ≥ `simulation_block(e, delta, len(sets))`, or with the least δ
    ≥ `simulation_block(e, δ, levels_of_types(counts))`, the uniform law on each of `sets` moves by
    at most its δ in total variation (one for all of them, or one for each), no set becomes empty,
    and no type appears that x does not have. Counts whose columns sum to at most n + 1, with a
    shortest column of at most n, are returned as they are.

    Time: O(|Σ|Δ · (h + log|Σ|)) operations on rationals.

    Raises:
        InputError: a δ outside (0, 1), not one for each set, `block` too small, columns whose sums
            differ by more than 1, an empty argmax set.
    """
    columns = [sum(column) for column in counts]
    shortest = min(columns)
    deltas = _each(delta, len(sets))
    _check(columns, counts, sets, deltas, e, block)
    if shortest <= block:
        return [list(column) for column in counts]
    longer = [total - shortest for total in columns]
    goals = [block + extra for extra in longer]
    # λ < 1: the scale of a proportional cut. Sets that are heavy enough to survive it get it;
    # lighter ones are kept at a larger scale, at the cost of the rest of their column.
    proportional = Fraction(sum(goals), sum(columns))
    if block < simulation_block(e, deltas, len(sets)):
        sets, deltas = _single_types(counts, min(deltas))
    scales = _scales_of_light_types(counts, sets, deltas, e, proportional)
    return [_cut_column(*column) for column in zip(counts, goals, scales, strict=True)]


def _single_types(
    counts: Sequence[Sequence[int]], delta: Fraction
) -> tuple[list[ArgmaxSet], list[Fraction]]:
    """Every type that occurs as a set of its own."""
    types = [(r, s) for r, column in enumerate(counts) for s, count in enumerate(column) if count]
    return [ArgmaxSet(frozenset({t}), 0) for t in types], [delta] * len(types)


def _scales_of_light_types(
    counts: Sequence[Sequence[int]],
    sets: Sequence[ArgmaxSet],
    deltas: Sequence[Fraction],
    e: Fraction,
    proportional: Fraction,
) -> list[dict[int, Fraction]]:
    """Per residue, μ of the token's level, for the types whose level has μ > λ.

    The level of a type is the first set, in the order of δ·weight, that has it. With S_0 = 0,
    R_i = (S_{i−1} + e)/δ_i and S_i = S_{i−1} + R_i, set i keeps about R_i positions:
    μ_i = min(μ_{i−1}, R_i/W_i). What the sets before add to set i is at most S_{i−1}, that is at
    most δ_i R_i − e. In another order this fails, and z can lose a set.
    """
    scales: list[dict[int, Fraction]] = [{} for _ in counts]
    scale = Fraction(1)
    lighter = Fraction(0)
    weights = [chosen.weight(counts) for chosen in sets]
    for i in sorted(range(len(sets)), key=lambda i: deltas[i] * weights[i]):
        kept = (lighter + e) / deltas[i]
        lighter += kept
        scale = min(scale, kept / weights[i])
        if scale <= proportional:
            break
        for r, s in sets[i].types:
            scales[r].setdefault(s, scale)
    return scales


def _cut_column(column: Sequence[int], goal: int, scale_of: dict[int, Fraction]) -> list[int]:
    """One residue class: light types at their scale, the others share what is left."""
    targets = [scale_of.get(s, Fraction(0)) * count for s, count in enumerate(column)]
    left = goal - sum(targets)
    rest = sum(count for s, count in enumerate(column) if s not in scale_of)
    # Theorem 1 proves left ≥ 0, and rest > 0 in every column.
    for s, count in enumerate(column):
        if s not in scale_of:
            targets[s] = left * Fraction(count, rest)
    return largest_remainder(targets)


def largest_remainder(targets: Sequence[Fraction]) -> list[int]:
    """Round to integers with the same (integral) sum: floors, then the largest fractions go up.

    Over any subset, ups and downs are each at most len(targets)/4 in total; integral targets stay
    as they are. [derived, Lemma 1]
    """
    floors = [target.numerator // target.denominator for target in targets]
    missing = sum(targets) - sum(floors)
    if missing.denominator != 1:
        raise InputError("targets", sum(targets), "rationals with an integral sum")
    fractions = [target - floor for target, floor in zip(targets, floors, strict=True)]
    order = sorted(range(len(targets)), key=lambda i: fractions[i], reverse=True)
    for i in order[: int(missing)]:
        floors[i] += 1
    return floors


def total_variation(
    before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], chosen: ArgmaxSet
) -> Fraction:
    """TV between the uniform laws on `chosen` in two inputs with the same suffix.

    The laws live on the types of P and on single suffix positions. Both weights must be positive.
    """
    w, v = chosen.weight(before), chosen.weight(after)
    moved = sum(abs(before[r][s] * v - after[r][s] * w) for r, s in chosen.types)
    return Fraction(moved + chosen.suffix * abs(v - w), 2 * w * v)


def _check(
    columns: Sequence[int],
    counts: Sequence[Sequence[int]],
    sets: Sequence[ArgmaxSet],
    deltas: Sequence[Fraction],
    e: Fraction,
    block: int,
) -> None:
    if len(deltas) != len(sets) or not all(0 < delta < 1 for delta in deltas):
        raise InputError("delta", deltas, "a rational in (0, 1), or one for each set")
    if max(columns) > min(columns) + 1:
        raise InputError("counts", columns, "columns whose sums differ by at most 1")
    least = simulation_block(e, deltas, len(sets))
    if levels_of_types(counts) < len(sets):
        least = min(least, simulation_block(e, min(deltas), levels_of_types(counts)))
    least = max(least, 1)
    if block < least:
        raise InputError("block", block, f"an integer ≥ {least} for these sets and δ")
    for chosen in sets:
        if chosen.weight(counts) < 1:
            raise InputError("sets", chosen, "argmax sets with at least one position")
