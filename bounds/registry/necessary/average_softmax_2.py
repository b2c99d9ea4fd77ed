"""Lengths that are necessary for average error.

Each is proved by an explicit model f, against g = 0, whose average is small at every length up to
the value and larger than the target later; `verify.witnesses` builds the models.
"""

from __future__ import annotations

import sympy
from sympy import Rational

from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.theorem import Direction, Formula, Hypothesis, Setting, Theorem

_EPS, _ETA, _L, _GAMMA, _R, _ALPHA, _A = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.positional_margin,
    symbols.logit_range,
    symbols.alpha_min,
    symbols.alpha_total,
)


_CONCLUSION = "below this length agreement on average does not give an average error ≤ {target}"


def _decimal(text: str) -> sympy.Rational:
    return Rational(text)


def _lower_average_two_layer() -> Formula:
    bump, rarity = _decimal("0.2105"), _decimal("18.8")
    return Formula(terms={"circulation": bump**4 / rarity**2 * _L**2 * _EPS**2 / (4 * _ETA**4)})


LOWER_AVERAGE_TWO_LAYER = Theorem(
    key="derived.lower_average_two_layer",
    title="Necessary, average error, two layers: the power 2 of 1/ε, even for a Dirichlet prior",
    source=derived("derived-lower_average_two_layer", "Proposition C4′"),
    setting=Setting("average", "softmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Three tokens, Dir(1, 1, 1): f is a bump in the mean of ±1 over neighbours s, s ± 1 on "
        "ℤ/3. Every value of the sum is rare at short lengths; at n = 1/w² the bump of width w is "
        "met. The same model with argmax attention gives the same for argmax, two layers."
    ),
    conclusion=_CONCLUSION,
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=(
        Hypothesis("three tokens, prior Dir(1, 1, 1)"),
        Hypothesis("asymptotic: for fixed target/ε and ε/L → 0, up to a factor 1 − o(1)"),
        Hypothesis(
            "L is the Lipschitz constant in the total variation of the second layer's attention"
        ),
    ),
    formula=_lower_average_two_layer,
    exponents={"epsilon": -2, "lipschitz": 2},
)


THEOREMS = (LOWER_AVERAGE_TWO_LAYER,)
