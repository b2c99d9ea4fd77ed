"""The constants that the theorems for finite precision read, and how they print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from bounds.numbers import brief
from verify.errors import InputError
from verify.measure.clusters import Clustering
from verify.measure.lipschitz import HeadLipschitz
from verify.measure.margin import HeadMargins
from verify.measure.table import Row, lines, number, size_rows
from verify.model.validation import as_integer


@dataclass(frozen=True)
class ArgmaxModel:
    """Constants of one model.

    Attributes:
        period, locality: the least Δ and τ that describe the weights.
        declared_period, declared_locality: those of the arrays given.
        lag_bias: whether any head has a lag bias other than 0.
        precision_bits: p.
        lipschitz: one HeadLipschitz per head.
        margins: one HeadMargins per head.
    """

    period: int
    locality: int
    declared_period: int
    declared_locality: int
    lag_bias: bool
    precision_bits: int
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
        lipschitz_other: the same, the smaller one of f and g; `lipschitz` for one model.
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
        margin_realised: the least gap between the two largest distinct logits of one input, over
            all inputs; at least the margin over all pairs, and enough for hardmax. About exact
            ties. None: no input has two.
        largest_gap: the greatest difference of two logits of one query.
        shared_logits: whether all heads of f and g have the same logits, up to a constant per
            query, and f and g the same precision. False where only one model was given: what else
            it stands for is not known.
        common_order: whether, for each query, the content logits of all heads of f and g order the
            tokens in the same way, ties included, whatever the key's residue. False where only
            one model was given.
        horizon: T*, the longest length of interest; None: every length, and only exact ties.
        candidates: the clusters with κ = 0, then those of near ties up to the horizon, if any
            (see `verify.measure.clusters`: there are no others worth looking at).
        chosen: the number of the one that `parameters()`, `assume`, `tie_tolerance` and `margin`
            are about: the last one, unless an ε was given.
        models: the constants of f, and of g where one was given.

    Source: [izzo2025, section 4]; L: [derived, Theorem 1].
    """

    vocabulary_size: int
    period: int
    locality: int
    heads: int
    precision_bits: int
    lipschitz: Fraction
    lipschitz_other: Fraction
    lipschitz_sharp: Fraction
    lipschitz_operator: Fraction
    lipschitz_marginal: Fraction
    lipschitz_euclidean: Fraction
    margin_realised: Fraction | None
    largest_gap: Fraction
    shared_logits: bool
    common_order: bool
    horizon: int | None
    candidates: tuple[Clustering, ...]
    chosen: int
    models: tuple[ArgmaxModel, ...]
    attention: Literal["argmax"] = "argmax"
    layers: Literal[1] = 1

    @property
    def clustering(self) -> Clustering:
        """The chosen candidate."""
        return self.candidates[self.chosen]

    @property
    def tie_tolerance(self) -> Fraction:
        """κ: the largest diameter of a cluster of logits taken as tied; 0: only equal ones."""
        return self.clustering.tie_tolerance

    @property
    def margin(self) -> Fraction | None:
        """γ: the least distance of two clusters, over all queries and heads of f and g; exact.

        With κ = 0 the paper's margin. None: no two logits of a query differ (or all are within κ),
        and every length has hardmax attention.
        """
        return self.clustering.margin

    @property
    def assume(self) -> frozenset[str]:
        """The named hypotheses of `bounds` that f and g satisfy.

        "no_lag_bias": no head has a lag bias other than 0. "shared_logits" and
        "common_order": see there.
        "positional_attention", "heavy", "all_light": with the chosen clusters, see `Clustering`.
        """
        facts = {
            "no_lag_bias": not any(model.lag_bias for model in self.models),
            "shared_logits": self.shared_logits,
            "common_order": self.common_order,
        }
        names = frozenset(name for name, holds in facts.items() if holds)
        return names | self.clustering.assume

    def candidate(self, number: int) -> ArgmaxConstants:
        """Return the same constants with another candidate chosen.

        Parameters and named hypotheses go together: use `parameters()` and `assume` of what this
        returns.

        Raises:
            InputError: there is no candidate of that number.
        """
        wanted = as_integer(number)
        if wanted is None or not 0 <= wanted < len(self.candidates):
            raise InputError("number", number, f"an integer, 0..{len(self.candidates) - 1}")
        return replace(self, chosen=wanted)

    def table(self) -> str:
        """Return the constants as a text table."""
        return lines(_rows(self))

    def __repr__(self) -> str:
        """Return the constants in short, as floats; `table()` has all of them."""
        parts = [f"{symbol}={text}" for symbol, _, text in _rows(self) if symbol]
        return f"ArgmaxConstants({', '.join(parts)})"

    def parameters(self, *, realised: bool = False) -> dict[str, Any]:
        """Return the keywords for `bounds.required_length` that describe f and g.

        Args:
            realised: use margin_realised instead of the paper's margin; with κ = 0 only.

        Where no two logits differ, `margin` is precision_bits: the threshold 2^(p/γ) is then 2,
        and inputs of length 1 have hardmax attention anyway. `largest_gap` is given only where
        the theorem that reads it applies: κ = 0, Δ = 1, no lag bias, shared logits, gap below 1.

        With a horizon, `tie_tolerance` and `horizon` are given, too. Members of a cluster must be
        kept by both models: where κ > 0 and the precisions differ, `precision_bits` is the smaller
        one and `margin` is made smaller by their quotient, so that 2^(p/γ) is still the length
        from which both models drop what is outside.

        Raises:
            InputError: `realised` with κ > 0.
        """
        near = self.tie_tolerance > 0
        if realised and near:
            allowed = "False: with κ > 0 the margin is the distance of clusters"
            raise InputError("realised", realised, allowed)
        least_bits = min(model.precision_bits for model in self.models)
        bits = least_bits if near else self.precision_bits
        margin = self.margin_realised if realised else self.margin
        scaled = Fraction(bits) if margin is None else margin * bits / self.precision_bits
        keywords: dict[str, Any] = {
            "attention": self.attention,
            "layers": self.layers,
            "lipschitz": self.lipschitz,
            "lipschitz_other": self.lipschitz_other,
            "lipschitz_marginal": self.lipschitz_marginal,
            "lipschitz_euclidean": self.lipschitz_euclidean,
            "vocabulary_size": self.vocabulary_size,
            "period": self.period,
            "locality": self.locality,
            "heads": self.heads,
            "precision_bits": bits,
            "margin": scaled,
            "light_groups": self.clustering.light_groups,
        }
        same_everywhere = self.period == 1 and self.assume >= {"no_lag_bias", "shared_logits"}
        if same_everywhere and self.largest_gap < 1 and not near:
            keywords["largest_gap"] = self.largest_gap
        if self.horizon is not None:
            keywords |= {"tie_tolerance": self.tie_tolerance, "horizon": self.horizon}
        return keywords


def _rows(c: ArgmaxConstants) -> list[Row]:
    return [
        *size_rows(c.vocabulary_size, c.period, c.locality, c.heads),
        ("p", "bits of precision", str(c.precision_bits)),
        ("L", "Lipschitz constant in the attention", number(c.lipschitz)),
        ("L_o", "the smaller one of f and g", number(c.lipschitz_other)),
        ("", "  sharp form of L", number(c.lipschitz_sharp)),
        ("", "  operator norms of L", number(c.lipschitz_operator)),
        ("L′", "the same for token and position marginals", number(c.lipschitz_marginal)),
        ("Λ", "Euclidean constant, for average errors", number(c.lipschitz_euclidean)),
        *_rows_of_ties(c),
        ("", "named hypotheses (assume=)", ", ".join(sorted(c.assume))),
    ]


def _rows_of_ties(c: ArgmaxConstants) -> list[Row]:
    none = "no two logits differ"
    chosen = c.clustering
    meaning = "least distance of two clusters" if c.tie_tolerance else "logit margin, all pairs"
    realised = none if c.margin_realised is None else number(c.margin_realised)
    exact = [("", "  largest logit of an input against the next", realised)]
    return [
        *([] if c.horizon is None else _rows_of_horizon(c, c.horizon)),
        ("γ", meaning, none if c.margin is None else number(c.margin)),
        *([] if c.tie_tolerance else exact),
        ("", "clusters of logits at one query, at most", str(chosen.clusters)),
        ("", "different attended sets at one query, at most", str(chosen.attended_groups)),
        ("", "  without a whole column", str(chosen.light_groups)),
    ]


def _rows_of_horizon(c: ArgmaxConstants, horizon: int) -> list[Row]:
    near = len(c.candidates) > 1
    found = "taken as ties" if c.tie_tolerance else "not taken" if near else "none up to T*"
    return [
        ("T*", "horizon: longest length of interest", brief(Fraction(horizon))),
        ("κ", "largest diameter of a cluster of near ties", number(c.tie_tolerance)),
        ("", "  near ties", found),
    ]
