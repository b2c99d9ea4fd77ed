"""Checks of softmax models: errors of every map that covers them, against the length of z."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from verify.checks.inputs import Input
from verify.checks.slope_report import SlopeReport, SlopeRow
from verify.checks.slopes import Family, measure_slopes, standard_families
from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_sequence
from verify.simulation.softmax.pair import SoftmaxPair

DRAWS = 8
"""Outcomes of the random chain per input and length."""

_LONGEST, _SHARE = 4096, 8
"""Largest n, and the least T/n of a default input."""


def check_softmax(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    inputs: Iterable[Any] | None = None,
    length: int = 10**6,
    seed: int = 0,
    name: str = "f, g",
    progress: Callable[[SlopeRow, int], None] | None = None,
    more: Mapping[str, Family] | None = None,
) -> SlopeReport:
    """Shorten inputs to growing lengths n and compare each error with the proven one at that n.

    The N proven for ε is often far beyond inputs that can be run, so the theorem is tested at
    every n, where it proves a larger error. The table has the fitted slopes of the theorem's
    map and, for two layers, of the paper's random chain.

    Args:
        f: one or two layers in infinite precision.
        g: the other model of the pair, or None.
        epsilon: ε > 0, for which the report states the proven N.
        inputs: arrays of tokens or `verify.checks.inputs.Input`s; by default `standard_families`.
        length: largest T of the default inputs.
        seed: first seed of the random chain.
        name: what the report calls the pair.
        progress: called after each row, with the number of rows to come in all.
        more: further families beside the default ones.

    Raises:
        InputError: an argument is not usable.
        WeightsError: no theorem covers f and g.
    """
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InputError("length", length, "an integer, at least 1")
    pair = SoftmaxPair(f, g, layers=min(len(f.layers), 2))
    shortest = 2 * (pair.locality + 2 * pair.period)
    if inputs is None:
        lengths = _lengths(shortest, length)
        families = standard_families(f.vocabulary_size, longest=lengths[-1], most=length)
        families |= more or {}
    else:
        families = _given(inputs)
        longest = max((len(build(0)) for build in families.values()), default=1)
        lengths = _lengths(shortest, longest)
    total = len(families) * len(lengths) * pair.layers
    return measure_slopes(
        f,
        g,
        epsilon=epsilon,
        lengths=lengths,
        families=families,
        draws=DRAWS,
        seed=seed,
        name=name,
        progress=None if progress is None else lambda row: progress(row, total),
    )


def _lengths(shortest: int, total: int) -> list[int]:
    """Powers of two from 64 (or `shortest`) to T/8, at most 4096; at least one length."""
    top = min(_LONGEST, total // _SHARE)
    powers = [2**k for k in range(6, 13) if shortest <= 2**k <= top]
    return powers or [max(shortest, top)]


def _given(inputs: Iterable[Any]) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for number, entry in enumerate(inputs):
        label = entry.name if isinstance(entry, Input) else f"given[{number}]"
        x = as_sequence(entry.build() if isinstance(entry, Input) else entry, f"inputs[{number}]")
        families[label] = lambda n, x=x: x.astype(np.int64)  # type: ignore[misc]
    return families
