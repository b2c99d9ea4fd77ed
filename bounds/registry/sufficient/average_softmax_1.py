"""Sufficient: average error, softmax attention, one layer. s = (target − ε)/2."""

from __future__ import annotations

from fractions import Fraction

from sympy import Max, Min, ceiling, exp, sqrt

from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.hypotheses import EUCLIDEAN
from bounds.registry.sources import derived
from bounds.registry.sufficient.average import CONCLUSION, S
from bounds.scope import ANY, Hypothesis, Scope, Values, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, simulation_error

_L, _LAMBDA, _SIGMA, _TAU, _W, _R, _GAMMA = (
    symbols.lipschitz,
    symbols.lipschitz_euclidean,
    symbols.vocabulary_size,
    symbols.locality,
    symbols.urn_constant,
    symbols.logit_range,
    symbols.positional_margin,
)

CELL = Setting("average", "softmax", 1)

SOFTMAX = Hypothesis(
    "softmax; logits of the last τ + 1 positions scaled by log of the length; R is the largest "
    "range of a head's content logits"
)


def _average_softmax() -> Formula:
    power = Max(1, 1 / _GAMMA)
    return Formula(
        terms={
            "histogram": Max(
                ceiling((_L * exp(_R) * sqrt(_SIGMA - 1) / S) ** 2), 1, evaluate=False
            ),
            "suffix": Max(ceiling((4 * (_TAU + 1) * _L * exp(_R) / S) ** power), 1, evaluate=False),
        },
        where={S: simulation_error()},
    )


AVERAGE_SOFTMAX = Theorem(
    key="derived.average_softmax",
    title="One layer, softmax, average error, exchangeable inputs",
    source=derived("derived-average_softmax", "Theorem C1"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The last N symbols of an exchangeable input are an input of length N; their histogram "
        "differs from the whole one by ½√((|Σ|−1)/N) on average, and softmax attention moves by "
        "at most e^R times that. Agreement at the one length N is enough for all T ≥ N."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="exchangeable",
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
    by_urn = ceiling((_L * exp(_R) * (4 * _W + 3 * end) / S) ** Max(1, 1 / _GAMMA))
    by_variance = Max(
        end + ceiling(16 * (1 + 1 / sqrt(2)) ** 2 * exp(_R) * _LAMBDA**2 / S**2),
        ceiling(4 * end * _LAMBDA / S),
        ceiling((8 * end * exp(_R) * _LAMBDA / S) ** (1 / _GAMMA)),
        evaluate=False,
    )
    best = Min(by_urn, by_variance, evaluate=False)
    return Formula(
        terms={"simulation": Max(2 * end, best, evaluate=False)}, where={S: simulation_error()}
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
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Inputs of two lengths can be coupled along an urn tree so that their histograms differ "
        "by O(1/N) (C3: power 1 of 1/ε, but e^R to that power; reads L); or the last N symbols are "
        "taken and compared with the tilted law (C2: power 2 with e^R once; reads Λ). The shorter "
        "counts. Every Λ is an L: without `lipschitz`, L = Λ."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="Dirichlet",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "lipschitz_euclidean",
        "vocabulary_size",
        "locality",
        "logit_range",
        "positional_margin",
        "alpha_total",
        "urn_constant",
    ),
    defaults={
        "lipschitz": lambda v: v["lipschitz_euclidean"],
        "urn_constant": urn_constant_of_balanced_tree,
    },
    hypotheses=(SOFTMAX, EUCLIDEAN),
    formula=_average_softmax_dirichlet,
    exponents={
        "epsilon": -Max(1, 1 / _GAMMA),
        "lipschitz": Max(1, 1 / _GAMMA),
        "urn_constant": Max(1, 1 / _GAMMA),
    },
)

THEOREMS = (AVERAGE_SOFTMAX, AVERAGE_SOFTMAX_DIRICHLET)
