"""Sufficient: average error, argmax attention, one layer.

Λ is `lipschitz_euclidean`; where total variation is coupled (laminar classes) L, `lipschitz`, is
enough. s = (target − ε)/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Eq, Integer, Max, Min, Piecewise, Rational, beta, ceiling, log, sqrt

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
    U,
    all_lengths_hard,
    joined,
    power_masses,
    quadratic_root,
    shared_masses,
    split,
    unless_trivial,
    where,
)
from bounds.registry.sufficient.average_softmax_1 import urn_constant_of_balanced_tree
from bounds.registry.sufficient.beta_roots import reciprocal_root
from bounds.scope import ANY, Hypothesis, Scope, Values, exactly
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

_L, _LAMBDA, _DELTA, _TAU = (
    symbols.lipschitz,
    symbols.lipschitz_euclidean,
    symbols.period,
    symbols.locality,
)
_A, _CLASS, _Q, _W = (
    symbols.alpha_total,
    symbols.alpha_class,
    symbols.class_probability,
    symbols.urn_constant,
)
_K_HALF, _K_ONE, _C = auxiliary("K_{1/2}"), auxiliary("K_1"), auxiliary("C")
_END = joined(_TAU + _DELTA, 2 + sqrt(2), 2)

CELL = Setting("average", "argmax", 1)

MASSES = Hypothesis(
    "α₀ ≤ a* ≤ A",
    check=lambda v: (
        compare(v["alpha_min"], v["alpha_class"]) <= 0
        and compare(v["alpha_class"], v["alpha_total"]) <= 0
    ),
)


def _full(periods: sympy.Expr) -> sympy.Expr:
    """Δ·⌈periods⌉ + τ + Δ: whole periods, and the kept end."""
    return _DELTA * ceiling(Max(periods, 1, evaluate=False)) + _TAU + _DELTA


def _hardmax(lipschitz: sympy.Symbol) -> sympy.Expr:
    return unless_trivial(_DELTA, all_lengths_hard(), lipschitz)


def _one_layer_average() -> Formula:
    def length(periods: sympy.Expr) -> sympy.Expr:
        return unless_trivial(_DELTA, _full(periods), _LAMBDA)

    return Formula(
        terms={
            "hardmax threshold": _hardmax(_LAMBDA),
            "fluctuation": length(Max(_K_HALF, 1, evaluate=False) / 2),
            "suffix": length(_C * Max(_K_ONE, 1, evaluate=False)),
        },
        where={
            _C: _END,
            _K_HALF: reciprocal_root(_CLASS, _A, 1, Rational(1, 2), U_1, POWER_MASS_1),
            _K_ONE: reciprocal_root(_CLASS, _A, 1, Integer(1), U_2, POWER_MASS_2),
            **split(S / _LAMBDA),
        },
    )


ONE_LAYER_AVERAGE = Theorem(
    key="derived.one_layer_average",
    title="One layer, argmax, average error, Dirichlet prior: the last symbols simulate the input",
    source=derived("derived-one_layer_average", "Corollary A2"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The last n symbols z of an input x have the law of inputs of length n, and "
        "E|f(x) − f(z)| ≤ s for f and for g; so agreement within ε on average at the Δ lengths up "
        "to N carries to every length within ε + 2s. a* is the least prior mass of a top class."
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
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
        "alpha_class",
    ),
    defaults={"alpha_class": lambda v: v["alpha_min"]},
    hypotheses=(MASSES, ROUNDING, MODEL, SHARED, EUCLIDEAN),
    formula=_one_layer_average,
    choices=lambda v: shared_masses(v, "alpha_class", 1, 1, (Fraction(1, 2), Fraction(1))),
    exponents={
        "epsilon": -larger(2, 1 / _CLASS),
        "lipschitz_euclidean": larger(2, 1 / _CLASS),
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.2",
)


def _one_layer_average_fixed() -> Formula:
    def length(periods: sympy.Expr) -> sympy.Expr:
        return unless_trivial(_DELTA, _full(periods), _LAMBDA)

    return Formula(
        terms={
            "hardmax threshold": _hardmax(_LAMBDA),
            "simulation": length(quadratic_root(_C, S / _LAMBDA) / _Q),
        },
        where={_C: _END, S: simulation_error(), H0: hardmax_length()},
    )


ONE_LAYER_AVERAGE_FIXED = Theorem(
    key="derived.one_layer_average_fixed",
    title="One layer, argmax, average error, fixed token law",
    source=derived("derived-one_layer_average_fixed", "Theorem A2′"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For tokens i.i.d. with a fixed law, q* the least probability of a top class (at least "
        "the least probability of a token): the last N symbols simulate within s on average."
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
        "class_probability",
    ),
    hypotheses=(ROUNDING, MODEL, SHARED, EUCLIDEAN),
    formula=_one_layer_average_fixed,
    exponents={
        "epsilon": -2,
        "lipschitz_euclidean": 2,
        "class_probability": -1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.2",
)


def _one_layer_average_nested() -> Formula:
    steps = (Max(1, 2 * _W, evaluate=False) + _TAU + 1) * Max(_K_ONE, 1, evaluate=False)
    return Formula(
        terms={
            "hardmax threshold": _hardmax(_L),
            "coupling": unless_trivial(_DELTA, _TAU + 1 + ceiling(steps), _L),
        },
        where={
            _K_ONE: reciprocal_root(_CLASS, _A, 1, Integer(1), U, POWER_MASS_1),
            **where(S / (2 * _L)),
        },
    )


def urn_constant_of_any_tree(values: Values) -> Exact:
    """(|Σ| − 1)(2 + 9/8·(A + τ + 1)): W̄ for every binary tree, by Lemma C0."""
    mass = values["alpha_total"] + values["locality"] + 1
    return (values["vocabulary_size"] - 1) * (2 + Fraction(9, 8) * mass)


ONE_LAYER_AVERAGE_NESTED = Theorem(
    key="derived.one_layer_average_nested",
    title="One layer, argmax, average error, Δ = 1 and laminar classes: no square root",
    source=derived("derived-one_layer_average_nested", "Theorem A3"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If, for each query token, the top classes of all heads of f and g are pairwise nested or "
        "disjoint, an input of length N and one of length T can be coupled along an urn tree: "
        "their class compositions differ by O(1/N) instead of O(1/√N)."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
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
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
        "alpha_class",
        "urn_constant",
    ),
    defaults={
        "period": 1,
        "alpha_class": lambda v: v["alpha_min"],
        "urn_constant": urn_constant_of_any_tree,
    },
    hypotheses=(
        Hypothesis(
            "top classes of all heads of f and g are laminar for each query token",
            name="laminar_classes",
        ),
        MASSES,
        ROUNDING,
        MODEL,
        SHARED,
    ),
    formula=_one_layer_average_nested,
    choices=lambda v: power_masses(v, "alpha_class", "lipschitz", 1, Fraction(1)),
    exponents={
        "epsilon": -larger(1, 1 / _CLASS),
        "lipschitz": larger(1, 1 / _CLASS),
        "urn_constant": 1,
    },
    compares_with="izzo2025.4.2",
)


COMMON_ORDER = "common_order"

_KAPPA_SHARE, _THETA, _M0, _BETA = (
    auxiliary("varsigma"),
    auxiliary("vartheta"),
    auxiliary("m_0"),
    auxiliary("beta"),
)
_OF_DENSITY = Rational(99, 100)
"""The share of ϑ that is left for the rare first tokens."""


def _one_layer_average_common_order() -> Formula:
    end = _TAU + _DELTA
    error = S * (1 - _KAPPA_SHARE)  # s for the density κ
    ratio = error / _LAMBDA
    by_variance = (1 + sqrt(1 + 4 * end * ratio)) ** 2 / (2 * ratio**2)
    by_urn = 2 * (_W + _TAU + 1) * _L / error
    seen = Piecewise((Min(by_urn, by_variance, evaluate=False), Eq(_DELTA, 1)), (by_variance, True))
    observed = symbols.alpha_total + end
    steps = Max(
        2 * _M0 / (_OF_DENSITY * _THETA * _BETA) ** (1 / symbols.alpha_min),
        _M0 * observed / symbols.alpha_min,
        _M0 * (1 + sqrt(_DELTA) / 2),
        evaluate=False,
    )
    return Formula(
        terms={
            "hardmax threshold": _hardmax(_LAMBDA),
            "simulation": unless_trivial(_DELTA, _full(steps / _DELTA), _LAMBDA),
        },
        where={
            _M0: ceiling(Max(seen, 4 * log(100 / _THETA), evaluate=False)),
            _BETA: symbols.alpha_min * beta(symbols.alpha_min, observed - symbols.alpha_min),
            _THETA: 2 * _KAPPA_SHARE * S / (symbols.epsilon + 2 * _KAPPA_SHARE * S),
            S: simulation_error(),
            H0: hardmax_length(),
        },
    )


def _densities(values: Values) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """Shares of target − ε that the density of the short inputs may take."""
    if compare(values["simulation_error"], values["lipschitz_euclidean"]) >= 0:
        yield {}
        return
    for share in (Fraction(1, 4), Fraction(1, 16), Fraction(1, 2), Fraction(3, 4)):
        yield {_KAPPA_SHARE: share}


_POWER = Piecewise((1, Eq(_DELTA, 1)), (2, True))

ONE_LAYER_AVERAGE_COMMON_ORDER = Theorem(
    key="derived.one_layer_average_common_order",
    title="One layer, argmax, average error, one order of the tokens: the power 2, for Δ = 1 the 1",
    source=derived("derived-one_layer_average_common_order", "Theorem A6"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If all heads of f and g prefer the tokens in one order, ties included, that does not "
        "depend on the residue, z is drawn afresh with as many symbols of the first class that "
        "occurs, or also with many of them: its law has a density ≤ κ, and the power of 1/ε does "
        "not depend on α₀."
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
        "lipschitz",
        "lipschitz_euclidean",
        "vocabulary_size",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
        "urn_constant",
    ),
    defaults={
        "lipschitz": lambda v: v["lipschitz_euclidean"],
        "urn_constant": urn_constant_of_balanced_tree,
    },
    hypotheses=(
        Hypothesis(
            "content logits do not depend on the key's residue, and for each query all heads of f "
            "and g order the tokens by their content logits in the same way, ties included",
            name=COMMON_ORDER,
        ),
        Hypothesis("α₀ ≤ A", check=lambda v: compare(v["alpha_min"], v["alpha_total"]) <= 0),
        ROUNDING,
        MODEL,
        SHARED,
        EUCLIDEAN,
    ),
    formula=_one_layer_average_common_order,
    choices=_densities,
    exponents={"epsilon": -_POWER, "lipschitz_euclidean": _POWER},
    compares_with="izzo2025.4.2",
)

_RARE = 3 / (1 + symbols.alpha_min)

ONE_LAYER_AVERAGE_TWO_TOKENS = Theorem(
    key="derived.one_layer_average_two_tokens",
    title="One layer, argmax, average error, two tokens, α₀ < 1/2: the power 3/(1 + α₀) of 1/ε",
    source=derived("derived-one_layer_average_two_tokens", "Theorem A7"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "Inputs in which one token is rare are compared with inputs in which it is as rare, the "
        "others with their last symbols: agreement within ε up to N gives an average error "
        "≤ κε + C·Λ·N^(−(1+α₀)/3) at every length, for every κ > 1. The constant C depends on κ, "
        "the prior, τ and Δ and is not computed. derived.lower_average_rare has the same power."
    ),
    conclusion=CONCLUSION,
    scope=Scope(
        vocabulary_size=exactly(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    parameters=("epsilon", "target", "lipschitz_euclidean", "alpha_min"),
    hypotheses=(
        Hypothesis("content logits do not depend on the key's residue"),
        Hypothesis("α₀ < 1/2", check=lambda v: compare(v["alpha_min"], Fraction(1, 2)) < 0),
        ROUNDING,
        MODEL,
        SHARED,
        EUCLIDEAN,
    ),
    exponents={"epsilon": -_RARE, "lipschitz_euclidean": _RARE},
    compares_with="izzo2025.4.2",
)

THEOREMS = (
    ONE_LAYER_AVERAGE,
    ONE_LAYER_AVERAGE_FIXED,
    ONE_LAYER_AVERAGE_NESTED,
    ONE_LAYER_AVERAGE_COMMON_ORDER,
    ONE_LAYER_AVERAGE_TWO_TOKENS,
)
