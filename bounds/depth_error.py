"""The error of the balanced simulation at given θ, q, J: the recursion of docs/theory.md, enclosed.

Everything is in interval arithmetic (python-flint `arb`): what is returned contains the bound of
the theorem `derived.softmax_deep`, so that its upper end is a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Any

from flint import arb, ctx, fmpq

from bounds.depth_constants import DepthConstants, HeadConstants, LayerConstants
from bounds.errors import NotComputable

_MOST_MONOMIALS = 4096
"""Factors of a binomial coefficient, at most: beyond that no number is computed."""


@dataclass(frozen=True)
class Coefficients:
    """The bound of one model as a function of θ, q, J, all else fixed; every entry is an `arb`.

    With G = 2/(q(J+1)), H = 2/(θ(J+1)), t = 2/(qJ(J+1)), ln₁ = 1 + ln(qJ(J+1)/2) it is
    limit·n^(−γ̄) + end·a/n + balance·G + broken·H + ln q·(Σ_i logarithms[i]·ln₁^i)·t + polynomials.
    """

    limit: Any
    end: Any
    balance: Any
    broken: Any
    logarithms: tuple[Any, ...]
    polynomials: Any

    def at(self, first: Any, repeats: Any, lengths: Any, period: int, end: int, gamma: Any) -> Any:
        """The bound at θ, q, J (as `arb`), for an end of at most a = `end` symbols."""
        cells = repeats * lengths * (lengths + 1) / 2
        length = period * first * cells + end
        logarithm = 1 + cells.log()
        powers, total = arb(1), arb(0)
        for coefficient in self.logarithms:
            total += coefficient * powers
            powers *= logarithm
        # n ≥ Δθ qJ(J+1)/2 + 1 at every residue, and a/n grows with a.
        shortest = length - (period - 1)
        return (
            self.limit * (-gamma * shortest.log()).exp()
            + self.end * end / length
            + self.balance * 2 / (repeats * (lengths + 1))
            + self.broken * 2 / (first * (lengths + 1))
            + repeats.log() * total / cells
            + self.polynomials
        )


def coefficients(
    constants: DepthConstants,
    vocabulary_size: int,
    period: int,
    gamma: Any,
    tolerance: int | None,
) -> tuple[Coefficients, ...]:
    """The bounds of f and of g (of f alone where g is not given).

    Args:
        constants: per layer and head.
        vocabulary_size: |Σ|.
        period: Δ.
        gamma: γ̄ as an `arb` in (0, 1).
        tolerance: log2 η; with None every polynomial has degree 0 and error 1, which
            gives the slope of the bound in η.

    Raises:
        NotComputable: a polynomial has too many monomials to count.
    """
    dimension = balanced_dimension(constants, vocabulary_size, period, tolerance)
    models = constants.models if constants.g is not None else constants.models[:1]
    lags = constants.localities
    return tuple(
        _coefficients(model, lags, period, dimension, gamma, tolerance) for model in models
    )


def balanced_dimension(
    constants: DepthConstants, vocabulary_size: int, period: int, tolerance: int | None
) -> int:
    """d, the dimension of the vectors that are balanced, for f and g together."""
    dimension = period * (vocabulary_size - 1)
    for model in constants.models:
        for layer in model[1:-1]:
            for head in layer.heads:
                if head.reads_prefix:
                    degree = 0 if tolerance is None else taylor(head.logit_range, tolerance)[0]
                    dimension += monomials(head, degree)
        dimension += sum(head.value_rank for head in model[-1].heads if head.reads_prefix)
    return dimension


def monomials(head: HeadConstants, degree: int) -> int:
    """(1 + r_V)·C(r_M + δ, δ) − 1: coordinates that one head of a middle layer has balanced."""
    if min(head.score_rank, degree) > _MOST_MONOMIALS:
        raise NotComputable("too many monomials: the logit ranges of middle layers are too large")
    return (1 + head.value_rank) * comb(head.score_rank + degree, degree) - 1


def taylor(logit_range: Fraction, tolerance: int) -> tuple[int, Any]:
    """The least degree δ with η_δ = (R/2)^(δ+1)/(δ+1)! ≤ η = 2^tolerance, and η_δ as an interval.

    Raises:
        NotComputable: the degree is too large to be found.
    """
    return _taylor(logit_range, tolerance, ctx.prec)


@lru_cache(maxsize=4096)
def _taylor(logit_range: Fraction, tolerance: int, bits: int) -> tuple[int, Any]:
    """The same at the precision that is set."""
    if logit_range == 0:
        return 0, arb(0)
    half, allowed = interval(logit_range) / 2, arb(2) ** tolerance

    def size(order: int) -> Any:
        return (order * half.log() - arb(order + 1).lgamma()).exp()

    if size(1) <= allowed:
        return 0, size(1)
    # x^k/k! is at least x up to k = x, and falls from there on.
    low = high = max(1, int(logit_range / 2))
    while not size(high) <= allowed:
        low, high = high, 2 * high
        if high.bit_length() > 1200:
            raise NotComputable("the logit range of a middle layer is too large")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if size(middle) <= allowed else (middle, high)
    return high - 1, size(high)


@dataclass(frozen=True)
class _Sums:
    """Sums over the heads of one layer, as the theorem names them."""

    a: Any
    c: Any
    k: Any
    n: Any
    s: Any
    m: Any
    u: Any


def _sums(
    layer: LayerConstants, locality: int, place: str, gamma: Any, tolerance: int | None
) -> _Sums:
    """The sums of a layer; `place`: "first", "middle" or "last"."""
    a, c, k, n, s, m, u = arb(1), arb(0), arb(0), arb(0), arb(0), arb(0), arb(0)
    for head in layer.heads:
        spread, weight = interval(head.value_diameter), interval(head.logit_range).exp()
        if head.has_bias:
            n += (locality + 1) * spread * weight
        if head.reads_prefix:
            s += spread * weight
        if place == "first":
            continue
        tilt = weight * interval(head.tilt_lipschitz)
        a += spread * interval(head.query_lipschitz) / 4
        k += tilt * ((gamma * arb(locality + 2).log()).exp() if head.has_bias else 1) / (1 - gamma)
        if head.reads_lags:
            c += tilt
        if head.reads_prefix:
            m += tilt
            if place == "middle" and head.logit_range:
                u += (
                    spread
                    * weight
                    * (1 if tolerance is None else taylor(head.logit_range, tolerance)[1])
                )
    return _Sums(a, c, k, n, s, m, u)


def _coefficients(
    model: Sequence[LayerConstants],
    localities: Sequence[int],
    period: int,
    dimension: int,
    gamma: Any,
    tolerance: int | None,
) -> Coefficients:
    """The recursion B, x, x′, Z, W, Q, E over all layers but the last, then the last display."""
    limit = prefix = shifted = balance = broken = polynomials = arb(0)
    logarithms: list[Any] = []  # Q / ln q, as a polynomial in ln₁
    freezing = interval(Fraction(3, 2) if period == 1 else Fraction(2))
    before = 0  # τ_1 + ... + τ_(l−1)
    for number, layer in enumerate(model[:-1]):
        lags = localities[number]
        sums = _sums(layer, lags, "middle" if number else "first", gamma, tolerance)
        keep, m = sums.a + sums.c, sums.m
        moved = balance + freezing * prefix
        limit_next = (sums.a + sums.k) * limit + sums.n
        logarithms_next = _plus([keep * term for term in logarithms], [m * moved])
        logarithms_next = _plus(logarithms_next, [arb(0), *(m * term for term in logarithms)])
        balance_next = keep * balance + 2 * m * moved + dimension * (sums.s + 2 * sums.u)
        broken_next = (
            keep * broken
            + 2 * m * (broken + 2 * shifted)
            + 3 * interval(Fraction(before, period)) * sums.s
        )
        shifted_next = keep * shifted + sums.c * interval(Fraction(lags, period)) * prefix
        prefix_next = keep * prefix + sums.s
        polynomials_next = (keep + m) * polynomials + 2 * sums.u
        gain = interval(layer.lipschitz)
        limit, prefix, shifted = gain * limit_next, gain * prefix_next, gain * shifted_next
        balance, broken = gain * balance_next, gain * broken_next
        polynomials = gain * polynomials_next
        logarithms = [gain * term for term in logarithms_next]
        before += lags
    sums = _sums(model[-1], localities[-1], "last", gamma, tolerance)
    keep, m = sums.a + sums.c, sums.m
    moved = balance + freezing * prefix
    last = _plus([keep * term for term in logarithms], [m * moved])
    last = _plus(last, [arb(0), *(m * term for term in logarithms)])
    gain = interval(model[-1].lipschitz)
    return Coefficients(
        limit=gain * 2 * ((sums.a + sums.k) * limit + sums.n),
        end=gain * 2 * (keep * prefix + sums.s),
        balance=gain * (keep * balance + sums.s * dimension + 2 * m * moved),
        broken=gain
        * (
            keep * broken
            + 3 * interval(Fraction(before, period)) * sums.s
            + 2 * m * (broken + 2 * shifted)
        ),
        logarithms=tuple(gain * term for term in last),
        polynomials=gain * (keep + m) * polynomials,
    )


def _plus(left: list[Any], right: list[Any]) -> list[Any]:
    """The sum of two polynomials."""
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    padded = [*shorter, *[arb(0)] * (len(longer) - len(shorter))]
    return [a + b for a, b in zip(longer, padded, strict=True)]


def interval(value: Fraction | int) -> Any:
    """An `arb` that contains the rational number."""
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))
