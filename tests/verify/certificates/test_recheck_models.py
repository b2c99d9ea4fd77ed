"""The checkers' own reading of models: slopes along a segment of values, periods, lags, digests."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.table_models import table_head, table_model
from verify import Head, InputError, Layer, LimitTransformer
from verify.certificates.recheck.models import ExactPair, digest_of, least_period


def steepest(values, knots, slopes, start):
    """The steepest slope of u + Σ slope·relu(u − knot) for u from start + min to start + max.

    Times the length of the segment; from differences between neighbouring kinks, exactly.
    """
    low, high = start + min(values), start + max(values)

    def output(u):
        return u + sum(s * max(u - k, 0) for s, k in zip(slopes, knots, strict=True))

    places = sorted({low, high, *(Fraction(k) for k in knots if low < k < high)})
    return max(
        (abs((output(b) - output(a)) / (b - a)) * (high - low))
        for a, b in itertools.pairwise(places)
    )


def test_slopes_are_those_of_the_output():
    """Whole numbers, so that hidden units change sign at the ends of the segment too."""
    rng = random.Random(1)
    for _ in range(40):
        values = [rng.randint(-2, 3) for _ in range(3)]
        knots = [rng.randint(-3, 4) for _ in range(3)]
        slopes = [Fraction(rng.randint(-4, 4), 2) for _ in knots]
        other = rng.randint(-2, 2)
        heads = [table_head([0, 1, 2], token_values=values)]
        heads.append(table_head([0, 0, 0], token_values=[other] * 3))
        mlp = ([float(s) for s in slopes], [float(k) for k in knots])
        f = table_model(heads, precision_bits=8, mlp=mlp)
        pair = ExactPair(f, f)
        head, still = pair.heads[:2]
        found = head.slope(range(3), 1, [(still, 0)])
        if len(set(values)) == 1:
            assert found == 0
            continue
        assert found == steepest(values, knots, slopes, other)
        # Without a line between the values: each unit at its worst.
        rough = [abs(a - b) * (1 + sum(map(abs, slopes))) for a in values[:2] for b in values[:2]]
        assert head.pairs(range(2)) == max(rough)
        assert pair.trivial(1) <= 2 * head.pairs(range(3))
        assert pair.trivial(1) == 2 * min(found, head.pairs(range(3)))


def test_values_off_a_line_have_no_slope():
    embedding = np.eye(3)
    value = np.array([[0.0, 1, 0], [0, 0, 1], [0, 0, 0]])
    head = Head(np.zeros((3, 3)), value, np.zeros(1))
    f = LimitTransformer(embedding, np.zeros((1, 3)), (Layer((head,)),), np.eye(3)[:2], 8)
    exact = ExactPair(f, f).heads[0]
    assert exact.slope(range(3), 0, []) is None
    assert exact.slope([0, 2], 0, []) == 1
    assert exact.slope([1], 0, []) == 0
    assert exact.pairs(range(3)) == 1
    assert exact.pairs([2]) == 0


def test_periods_and_lags_of_a_pair():
    rows = np.array([[0.0], [1], [0], [1]])
    assert least_period(rows) == 2
    assert least_period(rows[:3]) == 3
    assert least_period(rows[:1]) == 1
    heads = [table_head([0, 1], [0, 1, 0, 1], bias=(0, 2, 0))]
    f = table_model(heads, precision_bits=8)
    g = table_model([table_head([0, 1], [0, 0, 1], bias=(0, 0, 0))], precision_bits=8)
    pair = ExactPair(f, g)
    assert (pair.period, pair.lags, pair.vocabulary) == (12, 2, 2)
    assert [(h.owner, h.number, h.bits) for h in pair.heads] == [("f", 0, 8), ("g", 0, 8)]
    assert [pair.heads[0].bias(lag) for lag in range(4)] == [0, 2, 0, 0]
    assert pair.residues([0, 1, 5]) == {0, 2}
    # The logit of a key is that of its token and of its residue.
    assert [pair.heads[0].logit(t, 0) for t in range(24)] == [0, 1, 1, 2] * 6


def test_models_that_do_not_fit_are_named():
    plain = table_model([table_head([0, 1])], precision_bits=8)
    three = table_model([table_head([0, 1, 2])], precision_bits=8)
    infinite = table_model([table_head([0, 1])], precision_bits=None)
    for f, g, finite, name in (
        (plain, three, True, "g"),
        (infinite, plain, True, "f"),
        (plain, infinite, True, "g"),
        (plain, infinite, False, "f"),
        ("a model", plain, True, "f"),
    ):
        with pytest.raises(InputError) as caught:
            ExactPair(f, g, finite)
        assert caught.value.name == name


def test_digests_see_every_number_and_no_sign_of_zero():
    head = table_head([0, 1], token_values=[0, 2])
    f = table_model([head], precision_bits=8, mlp=([1.0], [0.5]))
    seen = {digest_of(f)}
    for changed in (
        table_model([head], precision_bits=9, mlp=([1.0], [0.5])),
        table_model([head], precision_bits=None, mlp=([1.0], [0.5])),
        table_model([head], precision_bits=8, mlp=([1.0], [0.25])),
        table_model([head], precision_bits=8, mlp=([2.0], [0.5])),
        table_model([head], precision_bits=8),
        table_model([head, head], precision_bits=8, mlp=([1.0], [0.5])),
        table_model([head | {"lag_bias": (1,)}], precision_bits=8, mlp=([1.0], [0.5])),
        table_model([table_head([0, 2], token_values=[0, 2])], precision_bits=8),
    ):
        assert digest_of(changed) not in seen
        seen.add(digest_of(changed))
    negative = table_model([head | {"lag_bias": (-0.0,)}], precision_bits=8, mlp=([1.0], [0.5]))
    assert digest_of(negative) == digest_of(f)
