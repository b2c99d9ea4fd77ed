"""Weights with broken ties, measured with a horizon: no length that follows is refuted.

From weights to the number, as a user goes: `measure(f, g, horizon=, epsilon=)`, its parameters and
its named hypotheses, `required_length`; against all inputs up to some hundred tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bounds
import verify
from verify import LimitTransformer

from . import one_layer
from .case import Case, pick
from .counts import CountTruth
from .profile import Level, Profile

PAIRS = 60
"""As many as take a minute."""


def broken(rng: np.random.Generator, f: LimitTransformer, size: float) -> LimitTransformer:
    """The model with logits moved by small multiples of `size`."""
    (layer,) = f.layers
    heads = tuple(
        replace(head, query_key=head.query_key + size * rng.integers(-2, 3, head.query_key.shape))
        for head in layer.heads
    )
    return replace(f, layers=(replace(layer, heads=heads),))


def near_tie_cases(number: int) -> Iterator[Case]:
    """Readers of shares and of a mean, and known pairs, their ties broken in f or in both."""
    for seed in range(number):
        rng = np.random.default_rng([7, seed])
        make: Any = pick(
            rng,
            one_layer.known_pairs,
            lambda r: one_layer.on_a_line(r, "argmax"),
            lambda r: one_layer.share_readers(r, "argmax"),
        )
        case: Case = make(rng)
        size = 2.0 ** -float(rng.integers(6, 12))
        f = broken(rng, case.f, size)
        g = broken(rng, case.g, size) if rng.random() < 0.5 else case.g
        yield replace(case, f=f, g=g)


def answers(case: Case, horizon: int, level: Level) -> Iterator[tuple[bool, bounds.LengthBound]]:
    """Yield what a user is told, and whether it is about near ties."""
    chosen = verify.measure(
        case.f, case.g, horizon=horizon, epsilon=level.epsilon, target=level.target
    )
    for c in map(chosen.candidate, range(len(chosen.candidates))):
        for bound in lengths(c.parameters(), c.assume, level):
            yield c.tie_tolerance > 0, bound


def lengths(
    parameters: dict[str, Any], assume: frozenset[str], level: Level
) -> list[bounds.LengthBound]:
    """Return the guarantees for a pair that is described so."""
    question = {"epsilon": level.epsilon, "target": level.target}
    try:
        best = bounds.required_length(error="linf", assume=assume, **parameters, **question)
    except bounds.BoundsError:
        return []
    every = (best, *best.alternatives)
    return [bound for bound in every if bound.status.name in ("PROVED", "TOO_LARGE")]


def some(levels: list[Level]) -> list[Level]:
    """Return the first, the last, and one between."""
    return [levels[k] for k in sorted({0, len(levels) // 2, len(levels) - 1})] if levels else []


@pytest.mark.slow
def test_no_length_for_measured_near_ties_is_refuted() -> None:
    bitten: Counter[str] = Counter()
    told = 0
    for case in near_tie_cases(PAIRS):
        profile: Profile = CountTruth(case.f, case.g, budget=15_000).linf
        horizon = profile.longest
        for level in some(list(profile.levels(0, horizon))):
            for near, bound in answers(case, horizon, level):
                told += 1
                assert bound.length is None or bound.length > level.length, (
                    f"{case.family}: {bound.theorem.key} claims {bound.length} for {level}"
                )
                if near and bound.length is not None and bound.length < horizon:
                    bitten[bound.theorem.key] += 1
    assert told > PAIRS
    assert sum(bitten.values()) > PAIRS // 6, bitten
    assert len(bitten) >= 3, bitten


SPOILT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "near ties count as exact ones": lambda v: v | {"tie_tolerance": 0},
    "a greater distance of clusters": lambda v: v | {"margin": 16 * v["margin"]},
    "a smaller Lipschitz constant": lambda v: v | {"lipschitz": v["lipschitz"] / 16},
}


@pytest.mark.slow
@pytest.mark.parametrize("change", SPOILT)
def test_a_false_constant_is_noticed(change: str) -> None:
    for case in near_tie_cases(PAIRS):
        profile: Profile = CountTruth(case.f, case.g, budget=15_000).linf
        near = verify.measure(case.f, case.g, horizon=profile.longest)
        if near.tie_tolerance == 0:
            continue
        for level in some(list(profile.levels(0, profile.longest))):
            found = lengths(SPOILT[change](near.parameters()), near.assume, level)
            if any(bound.length is not None and bound.length <= level.length for bound in found):
                return
    pytest.fail("no length was refuted")
