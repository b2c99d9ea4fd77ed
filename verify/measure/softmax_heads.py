"""First-layer heads in infinite precision: regime, positional margin, logit range, diameter."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from verify.measure.dyadic import Dyadic
from verify.measure.lipschitz import diameter_up
from verify.measure.norms import rounded_up, weight_norm_up
from verify.measure.size import Progress, no_progress
from verify.measure.value_types import content_columns, minimal_locality, type_vectors
from verify.model.transformer import LimitTransformer

Regime = Literal["token dominant", "balanced", "position dominant"]


@dataclass(frozen=True)
class SoftmaxHead:
    """Constants of one first-layer head.

    Attributes:
        regime: by the largest lag bias against 1: below it the suffix vanishes as positions
            grow ("token dominant"), at 1 it keeps a share ("balanced"), above it attention
            concentrates on the lags of largest bias ("position dominant").
        peak: the largest lag bias, max φ_h(t) over lags 0..τ.
        positional_margin: γ_h, largest minus second largest distinct value of {φ_h(t)} ∪ {1};
            1 where there is no second value.
        logit_range: R_h, the largest range of content logits over the keys of one query; exact.
        column_range: the largest range over the keys of one query and one residue; for a position
            dominant head, over all keys of the query: `logit_range`. Exact.
        query_ranges: the range for every query type (token s at residue r: entry r·|Σ| + s).
        logit_range_norm: ‖K_hᵀQ_h‖ · diameter of the types · largest norm of a type.
        value_diameter: D_h, diameter of {V_h y_t}, rounded up.
        value_diameter_norm: ‖V_h‖ · diameter of the types.

    Source: [izzo2025, section 5]; R_h and D_h: [derived, Theorem B4].
    """

    regime: Regime
    peak: Fraction
    positional_margin: Fraction
    logit_range: Fraction
    column_range: Fraction
    query_ranges: tuple[Fraction, ...]
    logit_range_norm: Fraction
    value_diameter: Fraction
    value_diameter_norm: Fraction


def softmax_heads(f: LimitTransformer, progress: Progress = no_progress) -> tuple[SoftmaxHead, ...]:
    """Return the constants of all heads of the first layer."""
    types = type_vectors(f)
    diameter, size = diameter_up(types), types.norms_up().largest()
    locality = minimal_locality(f)
    heads = []
    for number, head in enumerate(f.layers[0].heads):
        ranges: tuple[Fraction, ...] = ()
        of_columns = Fraction(0)
        for start, logits in content_columns(f, number):
            ranges += tuple((logits.max(axis=0) - logits.min(axis=0)).fractions())
            columns = logits.reshape(-1, f.vocabulary_size, logits.shape[1])
            spread = columns.max(axis=1) - columns.min(axis=1)
            of_columns = max(of_columns, spread.reshape(-1).largest())
            progress(f"logit ranges of head {number}", start + logits.shape[1], types.shape[0])
        biases = [Fraction(float(b)) for b in head.lag_bias[: locality + 1]]
        biases += [Fraction(0)] * (locality + 1 - len(biases))
        regime = regime_of(biases)
        value = Dyadic.of(head.value)
        value_norm = weight_norm_up(head.value) * diameter
        heads.append(
            SoftmaxHead(
                regime=regime,
                peak=max(biases),
                positional_margin=margin_of(biases),
                logit_range=max(ranges),
                column_range=max(ranges) if regime == "position dominant" else of_columns,
                query_ranges=ranges,
                logit_range_norm=max(
                    max(ranges), rounded_up(weight_norm_up(head.query_key) * diameter * size)
                ),
                value_diameter=min(rounded_up(diameter_up(types @ value.T)), value_norm),
                value_diameter_norm=rounded_up(value_norm),
            )
        )
    return tuple(heads)


def regime_of(biases: list[Fraction]) -> Regime:
    """Return the regime of a head with these lag biases."""
    peak = max(biases)
    if peak < 1:
        return "token dominant"
    return "balanced" if peak == 1 else "position dominant"


def margin_of(biases: list[Fraction]) -> Fraction:
    """Return the largest minus the second largest distinct value of the biases and 1."""
    values = sorted({*biases, Fraction(1)}, reverse=True)
    return values[0] - values[1] if len(values) > 1 else Fraction(1)
