r"""What Theorem A1 says about one model: a bound on E|f(x) − f(z)|, z the last n symbols of x.

Per head h: Λ_h = ℓ D_h (output norm times the diameter of the values), and the mass of its top
class, the least over queries of the largest mass of one residue of the class. The bound is

    Σ_h Λ_h E min(1, 1/√(2kq) + C/(kq)),   C = c + a + 2a/√(c + a), c = 2 + √2, a ≤ τ + Δ,

with q ~ Beta(a*_h, A + 1 − a*_h) for a Dirichlet prior, where the two terms are bounded one by
one, and q = q*_h for a fixed law, or if a class always holds every token (q = 1).
Source: [derived, Theorem A1] and [derived, Theorem A2′].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import scipy

from verify.average.laws import DirichletLaw, FixedLaw, Law
from verify.errors import InputError
from verify.measure.lipschitz import head_lipschitz
from verify.measure.margin import head_margins
from verify.measure.value_types import content_logits, minimal_period
from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer

C = 2 + math.sqrt(2)


@dataclass(frozen=True)
class AverageHead:
    """Constants of one head for the average error.

    Attributes:
        lipschitz: Λ_h, an upper bound of ℓ D_h in operator norms.
        class_mass: least mass of a top class (of the prior's α, or of the fixed law).
    """

    lipschitz: Fraction
    class_mass: Fraction


def average_heads(f: LimitTransformer, law: Law) -> tuple[AverageHead, ...]:
    """Return the constants of every head of a one-layer model in finite precision.

    Logits are compared exactly. For a fixed law only tokens of positive probability count, as
    keys and as queries.

    Raises:
        InputError: f has more than one layer or infinite precision, or the law is neither a
            DirichletLaw nor a FixedLaw.
    """
    if len(f.layers) != 1 or f.precision_bits is None:
        raise InputError("f", f, "one layer in finite precision")
    if isinstance(law, DirichletLaw):
        mass = law.alpha
    elif isinstance(law, FixedLaw):
        mass = law.probabilities
    else:
        raise InputError("law", law, "a DirichletLaw or a FixedLaw")
    return tuple(
        AverageHead(constants.operator, _class_mass(f, head, mass))
        for head, constants in enumerate(head_lipschitz(f))
    )


def _class_mass(f: LimitTransformer, head: int, mass: tuple[Fraction, ...]) -> Fraction:
    """The least, over queries, of the largest mass that the top class has in one residue."""
    logits = content_logits(f, head).numerators
    tokens, period = f.vocabulary_size, minimal_period(f)
    support = [s for s in range(tokens) if mass[s] > 0]
    keys = [(r, s) for r in range(period) for s in support]
    least = []
    for residue, query in keys:
        column = logits[:, residue * tokens + query]
        top = max(column[r * tokens + s] for r, s in keys)
        least.append(
            max(
                sum((mass[s] for s in support if column[r * tokens + s] == top), Fraction(0))
                for r in range(period)
            )
        )
    return min(least)


def is_hardmax(f: LimitTransformer, length: int) -> bool:
    """Whether every smaller logit is dropped at this length: length ≥ 2^(p/γ), decided exactly."""
    gaps = [head_margins(f, head).margin for head in range(len(f.layers[0].heads))]
    bits = f.precision_bits
    assert bits is not None
    return all(gap is None or is_dropped(length, gap, bits) for gap in gaps)


def last_symbols_bound(f: LimitTransformer, short: int, *, law: Law) -> float | None:
    """Return Theorem A1's bound on E|f(x) − f(z)| for every x of length ≥ n, z its last n symbols.

    Args:
        f: one layer, finite precision.
        short: n = |z| ≡ |x| (mod Δ).
        law: a DirichletLaw or a FixedLaw of the tokens.

    Returns:
        The bound (a float, correct up to rounding); None where the theorem does not apply: n is
        below the hardmax threshold 2^(p/γ) or below τ + 1 + Δ.

    Raises:
        InputError: f or the law is none of those.
    """
    heads = average_heads(f, law)
    period = minimal_period(f)
    periods = (short - f.locality - 1) // period
    if periods < 1 or not is_hardmax(f, short):
        return None
    end = C + short - periods * period
    joined = end + 2 * (end - C) / math.sqrt(end)
    total = 0.0
    for head in heads:
        mass = head.class_mass
        if isinstance(law, DirichletLaw) and mass < sum(law.alpha):
            alpha_total = float(sum(law.alpha))
            size = tail_mean(1 / (2 * periods), float(mass), alpha_total + 1, 0.5)
            size += tail_mean(joined / periods, float(mass), alpha_total + 1, 1.0)
        else:
            expected = periods * (1.0 if isinstance(law, DirichletLaw) else float(mass))
            size = 1 / math.sqrt(2 * expected) + joined / expected
        total += float(head.lipschitz) * min(1.0, size)
    return total


def tail_mean(t: float, a: float, total: float, theta: float) -> float:
    """Bound E min(1, (t/q)^θ) for q ~ Beta(a, total − a), total − a ≥ 1 [derived, Lemma T2]."""
    if t >= 1:
        return 1.0
    log_beta = float(scipy.special.betaln(a, total - a))
    log_t = math.log(t)
    if a > theta:
        exponent = theta * log_t + float(scipy.special.betaln(a - theta, total - a)) - log_beta
        return min(1.0, math.exp(exponent), tail_mean(t, theta, total, theta))
    logarithmic = math.exp(a * log_t - log_beta) * (1 / a - log_t)
    if a == theta:
        return min(1.0, logarithmic)
    power = math.exp(a * log_t - log_beta) * theta / (a * (theta - a))
    return min(1.0, logarithmic, power)
