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


def evaluation(key, **values):
    """The registry's formula at exact values of all parameters, hypotheses not asked."""
    exact = {k: Fraction(v) if isinstance(v, (int, str)) else v for k, v in values.items()}
    if "target" in exact:
        exact["simulation_error"] = (exact["target"] - exact["epsilon"]) / 2
    return bounds.theorem(key).evaluate(exact)


def integers(key, **values):
    """The certified length, and the certified terms by name."""
    found = evaluation(key, **values)
    assert found.length.tight
    return found.length.integer, {name: term.integer for name, term in found.terms.items()}


def slope(key, keyword, values, term=None, factor=2**10):
    """The power with which the length (or one term) grows in a parameter, beyond `values`."""
    low = evaluation(key, **values)
    high = evaluation(key, **values | {keyword: Fraction(values[keyword]) * factor})
    if term is not None:
        return (high.terms[term].log2 - low.terms[term].log2) / math.log2(factor)
    return (high.length.log2 - low.length.log2) / math.log2(factor)
