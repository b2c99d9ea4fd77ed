"""No necessary length above a sufficient one: whatever is given, both are true of the same models.

Draws of every keyword of a setting at once, with any names in `assume`; a bound that does not read
a keyword has to be true, or to refuse it, all the same.
"""

import os
from fractions import Fraction

import numpy as np
import pytest

import bounds
from bounds import BoundsError, Direction, Setting
from bounds.apply import apply
from bounds.evaluate import size
from bounds.parameters import read_all
from bounds.scope import contradictions

DRAWS = int(os.environ.get("BOTH_SIDES_DRAWS", "1000"))

VALUES = {
    "epsilon": [0, Fraction(1, 1000), Fraction(1, 50), Fraction(1, 10)],
    "target": [Fraction(3, 1000), Fraction(3, 50), Fraction(3, 10), 1],
    "lipschitz": [Fraction(1, 4), Fraction(1, 2), 1, 5, 100],
    "vocabulary_size": [1, 2, 2, 3, 8, 100],
    "period": [1, 1, 2, 3, 7],
    "locality": [0, 0, 1, 2, 9],
    "heads": [1, 1, 2, 3],
    "precision_bits": [1, 2, 8],
    "margin": [Fraction(1, 2), Fraction(9, 10), 1, 4],
    "positional_margin": [Fraction(1, 2), 1, 2],
}
SOMETIMES = {
    "lipschitz_other": [0, Fraction(1, 100), Fraction(1, 2), 1, 5],
    "largest_gap": [0, Fraction(1, 2)],
    "tie_tolerance": [0, Fraction(1, 1000), Fraction(1, 100)],
    "horizon": [10, 1000, 2**20, 2**50],
    "light_groups": [0, 1, 3],
    "states": [1, 2, 5],
    "path_states": [1, 5, 9],
    "complexity_balanced": [4, 300, 10**3, 10**5],
    "complexity_periodic": [4, 300, 10**3, 10**5],
    "logit_range_last": [0, 1, 3],
    "logit_range": [0, 1],
    "logit_range_columns": [0, 1],
    "lipschitz_euclidean": [Fraction(1, 2), 1, 5, 100],
    "complexity_average": [1, 4],
}
LAWS = [
    {},
    {"alpha_min": [Fraction(1, 2), 1], "alpha_total": [50, 200]},
    {"alpha_min": [1], "alpha_total": [2]},
    {"class_probability": [Fraction(1, 8), Fraction(1, 2)]},
]
COMPARED = {
    ("linf", "argmax", 1): 200,
    ("linf", "argmax", 2): 30,
    ("linf", "softmax", 1): 30,
    ("linf", "softmax", 2): 15,
    ("average", "argmax", 1): 5,
    ("average", "softmax", 1): 5,
}
"""Cells, and how many pairs of numbers 1000 draws have to compare at least."""

NAMES = sorted(
    {
        hypothesis.name
        for entry in bounds.theorems()
        for hypothesis in entry.hypotheses
        if hypothesis.name
    }
)


def proved(cell, direction):
    """The entries of a cell with a length and constants of ours."""
    return [
        entry
        for entry in bounds.theorems()
        if entry.setting is not None
        and entry.setting.covers(Setting(*cell))
        and entry.quantity == "length"
        and entry.direction is direction
        and entry.constants == "proved"
        and entry.formula
    ]


def to_assert(entry):
    """The names without which an entry is not used unless it is asked for by its key."""
    return {hypothesis.name for hypothesis in entry.hypotheses if hypothesis.needs_assertion()}


def draw(rng, entry):
    """Keywords that do not contradict each other, and names to assume, those of `entry` too."""

    def pick(row):
        return row[rng.integers(len(row))]

    while True:
        given = {k: pick(row) for k, row in VALUES.items()}
        given |= {
            k: pick(row)
            for k, row in SOMETIMES.items()
            if rng.random() < (0.7 if k in entry.parameters else 0.15)
        }
        given |= {k: pick(row) for k, row in pick(LAWS).items()}
        if entry.setting.attention == "softmax":
            del given["precision_bits"], given["margin"]
        if entry.setting.covers(Setting("linf", "softmax", 2)):  # else next to nothing is compared
            given |= {
                "heads": pick([2, 3]),
                "locality": pick([1, 2, 9]),
                "lipschitz": pick([5, 100]),
            }
            given |= {"logit_range_last": pick(SOMETIMES["logit_range_last"])}
        more = rng.choice(NAMES, size=rng.integers(3), replace=False).tolist()
        least = ["true_lipschitz"] if rng.random() < 0.5 else []
        asserted = frozenset({*to_assert(entry), *more, *least})
        values = read_all(given)
        if values["target"] > values["epsilon"] and not contradictions(values, asserted):
            return values, asserted


def answers(entries, values, asserted):
    """What those entries say that do not refuse."""
    for entry in entries:
        if to_assert(entry) <= asserted:
            try:
                yield apply(entry, values, asserted)
            except BoundsError:
                continue


@pytest.mark.slow
@pytest.mark.parametrize("cell", COMPARED, ids=str)
def test_no_necessary_length_is_above_a_sufficient_one(cell):
    compared = 0
    rng = np.random.default_rng([1, list(COMPARED).index(cell)])
    sufficient, necessary = (proved(cell, d) for d in (Direction.SUFFICIENT, Direction.NECESSARY))
    for number in range(DRAWS):
        values, asserted = draw(rng, sufficient[number % len(sufficient)])
        needed = list(answers(necessary, values, asserted))
        if not needed:
            continue
        longest = max(needed, key=lambda bound: size(bound.length, bound.log2_length))
        for enough in answers(sufficient, values, asserted):
            compared += 1
            assert size(longest.length, longest.log2_length) <= size(
                enough.length, enough.log2_length
            ), (longest, enough, values, asserted)
    assert compared >= COMPARED[cell] * DRAWS / 1000
