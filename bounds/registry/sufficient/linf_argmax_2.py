"""Sufficient: ℓ∞ error, argmax attention, two or more layers, all but the last an automaton."""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import ceiling

from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.hypotheses import MODEL, SHARED
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values
from bounds.theorem import (
    Direction,
    Formula,
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
_S, _NU, _PATH = auxiliary("s"), symbols.states, symbols.path_states

CELL = Setting("linf", "argmax", 2)
DEEP = Setting("linf", "argmax", 2, or_more=True)

ROUNDING = Hypothesis(
    "attention weights ≤ 2^−p relative to the largest are dropped; nothing else is rounded; γ is "
    "the least logit margin of all layers"
)
SECOND_LAYER = Hypothesis("L bounds the change of the output per total variation in the last layer")

_WINDOWS = _DELTA * _SIGMA ** (_TAU + 1)
"""States: the last τ + 1 tokens, with the residue."""

_DEPTH = auxiliary("P")
_REACH = (_DEPTH - 1) * _TAU
"""The last lag that all layers but the last, each of locality τ, reach together."""


def _depth(values: Values) -> list[dict[sympy.Symbol, Exact]]:
    """P, the number of layers that is asked about; two where none is."""
    return [{_DEPTH: values.get("layers", Fraction(2))}]


def _automaton(meaning: dict[sympy.Symbol, sympy.Expr]) -> Formula:
    """⌈e(1 + νL/s)^(2H)⌉ + ⌈h₀⌉ + Q*, e = Q*(ν + 3)/2 + τ + 1; ν and Q* as `meaning` says."""
    e, h0 = auxiliary("e"), auxiliary("h_0")
    simulation = ceiling(e * (1 + _NU * _L / _S) ** (2 * _H))
    return Formula(
        terms={"simulation": simulation + _PATH, "hardmax threshold": ceiling(h0) + _PATH},
        total=simulation + ceiling(h0) + _PATH,
        where={
            e: _PATH * (_NU + 3) / 2 + _TAU + 1,
            _S: simulation_error(),
            h0: hardmax_length(),
            **meaning,
        },
    )


TWO_LAYER_ARGMAX = Theorem(
    key="derived.two_layer_argmax",
    title="Two or more argmax layers, ℓ∞ error, all but the last a finite automaton",
    source=derived("derived-two_layer_argmax", "Theorem C7"),
    setting=DEEP,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If what the last layer reads is a function of the state of a finite automaton, cycles of "
        "the run of x can be thinned out so that every head of f and g in it attends as "
        "before up to total variation s/L. ν is the number of states in the largest strongly "
        "connected component, Q* that of the states on one run; both are the user's."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "locality",
        "heads",
        "precision_bits",
        "margin",
        "states",
        "path_states",
    ),
    defaults={"heads": 1},
    hypotheses=(
        Hypothesis(
            "what the last layer of f and g reads: a function of the state of one finite "
            "automaton, which also determines the residue of the position",
            name="finite_state_first_layer",
        ),
        ROUNDING,
        MODEL,
        SHARED,
        SECOND_LAYER,
    ),
    formula=lambda: _automaton({}),
    exponents={"epsilon": -2 * _H, "lipschitz": 2 * _H, "states": 2 * _H + 1, "path_states": 1},
)

TWO_LAYER_ARGMAX_SUFFIX_ONLY = Theorem(
    key="derived.two_layer_argmax_suffix_only",
    title="Two or more argmax layers, ℓ∞ error, all but the last inside the last τ + 1 positions",
    source=derived("derived-two_layer_argmax", "Theorem C7 (F1)"),
    setting=DEEP,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.two_layer_argmax: with P layers the localities of all but the last add up, the "
        "state is the window of the last W + 1 tokens with the residue, W = (P − 1)τ, so "
        "ν = Δ|Σ|^(W+1) and Q* = ν + W."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
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
    ),
    defaults={"heads": 1},
    hypotheses=(
        Hypothesis(
            "every head of f and g attends inside the last τ + 1 positions, but in the last layer",
            name="suffix_only_first_layer",
        ),
        ROUNDING,
        MODEL,
        SHARED,
        SECOND_LAYER,
    ),
    formula=lambda: _automaton({_PATH: _NU + _REACH, _NU: _DELTA * _SIGMA ** (_REACH + 1)}),
    choices=_depth,
    exponents={"epsilon": -2 * _H, "lipschitz": 2 * _H},
)

TWO_LAYER_ARGMAX_GENERIC = Theorem(
    key="derived.two_layer_argmax_generic",
    title="Two layers, argmax, ℓ∞ error, generic first-layer weights",
    source=derived("derived-two_layer_argmax", "Theorem C7 (F2)"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.two_layer_argmax: if equal first-layer logits of one query have equal values, "
        "the state is the window of the last τ + 1 tokens with the residue and the set of types "
        "seen before, so ν ≤ Δ|Σ|^(τ+1) and Q* ≤ Δ|Σ|ν + τ + 1."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
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
    ),
    defaults={"heads": 1},
    hypotheses=(
        Hypothesis(
            "whenever two first-layer logits of one query of f or g are equal, so are the values",
            name="generic_first_layer",
        ),
        ROUNDING,
        MODEL,
        SHARED,
        SECOND_LAYER,
    ),
    formula=lambda: _automaton({_PATH: _DELTA * _SIGMA * _NU + _TAU + 1, _NU: _WINDOWS}),
    exponents={"epsilon": -2 * _H, "lipschitz": 2 * _H},
)

THEOREMS = (TWO_LAYER_ARGMAX, TWO_LAYER_ARGMAX_SUFFIX_ONLY, TWO_LAYER_ARGMAX_GENERIC)
