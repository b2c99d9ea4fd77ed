"""Sufficient: ℓ∞ error, softmax attention, one layer."""

from __future__ import annotations

from sympy import Max, Rational, ceiling, exp

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.theorem import (
    Direction,
    Formula,
    Hypothesis,
    Setting,
    Theorem,
    auxiliary,
    simulation_error,
)

_EPS, _L, _SIGMA, _DELTA, _TAU, _H = (
    symbols.epsilon,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.heads,
)


_GAMMA, _C, _THETA = symbols.positional_margin, symbols.complexity, symbols.block


_S = auxiliary("s")


_CONCLUSION = "|f − g| ≤ {target} at every length"


SOFTMAX = Hypothesis("softmax attention; lag biases φ(0..τ) times log i, content logits unscaled")


NO_POSITIONS = Hypothesis(
    "no positional vectors (Δ = 1); the bias depends on the lag", check=lambda v: v["period"] == 1
)


def _one_layer_softmax() -> Formula:
    c, power = auxiliary("C"), Max(1 / _GAMMA, 1)
    return Formula(
        terms={"simulation": ceiling((c / _S) ** power), "one token": Rational(1)},
        where={
            c: _L * exp(symbols.logit_range) * (_SIGMA / 4 + 3 * (_TAU + 1)),
            _S: simulation_error(),
        },
    )


ONE_LAYER_SOFTMAX = Theorem(
    key="derived.one_layer_softmax",
    title="One layer, softmax, ℓ∞ error: round the histogram, keep the suffix",
    source=derived("derived-one_layer_softmax", "Theorem B5"),
    setting=Setting("linf", "softmax", 1),
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "z is the rounded histogram of x in any order, then the last τ+1 tokens of x: both f and g "
        "change by at most s from n = (C/s)^max(1/γ, 1) on, C = L·e^R·(|Σ|/4 + 3(τ+1))."
    ),
    conclusion=_CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    defaults={"period": 1},
    hypotheses=(SOFTMAX, NO_POSITIONS),
    formula=_one_layer_softmax,
    exponents={
        "epsilon": -Max(1 / _GAMMA, 1),
        "lipschitz": Max(1 / _GAMMA, 1),
        "vocabulary_size": Max(1 / _GAMMA, 1),
        "locality": Max(1 / _GAMMA, 1),
    },
)


THEOREMS = (ONE_LAYER_SOFTMAX,)
