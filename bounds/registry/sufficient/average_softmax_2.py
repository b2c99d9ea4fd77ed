"""Sufficient: average error, softmax attention, two layers. s = (target − ε)/2."""

from __future__ import annotations

import sympy
from sympy import Max, Min, Piecewise, Rational, ceiling, log, sqrt

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.average import CONCLUSION, S
from bounds.scope import ANY, Hypothesis, Scope, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary, larger, simulation_error

_GAMMA, _COMPLEXITY, _GAP = (
    symbols.positional_margin,
    symbols.complexity_average,
    symbols.spectral_gap,
)

CELL = Setting("average", "softmax", 2)

SOFTMAX = Hypothesis(
    "softmax in both layers; 𝒞 is the constant of Theorem C4, summed over the heads of the second "
    "layer, max over f and g"
)


def _two_layer() -> Formula:
    steps = ceiling((_COMPLEXITY / S) ** Max(2, 1 / _GAMMA))
    return Formula(
        terms={"simulation": Max(steps, 1, evaluate=False)}, where={S: simulation_error()}
    )


AVERAGE_SOFTMAX_TWO_LAYER = Theorem(
    key="derived.average_softmax_two_layer",
    title="Two layers, softmax, average error, tokens i.i.d. given their law",
    source=derived("derived-average_softmax_two_layer", "Theorem C4"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "f(x) is within 𝒞/2·N^(−min(1/2, γ)) of a function of the token law and the last τ + 1 "
        "tokens, on average; so the last N symbols simulate the input within s."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="mixed",
    ),
    parameters=("epsilon", "target", "complexity_average", "positional_margin"),
    hypotheses=(SOFTMAX,),
    formula=_two_layer,
    exponents={"epsilon": -larger(2, 1 / _GAMMA), "complexity_average": larger(2, 1 / _GAMMA)},
)


def _markov() -> Formula:
    theta, steps, factor = auxiliary("Theta"), auxiliary("m"), auxiliary("varrho")
    root, rest = auxiliary("varrho'"), auxiliary("m'")
    mixing = log(1 / symbols.stationary_min) / log(1 / (1 - _GAP))
    power = Max(2, 1 / _GAMMA)

    def grown(constant: sympy.Expr) -> sympy.Expr:
        """Largest at τ = 0; 𝒞 itself grows with τ."""
        return Max(
            sqrt(theta), (sqrt(theta) + constant) / (1 + sqrt(Rational(1, 2))), evaluate=False
        )

    reach = root * _COMPLEXITY
    quadratic = ((reach + sqrt(reach**2 + 4 * rest * S * _COMPLEXITY)) / (2 * S)) ** 2
    halves = Max((2 * reach / S) ** power, 2 * rest * _COMPLEXITY / S, evaluate=False)
    split = Piecewise((quadratic, 2 * _GAMMA >= 1), (halves, True))
    together = (factor * _COMPLEXITY / S) ** power
    return Formula(
        terms={"simulation": Max(ceiling(Min(together, split, evaluate=False)), 1, evaluate=False)},
        where={
            S: simulation_error(),
            factor: grown(1 + steps),
            root: grown(sympy.Integer(1)),
            rest: steps / (1 + sqrt(Rational(1, 2))),
            theta: (2 - _GAP) / _GAP,
            steps: Piecewise((1, _GAP >= 1), (Max(1, ceiling(mixing), evaluate=False), True)),
        },
    )


AVERAGE_SOFTMAX_TWO_LAYER_MARKOV = Theorem(
    key="derived.average_softmax_two_layer_markov",
    title="Two layers, softmax, average error, stationary Markov chain",
    source=derived("derived-average_softmax_two_layer_markov", "Theorem C5"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For inputs from a stationary Markov chain with spectral gap 1 − λ (λ: norm on mean-zero "
        "functions of L²(π)) the length of i.i.d. tokens grows by a factor that depends on the "
        "gap and on π_min only, like 1/gap for γ ≥ 1/2; the power of 1/ε is the same."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="Markov",
    ),
    parameters=(
        "epsilon",
        "target",
        "complexity_average",
        "positional_margin",
        "spectral_gap",
        "stationary_min",
    ),
    hypotheses=(SOFTMAX,),
    formula=_markov,
    exponents={
        "epsilon": -larger(2, 1 / _GAMMA),
        "complexity_average": larger(2, 1 / _GAMMA),
        "spectral_gap": -larger(1, 1 / (2 * _GAMMA)),
    },
)


THEOREMS = (AVERAGE_SOFTMAX_TWO_LAYER, AVERAGE_SOFTMAX_TWO_LAYER_MARKOV)
