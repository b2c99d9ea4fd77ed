"""Sufficient: ℓ∞ error, argmax attention, one layer: near ties, whole columns, few light sets.

κ is the largest diameter of a cluster of logits that are treated as tied, T* the longest length of
interest; κ = 0 is an exact tie, and then every length is covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import sympy
from sympy import Eq, Max, Min, Piecewise, ceiling

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.hypotheses import MODEL, ROUNDING, SHARED
from bounds.registry.sources import derived
from bounds.registry.sufficient.near_ties import (
    columns,
    least_steps,
    nested,
    ties_cost_less,
    within_reach,
)
from bounds.scope import ANY, Hypothesis, Scope, Values
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    hardmax_length,
    levels,
    simulation_error,
    whole_periods,
)

_L, _SIGMA, _DELTA, _TAU, _H, _KAPPA, _T, _G = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.heads,
    symbols.tie_tolerance,
    symbols.horizon,
    symbols.light_groups,
)
_S, _E, _H0, _THETA, _ETA, _INVERSE = (
    auxiliary(name) for name in ("s", "e", "h_0", "vartheta", "eta_s", "delta^{-1}")
)

_STEPS, _N = auxiliary("n_0"), auxiliary("n")

CELL = Setting("linf", "argmax", 1)

_Choices: TypeAlias = Iterable[Mapping[sympy.Symbol, Any]]

_CONCLUSION = "|f − g| ≤ {target} at every length"

CLUSTERED = Hypothesis(
    "for every query and head of f and g the logits of all classes fall into clusters of diameter "
    "at most κ and distance at least γ (`margin`)"
)
KEPT = Hypothesis(
    "κ log₂ T* < p: no member of the highest cluster is dropped up to T*",
    check=lambda v: _kept(v),
)
_ROOM = Hypothesis(
    "tanh(κ ln(T*)/4) < s/L: the cost of the near ties leaves room for simulation",
    check=lambda v: _room(v),
)
_ROOM_OR_SEARCH = Hypothesis(
    "tanh(κ ln(T*)/4) < s/L; or T* and 2^(p/γ) are below 2^4096, so that n can be found",
    check=lambda v: _room(v) or within_reach(v),
)


def cost_of_ties(length: sympy.Expr) -> sympy.Expr:
    """θ(κ, ρ) = tanh(κ ln(ρ)/4): what attention moves when lengths grow by the factor ρ."""
    return 1 - 2 / (1 + length ** (_KAPPA / 2))


def _kept(values: Values) -> bool:
    """Whether T* < 2^(p/κ); the power is formed only where it has about as many bits as T*."""
    if not values["tie_tolerance"]:
        return True
    power = values["precision_bits"] / values["tie_tolerance"]
    bits = int(values["horizon"]).bit_length()
    if compare(power, Fraction(bits)) >= 0:
        return True
    if compare(power, Fraction(bits - 1)) <= 0:
        return False
    return compare(sympy.Integer(int(values["horizon"])), sympy.Integer(2) ** power) < 0


def _room(values: Values) -> bool:
    """Whether η = s/L − θ(κ, T*) > 0, or s ≥ L, where nothing is to be simulated."""
    s, lipschitz = values["simulation_error"], values["lipschitz"]
    if compare(s, lipschitz) >= 0:
        return True
    if not values["tie_tolerance"]:
        return True
    return ties_cost_less(values)


def _no_horizon(values: Values) -> int | None:
    """Exact ties need no horizon; θ(κ, 1) = 0 and 1^κ = 1."""
    return None if values["tie_tolerance"] else 1


def _lengths(e: sympy.Expr, steps: sympy.Expr, best: sympy.Symbol) -> Formula:
    """N = max{Δ(max{best, 1} + 1) + τ, ⌈h₀⌉ + Δ − 1}, at most T* near ties; Δ where s ≥ L.

    `steps` is the closed form n₀; `best` is n₀ itself, or the n that `choices` puts in.
    """

    def unless_trivial(length: sympy.Expr) -> sympy.Expr:
        # Agreement up to T* is agreement at every length that κ > 0 speaks of.
        up_to_horizon = Min(length, _T, evaluate=False)
        return Piecewise((_DELTA, _L <= _S), (length, Eq(_KAPPA, 0)), (up_to_horizon, True))

    simulation = _DELTA * (Max(best, 1, evaluate=False) + 1) + _TAU
    hardmax = whole_periods(_H0)
    return Formula(
        terms={
            "simulation": unless_trivial(simulation),
            "hardmax threshold": unless_trivial(hardmax),
        },
        total=unless_trivial(Max(simulation, hardmax, evaluate=False)),
        where={
            _STEPS: ceiling(steps),
            _INVERSE: 1 + _T**_KAPPA * (1 / _ETA - 1),
            _ETA: _S / _L - _THETA,
            _THETA: cost_of_ties(_T),
            _S: simulation_error(),
            _E: e,
            _H0: hardmax_length(),
        },
    )


def _best(inverse: Callable[[int, Values], Any]) -> Callable[[Values], _Choices]:
    """The closed form where it applies, and what `least_steps` finds: the shorter counts."""

    def choices(values: Values) -> _Choices:
        found = least_steps(values, inverse)
        closed_form = [{_N: _STEPS}] if _room(values) else []
        return closed_form if found is None else [*closed_form, {_N: sympy.Integer(found)}]

    return choices


_PARAMETERS = (
    "epsilon",
    "target",
    "lipschitz",
    "vocabulary_size",
    "period",
    "locality",
    "precision_bits",
    "margin",
    "tie_tolerance",
    "horizon",
)
_DEFAULTS = {"tie_tolerance": 0, "horizon": _no_horizon}
_MODELS = (ROUNDING, MODEL, SHARED)
_TYPES = _DELTA * (_SIGMA + 1) / 4 + _TAU + 1

ONE_LAYER_LINF_HORIZON = Theorem(
    key="derived.one_layer_linf_horizon",
    title="One layer, argmax, ℓ∞ error: near ties, up to a horizon",
    source=derived("derived-one_layer_linf_horizon", "Theorem H"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The z of Theorem 1 counts the members of the highest cluster as x does. Inside a cluster "
        "the weights of x and z differ by powers |x|^κ and |z|^κ only, which moves attention by "
        "at most tanh(κ ln(T*)/4) up to length T*; the rest of s/L is left for rounding."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="near",
        inputs="every input",
    ),
    parameters=(*_PARAMETERS, "heads"),
    defaults={**_DEFAULTS, "heads": 1},
    hypotheses=(CLUSTERED, KEPT, _ROOM_OR_SEARCH, *_MODELS),
    formula=lambda: _lengths(_TYPES, _E * ((1 + _INVERSE) ** levels(2 * _H) - 1), _N),
    choices=_best(nested),
    searched=(_N,),
    exponents={"vocabulary_size": 1, "period": 2, "locality": 1},
    compares_with="izzo2025.4.1",
)

POSITIONAL = Hypothesis(
    "for every query and head of f and g all prefix types of one residue lie in one cluster "
    "(attention by position)",
    name="positional_attention",
)

ONE_LAYER_LINF_POSITIONAL = Theorem(
    key="derived.one_layer_linf_positional",
    title="One layer, argmax, ℓ∞ error: attention to whole columns, power 1 of 1/ε",
    source=derived("derived-one_layer_linf_positional", "Theorem P"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If every head attends to whole residue classes, rounding each column of counts serves "
        "all heads of f and g at once: total variation (|Σ|/4 + τ + 1)/n with n positions per "
        "column, whatever the number of heads."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="near",
        inputs="every input",
    ),
    parameters=_PARAMETERS,
    defaults=_DEFAULTS,
    hypotheses=(POSITIONAL, CLUSTERED, KEPT, _ROOM_OR_SEARCH, *_MODELS),
    formula=lambda: _lengths(_SIGMA / 4 + _TAU + 1, _E * _INVERSE, _N),
    choices=_best(columns),
    searched=(_N,),
    exponents={"vocabulary_size": 1, "period": 1, "locality": 1},
    compares_with="izzo2025.4.1",
)

_LIGHT = Hypothesis(
    "on every input at most light_groups different attended sets of prefix types, among the heads "
    "of f and g, count as light (heads with equal sets are one group)"
)

ONE_LAYER_LINF_HEAVY = Theorem(
    key="derived.one_layer_linf_heavy",
    title="One layer, argmax, ℓ∞ error: all sets that contain a whole column cost one level",
    source=derived("derived-one_layer_linf_heavy", "Theorem S"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Attended sets that contain all types of a residue that occur there are heavy: their mass "
        "is at least n, so that together they cost one level. Only the light sets, equal ones "
        "counted once, enter the exponent. (Where Δ(|Σ| − 1) + 1 levels of types are fewer, these.)"
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="near",
        inputs="every input",
    ),
    parameters=(*_PARAMETERS, "light_groups"),
    defaults=_DEFAULTS,
    hypotheses=(
        Hypothesis(
            "every attended set that light_groups does not count contains, where it is attended, "
            "all types of some residue that occur in the prefix, or no prefix type at all",
            name="heavy",
        ),
        _LIGHT,
        CLUSTERED,
        KEPT,
        _ROOM,
        *_MODELS,
    ),
    formula=lambda: _lengths(
        _TYPES,
        _E
        * Min(
            _INVERSE * (1 + _INVERSE) ** _G,
            (1 + _INVERSE) ** levels(_G + 1) - 1,
            evaluate=False,
        ),
        _STEPS,
    ),
    exponents={"vocabulary_size": 1, "period": 2, "locality": 1},
    compares_with="izzo2025.4.1",
)

ONE_LAYER_LINF_LIGHT = Theorem(
    key="derived.one_layer_linf_light",
    title="One layer, argmax, ℓ∞ error: equal attended sets of several heads are one level",
    source=derived("derived-one_layer_linf_heavy", "Theorem S"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.one_layer_linf_horizon, with the number of different attended sets of the "
        "heads of f and g instead of 2H in the exponent: equal sets are rounded together."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="near",
        inputs="every input",
    ),
    parameters=(*_PARAMETERS, "light_groups"),
    defaults=_DEFAULTS,
    hypotheses=(
        Hypothesis(
            "light_groups counts every attended set of prefix types: none is left out as heavy",
            name="all_light",
        ),
        _LIGHT,
        CLUSTERED,
        KEPT,
        _ROOM,
        *_MODELS,
    ),
    formula=lambda: _lengths(_TYPES, _E * ((1 + _INVERSE) ** levels(_G) - 1), _STEPS),
    exponents={"vocabulary_size": 1, "period": 2, "locality": 1},
    compares_with="izzo2025.4.1",
)

THEOREMS = (
    ONE_LAYER_LINF_HORIZON,
    ONE_LAYER_LINF_POSITIONAL,
    ONE_LAYER_LINF_HEAVY,
    ONE_LAYER_LINF_LIGHT,
)
