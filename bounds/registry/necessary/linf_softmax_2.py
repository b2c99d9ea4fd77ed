"""Necessary: ℓ∞ error, softmax attention, two layers; `verify.witnesses` builds the models."""

from __future__ import annotations

from sympy import ceiling

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


LOWER_TWO_LAYER = Theorem(
    key="derived.lower_two_layer",
    title="Necessary: two softmax layers need 1/ε²",
    source=derived("derived-lower_two_layer", "Theorem B6(i)"),
    setting=Setting("linf", "softmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer measures how far prefixes are from balance and how often letters change; "
        "no short input is good at both. f_N = 0 up to length N, sup f_N = 0.2/√N, for every γ. It "
        "takes two first-layer heads, one of which sees the previous token (τ ≥ 1)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=at_least(1),
        heads=at_least(2),
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=("epsilon", "target"),
    hypotheses=(_NORMS,),
    formula=lambda: Formula(terms={"balance": ceiling(1 / (25 * _ETA**2))}),
    exponents={"epsilon": -2},
    compares_with="izzo2025.5.2",
)


THEOREMS = (LOWER_TWO_LAYER,)
