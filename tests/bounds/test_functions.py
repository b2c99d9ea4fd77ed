"""Formulas as NumPy code: every entry, on arrays, agrees with the certified value."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy

import bounds
from bounds.errors import ParameterError
from bounds.evaluate import enclose
from bounds.functions import LambertW, Max, Min, Piecewise, WrittenOut, beta, for_arrays
from bounds.parameters import BY_KEYWORD

x, y = sympy.symbols("x y", positive=True)
MODULES = ["numpy", ["numpy", "scipy"], None]
SEARCHED = {"derived.two_layer_softmax_balanced", "derived.softmax_deep"}
"""Where what is searched for is always shorter than the closed form: no formula to compare."""
WITH_FORMULA = [
    entry
    for entry in bounds.theorems()
    # A lone symbol stands for a number that is searched for.
    if entry.stated is not None and entry.parameters and not entry.expression.is_Symbol
    if entry.key not in SEARCHED
]

NEAR_ONE = {
    "integer": (1, 2, 3, 5),
    "real": tuple(map(Fraction, ("1/2", "7/11", "1/3", "13/9", "5/2", "1/7", "9", "1/100"))),
}


def admissible_points(entry, wanted=3):
    """Parameter values at which the hypotheses hold, drawn from a few round numbers."""
    rng = np.random.default_rng(sum(entry.key.encode()))
    points = []
    for _ in range(4000):
        point = {}
        for keyword in entry.parameters:
            row = BY_KEYWORD[keyword]
            choices = NEAR_ONE[row.kind]
            point[keyword] = choices[rng.integers(len(choices))]
        if rng.random() < 0.5:
            point |= {k: v for k, v in SMALL_ERRORS.items() if k in point}
        try:
            bound = bounds.required_length(theorem=entry.key, **point)
        except ParameterError:
            continue
        searched = bound.expression is None  # at these values only: there is no formula
        if not searched and bound.log2_length is not None and bound.log2_length < 1000:
            points.append(bound)
        if len(points) == wanted:
            break
    return points


SMALL_ERRORS = {
    "epsilon": Fraction(1, 50_000),
    "target": Fraction(3, 50_000),
    "lipschitz": Fraction(7, 3),
    "positional_margin": Fraction(1, 3),
    "margin": Fraction(7, 11),
}


@pytest.mark.slow
@pytest.mark.parametrize("entry", WITH_FORMULA, ids=lambda entry: entry.key)
def test_formulas_on_arrays_agree_with_certified_values(entry):
    compared = 0
    for bound in admissible_points(entry):
        names = [k for k in entry.parameters if k in bound.parameters]
        others = [float(bound.parameters[k]) for k in names]
        truth = exact_value(bound)
        for modules in MODULES:
            function = sympy.lambdify(
                [bounds.symbols[k] for k in names], bound.expression, modules=modules
            )
            sweeps = []
            for swept in range(len(names)):  # one parameter as an array, the others as numbers
                near = 1e-12 if BY_KEYWORD[names[swept]].kind == "real" else 0.0
                nearby = others[swept] * (1 + near * np.array([-1, 0, 1]))
                value = function(*others[:swept], nearby, *others[swept + 1 :])
                sweeps.append(np.broadcast_to(value, 3))
            if np.ptp(sweeps) > 1e-9 * abs(truth):
                continue  # on a step of a ceiling, floats may fall to either side
            assert np.array(sweeps) == pytest.approx(truth, rel=1e-9), bound.parameters
            compared += 1
    assert compared >= len(MODULES)


def exact_value(bound):
    """The formula's certified value, before it is rounded to an integer."""
    known = {bounds.symbols[k]: v for k, v in bound.parameters.items() if k in BY_KEYWORD}
    value = enclose(bound.theorem.stated.length, known | bound.theorem.stated.where | bound.choice)
    return float(value if isinstance(value, Fraction) else value.mid())


@pytest.mark.parametrize("modules", MODULES)
def test_extremes_cases_and_conditions_broadcast(modules):
    either = sympy.Or(x < 1, sympy.And(x > 2, y < 5))
    formula = for_arrays(
        sympy.Piecewise(
            (sympy.Max(x, y, 2, evaluate=False), either),
            (sympy.Min(x, y, evaluate=False) / (x - 3), x < 2),
        )
    )
    function = sympy.lambdify((x, y), formula, modules=modules)
    grid = np.array([0.5, 1.5, 3.0, 7.0])
    for other in (3.0, np.float64(3.0), np.array([3.0, 3.0, 3.0, 3.0])):
        with np.errstate(all="raise"):  # the branch not taken divides by 0
            assert function(grid, other).tolist() == [3.0, -1.0, 3.0, 7.0]
    with np.errstate(all="raise"):
        assert np.isnan(function(np.array([2.0]), 9.0)).all()  # no case holds
    assert function(grid[:, None], np.array([3.0, 4.0])).shape == (4, 2)


@pytest.mark.parametrize("modules", [*MODULES, "mpmath"])
def test_beta_and_lambert_are_real_functions(modules):
    formula = for_arrays(sympy.beta(x, y) + sympy.LambertW(-x / 10, -1))
    value = sympy.lambdify((x, y), formula, modules=modules)(0.5, 2.5)
    assert complex(value).imag == 0
    truth = sympy.beta(0.5, 2.5).evalf() + sympy.LambertW(-0.05, -1)
    assert float(value.real) == pytest.approx(float(truth), rel=1e-12)


def test_a_symbol_named_gamma_does_not_hide_the_gamma_function():
    gamma = bounds.symbols.margin
    function = sympy.lambdify((gamma, x), for_arrays(gamma * sympy.beta(x, 2)), "numpy")
    assert function(2.0, np.array([1.0, 2.0])) == pytest.approx([1, 1 / 3])


def test_extremes_are_compared_only_where_all_are_numbers():
    assert Max(3, 5) == 5
    assert Min(sympy.Integer(3), sympy.sqrt(2)) == sympy.sqrt(2)
    assert Max(x, x + 1).args == (x, x + 1)  # SymPy's own gives x + 1, after a while
    assert Max(x, y).subs({x: 2, y: 7}) == 7
    assert isinstance(Max(x, y).subs(x, 2), Max)
    assert str(Max(x, Min(y, 2))) == "Max(x, Min(2, y))"
    assert sympy.latex(Max(x, y)) == sympy.latex(sympy.Max(x, y))


@pytest.mark.parametrize(
    "formula",
    [
        Max(x, x + 1),
        Min(x, 3),
        Piecewise((x, x < 1), (Max(x, y), True)),
        beta(x, y),
        LambertW(-x, -1),
        x ** WrittenOut(10**40, 3),
    ],
)
def test_formulas_are_pickled_as_they_are_written(formula):
    twin = pickle.loads(pickle.dumps(formula))
    assert twin == formula
    assert type(twin) is type(formula)
    assert str(twin) == str(formula)


def test_a_written_out_number_is_its_fraction():
    number = WrittenOut(448983, 524288)
    assert str(1 / number) == "1/(448983/524288)"
    assert float(number) == 448983 / 524288
    assert (number.is_positive, number.is_rational, number.is_integer) == (True, True, False)
    assert (number > sympy.Rational(1, 2)) == True  # noqa: E712  # a SymPy truth value
    assert number != WrittenOut(1, 524288)
    power = (2 * x) ** WrittenOut(10**300, 3)
    assert power.is_rational is None  # asked by SymPy at every turn; must not work it out
    assert len(str(power)) < 400
