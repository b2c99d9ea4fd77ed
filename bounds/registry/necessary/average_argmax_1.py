"""Necessary: average error, argmax attention, one layer; `verify.witnesses` builds the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy
from sympy import Eq, Integer, Max, Min, Piecewise, Rational, ceiling, floor, pi, sqrt

from bounds.evaluate import certify, compare
from bounds.numbers import to_sympy
from bounds.parameters import symbols
from bounds.registry.hypotheses import SAME_CONSTANTS
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values, at_least, exactly
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary

_EPS, _ETA, _L, _DELTA, _Q = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.period,
    symbols.class_probability,
)

CELL = Setting("average", "argmax", 1)


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
    setting=CELL,
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
        SAME_CONSTANTS,
        Hypothesis(
            "27000·target ≤ L",
            check=lambda v: compare(27000 * v["target"], v["lipschitz"]) <= 0,
        ),
    ),
    formula=_lower_average,
    exponents={"epsilon": -2, "lipschitz": 2},
    compares_with="izzo2025.4.2",
)


def _lower_average_class() -> Formula:
    mean, width = Rational("0.2408"), auxiliary("w_0")
    # The lesser root of 1.71·w² − 0.2408·w + target/L, without a difference of near numbers.
    root = sqrt(mean**2 - 4 * Rational("1.71") * _ETA / _L)
    return Formula(
        terms={"class": pi / (2 * _Q) * (_EPS / _L) ** 2 * (width**-2 - 1) ** 2},
        where={width: 2 * _ETA / (_L * (mean + root))},
    )


LOWER_AVERAGE_CLASS = Theorem(
    key="derived.lower_average_class",
    title="Necessary, average error, argmax, fixed law: Λ²/(q*ε²)",
    source=derived("derived-lower_average_class", "L1 with a rare class"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Two equally likely tokens of probability q* together are attended to, the third is not: "
        "f is a bump in the share of one of them, as narrow as its fluctuation at a later length. "
        "There are no positions, so the pair is in the class of every Δ."
    ),
    conclusion="below this length agreement on average does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(3),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="fixed",
    ),
    survives=("no_lag_bias", "shared_logits", "laminar_classes", "common_order"),
    parameters=("epsilon", "target", "lipschitz", "class_probability"),
    hypotheses=(
        Hypothesis("the law is (q*/2, q*/2, 1 − q*)"),
        Hypothesis("margin γ and precision p may be as large as the pair needs"),
        SAME_CONSTANTS,
        Hypothesis(
            "125·target ≤ L",
            check=lambda v: compare(125 * v["target"], v["lipschitz"]) <= 0,
        ),
    ),
    formula=_lower_average_class,
    exponents={"epsilon": -2, "lipschitz": 2, "class_probability": -1},
)

_TENTS: dict[str, Any] = {
    "title": "Necessary, average error, no positions, uniform prior: the power 1 of 1/ε",
    "source": derived("derived-lower_average_one_column", "Proposition A8"),
    "direction": Direction.NECESSARY,
    "constants": "proved",
    "statement": (
        "Uniform attention, Dir(1, 1): f is a sum of narrow tents at the shares k/T of token 1, T "
        "prime; the shares j/n of shorter inputs meet them rarely, those of length T always."
    ),
    "conclusion": (
        "below this length agreement on average does not give an average error ≤ {target}"
    ),
    "parameters": ("epsilon", "target", "lipschitz"),
    "exponents": {"epsilon": -1, "lipschitz": 1},
}

_T = auxiliary("T")
_LARGEST_PRIME = sympy.prevprime(2**62)


def _later_lengths(values: Values) -> Iterator[Mapping[sympy.Symbol, Any]]:
    """The largest prime T with T + 9 < λ·min(ε, η/2)/η²; far away a number that is no larger."""
    eps, slope = to_sympy(values["epsilon"]), to_sympy(values["lipschitz"])
    below = _room().subs({_EPS: eps, _L: slope, _ETA: to_sympy(values["target"])})
    least = certify(ceiling(below) - 1, {}, "down").integer
    if least is None or least > _LARGEST_PRIME:
        # Beyond 2·10⁶ there is a prime between x and x + x/16597 (Schoenfeld 1976).
        yield {_T: Max(_LARGEST_PRIME, Rational(999, 1000) * _room(), evaluate=False)}
    else:
        yield {_T: Integer(sympy.prevprime(least + 1) if least >= 3 else 0)}


def _room() -> sympy.Expr:
    return _L * Min(_EPS, _ETA / 2, evaluate=False) / _ETA**2 - 9


_UNIFORM_PRIOR = Hypothesis(
    "the prior is Dir(1, 1): α₀ = 1, A = 2",
    check=lambda v: v.get("alpha_min", 1) == 1 and v.get("alpha_total", 2) == 2,
)


def tents(
    key: str,
    cell: Setting,
    scope: Scope,
    survives: tuple[str, ...],
    hypotheses: tuple[Hypothesis, ...] = (),
) -> Theorem:
    """Proposition A8 in a cell: uniform attention is argmax and softmax attention at once."""
    return Theorem(
        key=key,
        setting=cell,
        scope=scope,
        survives=survives,
        hypotheses=(_UNIFORM_PRIOR, SAME_CONSTANTS, *hypotheses),
        formula=lambda: Formula(terms={"tents": _T}),
        choices=_later_lengths,
        searched=(_T,),
        **_TENTS,
    )


LOWER_AVERAGE_ONE_COLUMN = tents(
    "derived.lower_average_one_column",
    CELL,
    Scope(
        vocabulary_size=exactly(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    ("no_lag_bias", "shared_logits", "laminar_classes", "common_order"),
)

_FIXED_RATIO = Hypothesis("target/ε is fixed, and L/ε is large enough")
_POWER = Piecewise((1, Eq(_DELTA, 1)), (2, True))

LOWER_AVERAGE_EVERY_PRIOR = Theorem(
    key="derived.lower_average_every_prior",
    title="Necessary, average error, argmax, any Dirichlet prior: the power 2 of 1/ε, 1 for Δ = 1",
    source=derived("derived-lower_average_every_prior", "after Proposition A8"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="implicit",
    statement=(
        "The pairs of derived.lower_average and derived.lower_average_one_column show the same "
        "exponents for Beta(α, b) whatever α and b are; the constants depend on them and are not "
        "computed."
    ),
    conclusion="below the order of this length agreement on average is not enough for {target}",
    scope=Scope(
        vocabulary_size=exactly(2),
        period=ANY,
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
    hypotheses=(_FIXED_RATIO,),
    exponents={"epsilon": -_POWER, "lipschitz": _POWER},
)

_RARE = 3 / (1 + symbols.alpha_min)

LOWER_AVERAGE_RARE = Theorem(
    key="derived.lower_average_rare",
    title="Necessary, average error, argmax, two heads, α₀ < 1/2: the power 3/(1 + α₀) of 1/ε",
    source=derived("derived-lower_average_rare", "Theorem A5"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="implicit",
    statement=(
        "One head compares the counts of a rare token at odd and at even positions, the other "
        "subtracts its share: f is a bump that short inputs meet only where the token is rare. "
        "The constant depends on the prior and on target/ε and is not computed."
    ),
    conclusion="below the order of this length agreement on average is not enough for {target}",
    scope=Scope(
        vocabulary_size=exactly(2),
        period=exactly(2),
        locality=ANY,
        heads=at_least(2),
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz", "alpha_min"),
    hypotheses=(
        Hypothesis("α₀ < 1/2", check=lambda v: compare(v["alpha_min"], Fraction(1, 2)) < 0),
        _FIXED_RATIO,
    ),
    exponents={"epsilon": -_RARE, "lipschitz": _RARE},
)

THEOREMS = (
    LOWER_AVERAGE,
    LOWER_AVERAGE_CLASS,
    LOWER_AVERAGE_ONE_COLUMN,
    LOWER_AVERAGE_EVERY_PRIOR,
    LOWER_AVERAGE_RARE,
)
