"""Lengths that are necessary for average error.

Each is proved by an explicit model f, against g = 0, whose average is small at every length up to
the value and larger than the target later; `verify.witnesses` builds the models.
"""

from __future__ import annotations

import sympy
from sympy import And, Integer, Max, Piecewise, Rational, beta, exp, pi, sqrt

from bounds.evaluate import compare
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.average_softmax_1 import ONE_LAYER
from bounds.theorem import Direction, Formula, Hypothesis, Theorem, auxiliary

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


def _lower_average_softmax() -> Formula:
    mean, width = _decimal("0.2408"), auxiliary("w_0")
    coin = pi / 2 * (_EPS / _L) ** 2 * (width**-2 - 1) ** 2
    window = (_L / (64 * _ETA)) ** (1 / _GAMMA)
    zero = (Integer(0), True)
    return Formula(
        terms={
            "fair coin": Piecewise((coin, And(_decimal("0.0289") * _L >= _ETA, _GAMMA <= 1)), zero),
            "window": Piecewise(
                (window, And(2 * _GAMMA < 1, 2 * _ETA <= 7 * _EPS, 64 * _ETA <= _L)), zero
            ),
        },
        where={width: mean - sqrt(mean**2 - 2 * _ETA / _L)},
    )


LOWER_AVERAGE_SOFTMAX = Theorem(
    key="derived.lower_average_softmax",
    title="Necessary, average error, softmax, fixed law: the powers 2 and 1/γ of 1/ε",
    source=derived("derived-lower_average_softmax", "L1 and L2"),
    setting=ONE_LAYER,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "A fair coin, f a bump in the attention share of one token: as narrow as the fluctuation "
        "of the share at a later length (power 2), or, for γ < 1/2, narrower than the influence "
        "that the previous token has up to N (power 1/γ)."
    ),
    conclusion=_CONCLUSION,
    parameters=("epsilon", "target", "lipschitz", "positional_margin"),
    hypotheses=(
        Hypothesis("two tokens of probability 1/2, content logits 0 (R = 0), locality ≥ 1"),
        Hypothesis(
            "the fair coin needs target ≤ 0.0289·L and γ ≤ 1, the window γ < 1/2, "
            "target ≤ 3.5·ε and target ≤ L/64; where neither applies the value is 0"
        ),
    ),
    formula=_lower_average_softmax,
    exponents={"epsilon": -Max(2, 1 / _GAMMA), "lipschitz": Max(2, 1 / _GAMMA)},
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
    setting=ONE_LAYER,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Two tokens, attention prefers token 1 by ln(N − 1): f, a bump in its share below 1/2, is "
        "0 on every input of length ≤ N, but long inputs may have the token more rarely."
    ),
    conclusion="below this length even exact agreement does not give an average error ≤ {target}",
    parameters=("epsilon", "target", "lipschitz", "logit_range", "alpha_min", "alpha_total"),
    hypotheses=(
        Hypothesis("two tokens with the prior Beta(α₀, A − α₀); no lag bias"),
        Hypothesis("α₀ < A", check=lambda v: compare(v["alpha_min"], v["alpha_total"]) < 0),
    ),
    formula=_lower_average_softmax_dirichlet,
    exponents={"epsilon": -1 / _ALPHA, "lipschitz": 1 / _ALPHA},
)


THEOREMS = (LOWER_AVERAGE_SOFTMAX, LOWER_AVERAGE_SOFTMAX_DIRICHLET)
