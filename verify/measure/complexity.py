"""Complexities C: the constants with which simulation errors of softmax models fall.

All formulas take intervals or rationals and return an `arb` interval; exponentials of any size
keep their exponent, so nothing overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from bounds.precision import FLINT
from verify.errors import InputError
from verify.measure.norms import PRECISION, interval


@dataclass(frozen=True)
class SecondHead:
    """Constants of one head of the second layer over all reachable first-layer outputs 𝒴.

    Attributes:
        logit_range: R₂ ≥ sup (y − y′)ᵀMq over y, y′, q in 𝒴.
        value_diameter: D₂ ≥ diameter of V₂𝒴.
        query_lipschitz: ≥ sup ‖Mᵀ(y − y′)‖ (norm form ‖M‖ D_Y).
        tilt_lipschitz: ℓ₂ = ‖V₂‖ + sup ‖Mq‖ D₂ (norm form ‖V₂‖ + ‖M‖ Y_max D₂).
    """

    logit_range: Fraction
    value_diameter: Fraction
    query_lipschitz: Fraction
    tilt_lipschitz: Fraction


@dataclass(frozen=True)
class Ingredients:
    """Everything that the two-layer formulas need of one model.

    Attributes:
        readout_lipschitz: Λ₂, of the output in the second layer's residual stream.
        beta: β: how far first-layer outputs move per unit of total variation. An `arb` without
            radius, since no float may hold it.
        beta_histogram: β′, the same without position dominant heads.
        positional_margin: γ.
        heads: the heads of the second layer.
    """

    readout_lipschitz: Fraction
    beta: Any
    beta_histogram: Any
    positional_margin: Fraction
    heads: tuple[SecondHead, ...]

    def __hash__(self) -> int:
        """By mantissa and exponent: `arb` has a hash from python-flint 0.9 on only."""
        return hash(self.__reduce__())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle β and β′ as mantissa and exponent: `arb` itself cannot be pickled."""
        betas = [tuple(map(int, b.man_exp())) for b in (self.beta, self.beta_histogram)]
        return _rebuilt, (self.readout_lipschitz, *betas, self.positional_margin, self.heads)


def _rebuilt(
    readout: Fraction,
    beta: tuple[int, int],
    beta_histogram: tuple[int, int],
    margin: Fraction,
    heads: tuple[SecondHead, ...],
) -> Ingredients:
    return Ingredients(readout, arb(beta), arb(beta_histogram), margin, heads)


def two_layer(
    model: Ingredients, dimension: int, period: int, locality: int, block: int = 1
) -> Any:
    """Return C with |F(x) − F(z)| ≤ C n^(−min(γ, 1/2)) for the balanced z of length n.

    Args:
        model: constants of F.
        dimension: d, dimension of the vectors balanced for f and g together.
        period: Δ.
        locality: τ.
        block: θ ≥ 1, length of the first block.

    With several heads in the second layer, the error of the query is counted once, and the
    errors of the heads add up. Source: [derived, Theorem B4; Theorem E for Δ > 1].
    """
    with FLINT, ctx.workprec(PRECISION):
        beta, beta_histogram = model.beta, model.beta_histogram
        rate = interval(min(model.positional_margin, Fraction(1, 2)))
        suffix = locality + 1
        end = locality + period
        root = interval(block * period).sqrt()
        turns = 4 * dimension + (6 if period == 1 else 8)
        query = beta_histogram * (2 * dimension * root + end) + 2 * beta * suffix
        total = query * _query_gain(model)
        for head in model.heads:
            diameter, tilt = interval(head.value_diameter), interval(head.tilt_lipschitz)
            fragments = interval(Fraction(4 * locality, block * period) + 2 * dimension)
            error = 2 * tilt * beta * suffix / (1 - rate)
            error += root * (turns * tilt * beta_histogram + fragments * diameter)
            error += 2 * end * diameter
            total += interval(head.logit_range).exp() * error
        return _finite(interval(model.readout_lipschitz) * total)


@dataclass(frozen=True)
class OutputConstants:
    """What the output of a two-layer model can change by; `arb` intervals.

    Attributes:
        query, keys: per unit of total variation of first-layer histograms, through the query of
            the second layer, and through its keys on average over positions.
        limit_query, limit_keys: the same with β for β′: for first-layer outputs that differ from
            their limits.
        influence: per share of the keys that are replaced.
    """

    query: Any
    keys: Any
    limit_query: Any
    limit_keys: Any
    influence: Any


def output_constants(model: Ingredients) -> OutputConstants:
    """Return Λ₂(1 + ΣD₂‖M‖D_Y/4)·(β′, β), Λ₂Σe^{R₂}ℓ₂·(β′, β) and Λ₂Σe^{R₂}D₂.

    Source: [derived, Theorem B4⁺].
    """
    with FLINT, ctx.workprec(PRECISION):
        readout = interval(model.readout_lipschitz)
        gain, tilt, influence = readout * _query_gain(model), arb(0), arb(0)
        for head in model.heads:
            weight = readout * interval(head.logit_range).exp()
            tilt += weight * interval(head.tilt_lipschitz)
            influence += weight * interval(head.value_diameter)
        return OutputConstants(
            query=_finite(gain * model.beta_histogram),
            keys=_finite(tilt * model.beta_histogram),
            limit_query=_finite(gain * model.beta),
            limit_keys=_finite(tilt * model.beta),
            influence=_finite(influence),
        )


def two_layer_average(
    model: Ingredients,
    vocabulary_size: int,
    locality: int,
    spectral_gap: Fraction = Fraction(1),
    stationary_min: Fraction | None = None,
) -> Any:
    """Return C with average error ≤ C n^(−min(γ, 1/2)) for z = the last n symbols of x.

    Args:
        model: constants of F; periodic positions are not covered.
        vocabulary_size: |Σ|.
        locality: τ.
        spectral_gap: 1 − λ of the stationary Markov chain that draws the input, in (0, 1].
        stationary_min: least stationary probability; None for tokens that are independent given
            their law, the default.

    Source: [derived, Theorem C4; Theorem C5 for Markov chains].
    """
    with FLINT, ctx.workprec(PRECISION):
        beta, beta_histogram = model.beta, model.beta_histogram
        rate = interval(min(model.positional_margin, Fraction(1, 2)))
        suffix = locality + 1
        mixing, extra, windows = Fraction(1), 0, Fraction(2 * locality + 1, 2)
        if stationary_min is not None:
            mixing = (2 - spectral_gap) / spectral_gap
            windows = 2 * locality + mixing
            extra = _mixing_time(spectral_gap, stationary_min)
        spread = interval((vocabulary_size - 1) * mixing).sqrt()
        query = beta * suffix + beta_histogram * spread / 2
        total = query * _query_gain(model)
        for head in model.heads:
            diameter, tilt = interval(head.value_diameter), interval(head.tilt_lipschitz)
            error = tilt * beta * suffix / (1 - rate) + tilt * beta_histogram * spread
            error += diameter * (interval(windows).sqrt() + 2 * locality + 1 + extra)
            total += interval(head.logit_range).exp() * error
        return _finite(2 * interval(model.readout_lipschitz) * total)


def _query_gain(model: Ingredients) -> Any:
    """Return 1 + Σ_heads D₂ ‖M‖ D_Y / 4: what an error of the query costs."""
    gains = (head.value_diameter * head.query_lipschitz / 4 for head in model.heads)
    return interval(1 + sum(gains, Fraction(0)))


def _mixing_time(spectral_gap: Fraction, stationary_min: Fraction) -> int:
    """Return max(1, ⌈ln(1/π_min) / ln(1/λ)⌉), rounded up."""
    if spectral_gap == 1 or stationary_min == 1:
        return 1
    ratio = interval(stationary_min).log() / interval(1 - spectral_gap).log()
    return max(1, int(ratio.upper().ceil().unique_fmpz()))


def _finite(value: Any) -> Any:
    """Return the interval, or refuse weights whose exponentials no interval can hold."""
    if not value.is_finite():
        allowed = "weights whose logits stay below about 10^60"
        raise InputError("f", "weights too large", allowed)
    return value
