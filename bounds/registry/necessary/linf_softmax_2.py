"""Necessary: ℓ∞ error, softmax attention, two layers; `verify.witnesses` builds the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import sympy
from sympy import Rational, ceiling, exp, sqrt

from bounds.numbers import to_sympy
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values, at_least
from bounds.theorem import Direction, Formula, Setting, Theorem, below

_ETA, _L, _SIZE, _TAU, _R = (
    symbols.target,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.locality,
    symbols.logit_range_last,
)

_ZERO, _ONE = sympy.Integer(0), sympy.Integer(1)

CELL = Setting("linf", "softmax", 2, or_more=True)
"""Layers with values and MLP 0, put behind the first, make deeper models of the two-layer ones."""

_CONCLUSION = "below this length even exact agreement does not give |f − g| ≤ {target}"


_NORMS = Hypothesis("norms of the pair do not depend on the length")


_CLASS = Scope(
    vocabulary_size=at_least(2),
    period=ANY,
    locality=at_least(1),
    heads=at_least(2),
    lag_bias="first layer",
    logits="any",
    precision="infinite",
    ties="no matter",
    inputs="every input",
)


@dataclass(frozen=True)
class _Pair:
    """Constants of a pair whose margins are at least 1/2, both value ranks 1.

    outer = Λ₂, histogram = β′, both = β, spread = D₂, slope = ℓ₂, query = D₂D_Y‖M‖/4, reach = R₂.
    """

    outer: sympy.Expr
    histogram: sympy.Expr
    both: sympy.Expr
    spread: sympy.Expr
    slope: sympy.Expr = _ONE
    query: sympy.Expr = _ZERO
    reach: sympy.Expr = _ZERO

    def closed_form(self, values: Values) -> sympy.Expr:
        """C_F, or C_Δ for Δ > 1."""
        tau, period, block = (_read(values, k) for k in ("locality", "period", "block"))
        balanced, root = self.dimension(values), sqrt(block * period)
        frozen = 4 * balanced + (6 if period == 1 else 8)
        accuracy = self.histogram * (2 * balanced * root + tau + period)
        accuracy += 2 * self.both * (tau + 1)
        average = (
            4 * self.slope * self.both * (tau + 1)
            + root * (frozen * self.slope * self.histogram)
            + root * (4 * tau / (block * period) + 2 * balanced) * self.spread
            + 2 * (tau + period) * self.spread
        )
        return self.outer * ((1 + self.query) * accuracy + exp(self.reach) * average)

    def dimension(self, values: Values) -> sympy.Expr:
        """d = Δ(|Σ| − 1) + the ranks."""
        return _read(values, "period") * (_read(values, "vocabulary_size") - 1) + 2

    def constants(self, values: Values) -> dict[str, sympy.Expr]:
        """By keyword: what Theorems B4 and B4⁺ read of the models."""
        asked = self.outer * (1 + self.query)
        keys = self.outer * exp(self.reach)
        return {
            "complexity_balanced": self.closed_form(values),
            "complexity_periodic": self.closed_form(values),
            "lipschitz_query": asked * self.histogram,
            "lipschitz_keys": keys * self.slope * self.histogram,
            "limit_query": asked * self.both,
            "limit_keys": keys * self.slope * self.both,
            "influence_keys": keys * self.spread,
            "dimension": self.dimension(values),
        }


def _read(values: Values, keyword: str) -> sympy.Expr:
    """The value given, or the least that the pair needs."""
    least = {"vocabulary_size": 2}.get(keyword, 1)
    return to_sympy(values.get(keyword, Fraction(least)))


_SIGNS = {
    "complexity_balanced": "C_F",
    "complexity_periodic": "C_Δ",
    "lipschitz_query": "L_q",
    "lipschitz_keys": "L_k",
    "limit_query": "B_q",
    "limit_keys": "B_k",
    "influence_keys": "L_v",
    "dimension": "d",
}


def _has_room(keyword: str, pair: Callable[[Values], _Pair], values: Values) -> bool:
    if keyword not in values:
        return True
    return not below(values[keyword], pair(values).constants(values)[keyword])


def _room(pair: Callable[[Values], _Pair]) -> tuple[Hypothesis, ...]:
    """The hypotheses that a class with given constants contains the pair."""
    return tuple(
        Hypothesis(
            f"{symbol}, where given, is at least that of the pair",
            partial(_has_room, keyword, pair),
            keyword=keyword,
        )
        for keyword, symbol in _SIGNS.items()
    )


def _of_runs(values: Values) -> _Pair:
    """Λ₂ = 2, β′ = √2, β = 2√2, D₂ = 3/2, ℓ₂ = 1, M = 0."""
    root = sqrt(sympy.Integer(2))
    return _Pair(outer=sympy.Integer(2), histogram=root, both=2 * root, spread=Rational(3, 2))


LOWER_TWO_LAYER = Theorem(
    key="derived.lower_two_layer",
    title="Necessary: two softmax layers need 1/ε²",
    source=derived("derived-lower_two_layer", "Theorem B6(i)"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer measures how far prefixes are from balance and how often letters change; "
        "no short input is good at both. f_N = 0 up to length N, sup f_N = 0.2/√N, for every γ. It "
        "takes two first-layer heads, one of which sees the previous token (τ ≥ 1)."
    ),
    conclusion=_CONCLUSION,
    scope=_CLASS,
    parameters=("epsilon", "target"),
    hypotheses=(
        _NORMS,
        *_room(_of_runs),
        Hypothesis(
            "L, where given, is at least 3/2, that of the pair (derived.lower_softmax_range with "
            "logit_range_last = 0 scales with L)",
            lambda v: not below(v.get("lipschitz", Fraction(3, 2)), Fraction(3, 2)),
        ),
    ),
    formula=lambda: Formula(terms={"balance": ceiling(1 / (25 * _ETA**2))}),
    exponents={"epsilon": -2},
    compares_with="izzo2025.5.2",
)


def _of_windows(values: Values) -> _Pair:
    """Λ₂ = 2·(L/2), β′ = √3, β = 2√3, D₂ = 2 − 1/|Σ|, ℓ₂ = 1, M = 0."""
    root = sqrt(sympy.Integer(3))
    return _Pair(
        outer=to_sympy(values["lipschitz"]),
        histogram=root,
        both=2 * root,
        spread=2 - 1 / to_sympy(values["vocabulary_size"]),
    )


def _small_enough_for_windows(values: Values) -> bool:
    scaled = 120 * values["target"]
    if not below(10 * scaled, values["lipschitz"]):
        return False
    steep = below(1, values.get("positional_margin", Fraction(1)))
    return not steep or below(scaled * values["vocabulary_size"], values["lipschitz"])


LOWER_SOFTMAX_LOCALITY = Theorem(
    key="derived.lower_softmax_locality",
    title="Necessary: two softmax layers need |Σ|·τ·L²/ε²",
    source=derived("derived-lower_softmax_locality", "Theorem B9"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer measures how far prefixes are from having all letters equally often, and "
        "which share of the last τ tokens differs from the current one. On every input of n "
        "tokens the average A of the two is at least 0.09·√(|Σ|τ/n), up to a constant; on long "
        "inputs with long runs it tends to 0."
    ),
    conclusion=_CONCLUSION,
    scope=_CLASS,
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "locality"),
    defaults={"lipschitz": 1},
    hypotheses=(
        _NORMS,
        Hypothesis(
            "1200·target < L, and 120·|Σ|·target < L where γ > 1", _small_enough_for_windows
        ),
        *_room(_of_windows),
    ),
    formula=lambda: Formula(terms={"windows": ceiling(_SIZE * _TAU * _L**2 / (500 * _ETA**2))}),
    exponents={"epsilon": -2, "lipschitz": 2, "vocabulary_size": 1, "locality": 1},
    compares_with="izzo2025.5.2",
)


def _of_changes(values: Values) -> _Pair:
    """Λ₂ = 2·(2L/3), β′ = √2, β = √2 + √34/3, D₂ = 3/2, ‖M‖ = R₂, D_Y ≤ 9/4, Y_max ≤ 7/3."""
    reach = to_sympy(values["logit_range_last"])
    return _Pair(
        outer=Rational(4, 3) * to_sympy(values["lipschitz"]),
        histogram=sqrt(sympy.Integer(2)),
        both=sqrt(sympy.Integer(2)) + sqrt(sympy.Integer(34)) / 3,
        spread=Rational(3, 2),
        slope=sqrt(sympy.Integer(2)) + Rational(7, 2) * reach,
        query=Rational(27, 32) * reach,
        reach=reach,
    )


LOWER_SOFTMAX_RANGE = Theorem(
    key="derived.lower_softmax_range",
    title="Necessary: two softmax layers need e^(R₂)·L²/ε², R₂ the second layer's logit range",
    source=derived("derived-lower_softmax_range", "Theorem B10"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer measures how far prefixes are from balance and marks changes of letter; "
        "the second attends to changes e^(R₂) times as much as to other positions. f_N = 0 up to "
        "length N and sup f_N > target, for every γ."
    ),
    conclusion=_CONCLUSION,
    scope=_CLASS,
    parameters=("epsilon", "target", "lipschitz", "logit_range_last"),
    defaults={"lipschitz": 1, "logit_range_last": 0},
    hypotheses=(
        _NORMS,
        Hypothesis("32·target < L", lambda v: below(32 * v["target"], v["lipschitz"])),
        *_room(_of_changes),
    ),
    formula=lambda: Formula(terms={"changes": ceiling(exp(_R) * _L**2 / (10 * _ETA**2))}),
    exponents={"epsilon": -2, "lipschitz": 2},
    compares_with="izzo2025.5.2",
)


THEOREMS = (LOWER_TWO_LAYER, LOWER_SOFTMAX_LOCALITY, LOWER_SOFTMAX_RANGE)
