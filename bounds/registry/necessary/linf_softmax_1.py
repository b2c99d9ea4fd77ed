"""Necessary: ℓ∞ error, softmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import Integer, Max, Min, ceiling, exp

from bounds.parameters import symbols
from bounds.registry.hypotheses import WHOLE_RANGE
from bounds.registry.sources import derived
from bounds.scope import ANY, NO_LAG_BIAS, Hypothesis, Scope, Values, at_least
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    below,
    simulation_error,
)

_ETA, _L, _GAMMA, _R, _R_C = (
    symbols.target,
    symbols.lipschitz,
    symbols.positional_margin,
    symbols.logit_range,
    symbols.logit_range_columns,
)


_CONCLUSION = "below this length even exact agreement does not give |f − g| ≤ {target}"


_NORMS = Hypothesis("norms of the pair do not depend on the length")


LOWER_MARGIN = Theorem(
    key="derived.lower_margin",
    title="Necessary: one softmax layer of positional margin γ needs ε^(−1/γ)",
    source=derived("derived-lower_margin", "Theorem B6(ii)"),
    setting=Setting("linf", "softmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "A last token of bias 1 − γ keeps at least half of n^(−γ) of the attention: f_N = 0 up to "
        "length N, sup f_N = (L/2)·N^(−γ)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=("epsilon", "target", "lipschitz", "positional_margin"),
    defaults={"lipschitz": 1},
    hypotheses=(_NORMS,),
    formula=lambda: Formula(terms={"suffix": ceiling((_L / (2 * _ETA)) ** (1 / _GAMMA))}),
    exponents={"epsilon": -1 / _GAMMA, "lipschitz": 1 / _GAMMA},
)


LOWER_LOGIT_RANGE = Theorem(
    key="derived.lower_logit_range",
    title="Necessary: one softmax layer of logit range R needs e^R/ε",
    source=derived("derived-lower_logit_range", "Theorem B6(iii)"),
    setting=Setting("linf", "softmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "A token whose logit is R above the others has attention 0 or at least e^R/(e^R + N − 1) "
        "on inputs up to length N; a tent of half that height is 0 there and not later."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=("epsilon", "target", "lipschitz", "logit_range"),
    defaults={"lipschitz": 1},
    hypotheses=(_NORMS, Hypothesis("the trivial 1 where 2·target ≥ L"), WHOLE_RANGE),
    formula=lambda: Formula(
        terms={
            "logit range": ceiling(1 + exp(_R) * (_L / (2 * _ETA) - 1)),
            "one token": Integer(1),
        }
    ),
    exponents={"epsilon": -1, "lipschitz": 1},
)


_S, _K = auxiliary("s"), auxiliary("K", nonnegative=True)


def _odds() -> dict[sympy.Symbol, sympy.Expr]:
    """K = e^R (L/s − 1), R a range that one column has; 0 where s ≥ L."""
    odds = exp(Min(_R, _R_C, evaluate=False)) * Max(_L / _S - 1, 0, evaluate=False)
    return {_K: odds, _S: simulation_error()}


def _margin_at_most_one(values: Values) -> bool:
    return not below(1, values.get("positional_margin", Fraction(1)))


_PARAMETERS = ("epsilon", "target", "lipschitz", "logit_range", "logit_range_columns")
_CLASS = Scope(
    vocabulary_size=at_least(2),
    period=ANY,
    locality=ANY,
    heads=ANY,
    lag_bias="any",
    logits="any",
    precision="infinite",
    ties="no matter",
    inputs="every input",
)
_WITHIN_EPSILON = "below this length agreement within ε does not give |f − g| ≤ {target}"
_TRIVIAL = Hypothesis("the trivial 1 where s = (target − ε)/2 ≥ L")


LOWER_SOFTMAX_EXACT = Theorem(
    key="derived.lower_softmax_exact",
    title="Necessary: one softmax layer without lag bias needs 1 + e^R(L/s − 1), exactly",
    source=derived("derived-lower_softmax_exact", "Theorem B8(i)"),
    setting=Setting("linf", "softmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "A last token whose logit is R above the others has attention at least "
        "u_N = e^R/(e^R + N − 1) up to length N, and less later: f = L·relu(u_N − attention) and "
        "g = −ε − f differ by ε up to N, and by up to ε + 2L·u_N later."
    ),
    conclusion=_WITHIN_EPSILON,
    scope=_CLASS,
    parameters=_PARAMETERS,
    defaults={"lipschitz": 1, "logit_range_columns": lambda v: v["logit_range"]},
    hypotheses=(
        _NORMS,
        _TRIVIAL,
        Hypothesis("γ ≤ 1, as the pair has no lag bias", _margin_at_most_one),
    ),
    formula=lambda: Formula(terms={"last token": ceiling(1 + _K)}, where=_odds()),
    exponents={"epsilon": -1, "lipschitz": 1},
    survives=(NO_LAG_BIAS, "shared_logits"),
)


LOWER_SOFTMAX_MARGIN = Theorem(
    key="derived.lower_softmax_margin",
    title="Necessary: one softmax layer of margin γ needs (e^R(L/s − 1))^(1/γ)",
    source=derived("derived-lower_softmax_margin", "Theorem B8(ii)"),
    setting=Setting("linf", "softmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The pair of Theorem B8(i), with the bias 1 − γ on the last token: every N with "
        "(N−1)·N^(γ−1) < e^R·(L/s − 1) is insufficient."
    ),
    conclusion=_WITHIN_EPSILON,
    scope=_CLASS,
    parameters=(*_PARAMETERS, "positional_margin"),
    defaults={"lipschitz": 1, "logit_range_columns": lambda v: v["logit_range"]},
    hypotheses=(_NORMS, _TRIVIAL),
    formula=lambda: Formula(
        terms={"last token": ceiling(_K ** (1 / _GAMMA) + Min(1, 1 / _GAMMA, evaluate=False))},
        where=_odds(),
    ),
    exponents={"epsilon": -1 / _GAMMA, "lipschitz": 1 / _GAMMA},
    survives=("shared_logits",),
)


THEOREMS = (LOWER_MARGIN, LOWER_LOGIT_RANGE, LOWER_SOFTMAX_EXACT, LOWER_SOFTMAX_MARGIN)
