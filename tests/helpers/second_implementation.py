"""What the second implementations share: 60 digits instead of intervals, and the same rounding."""

import math
from fractions import Fraction

import mpmath

import bounds

mp = mpmath.mp.clone()
mp.dps = 60


def real(value):
    """A Fraction or an integer in 60 digits."""
    value = Fraction(value)
    return mp.mpf(value.numerator) / value.denominator


def rounded(value, up=True):
    """⌈value⌉ or ⌊value⌋; what is within 40 digits of an integer is that integer."""
    if isinstance(value, (int, Fraction)):
        return math.ceil(value) if up else math.floor(value)
    nearest = int(mp.nint(value))
    if abs(value - nearest) < mp.mpf(10) ** -40 * max(1, abs(nearest)):
        return nearest
    return int(mp.ceil(value)) if up else int(mp.floor(value))


def evaluation(key, asserted=(), **values):
    """The registry's formula at exact values of all parameters, hypotheses not asked."""
    exact = {k: Fraction(v) if isinstance(v, (int, str)) else v for k, v in values.items()}
    if "target" in exact:
        exact["simulation_error"] = (exact["target"] - exact["epsilon"]) / 2
    return bounds.theorem(key).evaluate(exact, asserted)


def integers(key, asserted=(), **values):
    """The certified length, and the certified terms by name."""
    found = evaluation(key, asserted, **values)
    assert found.length.tight
    return found.length.integer, {name: term.integer for name, term in found.terms.items()}


def slope(key, keyword, values, term=None, factor=2**10):
    """The power with which the length (or one term) grows in a parameter, beyond `values`."""
    low = evaluation(key, **values)
    high = evaluation(key, **values | {keyword: Fraction(values[keyword]) * factor})
    if term is not None:
        return (high.terms[term].log2 - low.terms[term].log2) / math.log2(factor)
    return (high.length.log2 - low.length.log2) / math.log2(factor)


def nested(levels, y, factor):
    """factor·q_K(y), K levels: the least factor·(1−r)/(r·r₂···r_K) with r + r₂ + ... + r_K = y."""
    rho = 2 * real(y) / (levels + mp.sqrt(levels**2 - 4 * (levels - 1) * real(y)))
    return real(factor) * rho**-levels * (1 - rho) ** (2 - levels)


def tied_lags(v):
    """Lags 0..τ that are not ≡ −1 mod Δ, counted one by one; 1 where there is one residue."""
    d, tau = int(v["period"]), int(v["locality"])
    return 1 if d == 1 else sum((lag + 1) % d != 0 for lag in range(tau + 1))


def presence_terms(v, lag_bias=True):
    """The terms of derived.lower_presence."""
    rise, d = Fraction(v["target"] - v["epsilon"]) / Fraction(v["lipschitz"]), int(v["period"])
    terms = {"presence": 1, "levels": 1}
    if v["vocabulary_size"] >= 2:
        terms["presence"] = d * (math.ceil(1 / rise) - 1) + 1
    levels = max(
        k for k in range(1, int(min(v["heads"], v["vocabulary_size"])) + 1) if k * rise < 1
    )
    if lag_bias and (levels >= 2 or (d >= 2 and rise < 1 - Fraction(1, d))):
        terms["levels"] = d * rounded(nested(levels, levels * rise, tied_lags(v)))
    return terms


def nested_terms(v, lag_bias=True, true=False):
    """The terms of derived.lower_linf_c3."""
    rise, d = Fraction(v["target"] - v["epsilon"]) / Fraction(v["lipschitz"]), int(v["period"])
    size, tau = int(v["vocabulary_size"]), int(v["locality"])
    terms = dict.fromkeys(("levels", "suffix", "residues", "tokens"), 1)
    if lag_bias:
        largest = int(min(2 * v["heads"], size))
        levels = max(k for k in range(2, largest + 1) if -(-k // 2) * rise < 1)
        mine, others = -(-levels // 2), levels // 2
        factor = tied_lags(v) * Fraction(mine, others) ** others
        terms["levels"] = d * rounded(nested(levels, mine * rise, factor))
        below = true or v["target"] < 3 * v["epsilon"]
        if size >= 3 and tau * rise < 1 and below:
            terms["suffix"] = rounded(
                (tau + 1) * (1 + mp.sqrt(real(1 - rise))) ** 2 / real(rise) ** 2
            )
    if true and d >= 2 and rise < Fraction(1, 2):
        terms["residues"] = d * rounded((d - 1) / (1 - mp.sqrt(real(1 - 2 * rise))) ** 2)
    if true and size >= 3:
        terms["tokens"] = d * rounded((size - 2) / rise**2)
    return terms
