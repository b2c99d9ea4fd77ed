"""Sufficient: ℓ∞ error, softmax attention, two layers; and the lemma behind it."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Max, Rational, ceiling

from bounds.parameters import symbols
from bounds.registry.hypotheses import SOFTMAX
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, exactly
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    simulation_error,
)

_L, _DELTA, _TAU, _GAMMA, _THETA = (
    symbols.lipschitz_histogram,
    symbols.period,
    symbols.locality,
    symbols.positional_margin,
    symbols.block,
)
_S = auxiliary("s")

CELL = Setting("linf", "softmax", 2)

_CONCLUSION = "|f − g| ≤ {target} at every length"


def _complexity(symbol: str, section: str) -> Hypothesis:
    return Hypothesis(
        f"{symbol} is the explicit constant of docs/theory.md#{section}, for this θ and for |Σ|, "
        "τ and the ranks of both models (not the paper's C(f))"
    )


def _two_layers(complexity: sympy.Symbol, end: Any, period: Any) -> Formula:
    """(3/2)·max{(C/s)^max(1/γ, 2), 2·end, 10θΔ + end}, `end` = length of the appended end."""
    half = Rational(3, 2)
    return Formula(
        terms={
            "simulation": half * (complexity / _S) ** Max(1 / _GAMMA, 2),
            "suffix": half * 2 * end,
            "four blocks": half * (10 * _THETA * period + end),
        },
        where={_S: simulation_error()},
    )


TWO_LAYER_SOFTMAX = Theorem(
    key="derived.two_layer_softmax",
    title="Two layers, softmax, ℓ∞ error: balanced windows, exponent max(1/γ, 2)",
    source=derived("derived-two_layer_softmax", "Theorem B4"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Contiguous windows of x, chosen by vector balancing, give one z that serves f and g: "
        "|f(x) − f(z)| ≤ C_F·|z|^(−min(γ, 1/2)), and the same for g."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "complexity_balanced",
        "positional_margin",
        "locality",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(SOFTMAX, _complexity("C_F", "derived-two_layer_softmax")),
    formula=lambda: _two_layers(symbols.complexity_balanced, _TAU + 1, 1),
    exponents={"epsilon": -Max(1 / _GAMMA, 2), "complexity_balanced": Max(1 / _GAMMA, 2)},
    compares_with="izzo2025.5.2",
)


TWO_LAYER_SOFTMAX_PERIODIC = Theorem(
    key="derived.two_layer_softmax_periodic",
    title="Two layers, softmax, ℓ∞ error, Δ-periodic positions",
    source=derived("derived-two_layer_softmax_periodic", "Theorem B4 with period Δ"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.two_layer_softmax with windows of whole periods: one z ≡ x modulo Δ serves f "
        "and g; C_Δ grows like Δ^(3/2)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "complexity_periodic",
        "positional_margin",
        "period",
        "locality",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(SOFTMAX, _complexity("C_Δ", "derived-two_layer_softmax_periodic")),
    formula=lambda: _two_layers(symbols.complexity_periodic, _TAU + _DELTA, _DELTA),
    exponents={"epsilon": -Max(1 / _GAMMA, 2), "complexity_periodic": Max(1 / _GAMMA, 2)},
    compares_with="izzo2025.5.2",
)


def _simulation() -> Formula:
    d, spread, blocks = symbols.dimension, auxiliary("D"), auxiliary("K")
    error = (4 * d + 6) * _L + (4 * _TAU / _THETA + 2 * d + 2 * _TAU + 2) * spread
    return Formula(
        terms={"simulation": _THETA * blocks * (blocks + 1) / 2 + _TAU + 1},
        where={
            blocks: Max(1, ceiling(error / symbols.averages_error) - 1, evaluate=False),
            spread: 2 * symbols.amplitude,
        },
    )


SIMULATION = Theorem(
    key="derived.simulation",
    title="Simulation of averages of a function of suffix and histogram, rate n^(−1/2)",
    source=derived("derived-simulation", "Lemma B3"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For |p| ≤ G, p L-Lipschitz in the histogram, with values in m dimensions, d = |Σ| − 1 + m "
        "and n = θK(K+1)/2 + τ + 1: every x with |x| ≥ n has z, |z| = n, with the same last τ+1 "
        "tokens and averages of p that differ by at most "
        "[(4d+6)L + (4τ/θ + 2d)·2G]/(K+1) + 4(τ+1)G/n; solved here for the n that makes this "
        "≤ ε_avg."
    ),
    conclusion="the two averages differ by at most ε_avg",
    parameters=(
        "averages_error",
        "amplitude",
        "lipschitz_histogram",
        "locality",
        "dimension",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(
        Hypothesis("|p| ≤ G and p is L-Lipschitz in the total variation of the histogram"),
    ),
    formula=_simulation,
    exponents={"averages_error": -2, "lipschitz_histogram": 2, "amplitude": 2, "dimension": 2},
    compares_with="izzo2025.lemma5.3",
)


THEOREMS = (TWO_LAYER_SOFTMAX, TWO_LAYER_SOFTMAX_PERIODIC, SIMULATION)
