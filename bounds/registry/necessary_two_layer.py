"""Lengths that are necessary: softmax attention, and two argmax layers (ℓ∞ error).

Each is proved by explicit models that vanish on every shorter input; `verify` builds them.
"""

from __future__ import annotations

from sympy import Integer, Max, Piecewise, ceiling, exp, floor

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.theorem import Direction, Formula, Hypothesis, Setting, Theorem

_ETA, _L, _GAMMA, _R = (
    symbols.target,
    symbols.lipschitz,
    symbols.positional_margin,
    symbols.logit_range,
)
_GRAMS = symbols.vocabulary_size ** (symbols.locality + 1)

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
    parameters=("epsilon", "target", "lipschitz", "positional_margin"),
    defaults={"lipschitz": 1},
    hypotheses=(_TWO_LETTERS,),
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
    parameters=("epsilon", "target", "lipschitz", "logit_range"),
    defaults={"lipschitz": 1},
    hypotheses=(_TWO_LETTERS, Hypothesis("the trivial 1 where 2·target ≥ L")),
    formula=lambda: Formula(
        terms={
            "logit range": ceiling(1 + exp(_R) * (_L / (2 * _ETA) - 1)),
            "one token": Integer(1),
        }
    ),
    exponents={"epsilon": -1, "lipschitz": 1},
)


def _gram_tents() -> Formula:
    shown = Max(1, floor((_GRAMS - 1) * _L / (4 * _ETA)) - 1, evaluate=False)
    reached = 2 * _ETA * _GRAMS < _L * (_GRAMS - 1)
    return Formula(terms={"grams": Piecewise((shown, reached), (Integer(1), True))})


LOWER_TWO_LAYER_ARGMAX = Theorem(
    key="derived.lower_two_layer_argmax",
    title="Necessary: two argmax layers need lengths exponential in the locality",
    source=derived("derived-lower_two_layer_argmax", "gram tents"),
    setting=Setting("linf", "argmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer copies the last τ tokens, the second averages over grams: tents of the "
        "frequencies of |Σ|^(τ+1) − 1 grams vanish on short inputs and add up on a de Bruijn cycle."
    ),
    conclusion=_CONCLUSION,
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "locality"),
    hypotheses=(
        Hypothesis("any precision; suffix-only first layer; L is the true Lipschitz constant"),
        Hypothesis("the trivial 1 where 2·target ≥ L·(1 − |Σ|^−(τ+1))"),
    ),
    formula=_gram_tents,
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": symbols.locality + 1},
)

NO_BOUND_TWO_LAYER_ARGMAX = Theorem(
    key="derived.no_bound_two_layer_argmax",
    title="Two argmax layers: no computable bound",
    source=derived("derived-no_bound_two_layer_argmax", "Proposition C6.0 and Theorem C6"),
    setting=Setting("linf", "argmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "With exact hardmax in the second layer, two letters and norms ≤ 2, there are pairs that "
        "agree up to any chosen length and differ by 1 at the next: no bound in terms of norms. "
        "With weights in {0, ±1/2, ±1, ±2, ±4}, two-counter machines can be written into the "
        "models: no computable bound in terms of size. An explicit family with |Σ| = 7m + 4 agrees "
        "up to 7·2^m + 2m − 4 and differs by 1 at the next length. The second-layer logits depend "
        "on frequencies; finite-state first layers have a bound (derived.two_layer_argmax)."
    ),
    conclusion="no computable training length suffices",
    hypotheses=(
        Hypothesis(
            "exact hardmax in both layers, or p = 1 with head outputs rounded as well; softmax "
            "that drops small weights and rounds nothing else is not covered"
        ),
    ),
    no_bound=True,
)

THEOREMS = (
    LOWER_TWO_LAYER,
    LOWER_MARGIN,
    LOWER_LOGIT_RANGE,
    LOWER_TWO_LAYER_ARGMAX,
    NO_BOUND_TWO_LAYER_ARGMAX,
)
