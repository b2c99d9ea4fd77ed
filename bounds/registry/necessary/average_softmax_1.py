"""Necessary: average error, softmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import And, Integer, Max, Piecewise, Rational, beta, exp, pi, sqrt

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.hypotheses import SAME_CONSTANTS, WHOLE_RANGE
from bounds.registry.necessary.average_argmax_1 import tents
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary, larger

_EPS, _ETA, _L, _TAU, _GAMMA, _R, _ALPHA, _A = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.locality,
    symbols.positional_margin,
    symbols.logit_range,
    symbols.alpha_min,
    symbols.alpha_total,
)

CELL = Setting("average", "softmax", 1)

_MARGIN_ONE = Hypothesis(
    "γ ≤ 1, the positional margin of heads without lag bias",
    check=lambda v: compare(v.get("positional_margin", Fraction(1)), Fraction(1)) <= 0,
    keyword="positional_margin",
)

_CONCLUSION = "below this length agreement on average does not give an average error ≤ {target}"


def _lower_average_softmax() -> Formula:
    mean, width = Rational("0.2408"), auxiliary("w_0")
    coin = pi / 2 * (_EPS / _L) ** 2 * (width**-2 - 1) ** 2
    window = (_L / (64 * _ETA)) ** (1 / _GAMMA)
    zero = (Integer(0), True)
    return Formula(
        terms={
            "fair coin": Piecewise((coin, And(Rational("0.0289") * _L >= _ETA, _GAMMA <= 1)), zero),
            "window": Piecewise(
                (window, And(_TAU >= 1, 2 * _GAMMA < 1, 2 * _ETA <= 7 * _EPS, 64 * _ETA <= _L)),
                zero,
            ),
        },
        # mean − √(mean² − 2·target/L), without a difference of near numbers.
        where={width: 2 * _ETA / (_L * (mean + sqrt(mean**2 - 2 * _ETA / _L)))},
    )


LOWER_AVERAGE_SOFTMAX = Theorem(
    key="derived.lower_average_softmax",
    title="Necessary, average error, softmax, fixed law: the powers 2 and 1/γ of 1/ε",
    source=derived("derived-lower_average_softmax", "L1 and L2"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "A fair coin, f a bump in the attention share of one token: as narrow as the fluctuation "
        "of the share at a later length (power 2), or, for γ < 1/2, narrower than the influence "
        "that the previous token has up to N (power 1/γ)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=exactly(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="fixed",
    ),
    parameters=("epsilon", "target", "lipschitz", "locality", "positional_margin"),
    defaults={"locality": 1},
    hypotheses=(
        Hypothesis("tokens of probability 1/2, content logits 0 (R = 0)"),
        SAME_CONSTANTS,
        Hypothesis(
            "the fair coin needs target ≤ 0.0289·L and γ ≤ 1, the window τ ≥ 1, γ < 1/2, "
            "target ≤ 3.5·ε and target ≤ L/64; where neither applies the value is 0"
        ),
    ),
    formula=_lower_average_softmax,
    exponents={"epsilon": -larger(2, 1 / _GAMMA), "lipschitz": larger(2, 1 / _GAMMA)},
)


def _lower_average_softmax_dirichlet() -> Formula:
    rest, factor = auxiliary("alpha'"), auxiliary("c")
    steps = sympy.Min(exp(_R) + 1, (factor * _L / _ETA) ** (1 / _ALPHA), evaluate=False)
    return Formula(
        terms={"rare token": Piecewise((steps, steps >= 10), (Integer(0), True))},
        where={
            factor: (Rational(3, 5) ** _ALPHA - Rational(5, 32) ** _ALPHA)
            / (8 * _ALPHA * beta(_ALPHA, rest))
            * Rational(15, 16) ** Max(rest - 1, 0, evaluate=False),
            rest: _A - _ALPHA,
        },
    )


LOWER_AVERAGE_SOFTMAX_DIRICHLET = Theorem(
    key="derived.lower_average_softmax_dirichlet",
    title="Necessary, average error, softmax, Dirichlet, whatever R is: the power 1/α of 1/ε",
    source=derived("derived-lower_average_softmax_dirichlet", "L3"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Two tokens, attention prefers token 1 by ln(N − 1): f, a bump in its share below 1/2, is "
        "0 on every input of length ≤ N, but long inputs may have the token more rarely."
    ),
    conclusion="below this length even exact agreement does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="Dirichlet",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz", "logit_range", "alpha_min", "alpha_total"),
    hypotheses=(
        Hypothesis("the prior is Beta(α₀, A − α₀)"),
        Hypothesis("α₀ < A", check=lambda v: compare(v["alpha_min"], v["alpha_total"]) < 0),
        WHOLE_RANGE,
        SAME_CONSTANTS,
        _MARGIN_ONE,
    ),
    formula=_lower_average_softmax_dirichlet,
    exponents={"epsilon": -1 / _ALPHA, "lipschitz": 1 / _ALPHA},
)

LOWER_AVERAGE_SOFTMAX_ONE_COLUMN = tents(
    "derived.lower_average_softmax_one_column",
    CELL,
    Scope(
        vocabulary_size=exactly(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="Dirichlet",
    ),
    ("no_lag_bias", "shared_logits"),
    (_MARGIN_ONE,),
)

THEOREMS = (
    LOWER_AVERAGE_SOFTMAX,
    LOWER_AVERAGE_SOFTMAX_DIRICHLET,
    LOWER_AVERAGE_SOFTMAX_ONE_COLUMN,
)
