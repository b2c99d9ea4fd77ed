"""Lengths that are necessary: softmax attention, and two argmax layers (ℓ∞ error).

Each is proved by explicit models that vanish on every shorter input; `verify` builds them.
"""

from __future__ import annotations

from sympy import Integer, Max, Piecewise, floor

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


THEOREMS = (LOWER_TWO_LAYER_ARGMAX, NO_BOUND_TWO_LAYER_ARGMAX)
