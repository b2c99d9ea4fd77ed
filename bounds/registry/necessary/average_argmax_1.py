"""Necessary: average error, argmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from fractions import Fraction

from sympy import Eq, Piecewise, Rational, floor

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, at_least, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary

_EPS, _ETA, _L, _DELTA = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.period,
)


def _lower_average() -> Formula:
    length = (Rational("0.1514") * _L / (Rational("2.0005") * _ETA)) ** 2 - 2
    ring = auxiliary("N_2")
    # Two residues of Δ hold 2/Δ of the positions, up to two of them.
    several = floor(_DELTA * (ring - 2) / 2) + 1
    return Formula(
        terms={"ring": Piecewise((ring, Eq(_DELTA, 2)), (several, True))},
        where={ring: (2 * _EPS / (Rational("1.9688") * _L)) ** 2 * length**2},
    )


LOWER_AVERAGE = Theorem(
    key="derived.lower_average",
    title="Necessary, average error, argmax, Δ ≥ 2: the power 2 of 1/ε",
    source=derived("derived-lower_average", "Proposition A4"),
    setting=Setting("average", "argmax", 1),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Two tokens, Dir(1, 1): f is a bump of width w in the difference of the counts of token 1 "
        "at two residues, over their sum; for Δ = 2 its mean is ≤ 1.97(L/2)w²√n at every length n, "
        "and ≥ 0.15(L/2)w at n = 1/w²; for greater Δ lengths are longer by Δ/2."
    ),
    conclusion="below this length agreement on average does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(2),
        period=at_least(2),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz", "period"),
    defaults={"period": 2},
    hypotheses=(
        Hypothesis(
            "the prior is Dir(1, 1): α₀ = 1, A = 2",
            check=lambda v: v.get("alpha_min", 1) == 1 and v.get("alpha_total", 2) == 2,
        ),
        Hypothesis(
            "a* ≤ 1: the pair's top class is one token",
            check=lambda v: compare(v.get("alpha_class", Fraction(1)), Fraction(1)) <= 0,
            keyword="alpha_class",
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
