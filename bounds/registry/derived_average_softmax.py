"""Our sufficient lengths for average error and softmax attention, one and two layers.

For one layer L stands for Λ of docs/theory.md, as in `bounds.registry.derived_average`; for two
layers `complexity` is the 𝒞 of Theorem C4. s = (target − ε)/2.
"""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import Max, Min, Piecewise, Rational, ceiling, exp, log, sqrt

from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.derived_average import CONCLUSION, DIRICHLET, LAMBDA
from bounds.registry.sources import derived
from bounds.theorem import (
    Direction,
    Formula,
    Hypothesis,
    Setting,
    Theorem,
    Values,
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

SOFTMAX = Hypothesis(
    "softmax; logits of the last τ + 1 positions scaled by log of the length; no positions; R is "
    "the largest range of a head's content logits"
)
SECOND_LAYER = Hypothesis(
    "softmax in both layers, no positions, no lag bias in the second layer; C_f is the constant of "
    "Theorem C4, max over f and g"
)
EXCHANGEABLE = Hypothesis(
    "inputs exchangeable, and inputs of length n distributed as parts of longer ones"
)
MIXED = Hypothesis(
    "tokens i.i.d. given their law, any prior (a fixed law too), for all lengths",
    denied_by="markov_inputs",
)


def _average_softmax() -> Formula:
    return Formula(
        terms={
            "histogram": Max(
                ceiling((_L * exp(_R) * sqrt(_SIGMA - 1) / _s) ** 2), 1, evaluate=False
            ),
            "suffix": Max(
                ceiling((4 * (_TAU + 1) * _L * exp(_R) / _s) ** Max(1, 1 / _GAMMA)),
                1,
                evaluate=False,
            ),
        },
        where={_s: simulation_error()},
    )


AVERAGE_SOFTMAX = Theorem(
    key="derived.average_softmax",
    title="One layer, softmax, average error, exchangeable inputs",
    source=derived("derived-average_softmax", "Theorem C1"),
    setting=ONE_LAYER,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The last N symbols of an exchangeable input are an input of length N; their histogram "
        "differs from the whole one by ½√((|Σ|−1)/N) on average, and softmax attention moves by "
        "at most e^R times that. Agreement at the one length N is enough."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    hypotheses=(EXCHANGEABLE, SOFTMAX, LAMBDA),
    formula=_average_softmax,
    exponents={
        "epsilon": -Max(2, 1 / _GAMMA),
        "lipschitz": Max(2, 1 / _GAMMA),
        "vocabulary_size": 1,
        "locality": Max(1, 1 / _GAMMA),
    },
)


def _average_softmax_dirichlet() -> Formula:
    end = _TAU + 1
    by_urn = ceiling((_L * exp(_R) * (4 * _W + 3 * end) / _s) ** Max(1, 1 / _GAMMA))
    by_variance = Max(
        end + ceiling(16 * (1 + 1 / sqrt(2)) ** 2 * exp(_R) * _L**2 / _s**2),
        ceiling(4 * end * _L / _s),
        ceiling((8 * end * exp(_R) * _L / _s) ** (1 / _GAMMA)),
        evaluate=False,
    )
    best = Min(by_urn, by_variance, evaluate=False)
    return Formula(
        terms={"simulation": Max(2 * end, best, evaluate=False)}, where={_s: simulation_error()}
    )


def urn_constant_of_balanced_tree(values: Values) -> Exact:
    """2(|Σ| − 1) + 9/8·(A + τ + 1)·⌈log₂|Σ|⌉: W̄ for a balanced binary tree, by Lemma C0."""
    others = int(values["vocabulary_size"]) - 1
    mass = values["alpha_total"] + values["locality"] + 1
    return 2 * others + Fraction(9, 8) * mass * others.bit_length()


AVERAGE_SOFTMAX_DIRICHLET = Theorem(
    key="derived.average_softmax_dirichlet",
    title="One layer, softmax, average error, Dirichlet prior: no square root",
    source=derived("derived-average_softmax_dirichlet", "Theorems C2 and C3"),
    setting=ONE_LAYER,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Inputs of two lengths can be coupled along an urn tree so that their histograms differ "
        "by O(1/N) (C3: power 1 of 1/ε, but e^R to that power); or the last N symbols are taken "
        "and compared with the tilted law (C2: power 2 with e^R once). The shorter counts."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "locality",
        "logit_range",
        "positional_margin",
        "alpha_total",
        "urn_constant",
    ),
    defaults={"urn_constant": urn_constant_of_balanced_tree},
    hypotheses=(DIRICHLET, SOFTMAX, LAMBDA),
    formula=_average_softmax_dirichlet,
    exponents={
        "epsilon": -Max(1, 1 / _GAMMA),
        "lipschitz": Max(1, 1 / _GAMMA),
        "urn_constant": Max(1, 1 / _GAMMA),
    },
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

THEOREMS = (
    AVERAGE_SOFTMAX,
    AVERAGE_SOFTMAX_DIRICHLET,
    AVERAGE_SOFTMAX_TWO_LAYER,
    AVERAGE_SOFTMAX_TWO_LAYER_MARKOV,
)
