"""Checks of softmax models: errors of every map that covers them, against the length of z."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from verify.checks.inputs import Input
from verify.checks.slope_report import SlopeReport
from verify.checks.slopes import Family, Progress, Tokens, measure_slopes, standard_families
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_sequence
from verify.simulation.softmax.deep import DeepPair, covers_only_depth
from verify.simulation.softmax.deep_states import LONGEST
from verify.simulation.softmax.pair import SoftmaxPair

DRAWS = 4
"""Outcomes of the random chain per input and length."""

_LONGEST, _SHARE, _MOST_LENGTHS = 2**14, 8, 6
"""Largest n, the least T/n of a default input, and the largest number of different n."""


@usual_float_errors
def check_softmax(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    inputs: Iterable[Any] | None = None,
    length: int = 10**6,
    seed: int = 0,
    name: str = "f, g",
    progress: Progress | None = None,
    control: str | None = None,
    more: Mapping[str, Family] | None = None,
) -> SlopeReport:
    """Shorten inputs to growing lengths n and compare each error with the proven one at that n.

    The N proven for ε is often far beyond inputs that can be run, so the theorem is tested at
    every n, where it proves a larger error; where that is at least what the error can be for any
    z at all, the row is "vacuous". The table has the fitted slopes of the theorem's
    map and, for two layers, of the paper's random chain.

    Args:
        f: a model in infinite precision; with more than two layers, or lag biases behind the first,
            default inputs have at most 2^13 tokens.
        g: the other model of the pair, or None.
        epsilon: ε > 0, for which the report states the proven N.
        inputs: arrays of tokens or `verify.checks.inputs.Input`s; by default `standard_families`.
        length: largest T of the default inputs, of which no more than 2^17 is used.
        seed: first seed of the random chain.
        name: what the report calls the pair.
        progress: called after each row with the report so far, the row, and the number of rows
            in all.
        control: "truncated" runs a map that is known to be wrong instead of the theorem's.
        more: further families beside the default ones.

    Raises:
        InputError: an argument is not usable.
        WeightsError: no theorem covers f and g.
    """
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InputError("length", length, "an integer, at least 1")
    deep = covers_only_depth(f, g)
    pair = DeepPair.of(f, g) if deep else SoftmaxPair(f, g, layers=min(len(f.layers), 2))
    length = min(length, LONGEST) if deep else length
    shortest = 2 * (pair.locality + 2 * pair.period)
    if inputs is None:
        lengths = _lengths(shortest, length)
        most = min(length, _SHARE * _LONGEST)
        families = standard_families(f.vocabulary_size, longest=lengths[-1], most=most)
        families |= more or {}
    else:
        families = _given(inputs)
        longest = max((len(build(0)) for build in families.values()), default=1)
        lengths = _lengths(shortest, longest)
    return measure_slopes(
        f,
        g,
        epsilon=epsilon,
        lengths=lengths,
        families=families,
        draws=DRAWS,
        seed=seed,
        name=name,
        progress=progress,
        control=control,
    )


def _lengths(shortest: int, total: int) -> list[int]:
    """Powers of two from 64 (or `shortest`) to T/8, at most 2^14; every other one if many."""
    top = min(_LONGEST, total // _SHARE)
    powers = [2**k for k in range(6, 15) if shortest <= 2**k <= top]
    if len(powers) > _MOST_LENGTHS:
        powers = powers[::-2][::-1]
    return powers or [max(shortest, top)]


def _given(inputs: Iterable[Any]) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for number, entry in enumerate(inputs):
        label = entry.name if isinstance(entry, Input) else f"given[{number}]"
        x = as_sequence(entry.build() if isinstance(entry, Input) else entry, f"inputs[{number}]")
        families[label] = fixed_family(x.astype(np.int64))
    return families


def fixed_family(x: Tokens) -> Family:
    """The family that is one input, whatever the n."""
    return partial(_same, x)


def _same(x: Tokens, n: int) -> Tokens:
    """A given input, whatever the n."""
    return x
