"""`verify.agreement`: the maximum over all inputs of a length, against all strings."""

import itertools
import json
import math
import time
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.all_inputs import all_strings, errors, outputs
from tests.helpers.model_pairs import random_pair
from tests.helpers.random_models import random_model
from verify import (
    Head,
    InputError,
    Layer,
    LimitTransformer,
    WeightsError,
    agreement,
    reference,
    tasks,
)
from verify.certificates.counts import CountVectors
from verify.certificates.input_class import PairInputs
from verify.certificates.window import float_down, float_up, plan

LONGEST = {1: 30, 2: 8, 3: 5}
"""Lengths with not too many strings, by |Σ|."""


# ---------------------------------------------------------------- count vectors


@pytest.mark.parametrize(
    ("totals", "parts"), [((0,), (3,)), ((5,), (1,)), ((4, 0, 3), (3, 2, 1)), ((7, 6), (2, 4))]
)
def test_count_vectors_are_all_of_them_once(totals, parts):
    vectors = CountVectors(totals, parts)
    rows = vectors.rows(0, vectors.number).astype(int).tolist()
    by_hand = [
        [c for column in columns for c in column]
        for columns in itertools.product(
            *(
                [v for v in itertools.product(range(n + 1), repeat=a) if sum(v) == n]
                for n, a in zip(totals, parts, strict=True)
            )
        )
    ]
    assert sorted(rows) == sorted(by_hand)
    flat = [[c for column in vectors.vector(k) for c in column] for k in range(vectors.number)]
    assert flat == rows
    assert vectors.rows(1, 2).tolist() == [rows[1]] if vectors.number > 1 else True


def test_long_columns_of_one_kind_are_one_vector():
    vectors = CountVectors([2**700, 3], [1, 2])
    assert vectors.number == 4
    assert vectors.vector(0)[0] == [2**700]
    assert vectors.rows(0, 4)[:, 0].tolist() == [2.0**700] * 4


# ---------------------------------------------------------------- against all strings


def test_vectorised_strings_are_the_definition():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        f, _ = random_pair(rng)
        strings = all_strings(f.vocabulary_size, int(rng.integers(1, 5)))
        x = strings[int(rng.integers(len(strings)))]
        assert outputs(f, x[None])[0] == pytest.approx(reference(f, x), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(6))
def test_agreement_is_the_maximum_over_all_strings(block):
    fewer = 0
    for seed in range(60 * block, 60 * block + 60):
        rng = np.random.default_rng(seed)
        f, g = random_pair(rng)
        length = int(rng.integers(1, LONGEST[f.vocabulary_size]))
        found = agreement(f, g, length)
        by_strings = errors(f, g, length)
        size = max(1.0, by_strings.max())
        assert found.value == pytest.approx(by_strings.max(), abs=1e-12 * size), seed
        assert found.worst.length == length
        assert found.worst.error(f, g) == pytest.approx(found.value, abs=1e-12 * size)
        x = found.worst.tokens()
        assert np.abs(f(x) - g(x)).max() == pytest.approx(found.value, abs=1e-12 * size)
        assert found.evaluations <= len(by_strings)
        fewer += found.evaluations < len(by_strings)
    assert fewer > 3


def _exact_output(f, x):
    """Return f(x) as Fractions: for integer weights, T^(−gap) is rational."""
    fractions = np.vectorize(Fraction, otypes=[object])
    y = fractions(f.embedding)[x] + fractions(f.positions)[np.arange(1, len(x) + 1) % f.period]
    layer = f.layers[0]
    u = y[-1].copy()
    for head in layer.heads:
        logits = y @ (fractions(head.query_key) @ y[-1])
        for lag, phi in enumerate(head.lag_bias[: len(x)]):
            logits[len(x) - 1 - lag] += Fraction(phi)
        gaps = [int(max(logits) - a) for a in logits]
        weights = [Fraction(1, len(x) ** gap) for gap in gaps]
        weights = [w if w > Fraction(1, 2**f.precision_bits) else 0 for w in weights]
        mean = sum(w * row for w, row in zip(weights, y, strict=True)) / sum(weights)
        u = u + fractions(head.value) @ mean
    hidden = fractions(layer.mlp_in) @ u + fractions(layer.mlp_bias)
    relu = np.array([max(h, Fraction(0)) for h in hidden], dtype=object)
    return fractions(f.unembedding) @ (u + fractions(layer.mlp_out) @ relu)


def test_rounding_bounds_hold_against_exact_arithmetic():
    rng = np.random.default_rng(0)
    seen = 0.0
    for _ in range(40):
        f, g = (
            random_model(
                rng,
                vocabulary_size=2,
                period=int(rng.integers(1, 3)),
                locality=1,
                heads=2,
                precision_bits=int(rng.integers(1, 40)),
                ties=True,
                dimension=2,
            )
            for _ in range(2)
        )
        length = int(rng.integers(2, 40))
        found = agreement(f, g, length)
        x = found.worst.tokens()
        exact = max(abs(_exact_output(f, x) - _exact_output(g, x)))
        assert found.low <= exact <= found.high
        seen = max(seen, abs(float(exact - Fraction(found.value))) / float(found.high - exact))
    assert seen > 0  # there is rounding to be bounded


def test_several_lengths_are_the_maximum_and_a_profile():
    rng = np.random.default_rng(5)
    f, g = random_pair(rng, vocabulary_size=2)
    found = agreement(f, g, [3, 1, 2, 3])
    assert list(found.by_length) == [1, 2, 3]
    for length, entry in found.by_length.items():
        assert entry.value == agreement(f, g, length).value
        assert entry.low <= Fraction(entry.value) <= entry.high
    assert found.value == max(entry.value for entry in found.by_length.values())
    assert found.evaluations == sum(entry.evaluations for entry in found.by_length.values())
    assert len(found.table().splitlines()) == 4
    data = json.loads(json.dumps(found.to_dict()))
    assert data["value"] == found.value
    assert Fraction(data["low"]) <= found.low <= found.high <= Fraction(data["high"])
    assert agreement(f, g, range(1, 4)).value == found.value


def test_equal_models_agree():
    f = tasks.mod_p(3, 1).transformer
    assert agreement(f, f, range(1, 9)).value == 0.0
    assert agreement(f, f, 8).high < Fraction(1, 10**9)


# ---------------------------------------------------------------- how many evaluations


def test_only_the_column_that_a_head_reads_is_counted():
    f = tasks.mod_p(5, 2).transformer
    g = tasks.mod_p(5, 2, precision_bits=10).transformer
    found = agreement(f, g, range(51, 56))
    # One relevant column of two atoms: |Σ|^(τ+1)·(prefix positions of the residue + 1) each.
    inputs = PairInputs(f, g)
    expected = sum(
        2 ** (inputs.locality + 1) * (inputs.column_sizes(length)[2] + 1)
        for length in range(51, 56)
    )
    assert found.evaluations == expected < 200


def test_what_the_own_position_outbids_is_not_counted():
    free, outbid = (
        LimitTransformer(
            [[1.0, 0], [0, 1], [1, 1]],
            [[0.0, 0]],
            [Layer([Head(np.eye(2) * 0.1, np.eye(2), [bias])])],
            np.eye(2),
            4,
        )
        for bias in (0.0, 10.0)
    )
    assert agreement(free, free, 64).evaluations == 3 * math.comb(65, 2)
    assert agreement(outbid, outbid, 64).evaluations == 3
    assert agreement(outbid, free, 64).evaluations == 3 * math.comb(65, 2)


def test_a_window_takes_a_fraction_of_a_second():
    f = tasks.mod_p(7, 0).transformer
    g = tasks.mod_p(7, 0, precision_bits=12).transformer
    start = time.perf_counter()
    found = agreement(f, g, range(71, 78))
    assert time.perf_counter() - start < 2  # 0.1 on an idle machine
    assert found.finished


# ---------------------------------------------------------------- refusals


def _model(**changes):
    settings = {"vocabulary_size": 2, "period": 1, "locality": 0, "heads": 1, "precision_bits": 4}
    return random_model(np.random.default_rng(0), **(settings | changes))


@pytest.mark.parametrize(
    ("g", "name"),
    [
        (_model(layers=2), "g.layers"),
        (_model(precision_bits=None), "g.precision_bits"),
        (_model(vocabulary_size=3), "g.vocabulary_size"),
        ("a path", "g"),
    ],
)
def test_models_that_do_not_fit_are_refused(g, name):
    with pytest.raises(InputError) as caught:
        agreement(_model(), g, 3)
    assert caught.value.name == name


@pytest.mark.parametrize("lengths", [0, -1, True, 1.5, [], "12", [3, 0], None, 2**901])
def test_lengths_that_are_none_are_refused(lengths):
    with pytest.raises(InputError) as caught:
        agreement(_model(), _model(), lengths)
    assert caught.value.name == "lengths"


def test_too_many_evaluations_are_refused_before_they_start():
    f = _model(vocabulary_size=5, precision_bits=50)
    calls = []
    with pytest.raises(InputError) as caught:
        agreement(f, f, [10, 1000], progress=lambda *a: calls.append(a))
    assert not calls
    message = str(caught.value)
    assert f"{5 * math.comb(999 + 4, 4) + 5 * math.comb(9 + 4, 4):,}" in message
    assert "10,000,000" in message
    assert "lengths up to 10" in message
    assert agreement(f, f, 10, limit=10**4).value == 0


@pytest.mark.parametrize(
    ("query_key", "value"), [(1e200, 1.0), (1.0, 1e200)], ids=["logits", "values"]
)
def test_weights_beyond_float64_are_refused(query_key, value):
    f = LimitTransformer(
        [[1.0], [1e110]], [[0.0]], [Layer([Head([[query_key]], [[value]], [0.0])])], [[1.0]], 4
    )
    with pytest.raises(WeightsError):
        agreement(f, f, 4)


# ---------------------------------------------------------------- progress, interruption


def test_progress_counts_to_the_total():
    f, g = _model(), _model(precision_bits=9)
    calls = []
    found = agreement(f, g, [5, 9], progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (found.evaluations, found.evaluations)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_an_interruption_leaves_the_lengths_that_were_done():
    f, g = _model(), _model(precision_bits=9)
    first = agreement(f, g, 5)

    def stop(done, _):
        if done > first.evaluations:
            raise KeyboardInterrupt

    found = agreement(f, g, [5, 9], progress=stop)
    assert not found.finished
    assert found.by_length == first.by_length
    assert "interrupted" in str(found)
    with pytest.raises(KeyboardInterrupt):
        agreement(f, g, [9, 10], progress=stop)


def test_safe_sides_of_float64():
    third = Fraction(1, 3)
    assert Fraction(float_down(third)) < third < Fraction(float_up(third))
    assert float_up(Fraction(1, 4)) == float_down(Fraction(1, 4)) == 0.25
    assert plan(PairInputs(_model(), _model()), [2], 10**4).keys() == {2}
