"""Lengths that are necessary: ℓ∞ error, argmax attention, one layer.

Each is proved by an explicit pair of models that agrees on every shorter input and differs
later; `verify.witnesses` builds the pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import And, Max, Min, Piecewise, ceiling

from bounds.evaluate import Enclosure, enclose
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.linf_argmax_1 import CELL
from bounds.scope import ANY, Hypothesis, Scope, Values, at_least
from bounds.theorem import (
    Direction,
    Formula,
    Theorem,
    auxiliary,
    hardmax_length,
    simulation_error,
)

_EPS, _ETA, _L, _SIGMA, _DELTA, _TAU, _GAMMA = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.margin,
)


_MARGIN = Hypothesis("margin γ and precision p may be as large as the pair needs")


TRUE_CONSTANT = Hypothesis(
    "L is the least Lipschitz constant (formulas from the weights may give more)"
)


def _positive(*expressions: sympy.Expr) -> Callable[[Values], bool]:
    """Whether all expressions are certainly > 0 at given parameters."""
    return lambda v: all(_enclose(expression, v) > 0 for expression in expressions)


def _nonnegative(expression: sympy.Expr) -> Callable[[Values], bool]:
    """Whether an expression is certainly ≥ 0 at given parameters."""
    return lambda v: bool(_enclose(expression, v) >= 0)


def _enclose(expression: sympy.Expr, values: Values) -> Enclosure:
    known = {symbols[k]: v for k, v in values.items() if k != "simulation_error"}
    return enclose(expression, known)


LOWER_PRESENCE = Theorem(
    key="derived.lower_presence",
    title="Necessary: presence of a token against its frequency",
    source=derived("derived-lower_presence", "presence against frequency"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f = 1[token present] and g = min(1, L·frequency) are equal up to length L, then differ "
        "by 1 − L/T; scaled and shifted, no N < L/(target − ε) suffices."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target}",
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=(
        "no_lag_bias",
        "limit_regime",
    ),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size"),
    hypotheses=(
        _MARGIN,
        Hypothesis("target + ε < L", check=_positive(_L - _ETA - _EPS)),
    ),
    formula=lambda: Formula(terms={"simulation": ceiling(_L / (_ETA - _EPS))}),
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": 0},
    compares_with="izzo2025.4.1",
)


def _tent() -> Formula:
    return Formula(terms={"simulation": _DELTA * ceiling((_SIGMA - 1) * _L / (4 * _ETA))})


LOWER_TENT = Theorem(
    key="derived.lower_tent",
    title="Necessary for every target, even after exact agreement: tents",
    source=derived("derived-lower_tent", "tents"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f = (L/2)·Σ tents of the shares of |Σ| − 1 tokens at one residue, g = 0: short inputs "
        "cannot show a positive share below 2θ, long ones show θ for all tokens at once."
    ),
    conclusion="below this length even exact agreement does not give |f − g| ≤ {target}",
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=(
        "no_lag_bias",
        "shared_logits",
        "positional_attention",
        "heavy",
        "limit_regime",
    ),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "period"),
    hypotheses=(
        _MARGIN,
        TRUE_CONSTANT,
        Hypothesis("2·target < L", check=_positive(_L - 2 * _ETA)),
    ),
    formula=_tent,
    exponents={"epsilon": -1, "lipschitz": 1, "vocabulary_size": 1, "period": 1},
    compares_with="izzo2025.4.1",
)


def _real_threshold(values: Values) -> bool:
    """Whether one of the three families of pairs reaches this target."""
    factor = (_ETA / _EPS + 1) / 2  # (C + 1)/2, C = target/ε
    if _positive(_DELTA - 1, (_DELTA - 1) * _L - 2 * _DELTA * _ETA)(values):
        return True
    if not _positive(_SIGMA - 1, _EPS)(values):
        return False
    if _positive(_L - _ETA - _EPS)(values) and _nonnegative(3 * _EPS - _ETA)(values):
        return True
    ratio = _L / (4 * _EPS * factor)
    return _positive(1 - _GAMMA)(values) and _nonnegative(ratio ** (1 - _GAMMA) - factor)(values)


LOWER_THRESHOLD = Theorem(
    key="derived.lower_threshold",
    title="Necessary: the hardmax threshold 2^(p/γ) itself",
    source=derived("derived-lower_threshold", "Theorems A and C"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Explicit ReLU transformers agree (for Δ ≥ 2: exactly, with one token) on every input "
        "shorter than 2^(p/γ) and differ by more than the target later (for Δ ≥ 2: at every "
        "T ≥ 2^(p/γ) that Δ divides): the top class is a suffix position, which no short input "
        "can show alone. It holds for the average error under every law of inputs too (Δ ≥ 2)."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target}",
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
    survives=("positional_attention", "heavy", "limit_regime"),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "precision_bits",
        "margin",
    ),
    hypotheses=(
        Hypothesis("γ ≤ 1", check=_nonnegative(1 - _GAMMA)),
        Hypothesis(
            "Δ ≥ 2 and target < (Δ−1)L/(2Δ); or |Σ| ≥ 2, ε > 0, target ≤ 3ε and target + ε < L; "
            "or |Σ| ≥ 2, γ < 1 and L/ε ≥ 2(C+1)((C+1)/2)^(1/(1−γ)), C = target/ε",
            check=_real_threshold,
        ),
    ),
    formula=lambda: Formula(terms={"hardmax threshold": ceiling(hardmax_length())}),
    exponents={
        "epsilon": 0,
        "target": 0,
        "lipschitz": 0,
        "vocabulary_size": 0,
        "period": 0,
    },
    compares_with="izzo2025.4.1",
)


def _window_target(p: sympy.Symbol) -> sympy.Expr:
    """L(1 − 1/(1 + (T₁−2)2^−p)) − target, multiplied by the denominator."""
    steps = ceiling(hardmax_length()) - 2
    return _L * steps - _ETA * (steps + 2**p)


LOWER_THRESHOLD_WINDOW = Theorem(
    key="derived.lower_threshold_window",
    title="Necessary without lag bias: a jump between the thresholds of f and g",
    source=derived("derived-lower_threshold_window", "Theorem B (i)"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Without lag bias and positions, two models whose logits nearly coincide agree within ε "
        "up to ⌈2^(p/γ)⌉ − 2 and are about L apart one token later, where only f drops a token; "
        "from ⌈2^(p/γ)⌉ on they agree again."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target}",
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=("no_lag_bias",),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "precision_bits", "margin"),
    hypotheses=(
        Hypothesis("γ < 1", check=_positive(1 - _GAMMA)),
        Hypothesis(
            "⌈2^(p/γ)⌉ − 1 > 2^p",
            check=_positive(ceiling(hardmax_length()) - 1 - 2**symbols.precision_bits),
        ),
        Hypothesis(
            "ε ≥ Lγ/(4(⌈2^(p/γ)⌉ − 1))",
            check=_nonnegative(_EPS - _L * _GAMMA / (4 * (ceiling(hardmax_length()) - 1))),
        ),
        Hypothesis(
            "target < L(1 − 1/(1 + (⌈2^(p/γ)⌉ − 2)/2^p)), for which L/2 is enough",
            check=_positive(_window_target(symbols.precision_bits)),
        ),
    ),
    formula=lambda: Formula(terms={"hardmax threshold": ceiling(hardmax_length()) - 1}),
    exponents={"epsilon": 0, "target": 0, "lipschitz": 0, "vocabulary_size": 0},
    compares_with="izzo2025.4.1",
)


def _limit() -> Formula:
    threshold = auxiliary("T_1")
    odds = (_DELTA - 1) * (_L / _ETA - 1)
    residues = Piecewise((ceiling(odds ** (1 / _GAMMA)), _DELTA >= 2), (1, True))
    # 4ε/((target + ε)γ) = 4/((C+1)γ), and 0 where ε = 0.
    base, power = 2 * _L / (_ETA + _EPS), 4 * _EPS / ((_ETA + _EPS) * _GAMMA)
    staircase = Piecewise(
        (ceiling(base**power), And(2 * _L >= 5 * (_ETA + _EPS), _SIGMA >= 2)), (1, True)
    )
    return Formula(
        terms={
            "residues": Min(threshold, residues, evaluate=False),
            "staircase": Min(threshold, staircase, evaluate=False),
        },
        where={threshold: ceiling(hardmax_length())},
    )


LOWER_LIMIT = Theorem(
    key="derived.lower_limit",
    title="Necessary in the limit regime: exponential in 1/γ with base L/ε",
    source=derived("derived-lower_limit", "Theorem B (ii), (iii)"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Without lag bias, and even if only lengths T ≥ 2^(p/γ) count: Δ ≥ 2 needs "
        "((Δ−1)(L/target − 1))^(1/γ), any Δ needs (2L/(target+ε))^(4/((C+1)γ)), C = target/ε; "
        "neither more than 2^(p/γ)."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target} at T ≥ 2^(p/γ)",
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
    survives=(
        "no_lag_bias",
        "limit_regime",
    ),
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "precision_bits",
        "margin",
    ),
    hypotheses=(
        TRUE_CONSTANT,
        Hypothesis("target < L", check=_positive(_L - _ETA)),
        Hypothesis(
            "Δ ≥ 2; or |Σ| ≥ 2 and target + ε ≤ 2L/5",
            check=lambda v: (
                _positive(_DELTA - 1)(v)
                or (_positive(_SIGMA - 1)(v) and _nonnegative(2 * _L - 5 * (_ETA + _EPS))(v))
            ),
        ),
    ),
    formula=_limit,
    exponents={"epsilon": -1 / _GAMMA, "lipschitz": 1 / _GAMMA, "vocabulary_size": 0},
    compares_with="izzo2025.4.1",
)


def _single_z() -> Formula:
    delta = auxiliary("delta")
    return Formula(
        terms={
            "frequencies": _DELTA * ceiling(ceiling((_SIGMA - 2) / (4 * delta)) / delta),
            "suffix": ceiling(ceiling((_TAU + 1) / delta) / delta),
        },
        where={delta: simulation_error() / _L},
    )


LOWER_SINGLE_Z = Theorem(
    key="derived.lower_single_z",
    title="Necessary for the method: one input z that simulates x for both models",
    source=derived("derived-lower_single_z", "what one string can do"),
    setting=None,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "For some f, g and x, every z (with the last τ+1 tokens of x, and |z| ≡ |x| mod Δ) that "
        "both models attend as they attend x, up to total variation δ = s/L, is at least this "
        "long. This bounds the method of derived.one_layer_linf, not training lengths."
    ),
    conclusion="no shorter z simulates every x for both models within (target − ε)/2",
    scope=Scope(
        vocabulary_size=at_least(2),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "period", "locality"),
    hypotheses=(Hypothesis("target − ε < L", check=_positive(_L - _ETA + _EPS)),),
    formula=_single_z,
    exponents={
        "epsilon": -2,
        "lipschitz": 2,
        "vocabulary_size": 1,
        "period": 1,
        "locality": 1,
    },
)


def _c3() -> Formula:
    coefficient = Max(1, (_SIGMA - 2) / 2, evaluate=False)
    seen = coefficient * _L**2 / (_ETA - _EPS) ** 2
    return Formula(terms={"simulation": _DELTA * ceiling(seen)})


LOWER_LINF_C3 = Theorem(
    key="derived.lower_linf_c3",
    title="Necessary for targets up to 3ε: the exponent 2 is right",
    source=derived("derived-lower_linf_c3", "targets up to 3ε"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f reads shares among the tokens 0..|Σ|−2 at one residue, g the share of all these "
        "tokens: an input short for g cannot show the small shares to f. No "
        "N < Δ⌈max(1, (|Σ|−2)/2)·L²/(target − ε)²⌉ suffices; above 3ε the exponent is smaller."
    ),
    conclusion="below this length agreement does not give |f − g| ≤ {target}",
    scope=Scope(
        vocabulary_size=at_least(3),
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="every input",
    ),
    survives=(
        "no_lag_bias",
        "limit_regime",
    ),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "period"),
    hypotheses=(
        _MARGIN,
        TRUE_CONSTANT,
        Hypothesis("ε > 0", check=_positive(_EPS)),
        Hypothesis("target ≤ 3ε", check=_nonnegative(3 * _EPS - _ETA)),
        Hypothesis("2(target − ε) < L", check=_positive(_L - 2 * (_ETA - _EPS))),
    ),
    formula=_c3,
    exponents={"epsilon": -2, "lipschitz": 2, "vocabulary_size": 1, "period": 1},
    compares_with="izzo2025.4.1",
)


THEOREMS = (
    LOWER_PRESENCE,
    LOWER_TENT,
    LOWER_THRESHOLD,
    LOWER_THRESHOLD_WINDOW,
    LOWER_LIMIT,
    LOWER_SINGLE_Z,
    LOWER_LINF_C3,
)
