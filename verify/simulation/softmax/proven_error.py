"""What the softmax theorems prove about a given z: upper bounds of |F(x) − F(z)| at its length.

These are the bounds before they are simplified to C·n^(−γ̄), evaluated in interval arithmetic
and rounded up; errors are the largest over the outputs. Constants come from `verify.measure`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Any, Literal

from flint import arb, ctx

from bounds.precision import FLINT
from verify.measure import measure
from verify.measure.complexity import Ingredients
from verify.measure.norms import PRECISION, float_up, interval, up
from verify.measure.softmax_constants import SoftmaxModel
from verify.model.transformer import LimitTransformer
from verify.simulation.softmax.blocks import BlockPlan

Form = Literal["enclosed", "norm"]

_LARGEST_FLOAT = Fraction(2) ** 1023


def two_layer_error(
    f: LimitTransformer,
    plan: BlockPlan,
    *,
    dimension: int,
    locality: int,
    form: Form = "enclosed",
) -> float:
    """Bound of |f(x) − f(z)| for the balanced z of `plan`; inf beyond the range of float64.

    Λ₂{η_q(1 + ΣD₂‖M‖D_Y/4) + Σ e^{R₂}[2ℓ₂ a(n) + (4d+6)(1 + ln(q)/(2J))ℓ₂β′/(q(J+1))
    + 2dD₂/(q(J+1)) + 4τD₂/(θΔ(J+1)) + 2aD₂/n]}, sums over the heads of the second layer,
    η_q = β′(2d/(q(J+1)) + a/n) + 2b(n); 4d+8 for 4d+6 if Δ > 1. With c = min(γ, 1),
    b(n) = β(τ+1)n^(−c), and a(n) = β(τ+1)(1 + (n^(1−c) − 1)/(1 − c))/n, its mean up to n.

    Args:
        f: the model.
        plan: the blocks behind z.
        dimension: d, balanced coordinates of all models together.
        locality: τ of all models together.
        form: constants over the enclosed first-layer outputs, or from operator norms.

    Source: [derived, Theorem B4⁺; with Δ > 1 its version for periodic positions].
    """
    model = ingredients(f, form)
    n, tail, schedule = plan.length, plan.tail, plan.schedule
    turns = 4 * dimension + (6 if plan.period == 1 else 8)
    half = schedule.last_share / 2  # 1/(q(J+1))
    seams = schedule.seams * locality / plan.period
    with FLINT, ctx.workprec(PRECISION):
        distance, mean_distance = _from_limit(model, n, locality + 1)
        logarithm = 1 + interval(schedule.repeats).log() / (2 * schedule.levels)
        query = model.beta_histogram * interval(2 * dimension * half + Fraction(tail, n))
        gains = (h.value_diameter * h.query_lipschitz / 4 for h in model.heads)
        total = (query + 2 * distance) * interval(1 + sum(gains, Fraction(0)))
        for head in model.heads:
            diameter, tilt = interval(head.value_diameter), interval(head.tilt_lipschitz)
            error = 2 * tilt * mean_distance
            error += interval(turns * half) * logarithm * tilt * model.beta_histogram
            error += interval(2 * dimension * half + seams + Fraction(2 * tail, n)) * diameter
            total += interval(head.logit_range).exp() * error
        return _float_up(interval(model.readout_lipschitz) * total)


def _from_limit(model: Ingredients, length: int, suffix: int) -> tuple[Any, Any]:
    """b(n) and a(n): first-layer outputs against their limit, at position n and on average."""
    rate = min(model.positional_margin, Fraction(1))
    n, scale = interval(length), model.beta * suffix
    if rate == 1:
        return scale / n, scale * (1 + n.log()) / n
    late = n ** interval(-rate)
    mean = (1 + (n * late - 1) / interval(1 - rate)) / n
    return scale * late, scale * mean


def one_layer_error(
    f: LimitTransformer, length: int, *, tail: int, period: int, locality: int
) -> float:
    """Bound of |f(x) − f(z)| for the rounded z of `length` n; inf beyond the range of float64.

    max over query types of Σ_h L_h e^{R_h}[(Δ|Σ|/4 + a)/n · 1[h not position dominant]
    + 2(τ+1)n^(−min(γ_h, 1))].

    Args:
        f: the model.
        length: n = |z|.
        tail: a, last tokens kept.
        period: Δ of all models together.
        locality: τ of all models together.

    Source: [derived, Theorem B5]; for Δ > 1 every residue class is rounded on its own, so that
    Δ|Σ|/4 + a stands in place of |Σ|/4 + τ + 1 and the proof is the same.
    """
    model = _constants(f)
    moved = (Fraction(period * f.vocabulary_size, 4) + tail) / length
    totals = []
    with FLINT, ctx.workprec(PRECISION):
        for query in range(len(model.heads[0].query_ranges)):
            total = arb(0)
            for head, slope in zip(model.heads, model.head_lipschitz, strict=True):
                margin = min(head.positional_margin, Fraction(1))
                weight = 2 * (locality + 1) * interval(length) ** interval(-margin)
                if head.regime != "position dominant":
                    weight += interval(moved)
                total += interval(slope) * interval(head.query_ranges[query]).exp() * weight
            totals.append(total)
        return max(_float_up(total) for total in totals)


def ingredients(f: LimitTransformer, form: Form = "enclosed") -> Ingredients:
    """What the two-layer bound needs to know of f."""
    model = _constants(f)
    chosen = model.enclosed if form == "enclosed" else model.norm
    assert chosen is not None  # two layers
    return chosen.ingredients


@lru_cache(maxsize=64)
def _constants(f: LimitTransformer) -> SoftmaxModel:
    """The constants of one model, kept for the next inputs."""
    model: SoftmaxModel = measure(f).models[0]  # type: ignore[assignment]
    return model


def _float_up(value: Any) -> float:
    bound = up(value)
    return float_up(bound) if bound < _LARGEST_FLOAT else inf
