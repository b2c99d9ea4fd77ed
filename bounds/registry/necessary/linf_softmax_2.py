"""Lengths that are necessary: softmax attention, and two argmax layers (ℓ∞ error).

Each is proved by explicit models that vanish on every shorter input; `verify` builds them.
"""

from __future__ import annotations

from sympy import ceiling

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.theorem import Direction, Formula, Hypothesis, Setting, Theorem

_ETA, _L, _GAMMA, _R = (
    symbols.target,
    symbols.lipschitz,
    symbols.positional_margin,
    symbols.logit_range,
)


_CONCLUSION = "below this length even exact agreement does not give |f − g| ≤ {target}"


_TWO_LETTERS = Hypothesis("two letters suffice for the pair; norms do not depend on the length")


LOWER_TWO_LAYER = Theorem(
    key="derived.lower_two_layer",
    title="Necessary: two softmax layers need 1/ε²",
    source=derived("derived-lower_two_layer", "Theorem B6(i)"),
    setting=Setting("linf", "softmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer measures how far prefixes are from balance and how often letters change; "
        "no short input is good at both. f_N = 0 up to length N, sup f_N = 0.2/√N, γ = 1."
    ),
    conclusion=_CONCLUSION,
    parameters=("epsilon", "target"),
    hypotheses=(_TWO_LETTERS,),
    formula=lambda: Formula(terms={"balance": ceiling(1 / (25 * _ETA**2))}),
    exponents={"epsilon": -2},
    compares_with="izzo2025.5.2",
)


THEOREMS = (LOWER_TWO_LAYER,)
