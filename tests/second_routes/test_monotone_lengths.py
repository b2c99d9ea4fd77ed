"""Lengths move as the table of parameters says.

Theorem. Each parameter is a bound on a quantity. A larger upper bound (or smaller lower bound) admits more
models, so the best sufficient length cannot fall; a formula that falls would be beaten by itself at the other
value. `effect` says the direction for every keyword; sufficient lengths must follow it (inequality), in ε at a
fixed target the other way round, and, with the target 3ε, fall with ε.

Necessary lengths follow it as far as their pair allows: each of theirs is tested, the exceptions listed here
with the reason.
"""

from fractions import Fraction

import pytest

import bounds
from bounds.parameters import BY_KEYWORD
from tests.second_routes.registry_points import SEARCHED_IN_FLOATS, WITH_FORMULA, asked, points

NOT_CLAIMED = dict.fromkeys(
    SEARCHED_IN_FLOATS, "free numbers are found by a search in floats that need not find the best"
)
KEYS = [key for key in WITH_FORMULA if bounds.theorem(key).parameters and key not in NOT_CLAIMED]


def harder(keyword, value, values):
    """A value at which the length must not be shorter; None where there is none."""
    row = BY_KEYWORD[keyword]
    effect = 1 if keyword == "epsilon" and "target" in values else row.effect
    if effect == 0 or row.kind == "structure":
        return None
    if row.kind == "integer":
        moved = value + effect
        return moved if moved >= row.lower else None
    moved = value * (Fraction(9, 8) if effect > 0 else Fraction(8, 9))
    if row.upper is not None and moved > row.upper:
        return None
    return moved


def size(bound):
    return (bound.log2_length, bound.length or 0)


def monotone(key, tally, turned=1):
    for values, bound in points(key):
        for keyword, value in values.items():
            moved = harder(keyword, value, values)
            if moved is None:
                continue
            other = asked(key, values | {keyword: moved})
            if other is None or other.log2_length is None:
                tally["refused"] += 1
                continue
            if bound.length is not None and other.length is not None:
                grows = turned * (other.length - bound.length) >= 0
            else:
                grows = turned * (other.log2_length - bound.log2_length) >= -1e-9
            assert grows, (key, keyword, value, moved, bound.length, other.length, values)
            tally["moved parameters"] += 1


@pytest.mark.parametrize("key", KEYS)
def test_every_parameter(key, tally):
    monotone(key, tally)


def test_more_lags_never_help_near_a_horizon():
    """It was 1,048,581 for τ = 3 and 1,048,576 for τ = 4: the first was beyond the horizon."""
    given = {
        "theorem": "derived.one_layer_linf_horizon",
        "epsilon": Fraction(29, 1300),
        "target": Fraction(551, 5200),
        "lipschitz": Fraction(11, 5),
        "vocabulary_size": 4,
        "period": 6,
        "heads": 2,
        "precision_bits": 4,
        "margin": Fraction(33, 37),
        "tie_tolerance": Fraction(1, 500000),
        "horizon": 2**20,
    }
    lengths = [bounds.required_length(locality=lag, **given).length for lag in range(2, 7)]
    assert lengths == sorted(lengths)
    assert max(lengths) == 2**20


def test_a_better_agreement_is_no_hindrance_to_a_necessary_length():
    """It was 217,169 for the smaller ε and 193,043 for the larger, as η < 2ε."""
    key, epsilon = "derived.lower_average_one_column", Fraction(9, 47500)
    given = {"theorem": key, "target": epsilon * Fraction(5, 4), "lipschitz": 100}
    one, two = (
        bounds.required_length(epsilon=e, **given).length for e in (epsilon, epsilon * 9 / 8)
    )
    assert one <= two


def test_control_the_other_direction(tally):
    for key in ("derived.one_layer_linf", "derived.one_layer_softmax", "derived.lower_linf_c3"):
        with pytest.raises(AssertionError):
            monotone(key, tally, turned=-1)
