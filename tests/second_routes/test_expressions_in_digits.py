"""`.expression` in 60 digits against the certified length, for every theorem of the registry.

Theorem. `bound.expression` is the theorem's formula in the parameters' symbols; at the parameters it is a
real number v, and the length is ⌈v⌉ (sufficient) or ⌊v⌋ (necessary, failure). mpmath evaluates it here
by other code than the certified evaluator's: equality of integers; where the evaluator could not decide a rounding
inside and says so, it is the safe neighbour (an inequality). `bound.terms` are values of the same
kind, of which the length is the largest or which it adds up: where the length is their largest, the largest
of them rounded (equality).

`bound.formula(free)` with a value put in for what is free is `required_length` at that value: equality,
for theorems without a free choice, whose best value depends on the parameters.
"""

from fractions import Fraction

import pytest

import bounds
from bounds.parameters import BY_KEYWORD
from tests.second_routes import digits
from tests.second_routes.cases import FACTOR, fails
from tests.second_routes.registry_points import WITH_FORMULA, asked, points

SYMBOLS = {keyword: row.symbol for keyword, row in BY_KEYWORD.items()}


def in_digits(bound, expression=None, values=None):
    """The formula's value rounded to the safe side, by mpmath."""
    values = bound.parameters if values is None else values
    known = {SYMBOLS[k]: v for k, v in values.items() if k in SYMBOLS}
    known |= {SYMBOLS[k]: Fraction(v) for k, v in known.items() if isinstance(v, (int, str))}
    places = 80 + int((bound.log2_length or 0) / 3)
    expression = bound.expression if expression is None else expression
    _, value, rounded = digits.evaluated(expression, known, places)
    return int(rounded(value, up=bound.theorem.rounding == "up"))


def is_tight(bound):
    """Whether the evaluator decided every rounding."""
    values = {k: Fraction(v) if isinstance(v, int) else v for k, v in bound.parameters.items()}
    if "target" in values:
        values["simulation_error"] = (values["target"] - values["epsilon"]) / 2
    return bound.theorem.evaluate(values).length.tight


def expression_is_the_length(key, tally, change=0):
    for _, bound in points(key):
        if bound.expression is None or bound.length is None:
            tally["searched"] += 1
            continue
        value = in_digits(bound, bound.expression * (1 + change))
        if is_tight(bound):
            assert value == bound.length, bound.parameters
        else:  # a rational in disguise, too well hidden: the safe neighbour of a rounding inside
            off = (bound.length - value) * (1 if bound.theorem.rounding == "up" else -1)
            assert 0 <= off <= 2 * bound.parameters.get("period", 1) + 2, bound.parameters
            tally["safe neighbours"] += 1
        tally["expressions"] += 1


@pytest.mark.parametrize("key", WITH_FORMULA)
def test_expressions(key, tally):
    expression_is_the_length(key, tally)


@pytest.mark.parametrize("key", WITH_FORMULA if FACTOR > 1 else WITH_FORMULA[::2])
def test_formulas_with_another_value_put_in(key, tally):
    formulas_with_another_value(key, tally)


def formulas_with_another_value(key, tally, shift=0):
    entry = bounds.theorem(key)
    if entry.choices is not None:
        return
    for n, (values, bound) in enumerate(points(key)):
        reals = [k for k in values if BY_KEYWORD[k].kind == "real"]
        if not reals:
            continue
        free = reals[n % len(reals)]
        changed = values | {free: values[free] * Fraction(37, 36)}
        other = asked(key, changed)
        if other is None or other.length is None:
            continue
        formula = bound.formula([free])
        # What was taken by default may follow the free parameter: it is in the formula.
        value = in_digits(other, formula, {free: changed[free] * (1 + shift)})
        assert value == other.length, (free, changed)
        tally["formulas"] += 1


def test_every_theorem_was_compared(tally):
    """Not one entry of the registry is without a point, but those that need no parameter."""
    without = [key for key in WITH_FORMULA if not points(key)]
    assert not without, f"no draw of registry_points.py is admissible for {without}"


def test_control_a_constant_that_is_off(tally):
    for key in ("derived.one_layer_linf", "derived.lower_tent", "derived.average_softmax"):
        with pytest.raises(AssertionError):
            expression_is_the_length(key, tally, change=Fraction(1, 10))
    fails(lambda key: formulas_with_another_value(key, tally, Fraction(-1, 2)), WITH_FORMULA)
