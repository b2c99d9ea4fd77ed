"""Every rule on arrays by itself: true values at 60 digits lie within the stated error."""

import random
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
import pytest
import sympy

from bounds.vectorised.formulas import RULES as ARRAY_RULES
from bounds.vectorised.formulas import rounded_log2
from bounds.vectorised.lanes import lanes_of
from bounds.vectorised.points import Axis, Points
from bounds.vectorised.walk import Evaluation

x, y, z, w = sympy.symbols("x y z w", real=True)
far = sympy.exp(900 * x)


def limits(lanes):
    """No rule states more than this, where nothing is close to 0 or to an integer."""
    return 1e-11 + 1e-14 * np.abs(lanes.value) * lanes.log


def moderate(rng):
    return Fraction(rng.randint(1, 400), rng.randint(1, 60))


def signed(rng):
    return rng.choice([-1, 1]) * moderate(rng)


def integer(rng):
    return Fraction(rng.randint(1, 10 ** rng.randint(1, 11)))


def wide(rng):
    return moderate(rng) * Fraction(10) ** rng.randint(-60, 60)


def huge(rng):
    return moderate(rng) * Fraction(10) ** rng.randint(200, 400)


RULES = [
    (kind, formula)
    for kind, formulas in {
        moderate: [
            *(x + y + z, x * y / z, x / (y * z), x**2, x**3, sympy.sqrt(x), x**-2, x**y),
            *(2**x, sympy.exp(x), sympy.log(x + 8), sympy.cosh(x), x * y * z + w, (x + w) * y),
            *(sympy.Max(x, y, z), sympy.Min(x, y, z), sympy.Max(x + w, y), sympy.Min(x * w, y + z)),
            sympy.Piecewise((x * y, x + y <= z), (z, x > y), (x, True)),
            sympy.Piecewise((x, (x < y) & (y < z)), (y, (x > 3) | (y > 3)), (z + x, True)),
            sympy.Piecewise((w, x >= 2 * w), (x, True)),
            *(far + y, far * y, far**3, far / z, 1 / (far + 1), sympy.log(far * y), far + 1 / far),
            *(sympy.Max(far, y), sympy.Min(far, y), 2 ** (700 * x), x ** (900 * y + 900)),
            sympy.Piecewise((x, far < y), (far * z, True)),
        ],
        signed: [
            *(x * y, x * y * z, x / y, x**2, x**3, x - 1000, y - 1000 + x, sympy.exp(x / 8)),
            *(sympy.Max(x, y), sympy.Min(x, y, z), sympy.Max(x * y, -z), 2 ** (x / 4)),
            sympy.Piecewise((x, x < y), (y, True)),
        ],
        integer: [
            *(x + y, x + y + z, x * y, x - 10**12, x * y / z, x**2, x**3, 2**w, x + y * z),
            *(sympy.Max(x, y), sympy.ceiling(x), sympy.floor(x), sympy.ceiling(x * y + z)),
            sympy.Piecewise((x, sympy.Eq(x, y)), (y, sympy.Ne(x, z)), (z, True)),
        ],
        wide: [
            *(x + y + z, x * y * z, x / y, x**2, sympy.sqrt(x * y), x**-3, sympy.Max(x, y, z)),
            *(sympy.Min(x, y), x**5, sympy.log(x**2 + 5), sympy.Piecewise((x, x < y), (z, True))),
        ],
        huge: [
            *(x + y, x * y * z, x / y, x**2, 1 / x, x + 1, sympy.Max(x, y), sympy.Min(x, y)),
            *(x * y + z, sympy.sqrt(x), sympy.Piecewise((x, x > y), (y, True)), sympy.log(x)),
        ],
    }.items()
    for formula in formulas
]


def walk(kind, seed, number=70):
    """An evaluation at `number` points for x, y, z, times three for w, and the exact values."""
    rng = random.Random(f"{kind.__name__} {seed}")
    columns = {name: [kind(rng) for _ in range(number)] for name in (x, y, z)}
    columns[w] = [Fraction(1, 3), Fraction(2), Fraction(7)]
    if kind is integer:
        columns[w] = [Fraction(2), Fraction(3), Fraction(7)]
    axes = {
        name: Axis(
            int(name == w),
            values.__getitem__,
            lanes_of(values),
            partial(np.arange, len(values)),
        )
        for name, values in columns.items()
    }
    return Evaluation(Points((number, 3), axes), {}, ARRAY_RULES), columns


def compared(lanes, truth):
    """Require every true value within the stated error; return the errors."""
    value = np.broadcast_to(lanes.value, (len(truth), 3))
    error = np.broadcast_to(lanes.error, (len(truth), 3))
    for i, row in enumerate(truth):
        for k, right in enumerate(row):
            near, stated = float(value[i, k]), float(error[i, k])
            assert stated >= 0
            if stated == np.inf:
                continue
            if lanes.log:
                assert abs(mpmath.mpf(near) - mpmath.log(right, 2)) <= stated
            else:
                room = abs(mpmath.mpf(near)) * stated * (1 + mpmath.mpf(stated))
                assert abs(mpmath.mpf(near) - right) <= room
    return error


def truth_of(formula, columns):
    function = sympy.lambdify([x, y, z, w], formula, "mpmath")

    def number(value):
        return mpmath.mpf(value.numerator) / value.denominator

    return [
        [function(*(number(columns[s][i]) for s in (x, y, z)), number(v)) for v in columns[w]]
        for i in range(len(columns[x]))
    ]


@pytest.mark.parametrize(("kind", "formula"), RULES, ids=lambda p: getattr(p, "__name__", str(p)))
def test_true_values_are_within_the_error(kind, formula):
    run, columns = walk(kind, str(formula))
    run.budget = 0
    with mpmath.workdps(60):
        lanes = run(formula)
        error = compared(lanes, truth_of(formula, columns))
    assert np.mean(error <= limits(lanes)) > 0.8


@pytest.mark.parametrize("formula", [x - y, x * y - z, x**2 - y * z, sympy.floor(x * y)])
def test_differences_lose_what_they_say(formula):
    run, columns = walk(moderate, str(formula))
    for name in (y, z):  # near x, and equal
        columns[name][:] = [v + Fraction(i % 3, 10**9) for i, v in enumerate(columns[x])]
    run.points.axes[y].lanes = run.points.axes[z].lanes = lanes_of(columns[y])
    with mpmath.workdps(60):
        truth = truth_of(formula, columns)
        compared(run(formula), truth)


@pytest.mark.parametrize("rounding", ["up", "down"])
@pytest.mark.parametrize("kind", [moderate, huge], ids=lambda kind: kind.__name__)
def test_rounded_lengths_are_on_the_safe_side(kind, rounding):
    for formula in (x * y + 1, x * y / z + 1, 10 + sympy.sqrt(x)):
        run, columns = walk(kind, rounding)
        run.budget = 0
        lanes = rounded_log2(run, formula, rounding)
        integer_near = mpmath.ceil if rounding == "up" else mpmath.floor
        with mpmath.workdps(60):
            truth = truth_of(formula, columns)
            if kind is moderate:  # log2 of what is huge does not tell integers apart
                truth = [[integer_near(v) for v in row] for row in truth]
            error = compared(lanes, truth)
        assert np.mean(error <= limits(lanes)) > 0.8


def test_integers_that_floats_cannot_tell():
    """x·y is an integer, but its factors are not: in floats it is perhaps one more, with budget not."""
    values = [Fraction(n, 7) for n in range(1, 90)]
    others = [Fraction(7 * n, 3 * m) for n, m in zip(range(90, 1, -1), range(1, 90), strict=True)]
    axes = {
        name: Axis(0, column.__getitem__, lanes_of(column), lambda: np.arange(89))
        for name, column in ((x, values), (y, others))
    }
    product = x * y * 3
    for budget, up in ((0, True), (0, False), (500, True), (500, False)):
        run = Evaluation(Points((89,), axes), {}, ARRAY_RULES)
        run.budget = budget
        lanes = run((sympy.ceiling if up else sympy.floor)(product))
        error = np.broadcast_to(lanes.error, (89,))
        for i, (a, b) in enumerate(zip(values, others, strict=True)):
            exact = 3 * a * b
            right = -((-exact.numerator) // exact.denominator) if up else int(exact // 1)
            assert (lanes.value[i] >= right) if up else (lanes.value[i] <= right)
            assert abs(lanes.value[i] - right) <= error[i] * abs(lanes.value[i]) * (1 + error[i])
            if budget:
                assert lanes.value[i] == right
        assert budget or np.any(error > 0)
