"""Measuring one- and two-layer models in infinite precision, in norm and enclosed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from bounds.numbers import Exact
from bounds.precision import FLINT
from verify.measure import complexity
from verify.measure.lipschitz import head_lipschitz
from verify.measure.norms import (
    PRECISION,
    interval,
    keyword,
    largest,
    log_up,
    rounded_up,
    weight_norm_up,
)
from verify.measure.size import Progress, no_progress
from verify.measure.softmax_constants import SoftmaxConstants, SoftmaxModel
from verify.measure.softmax_depth import depth_constants, last_lipschitz, smallest_margin
from verify.measure.softmax_heads import SoftmaxHead, softmax_heads
from verify.measure.two_layer import (
    TwoLayerForm,
    enclosed_form,
    norm_form,
    value_rank,
)
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer


def measure_softmax(
    models: tuple[LimitTransformer, ...], block: int, progress: Progress = no_progress
) -> SoftmaxConstants:
    """Return the constants of one or two models that have passed the checks of `measure`."""
    layers = max(len(f.layers) for f in models)
    if needs_depth(models):
        return _measure_deep(models, block, progress)
    sizes = _Sizes(
        vocabulary_size=models[0].vocabulary_size,
        period=math.lcm(*(minimal_period(f) for f in models)),
        locality=max(minimal_locality(f) for f in models),
        dimension=None,
        block=block,
    )
    if layers == 2:
        # One model alone stands for two: the other one's ranks count as well.
        ranks = sum(value_rank(f) for f in models) * (2 // len(models))
        sizes.dimension = sizes.period * (sizes.vocabulary_size - 1) + ranks
    measured = [_measure_one(f, sizes, progress) for f in models]
    found = [model for model, _ in measured]
    enclosed, norm, average = (
        _joint([values[number] for _, values in measured]) for number in range(3)
    )
    of_output = [
        complexity.output_constants(model.enclosed.ingredients)
        for model in found
        if model.enclosed is not None
    ]
    return SoftmaxConstants(
        layers=layers,
        vocabulary_size=sizes.vocabulary_size,
        period=sizes.period,
        locality=sizes.locality,
        heads=max(f.heads[0] for f in models),
        positional_margin=min(model.positional_margin for model in found),
        logit_range=max(head.logit_range for model in found for head in model.heads),
        logit_range_columns=max(head.column_range for model in found for head in model.heads),
        lipschitz=max(sum(model.head_lipschitz, Fraction(0)) for model in found),
        lipschitz_euclidean=max(sum(model.head_euclidean, Fraction(0)) for model in found),
        complexity_one_layer=enclosed if layers == 1 else None,
        complexity_one_layer_norm=norm if layers == 1 else None,
        complexity_balanced=enclosed if layers == 2 and sizes.period == 1 else None,
        complexity_balanced_norm=norm if layers == 2 and sizes.period == 1 else None,
        complexity_periodic=enclosed if layers == 2 and sizes.period > 1 else None,
        complexity_periodic_norm=norm if layers == 2 and sizes.period > 1 else None,
        complexity_average=average,
        lipschitz_query=_largest_output([c.query for c in of_output]),
        lipschitz_keys=_largest_output([c.keys for c in of_output]),
        limit_query=_largest_output([c.limit_query for c in of_output]),
        limit_keys=_largest_output([c.limit_keys for c in of_output]),
        influence_keys=_largest_output([c.influence for c in of_output]),
        depth_constants=None,
        block=block,
        dimension=sizes.dimension,
        models=tuple(found),
    )


def needs_depth(models: tuple[LimitTransformer, ...]) -> bool:
    """Return whether only the theorem of any depth covers the models.

    So it is with more than two layers, a lag bias in a second layer, or different depths.
    """
    depths = {len(f.layers) for f in models}
    late = any(h.lag_bias.any() for f in models for x in f.layers[1:] for h in x.heads)
    return len(depths) > 1 or max(depths) > 2 or late


def _measure_deep(
    models: tuple[LimitTransformer, ...], block: int, progress: Progress
) -> SoftmaxConstants:
    """Return the constants of models that only the theorem of any depth covers."""
    constants = depth_constants(models, progress)
    found = []
    for f, layers in zip(models, constants.models, strict=False):
        slopes = last_lipschitz(layers)
        found.append(
            SoftmaxModel(
                period=minimal_period(f),
                locality=minimal_locality(f),
                declared_period=f.period,
                declared_locality=f.locality,
                heads=softmax_heads(f, progress),
                positional_margin=smallest_margin(f),
                lag_bias=any(h.lag_bias.any() for layer in f.layers for h in layer.heads),
                head_lipschitz=slopes,
                head_euclidean=slopes,
                norm=None,
                enclosed=None,
                value_rank=sum(head.value_rank for head in layers[-1].heads),
                log_complexity=None,
                log_complexity_norm=None,
                log_complexity_average=None,
            )
        )
    lipschitz = max(sum(model.head_lipschitz, Fraction(0)) for model in found)
    return SoftmaxConstants(
        layers=constants.layers,
        vocabulary_size=models[0].vocabulary_size,
        period=math.lcm(*(model.period for model in found)),
        locality=max(model.locality for model in found),
        heads=max(f.heads[0] for f in models),
        positional_margin=min(model.positional_margin for model in found),
        logit_range=max(head.logit_range for model in found for head in model.heads),
        logit_range_columns=max(head.column_range for model in found for head in model.heads),
        lipschitz=lipschitz,
        lipschitz_euclidean=lipschitz,
        complexity_one_layer=None,
        complexity_one_layer_norm=None,
        complexity_balanced=None,
        complexity_balanced_norm=None,
        complexity_periodic=None,
        complexity_periodic_norm=None,
        complexity_average=None,
        lipschitz_query=None,
        lipschitz_keys=None,
        limit_query=None,
        limit_keys=None,
        influence_keys=None,
        depth_constants=constants,
        block=block,
        dimension=None,
        models=tuple(found),
    )


@dataclass
class _Sizes:
    """What f and g share."""

    vocabulary_size: int
    period: int
    locality: int
    dimension: int | None
    block: int


def _measure_one(
    f: LimitTransformer, sizes: _Sizes, progress: Progress
) -> tuple[SoftmaxModel, tuple[Any, Any, Any]]:
    """Return one model's constants, and its C (enclosed, norm, average) as intervals or None."""
    heads = softmax_heads(f, progress)
    norm = enclosed = None
    complexities: tuple[Any, Any, Any] = (None, None, None)
    if len(f.layers) == 2:
        norm = norm_form(f, heads)
        enclosed = enclosed_form(f, heads, norm, progress)
        complexities = _two_layer_complexities(enclosed, norm, sizes)
        readout = enclosed.ingredients.readout_lipschitz
        lipschitz = tuple(
            rounded_up(readout * head.value_diameter) for head in enclosed.ingredients.heads
        )
        euclidean = lipschitz
    else:
        constants = head_lipschitz(f)
        lipschitz = tuple(head.least for head in constants)
        euclidean = tuple(head.euclidean for head in constants)
        if sizes.period == 1:
            complexities = (
                _one_layer(heads, lipschitz, sizes),
                _one_layer_norm(f, heads, sizes),
                None,
            )
    logs = [None if value is None else log_up(value) for value in complexities]
    model = SoftmaxModel(
        period=minimal_period(f),
        locality=minimal_locality(f),
        declared_period=f.period,
        declared_locality=f.locality,
        heads=heads,
        positional_margin=min(head.positional_margin for head in heads),
        lag_bias=any(head.lag_bias.any() for layer in f.layers for head in layer.heads),
        head_lipschitz=lipschitz,
        head_euclidean=euclidean,
        norm=norm,
        enclosed=enclosed,
        value_rank=value_rank(f) if len(f.layers) == 2 else 0,
        log_complexity=logs[0],
        log_complexity_norm=logs[1],
        log_complexity_average=logs[2],
    )
    return model, complexities


def _two_layer_complexities(
    enclosed: TwoLayerForm, norm: TwoLayerForm, sizes: _Sizes
) -> tuple[Any, Any, Any]:
    dimension = sizes.dimension or 0
    at = (dimension, sizes.period, sizes.locality, sizes.block)
    average = None
    if sizes.period == 1:
        average = complexity.two_layer_average(
            enclosed.ingredients, sizes.vocabulary_size, sizes.locality
        )
    return (
        complexity.two_layer(enclosed.ingredients, *at),
        complexity.two_layer(norm.ingredients, *at),
        average,
    )


def _one_layer(
    heads: tuple[SoftmaxHead, ...], lipschitz: tuple[Fraction, ...], sizes: _Sizes
) -> Any:
    """Return max over query types of Σ_h L_h e^{R_h} ((|Σ|/4 + τ+1)[not pos. dom.] + 2(τ+1))."""
    suffix = sizes.locality + 1
    totals = []
    with FLINT, ctx.workprec(PRECISION):
        for query in range(len(heads[0].query_ranges)):
            total = arb(0)
            for head, slope in zip(heads, lipschitz, strict=True):
                weight = Fraction(2 * suffix)
                if head.regime != "position dominant":
                    weight += Fraction(sizes.vocabulary_size, 4) + suffix
                total += interval(slope * weight) * interval(head.query_ranges[query]).exp()
            totals.append(total)
        return largest(totals)


def _one_layer_norm(f: LimitTransformer, heads: tuple[SoftmaxHead, ...], sizes: _Sizes) -> Any:
    """Return ‖U‖ Λ₁ Σ_h D_h e^{R_h} (|Σ|/4 + 3(τ+1)) with R_h, D_h from operator norms."""
    layer = f.layers[0]
    mlp = weight_norm_up(layer.mlp_in) * weight_norm_up(layer.mlp_out)
    readout = weight_norm_up(f.unembedding) * (1 + mlp)
    weight = readout * (Fraction(sizes.vocabulary_size, 4) + 3 * (sizes.locality + 1))
    with FLINT, ctx.workprec(PRECISION):
        parts = [
            interval(weight * head.value_diameter_norm) * interval(head.logit_range_norm).exp()
            for head in heads
        ]
        return sum(parts, arb(0))


def _largest_output(values: list[Any]) -> Exact | None:
    """Return the largest of constants that may be 0, as a keyword; None for one layer."""
    return keyword(largest(values), positive=False) if values else None


def _joint(values: list[Any]) -> Exact | None:
    """Return the largest C as a keyword, or None where one is missing."""
    return None if any(value is None for value in values) else keyword(largest(values))
