"""Our sufficient lengths for average error and argmax attention, one and two layers.

Everywhere L stands for Λ of docs/theory.md: operator norm of what follows the attention times the
(Euclidean) diameter of a head's values, summed over heads. s = (target − ε)/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Max, Min, Piecewise, ceiling, sqrt

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


_POWER_MASS_1, _POWER_MASS_2 = auxiliary("a_1"), auxiliary("a_2")
"""Masses ≤ a* at which the power form of K_θ is taken (`bounds.registry.sufficient.beta_roots`)."""


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


THEOREMS = (AVERAGE_TWO_LAYER_ARGMAX, AVERAGE_TWO_LAYER_ARGMAX_FIXED)
