"""Every rule in log space against true values at 60 digits, and every domain at its ends."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

from bounds.errors import NotComputable, ParameterError
from bounds.log_arrays import _read, _Walk, evaluate
from bounds.parameters import BY_KEYWORD
from tests.bounds.test_vectorised_rules import (
    RULES,
    far,
    moderate,
    signed,
    truth_of,
    w,
    walk,
    x,
    y,
    z,
)

SPECIAL = [
    *((moderate, f) for f in (sympy.gamma(x), sympy.beta(x, y), sympy.cosh(900 * x), far - y)),
    *((moderate, f) for f in (sympy.LambertW(x), sympy.LambertW(far * y), sympy.log(x / 300))),
    *((moderate, f) for f in (sympy.Max(x, -y), sympy.Min(far, -far), sympy.exp(-far / far))),
    (moderate, sympy.LambertW(-sympy.exp(-x - 1), -1, evaluate=False)),
    (moderate, sympy.LambertW(-sympy.exp(-900 * x), -1, evaluate=False)),
    *((moderate, f) for f in (2 * far - sympy.exp(900 * x - 1), far - 3 * far * y)),
    *((moderate, f) for f in (sympy.Max(-far, -2 * far), sympy.Min(-far * y, -far * z))),
    (signed, x + y * z),
    (signed, x**3 * y),
    (signed, sympy.Piecewise((x, (x < 0) | (y >= 3)), (w, sympy.Ne(y, z)), (y, True))),
    (signed, sympy.Max(x * sympy.exp(800), y, z * sympy.exp(-900))),
]
POSITIVE = BY_KEYWORD["lipschitz"]


@pytest.mark.parametrize(
    ("kind", "formula"), [*RULES, *SPECIAL], ids=lambda p: getattr(p, "__name__", str(p))
)
def test_logs_are_those_of_true_values(kind, formula):
    _, columns = walk(kind, str(formula), number=24)
    shapes = {name: (1, -1) if name == w else (-1, 1) for name in columns}
    known = {
        name: _read(POSITIVE, np.array(values, dtype=object).reshape(shapes[name]))[0]
        for name, values in columns.items()
    }
    with np.errstate(all="ignore"):
        found = _Walk(known)(formula)
    sign, log = np.broadcast_to(found.sign, (24, 3)), np.broadcast_to(found.log, (24, 3))
    with mpmath.workdps(60):
        for i, row in enumerate(truth_of(formula, columns)):
            for k, right in enumerate(map(mpmath.re, row)):
                assert sign[i, k] == mpmath.sign(right)
                size = float(mpmath.log(abs(right), 2)) if right else -math.inf
                assert log[i, k] == pytest.approx(size, abs=2e-11, rel=1e-12)


@pytest.mark.parametrize(
    "keyword", [k for k, row in BY_KEYWORD.items() if row.kind != "structured"]
)
def test_outside_its_domain_nothing_is_said(keyword):
    row = BY_KEYWORD[keyword]
    lower, upper = Fraction(row.lower), None if row.upper is None else Fraction(row.upper)
    values = [lower, lower - 1, lower + 1, lower + Fraction(1, 2), Fraction(3, 2), Fraction(2)]
    values += [Fraction(10) ** 400, -(Fraction(10) ** 400), lower + Fraction(1, 1024)]
    if upper is not None:
        values += [upper, upper + 1, upper - Fraction(1, 1024)]
    right = [
        (value > lower if row.lower_open else value >= lower)
        and (upper is None or (value < upper if row.upper_open else value <= upper))
        and (row.kind != "integer" or value.denominator == 1)
        for value in values
    ]
    assert any(right)
    assert not all(right)
    formula = row.symbol**2 + 10
    found = evaluate(formula, [row], [np.array(values, dtype=object)], True)
    assert (~np.isnan(found)).tolist() == right
    for value, log in zip(values, found.tolist(), strict=True):
        if not math.isnan(log) and value < 10**6:
            assert log == pytest.approx(math.log2(math.ceil(value**2 + 10)), rel=1e-13)
    floats = np.array([float(v) for v in values if abs(v) < 10**9])
    again = evaluate(formula, [row], [floats], True)
    assert (~np.isnan(again)).tolist() == [
        r for r, v in zip(right, values, strict=True) if abs(v) < 10**9
    ]


def test_powers_of_negative_numbers():
    """(−x)³ was positive once: 3 came back from its log2 as 3.0000000000000004."""
    known = {x: _read(POSITIVE, np.array([-2.0]))[0]}
    signs = [float(_Walk(dict(known))(x**n).sign[0]) for n in (3, 2, 5, -3, 4)]
    assert signs == [-1, 1, -1, -1, 1]
    assert math.isnan(_Walk(known)(sympy.Pow(x, sympy.Rational(1, 2), evaluate=False)).sign[0])


def test_rounding_and_signs_of_a_length():
    row = BY_KEYWORD["lipschitz"]
    up, down = (evaluate(row.symbol / 3, [row], [np.array([10.0, 9.0, 0.5])], u) for u in (1, 0))
    assert up.tolist() == pytest.approx([2.0, math.log2(3), 0.0])
    assert down.tolist() == pytest.approx([math.log2(3), math.log2(3), -math.inf])
    assert math.isnan(evaluate(-row.symbol, [row], [2.0], True))
    assert evaluate(row.symbol * 2**3000 + Fraction(1, 2), [row], [2], True) == 3001


def test_what_has_no_rule_or_is_no_number_is_refused():
    row = BY_KEYWORD["lipschitz"]
    with pytest.raises(NotComputable):
        evaluate(sympy.sin(row.symbol), [row], [1.0], True)
    with pytest.raises(NotComputable):
        evaluate(row.symbol * sympy.I, [row], [1.0], True)
    with pytest.raises(ParameterError):
        evaluate(row.symbol, [row], [np.array(["a half"], dtype=object)], True)
