"""The theorems of Izzo, Nichani and Lee, as far as public sources tell them.

The full text was not available. Constants are implicit throughout, so the symbol
C stands for them and every value is an order of growth. What the sources leave
open is listed in `uncertain`, entry by entry.
"""

from __future__ import annotations

from sympy import Integer, Max

from bounds.parameters import symbols
from bounds.registry.sources import izzo2025
from bounds.scope import ANY, Hypothesis, Scope
from bounds.theorem import (
    Direction,
    Formula,
    Setting,
    Theorem,
    auxiliary,
    below,
    hardmax_length,
    larger,
)

_EPS, _L, _SIGMA, _DELTA, _TAU, _C = (
    symbols.epsilon,
    symbols.lipschitz,
    symbols.vocabulary_size,
    symbols.period,
    symbols.locality,
    symbols.constant,
)

_AGREE = Hypothesis("f and g are limit transformers that agree within ε on inputs up to N")
_FINITE = Hypothesis(
    "finite precision: logits scaled by log N; what is ≤ 2^−p is rounded to 0; γ = min(γ(f), γ(g))"
)
_POSITIVE = Hypothesis("ε > 0", check=lambda v: below(0, v["epsilon"]))
_LOCAL = (
    "At τ = 0 the printed product vanishes; a 0-local model is 1-local too, so max(τ, 1) is used."
)


def _locality() -> Max:
    return Max(_TAU, 1)


def _theorem_4_1() -> Formula:
    tau = auxiliary("tau'")
    simulation = _C * _L**2 * _DELTA**7 * _SIGMA**6 * tau**2 / _EPS**2
    return Formula(
        terms={"hardmax threshold": _C * hardmax_length(), "simulation": simulation},
        total=_C * Max(hardmax_length(), simulation / _C, evaluate=False),
        where={tau: _locality()},
    )


THEOREM_4_1 = Theorem(
    key="izzo2025.4.1",
    title="One layer, finite precision, ℓ∞ error",
    source=izzo2025("Theorem 4.1", "izzo2025-4-1"),
    setting=Setting("linf", "argmax", 1),
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "If |f − g| ≤ ε on all inputs of length ≤ N with "
        "N = O(max{2^(p/γ), L² Δ⁷ |Σ|⁶ τ² / ε²}), then |f − g| = O(ε) on inputs of every length. "
        "The paper remarks that N need only grow like τ Δ L² / ε² where hardmax sets in earlier."
    ),
    conclusion="|f − g| = O(ε) at every length",
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
    parameters=(
        "epsilon",
        "lipschitz",
        "vocabulary_size",
        "period",
        "locality",
        "precision_bits",
        "margin",
        "constant",
    ),
    defaults={"constant": 1},
    hypotheses=(_AGREE, _FINITE, _POSITIVE),
    formula=_theorem_4_1,
    exponents={
        "epsilon": -2,
        "lipschitz": 2,
        "period": 7,
        "vocabulary_size": 6,
        "locality": 2,
    },
    uncertain=(
        "The exact formula of L, an upper bound built from the parameter norms of f and g.",
        "One secondary source prints 2^p/γ; the derivation and three others give 2^(p/γ).",
        "A public review notes that |Σ|³ + τ is loosened to |Σ|³·τ.",
        _LOCAL,
    ),
)


def _theorem_4_2() -> Formula:
    power = 2 + 2 / symbols.alpha_min
    average = _C * (1 / _EPS) ** power
    return Formula(
        terms={"hardmax threshold": hardmax_length(), "simulation": average},
        total=Max(hardmax_length(), average, evaluate=False),
    )


THEOREM_4_2 = Theorem(
    key="izzo2025.4.2",
    title="One layer, finite precision, average error under a Dirichlet prior",
    source=izzo2025("Theorem 4.2", "izzo2025-4-2"),
    setting=Setting("average", "argmax", 1),
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "Tokens are i.i.d. given probabilities drawn from Dir((α_s)), α₀ = min α_s. If the average "
        "error is ≤ ε for lengths up to N ≥ max{2^(p/γ), N₀}, N₀ = Õ(ε^(−2−2/α₀)), polynomial in "
        "L, Δ, τ and |Σ|, then the average error is O(√ε) at every T ≥ N. Some regularity is "
        "needed: if long inputs use tokens that short ones never show, no bound exists."
    ),
    conclusion="average of |f − g| = O(√ε) at every length ≥ N",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    parameters=("epsilon", "alpha_min", "precision_bits", "margin", "constant"),
    defaults={"constant": 1},
    hypotheses=(
        _AGREE,
        _FINITE,
        _POSITIVE,
    ),
    formula=_theorem_4_2,
    exponents={"epsilon": -2 - 2 / symbols.alpha_min},
    uncertain=(
        "The degrees of the polynomial in L, Δ, τ and |Σ|: the value here leaves them out "
        "(they are in C), and so are the logarithms that Õ hides.",
        "The conclusion is O(√ε), not O(ε).",
    ),
)


def _theorem_5_2() -> Formula:
    power = Max(1 / symbols.positional_margin, 3)
    return Formula(terms={"simulation": _C * (symbols.complexity / _EPS) ** power})


THEOREM_5_2 = Theorem(
    key="izzo2025.5.2",
    title="Two layers, infinite precision, ℓ∞ error",
    source=izzo2025("Theorem 5.2", "izzo2025-5-2"),
    setting=Setting("linf", "softmax", 2),
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "If |f − g| ≤ ε on all inputs of length ≤ N with "
        "N ≲ (max(C(f), C(g)) / ε)^max(1/γ(f), 1/γ(g), 3), then |f − g| = O(ε) at every length."
    ),
    conclusion="|f − g| = O(ε) at every length",
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
    parameters=("epsilon", "complexity", "positional_margin", "constant"),
    defaults={"constant": 1},
    hypotheses=(
        _AGREE,
        Hypothesis("softmax attention; only the lag biases are scaled by log i"),
        _POSITIVE,
    ),
    formula=_theorem_5_2,
    exponents={
        "epsilon": -larger(1 / symbols.positional_margin, 3),
        "complexity": larger(1 / symbols.positional_margin, 3),
    },
    uncertain=(
        "The polynomials inside C(f) (Definition 5.1): exp(poly(first-layer norms)) · poly(rest).",
        "One secondary source puts C outside the power; the derivation and two others inside.",
        "One, written by a machine, prints Õ(max{C(f)², log(1/ε)/γ(f)}·ε⁻²) instead: not encoded.",
        "Whether positional vectors (Δ > 1) are allowed: the formula does not contain Δ.",
    ),
)


def _lemma_5_3() -> Formula:
    slope = symbols.amplitude + symbols.lipschitz_histogram
    total = _C * (slope * (_TAU + 1) / symbols.averages_error) ** 3
    return Formula(terms={"simulation": total})


LEMMA_5_3 = Theorem(
    key="izzo2025.lemma5.3",
    title="Simulation of averages of a function of suffix and histogram",
    source=izzo2025("Lemma 5.3", "izzo2025-lemma5-3"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "For p bounded by G and L-Lipschitz in the histogram, every x has a subset of its "
        "positions, |z| ≈ n, such that the averages of p(τ-suffix, histogram) over x and over z "
        "differ by ≲ (G + L)(τ + 1)/n^(1/3); solved here for the n that makes this ≤ ε_avg."
    ),
    conclusion="the two averages differ by O(ε_avg)",
    parameters=("averages_error", "amplitude", "lipschitz_histogram", "locality", "constant"),
    defaults={"constant": 1},
    hypotheses=(Hypothesis("|p| ≤ G and p is L-Lipschitz in the histogram"),),
    formula=_lemma_5_3,
    exponents={"averages_error": -3, "lipschitz_histogram": 3, "amplitude": 3, "locality": 3},
    uncertain=("The norm in which p is Lipschitz, and the constant hidden by ≲.",),
)


def _k_gram() -> Formula:
    return Formula(terms={"simulation": (1 / _EPS) ** (_C * symbols.context**2)})


K_GRAM = Theorem(
    key="izzo2025.kgram",
    title="In-context k-gram: a training length that suffices",
    source=izzo2025("Definition 5.4 and remark", "izzo2025-kgram"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "The in-context k-gram is approximated to ε by a two-layer limit transformer with "
        "C(f) = ε^(−Θ(k²)) and γ(f) ≥ 1, so training length ε^(−Θ(k²)) suffices."
    ),
    conclusion="|f − g| = O(ε) at every length",
    parameters=("epsilon", "context", "constant"),
    defaults={"constant": 1},
    hypotheses=(
        Hypothesis("0 < ε < 1", check=lambda v: below(0, v["epsilon"]) and below(v["epsilon"], 1)),
    ),
    formula=_k_gram,
    exponents={"epsilon": -_C * symbols.context ** Integer(2)},
    uncertain=(
        "The constant in the exponent, inside Θ(k²): C stands for it.",
        "The value of the target where the context never occurred before (0/0).",
    ),
)


THEOREMS = (THEOREM_4_1, THEOREM_4_2, THEOREM_5_2, LEMMA_5_3, K_GRAM)
