"""The constants that the theorems for infinite precision read, and how they print."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from bounds.depth_constants import DepthConstants, LayerConstants
from bounds.numbers import Exact, exact
from verify.errors import InputError
from verify.measure import complexity
from verify.measure.norms import keyword, largest
from verify.measure.softmax_heads import SoftmaxHead
from verify.measure.table import Row, lines, number, pair, size_rows
from verify.measure.two_layer import TwoLayerForm


@dataclass(frozen=True)
class SoftmaxModel:
    """Constants of one model.

    Attributes:
        period, locality: the least Δ and τ that describe the weights.
        declared_period, declared_locality: those of the arrays given.
        heads: one SoftmaxHead per head of the first layer.
        positional_margin: γ, the least over those heads.
        lag_bias: whether any head has a lag bias other than 0.
        head_lipschitz: L_h of every head of the last layer: exact for one layer; Λ₂ D₂,
            enclosed form, for two.
        head_euclidean: Λ_h of the average theorems, of every head of the last layer, rounded up;
            for two layers the same Λ₂ D₂.
        norm, enclosed: two layers: all constants in both forms; one layer: None. For large
            models single constants of the enclosed form, or all, are those of the norm form.
        value_rank: two layers: Σ rank V₂ over the heads of the second layer; one layer: 0.
        log_complexity, log_complexity_norm: natural logarithm of the C for the error at every
            input (one layer: Theorem B5; two: B4, or B4 with period Δ) in enclosed and in norm
            form, rounded up; None if C = 0, or if no theorem defines it (one layer, Δ > 1).
        log_complexity_average: the same for C of Theorem C4; None also for one layer or Δ > 1.
    """

    period: int
    locality: int
    declared_period: int
    declared_locality: int
    heads: tuple[SoftmaxHead, ...]
    positional_margin: Fraction
    lag_bias: bool
    head_lipschitz: tuple[Fraction, ...]
    head_euclidean: tuple[Fraction, ...]
    norm: TwoLayerForm | None
    enclosed: TwoLayerForm | None
    value_rank: int
    log_complexity: float | None
    log_complexity_norm: float | None
    log_complexity_average: float | None


@dataclass(frozen=True, repr=False)
class SoftmaxConstants:
    """What the theorems for infinite precision need to know about f and g.

    The names are the keywords of `bounds.required_length`; every number is exact or an upper
    bound (margins: exact). Errors are the largest over the outputs; the norm forms also hold for
    the Euclidean norm of the outputs.

    Attributes:
        attention, layers: "softmax"; the number of layers, of the deeper one of f and g.
        vocabulary_size: |Σ|.
        period: Δ, least common multiple of the smallest periods of f and g.
        locality: τ, greatest lag with a bias that is not 0.
        heads: H, the larger number of first-layer heads.
        positional_margin: γ, the smaller one of f and g.
        logit_range: R = max_h R_h, the larger one of f and g; exact.
        logit_range_columns: R_c, the same over the keys of one query and one residue, but over all
            keys of the query for position dominant heads; exact.
        lipschitz: L, of the output in the total variation of the last layer's attention, summed
            over heads, the larger one of f and g. One layer: exact. Two layers: Λ₂ Σ D₂.
        lipschitz_euclidean: Λ of the average theorems, summed over heads, the larger one of f and
            g, rounded up; at least `lipschitz` (see `verify.measure.lipschitz`).
        complexity_one_layer: one layer, Δ = 1: C of Theorem B5, the larger one of f and g; for
            the simulation error, no keyword of `bounds`. This and the next are numbers that
            `bounds` reads exactly: a Fraction, or exp of a rational where C is beyond 2^1024; in
            enclosed form; None where no theorem defines them.
        complexity_balanced: two layers, Δ = 1: C of Theorem B4, the error at every input.
        complexity_periodic: two layers, Δ > 1: C of Theorem B4 with period Δ.
        complexity_average: two layers, Δ = 1: C of Theorem C4, the average error over tokens that
            are independent given their law.
        complexity_one_layer_norm, complexity_balanced_norm, complexity_periodic_norm: the same
            from operator norms; for comparison.
        lipschitz_query, lipschitz_keys, limit_query, limit_keys, influence_keys: two layers: the
            constants of Theorem B4⁺, each the larger one of f and g; enclosed form, numbers that
            `bounds` reads exactly. One layer: None.
        depth_constants: of every layer, for Theorem D, where no other theorem covers the models:
            more than two layers, a lag bias in a layer behind the first, or f and g of different
            depth. None otherwise, and the constants of Theorems B4 and B4⁺ are None where it is
            given. `verify.measure.depth_constants` has them for any two models.
        block: θ, length of the first block of the balanced construction that C refers to.
        dimension: two layers: d = Δ(|Σ| − 1) + Σ rank V₂ over f and g; one layer: None.
        models: the constants of f, and of g where one was given.

    Source: [izzo2025, section 5]; C: [derived, Theorems B4, B4⁺, B5 and C4].
    """

    layers: int
    vocabulary_size: int
    period: int
    locality: int
    heads: int
    positional_margin: Fraction
    logit_range: Fraction
    logit_range_columns: Fraction
    lipschitz: Fraction
    lipschitz_euclidean: Fraction
    complexity_one_layer: Exact | None
    complexity_one_layer_norm: Exact | None
    complexity_balanced: Exact | None
    complexity_balanced_norm: Exact | None
    complexity_periodic: Exact | None
    complexity_periodic_norm: Exact | None
    complexity_average: Exact | None
    lipschitz_query: Exact | None
    lipschitz_keys: Exact | None
    limit_query: Exact | None
    limit_keys: Exact | None
    influence_keys: Exact | None
    depth_constants: DepthConstants | None
    block: int
    dimension: int | None
    models: tuple[SoftmaxModel, ...]
    attention: Literal["softmax"] = "softmax"

    @property
    def assume(self) -> frozenset[str]:
        """The named hypotheses of `bounds` that f and g satisfy.

        "no_lag_bias": no head of any layer has a lag bias other than 0.
        """
        lag_bias = any(model.lag_bias for model in self.models)
        return frozenset() if lag_bias else frozenset({"no_lag_bias"})

    def table(self) -> str:
        """Return the constants as a text table."""
        return _table(self)

    def __repr__(self) -> str:
        """Return the constants in short, as floats; `table()` has all of them."""
        parts = [f"layers={self.layers}"]
        parts += [f"{symbol}={text}" for symbol, _, text in _shared_rows(self)]
        logs = [model.log_complexity for model in self.models if model.log_complexity is not None]
        if logs:
            parts.append(f"ln C={max(logs):.4g}")
        return f"SoftmaxConstants({', '.join(parts)})"

    def parameters(self) -> dict[str, Any]:
        """Return the keywords for `bounds.required_length` that describe f and g.

        One layer: L, Λ, R and R_c. Two layers: the constants of Theorem B4⁺ with d; and the
        complexities that are defined, for Δ = 1 that of the error at every input and that of the
        average error, for Δ > 1 that with period Δ. More layers, or a lag bias in the second: the
        constants of every layer.
        """
        keywords: dict[str, Any] = {
            "attention": self.attention,
            "layers": self.layers,
            "vocabulary_size": self.vocabulary_size,
            "period": self.period,
            "locality": self.locality,
            "positional_margin": self.positional_margin,
        }
        if self.layers == 1:
            return keywords | {
                "lipschitz": self.lipschitz,
                "lipschitz_euclidean": self.lipschitz_euclidean,
                "logit_range": self.logit_range,
                "logit_range_columns": self.logit_range_columns,
            }
        if self.depth_constants is not None:
            return keywords | {"depth_constants": self.depth_constants}
        complexities = {
            "complexity_balanced": self.complexity_balanced,
            "complexity_periodic": self.complexity_periodic,
            "complexity_average": self.complexity_average,
        }
        defined = {name: value for name, value in complexities.items() if value is not None}
        return (
            keywords
            | defined
            | {"block": self.block}
            | {
                "dimension": self.dimension,
                "lipschitz_query": self.lipschitz_query,
                "lipschitz_keys": self.lipschitz_keys,
                "limit_query": self.limit_query,
                "limit_keys": self.limit_keys,
                "influence_keys": self.influence_keys,
            }
        )

    def markov_complexity(self, spectral_gap: Any, stationary_min: Any) -> Exact:
        """Return C for the average error over a stationary Markov chain of tokens.

        For comparison: `bounds` reads complexity_average and multiplies it by a factor that
        covers the chain, which is never less than this.

        Args:
            spectral_gap: 1 − λ, in (0, 1]; λ the norm of the kernel on mean-zero functions.
            stationary_min: least stationary probability of a token, in (0, 1].

        Raises:
            InputError: not such numbers, or not two layers with Δ = 1.
        """
        gap = _unit_number("spectral_gap", spectral_gap)
        least = _unit_number("stationary_min", stationary_min)
        if self.layers != 2 or self.period != 1:
            given = f"layers={self.layers}, period={self.period}"
            raise InputError("f", given, "two layers with period 1")
        forms = [model.enclosed for model in self.models if model.enclosed is not None]
        sizes = (self.vocabulary_size, self.locality, gap, least)
        return keyword(
            largest([complexity.two_layer_average(form.ingredients, *sizes) for form in forms])
        )


def _unit_number(name: str, value: Any) -> Fraction:
    """Return a number of (0, 1] exactly, or raise InputError."""
    try:
        found = exact(value)
    except ValueError as problem:
        raise InputError(name, value, f"a number in (0, 1]; {problem}") from None
    if not isinstance(found, Fraction) or not 0 < found <= 1:
        raise InputError(name, value, "a rational number in (0, 1]")
    return found


def _shared_rows(c: SoftmaxConstants) -> list[Row]:
    """Return the rows for f and g together."""
    columns = ("R_c", "  within one residue", number(c.logit_range_columns))
    deep = [] if c.depth_constants is None else [("P", "layers", str(c.layers))]
    return [
        *size_rows(c.vocabulary_size, c.period, c.locality, c.heads),
        ("γ", "positional margin", number(c.positional_margin)),
        ("R", "largest range of a head's content logits", number(c.logit_range)),
        *([columns] if c.layers == 1 else []),
        ("L", "Lipschitz constant in the last attention", number(c.lipschitz)),
        ("Λ", "Euclidean constant, for average errors", number(c.lipschitz_euclidean)),
        *deep,
    ]


def _table(c: SoftmaxConstants) -> str:
    """Return the constants as lines of text, model by model."""
    parts = [lines(_shared_rows(c))]
    for name, model in zip("fg", c.models, strict=False):
        parts.append(lines([(f"model {name}", "", "norm form", "enclosed"), *_model_rows(model)]))
    if c.depth_constants is not None:
        for name, layers in zip("fg", c.depth_constants.models, strict=False):
            parts.append(lines(_depth_rows(name, layers)))
    return "\n\n".join(parts)


def _model_rows(model: SoftmaxModel) -> list[Row]:
    rows: list[Row] = []
    for index, head in enumerate(model.heads):
        title = f"head {index}, {head.regime}: logit range"
        rows.append((f"R_{index}", title, *pair(head.logit_range_norm, head.logit_range)))
        diameters = pair(head.value_diameter_norm, head.value_diameter)
        rows.append((f"D_{index}", f"head {index}: diameter of the values", *diameters))
    if model.norm is not None and model.enclosed is not None:
        a, b = model.norm, model.enclosed
        rows += _form_rows(
            (a, b),
            {
                ("D_Y", "diameter of the first layer's outputs"): "output_diameter",
                ("Y_max", "largest norm of such an output"): "output_norm",
            },
        )
        rows += _form_rows(
            (a.ingredients, b.ingredients),
            {
                ("β", "first layer against total variation"): "beta",
                ("β′", "  without position dominant heads"): "beta_histogram",
                ("Λ₂", "readout"): "readout_lipschitz",
            },
        )
        for heads in zip(a.ingredients.heads, b.ingredients.heads, strict=True):
            rows += _form_rows(
                heads,
                {
                    ("R₂", "second layer: logit range"): "logit_range",
                    ("D₂", "  diameter of the values"): "value_diameter",
                    ("ℓ₂", "  Lipschitz constant of the tilt"): "tilt_lipschitz",
                },
            )
    logs = (model.log_complexity_norm, model.log_complexity)
    rows.append(("ln C", "complexity", *("–" if log is None else f"{log:.6g}" for log in logs)))
    return rows


def _depth_rows(name: str, layers: tuple[LayerConstants, ...]) -> list[Row]:
    """Return the constants of one model, a row per layer and per head."""
    rows: list[Row] = [(f"layers of {name}", "", "R", "D", "ℓ")]
    for index, layer in enumerate(layers, start=1):
        rows.append(
            (f"Λ_{index}", f"layer {index}, τ = {layer.locality}", number(layer.lipschitz), "", "")
        )
        for head, found in enumerate(layer.heads):
            numbers = (found.logit_range, found.value_diameter, found.tilt_lipschitz)
            rows.append((f"  head {head}", f"lag bias: {found.lag_bias}", *map(number, numbers)))
    return rows


def _form_rows(forms: tuple[Any, Any], names: dict[tuple[str, str], str]) -> list[Row]:
    """Return one row per constant: its two labels, then its value in both forms."""
    return [
        (*labels, *pair(*(getattr(form, name) for form in forms))) for labels, name in names.items()
    ]
