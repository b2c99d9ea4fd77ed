"""Measuring one-layer models in finite precision: period, locality, L and logit margin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from verify.measure.argmax_constants import ArgmaxConstants, ArgmaxModel
from verify.measure.clusters import clusterings
from verify.measure.lipschitz import head_lipschitz
from verify.measure.margin import head_margins
from verify.measure.size import Progress, no_progress
from verify.measure.value_types import content_columns, minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer

Integers: TypeAlias = npt.NDArray[Any]


def measure_argmax(
    models: tuple[LimitTransformer, ...],
    horizon: int | None,
    progress: Progress = no_progress,
) -> ArgmaxConstants:
    """Return the constants of one or two models that have passed the checks of `measure`."""
    candidates = clusterings(models, horizon, progress)
    first = _measure_one(models[0], progress)  # one model may stand for both
    measured = tuple(first if f is models[0] else _measure_one(f, progress) for f in models)
    margins = [head for model in measured for head in model.margins]
    totals = [_total(model, "least") for model in measured]
    return ArgmaxConstants(
        vocabulary_size=models[0].vocabulary_size,
        period=math.lcm(*(model.period for model in measured)),
        locality=max(model.locality for model in measured),
        heads=max(f.heads[0] for f in models),
        precision_bits=max(f.precision_bits or 0 for f in models),
        lipschitz=max(totals),
        lipschitz_other=min(totals),
        lipschitz_sharp=max(_total(model, "sharp") for model in measured),
        lipschitz_operator=max(_total(model, "operator") for model in measured),
        lipschitz_marginal=max(_total(model, "marginal") for model in measured),
        lipschitz_euclidean=max(_total(model, "euclidean") for model in measured),
        margin_realised=_least([head.margin_realised for head in margins]),
        largest_gap=max(head.largest_gap for head in margins),
        shared_logits=len(models) == 2 and share_logits(*models),
        common_order=len(models) == 2 and order_in_common(*models),
        horizon=horizon,
        candidates=candidates,
        chosen=len(candidates) - 1,
        models=measured,
    )


def _measure_one(f: LimitTransformer, progress: Progress) -> ArgmaxModel:
    heads = range(f.heads[0])
    return ArgmaxModel(
        period=minimal_period(f),
        locality=minimal_locality(f),
        declared_period=f.period,
        declared_locality=f.locality,
        lag_bias=any(head.lag_bias.any() for head in f.layers[0].heads),
        precision_bits=f.precision_bits or 0,
        lipschitz=head_lipschitz(f),
        margins=tuple(head_margins(f, head, progress) for head in heads),
    )


def _total(model: ArgmaxModel, form: str) -> Fraction:
    return sum((getattr(head, form) for head in model.lipschitz), Fraction(0))


def share_logits(f: LimitTransformer, g: LimitTransformer) -> bool:
    """Return whether all heads of f and g have the same logits and the same precision, exactly.

    Logits count up to a constant per query. With different precision f and g drop different keys
    at one length, even with equal logits.
    """
    if f.precision_bits != g.precision_bits or minimal_period(f) != minimal_period(g):
        return False
    heads = [(model, head) for model in (f, g) for head in range(model.heads[0])]
    biases = [np.trim_zeros(model.layers[0].heads[h].lag_bias, "b") for model, h in heads]
    if not all(np.array_equal(bias, biases[0]) for bias in biases[1:]):
        return False
    columns = (content_columns(model, head) for model, head in heads)
    for parts in zip(*columns, strict=True):
        first, *others = (logits - logits[:1] for _, logits in parts)
        if any((other - first).numerators.any() for other in others):
            return False
    return True


def order_in_common(f: LimitTransformer, g: LimitTransformer) -> bool:
    """Return whether all heads of f and g order the tokens in the same way, exactly.

    For each query (token and residue): the content logits do not depend on the key's residue, and
    those of all heads have the same order, ties included.
    """
    heads = [(model, head) for model in (f, g) for head in range(model.heads[0])]
    orders: list[Iterable[Integers | None]] = [_orders(model, head) for model, head in heads]
    if minimal_period(f) != minimal_period(g):
        queries = math.lcm(minimal_period(f), minimal_period(g)) * f.vocabulary_size
        listed = [list(of_head) for of_head in orders]
        orders = [[row[q % len(row)] for q in range(queries)] for row in listed]
    for first, *others in zip(*orders, strict=True):
        if first is None or any(o is None or not np.array_equal(o, first) for o in others):
            return False
    return True


def _orders(f: LimitTransformer, head: int) -> Iterator[Integers | None]:
    """Yield, for each query, the ranks of the tokens; None where they depend on the residue."""
    for _, logits in content_columns(f, head):
        for column in logits.numerators.T:
            rows = column.reshape(-1, f.vocabulary_size)
            if not np.array_equal(rows, np.broadcast_to(rows[:1], rows.shape)):
                yield None
            else:
                yield np.unique(rows[0], return_inverse=True)[1]


def _least(margins: list[Fraction | None]) -> Fraction | None:
    return min((margin for margin in margins if margin is not None), default=None)
