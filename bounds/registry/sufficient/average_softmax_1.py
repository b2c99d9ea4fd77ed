"""Our sufficient lengths for average error and softmax attention, one and two layers.

For one layer L stands for Λ of docs/theory.md, as in `bounds.registry.derived_average`; for two
layers `complexity` is the 𝒞 of Theorem C4. s = (target − ε)/2.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Max, Min, ceiling, exp, sqrt

from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.average_argmax_1 import CONCLUSION, DIRICHLET, LAMBDA
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


EXCHANGEABLE = Hypothesis(
    "inputs exchangeable, and inputs of length n distributed as parts of longer ones"
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


THEOREMS = (AVERAGE_SOFTMAX, AVERAGE_SOFTMAX_DIRICHLET)
