"""How large a measurement is, before it starts: what fits, and reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from verify.errors import InputError
from verify.measure.value_types import minimal_period
from verify.model.transformer import LimitTransformer

Progress: TypeAlias = Callable[[str, int, int], object]
"""Called with what is measured, how many query types are done, and how many there are."""

MOST_LOGITS = 200_000_000
"""Content logits of all first-layer heads of a model, at most: about ten minutes."""


def no_progress(what: str, done: int, total: int) -> None:
    """Report nothing."""


def check_size(name: str, f: LimitTransformer) -> None:
    """Raise InputError where the first layer has more logits than can be looked at one by one.

    Every query type can meet every type: (|Σ|Δ)² H logits, each computed exactly.
    """
    heads, period = f.heads[0], minimal_period(f)
    types = f.vocabulary_size * period
    logits = types**2 * heads
    if logits > MOST_LOGITS:
        fits = int((MOST_LOGITS / heads) ** 0.5)
        raise InputError(
            name,
            f"|Σ| = {f.vocabulary_size}, Δ = {period}, H = {heads}: {logits:,} logits",
            f"at most {MOST_LOGITS:,} logits (|Σ|Δ)²H, that is |Σ|Δ ≤ {fits:,} with {heads} "
            f"head{'s' if heads > 1 else ''}",
        )
