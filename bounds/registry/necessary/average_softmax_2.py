"""Necessary: average error, softmax attention, two layers; `verify.witnesses` builds the model."""

from __future__ import annotations

from sympy import Rational, ceiling, floor

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, at_least, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary

_EPS, _ETA, _L = symbols.epsilon, symbols.target, symbols.lipschitz


def _lower_average_two_layer() -> Formula:
    later = auxiliary("T")
    insufficient = (2 * _EPS * later / (Rational("9.41") * _L)) ** 2
    return Formula(
        terms={"circulation": floor(insufficient) + 1},
        where={later: ceiling((Rational("0.0875") * _L / _ETA) ** 2) - 1},
    )


LOWER_AVERAGE_TWO_LAYER = Theorem(
    key="derived.lower_average_two_layer",
    title="Necessary, average error, two layers: the power 2 of 1/ε, even for a Dirichlet prior",
    source=derived("derived-lower_average_two_layer", "Proposition C4′"),
    setting=Setting("average", "softmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Three tokens, Dir(1, 1, 1): f is a bump in the mean of ±1 over neighbours s, s ± 1 on "
        "ℤ/3. Every value of the sum is rare at short lengths: the mean of f is at most "
        "4.71·L·w²√n at every length n, and at least 0.0875·L·w at n = 1/w² ≥ 10⁶. The same model "
        "with argmax attention gives the same for argmax, two layers."
    ),
    conclusion="below this length agreement on average does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(3),
        period=ANY,
        locality=at_least(1),
        heads=ANY,
        lag_bias="first layer",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="Dirichlet",
    ),
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=(
        Hypothesis(
            "the prior is Dir(1, 1, 1): α₀ = 1, A = 3",
            check=lambda v: v.get("alpha_min", 1) == 1 and v.get("alpha_total", 3) == 3,
        ),
        Hypothesis(
            "L is the Lipschitz constant in the total variation of the second layer's attention"
        ),
        Hypothesis(
            "11430·target ≤ L",
            check=lambda v: compare(11430 * v["target"], v["lipschitz"]) <= 0,
        ),
    ),
    formula=_lower_average_two_layer,
    exponents={"epsilon": -2, "lipschitz": 2},
)

THEOREMS = (LOWER_AVERAGE_TWO_LAYER,)
