"""Necessary: ℓ∞ error, softmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from sympy import Integer, ceiling, exp

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, at_least
from bounds.theorem import Direction, Formula, Setting, Theorem

_ETA, _L, _GAMMA, _R = (
    symbols.target,
    symbols.lipschitz,
    symbols.positional_margin,
    symbols.logit_range,
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
    hypotheses=(_NORMS, Hypothesis("the trivial 1 where 2·target ≥ L")),
    formula=lambda: Formula(
        terms={
            "logit range": ceiling(1 + exp(_R) * (_L / (2 * _ETA) - 1)),
            "one token": Integer(1),
        }
    ),
    exponents={"epsilon": -1, "lipschitz": 1},
)


THEOREMS = (LOWER_MARGIN, LOWER_LOGIT_RANGE)
