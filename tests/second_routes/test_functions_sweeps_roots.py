"""One length by four calls: `required_length`, `.function`, `sweep`, `solve_for`.

Theorem. All say the same function N of the parameters. (a) `sweep` has the same integer in every row
(equality). (b) `.function(k)` is log2 N in floats: within 10⁻⁹ relative, or on the neighbouring step of a ⌈·⌉
(the next integer). (c) v = `solve_for(k, length=n)` is the last value that fits: N(v) ≤ n, and a little
beyond v (one more; a factor 1 ± 2⁻⁴⁰) N > n or the theorem does not apply (inequalities, both sides).
"""

from fractions import Fraction

import pytest

import bounds
from bounds.errors import NoSolution
from bounds.parameters import BY_KEYWORD
from tests.second_routes.cases import FACTOR
from tests.second_routes.registry_points import WITH_FORMULA, asked, points

KEYS = [
    key
    for key in WITH_FORMULA
    if bounds.theorem(key).parameters and "depth_constants" not in bounds.theorem(key).parameters
]


def free_real(values, n):
    reals = [k for k in values if BY_KEYWORD[k].kind == "real" and BY_KEYWORD[k].effect]
    return reals[n % len(reals)] if reals else None


def sweeps(key, tally, change=0):
    for n, (values, _) in enumerate(points(key)):
        free = free_real(values, n)
        if free is None:
            continue
        grid = [values[free], values[free] * Fraction(9, 8)]
        rows = list(bounds.sweep(theorem=key, **values | {free: grid}))
        for row, value in zip(rows, grid, strict=True):
            one = asked(key, values | {free: value})
            assert row["length"] == (None if one is None else one.length + change), (key, values)
            tally["sweeps"] += 1


def functions(key, tally, change=0.0):
    for n, (values, bound) in enumerate(points(key)):
        free = free_real(values, n)
        if free is None or bound.length is None:
            continue
        (found,) = bound.function(free)([float(values[free])])
        # On a step a float may fall to the other side of it.
        apart = abs(2.0 ** (float(found) + change - bound.log2_length) - 1)
        assert apart <= 1e-9 or apart <= 1.001 / max(1, bound.length), (key, free, values, found)
        tally["functions"] += 1


def roots(key, tally, change=1):
    for n, (values, bound) in enumerate(points(key)):
        free = free_real(values, n)
        if free is None or bound.length is None or bound.length < 2:
            continue
        rest = {k: v for k, v in values.items() if k != free}
        try:
            value = bounds.solve_for(free, length=bound.length, theorem=key, **rest).value
        except NoSolution:
            tally["no solution"] += 1
            continue
        growing = (free == "epsilon" and "target" in values) or BY_KEYWORD[free].effect > 0
        there = asked(key, rest | {free: value * change})
        assert there is not None, (key, free, values)
        assert there.length <= bound.length, (key, free, values, value)
        # The value given fits as well: the last one is not before it.
        assert value >= values[free] if growing else value <= values[free], (key, free, values)
        step = Fraction(1, 2**40)
        beyond = asked(key, rest | {free: value * (1 + step if growing else 1 - step)})
        assert beyond is None or beyond.length > bound.length, (key, free, values, value)
        tally["roots"] += 1


@pytest.mark.parametrize("key", KEYS)
def test_all_four(key, tally):
    sweeps(key, tally)
    if FACTOR > 1 or KEYS.index(key) % 4 == 0:
        functions(key, tally)
        roots(key, tally)


def every_root(tally, change):
    for key in KEYS[::8]:
        roots(key, tally, change)


def test_control_one_more_and_a_root_that_is_off(tally):
    for key in ("derived.one_layer_linf", "derived.one_layer_softmax"):
        with pytest.raises(AssertionError):
            sweeps(key, tally, change=1)
        with pytest.raises(AssertionError):
            functions(key, tally, change=0.5)
    with pytest.raises(AssertionError):
        every_root(tally, change=Fraction(9, 8))
    with pytest.raises(AssertionError):
        every_root(tally, change=Fraction(8, 9))
