"""Sufficient: average error, argmax attention, two layers with a suffix-only first layer.

Λ, `lipschitz_euclidean`, is taken in the second layer's attention. s = (target − ε)/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Max, Min, ceiling, sqrt

from bounds.evaluate import compare
from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.hypotheses import EUCLIDEAN, MODEL, ROUNDING, SHARED
from bounds.registry.sources import derived
from bounds.registry.sufficient.average import (
    CONCLUSION,
    H0,
    POWER_MASS_1,
    POWER_MASS_2,
    U_1,
    U_2,
    S,
    all_lengths_hard,
    joined,
    quadratic_root,
    shared_masses,
    split,
    unless_trivial,
)
from bounds.registry.sufficient.beta_roots import reciprocal_root
from bounds.scope import ANY, Hypothesis, Scope, Values
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    hardmax_length,
    larger,
    simulation_error,
)

_LAMBDA, _SIGMA, _DELTA, _TAU = (
    symbols.lipschitz_euclidean,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
)
_A, _Q = symbols.alpha_total, symbols.gram_probability
_WINDOW = 2 * _TAU + 1
_C = auxiliary("C")
_END = joined((4 * _TAU + _DELTA) / _WINDOW, 1 + 1 / sqrt(2), 1)

CELL = Setting("average", "argmax", 2)

SUFFIX_ONLY = Hypothesis(
    "every first-layer head of f and g attends inside the last τ + 1 positions",
    name="suffix_only_first_layer",
)


def _terms(**periods: sympy.Expr) -> dict[str, sympy.Expr]:
    """The query is a first-layer output and changes across h₀: it has to be hard even if s ≥ Λ."""

    def length(periods: sympy.Expr) -> sympy.Expr:
        full = _DELTA * (ceiling(Max(periods, 1, evaluate=False)) + 1) + 4 * _TAU + 1
        return unless_trivial(_DELTA + _TAU, full, _LAMBDA)

    return {
        "hardmax threshold": all_lengths_hard(),
        **{name: length(number) for name, number in periods.items()},
    }


def _average_two_layer_argmax() -> Formula:
    mass, grams = symbols.alpha_min, _TAU + 1
    half, one = auxiliary("K_{(tau+1)/2}"), auxiliary("K_{tau+1}")
    return Formula(
        terms=_terms(
            fluctuation=_WINDOW * Max(half**grams, 1, evaluate=False) / 2,
            suffix=_WINDOW * _C * Max(one**grams, 1, evaluate=False),
        ),
        where={
            _C: _END,
            half: reciprocal_root(mass, _A, grams, grams / 2, U_1, POWER_MASS_1),
            one: reciprocal_root(mass, _A, grams, grams, U_2, POWER_MASS_2),
            **split(S / (2 * Min(_SIGMA, grams) * _LAMBDA)),
        },
    )


def _gram_masses(values: Values) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    grams = int(values["locality"]) + 1
    terms = 2 * min(int(values["vocabulary_size"]), grams)
    thetas = (Fraction(grams, 2), Fraction(grams))
    yield from shared_masses(values, "alpha_min", grams, terms, thetas)


AVERAGE_TWO_LAYER_ARGMAX = Theorem(
    key="derived.average_two_layer_argmax",
    title="Two layers, argmax, average error, suffix-only first layer, Dirichlet prior",
    source=derived("derived-average_two_layer_argmax", "Theorem C8"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If the first layer sees only the last τ + 1 tokens and the residue, the first τ and the "
        "last N − τ symbols of an input simulate it within s on average, for f and g."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz_euclidean",
        "vocabulary_size",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
    ),
    hypotheses=(
        SUFFIX_ONLY,
        Hypothesis("α₀ ≤ A", check=lambda v: compare(v["alpha_min"], v["alpha_total"]) <= 0),
        ROUNDING,
        MODEL,
        SHARED,
        EUCLIDEAN,
    ),
    formula=_average_two_layer_argmax,
    choices=_gram_masses,
    exponents={
        "epsilon": -larger(2, (_TAU + 1) / symbols.alpha_min),
        "lipschitz_euclidean": larger(2, (_TAU + 1) / symbols.alpha_min),
        "period": 2,
    },
)


def _average_two_layer_argmax_fixed() -> Formula:
    return Formula(
        terms=_terms(
            simulation=_WINDOW * quadratic_root(_C, S / (2 * _LAMBDA)) / _Q,
        ),
        where={_C: _END, S: simulation_error(), H0: hardmax_length()},
    )


AVERAGE_TWO_LAYER_ARGMAX_FIXED = Theorem(
    key="derived.average_two_layer_argmax_fixed",
    title="Two layers, argmax, average error, suffix-only first layer, fixed token law",
    source=derived("derived-average_two_layer_argmax_fixed", "Theorem C8, fixed law"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For tokens i.i.d. with a fixed law, q_g the least probability of a second layer's top "
        "class of grams (at least π_min^(τ+1)), the first τ and the last N − τ symbols of an input "
        "simulate it within s on average."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="fixed",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz_euclidean",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "gram_probability",
    ),
    hypotheses=(SUFFIX_ONLY, ROUNDING, MODEL, SHARED, EUCLIDEAN),
    formula=_average_two_layer_argmax_fixed,
    exponents={
        "epsilon": -2,
        "lipschitz_euclidean": 2,
        "gram_probability": -1,
        "period": 2,
        "locality": 1,
    },
)

THEOREMS = (AVERAGE_TWO_LAYER_ARGMAX, AVERAGE_TWO_LAYER_ARGMAX_FIXED)
