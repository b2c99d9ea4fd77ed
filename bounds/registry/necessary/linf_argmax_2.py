"""Necessary: ℓ∞ error, argmax attention, two layers; and what has no computable bound.

Each is proved by explicit models that vanish on every shorter input; `verify.witnesses` builds
them.
"""

from __future__ import annotations

from sympy import Integer, Max, Piecewise, ceiling, log

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values, at_least, at_least_quantity
from bounds.theorem import Direction, Formula, Setting, Theorem

_ETA, _L = symbols.target, symbols.lipschitz
_GRAMS = symbols.vocabulary_size ** (symbols.locality + 1)

CELL = Setting("linf", "argmax", 2, or_more=True)
"""Layers with values and MLP 0, put before the last, make deeper models of the two-layer ones."""

_CONCLUSION = "below this length even exact agreement does not give |f − g| ≤ {target}"


def _gram_tents() -> Formula:
    shown = ceiling((_GRAMS - 1) * _L / (4 * _ETA))
    reached = 2 * _ETA * _GRAMS < _L * (_GRAMS - 1)
    return Formula(terms={"grams": Piecewise((shown, reached), (Integer(1), True))})


LOWER_TWO_LAYER_ARGMAX = Theorem(
    key="derived.lower_two_layer_argmax",
    title="Necessary: two argmax layers need lengths exponential in the locality",
    source=derived("derived-lower_two_layer_argmax", "gram tents"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer copies the last τ tokens, one head each, the second averages over grams: "
        "tents of the frequencies of |Σ|^(τ+1) − 1 grams vanish on short inputs and add up on a "
        "de Bruijn cycle."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=at_least_quantity("locality"),
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=("suffix_only_first_layer", "finite_state_first_layer"),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "locality"),
    hypotheses=(
        Hypothesis("any precision and margin; L is the true Lipschitz constant"),
        Hypothesis("the trivial 1 where 2·target ≥ L·(1 − |Σ|^−(τ+1))"),
    ),
    formula=_gram_tents,
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": symbols.locality + 1},
)


def _alternation() -> Formula:
    """19^(K − 2), K = ⌈1/(2η) − 3 − ln((1/η − 3)/5)⌉, η = target/L."""
    inverse = _L / _ETA
    number = ceiling(inverse / 2 - 3 - log((inverse - 3) / 5))
    length = ceiling(Integer(19) ** (number - 2))
    return Formula(terms={"alternation": Max(1, length, evaluate=False)})


LOWER_TWO_LAYER_ARGMAX_MARGIN = Theorem(
    key="derived.lower_two_layer_argmax_margin",
    title="Necessary: two argmax layers with margins in both need exponential lengths",
    source=derived("derived-lower_two_layer_argmax_margin", "Theorem E"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "The first layer shows the share of a among a and b and that of c among c and d, exactly; "
        "the second averages over the c and d how far the latter is from a half, and a penalty "
        "unless each c comes at a small and each d at a large share of a. Each alternation of c "
        "and d multiplies the number of a and b by 19. Besides L, the target, p and γ all weights "
        "are at most 10."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=at_least(4),
        period=ANY,
        locality=ANY,
        heads=at_least(2),
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=(
        Hypothesis("any precision, and any margin in both layers"),
        Hypothesis("8·target ≤ L", check=lambda v: compare(8 * v["target"], v["lipschitz"]) <= 0),
    ),
    formula=_alternation,
)


def _below_the_output(values: Values) -> bool:
    """Whether 7·target < L, as far as both are given; the target is 3ε where it is not."""
    target = values.get("target")
    if target is None and "epsilon" in values:
        target = 3 * values["epsilon"]
    if target is None or "lipschitz" not in values:
        return True
    return compare(7 * target, values["lipschitz"]) < 0


NO_BOUND_TWO_LAYER_ARGMAX = Theorem(
    key="derived.no_bound_two_layer_argmax",
    title="Two argmax layers: no computable bound",
    source=derived("derived-no_bound_two_layer_argmax", "Theorem C6′"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Weights below 2^−p are dropped and nothing else is rounded, for every p. Two-counter "
        "machines with m instructions can be written into models with |Σ| = m + 4, τ = 1, Δ = 1, "
        "two heads and then one, and weights from a fixed finite set: no computable function of "
        "|Σ|, the sizes and norms, p, ε, the target and the margin of the first layer bounds the "
        "length. The second-layer logits have gaps of order 1/j at position j: its margin is 0. "
        "With a positive margin in both layers (`margin` given) nothing of this kind is proved; "
        "finite-state first layers have a bound (derived.two_layer_argmax)."
    ),
    conclusion="no computable training length suffices",
    scope=Scope(
        vocabulary_size=at_least(4),
        period=ANY,
        locality=at_least(1),
        heads=at_least(2),
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=(),
    hypotheses=(
        Hypothesis("weights ≤ 2^−p relative to the largest are dropped; nothing else is rounded"),
        Hypothesis("the second layer's logits may be arbitrarily near to each other (margin 0)"),
        Hypothesis(
            "7·target < L: the models' outputs, scaled to that L, reach L/7",
            check=_below_the_output,
        ),
    ),
    no_bound=True,
    silent_about=("margin",),
)

OPEN_TWO_LAYER_ARGMAX = Theorem(
    key="derived.open_two_layer_argmax",
    title="Two argmax layers with margins in both: whether a computable bound exists is not known",
    source=derived("derived-open_two_layer_argmax", "what is not known"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If both layers have a positive logit margin, or the target is L/7 or more, or the class "
        "is smaller in another way, the models behind derived.no_bound_two_layer_argmax are "
        "excluded, and for weights of bounded size neither a bound nor its impossibility is "
        "proved. L, a constant of the last layer's attention, does not bound the weights of the "
        "first, and without such a bound no length is enough for all models with these constants. "
        "Necessary lengths may be proved (`.necessary`); finite-state first layers have a bound."
    ),
    conclusion="nothing is proved",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=(),
    hypotheses=(Hypothesis("weights of bounded size, those of the first layer too"),),
    unknown=True,
)

THEOREMS = (
    LOWER_TWO_LAYER_ARGMAX,
    LOWER_TWO_LAYER_ARGMAX_MARGIN,
    NO_BOUND_TWO_LAYER_ARGMAX,
    OPEN_TWO_LAYER_ARGMAX,
)
