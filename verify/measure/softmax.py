"""Constants of one- and two-layer models in infinite precision, in norm and enclosed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from flint import arb, ctx

from bounds.numbers import Exact, exact
from verify.errors import InputError
from verify.measure import complexity
from verify.measure.dyadic import Dyadic
from verify.measure.lipschitz import head_lipschitz
from verify.measure.norms import PRECISION, interval, keyword, log_up, operator_norm_up, rounded_up
from verify.measure.softmax_heads import SoftmaxHead, softmax_heads
from verify.measure.table import softmax_table
from verify.measure.two_layer import (
    TwoLayerForm,
    check_scope,
    enclosed_form,
    norm_form,
    value_rank,
)
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer


@dataclass(frozen=True)
class SoftmaxModel:
    """Constants of one model.

    Attributes:
        period, locality: the least Δ and τ that describe the weights.
        declared_period, declared_locality: those of the arrays given.
        heads: one SoftmaxHead per head of the first layer.
        positional_margin: γ, the least over those heads.
        head_lipschitz: L_h of every head of the last layer: exact for one layer; Λ₂ D₂,
            enclosed form, for two.
        norm, enclosed: two layers: all constants in both forms; one layer: None.
        value_rank: two layers: Σ rank V₂ over the heads of the second layer; one layer: 0.
        log_complexity, log_complexity_norm: natural logarithm of C(f) in enclosed and in norm
            form, rounded up; None if C = 0, or if no theorem defines it (one layer, Δ > 1).
        log_complexity_average: the same for the average error; None also where Δ > 1.
    """

    period: int
    locality: int
    declared_period: int
    declared_locality: int
    heads: tuple[SoftmaxHead, ...]
    positional_margin: Fraction
    head_lipschitz: tuple[Fraction, ...]
    norm: TwoLayerForm | None
    enclosed: TwoLayerForm | None
    value_rank: int
    log_complexity: float | None
    log_complexity_norm: float | None
    log_complexity_average: float | None


@dataclass(frozen=True)
class SoftmaxConstants:
    """What the theorems for infinite precision need to know about f and g.

    The names are the keywords of `bounds.required_length`; every number is exact or an upper
    bound (margins: exact). Errors are the largest over the outputs; the norm forms also hold for
    the Euclidean norm of the outputs.

    Attributes:
        attention, layers: "softmax", 1 or 2.
        vocabulary_size: |Σ|.
        period: Δ, least common multiple of the smallest periods of f and g.
        locality: τ, greatest lag with a bias that is not 0.
        heads: H, the larger number of first-layer heads.
        positional_margin: γ, the smaller one of f and g.
        logit_range: R = max_h R_h, the larger one of f and g; exact.
        lipschitz: L, of the output in the total variation of the last layer's attention, summed
            over heads, the larger one of f and g. One layer: exact. Two layers: Λ₂ Σ D₂.
        complexity: C, the larger one, enclosed form, as a number that `bounds` reads exactly (a
            Fraction, or exp of a rational where C is beyond 2^1024); None if no theorem defines
            it (one layer, Δ > 1). One layer: C of Theorem B5; two layers: of B4, or E if Δ > 1.
        complexity_norm: the same from operator norms; for comparison.
        complexity_average: two layers, Δ = 1: C for the average error over i.i.d. tokens.
        block: θ, length of the first block of the balanced construction that C refers to.
        dimension: two layers: d = Δ(|Σ| − 1) + Σ rank V₂ over f and g; one layer: None.
        models: the constants of f, and of g where one was given.

    Source: [izzo2025, section 5]; C: [derived, Theorems B4, B5, C4 and E].
    """

    layers: int
    vocabulary_size: int
    period: int
    locality: int
    heads: int
    positional_margin: Fraction
    logit_range: Fraction
    lipschitz: Fraction
    complexity: Exact | None
    complexity_norm: Exact | None
    complexity_average: Exact | None
    block: int
    dimension: int | None
    models: tuple[SoftmaxModel, ...]
    attention: Literal["softmax"] = "softmax"

    def table(self) -> str:
        """Return the constants as a text table."""
        return softmax_table(self)

    def parameters(self, *, average: bool = False) -> dict[str, Any]:
        """Return the keywords for `bounds.required_length` that describe f and g.

        Args:
            average: two layers: C for the average error instead of the error at every input.

        Raises:
            InputError: the constants asked for exist for Δ = 1 only.
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
            return keywords | {"lipschitz": self.lipschitz, "logit_range": self.logit_range}
        if average and self.complexity_average is None:
            allowed = "False, or models with period 1: none is proved for the average beyond it"
            raise InputError("average", average, allowed)
        chosen = self.complexity_average if average else self.complexity
        return keywords | {"complexity": chosen, "block": self.block}

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
            _largest([complexity.two_layer_average(form.ingredients, *sizes) for form in forms])
        )


def measure_softmax(models: tuple[LimitTransformer, ...], block: int) -> SoftmaxConstants:
    """Return the constants of one or two models that have passed the checks of `measure`."""
    layers = len(models[0].layers)
    if layers == 2:
        for name, f in zip("fg", models, strict=False):
            check_scope(name, f)
    sizes = _Sizes(
        vocabulary_size=models[0].vocabulary_size,
        period=math.lcm(*(minimal_period(f) for f in models)),
        locality=max(minimal_locality(f) for f in models),
        dimension=None,
        block=block,
    )
    if layers == 2:
        # One model alone stands for two: the other one's ranks count as well.
        ranks = sum(value_rank(f) for f in models) * (2 // len(models))
        sizes.dimension = sizes.period * (sizes.vocabulary_size - 1) + ranks
    measured = [_measure_one(f, sizes) for f in models]
    found = [model for model, _ in measured]
    enclosed, norm, average = (
        _joint([values[number] for _, values in measured]) for number in range(3)
    )
    return SoftmaxConstants(
        layers=layers,
        vocabulary_size=sizes.vocabulary_size,
        period=sizes.period,
        locality=sizes.locality,
        heads=max(f.heads[0] for f in models),
        positional_margin=min(model.positional_margin for model in found),
        logit_range=max(head.logit_range for model in found for head in model.heads),
        lipschitz=max(sum(model.head_lipschitz, Fraction(0)) for model in found),
        complexity=enclosed,
        complexity_norm=norm,
        complexity_average=average,
        block=block,
        dimension=sizes.dimension,
        models=tuple(found),
    )


@dataclass
class _Sizes:
    """What f and g share."""

    vocabulary_size: int
    period: int
    locality: int
    dimension: int | None
    block: int


def _measure_one(f: LimitTransformer, sizes: _Sizes) -> tuple[SoftmaxModel, tuple[Any, Any, Any]]:
    """Return one model's constants, and its C (enclosed, norm, average) as intervals or None."""
    heads = softmax_heads(f)
    norm = enclosed = None
    complexities: tuple[Any, Any, Any] = (None, None, None)
    if len(f.layers) == 2:
        norm = norm_form(f, heads)
        enclosed = enclosed_form(f, heads, norm)
        complexities = _two_layer_complexities(enclosed, norm, sizes)
        readout = enclosed.ingredients.readout_lipschitz
        lipschitz = tuple(
            rounded_up(readout * head.value_diameter) for head in enclosed.ingredients.heads
        )
    else:
        lipschitz = tuple(head.least for head in head_lipschitz(f))
        if sizes.period == 1:
            complexities = (
                _one_layer(heads, lipschitz, sizes),
                _one_layer_norm(f, heads, sizes),
                None,
            )
    logs = [None if value is None else log_up(value) for value in complexities]
    model = SoftmaxModel(
        period=minimal_period(f),
        locality=minimal_locality(f),
        declared_period=f.period,
        declared_locality=f.locality,
        heads=heads,
        positional_margin=min(head.positional_margin for head in heads),
        head_lipschitz=lipschitz,
        norm=norm,
        enclosed=enclosed,
        value_rank=value_rank(f) if len(f.layers) == 2 else 0,
        log_complexity=logs[0],
        log_complexity_norm=logs[1],
        log_complexity_average=logs[2],
    )
    return model, complexities


def _two_layer_complexities(
    enclosed: TwoLayerForm, norm: TwoLayerForm, sizes: _Sizes
) -> tuple[Any, Any, Any]:
    dimension = sizes.dimension or 0
    at = (dimension, sizes.period, sizes.locality, sizes.block)
    average = None
    if sizes.period == 1:
        average = complexity.two_layer_average(
            enclosed.ingredients, sizes.vocabulary_size, sizes.locality
        )
    return (
        complexity.two_layer(enclosed.ingredients, *at),
        complexity.two_layer(norm.ingredients, *at),
        average,
    )


def _one_layer(
    heads: tuple[SoftmaxHead, ...], lipschitz: tuple[Fraction, ...], sizes: _Sizes
) -> Any:
    """Return max over query types of Σ_h L_h e^{R_h} ((|Σ|/4 + τ+1)[not pos. dom.] + 2(τ+1))."""
    suffix = sizes.locality + 1
    totals = []
    with ctx.workprec(PRECISION):
        for query in range(len(heads[0].query_ranges)):
            total = arb(0)
            for head, slope in zip(heads, lipschitz, strict=True):
                weight = Fraction(2 * suffix)
                if head.regime != "position dominant":
                    weight += Fraction(sizes.vocabulary_size, 4) + suffix
                total += interval(slope * weight) * interval(head.query_ranges[query]).exp()
            totals.append(total)
        return _largest(totals)


def _one_layer_norm(f: LimitTransformer, heads: tuple[SoftmaxHead, ...], sizes: _Sizes) -> Any:
    """Return ‖U‖ Λ₁ Σ_h D_h e^{R_h} (|Σ|/4 + 3(τ+1)) with R_h, D_h from operator norms."""
    layer = f.layers[0]
    mlp = operator_norm_up(Dyadic.of(layer.mlp_in)) * operator_norm_up(Dyadic.of(layer.mlp_out))
    readout = operator_norm_up(Dyadic.of(f.unembedding)) * (1 + mlp)
    weight = readout * (Fraction(sizes.vocabulary_size, 4) + 3 * (sizes.locality + 1))
    with ctx.workprec(PRECISION):
        parts = [
            interval(weight * head.value_diameter_norm) * interval(head.logit_range_norm).exp()
            for head in heads
        ]
        return sum(parts, arb(0))


def _joint(values: list[Any]) -> Exact | None:
    """Return the largest C as a keyword, or None where one is missing."""
    return None if any(value is None for value in values) else keyword(_largest(values))


def _largest(values: list[Any]) -> Any:
    with ctx.workprec(PRECISION):
        largest = values[0]
        for value in values[1:]:
            largest = largest.max(value)
        return largest


def _unit_number(name: str, value: Any) -> Fraction:
    """Return a number of (0, 1] exactly, or raise InputError."""

    try:
        number = exact(value)
    except ValueError as problem:
        raise InputError(name, value, f"a number in (0, 1]; {problem}") from None
    if not isinstance(number, Fraction) or not 0 < number <= 1:
        raise InputError(name, value, "a rational number in (0, 1]")
    return number
