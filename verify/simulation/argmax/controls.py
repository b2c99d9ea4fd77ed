"""Maps x → z that are known to be wrong, to see a check fail.

Both give z the length, the suffix and the residue that Theorem 1 gives it, so that only the choice
of the tokens differs.
"""

from __future__ import annotations

from fractions import Fraction

from verify.simulation.argmax.counts import Counts, largest_remainder


def thinned(counts: Counts, goals: list[int]) -> Counts:
    """Keep every token in proportion: a light argmax set can vanish."""
    return [
        largest_remainder([Fraction(count * goal, sum(column)) for count in column])
        for column, goal in zip(counts, goals, strict=True)
    ]


def truncated(counts: Counts, goals: list[int]) -> Counts:
    """Keep the end of an input whose tokens come in ascending order: frequencies are lost."""
    return [_last(column, goal) for column, goal in zip(counts, goals, strict=True)]


def _last(column: list[int], goal: int) -> list[int]:
    kept = [0] * len(column)
    for token in reversed(range(len(column))):
        kept[token] = min(column[token], goal - sum(kept))
    return kept


CONTROLS = {"thinned": thinned, "truncated": truncated}
