r"""How small t must be for E min(1, (t/q)^θ) ≤ u, q ~ Beta(a, A + m − a): the number K_θ(u).

Three closed forms bound the expectation ([derived, Lemma T2]); solved for 1/t they are, with
β = a·B(a, A + m − a),

    (S) (θ / ((θ − a) β u))^(1/a)                    a < θ
    (W) (−W₋₁(−uβ/e) / (uβ))^(1/a)                   a ≤ θ; the exact root of the bound at a = θ
    (M) (B(a − θ, b) / (B(a, b) u))^(1/θ)            a > θ,  b = A + m − a

and in each a may be replaced by any smaller number. (S) explodes as a ↑ θ and (M) as a ↓ θ;
the least of (M) at a, (W) at min(a, θ) and (S) at min(a, its minimiser) is monotone in a, u and A
([derived, Lemma T3]). For a = A the class holds every token: q is 1, and K_θ(u) = u^(−1/θ). The
minimiser is found in floats: any number does, only sharpness depends on it. The result is
certified like every formula.
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy
from flint import arb
from sympy import E, Eq, LambertW, Min, Piecewise, beta

from bounds.evaluate import compare, enclose, log2
from bounds.numbers import Exact, to_sympy

_GRID = 2**20
"""The minimiser of (S) is rounded to a multiple of 1/_GRID."""

_LARGEST_MASS = Fraction(2**64)
"""The minimiser is looked for up to here, where θ is larger."""

_LARGEST_LOG2 = 1000.0
"""Larger totals count as 2 to this power, which a float holds."""

_LARGE = 1e6
"""From this total on, log-gamma differences are replaced by their leading term."""


def reciprocal_root(
    mass: sympy.Expr,
    total: sympy.Expr,
    observed: sympy.Expr | int,
    theta: sympy.Expr,
    u: sympy.Expr,
    smaller_mass: sympy.Symbol,
) -> sympy.Expr:
    """K_θ(u) for a = `mass`, A = `total`, m = `observed`, with (S) at `smaller_mass`."""

    def scaled_beta(a: sympy.Expr) -> sympy.Expr:
        return a * beta(a, total + observed - a)

    def by_power(a: sympy.Expr) -> sympy.Expr:
        return (theta / ((theta - a) * scaled_beta(a) * u)) ** (1 / a)

    def by_lambert(a: sympy.Expr) -> sympy.Expr:
        r = u * scaled_beta(a)
        return (-LambertW(-r / E, -1) / r) ** (1 / a)

    if theta == 1:  # rational, and exact where the parameters are
        moment = (total + observed - 1) / (mass - 1)
    else:
        moment = beta(mass - theta, total + observed - mass) / beta(mass, total + observed - mass)
    by_moment = (moment / u) ** (1 / theta)
    return Piecewise(
        (u ** (-1 / theta), Eq(mass, total)),
        (Min(by_moment, by_lambert(theta), by_power(smaller_mass), evaluate=False), mass > theta),
        (Min(by_lambert(mass), by_power(smaller_mass), evaluate=False), True),
    )


def smaller_mass(mass: Exact, total: Exact, observed: int, theta: Fraction, u: Exact) -> Exact:
    """Return min(mass, minimiser of (S) over 0 < a < θ), the minimiser approximately."""
    # (S) is exp(h(a)/a) with the h below; a·h′ − h rises through 0 at its only minimum.
    log_inverse = -log2(enclose(to_sympy(u), {})) * math.log(2)
    size = 2 ** min(log2(enclose(to_sympy(total), {})), _LARGEST_LOG2)
    observed = min(observed, int(2**_LARGEST_LOG2))
    limit = float(min(theta, _LARGEST_MASS))

    def slope(a: float) -> float:
        b = size + observed - a
        if size > _LARGE:
            log_ratio, digamma_b = -a * math.log(size), math.log(size)
        else:
            log_ratio = math.lgamma(b) - math.lgamma(size + observed)
            digamma_b = float(arb(b).digamma())
        log_beta = math.lgamma(1 + a) + log_ratio
        h = log_inverse - math.log1p(-a / limit) - log_beta
        dh = 1 / (limit - a) - float(arb(1 + a).digamma()) + digamma_b
        return a * dh - h

    low, high = 0.0, limit
    while high - low > limit / (4 * _GRID):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    steps = min(max(round(low * _GRID), 1), math.ceil(limit * _GRID) - 1)
    best = Fraction(steps, _GRID)
    return mass if compare(mass, best) < 0 else best
