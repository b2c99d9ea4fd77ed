"""Enclosures of sup |f − g| over every length, attacked by inputs; weakened code must be caught.

More pairs: python -m tests.attacks.direct_campaign.
"""

import dataclasses

import numpy as np
import pytest

from tests.attacks.direct_campaign import Tally, attack
from tests.helpers.counted_outputs import size
from tests.helpers.direct_enclosures import tiny_case
from verify.certificates.direct import cells, pieces, search, variation


@pytest.mark.slow
@pytest.mark.parametrize("finite", [True, False], ids=["finite", "infinite"])
def test_no_input_is_above_the_upper_end(finite):
    tally = Tally()
    for seed in range(8 if finite else 16):
        attack(tally, seed, finite=finite, limit=1500, batch=200, rounds=4)
    assert tally.pairs >= 7
    assert tally.tried >= 4000
    assert not tally.violations
    assert not tally.not_attained
    assert tally.nearest > 0.999


# ---------------------------------------------------------------- controls


def misses(case, slack, limit, tolerance=1e-4):
    """Return whether the upper end is below the largest |f − g| over all strings."""
    found = case.enclosure(tolerance=tolerance, limit=limit)
    return case.truth() > found.high + slack


def half_the_variation(monkeypatch):
    def weakened(*given):
        known = variation.bounded(*given)
        return dataclasses.replace(known, bound=(known.bound + known.value) / 2)

    monkeypatch.setattr(search, "bounded", weakened)


def kinks_ignored(monkeypatch):
    units = variation._Bounding._units

    def weakened(self, model, at_point):
        found = units(self, model, at_point)
        return dataclasses.replace(found, linear=np.ones_like(found.linear))

    monkeypatch.setattr(variation._Bounding, "_units", weakened)


def length_does_not_vary(monkeypatch):
    functions = variation._Bounding._functions

    def weakened(self):
        functions(self)
        self.function_moves = np.zeros_like(self.function_moves)

    monkeypatch.setattr(variation._Bounding, "_functions", weakened)


def weight_of_the_point(monkeypatch):
    functions = variation._Bounding._functions

    def weakened(self):
        weight = self.weights.at_point.copy()
        weight[:, :, : self.types] *= self.shares[:, None, :]
        total = weight.sum(axis=2)
        of_point = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0)
        self.least = self.most = of_point
        functions(self)

    monkeypatch.setattr(variation._Bounding, "_functions", weakened)


def lengths_not_cut(monkeypatch):
    monkeypatch.setattr(pieces, "least_length", lambda *given: 1)


def one_count_too_many_is_cut(monkeypatch):
    monkeypatch.setattr(cells, "_SAFE", -0.999)


def waiting_cells_forgotten(monkeypatch):
    monkeypatch.setattr(search.Search, "upper", property(lambda self: self.lower + 1e-4))


CONTROLS = [
    (half_the_variation, 33, False),
    (half_the_variation, 26, True),
    (kinks_ignored, 40, False),
    (kinks_ignored, 33, False),
    (length_does_not_vary, 37, False),
    (length_does_not_vary, 16, True),
    (weight_of_the_point, 25, False),
    (weight_of_the_point, 42, True),
    (lengths_not_cut, 34, True),
    (one_count_too_many_is_cut, 28, True),
    (one_count_too_many_is_cut, 3, False),
    (waiting_cells_forgotten, 26, True),
    (waiting_cells_forgotten, 26, False),
]
"""Weakened code, and two-token cases in finite or infinite precision that show it."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("control", "seed", "finite"), CONTROLS, ids=lambda value: getattr(value, "__name__", value)
)
def test_weakened_code_is_caught(monkeypatch, control, seed, finite):
    case = tiny_case(seed, 2, finite)
    slack = 1e-9 * max(1.0, size(case.f) + size(case.g))
    limit = 40 if control is waiting_cells_forgotten else 300
    assert not misses(case, slack, limit)
    control(monkeypatch)
    assert misses(case, slack, limit)
