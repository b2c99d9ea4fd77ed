"""How far an output can move at all: what a proven error has to stay below to say anything.

Every map x → z keeps the last token and the length mod Δ. So |f(x) − f(z)| is at most

    max over outputs o and query types a of  sup f_o − inf f_o  over the inputs that end in a,

whatever the map does, right or wrong. A claim |f(x) − f(z)| ≤ ε with ε at or above that number
cannot fail, and its check is *vacuous*. The number here is an upper bound of the one above, in
exact arithmetic from the weights, so a check that is called vacuous surely is; one that is not
may still be (the controls show that it is not).

One layer: attention weights are at least 0 and sum to 1, so the last residual stream lies in the
set 𝒴_a of `verify.measure.enclosure`, over which outputs are enclosed.

Two layers: the residual stream before the last MLP is u = q + Σ_h V_h o_h with q in 𝒴_a and o_h in
the convex hull of all 𝒴. Hidden units' inputs z_k = A_k·u + b_k lie between exact bounds lo and
hi, and relu(z) − s z is in [0, w], w = max(0, −s·lo, (1 − s)·hi), for any slope 0 ≤ s ≤ 1. So

    f_o = U_o·u + Σ_k (UB)_ok relu(z_k)  is in  const + (U + UB S A)_o·u + Σ_k (UB)_ok [0, w_k],

and linear functions of u have exact bounds again.

More layers, or a lag bias in the second: Λ_P (D_Y + Σ_h D_h), from the constants of every layer.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import inf

import numpy as np

from verify.measure import measure
from verify.measure.argmax_constants import ArgmaxModel
from verify.measure.dyadic import Dyadic, maximum
from verify.measure.enclosure import FirstLayer, Reachable
from verify.measure.norms import float_up
from verify.measure.softmax import needs_depth
from verify.measure.softmax_depth import depth_constants, largest_change
from verify.model.transformer import LimitTransformer

_MOST_ENTRIES = 10**5
"""Larger sets of vertices (|Σ|²Δ²·H·d numbers) are not built: the Lipschitz constants bound it."""

_LARGEST_FLOAT = Fraction(2) ** 1023

_SLOPE_STEPS = 1024
"""Slopes are multiples of 1/1024, so that exact numbers stay short."""


def largest_error(*models: LimitTransformer | None) -> float:
    """The larger `output_range` of the models that are there, rounded up; inf beyond float64."""
    found = max(output_range(model) for model in models if model is not None)
    return float_up(found) if found < _LARGEST_FLOAT else inf


@lru_cache(maxsize=64)
def output_range(f: LimitTransformer) -> Fraction:
    """Upper bound of |f(x) − f(z)| over all inputs x, z with the same last token and length mod Δ.

    Args:
        f: a model that `verify.measure` covers: one layer, or infinite precision.
    """
    if f.attention == "softmax" and needs_depth((f,)):
        (layers, *_) = depth_constants((f,)).models
        return largest_change(f, layers)
    simple = _by_lipschitz(f)
    types = f.vocabulary_size * f.period
    if types**2 * f.heads[0] * f.dimension > _MOST_ENTRIES:
        return simple
    reachable = FirstLayer.of(f).reachable()
    enclosed = _one_layer(f, reachable) if len(f.layers) == 1 else _two_layers(f, reachable)
    return min(simple, enclosed)


def _by_lipschitz(f: LimitTransformer) -> Fraction:
    """Σ_h L_h, total variation being at most 1; for two layers the query moves too: + Λ₂ D_Y."""
    model = measure(f).models[0]
    if isinstance(model, ArgmaxModel):
        return sum((head.least for head in model.lipschitz), Fraction(0))
    attention = sum(model.head_lipschitz, Fraction(0))
    if model.enclosed is None:
        return attention
    query = model.enclosed.ingredients.readout_lipschitz * model.enclosed.output_diameter
    return attention + query


def _one_layer(f: LimitTransformer, reachable: Reachable) -> Fraction:
    least, greatest = reachable.ranges(Dyadic.of(f.unembedding))
    return (greatest - least).reshape(-1).largest()


def _two_layers(f: LimitTransformer, reachable: Reachable) -> Fraction:
    layer = f.layers[1]
    values = [Dyadic.of(head.value) for head in layer.heads]
    unembedding, mlp_in = Dyadic.of(f.unembedding), Dyadic.of(layer.mlp_in)

    def bounds_of(functionals: Dyadic) -> tuple[Dyadic, Dyadic]:
        """Least and greatest values over u, (k, n): by query type."""
        least, greatest = reachable.ranges(functionals)
        for value in values:
            low, high = reachable.ranges(functionals @ value)
            least, greatest = least + low.min(axis=0), greatest + high.max(axis=0)
        return least, greatest

    low, high = (side + Dyadic.of(layer.mlp_bias) for side in bounds_of(mlp_in))
    slopes = _slopes(low.min(axis=0), high.max(axis=0))
    gains = unembedding @ Dyadic.of(layer.mlp_out)  # UB, (o, m)
    least, greatest = bounds_of(unembedding + (gains * slopes) @ mlp_in)
    below, above = -(slopes * low), (Dyadic.of(1) - slopes) * high
    loose = maximum(below, above).positive_part() @ abs(gains).T
    return (greatest - least + loose).reshape(-1).largest()


def _slopes(low: Dyadic, high: Dyadic) -> Dyadic:
    """1 for units that are always on, 0 for those always off, about hi/(hi − lo) for the others."""
    found = []
    for least, greatest in zip(low.fractions(), high.fractions(), strict=True):
        if least >= 0 or greatest <= 0:
            found.append(float(least >= 0))
        else:
            found.append(round(_SLOPE_STEPS * greatest / (greatest - least)) / _SLOPE_STEPS)
    return Dyadic.of(np.array(found))
