"""Our sufficient lengths for average error and argmax attention, one and two layers.

Everywhere L stands for Λ of docs/theory.md: operator norm of what follows the attention times the
(Euclidean) diameter of a head's values, summed over heads. s = (target − ε)/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Integer, Max, Min, Piecewise, Rational, ceiling, sqrt

from bounds.evaluate import compare
from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.beta_roots import reciprocal_root, smaller_mass
from bounds.registry.sources import derived
from bounds.theorem import (
    Direction,
    Formula,
    Hypothesis,
    Setting,
    Theorem,
    Values,
    auxiliary,
    hardmax_length,
    simulation_error,
)

_L, _SIGMA, _DELTA, _TAU = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
)
_A, _CLASS, _Q, _W = (
    symbols.alpha_total,
    symbols.alpha_class,
    symbols.class_probability,
    symbols.urn_constant,
)
_s, _u, _h0 = auxiliary("s"), auxiliary("u"), auxiliary("h_0")
_K_HALF, _K_ONE = auxiliary("K_{1/2}"), auxiliary("K_1")
"""K_θ(u): how small t must be for E min(1, (t/q)^θ) ≤ u; [derived, Lemma T3]."""

_POWER_MASS_1, _POWER_MASS_2 = auxiliary("a_1"), auxiliary("a_2")
"""Masses ≤ a* at which the power form of K_θ is taken (`bounds.registry.beta_roots`)."""

_C = 2 + sqrt(2)
_C0 = 1 + 1 / sqrt(2)

CONCLUSION = "average error of f − g ≤ {target} at every length"
ONE_LAYER, TWO_LAYERS = Setting("average", "argmax", 1), Setting("average", "argmax", 2)

ROUNDING = Hypothesis(
    "(A1) attention weights ≤ 2^−p relative to the largest are dropped; nothing else is rounded"
)
MODEL = Hypothesis(
    "(A2) lag biases vanish beyond τ, positions are Δ-periodic, φ depends on the lag; f and g have "
    "the same Σ, Δ and τ"
)
LAMBDA = Hypothesis(
    "L is the operator norm of what follows the attention times the Euclidean diameter of a head's "
    "values, summed over heads, max over f and g"
)
DIRICHLET = Hypothesis(
    "tokens i.i.d. given their law, the law drawn from one Dirichlet prior for all lengths"
)
IID = Hypothesis("tokens i.i.d. with one fixed law for all lengths; classes inside its support")
MASSES = Hypothesis(
    "α₀ ≤ a* ≤ A",
    check=lambda v: (
        compare(v["alpha_min"], v["alpha_class"]) <= 0
        and compare(v["alpha_class"], v["alpha_total"]) <= 0
    ),
)
SUFFIX_ONLY = Hypothesis(
    "every first-layer head of f and g attends inside the last τ + 1 positions",
    name="suffix_only_first_layer",
)


def _length(trivial: sympy.Expr, expression: sympy.Expr) -> sympy.Expr:
    """For s ≥ L every input with the same query is a simulation: `trivial` is enough."""
    return Piecewise((trivial, _s >= _L), (expression, True))


def _hardmax(trivial: sympy.Expr) -> sympy.Expr:
    """All Δ lengths up to N reach h₀: the one that stands for T may be N − Δ + 1."""
    return _length(trivial, ceiling(_h0) + _DELTA - 1)


def _where(u: sympy.Expr) -> dict[sympy.Symbol, sympy.Expr]:
    return {_u: u, _s: simulation_error(), _h0: hardmax_length()}


def _one_layer_average() -> Formula:
    def length(periods: sympy.Expr) -> sympy.Expr:
        return _length(_DELTA, _DELTA * ceiling(periods) + _TAU + _DELTA)

    return Formula(
        terms={
            "hardmax threshold": _hardmax(_DELTA),
            "fluctuation": length(_C**2 * Max(_K_HALF, 1, evaluate=False)),
            "suffix": length((_TAU + _DELTA) * Max(_K_ONE, 1, evaluate=False)),
        },
        where={
            _K_HALF: reciprocal_root(_CLASS, _A, 1, Rational(1, 2), _u, _POWER_MASS_1),
            _K_ONE: reciprocal_root(_CLASS, _A, 1, Integer(1), _u, _POWER_MASS_2),
            **_where(_s / (2 * _L)),
        },
    )


def _power_masses(
    values: Values, mass: str, observed: int, terms: int, thetas: tuple[Fraction, ...]
) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """The masses for the power form at each θ, for u = s/(2·terms·L)."""
    s, lipschitz = values["simulation_error"], values["lipschitz"]
    if compare(s, lipschitz) >= 0:  # simulation is trivial: no mass is asked for
        yield {}
        return
    u = s / (2 * terms * lipschitz)
    masses = [smaller_mass(values[mass], values["alpha_total"], observed, t, u) for t in thetas]
    yield dict(zip((_POWER_MASS_1, _POWER_MASS_2), masses, strict=False))


ONE_LAYER_AVERAGE = Theorem(
    key="derived.one_layer_average",
    title="One layer, argmax, average error, Dirichlet prior: the last symbols simulate the input",
    source=derived("derived-one_layer_average", "Corollary A2"),
    setting=ONE_LAYER,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The last n symbols z of an input x have the law of inputs of length n, and "
        "E|f(x) − f(z)| ≤ s for f and for g; so agreement within ε on average at the Δ lengths up "
        "to N carries to every length within ε + 2s. a* is the least prior mass of a top class."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "alpha_min",
        "alpha_total",
        "alpha_class",
    ),
    defaults={"alpha_class": lambda v: v["alpha_min"]},
    hypotheses=(DIRICHLET, MASSES, ROUNDING, MODEL, LAMBDA),
    formula=_one_layer_average,
    choices=lambda v: _power_masses(v, "alpha_class", 1, 1, (Fraction(1, 2), Fraction(1))),
    exponents={
        "epsilon": -Max(2, 1 / _CLASS),
        "lipschitz": Max(2, 1 / _CLASS),
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.2",
)


def _one_layer_average_fixed() -> Formula:
    def length(periods: sympy.Expr) -> sympy.Expr:
        return _length(_DELTA, _DELTA * ceiling(Max(periods, 1, evaluate=False)) + _TAU + _DELTA)

    return Formula(
        terms={
            "hardmax threshold": _hardmax(_DELTA),
            "fluctuation": length(4 * _C**2 * _L**2 / (_Q * _s**2)),
            "suffix": length(2 * (_TAU + _DELTA) * _L / (_Q * _s)),
        },
        where={_s: simulation_error(), _h0: hardmax_length()},
    )


ONE_LAYER_AVERAGE_FIXED = Theorem(
    key="derived.one_layer_average_fixed",
    title="One layer, argmax, average error, fixed token law",
    source=derived("derived-one_layer_average_fixed", "Theorem A2′"),
    setting=ONE_LAYER,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For tokens i.i.d. with a fixed law, q* the least probability of a top class (at least "
        "the least probability of a token): the last N symbols simulate within s on average."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "class_probability",
    ),
    hypotheses=(IID, ROUNDING, MODEL, LAMBDA),
    formula=_one_layer_average_fixed,
    exponents={
        "epsilon": -2,
        "lipschitz": 2,
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
            "hardmax threshold": _hardmax(_DELTA),
            "coupling": _length(_DELTA, _TAU + 1 + ceiling(steps)),
        },
        where={
            _K_ONE: reciprocal_root(_CLASS, _A, 1, Integer(1), _u, _POWER_MASS_1),
            **_where(_s / (2 * _L)),
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
    setting=ONE_LAYER,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If, for each query token, the top classes of all heads of f and g are pairwise nested or "
        "disjoint, an input of length N and one of length T can be coupled along an urn tree: "
        "their class compositions differ by O(1/N) instead of O(1/√N)."
    ),
    conclusion=CONCLUSION,
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
        Hypothesis("Δ = 1", check=lambda v: compare(v["period"], Fraction(1)) == 0),
        Hypothesis(
            "top classes of all heads of f and g are laminar for each query token",
            name="laminar_classes",
        ),
        DIRICHLET,
        MASSES,
        ROUNDING,
        MODEL,
        LAMBDA,
    ),
    formula=_one_layer_average_nested,
    choices=lambda v: _power_masses(v, "alpha_class", 1, 1, (Fraction(1),)),
    exponents={"epsilon": -Max(1, 1 / _CLASS), "lipschitz": Max(1, 1 / _CLASS), "urn_constant": 1},
    compares_with="izzo2025.4.2",
)


def _two_layer_length(periods: sympy.Expr) -> sympy.Expr:
    return _length(_DELTA + _TAU, _DELTA * (ceiling(periods) + 1) + 4 * _TAU + 1)


def _average_two_layer_argmax() -> Formula:
    mass, grams = symbols.alpha_min, _TAU + 1
    half, one = auxiliary("K_{(tau+1)/2}"), auxiliary("K_{tau+1}")
    fluctuation = _C0**2 * (2 * _TAU + 1) * Max(half**grams, 1, evaluate=False)
    rest = (4 * _TAU + _DELTA) * Max(one**grams, 1, evaluate=False)
    return Formula(
        terms={
            "hardmax threshold": _hardmax(_DELTA + _TAU),
            "fluctuation": _two_layer_length(fluctuation),
            "suffix": _two_layer_length(rest),
        },
        where={
            half: reciprocal_root(mass, _A, grams, grams / 2, _u, _POWER_MASS_1),
            one: reciprocal_root(mass, _A, grams, grams, _u, _POWER_MASS_2),
            **_where(_s / (4 * Min(_SIGMA, grams) * _L)),
        },
    )


def _gram_masses(values: Values) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    grams = int(values["locality"]) + 1
    terms = 2 * min(int(values["vocabulary_size"]), grams)
    yield from _power_masses(
        values, "alpha_min", grams, terms, (Fraction(grams, 2), Fraction(grams))
    )


AVERAGE_TWO_LAYER_ARGMAX = Theorem(
    key="derived.average_two_layer_argmax",
    title="Two layers, argmax, average error, suffix-only first layer, Dirichlet prior",
    source=derived("derived-average_two_layer_argmax", "Theorem C8"),
    setting=TWO_LAYERS,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If the first layer sees only the last τ + 1 tokens and the residue, the first τ and the "
        "last N − τ symbols of an input simulate it within s on average, for f and g."
    ),
    conclusion=CONCLUSION,
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
    ),
    hypotheses=(
        SUFFIX_ONLY,
        Hypothesis("α₀ ≤ A", check=lambda v: compare(v["alpha_min"], v["alpha_total"]) <= 0),
        DIRICHLET,
        ROUNDING,
        MODEL,
        LAMBDA,
    ),
    formula=_average_two_layer_argmax,
    choices=_gram_masses,
    exponents={
        "epsilon": -Max(2, (_TAU + 1) / symbols.alpha_min),
        "lipschitz": Max(2, (_TAU + 1) / symbols.alpha_min),
        "period": 2,
    },
)


def _average_two_layer_argmax_fixed() -> Formula:
    return Formula(
        terms={
            "hardmax threshold": _hardmax(_DELTA + _TAU),
            "fluctuation": _two_layer_length(
                Max(16 * _C0**2 * (2 * _TAU + 1) * _L**2 / (_Q * _s**2), 1, evaluate=False)
            ),
            "suffix": _two_layer_length(
                Max(4 * (4 * _TAU + _DELTA) * _L / (_Q * _s), 1, evaluate=False)
            ),
        },
        where={_s: simulation_error(), _h0: hardmax_length()},
    )


AVERAGE_TWO_LAYER_ARGMAX_FIXED = Theorem(
    key="derived.average_two_layer_argmax_fixed",
    title="Two layers, argmax, average error, suffix-only first layer, fixed token law",
    source=derived("derived-average_two_layer_argmax_fixed", "Theorem C8, fixed law"),
    setting=TWO_LAYERS,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For tokens i.i.d. with a fixed law, q* the least probability of a second layer's top "
        "class of grams (at least π_min^(τ+1)), the first τ and the last N − τ symbols of an input "
        "simulate it within s on average."
    ),
    conclusion=CONCLUSION,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "class_probability",
    ),
    hypotheses=(SUFFIX_ONLY, IID, ROUNDING, MODEL, LAMBDA),
    formula=_average_two_layer_argmax_fixed,
    exponents={
        "epsilon": -2,
        "lipschitz": 2,
        "class_probability": -1,
        "period": 2,
        "locality": 2,
    },
)

THEOREMS = (
    ONE_LAYER_AVERAGE,
    ONE_LAYER_AVERAGE_FIXED,
    ONE_LAYER_AVERAGE_NESTED,
    AVERAGE_TWO_LAYER_ARGMAX,
    AVERAGE_TWO_LAYER_ARGMAX_FIXED,
)
