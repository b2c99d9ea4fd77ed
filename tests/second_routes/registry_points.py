"""Random admissible parameters of every theorem of the registry, new entries included."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np

import bounds
from bounds.errors import BoundsError
from bounds.parameters import BY_KEYWORD
from tests.second_routes.cases import FACTOR

WITH_FORMULA = [entry.key for entry in bounds.theorems() if entry.stated is not None]

SEARCHED_IN_FLOATS = (
    "derived.softmax_deep",
    "derived.simulation_balanced",
    "derived.two_layer_softmax_balanced",
)
"""Any choice of their free numbers is proved; which one is found depends on floats."""

_OUTPUT = ("lipschitz", "lipschitz_other", "lipschitz_euclidean", "lipschitz_marginal")


def _head(rng):
    part = Fraction(int(rng.integers(1, 4)), 16)
    return bounds.HeadConstants(part, part, part, part, 1, 1, "balanced")


def _drawn(rng, keyword, values):
    row = BY_KEYWORD[keyword]
    if row.kind == "structure":
        layers = (bounds.LayerConstants(1, 1, (_head(rng),)),) * 3
        return bounds.DepthConstants(layers)
    if keyword == "horizon":
        return 2 ** int(rng.integers(3, 40))
    if keyword == "tie_tolerance":
        return Fraction(int(rng.integers(0, 3)), 10 ** int(rng.integers(3, 8)))
    if row.kind == "integer":
        most = {"heads": 4, "locality": 4, "automaton_states": 6}.get(keyword, 9)
        return int(rng.integers(int(row.lower), most))
    if keyword == "target":
        return values["epsilon"] * Fraction(int(rng.integers(5, 40)), int(rng.choice([4, 8])))
    if keyword in _OUTPUT and "epsilon" in values and rng.random() < 0.7:
        factor = int(rng.choice([1, 1, 10**5]))
        return values["epsilon"] * Fraction(
            factor * int(rng.integers(2, 600)), int(rng.integers(1, 30))
        )
    if keyword == "alpha_total":
        return (
            values.get("alpha_min", Fraction(1, 2))
            * int(rng.integers(1, 6))
            * values.get("vocabulary_size", 2)
        )
    if keyword == "alpha_class":
        return values["alpha_min"] * Fraction(int(rng.integers(4, 9)), 4)
    if keyword.startswith("logit_range"):
        return Fraction(int(rng.integers(0, rng.choice([9, 99]))), 4)
    value = Fraction(int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    if keyword == "epsilon":
        value /= int(rng.choice([1, 50, 5000]))
    if row.upper is not None:
        value = min(value, 1 / value) * Fraction(9, 10)
    return value


def drawn(rng, entry):
    """One draw of all parameters, admissible or not."""
    values = {}
    first = ("epsilon", "vocabulary_size", "alpha_min")
    for keyword in sorted(entry.parameters, key=lambda k: (k not in first, k)):
        values[keyword] = _drawn(rng, keyword, values)
        rule = entry.rules.get(keyword)
        if rule is not None and rule.kind == "exactly" and isinstance(rule.bound, int):
            values[keyword] = rule.bound
    return values


@cache
def points(key, number=1):
    """(parameters, LengthBound) with a length, `number` times SECOND_ROUTES of them if they come."""
    entry = bounds.theorem(key)
    rng = np.random.default_rng(sum(key.encode()))
    found = []
    wanted = number * min(FACTOR, 60)
    for _ in range(60 + 40 * wanted):
        if len(found) == wanted:
            break
        values = drawn(rng, entry)
        bound = asked(key, values)
        if bound is not None and bound.log2_length is not None and bound.log2_length < 2000:
            found.append((values, bound))
    return tuple(found)


def asked(key, values):
    """The bound, or None where it is refused."""
    try:
        return bounds.required_length(theorem=key, **values)
    except BoundsError:
        return None
