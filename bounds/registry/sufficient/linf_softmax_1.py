"""Sufficient: ℓ∞ error, softmax attention, one layer."""

from __future__ import annotations

from sympy import Max, Rational, ceiling, exp

from bounds.parameters import symbols
from bounds.registry.hypotheses import SOFTMAX
from bounds.registry.sources import derived
from bounds.scope import ANY, Scope, exactly
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    simulation_error,
)

_L, _SIGMA, _TAU, _R, _GAMMA = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.locality,
    symbols.logit_range,
    symbols.positional_margin,
)
_S = auxiliary("s")


def _one_layer_softmax() -> Formula:
    c, power = auxiliary("C"), Max(1 / _GAMMA, 1)
    return Formula(
        terms={"simulation": ceiling((c / _S) ** power), "one token": Rational(1)},
        where={c: _L * exp(_R) * (_SIGMA / 4 + 3 * (_TAU + 1)), _S: simulation_error()},
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
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax,
    exponents={
        "epsilon": -Max(1 / _GAMMA, 1),
        "lipschitz": Max(1 / _GAMMA, 1),
        "vocabulary_size": Max(1 / _GAMMA, 1),
        "locality": Max(1 / _GAMMA, 1),
    },
)

THEOREMS = (ONE_LAYER_SOFTMAX,)
