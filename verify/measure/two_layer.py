"""Constants of a two-layer softmax model, from operator norms and from enclosed outputs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from bounds.precision import FLINT
from verify.measure.complexity import Ingredients, SecondHead
from verify.measure.dyadic import Dyadic
from verify.measure.enclosure import FirstLayer, Reachable
from verify.measure.lipschitz import diameter_up
from verify.measure.norms import PRECISION, interval, rounded_up, weight_norm_up
from verify.measure.size import Progress, no_progress
from verify.measure.softmax_heads import SoftmaxHead
from verify.measure.value_types import type_vectors
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

_MOST_ENTRIES = 300_000
"""Coordinates of all points of an enclosure, at most."""
_MOST_PAIRS = 500_000_000
"""Pairs of points of an enclosure whose products are looked at one by one, at most."""


@dataclass(frozen=True)
class TwoLayerForm:
    """The constants of the two-layer bounds in one of two forms; each is an upper bound.

    Attributes:
        mlp_lipschitz: Λ₁ = 1 + ‖A₁‖‖B₁‖.
        output_diameter: D_Y, of the set 𝒴 of reachable first-layer outputs.
        output_norm: Y_max, the largest norm in 𝒴.
        ingredients: β, β′, Λ₂, γ, and per second-layer head R₂, D₂, ℓ₂.

    Source: [derived, Theorem B4, table of constants].
    """

    mlp_lipschitz: Fraction
    output_diameter: Fraction
    output_norm: Fraction
    ingredients: Ingredients


def value_rank(f: LimitTransformer) -> int:
    """Return Σ rank V₂ over the heads of the second layer, exactly."""
    return sum(Dyadic.of(head.value).rank() for head in f.layers[1].heads)


def norm_form(f: LimitTransformer, heads: tuple[SoftmaxHead, ...]) -> TwoLayerForm:
    """Return the constants as products of operator norms."""
    first, second = f.layers[:2]
    types = type_vectors(f)
    mlp_out = weight_norm_up(first.mlp_out)
    mlp = 1 + weight_norm_up(first.mlp_in) * mlp_out
    steps = sum((head.value_diameter_norm for head in heads), Fraction(0))
    sizes = (types @ Dyadic.of(head.value).T for head in first.heads)
    attended = sum((values.norms_up().largest() for values in sizes), Fraction(0))
    bias = Dyadic.of(first.mlp_bias).norms_up().largest()
    diameter = rounded_up(mlp * (diameter_up(types) + steps))
    size = rounded_up(mlp * (types.norms_up().largest() + attended) + mlp_out * bias)
    readout = weight_norm_up(f.unembedding) * mlp_lipschitz(f.layers[-1])
    with FLINT, ctx.workprec(PRECISION):
        betas = [
            interval(mlp * head.value_diameter_norm) * interval(head.logit_range_norm).exp()
            for head in heads
        ]
        beta = sum(betas, arb(0)).upper()
        beta_histogram = _without_position_dominant(betas, heads).upper()
    ingredients = Ingredients(
        readout_lipschitz=rounded_up(readout),
        beta=beta,
        beta_histogram=beta_histogram,
        positional_margin=min(head.positional_margin for head in heads),
        heads=tuple(_norm_head(head, diameter, size) for head in second.heads),
    )
    return TwoLayerForm(rounded_up(mlp), diameter, size, ingredients)


def enclosed_form(
    f: LimitTransformer,
    heads: tuple[SoftmaxHead, ...],
    norms: TwoLayerForm,
    progress: Progress = no_progress,
) -> TwoLayerForm:
    """Return the constants over an enclosure of 𝒴; each is at most the one in norm form.

    The enclosure has (|Σ|Δ)²H points. Where they are too many, 𝒴 is bounded by norms only, and
    the first layer by its exact logit ranges and diameters.
    """
    types = len(heads[0].query_ranges)
    small = types**2 * len(heads) * f.dimension <= _MOST_ENTRIES
    diameter, size, steps, reachable = norms.output_diameter, norms.output_norm, None, None
    if small:
        first = FirstLayer.of(f)
        steps = first.steps_up()
        progress("reachable outputs of layer 0", 0, types)
        reachable = first.reachable()
        diameter = min(diameter, rounded_up(reachable.diameter_up()))
        size = min(size, rounded_up(reachable.norm_up()))
    beta, beta_histogram = _betas(steps, heads, norms.mlp_lipschitz)
    last = norms.ingredients.heads
    if reachable is not None:
        last = tuple(
            _enclosed_head(head, reachable, diameter, size, bound)
            for head, bound in zip(f.layers[1].heads, norms.ingredients.heads, strict=True)
        )
    ingredients = Ingredients(
        readout_lipschitz=min(norms.ingredients.readout_lipschitz, readout_lipschitz(f)),
        beta=_smaller(norms.ingredients.beta, beta),
        beta_histogram=_smaller(norms.ingredients.beta_histogram, beta_histogram),
        positional_margin=norms.ingredients.positional_margin,
        heads=last,
    )
    return TwoLayerForm(norms.mlp_lipschitz, diameter, size, ingredients)


def _norm_head(head: Head, diameter: Fraction, size: Fraction) -> SecondHead:
    """Return R₂ = ‖M‖ D_Y Y_max, D₂ = ‖V₂‖ D_Y, ‖M‖ D_Y and ℓ₂ = ‖V₂‖ + ‖M‖ Y_max D₂."""
    score = weight_norm_up(head.query_key)
    value = weight_norm_up(head.value)
    spread = rounded_up(value * diameter)
    return SecondHead(
        logit_range=rounded_up(score * diameter * size),
        value_diameter=spread,
        query_lipschitz=rounded_up(score * diameter),
        tilt_lipschitz=rounded_up(value + score * size * spread),
    )


def _enclosed_head(
    head: Head, reachable: Reachable, diameter: Fraction, size: Fraction, norms: SecondHead
) -> SecondHead:
    """Return the same over the enclosure.

    sup (y − y′)ᵀMq is the largest oscillation of yᵀ(Mq) over 𝒴, a sublinear and even function
    of q. ‖Mᵀ(y − y′)‖ is a distance in Mᵀ𝒴, and ‖Mq‖ ≤ ‖M‖ Y_max.
    """
    score, value = Dyadic.of(head.query_key), Dyadic.of(head.value)
    score_norm, value_norm = weight_norm_up(head.query_key), weight_norm_up(head.value)
    query_lipschitz = min(reachable.image(score.T).diameter_up(), score_norm * diameter)
    query_size = min(reachable.image(score).norm_up(), score_norm * size)
    logit_range = min(query_lipschitz * size, diameter * query_size)
    if reachable.points.shape[0] ** 4 * reachable.points.shape[1] ** 2 <= _MOST_PAIRS:
        oscillation = reachable.supremum(lambda q: reachable.oscillation(q @ score.T))
        logit_range = min(logit_range, oscillation)
    spread = min(reachable.image(value).diameter_up(), value_norm * diameter)
    return SecondHead(
        logit_range=min(norms.logit_range, rounded_up(logit_range)),
        value_diameter=min(norms.value_diameter, rounded_up(spread)),
        query_lipschitz=min(norms.query_lipschitz, rounded_up(query_lipschitz)),
        tilt_lipschitz=min(norms.tilt_lipschitz, rounded_up(value_norm + query_size * spread)),
    )


def _betas(
    steps: Dyadic | None, heads: tuple[SoftmaxHead, ...], mlp_lipschitz: Fraction
) -> tuple[Any, Any]:
    """Return β and β′ = max over query types of Σ_h (step of head h) · e^{range of the query}.

    Both inputs of the comparison end in the same type, so the maximum may stand outside. Without
    `steps`, (types, H), each step is bounded by Λ₁ times the diameter of the values.
    """
    limits = [mlp_lipschitz * head.value_diameter for head in heads]
    totals, totals_histogram = [], []
    with FLINT, ctx.workprec(PRECISION):
        for query in range(len(heads[0].query_ranges)):
            sizes = limits if steps is None else steps[query].fractions()
            parts = [
                interval(min(size, limit)) * interval(head.query_ranges[query]).exp()
                for size, limit, head in zip(sizes, limits, heads, strict=True)
            ]
            totals.append(sum(parts, arb(0)))
            totals_histogram.append(_without_position_dominant(parts, heads))
        return _largest(totals).upper(), _largest(totals_histogram).upper()


def _without_position_dominant(parts: list[Any], heads: tuple[SoftmaxHead, ...]) -> Any:
    """Return the sum of the parts of the heads that are not position dominant."""
    pairs = zip(parts, heads, strict=True)
    return sum((part for part, head in pairs if head.regime != "position dominant"), arb(0))


def _smaller(first: Any, second: Any) -> Any:
    """Return the smaller of two numbers without radius, as it is."""
    return first if first < second else second


def _largest(values: list[Any]) -> Any:
    largest = values[0]
    for value in values[1:]:
        largest = largest.max(value)
    return largest


def mlp_lipschitz(layer: Layer) -> Fraction:
    """Return 1 + ‖A‖‖B‖."""
    return 1 + weight_norm_up(layer.mlp_in) * weight_norm_up(layer.mlp_out)


def readout_lipschitz(f: LimitTransformer) -> Fraction:
    """Return Λ of the last layer for the largest output.

    That is the greatest bound, over outputs, of the norm of the gradient.

    The gradient of output o is U_o + Σ_k [unit k on] (UB)_ok A_k; its norm is at most
    ‖U_o‖ + Σ_k |(UB)_ok| ‖A_k‖, and at most ‖U_o‖ (1 + ‖A‖‖B‖).
    """
    layer, unembedding = f.layers[-1], Dyadic.of(f.unembedding)
    rows = unembedding.norms_up().reshape(-1, 1)
    gains = abs(unembedding @ Dyadic.of(layer.mlp_out))
    by_units = rows + gains @ Dyadic.of(layer.mlp_in).norms_up().reshape(-1, 1)
    return rounded_up(
        min(by_units.reshape(-1).largest(), rows.reshape(-1).largest() * mlp_lipschitz(layer))
    )
