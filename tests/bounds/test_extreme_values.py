"""Whatever the size of the numbers: an answer on the safe side, or a refusal, within a second."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest
import sympy
from flint import ctx

import bounds
from bounds.algebra import MAX_BITS, algebraic, put_in
from bounds.evaluate import certify, compare, enclose, log2
from bounds.functions import WrittenOut

x, y, z = sympy.symbols("x y z", positive=True)
HUGE = 10**100

# Each of these ran for minutes, or for ever. They run in another process, which a stuck
# computation cannot keep: no signal interrupts a power of long integers.
CASES = """
import faulthandler
import json

import bounds

T = "derived.average_two_layer_argmax"
TWO_LAYERS = dict(theorem=T, epsilon="1/12", target="2/5", lipschitz="3/2", vocabulary_size=3,
                  period=3, locality=1, precision_bits=4, margin="3/11", alpha_min="5/9",
                  alpha_total=3)
ONE_LAYER = dict(theorem="derived.one_layer_average", epsilon="5/7", target="11/9",
                 lipschitz="11/8", period=4, locality=1, precision_bits=3, margin=1,
                 alpha_min="10/7", alpha_total="5/2")
MARGIN = dict(theorem="derived.lower_margin", epsilon="7/3", target="1e30", lipschitz="7/3",
              positional_margin="1e100")
DIRICHLET = dict(theorem="derived.average_softmax_dirichlet", epsilon="1/10", target="1e100",
                 lipschitz="1e100", vocabulary_size=3, locality=10**30, logit_range="1e-300",
                 positional_margin="1e300", alpha_total="4/27", urn_constant=1)
MARKOV = dict(theorem="derived.average_softmax_two_layer_markov", epsilon=11, target=33,
              complexity="2/11", positional_margin="1/2", spectral_gap="1e-9999",
              stationary_min="1e-30")
LIMIT = dict(theorem="derived.one_layer_linf_limit", epsilon="1/21", target="9/7", lipschitz=5,
             vocabulary_size=10**30, period=2, heads=165, margin="11/3")
CASES = [MARGIN, DIRICHLET, MARKOV, LIMIT, ONE_LAYER]
CASES += [TWO_LAYERS | {"alpha_min": v} for v in ("1e-30", "1e-100", "1e-300", "1e-9999")]
CASES += [TWO_LAYERS | {"alpha_total": v} for v in ("1e6", "1e100", "1e1000", "1e9999")]
CASES += [TWO_LAYERS | {"locality": 10**n, "vocabulary_size": 10**30} for n in (9, 300, 4000)]
CASES += [TWO_LAYERS | {"lipschitz": "1e9999"}, TWO_LAYERS | {"lipschitz": "1e-9999"}]
CASES += [TWO_LAYERS | {"margin": v, "precision_bits": 10**12} for v in ("1e-300", "1e300")]
for i, case in enumerate(CASES):
    faulthandler.dump_traceback_later(10, exit=True)
    print(i, case, flush=True)
    try:
        bound = bounds.required_length(**case)
        json.dumps(bound.to_dict())
        bound.explain()
        assert bound.length is not None or bound.log2_length is not None
    except (bounds.NotComputable, bounds.ParameterError) as refusal:
        assert 0 < len(str(refusal)) < 3000
faulthandler.cancel_dump_traceback_later()
unknown = {k: v for k, v in DIRICHLET.items() if k != "lipschitz"}
faulthandler.dump_traceback_later(60, exit=True)
try:
    bounds.solve_for("lipschitz", length=10**30, **unknown)
except bounds.BoundsError as refusal:
    print(refusal)
(row,) = bounds.sweep(**TWO_LAYERS | {"alpha_min": ["1e-300"], "lipschitz_euclidean": "3/2"})
print(row["note"], "done")
"""


@pytest.mark.slow
def test_everything_answers_or_refuses_soon():
    run = subprocess.run(
        [sys.executable, "-c", CASES], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, (run.stdout[-2000:], run.stderr[-2000:])
    assert run.stdout.rstrip().endswith("done")


def lower_margin(lipschitz):
    """⌈(L/(2η))^(1/γ)⌉ at η = 1/2 and γ = 10^100: L^(10^-100)."""
    given = {"epsilon": "1/10", "target": "1/2", "positional_margin": "1e100"}
    return bounds.required_length(theorem="derived.lower_margin", lipschitz=lipschitz, **given)


def test_a_root_of_gigantic_index_is_rounded_to_the_right_side():
    assert lower_margin("1e30").length == 2  # a hair above 1
    assert lower_margin(1).length == 1  # 1 itself
    assert lower_margin("1e-30").length == 1  # a hair below
    root = x ** (1 / y)
    values = {x: Fraction(28), y: Fraction(HUGE)}
    assert (certify(root, values).integer, certify(root, values, "down").integer) == (2, 1)
    values = {x: Fraction(1, 28), y: Fraction(HUGE)}
    assert (certify(root, values).integer, certify(root, values, "down").integer) == (1, 0)
    assert compare(sympy.Pow(28, sympy.Rational(1, 2 * HUGE)), Fraction(1)) == 1


def test_exact_roots_are_still_seen():
    long = 7**30_000
    assert certify(x ** (1 / y), {x: Fraction(long), y: Fraction(30)}).integer == 7**1000
    sums = sympy.sqrt(x) * sympy.sqrt(y)
    assert certify(sums, {x: Fraction(2), y: Fraction(8)}) == certify(z, {z: Fraction(4)})
    assert algebraic(x**y, {x: Fraction(28), y: Fraction(1, HUGE)}) is None
    assert algebraic((x * z) ** y, {x: Fraction(28), z: sympy.pi, y: Fraction(1, HUGE)}) is None


def test_a_rational_beta_function_is_recognised():
    twelve = 1 / sympy.beta(x, y)
    for values in ({x: Fraction(2), y: Fraction(3)}, {x: Fraction(3), y: Fraction(2)}):
        assert (certify(twelve, values).integer, certify(twelve, values).tight) == (12, True)
    power = Fraction(10**40, 3)
    assert certify(1 / sympy.beta(x, y), {x: Fraction(1), y: power}).integer == 10**40 // 3 + 1


@pytest.mark.parametrize("digits", [20, 300, 9999])
def test_a_beta_function_of_large_numbers(digits):
    value = enclose(1 / sympy.beta(x, y), {x: Fraction(1, 2), y: Fraction(10) ** digits})
    expected = digits * math.log2(10) / 2 - math.log2(math.pi) / 2  # Γ(½)/√y, as y grows
    assert log2(value) == pytest.approx(expected, rel=1e-12)
    assert value.rel_accuracy_bits() > 64


def test_a_refused_beta_function_says_why():
    too_large = Fraction(2) ** 200_000
    with pytest.raises(bounds.NotComputable, match="gamma function of a number of 200001 bits"):
        enclose(sympy.beta(x, y), {x: Fraction(1, 3), y: too_large})


def test_beyond_the_bits_for_gamma_functions_lengths_stay_on_the_safe_side():
    formula, values = (x / sympy.beta(y, y)) ** z, {x: Fraction(10**30), y: Fraction(1, 3)}
    values[z] = Fraction(101)
    up, down = certify(formula, values), certify(formula, values, "down")
    assert up.tight
    assert down.tight
    assert up.integer == down.integer + 1
    values[z] = Fraction(201)  # some 20,000 bits
    up, down = certify(formula, values), certify(formula, values, "down")
    truth = enclose(formula, values, 25_000)
    with ctx.workprec(25_000):
        assert down.integer <= truth.lower()
        assert truth.upper() <= up.integer
        assert Fraction(up.integer - down.integer, up.integer) < Fraction(1, 2**16_000)
    assert up.integer.bit_length() < MAX_BITS


def test_long_powers_stay_written_in_a_formula():
    formula = put_in((2 * x / 3) ** (1 / y), {y: sympy.Rational(1, 10**300)})
    assert formula.exp == 1 / WrittenOut(1, 10**300)
    assert len(str(formula)) < 700
    assert put_in(x**y, {y: sympy.Rational(3, 2)}) == x ** sympy.Rational(3, 2)


def test_roots_of_long_numbers_without_small_factors():
    long = (10**400 + 69) * (10**401 + 61)
    values = {x: Fraction(long), y: Fraction(long)}
    assert algebraic(sympy.sqrt(x) * sympy.sqrt(y), values) == long
    assert certify(sympy.sqrt(x) * sympy.sqrt(y), values).integer == long
