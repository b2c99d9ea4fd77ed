"""Our sufficient lengths for ℓ∞ error, argmax attention, one layer."""

from __future__ import annotations

import sympy
from sympy import Max, Piecewise, ceiling

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.theorem import (
    Direction,
    Formula,
    Hypothesis,
    Setting,
    Theorem,
    auxiliary,
    hardmax_length,
    simulation_error,
)

_L, _SIGMA, _DELTA, _TAU, _H = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.heads,
)

ROUNDING = Hypothesis(
    "(A1) attention weights ≤ 2^−p relative to the largest are dropped; nothing else is rounded"
)
MODEL = Hypothesis(
    "(A2) lag biases vanish beyond τ, positions are Δ-periodic, φ depends on the lag"
)
SHARED = Hypothesis(
    "(A3) f and g have the same Σ, Δ and τ (otherwise take the lcm and the maximum)"
)


def _one_layer_linf() -> Formula:
    s, e, h0 = auxiliary("s"), auxiliary("e"), auxiliary("h_0")
    simulation = ceiling(e * ((1 + _L / s) ** (2 * _H) - 1))
    hardmax = ceiling((h0 - _TAU - 1) / _DELTA)

    def length(*steps: sympy.Expr) -> sympy.Expr:
        full = _DELTA * (Max(*steps, 1, evaluate=False) + 1) + _TAU
        # For s ≥ L the last token alone, at the right residue, is short enough.
        return Piecewise((_DELTA, s >= _L), (full, True))

    return Formula(
        terms={"simulation": length(simulation), "hardmax threshold": length(hardmax)},
        total=length(simulation, hardmax),
        where={
            s: simulation_error(),
            e: _DELTA * (_SIGMA + 1) / 4 + _TAU + 1,
            h0: hardmax_length(),
        },
    )


ONE_LAYER_LINF = Theorem(
    key="derived.one_layer_linf",
    title="One layer, argmax, ℓ∞ error: one short input simulates a long one for f and g",
    source=derived("derived-one_layer_linf", "Theorem 1"),
    setting=Setting("linf", "argmax", 1),
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For every input x there is z, |z| ≤ N and |z| ≡ |x| mod Δ, with the same last τ+1 tokens, "
        "such that every head of f and of g attends at z as at x up to total variation s/L; "
        "so agreement within ε up to N carries to every length within ε + 2s."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    parameters=(
        "epsilon", "target", "lipschitz", "vocabulary_size", "period", "locality", "heads",
        "precision_bits", "margin",
    ),
    defaults={"heads": 1},
    hypotheses=(ROUNDING, MODEL, SHARED),
    formula=_one_layer_linf,
    exponents={
        "epsilon": -2 * _H, "lipschitz": 2 * _H, "vocabulary_size": 1, "period": 2, "locality": 1,
    },
    compares_with="izzo2025.4.1",
)  # fmt: skip

THEOREMS = (ONE_LAYER_LINF,)
