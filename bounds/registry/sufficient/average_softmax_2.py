"""Our sufficient lengths for average error and softmax attention, one and two layers.

For one layer L stands for Λ of docs/theory.md, as in `bounds.registry.derived_average`; for two
layers `complexity` is the 𝒞 of Theorem C4. s = (target − ε)/2.
"""

from __future__ import annotations

import sympy
from sympy import Max, Piecewise, Rational, ceiling, log, sqrt

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.average_argmax_1 import CONCLUSION
from bounds.theorem import (
    Direction,
    Formula,
    Hypothesis,
    Setting,
    Theorem,
    auxiliary,
    simulation_error,
)

_L, _SIGMA, _TAU, _W, _R, _GAMMA, _COMPLEXITY, _GAP = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.locality,
    symbols.urn_constant,
    symbols.logit_range,
    symbols.positional_margin,
    symbols.complexity,
    symbols.spectral_gap,
)


_s = auxiliary("s")


ONE_LAYER, TWO_LAYERS = Setting("average", "softmax", 1), Setting("average", "softmax", 2)


SECOND_LAYER = Hypothesis(
    "softmax in both layers, no positions, no lag bias in the second layer; C_f is the constant of "
    "Theorem C4, max over f and g"
)


MIXED = Hypothesis(
    "tokens i.i.d. given their law, any prior (a fixed law too), for all lengths",
    denied_by="markov_inputs",
)


def _two_layer(factor: sympy.Expr, where: dict[sympy.Symbol, sympy.Expr]) -> Formula:
    steps = ceiling((factor * _COMPLEXITY / _s) ** Max(2, 1 / _GAMMA))
    return Formula(
        terms={"simulation": Max(steps, 1, evaluate=False)},
        where={_s: simulation_error(), **where},
    )


AVERAGE_SOFTMAX_TWO_LAYER = Theorem(
    key="derived.average_softmax_two_layer",
    title="Two layers, softmax, average error, tokens i.i.d. given their law",
    source=derived("derived-average_softmax_two_layer", "Theorem C4"),
    setting=TWO_LAYERS,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "f(x) is within C_f/2·N^(−min(1/2, γ)) of a function of the token law and the last τ + 1 "
        "tokens, on average; so the last N symbols simulate the input within s."
    ),
    conclusion=CONCLUSION,
    parameters=("epsilon", "target", "complexity", "positional_margin"),
    hypotheses=(MIXED, SECOND_LAYER),
    formula=lambda: _two_layer(sympy.Integer(1), {}),
    exponents={"epsilon": -Max(2, 1 / _GAMMA), "complexity": Max(2, 1 / _GAMMA)},
)


def _markov() -> Formula:
    theta, steps, factor = auxiliary("Theta"), auxiliary("m"), auxiliary("varrho")
    mixing = log(1 / symbols.stationary_min) / log(1 / (1 - _GAP))
    # Largest at τ = 0; C_f itself grows with τ.
    grown = (sqrt(theta) + 1 + steps) / (1 + sqrt(Rational(1, 2)))
    return _two_layer(
        factor,
        {
            factor: Max(sqrt(theta), grown, evaluate=False),
            theta: (2 - _GAP) / _GAP,
            steps: Piecewise((1, _GAP >= 1), (Max(1, ceiling(mixing), evaluate=False), True)),
        },
    )


AVERAGE_SOFTMAX_TWO_LAYER_MARKOV = Theorem(
    key="derived.average_softmax_two_layer_markov",
    title="Two layers, softmax, average error, stationary Markov chain",
    source=derived("derived-average_softmax_two_layer_markov", "Theorem C5"),
    setting=TWO_LAYERS,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For inputs from a stationary Markov chain with spectral gap 1 − λ (λ: norm on mean-zero "
        "functions of L²(π)) the length of i.i.d. tokens grows by a factor that depends on the "
        "gap and on π_min only; the power of 1/ε is the same."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "complexity",
        "positional_margin",
        "spectral_gap",
        "stationary_min",
    ),
    hypotheses=(
        Hypothesis("inputs of every length from one stationary Markov chain", name="markov_inputs"),
        SECOND_LAYER,
    ),
    formula=_markov,
    exponents={
        "epsilon": -Max(2, 1 / _GAMMA),
        "complexity": Max(2, 1 / _GAMMA),
        "spectral_gap": -Max(2, 1 / _GAMMA),
    },
)


THEOREMS = (AVERAGE_SOFTMAX_TWO_LAYER, AVERAGE_SOFTMAX_TWO_LAYER_MARKOV)
