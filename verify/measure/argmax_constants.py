"""The constants that the theorems for finite precision read, and how they print."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from verify.measure.lipschitz import HeadLipschitz
from verify.measure.margin import HeadMargins
from verify.measure.table import Row, lines, number, size_rows


@dataclass(frozen=True)
class ArgmaxModel:
    """Constants of one model.

    Attributes:
        period, locality: the least Δ and τ that describe the weights.
        declared_period, declared_locality: those of the arrays given.
        lag_bias: whether any head has a lag bias other than 0.
        lipschitz: one HeadLipschitz per head.
        margins: one HeadMargins per head.
    """

    period: int
    locality: int
    declared_period: int
    declared_locality: int
    lag_bias: bool
    lipschitz: tuple[HeadLipschitz, ...]
    margins: tuple[HeadMargins, ...]


@dataclass(frozen=True, repr=False)
class ArgmaxConstants:
    """What the theorems for finite precision need to know about f and g (one layer each).

    Every number is exact or, where a norm is involved, an upper bound. The names are the keywords
    of `bounds.required_length`.

    Attributes:
        attention, layers: "argmax", 1.
        lipschitz: L, summed over heads, the larger one of f and g; exact. The least constant
            known: the sharp form, or the steepest slope where the attention output of a single
            head moves along a line.
        lipschitz_sharp: the same in the sharp form only.
        lipschitz_operator: the same in operator norms, rounded up; for comparison.
        lipschitz_marginal: L for the marginals of the attention on tokens and on residues.
        lipschitz_euclidean: Λ of the average theorems, summed over heads, the larger one of f and
            g, rounded up; at least `lipschitz` (see `verify.measure.lipschitz`).
        vocabulary_size: |Σ|.
        period: Δ, least common multiple of the smallest periods of f and g.
        locality: τ, greatest lag with a bias that is not 0.
        heads: H, the larger one.
        precision_bits: p, the larger one.
        margin: γ, the smaller one of f and g, over all pairs of distinct logits of one query
            (as the paper defines it); exact. None: no two logits of a query differ, and every
            length has hardmax attention.
        margin_realised: the least gap between the two largest distinct logits of one input, over
            all inputs; ≥ margin, and enough for hardmax. None: no input has two.
        largest_gap: the greatest difference of two logits of one query.
        shared_logits: whether all heads of f and g have the same logits, up to a constant per
            query, and f and g the same precision. False where only one model was given: what else
            it stands for is not known.
        tie_tolerance: κ: logits nearer than this were merged; None: only equal ones are ties.
        ties_merged: how many distinct logits were merged, over all heads and queries. Above 0,
            the margins are about another model: the one whose merged logits are equal.
        models: the constants of f, and of g where one was given.

    Source: [izzo2025, section 4]; L: [derived, Theorem 1].
    """

    vocabulary_size: int
    period: int
    locality: int
    heads: int
    precision_bits: int
    lipschitz: Fraction
    lipschitz_sharp: Fraction
    lipschitz_operator: Fraction
    lipschitz_marginal: Fraction
    lipschitz_euclidean: Fraction
    margin: Fraction | None
    margin_realised: Fraction | None
    largest_gap: Fraction
    shared_logits: bool
    tie_tolerance: Fraction | None
    ties_merged: int
    models: tuple[ArgmaxModel, ...]
    attention: Literal["argmax"] = "argmax"
    layers: Literal[1] = 1

    @property
    def assume(self) -> frozenset[str]:
        """The named hypotheses of `bounds` that f and g satisfy.

        "no_lag_bias": no head has a lag bias other than 0. "shared_logits": see there.
        """
        facts = {
            "no_lag_bias": not any(model.lag_bias for model in self.models),
            "shared_logits": self.shared_logits,
        }
        return frozenset(name for name, holds in facts.items() if holds)

    @property
    def other_model(self) -> str:
        """Say so where the margins are about another model, with merged logits; else ""."""
        if self.ties_merged == 0 or self.tie_tolerance is None:
            return ""
        return (
            f"about the model with exact ties: {self.ties_merged} unequal logits within "
            f"{number(self.tie_tolerance)} count as equal"
        )

    def table(self) -> str:
        """Return the constants as a text table."""
        return lines(_rows(self)) + (f"\n{self.other_model}" if self.other_model else "")

    def __repr__(self) -> str:
        """Return the constants in short, as floats; `table()` has all of them."""
        parts = [
            *(f"{symbol}={text}" for symbol, _, text in _rows(self) if symbol),
            *([self.other_model] if self.other_model else []),
        ]
        return f"ArgmaxConstants({', '.join(parts)})"

    def parameters(self, *, realised: bool = False) -> dict[str, Any]:
        """Return the keywords for `bounds.required_length` that describe f and g.

        Args:
            realised: use margin_realised instead of the paper's margin.

        Where no two logits differ, `margin` is precision_bits: the threshold 2^(p/γ) is then 2,
        and inputs of length 1 have hardmax attention anyway. `largest_gap` is given only where
        the theorem that reads it applies: Δ = 1, no lag bias, shared logits, gap below 1.
        `tie_tolerance` is given only where unequal logits were merged: the margin is then that of
        another model, and `bounds` asks for assume={"exact_ties"}.
        """
        margin = self.margin_realised if realised else self.margin
        keywords: dict[str, Any] = {
            "attention": self.attention,
            "layers": self.layers,
            "lipschitz": self.lipschitz,
            "lipschitz_marginal": self.lipschitz_marginal,
            "lipschitz_euclidean": self.lipschitz_euclidean,
            "vocabulary_size": self.vocabulary_size,
            "period": self.period,
            "locality": self.locality,
            "heads": self.heads,
            "precision_bits": self.precision_bits,
            "margin": Fraction(self.precision_bits) if margin is None else margin,
        }
        same_everywhere = self.period == 1 and self.assume >= {"no_lag_bias", "shared_logits"}
        if same_everywhere and self.largest_gap < 1:
            keywords["largest_gap"] = self.largest_gap
        if self.ties_merged > 0:
            keywords["tie_tolerance"] = self.tie_tolerance
        return keywords


def _rows(c: ArgmaxConstants) -> list[Row]:
    none = "no two logits differ"
    rows = [
        *size_rows(c.vocabulary_size, c.period, c.locality, c.heads),
        ("p", "bits of precision", str(c.precision_bits)),
        ("L", "Lipschitz constant in the attention", number(c.lipschitz)),
        ("", "  sharp form", number(c.lipschitz_sharp)),
        ("", "  operator norms", number(c.lipschitz_operator)),
        ("L′", "the same for token and position marginals", number(c.lipschitz_marginal)),
        ("Λ", "Euclidean constant, for average errors", number(c.lipschitz_euclidean)),
        ("γ", "logit margin, all pairs", none if c.margin is None else number(c.margin)),
        (
            "",
            "  largest logit of an input against the next",
            none if c.margin_realised is None else number(c.margin_realised),
        ),
    ]
    if c.tie_tolerance is not None:
        merged = f"  logits merged within {number(c.tie_tolerance)}"
        rows.append(("", merged, str(c.ties_merged)))
    return rows
