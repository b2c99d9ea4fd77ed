"""Numbers at the ends of what there is: answers are right, or refused; never inf or NaN unsaid."""

from __future__ import annotations

import json
import random
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import bounds
import verify
from bounds import figures
from tests.helpers.calls import CELLS
from tests.hostile import SIZE
from verify import LimitTransformer
from verify.certificates.softmax.image import _steepest
from verify.certificates.window import float_down, float_up
from verify.measure import norms
from verify.measure.dyadic import Dyadic
from verify.model.precision import dropped, is_dropped
from verify.model.summary import Summary
from verify.simulation.argmax.rounding import rounding_allowance
from verify.simulation.softmax.rounding import softmax_rounding

TAME = (0.0, -0.0, 1.0, 0.5, -1.0, 1 / 3, 0.1, 8.0)
WILD = (
    *(5e-324, -5e-324, 2.0**-1022, 1e-300, 1e300, -1e300, 1e308, 1e154, 1e-154, 3.0),
    *(1 + 2**-52, 64.0),
)
BITS = (None, 1, 2, 8, 24, 53, 10**6, 10**9, 10**400)
REFUSALS = (verify.VerifyError, bounds.BoundsError)


def some_model(rng: random.Random, bits: int | None, share: float, vocabulary: int, period: int):
    """A one-layer model, a share of whose weights is extreme."""

    def weights(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        kinds = (WILD if rng.random() < share else TAME for _ in range(size))
        return np.array([rng.choice(kind) for kind in kinds]).reshape(shape)

    locality = rng.choice((0, 0, 1, 3))
    heads = tuple(
        verify.Head(weights(2, 2), weights(2, 2), weights(locality + 1))
        for _ in range(rng.choice((1, 1, 2)))
    )
    hidden = rng.choice((0, 2))
    layer = verify.Layer(heads, weights(hidden, 2), weights(hidden), weights(2, hidden))
    ends = weights(vocabulary, 2), weights(period, 2)
    return LimitTransformer(*ends, (layer,), weights(1, 2), bits)


def exact_output(f: LimitTransformer, x: list[int]) -> mpmath.mpf:
    """f(x) from the definition; logits as fractions, the rest in 400 digits."""
    with mpmath.workdps(400):
        length, layer = len(x), f.layers[0]
        y = [
            [
                Fraction(a) + Fraction(b)
                for a, b in zip(f.embedding[t], f.positions[i % f.period], strict=True)
            ]
            for i, t in enumerate(x, 1)
        ]

        def times(matrix: Any, vector: Any) -> list[Any]:
            return [
                sum((Fraction(m) * v for m, v in zip(row, vector, strict=True)), Fraction(0))
                for row in matrix
            ]

        def number(q: Fraction) -> mpmath.mpf:
            return mpmath.mpf(q.numerator) / q.denominator

        u = [number(v) for v in y[-1]]
        for head in layer.heads:
            query = times(head.query_key, y[-1])
            logits = [
                sum((a * b for a, b in zip(key, query, strict=True)), Fraction(0)) for key in y
            ]
            bias = [Fraction(0)] * length
            for lag, phi in enumerate(head.lag_bias[:length]):
                bias[length - 1 - lag] = Fraction(phi)
            if f.precision_bits is not None:
                logits = [a + b for a, b in zip(logits, bias, strict=True)]
                top = max(logits)
                weights = [
                    mpmath.mpf(0)
                    if is_dropped(length, top - a, f.precision_bits)
                    else mpmath.mpf(length) ** -number(top - a)
                    for a in logits
                ]
            else:
                whole = [
                    number(a) + number(b) * mpmath.log(length)
                    for a, b in zip(logits, bias, strict=True)
                ]
                weights = [mpmath.exp(a - max(whole)) for a in whole]
            total = sum(weights)
            values = [times(head.value, key) for key in y]
            for k in range(f.dimension):
                u[k] += sum(w / total * number(v[k]) for w, v in zip(weights, values, strict=True))
        hidden = [
            max(
                mpmath.mpf(0),
                sum(mpmath.mpf(w) * v for w, v in zip(row, u, strict=True)) + mpmath.mpf(b),
            )
            for row, b in zip(layer.mlp_in, layer.mlp_bias, strict=True)
        ]
        out = [
            v + sum(mpmath.mpf(w) * h for w, h in zip(row, hidden, strict=True))
            for v, row in zip(u, layer.mlp_out, strict=True)
        ]
        return sum(mpmath.mpf(w) * v for w, v in zip(f.unembedding[0], out, strict=True))


def test_forward_passes_are_within_their_bound_of_the_exact_output_or_refused():
    """Weights from 5·10^−324 to 10^308, |Σ| = 1, T = 1, p up to 10^400; both passes."""
    rng, compared = random.Random(3), 0
    for number in range(60 * SIZE):
        size, period = rng.choice((1, 2, 3)), rng.choice((1, 2))
        f = some_model(rng, rng.choice(BITS), (0.0, 0.1, 0.4)[number % 3], size, period)
        x = [rng.randrange(size) for _ in range(rng.choice((1, 2, 3, 5, 16, 17)))]
        for forward in (f, lambda x, f=f: verify.reference(f, x)):
            try:
                found = float(forward(x)[0])
                allowance = (
                    softmax_rounding(f, len(x))
                    if f.precision_bits is None
                    else rounding_allowance(f, len(x))
                )
            except verify.WeightsError:
                continue
            assert np.isfinite(found)
            assert abs(found - exact_output(f, x)) <= allowance, (number, x)
            compared += 1
    assert compared > 45 * SIZE


def test_everything_answers_or_refuses_at_extreme_weights():
    rng, answered = random.Random(5), 0
    for number in range(12 * SIZE):
        size, bits = rng.choice((1, 2, 3)), rng.choice(BITS)
        f, g = (some_model(rng, bits, (0.1, 0.4)[number % 2], size, 1) for _ in "fg")
        horizon = None if bits is None else rng.choice((1, 9, 2**20, 2**63, 10**30))
        calls = (
            lambda: repr(verify.measure(f, g, **({} if bits is None else {"horizon": 2**20}))),  # noqa: B023
            lambda: verify.prove(f, g, target="1/10", horizon=horizon, limit=500).explain(),  # noqa: B023
            lambda: str(verify.enclose(f, g, horizon=horizon, limit=500)),  # noqa: B023
            lambda: repr(verify.simulate([0] * 30, f, g, epsilon="1/10")),  # noqa: B023
            lambda: repr(verify.agreement(f, g, lengths=3)),  # noqa: B023
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                shown = calls[number % len(calls)]()
            except REFUSALS as refusal:
                shown = str(refusal)[:5000].replace("nan", "")
                answered -= 1
        assert "nan" not in shown
        answered += 1
    assert answered > 4 * SIZE


# The rule of finite precision, at its boundary.


def two_logits(gap: float, bits: int) -> LimitTransformer:
    """The output is the share of token 1, whose logit is `gap` above that of token 0."""
    head = verify.Head([[0.0, gap], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], [0.0])
    return LimitTransformer([[0, 1], [1, 1]], [[0, 0]], (verify.Layer((head,)),), [[1, 0]], bits)


@pytest.mark.parametrize(("power", "bits"), [(0, 8), (1, 8), (3, 4), (5, 3), (6, 16)])
def test_weights_are_dropped_from_2_to_the_p_over_gamma_on(power, bits):
    """T = 2^(p/γ) − 1, the same, and + 1, with γ = 2^−power: lengths up to 2^1024."""
    gap, boundary = Fraction(1, 2**power), 2 ** (bits * 2**power)
    f = two_logits(float(gap), bits)
    for length in (boundary - 1, boundary, boundary + 1):
        low = length // 2
        summary = Summary(np.array([[low - 1, length - low]], dtype=object), np.array([0]), length)
        with mpmath.workdps(60):
            weight = 0 if length >= boundary else mpmath.mpf(length) ** (-mpmath.mpf(1) / 2**power)
            share = (length - low) / (length - low + low * weight)
        assert f.of_summary(summary)[0] == pytest.approx(float(share), rel=1e-13)
        assert is_dropped(length, gap, bits) == (length >= boundary)
        if length <= 2**10:
            x = [1] * (length - low) + [0] * low
            assert verify.reference(f, x)[0] == pytest.approx(float(share), rel=1e-13)
            assert f(x)[0] == pytest.approx(float(share), rel=1e-13)


def test_p_beyond_float64_is_compared_exactly():
    gaps = [Fraction(1, 2**1074), Fraction(3), Fraction(2) ** 1023]
    floats = np.array([float(gap) for gap in gaps])
    for bits in (2**1000, 2**1000 + 1, 2**1023, 2**1033, 10**400):
        expected = [gap * 10 >= bits for gap in gaps]
        assert dropped(2**10, floats, bits, 0.0, lambda k: gaps[k]).tolist() == expected
    assert two_logits(1.0, 10**400)([1, 0]) == pytest.approx(two_logits(1.0, 53)([1, 0]))


@pytest.mark.parametrize("length", [10**15, 2**63 - 1, 2**63, 2**64 + 1, 10**30, 10**300])
def test_counted_inputs_of_any_length(length):
    f = two_logits(2.0**-1074, 8)
    half = length // 2
    counts = np.array([[half - 1, length - half]], dtype=object)
    found = f.of_summary(Summary(counts, np.array([0]), length))
    assert found[0] == pytest.approx((length - half) / length, rel=1e-14)


# What was found.


def test_bounds_of_norms_where_entries_differ_by_hundreds_of_decades():
    rng = random.Random(1)
    for _ in range(20):
        matrix = np.array([rng.choice((*WILD, *TAME)) for _ in range(4)]).reshape(2, 2)
        found = norms.operator_norm_up(Dyadic.of(matrix))
        with mpmath.workdps(700):
            largest = max(mpmath.svd_r(mpmath.matrix(matrix.tolist()), compute_uv=False))
            assert mpmath.mpf(found.numerator) / found.denominator >= largest * (
                1 - mpmath.mpf(10) ** -600
            )


def test_the_smallest_lag_bias_is_steepest_somewhere():
    for phi in (Fraction(5e-324), Fraction(1, 2**60), -Fraction(5e-324)):
        found = _steepest(phi, 1)  # sup (T^φ − 1)/T over T > 1 is near φ/e
        assert abs(phi) / 3 < found < Fraction(1, 2**50)


def test_numbers_beyond_float64_round_to_infinity_on_the_safe_side():
    huge = Fraction(10) ** 400
    assert float_up(huge) == np.inf
    assert float_down(huge) == np.finfo(float).max
    assert float_up(-huge) == -np.finfo(float).max
    assert float_down(-huge) == -np.inf


# What `bounds` takes.

ODD: tuple[Any, ...] = (
    *("1e-400", "1e400", 10**9, 10**30, 10**6, 5e-324, 1e308, "1e-5000", "１/１０", "٣", "½", True),
    *(
        np.float16(6e-8),
        np.float32(0.1),
        np.longdouble("0.1"),
        np.uint64(2**64 - 1),
        np.bool_(True),
    ),
    *(np.array(0.5), np.array([0.5]), Decimal("0.1"), Decimal("1E-9999"), Decimal("1E+400000")),
    *(Decimal("NaN"), Decimal("-0"), Fraction(1, 10**400), float("nan"), float("-inf"), -0.0, -1),
    *("-0", None, "", b"1", 1j, [], {}, "1_0", "0x10", "1/0", sympy.sqrt(2), sympy.oo, sympy.nan),
    *(
        sympy.I,
        sympy.Symbol("x"),
        sympy.exp(1000),
        10**5000,
        np.timedelta64(3, "s"),
        object(),
        "9" * 5000,
    ),
)


def _swept(given: dict[str, Any]) -> Any:
    setting = {"error", "attention", "layers"}
    return bounds.sweep(**{k: v if k in setting else [v] for k, v in given.items()}).to_json()


def _solved(given: dict[str, Any]) -> Any:
    rest = {name: value for name, value in given.items() if name != "epsilon"}
    return float(bounds.solve_for("epsilon", length=10**6, **rest))


def _drawn(given: dict[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    given = given | {"epsilon": [given["epsilon"], "1/50"]}
    try:
        return figures.length_curve(bounds.sweep(**given), "epsilon")
    finally:
        plt.close("all")


FUNCTIONS = (
    lambda given: bounds.required_length(**given).to_dict(),
    lambda given: bounds.required_length(**given).explain(),
    lambda given: bounds.bracket(**given).to_dict(),
    _swept,
    _solved,
    _drawn,
    lambda given: str(bounds.required_length(**given).formula(["epsilon"])),
    lambda given: sympy.latex(bounds.required_length(**given).formula(["epsilon"])),
    lambda given: (
        bounds.required_length(**given).function("epsilon")(np.array([0.1, 1e-300])).tolist()
    ),
    lambda given: bounds.elasticities(bounds.required_length(**given)),
)


@pytest.mark.slow
def test_odd_values_are_answered_or_refused_by_every_function():
    rng = random.Random(7)
    for number in range(16 * SIZE):
        given = dict(CELLS[number % 2], epsilon="1/10")
        keywords = [name for name in given if name not in ("error", "attention")]
        for _ in range(rng.choice((1, 1, 2))):
            given[rng.choice(keywords)] = rng.choice(ODD)
        try:
            found = FUNCTIONS[number // 2 % len(FUNCTIONS)](given)
        except bounds.BoundsError as refusal:
            found = [len(str(refusal)) / 5000]
            assert found[0] < 1
        if isinstance(found, dict | list):
            json.dumps(found, allow_nan=False)


def test_formulas_of_long_numbers_and_of_cases_that_do_not_hold():
    argmax = CELLS[0] | {"epsilon": "1/10"}
    for change in ({"lipschitz": 10**5000}, {"precision_bits": 10**9}, {"precision_bits": 10**4}):
        formula = bounds.required_length(**argmax | change).formula(["epsilon"])
        assert len(str(formula)) < 50_000
        assert len(sympy.latex(formula)) < 5_000
    average = {"alpha_min": "1/2", "alpha_total": 2, "lipschitz_euclidean": 0}
    bound = bounds.required_length(**argmax | average | {"error": "average"})
    assert str(bound.formula(["epsilon"])) == "2" == str(bound.length)
    average |= {"lipschitz_euclidean": 1, "precision_bits": 10**4}
    bound = bounds.required_length(**argmax | average | {"error": "average"})
    assert "ceiling" in str(bound.formula(["epsilon"]))


def test_a_number_of_layers_that_no_one_can_print_is_refused():
    for call in (bounds.required_length, bounds.bracket):
        with pytest.raises(bounds.ParameterError, match="at most 1000000000"):
            call(**CELLS[1] | {"epsilon": "1/10", "layers": 10**5000})


def test_a_logit_range_whose_exponential_has_no_bound_is_refused():
    head = verify.Head([[0.0, 1e300], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], [0.0])
    layer = verify.Layer((head,))
    f = LimitTransformer([[0, 1], [1, 1]], [[0, 0]], (layer,), [[1, 0]], None)
    with pytest.raises(verify.WeightsError, match=r"e\^R cannot be bounded"):
        verify.simulate([0, 1, 1], f, epsilon="1/10")


def test_weights_so_small_that_the_output_underflows():
    head = verify.Head(np.zeros((1, 1)), [[1.0]], [0.0])
    f = LimitTransformer([[0.5], [-1.0]], [[0.0]], (verify.Layer((head,)),), [[5e-324]], 8)
    x = [1, 0, 1, 0, 1, 0]
    assert abs(f(x)[0] - exact_output(f, x)) <= rounding_allowance(f, len(x))


def test_an_empty_list_of_settings_is_refused():
    for name in ("layers", "error", "attention", "theorem"):
        with pytest.raises(bounds.ParameterError, match="at least one value"):
            bounds.sweep(**CELLS[0] | {"epsilon": "1/10", name: []})


def test_outputs_that_many_digits_bound_are_bounded():
    """Lag biases of 10^300 in softmax: 160 bits do not bound the weights of the attention."""
    models = []
    for value in (1.0, 0.5):
        head = verify.Head(np.zeros((2, 2)), [[value, 0.0], [0.0, 0.0]], [1e300, 1e300])
        layer = verify.Layer((head,))
        models.append(LimitTransformer([[0, 0.3], [0.1, 0.1]], [[0, 0]], (layer,), [[1, 0]], None))
    low, high = verify.enclose(*models, horizon=20, limit=500).low, 0.05
    assert low == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_p_of_any_size_is_refused_where_it_is_too_large(digits):
    bits = 10**digits
    with pytest.raises(verify.InputError, match="precision_bits: got"):
        verify.enclose(two_logits(1.0, bits), two_logits(0.5, bits), horizon=9)
    for epsilon in (-bits, [bits]):
        with pytest.raises(verify.InputError, match="epsilon: got"):
            verify.simulate([0, 1, 1], two_logits(1.0, 8), epsilon=epsilon)
