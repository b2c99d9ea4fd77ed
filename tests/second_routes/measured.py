"""What `verify.measure` reads off two related pairs, field by field."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction

import verify

OUTPUT_SIZED = (
    "lipschitz",
    "lipschitz_other",
    "lipschitz_sharp",
    "lipschitz_operator",
    "lipschitz_marginal",
    "lipschitz_euclidean",
    "complexity_one_layer",
    "complexity_one_layer_norm",
)
"""These scale as the output does."""
ROUNDED = (
    "lipschitz_operator",
    "lipschitz_euclidean",
    "complexity_one_layer",
    "complexity_one_layer_norm",
)
"""Norms, rounded up: equal up to the rounding, for models whose norms are computed differently."""
APART = ("models", "candidates", "chosen", "horizon")


def constants(f, g):
    """The measured numbers by name, and the hypotheses that hold."""
    found = verify.measure(f, g)
    values = {row.name: getattr(found, row.name) for row in fields(found) if row.name not in APART}
    values["assume"] = found.assume
    if f.attention == "argmax":
        values |= {"margin": found.margin, "ties": found.tie_tolerance}
    return values


def compare(one, two, tally, *, factor=1, rules=None, note=""):
    """Assert two = factor·one for what is output sized, two = one for the rest.

    rules: name → a function of (one, two) that says what must hold instead; None: nothing.
    """
    rules = rules or {}
    assert one.keys() == two.keys()
    for name, first in one.items():
        second = two[name]
        if name in OUTPUT_SIZED and first is not None:
            first = first * factor
        if name in rules:
            rule = rules[name]
            assert rule is None or rule(first, second), (note, name, first, second)
        elif name in ROUNDED and first is not None:
            assert abs(first - second) <= first * Fraction(1, 10**6), (note, name, first, second)
        else:
            assert first == second, (note, name, first, second)
        tally["constants"] += 1
