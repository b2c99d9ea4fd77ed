"""Sufficient: ℓ∞ error, softmax attention, one layer."""

from __future__ import annotations

import sympy
from sympy import Max, Piecewise, Rational, ceiling, exp, floor

from bounds.parameters import symbols
from bounds.registry.hypotheses import SOFTMAX
from bounds.registry.sources import derived
from bounds.scope import ANY, Scope, exactly
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    larger,
    simulation_error,
)

_L, _SIGMA, _DELTA, _TAU, _R, _R_C, _GAMMA = (
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.logit_range,
    symbols.logit_range_columns,
    symbols.positional_margin,
)
_S = auxiliary("s")
_K, _LAGS = auxiliary("K"), auxiliary("t")
_RHO, _RHO_QUERY = auxiliary("rho"), auxiliary("rho'")
_CELL = Setting("linf", "softmax", 1)
_CONCLUSION = "|f − g| ≤ {target} at every length"
_POWER = larger(1 / _GAMMA, 1)


def _one_layer_softmax() -> Formula:
    c = auxiliary("C")
    return Formula(
        terms={"simulation": ceiling((c / _S) ** _POWER), "one token": Rational(1)},
        where={c: _L * exp(_R) * (_SIGMA / 4 + 3 * (_TAU + 1)), _S: simulation_error()},
    )


ONE_LAYER_SOFTMAX = Theorem(
    key="derived.one_layer_softmax",
    title="One layer, softmax, ℓ∞ error: round the histogram, keep the suffix",
    source=derived("derived-one_layer_softmax", "Theorem B5"),
    setting=_CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "z is the rounded histogram of x in any order, then the last τ+1 tokens of x: both f and g "
        "change by at most s from n = (C/s)^max(1/γ, 1) on, C = L·e^R·(|Σ|/4 + 3(τ+1))."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax,
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": _POWER,
        "locality": _POWER,
    },
)


def _odds(logit_range: sympy.Expr) -> sympy.Expr:
    """K = e^R (L/s − 1): the least quotient of the common weight and the excess."""
    return exp(logit_range) * (_L / _S - 1)


def _pairs(number: sympy.Expr) -> sympy.Expr:
    """⌊a²/4⌋, written so that floats near an integer a are far from a step."""
    return floor((number**2 + 1) / 4)


def _rounding(types: sympy.Expr) -> sympy.Expr:
    """ρ(a) = ⌊a²/4⌋/a, what largest remainders move among a numbers."""
    return _pairs(types) / types


def _rounding_at_query(types: sympy.Expr) -> sympy.Expr:
    """ρ'(a) = ⌊a²/4⌋/(a − 1), what they move where one number must not vanish; ρ'(1) = 0."""
    return _pairs(types) / Max(types - 1, 1)


def _unless_trivial(steps: sympy.Expr) -> Piecewise:
    """`steps` + Δ − 1; where L ≤ s any string of length ≡ |x| with the last token of x will do."""
    return Piecewise((_DELTA, _L <= _S), (steps + _DELTA - 1, True))


def _one_layer_softmax_periodic() -> Formula:
    base = (1 + _K) * (_DELTA * _RHO + _rounding(_DELTA) + _TAU + 1)
    return Formula(
        terms={"simulation": _unless_trivial(ceiling(base**_POWER))},
        where={_K: _odds(_R), _RHO: _rounding(_SIGMA), _S: simulation_error()},
    )


ONE_LAYER_SOFTMAX_PERIODIC = Theorem(
    key="derived.one_layer_softmax_periodic",
    title="One layer, softmax, any period, ℓ∞ error: round every column, keep the suffix",
    source=derived("derived-one_layer_softmax_periodic", "Theorem B7(a)"),
    setting=_CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "z has the length Z ≡ |x| mod Δ, the counts of each residue's tokens rounded by largest "
        "remainders, then the last τ+1 tokens of x: every head moves by at most s/L in total "
        "variation from Z = ((1 + K)(Δρ + ⌊Δ²/4⌋/Δ + τ+1))^max(1/γ, 1) on, K = e^R·(L/s − 1), "
        "ρ = ⌊|Σ|²/4⌋/|Σ|."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "logit_range",
        "positional_margin",
    ),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax_periodic,
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": _POWER,
        "period": _POWER,
        "locality": _POWER,
    },
)


def _one_layer_softmax_columns() -> Formula:
    base = _DELTA * _RHO + _TAU + _DELTA + _K * (_DELTA * (_RHO + _LAGS + 1) - 1)
    return Formula(
        terms={"simulation": _unless_trivial(ceiling(base**_POWER))},
        where={
            _K: _odds(_R_C),
            _RHO: _rounding(_SIGMA),
            _LAGS: ceiling((_TAU + 1) / _DELTA),
            _S: simulation_error(),
        },
    )


ONE_LAYER_SOFTMAX_COLUMNS = Theorem(
    key="derived.one_layer_softmax_columns",
    title="One layer, softmax, any period: only logit ranges within a column cost e^R",
    source=derived("derived-one_layer_softmax_columns", "Theorem B7(b)"),
    setting=_CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The z of Theorem B7(a), compared column by column: differences of logits between "
        "residues cancel. From Z = (Δρ + τ + Δ + K(Δ(ρ + ⌈(τ+1)/Δ⌉ + 1) − 1))^max(1/γ, 1) on, "
        "K = e^(R_c)·(L/s − 1)."
    ),
    conclusion=_CONCLUSION,
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "logit_range_columns",
        "positional_margin",
    ),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax_columns,
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": _POWER,
        "period": _POWER,
        "locality": _POWER,
    },
)


def _one_layer_softmax_no_bias() -> Formula:
    base = (1 + _K) * ((_DELTA - 1) * _RHO + _RHO_QUERY + _rounding(_DELTA))
    return Formula(
        terms={"simulation": _unless_trivial(ceiling(base)), "one period": _DELTA},
        where={
            _K: _odds(_R),
            _RHO: _rounding(_SIGMA),
            _RHO_QUERY: _rounding_at_query(_SIGMA),
            _S: simulation_error(),
        },
    )


def _one_layer_softmax_no_bias_columns() -> Formula:
    base = (1 + _K) * (_DELTA * (_RHO_QUERY + 1) - 1)
    return Formula(
        terms={"simulation": _unless_trivial(ceiling(base)), "one period": _DELTA},
        where={_K: _odds(_R_C), _RHO_QUERY: _rounding_at_query(_SIGMA), _S: simulation_error()},
    )


_NO_LAG_BIAS = Scope(
    vocabulary_size=ANY,
    period=ANY,
    locality=ANY,
    heads=ANY,
    lag_bias="none",
    logits="any",
    precision="infinite",
    ties="no matter",
    inputs="every input",
)


ONE_LAYER_SOFTMAX_NO_BIAS = Theorem(
    key="derived.one_layer_softmax_no_bias",
    title="One layer, softmax, no lag bias, ℓ∞ error: exactly optimal for two and three tokens",
    source=derived("derived-one_layer_softmax_no_bias", "Theorem B7(c)"),
    setting=_CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Without lag bias no suffix is kept but the last token: z has rounded counts in every "
        "column, with at least one token of the query's type. N = (1 + K)((Δ−1)ρ + ρ' + ⌊Δ²/4⌋/Δ) "
        "+ Δ − 1, ρ' = ⌊|Σ|²/4⌋/(|Σ| − 1); for Δ = 1 and |Σ| = 2 or 3 it is 1 + e^R·(L/s − 1), "
        "which is necessary."
    ),
    conclusion=_CONCLUSION,
    scope=_NO_LAG_BIAS,
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "period", "logit_range"),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax_no_bias,
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": 1, "period": 1},
)


ONE_LAYER_SOFTMAX_NO_BIAS_COLUMNS = Theorem(
    key="derived.one_layer_softmax_no_bias_columns",
    title="One layer, softmax, no lag bias: only logit ranges within a column cost e^R",
    source=derived("derived-one_layer_softmax_no_bias_columns", "Theorem B7(d)"),
    setting=_CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "The z of Theorem B7(c), compared column by column: N = (1 + K)(Δ(ρ' + 1) − 1) + Δ − 1, "
        "K = e^(R_c)·(L/s − 1)."
    ),
    conclusion=_CONCLUSION,
    scope=_NO_LAG_BIAS,
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "logit_range_columns",
    ),
    hypotheses=(SOFTMAX,),
    formula=_one_layer_softmax_no_bias_columns,
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": 1, "period": 1},
)

THEOREMS = (
    ONE_LAYER_SOFTMAX,
    ONE_LAYER_SOFTMAX_PERIODIC,
    ONE_LAYER_SOFTMAX_COLUMNS,
    ONE_LAYER_SOFTMAX_NO_BIAS,
    ONE_LAYER_SOFTMAX_NO_BIAS_COLUMNS,
)
