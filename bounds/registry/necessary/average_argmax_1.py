"""Lengths that are necessary for average error.

Each is proved by an explicit model f, against g = 0, whose average is small at every length up to
the value and larger than the target later; `verify.witnesses` builds the models.
"""

from __future__ import annotations

import sympy
from sympy import Rational

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.average_argmax_1 import ONE_LAYER as ONE_LAYER_ARGMAX
from bounds.theorem import Direction, Formula, Hypothesis, Theorem

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


def _lower_average() -> Formula:
    length = (_decimal("0.1514") * _L / (_decimal("2.0005") * _ETA)) ** 2 - 2
    return Formula(terms={"ring": (2 * _EPS / (_decimal("1.9688") * _L)) ** 2 * length**2})


LOWER_AVERAGE = Theorem(
    key="derived.lower_average",
    title="Necessary, average error, argmax, Δ ≥ 2: the power 2 of 1/ε",
    source=derived("derived-lower_average", "Proposition A4"),
    setting=ONE_LAYER_ARGMAX,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Δ = 2, two tokens, Dir(1, 1): f is a bump of width w in the difference of the counts of "
        "token 1 at odd and at even positions, over their sum; its mean is ≤ 1.97(L/2)w²√n at "
        "every length n, and ≥ 0.15(L/2)w at n = 1/w²."
    ),
    conclusion=_CONCLUSION,
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=(
        Hypothesis("|Σ| = 2, Δ = 2, prior Dir(1, 1); margin γ as large as you like"),
        Hypothesis(
            "27000·target ≤ L",
            check=lambda v: compare(27000 * v["target"], v["lipschitz"]) <= 0,
        ),
    ),
    formula=_lower_average,
    exponents={"epsilon": -2, "lipschitz": 2},
    compares_with="izzo2025.4.2",
)


THEOREMS = (LOWER_AVERAGE,)
