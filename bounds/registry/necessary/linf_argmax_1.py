"""Lengths that are necessary: ℓ∞ error, argmax attention, one layer.

Each is proved by an explicit pair of models that agrees on every shorter input and differs
later; `verify.witnesses` builds the pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import And, Max, Min, Or, Piecewise, ceiling, floor, sqrt

from bounds.evaluate import Enclosure, enclose
from bounds.parameters import symbols
from bounds.registry.sources import derived
from bounds.registry.sufficient.linf_argmax_1 import CELL
from bounds.scope import (
    ANY,
    NO_LAG_BIAS,
    TRUE_LIPSCHITZ,
    Hypothesis,
    Scope,
    Values,
    at_least,
)
from bounds.theorem import (
    Direction,
    Formula,
    Theorem,
    auxiliary,
    hardmax_length,
    simulation_error,
    smaller,
)

_EPS, _ETA, _L, _SIGMA, _DELTA, _TAU, _GAMMA, _H = (
    symbols.epsilon,
    symbols.target,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.margin,
    symbols.heads,
)
_RISE = auxiliary("d")  # (target − ε)/L
_WITHOUT_LAG = auxiliary(r"\chi_{\varphi=0}", nonnegative=True)
_TRUE_L = auxiliary(r"\chi_L", nonnegative=True)
_SMALLEST = {"period": 1, "locality": 0, "heads": 1}
"""Defaults: a pair with constant positions, no lag bias and one head is in every class."""

_MARGIN = Hypothesis("margin γ and precision p may be as large as the pair needs")


TRUE_CONSTANT = Hypothesis(
    "L is the least Lipschitz constant (formulas from the weights may give more)",
    name=TRUE_LIPSCHITZ,
)
_BELOW_L = Hypothesis("target − ε < L", check=lambda v: _positive(_L - _ETA + _EPS)(v))


def _positive(*expressions: sympy.Expr) -> Callable[[Values], bool]:
    """Whether all expressions are certainly > 0 at given parameters."""
    return lambda v: all(_enclose(expression, v) > 0 for expression in expressions)


def _nonnegative(expression: sympy.Expr) -> Callable[[Values], bool]:
    """Whether an expression is certainly ≥ 0 at given parameters."""
    return lambda v: bool(_enclose(expression, v) >= 0)


def _holds(condition: sympy.Basic) -> Callable[[Values], bool]:
    """Whether a condition, with And and Or, holds at given parameters."""
    return lambda v: bool(_enclose(Piecewise((1, condition), (0, True)), v) == 1)


def _enclose(expression: sympy.Expr, values: Values) -> Enclosure:
    known = {symbols[k]: v for k, v in values.items() if k != "simulation_error"}
    return enclose(expression, known)


def _tied_lags() -> sympy.Expr:
    """t' = number of lags 0..τ outside the residue of position 1, for a query of residue 0."""
    outside = _TAU + 1 - floor((_TAU + 1) / _DELTA)
    return Piecewise((outside, _DELTA >= 2), (1, True))


def _least_root(k: sympy.Symbol, y: sympy.Expr) -> sympy.Expr:
    """ρ, the lesser root of y − Kρ + (K−1)ρ² = 0."""
    return 2 * y / (k + sqrt(k**2 - 4 * (k - 1) * y))


def _presence() -> Formula:
    k, rho = auxiliary("K", integer=True, positive=True), auxiliary("rho")
    tied = auxiliary("t")
    levels = tied * rho ** (-k) * (1 - rho) ** (2 - k)
    several = Or(k >= 2, And(_DELTA >= 2, _DELTA * _RISE < _DELTA - 1))
    rare = _DELTA * (ceiling(1 / _RISE) - 1) + 1
    return Formula(
        terms={
            "presence": Piecewise((rare, _SIGMA >= 2), (1, True)),
            "levels": Piecewise(
                (1, _WITHOUT_LAG >= 1), (_DELTA * ceiling(levels), several), (1, True)
            ),
        },
        where={
            _RISE: (_ETA - _EPS) / _L,
            k: Min(_H, _SIGMA, ceiling(1 / _RISE) - 1, evaluate=False),
            rho: _least_root(k, k * _RISE),
            tied: _tied_lags(),
        },
    )


LOWER_PRESENCE = Theorem(
    key="derived.lower_presence",
    title="Necessary for every target, even after exact agreement: one model is constant",
    source=derived("derived-lower_presence", "one model is constant"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f reads how rare a token is, g is constant: a token that occurs has a share of 1/W at "
        "least. With d = (target − ε)/L no N < Δ(⌈1/d⌉ − 1) + 1 suffices; with a lag bias and H "
        "heads, each of which sees one token more than the one before, no N < Δ⌈t·q⌉ does, "
        "q ≥ (1 − Kd)/d^K, K = min(H, |Σ|): the exponent is at least H at every target."
    ),
    conclusion="below this length even exact agreement does not give |f − g| ≤ {target}",
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
        "shared_logits",
        "positional_attention",
        "heavy",
        "limit_regime",
    ),
    switches={_WITHOUT_LAG: (NO_LAG_BIAS, "positional_attention", "heavy")},
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "heads",
    ),
    defaults=_SMALLEST,
    hypotheses=(
        _MARGIN,
        _BELOW_L,
        Hypothesis(
            "|Σ| ≥ 2; or Δ ≥ 2 and target − ε < (Δ−1)L/Δ",
            check=lambda v: (
                _positive(_SIGMA - 1)(v) or _positive((_DELTA - 1) * _L - _DELTA * (_ETA - _EPS))(v)
            ),
        ),
    ),
    formula=_presence,
    exponents={
        "epsilon": -smaller(_H, _SIGMA),
        "lipschitz": smaller(_H, _SIGMA),
        "vocabulary_size": 0,
        "period": 1,
    },
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


def _two_tokens() -> sympy.Basic:
    """Whether one of the three pairs of two tokens reaches this target."""
    total = _ETA + _EPS
    # L/ε ≥ 2(C+1)((C+1)/2)^(1/(1−γ)), C = target/ε; an exponent of 0 where γ ≥ 1 is not looked at.
    flat = And(_GAMMA < 1, 2 * _EPS * (_L / (2 * total)) ** (1 - _GAMMA) >= total)
    slow = And(_GAMMA >= 1, 2 * (_ETA - _EPS) < _L, (_ETA - _EPS) ** 2 <= 2 * _L * _EPS)
    return And(_SIGMA >= 2, _EPS > 0, Or(And(_ETA <= 3 * _EPS, total < _L), flat, slow))


def _one_token() -> sympy.Basic:
    return And(_DELTA >= 2, 2 * _DELTA * _ETA < (_DELTA - 1) * _L)


def _threshold() -> Formula:
    first = ceiling(hardmax_length())
    return Formula(
        terms={
            "hardmax threshold": Piecewise(
                (first + _DELTA - 1, _two_tokens()),
                (first + _DELTA - 2, And(_one_token(), 3 * _ETA < _L)),
                (first, True),
            )
        }
    )


def _real_threshold(values: Values) -> bool:
    """Whether some pair reaches this target."""
    return _holds(_one_token())(values) or _holds(_two_tokens())(values)


LOWER_THRESHOLD = Theorem(
    key="derived.lower_threshold",
    title="Necessary: the hardmax threshold 2^(p/γ) itself",
    source=derived("derived-lower_threshold", "Theorems A, C and D"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Explicit ReLU transformers agree (for Δ ≥ 2: exactly, with one token) on every input "
        "shorter than 2^(p/γ) and differ by more than the target later (for Δ ≥ 2: at every "
        "T ≥ 2^(p/γ) that Δ divides): the top class is a suffix position, which no short input "
        "can show alone. It holds for the average error under every law of inputs too (Δ ≥ 2). "
        "Read at the residue of T₁ − 1 only, T₁ = ⌈2^(p/γ)⌉, the pairs of two tokens agree below "
        "T₁ + Δ − 1, those of one token below T₁ + Δ − 2 (target < L/3)."
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
            "or |Σ| ≥ 2, γ < 1 and L/ε ≥ 2(C+1)((C+1)/2)^(1/(1−γ)), C = target/ε; "
            "or |Σ| ≥ 2, γ = 1, L/ε > 2(C−1) and L/ε ≥ (C−1)²/2",
            check=_real_threshold,
        ),
    ),
    formula=_threshold,
    exponents={
        "epsilon": 0,
        "target": 0,
        "lipschitz": 0,
        "vocabulary_size": 0,
        "period": 1,
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
    residues = Piecewise((ceiling(odds ** (1 / _GAMMA)), And(_DELTA >= 2, _ETA < _L)), (1, True))
    shares = Piecewise(
        (ceiling((2 / _RISE - 1) ** (2 / _GAMMA)), And(_SIGMA >= 2, _EPS > 0, _ETA <= 3 * _EPS)),
        (1, True),
    )
    # 4ε/((target + ε)γ) = 4/((C+1)γ), and 0 where ε = 0.
    base, power = 2 * _L / (_ETA + _EPS), 4 * _EPS / ((_ETA + _EPS) * _GAMMA)
    staircase = Piecewise(
        (ceiling(base**power), And(2 * _L >= 5 * (_ETA + _EPS), _SIGMA >= 2)), (1, True)
    )
    return Formula(
        terms={
            "residues": Min(threshold, residues, evaluate=False),
            "staircase": Min(threshold, staircase, evaluate=False),
            "shares": Min(threshold, shares, evaluate=False),
        },
        where={threshold: ceiling(hardmax_length()), _RISE: (_ETA - _EPS) / _L},
    )


LOWER_LIMIT = Theorem(
    key="derived.lower_limit",
    title="Necessary in the limit regime: exponential in 1/γ with base L/ε",
    source=derived("derived-lower_limit", "the limit regime"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "Without lag bias, and even if only lengths T ≥ 2^(p/γ) count: Δ ≥ 2 needs "
        "((Δ−1)(L/target − 1))^(1/γ); any Δ needs (2L/(target+ε))^(4/((C+1)γ)), C = target/ε, and "
        "(2/d − 1)^(2/γ), d = (target − ε)/L, for targets up to 3ε; none more than 2^(p/γ)."
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
        _BELOW_L,
        Hypothesis(
            "Δ ≥ 2 and target < L; or |Σ| ≥ 2 and target + ε ≤ 2L/5; "
            "or |Σ| ≥ 2, ε > 0 and target ≤ 3ε",
            check=_holds(
                Or(
                    And(_DELTA >= 2, _ETA < _L),
                    And(_SIGMA >= 2, 5 * (_ETA + _EPS) <= 2 * _L),
                    And(_SIGMA >= 2, _EPS > 0, _ETA <= 3 * _EPS),
                )
            ),
        ),
    ),
    formula=_limit,
    exponents={"epsilon": -2 / _GAMMA, "lipschitz": 2 / _GAMMA, "vocabulary_size": 0},
    compares_with="izzo2025.4.1",
)


def _shared() -> sympy.Expr:
    return (1 / _RISE - 1) ** (1 / (1 - symbols.largest_gap))


def _window_is_long_enough(values: Values) -> bool:
    """Whether p, if given, lets an input show a rare token before the others are dropped."""
    gap = symbols.largest_gap
    if "precision_bits" not in values or not _positive(gap)(values):
        return True
    rise = (_ETA - _EPS) / _L
    known = {key: values[key] for key in ("epsilon", "target", "lipschitz", "largest_gap")}
    shown = ceiling(_shared().subs(_RISE, rise)) - 1
    if not _positive(shown)(known):
        return True
    last = ceiling(2 ** (symbols.precision_bits / gap)) - 1
    shares = [1 / (1 + (n - 1) / n**gap) for n in (shown, last)]
    return _positive(shares[0] - rise - shares[1])(values)


LOWER_SHARED_LOGITS = Theorem(
    key="derived.lower_shared_logits",
    title="Necessary with shared logits: the exponent 1/(1 − ĝ) is right",
    source=derived("derived-lower_shared_logits", "shared logits need as much"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f reads the share of the query's token, which lies above the other token by ĝ < 1, and g "
        "is constant, with the same logits, no lag bias and one residue. With d = (target − ε)/L, "
        "no N < (1/d − 1)^(1/(1−ĝ)) suffices, even after exact agreement."
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
    survives=("no_lag_bias", "shared_logits"),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "largest_gap"),
    hypotheses=(
        _BELOW_L,
        Hypothesis(
            "p is so large that c(T) < c(n) − d, c(n) = 1/(1 + (n−1)n^(−ĝ)), for n the greatest "
            "integer below (1/d − 1)^(1/(1−ĝ)) and T the greatest below 2^(p/ĝ)",
            check=_window_is_long_enough,
        ),
    ),
    formula=lambda: Formula(
        terms={"simulation": ceiling(_shared())}, where={_RISE: (_ETA - _EPS) / _L}
    ),
    exponents={
        "epsilon": -1 / (1 - symbols.largest_gap),
        "lipschitz": 1 / (1 - symbols.largest_gap),
        "vocabulary_size": 0,
    },
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
    k, rho = auxiliary("K", integer=True, positive=True), auxiliary("rho")
    k_f, k_g = (auxiliary(name, integer=True, positive=True) for name in ("k_f", "k_g"))
    tied = auxiliary("t")
    levels = tied * (k_f / k_g) ** k_g * rho ** (-k) * (1 - rho) ** (2 - k)
    suffix = (_TAU + 1) * (1 + sqrt(1 - _RISE)) ** 2 / _RISE**2
    below = Or(_ETA < 3 * _EPS, _TRUE_L >= 1)
    # 1/(1 − √(1 − 2d))², without a difference of near numbers.
    residues = (_DELTA - 1) * ((1 + sqrt(1 - 2 * _RISE)) / (2 * _RISE)) ** 2
    return Formula(
        terms={
            "levels": Piecewise((1, _WITHOUT_LAG >= 1), (_DELTA * ceiling(levels), True)),
            "suffix": Piecewise(
                (1, _WITHOUT_LAG >= 1),
                (ceiling(suffix), And(_SIGMA >= 3, _TAU * _RISE < 1, below)),
                (1, True),
            ),
            "residues": Piecewise(
                (_DELTA * ceiling(residues), And(_TRUE_L >= 1, _DELTA >= 2, 2 * _RISE < 1)),
                (1, True),
            ),
            "tokens": Piecewise(
                (_DELTA * ceiling((_SIGMA - 2) / _RISE**2), And(_TRUE_L >= 1, _SIGMA >= 3)),
                (1, True),
            ),
        },
        where={
            _RISE: (_ETA - _EPS) / _L,
            k: Min(2 * _H, _SIGMA, 2 * ceiling(1 / _RISE) - 2, evaluate=False),
            k_f: ceiling(k / 2),
            k_g: floor(k / 2),
            rho: _least_root(k, k_f * _RISE),
            tied: _tied_lags(),
        },
    )


LOWER_LINF_C3 = Theorem(
    key="derived.lower_linf_c3",
    title="Necessary for targets up to 3ε: the exponent 2H is right",
    source=derived("derived-lower_linf_c3", "targets up to 3ε"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "2H heads, those of f and of g in turn, each see one token more than the one before: no "
        "short input can have every share small. With d = (target − ε)/L, K = min(2H, |Σ|) and t "
        "the lags in a residue other than that of position 1 (1 if Δ = 1), no N < Δ⌈t·q⌉ "
        "suffices; q is (1 + √(1−d))²/d² for K = 2, and at least (1 − Hd)(2/d)^(2H) for K = 2H. "
        "For three tokens and τd < 1, τ + 1 may stand for Δt (at target 3ε if L is the least "
        "constant). If it is (assume 'true_lipschitz', χ_L = 1), no N < Δ⌈(|Σ|−2)/d²⌉ and, where "
        "2d < 1, no N < Δ⌈(Δ−1)/(1−√(1−2d))²⌉ does; these two need no lag bias, the others do."
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
    switches={_WITHOUT_LAG: (NO_LAG_BIAS,), _TRUE_L: (TRUE_LIPSCHITZ,)},
    parameters=(
        "epsilon",
        "target",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "heads",
    ),
    defaults=_SMALLEST,
    hypotheses=(
        _MARGIN,
        Hypothesis("ε > 0", check=_positive(_EPS)),
        Hypothesis("target ≤ 3ε", check=_nonnegative(3 * _EPS - _ETA)),
        _BELOW_L,
    ),
    formula=_c3,
    exponents={
        "epsilon": -smaller(2 * _H, _SIGMA),
        "lipschitz": smaller(2 * _H, _SIGMA),
        "vocabulary_size": 0,
        "period": 1,
    },
    compares_with="izzo2025.4.1",
)


_LINK = auxiliary("m", integer=True, nonnegative=True)


def _links() -> sympy.Expr:
    """Least integer m ≥ 0 with target ≤ (2m + 3)ε."""
    return Max(0, ceiling((_ETA - 3 * _EPS) / (2 * _EPS)), evaluate=False)


def _linf_chain() -> Formula:
    many = (_SIGMA - 2) / (16 * sympy.E) * _RISE ** (-1 - 1 / (_LINK + 1))
    shown = Min(sympy.Integer(2) ** (_SIGMA - 2), many, evaluate=False)
    return Formula(
        terms={"profile": _DELTA * ceiling(shown)},
        where={_LINK: _links(), _RISE: (_ETA - _EPS) / _L},
    )


def _far_apart(values: Values) -> bool:
    """Whether d ≤ (16e)^(−m−1)."""
    if not _positive(_EPS)(values):
        return True  # refused elsewhere
    power = (16 * sympy.E) ** (_links() + 1)
    return _nonnegative(_L - (_ETA - _EPS) * power)(values)


LOWER_LINF_CHAIN = Theorem(
    key="derived.lower_linf_chain",
    title="Necessary above 3ε: the exponent 1 + 1/(m+1) of the chain is right for many tokens",
    source=derived("derived-lower_linf_chain", "chains need as much"),
    setting=CELL,
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "f reads the law of |Σ| − 1 tokens among themselves, g their share too. Some law is far "
        "from all that short inputs show, and a chain of 2m+1 short inputs that comes near it has "
        "to show these tokens rarely in the end, so is long. For targets up to (2m+3)ε and "
        "d = (target − ε)/L no N < Δ⌈min{2^(|Σ|−2), (|Σ|−2)/(16e)·d^(−1−1/(m+1))}⌉ suffices."
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
    survives=("no_lag_bias", "limit_regime"),
    parameters=("epsilon", "target", "lipschitz", "vocabulary_size", "period"),
    hypotheses=(
        _MARGIN,
        TRUE_CONSTANT,
        Hypothesis("ε > 0", check=_positive(_EPS)),
        Hypothesis(
            "d ≤ (16e)^(−m−1) for the least integer m ≥ 0 with target ≤ (2m+3)ε",
            check=_far_apart,
        ),
    ),
    formula=_linf_chain,
    exponents={
        "epsilon": -(1 + 1 / (_LINK + 1)),
        "lipschitz": 1 + 1 / (_LINK + 1),
        "vocabulary_size": 1,
        "period": 1,
    },
    compares_with="izzo2025.4.1",
)


THEOREMS = (
    LOWER_PRESENCE,
    LOWER_TENT,
    LOWER_THRESHOLD,
    LOWER_THRESHOLD_WINDOW,
    LOWER_LIMIT,
    LOWER_SHARED_LOGITS,
    LOWER_SINGLE_Z,
    LOWER_LINF_C3,
    LOWER_LINF_CHAIN,
)
