"""Expectations in the limit T = ∞: E|Σ_t q_t λ_t| for the composition q of a class.

In the limit attention on a class is the composition of the token law inside it: a point for a fixed
law, Dir(θ_t, t in the class) for a Dirichlet prior given the last tokens. So each l_k becomes a
linear functional X = Σ_t q_t λ_t.

*One sign:* E|X| = |Σθ_tλ_t|/Σθ_t. *Two values:* the share of one of them is Beta. *Else:* with
independent G_t ~ Gamma(θ_t), X·ΣG_t = Σλ_tG_t, where the sum is independent of X, so

    E|X| = E|Σλ_tG_t| / Σθ_t = (2/(πΣθ_t)) ∫_0^∞ (1 − Re φ(s))/s² ds,  φ(s) = Π(1 − iλ_ts)^(−θ_t),

an integral of a function ≥ 0, of which any part is a lower bound. In ln s it is analytic in a strip
about the real line, and ball arithmetic integrates it rigorously.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import flint

from bounds.precision import FLINT
from verify.certificates.average.shape import Piece

_DIGITS = 80
_REACH = 28


def mean_absolute(values: Sequence[Fraction], theta: Sequence[Fraction]) -> Fraction:
    """Return a lower bound of E|Σ q_t λ_t|, q ~ Dir(θ), close to it.

    Args:
        values: λ; theta: the parameters, > 0.
    """
    merged: dict[Fraction, Fraction] = defaultdict(Fraction)
    for value, weight in zip(values, theta, strict=True):
        merged[value] += weight
    total = sum(merged.values(), Fraction(0))
    mean = sum((v * w for v, w in merged.items()), Fraction(0)) / total
    if min(merged) >= 0 or max(merged) <= 0:
        return abs(mean)
    if len(merged) == 2:
        below, above = sorted(merged)
        found = _two_values(below, above, merged[above], merged[below])
    else:
        found = _integral(merged)
    return max(found, abs(mean))


def mean_of_pieces(
    pieces: Sequence[Piece], above: Fraction, below: Fraction
) -> tuple[Fraction, Fraction] | None:
    """Return both sides of E|F(q)|, q ~ Beta(above, below), for one output; None for several."""
    if any(len(piece.outputs) != 1 for piece in pieces):
        return None
    with FLINT, flint.ctx.workprec(_DIGITS):
        total = flint.arb(0)
        for piece in pieces:
            ((constant, slope),) = piece.outputs
            ends = [piece.start, piece.stop]
            if slope and piece.start < -constant / slope < piece.stop:
                ends.insert(1, -constant / slope)
            for left, right in itertools.pairwise(ends):
                sign = 1 if constant + slope * (left + right) / 2 >= 0 else -1
                mass, first = (
                    b - a
                    for a, b in zip(
                        _partial(left, above, below), _partial(right, above, below), strict=True
                    )
                )
                total += sign * (_ball(constant) * mass + _ball(slope) * first)
        if not total.is_finite():
            return None
        return max(_down(total), Fraction(0)), -_down(-total)


def _two_values(
    below: Fraction, above: Fraction, theta_above: Fraction, theta_below: Fraction
) -> Fraction:
    """Return E|X| from below for X = below + q(above − below), q ~ Beta(theta_above, …)."""
    zero = -below / (above - below)
    mean = (above * theta_above + below * theta_below) / (theta_above + theta_below)
    with FLINT, flint.ctx.workprec(_DIGITS):
        mass, first = _partial(zero, theta_above, theta_below)
        # E|X| = EX + 2E(−X; q < zero).
        negative = -(_ball(below) * mass + _ball(above - below) * first)
        return _down(_ball(mean) + 2 * negative)


def _partial(point: Fraction, a: Fraction, b: Fraction) -> tuple[flint.arb, flint.arb]:
    """Return P(q < point) and E[q; q < point] for q ~ Beta(a, b), 0 ≤ point ≤ 1."""
    if point <= 0:
        return flint.arb(0), flint.arb(0)
    if point >= 1:
        return flint.arb(1), _ball(a / (a + b))
    x, p, q = _ball(point), _ball(a), _ball(b)
    mass = x.beta_lower(p, q, regularized=1)
    first = x.beta_lower(p + 1, q, regularized=1)
    return mass, _ball(a / (a + b)) * first


def _integral(merged: dict[Fraction, Fraction]) -> Fraction:
    """Return (2/(πΣθ)) times most of the integral, from below."""
    scale = max(abs(value) for value in merged)
    with FLINT, flint.ctx.workprec(_DIGITS):
        terms = [(_ball(v / scale), _ball(w)) for v, w in merged.items() if v]

        def integrand(t: flint.acb, analytic: bool) -> flint.acb:
            s = t.exp()
            i = flint.acb(0, 1)
            ahead = sum(
                (w * (1 - i * v * s).log(analytic=analytic) for v, w in terms), flint.acb(0)
            )
            back = sum((w * (1 + i * v * s).log(analytic=analytic) for v, w in terms), flint.acb(0))
            return (1 - ((-ahead).exp() + (-back).exp()) / 2) / s

        value = flint.acb.integral(
            integrand, -_REACH, _REACH, rel_tol=flint.arb(2) ** -40, abs_tol=flint.arb(2) ** -40
        ).real
        total = sum((_ball(w) for w in merged.values()), flint.arb(0))
        found = _down(value * 2 / (flint.arb.pi() * total))
    return max(found, Fraction(0)) * scale


def _down(ball: flint.arb) -> Fraction:
    """Return the lower end of a ball, exactly; 0 where it is not finite."""
    if not ball.is_finite():
        return Fraction(0)
    mantissa, exponent = ball.lower().mid().man_exp()
    power = Fraction(2) ** int(exponent)
    return int(mantissa) * power


def _ball(number: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(number.numerator, number.denominator))
