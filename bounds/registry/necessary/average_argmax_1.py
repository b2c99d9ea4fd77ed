"""Necessary: average error, argmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from sympy import Rational

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, exactly, multiple_of
from bounds.theorem import Direction, Formula, Setting, Theorem

_EPS, _ETA, _L = symbols.epsilon, symbols.target, symbols.lipschitz


def _lower_average() -> Formula:
    length = (Rational("0.1514") * _L / (Rational("2.0005") * _ETA)) ** 2 - 2
    return Formula(terms={"ring": (2 * _EPS / (Rational("1.9688") * _L)) ** 2 * length**2})


LOWER_AVERAGE = Theorem(
    key="derived.lower_average",
    title="Necessary, average error, argmax, even Δ: the power 2 of 1/ε",
    source=derived("derived-lower_average", "Proposition A4"),
    setting=Setting("average", "argmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Δ = 2, two tokens, Dir(1, 1): f is a bump of width w in the difference of the counts of "
        "token 1 at odd and at even positions, over their sum; its mean is ≤ 1.97(L/2)w²√n at "
        "every length n, and ≥ 0.15(L/2)w at n = 1/w²."
    ),
    conclusion="below this length agreement on average does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(2),
        period=multiple_of(2),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=(
        Hypothesis(
            "the prior is Dir(1, 1): α₀ = 1, A = 2",
            check=lambda v: v.get("alpha_min", 1) == 1 and v.get("alpha_total", 2) == 2,
        ),
        Hypothesis("margin γ and precision p may be as large as the pair needs"),
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
