"""Lengths at many points at once: within the stated error of the certified ones, everywhere."""

import math
from fractions import Fraction

import numpy as np
import pytest

import bounds
from bounds.errors import BoundsError, NotComputable
from bounds.grid import Grid
from bounds.length import bound_for
from bounds.parameters import BY_KEYWORD
from bounds.request import read_request
from bounds.sweep_arrays import answers
from bounds.vectorised import walk

MODEL = {"vocabulary_size": 3, "period": 2, "locality": 1}
WITH_FORMULA = [
    entry.key
    for entry in bounds.theorems()
    if entry.stated is not None and entry.choices is None and entry.parameters
]
NO_RULE = {"derived.lower_average_softmax_dirichlet"}
"""The beta function has no rule on arrays."""


def drawn(rng, keyword, extreme):
    row = BY_KEYWORD[keyword]
    if row.kind == "integer":
        if keyword == "heads":
            return int(rng.integers(1, 4))
        if extreme and rng.random() < 0.3:
            return int(10 ** rng.uniform(0, 30 if keyword != "automaton_states" else 5))
        return int(rng.integers(row.lower, 12))
    kind = rng.random()
    if kind < 0.3:
        return Fraction(int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    if extreme and kind < 0.6:
        return Fraction(10) ** int(rng.integers(-40, 40)) * int(rng.integers(1, 9))
    return float(10 ** rng.uniform(-3, 2))


def paired_points(entry, count, extreme, seed):
    """Values of every parameter at `count` points, most of them admissible."""
    rng = np.random.default_rng(seed)
    points = {k: [drawn(rng, k, extreme) for _ in range(count)] for k in entry.parameters}
    if "target" in points and "epsilon" in points:
        for i, epsilon in enumerate(points["epsilon"]):
            if rng.random() < 0.7:  # most targets are above ε, some by a hair
                factor = rng.choice([2, 3, 5, 1 + 2.0**-40, 1.5])
                points["target"][i] = Fraction(epsilon) * Fraction(float(factor))
    if "lipschitz" in points and "epsilon" in points:
        for i, epsilon in enumerate(points["epsilon"]):
            if rng.random() < 0.7:
                points["lipschitz"][i] = Fraction(epsilon) * Fraction(float(rng.uniform(2, 900)))
    return points


def compare(key, points, assume=()):
    """The number of points with a length; each is compared, and each refusal."""
    request = read_request(None, None, None, key, assume, {})
    grid = Grid({}, points)
    found = answers(request, grid)
    assert found is not None
    numbers = 0
    for i in range(len(grid)):
        try:
            bound = bound_for(request, grid.values(i))
            truth = bound.log2_length
            if bound.length == 0:  # on the safe side of a length that no precision decides
                continue
        except NotComputable:
            continue
        except BoundsError:
            truth = None
        got = float(found.log2[i])
        if truth is None:
            assert math.isnan(got), (key, {k: v[i] for k, v in points.items()}, got)
            continue
        numbers += 1
        error = float(found.error[i])
        away = max(2 * error, 1e-9 * max(1, abs(truth)))
        assert abs(got - truth) <= away, (key, i, got, truth, error)
    return numbers


@pytest.mark.parametrize("key", sorted(set(WITH_FORMULA) - NO_RULE))
def test_every_theorem_agrees_with_its_certified_lengths(key, monkeypatch):
    monkeypatch.setattr(walk, "_SMALL", 1)  # otherwise short grids are worked out exactly
    monkeypatch.setattr(walk, "_BUDGET", sum(key.encode()) % 2 * 500)
    entry = bounds.theorem(key)
    compare(key, paired_points(entry, 8, extreme=True, seed=sum(key.encode())))


def test_a_formula_without_rules_is_worked_out_row_by_row(monkeypatch):
    monkeypatch.setattr(walk, "_SMALL", 1)
    for key in NO_RULE:
        entry = bounds.theorem(key)
        points = paired_points(entry, 3, extreme=False, seed=0)
        request = read_request(None, None, None, key, (), {})
        assert answers(request, Grid({}, points)) is None


def test_floats_that_cannot_tell_err_on_the_safe_side(monkeypatch):
    """⌈2^(p/γ)⌉ at γ = 1/10, p = 1, 2, 3 is 2^10, 2^20, 2^30: in floats, perhaps one more."""
    monkeypatch.setattr(walk, "_SMALL", 1)
    monkeypatch.setattr(walk, "_BUDGET", 0)
    request = read_request(None, None, None, "derived.one_layer_linf", (), {})
    bits, margins = [1, 2, 3] * 2, ["1/10"] * 3 + ["1/5", "2/5", "3/5"]
    fixed = MODEL | {"epsilon": "1/2", "lipschitz": 1}
    grid = Grid(fixed, {"precision_bits": bits, "margin": margins})
    found = answers(request, grid)
    notes = 0
    for i in range(len(grid)):
        truth = bound_for(request, grid.values(i)).log2_length
        assert truth <= found.log2[i] + 1e-12
        assert found.log2[i] <= truth + 2 * found.error[i] + 1e-12
        notes += "too large" in found.known(i, "note")
    assert notes >= 2
