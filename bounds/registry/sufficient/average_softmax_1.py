"""Sufficient: average error, softmax attention, one layer. s = (target − ε)/2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Max, Min, ceiling, exp, sqrt

from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.hypotheses import EUCLIDEAN
from bounds.registry.sources import derived
from bounds.registry.sufficient.average import CONCLUSION, S
from bounds.scope import ANY, Hypothesis, Scope, Values, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary, larger, simulation_error

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
        "epsilon": -larger(2, 1 / _GAMMA),
        "lipschitz": larger(2, 1 / _GAMMA),
        "vocabulary_size": 1,
        "locality": larger(1, 1 / _GAMMA),
    },
)


_SHARE = auxiliary("vartheta")


def _shares(_: Values) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """Shares of s that the fluctuation may take; the rest is left to the end."""
    for share in (Fraction(1, 2), Fraction(3, 4), Fraction(15, 16)):
        yield {_SHARE: share}


def _by_variance() -> dict[str, sympy.Expr]:
    """The parts of Theorem C1″ for the share ϑ."""
    end, rest = _TAU + 1, (1 - _SHARE) * S
    second_order = sqrt(_LAMBDA**2 + 8 * (1 + 1 / sqrt(2)) * _SHARE * S * _LAMBDA)
    root = (_LAMBDA + second_order) ** 2 / (8 * (_SHARE * S) ** 2)
    return {
        "fluctuation": end + ceiling(exp(_R) * root),
        "end": Max(2 * end, ceiling(2 * end * _LAMBDA / rest), evaluate=False),
        "other lags": Max(
            ceiling((4 * end * exp(_R) * _LAMBDA / rest) ** (1 / _GAMMA)), 1, evaluate=False
        ),
    }


AVERAGE_SOFTMAX_EUCLIDEAN = Theorem(
    key="derived.average_softmax_euclidean",
    title="One layer, softmax, average error, exchangeable inputs: without |Σ|, e^R once",
    source=derived("derived-average_softmax_euclidean", "Theorem C1″"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Given what a long exchangeable input contains, its last symbols are drawn from it "
        "without replacement, and the attention output of the whole is exactly the mean to which "
        "theirs is compared. Agreement at the one length N is enough for all T ≥ N."
    ),
    conclusion=CONCLUSION,
    scope=AVERAGE_SOFTMAX.scope,
    parameters=(
        "epsilon",
        "target",
        "lipschitz_euclidean",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    hypotheses=(SOFTMAX, EUCLIDEAN),
    formula=lambda: Formula(terms=_by_variance(), where={S: simulation_error()}),
    choices=_shares,
    exponents={
        "epsilon": -larger(2, 1 / _GAMMA),
        "lipschitz_euclidean": larger(2, 1 / _GAMMA),
        "locality": larger(1, 1 / _GAMMA),
    },
)


def _average_softmax_dirichlet() -> Formula:
    end = _TAU + 1
    by_urn = ceiling((_L * exp(_R) * (4 * _W + 3 * end) / S) ** Max(1, 1 / _GAMMA))
    by_variance = Max(*_by_variance().values(), evaluate=False)
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
    source=derived("derived-average_softmax_dirichlet", "Theorems C1″ and C3"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Inputs of two lengths can be coupled along an urn tree so that their histograms differ "
        "by O(1/N) (C3: power 1 of 1/ε, but e^R to that power; reads L); or the last N symbols are "
        "taken and compared with the whole (C1″: power 2 with e^R once; reads Λ). The shorter "
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
    choices=_shares,
    exponents={
        "epsilon": -larger(1, 1 / _GAMMA),
        "lipschitz": larger(1, 1 / _GAMMA),
        "urn_constant": larger(1, 1 / _GAMMA),
    },
)

THEOREMS = (AVERAGE_SOFTMAX, AVERAGE_SOFTMAX_EUCLIDEAN, AVERAGE_SOFTMAX_DIRICHLET)
