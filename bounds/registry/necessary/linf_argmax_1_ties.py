"""Necessary: ℓ∞ error, argmax attention, one layer: what near ties cost up to a horizon."""

from __future__ import annotations

import sympy
from sympy import Max, Min, Piecewise, Rational, ceiling, exp, floor, log

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.linf_argmax_1_ties import KEPT
from bounds.scope import ANY, Hypothesis, Scope, at_least
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    simulation_error,
)

_EPS, _ETA, _L, _KAPPA, _T = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.tie_tolerance,
    symbols.horizon,
)

_BEST = Rational("1.5434")
"""Where (2 + 2 cosh y)/y is about least; any y up to κ ln T is valid."""


def _near_tie() -> Formula:
    s, even, y, slope = (auxiliary(name) for name in ("s", "T_e", "y", "c_y"))
    by_attention = even ** (1 - s / _L * slope)
    by_target = Piecewise(
        (even ** (2 * _EPS / (_ETA + _EPS)), _ETA > 3 * _EPS), (by_attention, True)
    )
    shortest = Min(by_attention, by_target, evaluate=False)
    return Formula(
        terms={"near ties": Max(1, ceiling(shortest), evaluate=False)},
        where={
            slope: (2 + exp(y) + exp(-y)) / y,
            y: Min(_KAPPA * log(even), _BEST, evaluate=False),
            even: 2 * floor(_T / 2),
            s: simulation_error(),
        },
    )


LOWER_NEAR_TIE = Theorem(
    key="derived.lower_near_tie",
    title="Necessary: what near ties cost up to a horizon",
    source=derived("derived-lower_near_tie", "near ties cost that much"),
    setting=Setting("linf", "argmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Two logits that differ by κ in opposite directions in f and in g make the shares of a "
        "token drift apart with the length: f and g agree within ε up to N and differ by more than "
        "the target at the horizon, for every N < T*^(1 − c·s/L), c = (2 + 2 cosh y)/y, "
        "y = min(κ ln T*, 1.54), whatever the margin γ."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="near",
        inputs="every input",
    ),
    survives=("no_lag_bias",),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "precision_bits",
        "tie_tolerance",
        "horizon",
    ),
    hypotheses=(
        Hypothesis("κ > 0", check=lambda v: compare(v["tie_tolerance"], sympy.Integer(0)) > 0),
        Hypothesis("T* ≥ 2", check=lambda v: v["horizon"] >= 2),
        KEPT,
    ),
    formula=_near_tie,
    compares_with="izzo2025.4.1",
)

THEOREMS = (LOWER_NEAR_TIE,)
