"""Sufficient: ℓ∞ error, argmax attention, two layers."""

from __future__ import annotations

from sympy import ceiling

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

_EPS, _L, _SIGMA, _DELTA, _TAU, _H = (
    symbols.epsilon,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.heads,
)


_NU, _PATH = symbols.states, symbols.path_states


_S = auxiliary("s")


_CONCLUSION = "|f − g| ≤ {target} at every length"


def _two_layer_argmax() -> Formula:
    e, h0 = auxiliary("e"), auxiliary("h_0")
    simulation = ceiling(e * (1 + _NU * _L / _S) ** (2 * _H))
    return Formula(
        terms={"simulation": simulation + _PATH, "hardmax threshold": ceiling(h0) + _PATH},
        total=simulation + ceiling(h0) + _PATH,
        where={
            e: _PATH * (_NU + 3) / 2 + _TAU + 1,
            _S: simulation_error(),
            h0: hardmax_length(),
        },
    )


TWO_LAYER_ARGMAX = Theorem(
    key="derived.two_layer_argmax",
    title="Two layers, argmax, ℓ∞ error, first layer a finite automaton",
    source=derived("derived-two_layer_argmax", "Theorem C7"),
    setting=Setting("linf", "argmax", 2),
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If the first layer's output is a function of the state of a finite automaton (heads that "
        "stay inside the suffix, or generic weights), cycles of the run of x can be thinned out so "
        "that every second-layer head of f and g attends as before up to total variation s/L. "
        "The defaults of ν and Q* cover both examples."
    ),
    conclusion=_CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "heads",
        "precision_bits",
        "margin",
        "states",
        "path_states",
    ),
    defaults={
        "heads": 1,
        "states": lambda v: v["period"] * v["vocabulary_size"] ** int(v["locality"] + 1),
        "path_states": lambda v: (
            v["period"] * v["vocabulary_size"] * v["states"] + v["locality"] + 1
        ),
    },
    hypotheses=(
        Hypothesis(
            "first layer of f and g: a function of the state of a finite automaton",
            name="finite_state_first_layer",
        ),
        Hypothesis(
            "attention weights ≤ 2^−p relative to the largest are dropped; nothing else is "
            "rounded; γ is the least logit margin of both layers"
        ),
        Hypothesis("L bounds the change of the output per total variation in the second layer"),
    ),
    formula=_two_layer_argmax,
    exponents={
        "epsilon": -2 * _H,
        "lipschitz": 2 * _H,
        "states": 2 * _H + 1,
        "path_states": 1,
    },
)


THEOREMS = (TWO_LAYER_ARGMAX,)
