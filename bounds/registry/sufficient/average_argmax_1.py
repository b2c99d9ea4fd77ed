"""Our sufficient lengths for average error and argmax attention, one and two layers.

Everywhere L stands for Λ of docs/theory.md: operator norm of what follows the attention times the
(Euclidean) diameter of a head's values, summed over heads. s = (target − ε)/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Integer, Max, Piecewise, Rational, ceiling, sqrt

from bounds.evaluate import compare
from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.beta_roots import reciprocal_root, smaller_mass
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
"""Masses ≤ a* at which the power form of K_θ is taken (`bounds.registry.sufficient.beta_roots`)."""


_C = 2 + sqrt(2)


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


THEOREMS = (ONE_LAYER_AVERAGE, ONE_LAYER_AVERAGE_FIXED, ONE_LAYER_AVERAGE_NESTED)
