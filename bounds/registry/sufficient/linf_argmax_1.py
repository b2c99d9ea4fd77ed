"""Sufficient: ℓ∞ error, argmax attention, one layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Eq, Max, Min, Piecewise, Rational, ceiling, floor

from bounds.evaluate import compare
from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.hypotheses import MODEL, ROUNDING, SHARED
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values, exactly
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    hardmax_length,
    larger,
    levels,
    simulation_error,
    whole_periods,
)

_L, _OTHER, _SIGMA, _DELTA, _TAU, _H, _GAMMA = (
    symbols.lipschitz,
    symbols.lipschitz_other,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.heads,
    symbols.margin,
)


_S, _E, _H0 = auxiliary("s"), auxiliary("e"), auxiliary("h_0")


CELL = Setting("linf", "argmax", 1)


_MODELS = ("lipschitz", "vocabulary_size", "period", "locality", "heads")


_HARDMAX = ("precision_bits", "margin")


_PAIR = ("lipschitz", "lipschitz_other", *_MODELS[1:], *_HARDMAX)


_POWER = levels(2 * _H)


_DEFAULTS = {"heads": 1, "lipschitz_other": lambda v: v["lipschitz"]}


def _unless_trivial(length: sympy.Expr, lipschitz: sympy.Symbol = _L) -> sympy.Expr:
    """For s ≥ L the last token alone, at the right residue, is short enough: N = Δ."""
    return Piecewise((_DELTA, lipschitz <= _S), (length, True))


def _periods(*steps: sympy.Expr) -> sympy.Expr:
    """Δ(n + 1) + τ: n positions in every column of the prefix, and the suffix."""
    return _DELTA * (Max(*steps, evaluate=False) + 1) + _TAU


def _longest(
    simulation: sympy.Expr, hardmax: sympy.Expr, lipschitz: sympy.Symbol = _L
) -> dict[str, sympy.Expr]:
    """`terms` and `total` of a `Formula`: the longer of two full lengths."""
    simulation, hardmax = sympy.sympify(simulation), sympy.sympify(hardmax)
    return {
        "terms": {
            "simulation": _unless_trivial(simulation, lipschitz),
            "hardmax threshold": _unless_trivial(hardmax, lipschitz),
        },
        "total": _unless_trivial(Max(simulation, hardmax, evaluate=False), lipschitz),
    }


def _theorem_1(
    e: sympy.Expr, growth: sympy.Expr, threshold: sympy.Expr, lipschitz: sympy.Symbol = _L
) -> Formula:
    """N = max{Δ(⌈e(growth − 1)⌉ + 1) + τ, ⌈h₀⌉ + Δ − 1}, `growth` = ∏(1 + 1/δ) over the levels."""
    return Formula(
        **_longest(_periods(ceiling(_E * (growth - 1))), whole_periods(_H0), lipschitz),
        where={_S: simulation_error(), _E: e, _H0: threshold},
    )


def _growth(share: int = 1) -> sympy.Expr:
    """∏(1 + 1/δ) over heads, 1/δ = share·L/s for one model and share·L_o/s for the other.

    For L_o ≤ s nothing is asked of the other model: its heads are left out. Or with one δ over
    types of positions, where they are fewer.
    """
    one = 1 + share * _L / _S
    other = Piecewise((1, _OTHER <= _S), ((1 + share * _OTHER / _S) ** _H, True))
    return Min(one**_H * other, one**_POWER, evaluate=False)


def _one_layer_linf() -> Formula:
    e = _DELTA * (_SIGMA + 1) / 4 + _TAU + 1
    return _theorem_1(e, _growth(), hardmax_length())


ONE_LAYER_LINF = Theorem(
    key="derived.one_layer_linf",
    title="One layer, argmax, ℓ∞ error: one short input simulates a long one for f and g",
    source=derived("derived-one_layer_linf", "Theorem 1"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For every input x there is z, |z| ≤ N and |z| ≡ |x| mod Δ, with the same last τ+1 tokens, "
        "such that every head attends at z as at x up to total variation s/L for one model, s/L_o "
        "for the other; so agreement within ε up to N carries to every length within ε + 2s. In "
        "the trivial case s ≥ L, where N = Δ, z keeps only the last token and the residue of |x|."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_PAIR),
    defaults=_DEFAULTS,
    hypotheses=(ROUNDING, MODEL, SHARED),
    formula=_one_layer_linf,
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": 1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.1",
)


def _additive(marginal: sympy.Expr, lipschitz: sympy.Symbol) -> Formula:
    """With L′ = `marginal`; one period is enough where `lipschitz` ≤ s."""
    e = 2 ** (2 * _H - 1) * Max(_SIGMA, _DELTA) + _DELTA / 4 + _TAU + 1
    return _theorem_1(e, (1 + marginal / _S) ** _POWER, hardmax_length(), lipschitz)


ONE_LAYER_LINF_ADDITIVE = Theorem(
    key="derived.one_layer_linf_additive",
    title="One layer, argmax, ℓ∞ error: token and residue marginals, linear in |Σ| + Δ",
    source=derived("derived-one_layer_linf_additive", "additive embeddings"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "As derived.one_layer_linf, with total variation of the attention's marginals on tokens "
        "and on residues only: keys are sums of a token and a position embedding, so the output "
        "depends on the marginals alone, and rounding along an integral flow costs |Σ| + Δ "
        "instead of |Σ|Δ."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", "lipschitz_marginal", *_MODELS[1:], *_HARDMAX),
    defaults={"heads": 1},
    hypotheses=(ROUNDING, MODEL, SHARED),
    formula=lambda: _additive(symbols.lipschitz_marginal, symbols.lipschitz_marginal),
    exponents={
        "epsilon": -_POWER,
        "lipschitz_marginal": _POWER,
        "vocabulary_size": 1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.1",
)


FROM_WEIGHTS = Hypothesis(
    "L is the constant from the weights (sharp form), not only a constant of the function",
    name="lipschitz_from_weights",
)

ONE_LAYER_LINF_ADDITIVE_WEIGHTS = Theorem(
    key="derived.one_layer_linf_additive_weights",
    title="One layer, argmax, ℓ∞ error: linear in |Σ| + Δ, from L alone",
    source=derived("derived-one_layer_linf_additive", "additive embeddings"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "derived.one_layer_linf_additive with 2L for L′: a token and a position embedding are each "
        "a difference of two types, so that the constant for the marginals is at most twice the "
        "constant from the weights."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_MODELS, *_HARDMAX),
    defaults={"heads": 1},
    hypotheses=(ROUNDING, MODEL, SHARED, FROM_WEIGHTS),
    formula=lambda: _additive(2 * _L, _L),
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": 1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.1",
)


_M = auxiliary("m", integer=True, nonnegative=True)


def _chain() -> Formula:
    delta, k = auxiliary("delta"), auxiliary("K")
    budget = symbols.target - (2 * _M + 1) * symbols.epsilon
    simulation = _DELTA * (ceiling((k + 3) * _E / delta) + 1) + _TAU
    hardmax = floor(k * (ceiling(_H0) - 2)) + _DELTA + 1
    return Formula(
        **_longest(simulation, hardmax),
        where={
            _S: simulation_error(),
            delta: Min(Rational(1, 2), budget / ((2 * _M + 2) * _L + _OTHER), evaluate=False),
            k: Max(2, delta ** (-1 / (_M + 1)), evaluate=False),
            _E: _DELTA * (_SIGMA / 4 + 2) + _TAU + 1,
            _H0: hardmax_length(),
        },
    )


def _chain_lengths(values: Values) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """m with target > (2m+1)ε, up to the first with K = 2, as later ones are longer.

    Every m below 32, then steps of m // 16: any m is valid, and near the best one the
    length changes little, so that targets of 1e-3000 need no thousands of evaluations.
    """
    target, epsilon, lipschitz, other = (
        values[k] for k in ("target", "epsilon", "lipschitz", "lipschitz_other")
    )
    m = 0
    while compare(target, (2 * m + 1) * epsilon) > 0:
        yield {_M: Fraction(m)}
        budget = target - (2 * m + 1) * epsilon
        steps = (2 * m + 2) * lipschitz + other
        if compare(2 ** (m + 1) * budget, steps) >= 0:  # 1/δ ≤ 2^(m+1)
            return
        m += max(1, m // 16)


ONE_LAYER_LINF_CHAIN = Theorem(
    key="derived.one_layer_linf_chain",
    title="One layer, argmax, ℓ∞ error: a chain of short inputs; smaller powers of 1/ε above 3ε",
    source=derived("derived-one_layer_linf_chain", "Theorem 2"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "A chain x ~ u₀ ~ u₀′ ~ u₁ ~ … ~ x of 2m+1 short inputs, alternately near for f and for "
        "g, gives |f − g| ≤ (2m+1)ε + ((2m+2)L + L_o)δ for every m; the least over m = 0, …, 32 "
        "and further m in steps of m/16 counts."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=exactly(1),
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_PAIR),
    defaults=_DEFAULTS,
    hypotheses=(ROUNDING, MODEL, SHARED),
    formula=_chain,
    choices=_chain_lengths,
    exponents={
        "epsilon": -(1 + 1 / (_M + 1)),
        "lipschitz": 1 + 1 / (_M + 1),
        "vocabulary_size": 1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.1",
)


def _steep() -> Formula:
    e = _DELTA * (_SIGMA + 1) / 4 + _TAU + 1
    steep = (4 * _L / _S) ** (1 / (_GAMMA - 1))
    return _theorem_1(e, _growth(2), Min(hardmax_length(), steep, evaluate=False))


ONE_LAYER_LINF_STEEP = Theorem(
    key="derived.one_layer_linf_steep",
    title="One layer, argmax, ℓ∞ error: logit margin above 1, where 2^(p/γ) is not needed",
    source=derived("derived-one_layer_linf_steep", "steep logits"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "For γ > 1 all non-maximal weights together are at most T^(1−γ), so inputs longer than "
        "(4L/s)^(1/(γ−1)) are nearly hardmax, whatever the precision."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_PAIR),
    defaults=_DEFAULTS,
    hypotheses=(
        ROUNDING,
        MODEL,
        SHARED,
        Hypothesis("γ > 1", check=lambda v: compare(v["margin"], Fraction(1)) > 0),
    ),
    formula=_steep,
    exponents={
        "epsilon": -_POWER,
        "lipschitz": _POWER,
        "vocabulary_size": 1,
        "period": 2,
        "locality": 1,
    },
    compares_with="izzo2025.4.1",
)


def _shared_logits() -> Formula:
    base = (_SIGMA / 4 + 1) * _L / _S
    length = ceiling(base ** (1 / (1 - symbols.largest_gap)))
    return Formula(terms={"simulation": _unless_trivial(length)}, where={_S: simulation_error()})


ONE_LAYER_LINF_SHARED_LOGITS = Theorem(
    key="derived.one_layer_linf_shared_logits",
    title="One layer, argmax, ℓ∞ error: f and g share their logits; neither p nor 1/γ",
    source=derived("derived-one_layer_linf_shared_logits", "shared logits"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "If f and g attend alike, with one precision p and without positions, and no two logits of "
        "a query differ by more than ĝ < 1, then counts in proportion to (attention)·n^gap give "
        "one short input that is attended like x, at every length of x."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=exactly(1),
        locality=ANY,
        heads=exactly(1),
        lag_bias="none",
        logits="shared",
        precision="common",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_MODELS[:3], "heads", "largest_gap"),
    defaults={"heads": 1},
    hypotheses=(
        ROUNDING,
        Hypothesis(
            "largest_gap is the greatest difference of two logits of one query, and below 1"
        ),
    ),
    formula=_shared_logits,
    exponents={
        "epsilon": -1 / (1 - symbols.largest_gap),
        "lipschitz": 1 / (1 - symbols.largest_gap),
        "vocabulary_size": 1 / (1 - symbols.largest_gap),
    },
    compares_with="izzo2025.4.1",
)


def _limit() -> Formula:
    delta, x, e0, h2 = (auxiliary(name) for name in ("delta", "X", "e_0", "h_2"))
    # The sharper constants for one head; σ₀ = s/L, at most 1/4.
    sigma, eta, rho, n0, h3 = (
        auxiliary(name) for name in ("sigma_0", "theta", "rho", "n_0", "h_3")
    )

    def length(steps: sympy.Expr, least: sympy.Expr) -> sympy.Expr:
        return Max(_DELTA * (steps + 1) - 1, whole_periods(least), evaluate=False)

    general = length(ceiling(e0 * x), h2)
    one_head = Min(general, length(n0, h3), evaluate=False)
    # 1 + 1/n ≤ 601/600, as n₀ ≥ 600 for every σ₀ ≤ 1/4.
    odds = Rational(601, 600) * _DELTA * (1 + rho) / (rho * (1 - eta) * (sigma - eta))
    return Formula(
        terms={"simulation": _unless_trivial(Piecewise((one_head, Eq(_H, 1)), (general, True)))},
        where={
            _S: simulation_error(),
            delta: _S / (2 * _L),
            x: (1 + 1 / delta) ** _POWER - 1,
            e0: _DELTA * (_SIGMA + 1) / 4 + 1,
            h2: (2 * _DELTA * x / (1 - delta)) ** (1 / _GAMMA),
            sigma: Min(Rational(1, 4), _S / _L, evaluate=False),
            eta: sigma**2 / 4,
            rho: sigma * (1 - sigma) * (1 - eta),
            n0: ceiling(e0 * (1 + rho) / (rho * eta)),
            h3: odds ** (1 / _GAMMA),
        },
    )


ONE_LAYER_LINF_LIMIT = Theorem(
    key="derived.one_layer_linf_limit",
    title="One layer, argmax, ℓ∞ error in the limit regime: p becomes 2 log₂(L/s) + log₂ Δ",
    source=derived("derived-one_layer_linf_limit", "Theorem 3"),
    setting=CELL,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Without lag bias a rare top class can be replicated in z, so z only has to be so long "
        "that its own attention is nearly hardmax. Inputs of a length between N and 2^(p/γ) are "
        "exempt, and must be: derived.lower_threshold_window."
    ),
    conclusion="|f − g| ≤ {target} at every length T ≤ N and every T ≥ 2^(p/γ)",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="none",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", *_MODELS[:3], "heads", "margin"),
    defaults={"heads": 1},
    hypotheses=(
        ROUNDING,
        Hypothesis("positions are Δ-periodic, Δ the same for f and g"),
        Hypothesis("lengths between N and 2^(p/γ) do not matter", name="limit_regime"),
    ),
    formula=_limit,
    exponents={
        "epsilon": -_POWER * larger(1, 1 / _GAMMA),
        "lipschitz": _POWER * larger(1, 1 / _GAMMA),
        "vocabulary_size": 1,
        "period": larger(2, 1 / _GAMMA),
    },
    compares_with="izzo2025.4.1",
)


THEOREMS = (
    ONE_LAYER_LINF,
    ONE_LAYER_LINF_ADDITIVE,
    ONE_LAYER_LINF_ADDITIVE_WEIGHTS,
    ONE_LAYER_LINF_CHAIN,
    ONE_LAYER_LINF_STEEP,
    ONE_LAYER_LINF_SHARED_LOGITS,
    ONE_LAYER_LINF_LIMIT,
)
