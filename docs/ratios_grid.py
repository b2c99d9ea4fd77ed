"""The questions of ratios.py: for each of the eight cells a base, and rows that change it.

`Cell.orders` is written by hand, from the table "paper against ours" of theory.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SYMBOLS = {
    "epsilon": "ε",
    "target": "target",
    "lipschitz": "L",
    "lipschitz_euclidean": "Λ",
    "vocabulary_size": "\\|Σ\\|",
    "period": "Δ",
    "locality": "τ",
    "heads": "H",
    "precision_bits": "p",
    "margin": "γ",
    "positional_margin": "γ",
    "logit_range": "R",
    "logit_range_columns": "R_c",
    "logit_range_last": "R_2",
    "alpha_min": "α₀",
    "alpha_total": "A",
    "alpha_class": "a⁎",
    "class_probability": "q⁎",
    "gram_probability": "q_g",
    "complexity_balanced": "C_F",
    "complexity_periodic": "C_F (Δ)",
    "complexity_average": "𝒞",
    "states": "ν",
    "path_states": "Q⁎",
    "tie_tolerance": "κ",
    "horizon": "T⁎",
    "largest_gap": "ĝ",
    "spectral_gap": "ς",
    "stationary_min": "π_min",
}


@dataclass(frozen=True)
class Question:
    """One row: what changes from the cell's base, and what is assumed of the models."""

    label: str
    changes: Mapping[str, Any]
    assume: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A setting, the parameters from which its rows start, and the rows.

    `orders`: sufficient and necessary as orders of growth, and what is open, for the table of
    theory.md, whose ratio is that of the rows `shown`.
    """

    error: str
    attention: str
    layers: int
    base: Mapping[str, Any]
    rows: tuple[Question, ...]
    orders: tuple[str, str, str]
    shown: tuple[int, ...] = (0,)
    note: str = ""

    @property
    def name(self) -> str:
        """The cell in words."""
        kind = "worst case" if self.error == "linf" else "average"
        return f"{kind}, {self.attention}, {'one layer' if self.layers == 1 else 'two layers'}"

    @property
    def anchor(self) -> str:
        """Where the page has the cell."""
        return f"ratio-{self.error}-{self.attention}-{self.layers}"


def _vary(keyword: str, value: Any, *assume: str, **more: Any) -> Question:
    changes = {keyword: value, **more}
    named = ", ".join(f"{SYMBOLS[k]} = {v}" for k, v in changes.items())
    return Question(", ".join([named, *assume]), changes, assume)


def _only(*assume: str, **changes: Any) -> Question:
    named = [f"{SYMBOLS[k]} = {v}" for k, v in changes.items()]
    return Question(", ".join([*assume, *named]), changes, assume)


_BASE = Question("base", {})
_PAIR_B10 = Question(
    "the constants of the pair of Theorem B10, rounded up",
    {
        "lipschitz_query": 6,
        "lipschitz_keys": 118,
        "limit_query": 13,
        "limit_keys": 279,
        "influence_keys": 15,
        "dimension": 3,
    },
)
_ONE_HEAD = {"epsilon": "1/100", "lipschitz": 1, "vocabulary_size": 4, "heads": 1}
_ARGMAX = {**_ONE_HEAD, "period": 2, "locality": 1, "precision_bits": 8, "margin": 1}
_SOFTMAX = {
    "epsilon": "1/100",
    "lipschitz": 1,
    "vocabulary_size": 2,
    "period": 1,
    "locality": 1,
    "logit_range": 2,
    "logit_range_columns": 2,
    "positional_margin": 1,
}
_AVERAGE = {"epsilon": "1/1000000", "lipschitz": 1, "lipschitz_euclidean": 1}
_ARGMAX_AVERAGE = {
    **_AVERAGE,
    "vocabulary_size": 2,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": 1,
    "alpha_min": 1,
    "alpha_total": 2,
}
_SMALL = "The pairs behind the necessary lengths take small targets, so ε is small here."

CELLS = (
    Cell(
        "linf",
        "argmax",
        1,
        _ARGMAX,
        (
            _BASE,
            _vary("epsilon", "1/1000"),
            _vary("target", "1/10"),
            _vary("target", "1/10", vocabulary_size=50),
            _vary("vocabulary_size", 50),
            _vary("period", 10),
            _vary("period", 1),
            _vary("locality", 20),
            _vary("heads", 2),
            _vary("margin", "1/2"),
            _vary("margin", 3),
            _only("positional_attention"),
            _vary("tie_tolerance", "1/100", horizon=2**20),
        ),
        (
            r"$\max\lbrace2^{p/\gamma},\Delta(\Delta(\lvert\Sigma\rvert+1)/4+\tau+1)L^2/s^2"
            r"\rbrace$ up to $3\varepsilon$; power $2H$ with $H$ heads",
            r"in order $\Delta(\lvert\Sigma\rvert+\Delta+\tau)L^2/s^2$ up to $3\varepsilon$, power "
            r"$2H$ with $H$ heads; $2^{p/\gamma}$ for $\gamma\le1$",
            r"$\Delta\lvert\Sigma\rvert$ against $\lvert\Sigma\rvert+\Delta$ (none for additive "
            r"embeddings); above $3\varepsilon$: few tokens, several heads",
        ),
        (0, 3),
    ),
    Cell(
        "linf",
        "argmax",
        2,
        {**_ARGMAX, "vocabulary_size": 2, "period": 1},
        (
            _BASE,
            _only("suffix_only_first_layer"),
            _only("suffix_only_first_layer", epsilon="1/1000"),
            _only("suffix_only_first_layer", locality=8, heads=8),
            _vary("vocabulary_size", 4, heads=2, epsilon="1/1000"),
            _only("finite_state_first_layer", states=4, path_states=8),
            _only("generic_first_layer"),
        ),
        (
            r"$\frac12Q^\ast\nu^3L^2/s^2$ if the first layer is a finite automaton",
            r"$\lvert\Sigma\rvert^{\tau+1}L/\varepsilon$; with margins in both layers "
            r"$19^{L/(2\thinspace\mathrm{target})-O(\log)}$; no computable bound where the second "
            r"layer's margin may be 0",
            "a computable bound with margins in both layers and weights of bounded size",
        ),
        (1, 0),
        "Without an assumption the margin of the second layer may be 0, and no computable bound "
        "exists; with margins in both layers nothing is proved beyond the necessary lengths.",
    ),
    Cell(
        "linf",
        "softmax",
        1,
        _SOFTMAX,
        (
            _BASE,
            _vary("epsilon", "1/1000"),
            _vary("vocabulary_size", 50),
            _vary("period", 10),
            _vary("locality", 20),
            _vary("logit_range", 5, logit_range_columns=5),
            _vary("positional_margin", "1/2"),
            _only("no_lag_bias", locality=0),
            _only("no_lag_bias", locality=0, vocabulary_size=50),
            _only("no_lag_bias", locality=0, logit_range=5, logit_range_columns=5),
        ),
        (
            r"$((1+e^R(L/s-1))\thinspace c)^{\max(1/\gamma,1)}$, "
            r"$c\approx\Delta\lvert\Sigma\rvert/4+\tau+1$",
            r"$(1+e^R(L/s-1))^{1/\gamma}$ for $\gamma\le1$; without lag bias exactly the same for "
            "two and three tokens",
            "whether the factor $c$ is necessary",
        ),
        (0, 7),
    ),
    Cell(
        "linf",
        "softmax",
        2,
        {
            "epsilon": "1/10000",
            "lipschitz": 1,
            "vocabulary_size": 2,
            "period": 1,
            "locality": 1,
            "heads": 2,
            "positional_margin": 1,
            "logit_range_last": 2,
            "complexity_balanced": 10**6,
        },
        (
            _BASE,
            _vary("epsilon", "1/100000"),
            _vary("complexity_balanced", 1000),
            _vary("complexity_balanced", 10**9),
            _vary("positional_margin", "1/4"),
            _vary("locality", 20),
            _vary("period", 5, complexity_periodic=10**6),
            _PAIR_B10,
        ),
        (
            r"$d\tau s^{-2}+s^{-\max(1/\gamma,1)}$ with constants of the weights, up to a "
            "logarithm; lag bias in the second layer too, by the depth theorem",
            r"$\lvert\Sigma\rvert\tau L^2/\varepsilon^2$ and $e^{R_2}L^2/\varepsilon^2$ for "
            r"$\tau\ge1$ and two heads; $\varepsilon^{-1/\gamma}$",
            r"$e^{R_1+2R_2}$ above, $e^{R_2}$ below; one first-layer head",
        ),
        (0, 7),
    ),
    Cell(
        "average",
        "argmax",
        1,
        _ARGMAX_AVERAGE,
        (
            _BASE,
            _vary("epsilon", "1/100000"),
            _vary("period", 1),
            _only("laminar_classes", period=1),
            _only("common_order", period=1),
            _only("common_order", alpha_min="1/4", alpha_total="1/2"),
            _vary("alpha_min", "1/4", alpha_total="1/2"),
            _vary("vocabulary_size", 50, alpha_total=50),
            Question(
                "fixed law, \\|Σ\\| = 3, q⁎ = 1/4",
                {
                    "alpha_min": None,
                    "alpha_total": None,
                    "vocabulary_size": 3,
                    "class_probability": "1/4",
                },
            ),
        ),
        (
            r"$\max\lbrace2^{p/\gamma},\tilde O(\varepsilon^{-\max(2,1/\alpha_0)})\rbrace$; fixed "
            r"law $\Lambda^2/(2q_\ast s^2)$",
            r"$\Lambda^2/\varepsilon^2$ for $\Delta\ge2$, $\Lambda/\varepsilon$ for $\Delta=1$",
            r"$1/\alpha_0$ for $\alpha_0\lt\frac12$ and more than two tokens",
        ),
        (0, 3),
        _SMALL,
    ),
    Cell(
        "average",
        "argmax",
        2,
        {**_ARGMAX_AVERAGE, "vocabulary_size": 3, "period": 1, "alpha_total": 3},
        (
            _BASE,
            _only("suffix_only_first_layer"),
            _only("suffix_only_first_layer", epsilon="1/100000"),
            Question(
                "suffix_only_first_layer, fixed law, q_g = 1/4",
                {"alpha_min": None, "alpha_total": None, "gram_probability": "1/4"},
                ("suffix_only_first_layer",),
            ),
        ),
        (
            r"first layer sees the suffix only: $\varepsilon^{-\max(2,(\tau+1)/\alpha_0)}$, fixed "
            r"law $\varepsilon^{-2}$",
            r"$\Lambda^2/\varepsilon^2$",
            r"$(\tau+1)/\alpha_0$; first layers that see frequencies",
        ),
        (1,),
        _SMALL,
    ),
    Cell(
        "average",
        "softmax",
        1,
        {**_SOFTMAX, **_AVERAGE},
        (
            _BASE,
            _vary("epsilon", "1/100000"),
            _vary("vocabulary_size", 50),
            _vary("logit_range", 5, logit_range_columns=5),
            _vary("positional_margin", "1/4"),
            _vary("alpha_min", 1, alpha_total=2),
            _vary("alpha_min", "1/4", alpha_total="1/2"),
        ),
        (
            r"$\varepsilon^{-\max(2,1/\gamma)}$; Dirichlet $\varepsilon^{-\max(1,1/\gamma)}$",
            r"$\varepsilon^{-2}$ and, for $\gamma\lt\frac12$, $\varepsilon^{-1/\gamma}$ (fixed "
            "law)",
            "how the length grows with $e^R$",
        ),
        (0, 5),
        "The first rows are about exchangeable inputs (the pair has one fixed law), the last two "
        "about tokens drawn given a Dirichlet law. " + _SMALL,
    ),
    Cell(
        "average",
        "softmax",
        2,
        {
            **_AVERAGE,
            "vocabulary_size": 3,
            "period": 1,
            "locality": 1,
            "positional_margin": 1,
            "complexity_average": 1000,
        },
        (
            _BASE,
            _vary("epsilon", "1/100000"),
            _vary("complexity_average", 10),
            _vary("complexity_average", 10**6),
            _vary("positional_margin", "1/4"),
            _only("markov_inputs", spectral_gap="1/2", stationary_min="1/4"),
        ),
        (
            r"$\varepsilon^{-\max(2,1/\gamma)}$, Markov inputs too",
            r"$\Lambda^2/\varepsilon^2$",
            r"$e^{R_2}$ in the constant; periodic positions",
        ),
        (0,),
        _SMALL,
    ),
)
