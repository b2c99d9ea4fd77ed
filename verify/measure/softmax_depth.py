"""Constants of softmax models of any depth, layer by layer: what Theorem D reads."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from bounds.depth_constants import DepthConstants, HeadConstants, LayerConstants
from verify.measure.dyadic import Dyadic
from verify.measure.lipschitz import diameter_up
from verify.measure.norms import rounded_up, weight_norm_up
from verify.measure.size import Progress, no_progress
from verify.measure.softmax_heads import SoftmaxHead, margin_of, regime_of, softmax_heads
from verify.measure.two_layer import enclosed_form, mlp_lipschitz, norm_form, readout_lipschitz
from verify.measure.value_types import type_vectors
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer


def depth_constants(
    models: tuple[LimitTransformer, ...], progress: Progress = no_progress
) -> DepthConstants:
    """Return the constants of one or two models in infinite precision, each of any depth.

    Logit ranges and diameters of layer 1 are exact or as sharp as their formulas, those of
    layer 2 over the enclosure of the first layer's outputs; deeper ones are products of operator
    norms, the smaller of two where there are two. The shorter model is `padded`.
    """
    at_least_two = (padded(f, 2) if len(f.layers) == 1 else f for f in models)
    return DepthConstants(*(_layers(f, progress) for f in at_least_two))


def padded(f: LimitTransformer, depth: int) -> LimitTransformer:
    """Return the same function with `depth` layers: those that are added change nothing.

    They stand before the last layer, as `DepthConstants` puts them; of a one-layer model, behind.
    """
    nothing = np.zeros((f.dimension, f.dimension))
    layer = Layer((Head(nothing, nothing, np.zeros(1)),))
    kept = max(1, len(f.layers) - 1)
    added = (layer,) * (depth - len(f.layers))
    return replace(f, layers=(*f.layers[:kept], *added, *f.layers[kept:]))


def last_lipschitz(layers: tuple[LayerConstants, ...]) -> tuple[Fraction, ...]:
    """Return Λ_P D of every head of the last layer."""
    last = layers[-1]
    return tuple(rounded_up(last.lipschitz * head.value_diameter) for head in last.heads)


def largest_change(f: LimitTransformer, layers: tuple[LayerConstants, ...]) -> Fraction:
    """Return Λ_P (D_Y + Σ D): how much an output can move at all, D_Y the diameter of states."""
    diameter = diameter_up(type_vectors(f))
    for layer in layers:
        spread = sum((head.value_diameter for head in layer.heads), diameter)
        diameter = rounded_up(layer.lipschitz * spread)
    return diameter


def smallest_margin(f: LimitTransformer) -> Fraction:
    """Return γ, the least positional margin of all heads of all layers."""
    return min(margin_of(_biases(head)) for layer in f.layers for head in layer.heads)


def _layers(f: LimitTransformer, progress: Progress) -> tuple[LayerConstants, ...]:
    first = softmax_heads(f, progress)
    norm = norm_form(f, first)
    enclosed = enclosed_form(f, first, norm, progress)
    readout = readout_lipschitz(f)
    found = [
        LayerConstants(
            rounded_up(mlp_lipschitz(f.layers[0])),
            _locality(f.layers[0]),
            tuple(_first(h, c) for h, c in zip(f.layers[0].heads, first, strict=True)),
        )
    ]
    diameter, size = enclosed.output_diameter, enclosed.output_norm
    for number, layer in enumerate(f.layers[1:], start=1):
        progress(f"norms of layer {number}", number, len(f.layers))
        heads = []
        spread, growth = diameter, Fraction(1)
        for index, head in enumerate(layer.heads):
            constants = _deeper(head, diameter, size)
            if number == 1:  # sharper over the enclosure
                over = enclosed.ingredients.heads[index]
                constants = replace(
                    constants,
                    logit_range=min(constants.logit_range, over.logit_range),
                    value_diameter=min(constants.value_diameter, over.value_diameter),
                    tilt_lipschitz=min(constants.tilt_lipschitz, over.tilt_lipschitz),
                    query_lipschitz=min(constants.query_lipschitz, over.query_lipschitz),
                )
            heads.append(constants)
            spread += constants.value_diameter
            growth += weight_norm_up(head.value)
        last = number == len(f.layers) - 1
        gain = mlp_lipschitz(layer)
        found.append(
            LayerConstants(readout if last else rounded_up(gain), _locality(layer), tuple(heads))
        )
        bias = Dyadic.of(layer.mlp_bias).norms_up().largest()
        out = weight_norm_up(layer.mlp_out)
        size = rounded_up(gain * size * growth + out * bias)
        diameter = min(rounded_up(gain * spread), 2 * size)
    return tuple(found)


def _first(head: Head, constants: SoftmaxHead) -> HeadConstants:
    """Return what a head of layer 1 needs: its range and diameter."""
    biased = bool(head.lag_bias.any())
    return HeadConstants(
        logit_range=constants.logit_range,
        value_diameter=constants.value_diameter,
        lag_bias=constants.regime if biased else "none",
    )


def _deeper(head: Head, diameter: Fraction, size: Fraction) -> HeadConstants:
    """Return the constants of a head that reads states of this diameter and largest norm."""
    score, value = Dyadic.of(head.query_key), Dyadic.of(head.value)
    score_norm, value_norm = weight_norm_up(head.query_key), weight_norm_up(head.value)
    spread = rounded_up(value_norm * diameter)
    return HeadConstants(
        logit_range=rounded_up(score_norm * diameter * size),
        value_diameter=spread,
        tilt_lipschitz=rounded_up(value_norm + score_norm * size * spread),
        query_lipschitz=rounded_up(score_norm * diameter),
        value_rank=value.rank(),
        score_rank=score.rank(),
        lag_bias=regime_of(_biases(head)) if head.lag_bias.any() else "none",
    )


def _biases(head: Head) -> list[Fraction]:
    """Return φ up to the last lag with a bias, and 0 for the lags beyond."""
    return [*(Fraction(float(b)) for b in np.trim_zeros(head.lag_bias, "b")), Fraction(0)]


def _locality(layer: Layer) -> int:
    """Return the greatest lag at which some head of the layer has a bias other than 0, or 0."""
    return max(int(np.flatnonzero(head.lag_bias).max(initial=0)) for head in layer.heads)
