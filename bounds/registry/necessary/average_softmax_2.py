"""Necessary: average error, softmax attention, two layers; `verify.witnesses` builds the model."""

from __future__ import annotations

import sympy
from sympy import Piecewise, Rational, ceiling, floor

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.hypotheses import SAME_CONSTANTS
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, at_least, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary

_EPS, _ETA, _L = symbols.epsilon, symbols.target, symbols.lipschitz


def circulation(rarity: sympy.Rational) -> Formula:
    """⌊(εT/(rarity·L))²⌋ + 1, T = ⌈(c·L/target)²⌉ − 1: the mean at T exceeds the target."""
    later = auxiliary("T")
    bump = Piecewise((Rational("0.1025"), _L >= 97_600 * _ETA), (Rational("0.0875"), True))
    return Formula(
        terms={"circulation": floor((_EPS * later / (rarity * _L)) ** 2) + 1},
        where={later: ceiling((bump * _L / _ETA) ** 2) - 1},
    )


CIRCULATION = (
    Hypothesis(
        "the prior is Dir(1, 1, 1): α₀ = 1, A = 3",
        check=lambda v: v.get("alpha_min", 1) == 1 and v.get("alpha_total", 3) == 3,
    ),
    Hypothesis(
        "L is the Lipschitz constant in the total variation of the second layer's attention"
    ),
    SAME_CONSTANTS,
    Hypothesis(
        "11430·target ≤ L", check=lambda v: compare(11430 * v["target"], v["lipschitz"]) <= 0
    ),
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
        "4.705·L·w²√n at every length n, and at least 0.0875·L·w at n = 1/w² ≥ 10⁶."
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
    hypotheses=CIRCULATION,
    formula=lambda: circulation(Rational("4.705")),
    exponents={"epsilon": -2, "lipschitz": 2},
)

THEOREMS = (LOWER_AVERAGE_TWO_LAYER,)
