"""The parts of the checkers one by one, at values where each rounding and each branch matters."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest

from tests.helpers.random_models import random_model
from tests.helpers.softmax_models import random_model as random_softmax
from tests.helpers.table_models import table_head, table_model
from verify import CertificateError, Head, Layer, LimitTransformer
from verify.certificates.recheck import arithmetic, powers
from verify.certificates.recheck.arithmetic import exp, log, theta
from verify.certificates.recheck.cells import (
    LONGEST,
    Bounds,
    Cell,
    _joined,
    _relaxed,
    _share,
    counts_within,
    halves,
    largest,
    tightened,
)
from verify.certificates.recheck.inputs import Evaluator, SingleInput, free_positions
from verify.certificates.recheck.intervals import (
    _TINY,
    _UNIT,
    Intervals,
    _down,
    matrix_product,
    point,
    quotient,
    simplex_sum,
)
from verify.certificates.recheck.models import ExactPair
from verify.certificates.recheck.pieces import Context, Numbers, Piece, _exponentials
from verify.certificates.recheck.powers import Function, FunctionTable, is_kept
from verify.certificates.recheck.reading import Line, decimal, read, short_text

# Rationals.

STEP = Fraction(1, arithmetic._UNIT)


def test_ends_of_series_are_rounded_outward():
    """At steps of the grid every other rounding is exact: the last one alone decides."""
    z = Fraction(1, 2**100)
    assert arithmetic._artanh(z)[1] > z + z**3 / 3
    assert arithmetic._artanh(STEP)[1] > STEP + STEP**3 / 3
    # e^x for x = 2^−258 (1 from below; 1 + 2u, squared and rounded up, from above).
    assert exp(STEP / 4) == (1, 1 + 5 * STEP)
    assert exp(3 * STEP)[0] == 1 + 2 * STEP  # half of 3 steps is 1, from below


def test_theta_is_1_beyond_500_halves():
    per_unit = log(Fraction(2))[1] / 2
    assert theta(1000 / per_unit, Fraction(2)) < 1
    assert theta(Fraction(2001, 2) / per_unit, Fraction(2)) == 1


# Float64 intervals.


def test_the_next_number_below_beside_none():
    with np.errstate(all="ignore"):
        found = _down(np.array([np.inf, 1.0]))
    assert found[0] == -np.inf
    assert found[1] == 1 - _UNIT


def ends_of(interval):
    return Fraction(interval.low.item()), Fraction(interval.high.item())


def test_the_error_of_a_sum_is_rounded_up():
    """1 − 1: the stated error is 2·2·2⁻⁵² before it is rounded, then the ends are."""
    unit = Fraction(1, 2**52)
    low, high = ends_of(point(np.array([1.0, -1.0])).sum(0))
    assert high == -low >= 4 * unit + 6 * unit**2


def test_the_error_of_a_product_is_rounded_up_each_time():
    """1·1 − 1·1: (2 + 2)·2⁻⁵²·2, rounded up twice, then the ends are."""
    unit = Fraction(1, 2**52)
    low, high = ends_of(matrix_product(np.array([[1.0, -1.0]]), point(np.ones((2, 1)))))
    assert high == -low >= 8 * unit + 20 * unit**2
    # [−1, 1]: the radius 2 + 2u, times 1 + 4u, and 6u for the terms; rounded up four times.
    wide = Intervals(-np.ones((1, 1)), np.ones((1, 1)))
    low, high = ends_of(matrix_product(np.ones((1, 1)), wide))
    assert high == -low == 2 + 22 * unit
    # What underflow may hide is added, not taken away.
    low, high = ends_of(matrix_product(np.zeros((1, 1)), point(np.zeros((1, 1)))))
    assert high == -low > Fraction(_TINY) * 9 / 2


def test_sums_over_simplices_row_by_row():
    rng = np.random.default_rng(3)
    c = Intervals(*np.sort(rng.normal(size=(2, 3, 4)), axis=0))
    low, high = np.sort(rng.random((2, 3, 4)), axis=0)
    total = point(rng.random(3) + 1)
    found = simplex_sum(c, low, high, total)
    for k in range(3):
        alone = simplex_sum(c[k], low[k], high[k], total[k])
        assert found.low[k] == pytest.approx(float(alone.low), rel=1e-13)
        assert found.high[k] == pytest.approx(float(alone.high), rel=1e-13)


# Powers of lengths.


def test_powers_are_enclosed_from_both_sides():
    low, high = powers.ends(flint.arb(1, 0.5))
    assert low < 0.5 < 1.5 < high
    assert powers._power(None, Fraction(-1)) == (0.0, 0.0)
    low, high = powers._power(3, Fraction(-1, 2))
    assert 3 * Fraction(low) ** 2 < 1 < 3 * Fraction(high) ** 2
    table = FunctionTable()
    table.number(Function(Fraction(-1, 2)))
    table.number(Function(Fraction(0), None, None, 3))
    found = table.ranges([(3, 5)])
    assert (
        5 * Fraction(found.low[0, 0].item()) ** 2 < 1 < 3 * Fraction(found.high[0, 0].item()) ** 2
    )
    assert (found.low[0, 1], found.high[0, 1]) == (3, 3)
    found = _exponentials([[Fraction(1), Fraction(0)]], (1, 2))
    assert found.low[0, 0] < math.e < found.high[0, 0]
    assert found.low[0, 1] == found.high[0, 1] == 1


def test_a_weight_at_the_brink_is_decided():
    """A gap within 2^(−15000) of 8/log₂3 takes the largest precision."""
    bits = 15_000
    with mpmath.workprec(bits + 100):
        gap = Fraction(int(mpmath.mpf(2) ** bits * 8 / mpmath.log(3, 2)), 2**bits)
    assert is_kept(gap, 3, 8)
    assert not is_kept(gap + Fraction(1, 2**bits), 3, 8)


# Reading.


class Made:
    def __init__(self, data):
        self.data = data

    def to_dict(self):
        return self.data


def test_lines_are_read_as_they_stand():
    Line({"b": 1, "a": 2}, "x").equals({"a": 2, "b": 1})
    with pytest.raises(CertificateError, match="right: an integer, at least 3"):
        Line(2, "x").integer(3)
    assert short_text("é") == '"é"'
    assert short_text("x" * 118) == f'"{"x" * 118}"'
    assert len(short_text("x" * 119)) == 120
    assert decimal(10**39) == str(10**39)
    assert decimal(10**40) == "1e+40"
    assert decimal(10**300) == decimal(10**5000) == "10^300 or more"
    assert decimal(Fraction(1, 10**5000)) == "0"
    with pytest.raises(CertificateError, match="no plain JSON"):
        read(Made({"a": float("nan")}))


# Models.


def test_kinks_at_one_place_are_passed_together():
    """relu(x) − relu(x) at one kink: no slope between them; the slope is that of the line."""
    eye = np.eye(2)
    head = Head(np.zeros((2, 2)), np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros(1))
    mlp_in = np.array([[2.0, 0.0], [2.0, 0.0]])
    mlp_out = np.array([[3.0, -3.0], [0.0, 0.0]])
    layer = Layer((head,), mlp_in, np.array([-1.0, -1.0]) - 2 * np.array([0.0, 0.0]), mlp_out)
    model = LimitTransformer(
        np.array([[0.0, 1.0], [1.0, 1.0]]), np.zeros((1, 2)), (layer,), eye[:1], None
    )
    pair = ExactPair(model, model, finite=False)
    assert pair.heads[0].slope([0, 1], 0, []) == 1


def test_products_of_the_weights_are_enclosed():
    rng = np.random.default_rng(2)
    f, g = (random_model(rng, vocabulary_size=3, period=2, locality=0, heads=1) for _ in range(2))
    pair = ExactPair(f, g, finite=False)
    numbers, tried = Numbers(pair), 0
    for head, found, sign in zip(pair.heads, numbers.products, (1, -1), strict=True):
        outer = sign * head.model.outer
        for t, k, o in np.ndindex(found.low.shape):
            exact = Fraction(head.hidden[t][k]) * outer[o, k]
            assert (
                Fraction(found.low[t, k, o].item()) <= exact <= Fraction(found.high[t, k, o].item())
            )
            tried += 1
    assert tried > 20


# Pieces.


def soft_piece(
    logits=(0, 1), values=(0, 1), *, period=1, residue=0, first=1, last=None, bias=(0,), negative=()
):
    """Return a piece of f − g, infinite precision, query token 0; g puts out `negative`."""
    residues = [0.0] * period
    f = table_model([table_head(logits, residues, values, bias=bias)], precision_bits=None)
    still = table_head([0] * len(logits), residues, negative or [0] * len(logits))
    g = table_model([still], precision_bits=None)
    pair = ExactPair(f, g, finite=False)
    counted = frozenset(range(pair.lags)) if any(bias) else frozenset()
    context = Context.of(pair, residue, dict.fromkeys({0, *counted}, 0), counted)
    everything = frozenset(range(period * len(logits)))
    return Piece(context, Numbers(pair), None, everything, first, last)


def test_free_positions_of_a_context():
    for period, lags in itertools.product((1, 2, 3), (frozenset(), frozenset({0, 1}))):
        pair = soft_piece(period=period).context.pair
        for length in range(6, 12):
            tokens = dict.fromkeys({0, *lags}, 0)
            context = Context.of(pair, length % period, tokens, lags)
            for r in range(period):
                assert context.free(r, length) == free_positions(length, r, period, lags)


def test_weights_are_those_of_the_definition():
    """S = T^ψ (1 − o/T)/Δ, o the least offset of the residues that the head sees."""
    piece = soft_piece((0, 3), period=2, residue=1, first=5)
    assert piece.context.offsets == (1, -1)
    attention = piece.attention
    assert piece.table.functions == [Function(Fraction(0), 1, -1), Function(Fraction(0))]
    assert attention.least.tolist() == [-1]
    assert attention.free_amplitude.high.max() == 1
    assert attention.free_amplitude.low.max() == 1
    # Lags 0 and 1 are counted, one position of each residue; ψ = 1.
    piece = soft_piece((0, 3), period=2, residue=1, first=5, bias=(0.5, -1))
    offset = min(piece.context.offsets)
    assert piece.attention.lags.tolist()
    assert {
        Function(Fraction(-1, 2), None, offset, 2),
        Function(Fraction(-2), None, offset, 2),
    } < set(piece.table.functions)
    # A steeper lag: ψ = 3/2, without the factor.
    piece = soft_piece((0, 3), period=2, residue=1, first=5, bias=(1.5, -1))
    assert piece.attention.free.min() >= 0
    assert Function(Fraction(0), None, None, 2) in piece.table.functions
    assert all(function.under is None for function in piece.table.functions)


def test_a_head_that_sees_lags_only():
    """Finite precision: S = 1, and the level is met by a lag."""
    head = table_head([0, 0.5], token_values=[0, 1], bias=(9, 9))
    f = table_model([head], precision_bits=4)
    pair = ExactPair(f, f)
    context = Context.of(pair, 0, {0: 0, 1: 1}, frozenset({0, 1}))
    levels = context.levels_of(frozenset({0, 1}))
    piece = Piece(context, Numbers(pair), levels, frozenset({0, 1}), 10, 20)
    assert piece.seen[0].bare is False
    assert piece.present == []
    attention = piece.attention
    assert piece.table.functions[attention.least[0]] == Function(Fraction(0))
    assert [piece.table.functions[k].exponent for k in attention.lags[0]] == [Fraction(-1, 2), 0]


# Cells.


def whole(first, last, low, high):
    return Cell(first, last, tuple(map(float, low)), tuple(map(float, high)))


def test_a_cell_is_tightened_to_its_integers():
    piece = soft_piece(period=3, residue=1)
    found = tightened(piece, whole(11, 21, [0] * 6, [1] * 6))
    assert (found.cell.first, found.cell.last) == (13, 19)
    # The query is there, and so is a token whose share is positive: one of 20 at least.
    piece = soft_piece((0, 1, 2), (0, 1, 2))
    one = quotient(1, 20)[0]
    found = tightened(piece, whole(1, 20, (0, 1e-9, 0), (1, 1, 1)))
    assert found.cell.low == (one, one, 0)
    # One length: counts.
    piece = soft_piece()
    found = tightened(piece, whole(10, 10, (0, 0), (0.5, 1)))
    assert found.counts is None
    assert found.cell.low == (quotient(1, 10)[0], 0.5)
    assert found.cell.high == (0.5, quotient(9, 10)[1])
    assert tightened(piece, whole(10, 10, (0, 0), (0.15, 1))).counts == (1, 9)


def test_a_residue_without_positions_is_left_as_it_is():
    piece = soft_piece(period=2, residue=1)
    found = tightened(piece, whole(1, 1, [0] * 4, [1] * 4))
    assert found.counts == (0, 0, 1, 0)
    assert found.cell.low == (0, 0, 1, 0)
    assert found.cell.high == (1, 1, 1, 0)
    assert tightened(piece, whole(1, 1, [0] * 4, [0.1, 0.1, 1, 1])) is None


def test_ways_to_divide_a_cell():
    piece, still = soft_piece(), ((0.5, 0.5), (0.5, 0.5))

    def lengths(first, last):
        ways = halves(piece, whole(first, last, *still))
        return [(a.first, a.last, b.first, b.last) for a, b in ways]

    assert lengths(10, None) == [(10, 40, 41, None), (10, 100, 101, None)]
    assert lengths(10, 640) == [(10, 80, 81, 640)]
    assert lengths(10, 1000) == [(10, 100, 101, 1000), (10, 40, 41, 1000)]
    assert lengths(10, 11) == [(10, 10, 11, 11)]
    assert lengths(10, 10) == []
    quarter = LONGEST // 4
    assert lengths(quarter, None) == [(quarter, LONGEST, LONGEST + 1, None)]

    def shares(last, low, high):
        ways = halves(piece, whole(10, last, (low, 0.5), (high, 0.5)))
        ways = [(a, b) for a, b in ways if a.last == last]
        assert all(a.high[0] == b.low[0] and (a.low[0], b.high[0]) == (low, high) for a, b in ways)
        return [a.high[0] for a, _ in ways]

    assert shares(10, 0.25, 0.75) == [0.5]
    assert shares(10, 0.25, 1.0) == [0.625]  # four times the low end is no less than the high end
    assert shares(10, 0.125, 1.0) == [0.5625, pytest.approx(0.125**0.5)]
    assert shares(10, 0.125, 0.75)[1] == pytest.approx((0.125 * 0.75) ** 0.5)
    assert shares(16, 0.0, 1.0) == [0.5, pytest.approx(0.25)]
    assert shares(16, 0.0, 0.25) == [0.125]
    assert shares(None, 0.0, 1.0)[-1] == pytest.approx(1 / 32)
    low = math.nextafter(0.5, 1)
    assert shares(10, low, math.nextafter(low, 1)) == []  # the middle is an end


def test_counts_near_the_middle():
    piece = soft_piece()
    assert counts_within(piece, whole(8, 8, (0.75, 0), (1, 0.25))) == (8, (7, 1))
    assert counts_within(piece, whole(8, 8, (0.75, 0), (1, 1))) == (8, (6, 2))
    assert counts_within(piece, whole(10, 10, (0, 0), (0.2, 1))) == (10, (2, 8))
    assert counts_within(piece, whole(10, 10, (0, 0), (0.2, 0.2))) is None
    assert counts_within(piece, whole(10, 40, (0, 0), (1, 1))) == (20, (10, 10))
    assert counts_within(piece, whole(10, None, (0, 0), (1, 1))) == (40, (20, 20))


def test_shares_relaxations_and_joins():
    found = _share(
        Intervals(np.ones(1), np.full(1, 2.0)), Intervals(np.full(1, 3.0), np.full(1, 5.0))
    )
    low, high = ends_of(found)
    assert Fraction(1, 6) * (1 - Fraction(1, 10**15)) < low <= Fraction(1, 6)
    assert Fraction(2, 5) <= high < Fraction(2, 5) * (1 + Fraction(1, 10**15))
    with np.errstate(all="ignore"):
        slope, slack = _relaxed(
            Intervals(
                np.array([1.0, 2.0, 0.0, -2.0, -2.0, -1.0, 0.0, -np.inf]),
                np.array([2.0, 2.0, 3.0, -1.0, -2.0, 3.0, 0.0, np.inf]),
            )
        )
    assert slope.tolist() == [1, 1, 1, 0, 0, 0.75, 1, 0.5]
    assert slack[[0, 1, 2, 3, 4, 6]].tolist() == [0] * 6
    assert 0.75 <= slack[5] < 0.75 + 1e-15
    assert slack[7] == np.inf
    left = Intervals(np.array([1.0]), np.array([2.0]))
    right = Intervals(np.array([3.0]), np.array([4.0]))
    assert _joined(left, right).low.tolist() == [1, 3]
    assert _joined(left, right).high.tolist() == [2, 4]


def test_the_total_weight_and_shares_of_attention_are_the_best_ones():
    """Three tokens, weights 1, 1/4 and 1/16: extremes over the box and the simplex."""
    logits = [0.0, -math.log(4), -math.log(16)]
    piece = soft_piece(logits, (0, 1, 2))
    e = np.exp(logits)
    low, high = (0.2, 0.0, 0.0), (0.6, 1.0, 1.0)
    bounds = Bounds(piece, [whole(7, 7, low, high)], True)
    total = bounds._total
    assert total.low.item() == pytest.approx(0.2 * e[0] + 0.8 * e[2], rel=1e-14)
    assert total.high.item() == pytest.approx(0.6 * e[0] + 0.4 * e[1], rel=1e-14)
    shares = bounds._shares[0]
    assert shares.low[0, 0] == pytest.approx(0.2 / (0.2 + 0.8 * e[1]), rel=1e-14)
    assert shares.high[0, 0] == pytest.approx(0.6 / (0.6 + 0.4 * e[2]), rel=1e-14)
    for low, high in (((0.58, 0), (0.6, 1)), ((0.2, 0), (0.6, 1)), ((0.0, 0.0), (0.7, 0.7))):
        center, missing = Bounds(soft_piece(), [whole(7, 7, low, high)], False)._middle()
        assert np.all((np.array(low) <= center) & (center <= np.array(high)))
        assert center.sum() == pytest.approx(1, abs=1e-15)
        assert missing[0].low.item() <= 0 <= missing[0].high.item()


def test_cells_together_are_bounded_as_each_alone():
    piece = soft_piece((0, 1, 3), (0, 1, -1), period=2, residue=1, first=5, bias=(0.5, -1))
    rng = np.random.default_rng(1)
    cells = []
    for first, last in ((5, 9), (5, 101), (1001, None)):
        low = rng.random(6) * 0.2
        cells.append(whole(first, last, low, np.minimum(low + 0.6, 1)))
    for both in (False, True):
        together = Bounds(piece, cells, both).outputs()
        for k, cell in enumerate(cells):
            alone = Bounds(piece, [cell], both).outputs()
            assert together.low[k] == pytest.approx(alone.low[0], rel=1e-12)
            assert together.high[k] == pytest.approx(alone.high[0], rel=1e-12)


def test_the_bound_is_of_either_sign_and_by_slopes_where_they_are_enough():
    up, down = soft_piece((0, 1), (0, 1)), soft_piece((0, 1), (0, -1))
    cell = whole(9, 9, (0.0, 0.0), (1.0, 0.5))
    for wanted in (0.0, math.inf):
        first, second = largest(up, [cell], wanted), largest(down, [cell], wanted)
        assert first[0] == pytest.approx(second[0], rel=1e-14)
        assert first[0] >= math.e / (1 + math.e) * (1 - 1e-14)
    by_slopes, by_both = (largest(up, [cell], wanted)[0] for wanted in (math.inf, 0.0))
    assert by_both < by_slopes * (1 - 1e-6)


# Single inputs.


def test_an_error_is_enclosed_as_far_as_is_asked():
    f = table_model(
        [table_head([0, 1], token_values=[0, 1], bias=(0.5, 0.25))], precision_bits=None
    )
    g = table_model([table_head([0, 0], token_values=[0, 0])], precision_bits=None)
    evaluator = Evaluator(ExactPair(f, g, finite=False))
    x = SingleInput(7, {0: 2, 1: 3}, {0: 0, 1: 1}, 0)
    fine = evaluator.error(x, Fraction(2), below=False)
    assert fine[1] < 2  # the largest number asked of: stops at once
    low, high = evaluator.error(x, Fraction(0), below=False)
    assert low < high
    with mpmath.workdps(60):
        power = [mpmath.mpf(7) ** b for b in (mpmath.mpf("0.5"), mpmath.mpf("0.25"))]
        ones = mpmath.e * (3 + power[1])
        true = ones / (ones + 2 + power[0])
        assert mpmath.mpf(low.numerator) / low.denominator <= true + mpmath.mpf(10) ** -50
        assert true <= mpmath.mpf(high.numerator) / high.denominator + mpmath.mpf(10) ** -50
    # At the low end itself nothing more is asked; a hair above, more digits are.
    assert evaluator.error(x, low, below=False) == (low, high)
    finer = evaluator.error(x, (low + high) / 2, below=False)
    assert low <= finer[0] <= finer[1] <= high
    assert finer[1] - finer[0] < high - low
    for head in evaluator._pair.heads[:1]:
        exponents = evaluator._exponents(head, x)
        assert max(a for _, _, a, _ in exponents) == 0
        assert max(b for *_, b in exponents) == 0
        assert min(a for _, _, a, _ in exponents) == -1
        assert min(b for *_, b in exponents) == Fraction(-1, 2)


def test_an_error_of_two_outputs_is_that_of_the_larger():
    rng = np.random.default_rng(8)
    for _ in range(6):
        f, g = (
            random_softmax(
                rng, layers=1, regimes=["token"], size=2, locality=1, period=1, outputs=2
            )
            for _ in range(2)
        )
        evaluator = Evaluator(ExactPair(f, g, finite=False))
        x = SingleInput(7, {0: 2, 1: 5}, {}, 0)
        with powers.FLINT, flint.ctx.workprec(80):
            low, high = evaluator._enclosed(x, 80)
        with powers.FLINT, flint.ctx.workprec(300):
            finer = evaluator._enclosed(x, 300)
        assert low < finer[0] <= finer[1] < high
        assert high - low < Fraction(1, 2**40)
