"""Sufficient: ℓ∞ error, softmax attention, two layers; and the lemma behind it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
from sympy import Max, Min, Piecewise, Rational, ceiling, log, sqrt

from bounds.evaluate import compare
from bounds.numbers import Exact, to_sympy
from bounds.parameters import symbols
from bounds.registry.hypotheses import SOFTMAX
from bounds.registry.sources import derived
from bounds.registry.sufficient.schedules import (
    LEVELS,
    REPEATS,
    THETA,
    Choice,
    Falling,
    added,
    logarithm,
    shortest,
)
from bounds.scope import ANY, Hypothesis, Scope, Values, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary, larger, simulation_error

_L, _DELTA, _TAU, _GAMMA, _THETA = (
    symbols.lipschitz_histogram,
    symbols.period,
    symbols.locality,
    symbols.positional_margin,
    symbols.block,
)
_D, _L_Q, _L_K, _B_Q, _B_K, _L_V = (
    symbols.dimension,
    symbols.lipschitz_query,
    symbols.lipschitz_keys,
    symbols.limit_query,
    symbols.limit_keys,
    symbols.influence_keys,
)
_S = auxiliary("s")
_K, _C = auxiliary("K"), auxiliary("C")

CELL = Setting("linf", "softmax", 2)

_CONCLUSION = "|f − g| ≤ {target} at every length"


def _complexity(symbol: str, section: str) -> Hypothesis:
    return Hypothesis(
        f"{symbol} is the explicit constant of docs/theory.md#{section}, for this θ and for |Σ|, "
        "τ and the ranks of both models (not the paper's C(f))"
    )


def _two_layers(complexity: sympy.Symbol, end: Any, period: Any) -> Formula:
    """(3/2)·max{(C/s)^max(1/γ, 2), 2·end, 10θΔ + end}, `end` = length of the appended end."""
    half = Rational(3, 2)
    return Formula(
        terms={
            "simulation": half * (complexity / _S) ** Max(1 / _GAMMA, 2),
            "suffix": half * 2 * end,
            "four blocks": half * (10 * _THETA * period + end),
        },
        where={_S: simulation_error()},
    )


TWO_LAYER_SOFTMAX = Theorem(
    key="derived.two_layer_softmax",
    title="Two layers, softmax, ℓ∞ error: balanced windows, exponent max(1/γ, 2)",
    source=derived("derived-two_layer_softmax", "Theorem B4"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Contiguous windows of x, chosen by vector balancing, give one z that serves f and g: "
        "|f(x) − f(z)| ≤ C_F·|z|^(−min(γ, 1/2)), and the same for g."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "complexity_balanced",
        "positional_margin",
        "locality",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(SOFTMAX, _complexity("C_F", "derived-two_layer_softmax")),
    formula=lambda: _two_layers(symbols.complexity_balanced, _TAU + 1, 1),
    exponents={"epsilon": -larger(1 / _GAMMA, 2), "complexity_balanced": larger(1 / _GAMMA, 2)},
    compares_with="izzo2025.5.2",
)


TWO_LAYER_SOFTMAX_PERIODIC = Theorem(
    key="derived.two_layer_softmax_periodic",
    title="Two layers, softmax, ℓ∞ error, Δ-periodic positions",
    source=derived("derived-two_layer_softmax_periodic", "Theorem B4 with period Δ"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.two_layer_softmax with windows of whole periods: one z ≡ x modulo Δ serves f "
        "and g; C_Δ grows like Δ^(3/2)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "complexity_periodic",
        "positional_margin",
        "period",
        "locality",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(SOFTMAX, _complexity("C_Δ", "derived-two_layer_softmax_periodic")),
    formula=lambda: _two_layers(symbols.complexity_periodic, _TAU + _DELTA, _DELTA),
    exponents={"epsilon": -larger(1 / _GAMMA, 2), "complexity_periodic": larger(1 / _GAMMA, 2)},
    compares_with="izzo2025.5.2",
)


def _simulation() -> Formula:
    d, spread, blocks = symbols.dimension, auxiliary("D"), auxiliary("K")
    error = (4 * d + 6) * _L + (4 * _TAU / _THETA + 2 * d + 2 * _TAU + 2) * spread
    return Formula(
        terms={"simulation": _THETA * blocks * (blocks + 1) / 2 + _TAU + 1},
        where={
            blocks: Max(1, ceiling(error / symbols.averages_error) - 1, evaluate=False),
            spread: 2 * symbols.amplitude,
        },
    )


SIMULATION = Theorem(
    key="derived.simulation",
    title="Simulation of averages of a function of suffix and histogram, rate n^(−1/2)",
    source=derived("derived-simulation", "Lemma B3"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For |p| ≤ G, p L-Lipschitz in the histogram, with values in m dimensions, d = |Σ| − 1 + m "
        "and n = θK(K+1)/2 + τ + 1: every x with |x| ≥ n has z, |z| = n, with the same last τ+1 "
        "tokens and averages of p that differ by at most "
        "[(4d+6)L + (4τ/θ + 2d)·2G]/(K+1) + 4(τ+1)G/n; solved here for the n that makes this "
        "≤ ε_avg."
    ),
    conclusion="the two averages differ by at most ε_avg",
    parameters=(
        "averages_error",
        "amplitude",
        "lipschitz_histogram",
        "locality",
        "dimension",
        "block",
    ),
    defaults={"block": 1},
    hypotheses=(
        Hypothesis("|p| ≤ G and p is L-Lipschitz in the total variation of the histogram"),
    ),
    formula=_simulation,
    exponents={"averages_error": -2, "lipschitz_histogram": 2, "amplitude": 2, "dimension": 2},
    compares_with="izzo2025.lemma5.3",
)


_TURNS = 4 * _D + Piecewise((6, _DELTA <= 1), (8, True))
_PIECES = _DELTA * THETA * REPEATS * LEVELS * (LEVELS + 1) / 2
"""Δn′: the length of z without its end."""
_END = _TAU + _DELTA
"""The longest end that z may need, over all residues of |x|."""
_RATE = 1 / (REPEATS * (LEVELS + 1))
_LOGARITHM = 1 + log(REPEATS) / (2 * LEVELS)


def _with_closed_form(found: Choice | None) -> tuple[Choice, ...]:
    """θ = q = 1 with the closed form of J, and what the search found: the shorter counts."""
    closed_form = {THETA: sympy.Integer(1), REPEATS: sympy.Integer(1), LEVELS: _K}
    return (closed_form,) if found is None else (closed_form, found)


def _known(values: Values, keywords: tuple[str, ...]) -> dict[sympy.Symbol, Exact]:
    return {symbols[keyword]: values[keyword] for keyword in keywords}


def _turns(values: Values) -> Exact:
    return 4 * values["dimension"] + (6 if values["period"] == 1 else 8)


_SIMULATION_PARAMETERS = (
    "averages_error",
    "amplitude",
    "lipschitz_histogram",
    "locality",
    "period",
    "dimension",
)


def _simulation_balanced() -> Formula:
    error = _TURNS * _L + (4 * _TAU / _DELTA + 2 * _D + 2 * _END) * 2 * symbols.amplitude
    return Formula(
        terms={"simulation": _PIECES + _END},
        where={_K: Max(1, ceiling(error / symbols.averages_error) - 1, evaluate=False)},
    )


def _averages_apart() -> sympy.Expr:
    """Lemma B3⁺: what the averages differ by, for every residue of |x|."""
    spread = 2 * symbols.amplitude
    return (
        _RATE * (_TURNS * _LOGARITHM * _L + 2 * _D * spread)
        + 4 * _TAU * spread / (THETA * _DELTA * (LEVELS + 1))
        + 2 * _END * spread / (_PIECES + _END)
    )


def _schedules_for_averages(values: Values) -> tuple[Choice, ...]:
    allowed, spread = -logarithm(values["averages_error"]), logarithm(2, values["amplitude"])
    tau, period = values["locality"], values["period"]
    falling = Falling(
        turns=logarithm(_turns(values), values["lipschitz_histogram"]) + allowed,
        flat=logarithm(2, values["dimension"]) + spread + allowed,
        seams=logarithm(4 * tau / period) + spread + allowed,
        ends=logarithm(2 * (tau + period)) + spread + allowed,
        period=int(period),
        first=int(tau) + 1,
    )
    known = _known(values, _SIMULATION_PARAMETERS)
    return _with_closed_form(shortest(falling, _averages_apart(), symbols.averages_error, known))


SIMULATION_BALANCED = Theorem(
    key="derived.simulation_balanced",
    title="Simulation of averages: pieces of every length repeated, linear in d and τ",
    source=derived("derived-simulation_balanced", "Lemma B3⁺"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.simulation, with pieces of lengths θ⌈k/q⌉, k ≤ qJ: averages of p that differ "
        "by at most ((4d+6)(1 + ln(q)/(2J))L + 2d·2G)/(q(J+1)) + 4τ·2G/(θΔ(J+1)) + 2a·2G/n, "
        "n = Δθq J(J+1)/2 + a (4d+8 for 4d+6 if Δ > 1); here with a = τ + Δ and the θ, q, J that "
        "make n least, of order τ((4d+6)L + 4dG)G/ε_avg² for τ ≥ 1 and 1/ε_avg up to a logarithm "
        "for τ = 0."
    ),
    conclusion="the two averages differ by at most ε_avg",
    parameters=_SIMULATION_PARAMETERS,
    defaults={"period": 1},
    hypotheses=(
        Hypothesis("|p| ≤ G and p is L-Lipschitz in the total variation of the histogram"),
    ),
    formula=_simulation_balanced,
    choices=_schedules_for_averages,
    searched=(LEVELS,),
    compares_with="izzo2025.lemma5.3",
)


_SCALARS = (
    "lipschitz_query",
    "lipschitz_keys",
    "limit_query",
    "limit_keys",
    "influence_keys",
)
_MODEL_PARAMETERS = ("positional_margin", "period", "locality", "dimension", *_SCALARS)


def _two_layers_balanced() -> Formula:
    """The closed form is that of Theorem B4: θ = q = 1, and K with n ≥ (C/s)^max(1/γ, 2)."""
    rate = Min(_GAMMA, Rational(1, 2))
    c = _L_Q * (2 * _D * sqrt(_DELTA) + _END) + 2 * (_TAU + 1) * (_B_Q + _B_K / (1 - rate))
    c += sqrt(_DELTA) * (_TURNS * _L_K + (4 * _TAU / _DELTA + 2 * _D) * _L_V) + 2 * _END * _L_V
    enough = Max((_C / _S) ** Max(1 / _GAMMA, 2), 2 * _END)
    root = sqrt(2 * (enough - _TAU - 1) / _DELTA + Rational(1, 4))
    return Formula(
        terms={"simulation": _PIECES + _END},
        where={
            _K: Max(1, ceiling(root - Rational(1, 2)), evaluate=False),
            _C: c,
            _S: simulation_error(),
        },
    )


def _outputs_apart() -> sympy.Expr:
    """Theorem B4⁺: what the outputs differ by, for every residue of |x|."""
    n = _PIECES + _TAU + 1
    rate = Min(_GAMMA, 1)
    mean = Piecewise(
        ((1 + log(n)) / n, _GAMMA >= 1), ((1 + (n ** (1 - rate) - 1) / (1 - rate)) / n, True)
    )
    return (
        _RATE * (2 * _D * (_L_Q + _L_V) + _TURNS * _LOGARITHM * _L_K)
        + 4 * _TAU * _L_V / (THETA * _DELTA * (LEVELS + 1))
        + _END * (_L_Q + 2 * _L_V) / (_PIECES + _END)
        + 2 * (_TAU + 1) * (_B_Q * n**-rate + _B_K * mean)
    )


def _schedules_for_models(values: Values) -> tuple[Choice, ...]:
    allowed = -logarithm(values["simulation_error"])
    tau, period, d = (values[k] for k in ("locality", "period", "dimension"))
    query, keys, limit_query, limit_keys, influence = (logarithm(values[k]) for k in _SCALARS)
    margin = values["positional_margin"]
    falling = Falling(
        turns=logarithm(_turns(values)) + keys + allowed,
        flat=logarithm(2, d) + added(query, influence) + allowed,
        seams=logarithm(4 * tau / period) + influence + allowed,
        ends=logarithm(tau + period) + added(query, logarithm(2) + influence) + allowed,
        late=logarithm(2 * (tau + 1)) + limit_query + allowed,
        mean=logarithm(2 * (tau + 1)) + limit_keys + allowed,
        rate=1.0 if compare(margin, Fraction(1)) >= 0 else float(to_sympy(margin)),
        period=int(period),
        first=int(tau) + 1,
    )
    known = _known(values, _MODEL_PARAMETERS) | {_S: values["simulation_error"]}
    return _with_closed_form(shortest(falling, _outputs_apart(), _S, known))


def _covers_tokens(values: Values) -> bool:
    """Whether d ≥ Δ(|Σ| − 1), if |Σ| is given."""
    size = values.get("vocabulary_size")
    return size is None or values["dimension"] >= values["period"] * (size - 1)


TWO_LAYER_SOFTMAX_BALANCED = Theorem(
    key="derived.two_layer_softmax_balanced",
    title="Two layers, softmax, ℓ∞ error: best pieces, linear in d and τ; exponent 1 at τ = 0",
    source=derived("derived-two_layer_softmax_balanced", "Theorem B4⁺"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Contiguous windows of x of lengths θ⌈k/q⌉, chosen by vector balancing, give one z ≡ |x| "
        "modulo Δ that serves f and g; the θ, q, J that make the theorem's error at most s with "
        "the shortest z. Of order d·τ/s² + s^(−max(1/γ, 1)) up to a logarithm; for τ = 0 the "
        "exponent is max(1/γ, 1)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_MODEL_PARAMETERS),
    hypotheses=(
        SOFTMAX,
        Hypothesis(
            "d is Δ(|Σ| − 1) plus the ranks of the second layer's value matrices of f and of g, "
            "or more",
            check=_covers_tokens,
            keyword="dimension",
        ),
    ),
    formula=_two_layers_balanced,
    choices=_schedules_for_models,
    searched=(LEVELS,),
    compares_with="izzo2025.5.2",
)


THEOREMS = (
    TWO_LAYER_SOFTMAX,
    TWO_LAYER_SOFTMAX_PERIODIC,
    TWO_LAYER_SOFTMAX_BALANCED,
    SIMULATION,
    SIMULATION_BALANCED,
)
