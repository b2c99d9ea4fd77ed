"""The harness's own evaluators equal the models, and its averages those of `verify.average`."""

from __future__ import annotations

import math

import numpy as np
import pytest

import verify
from tests.helpers.random_models import random_model
from verify.average import DirichletLaw, FixedLaw, MarkovLaw, exact_average_error

from .counts import CountTruth, OneLayer, all_counts, number_of_summaries
from .profile import Profile
from .strings import StringTruth, all_strings, hostile_strings, outputs


def models(seed, *, layers, bits, period=2, locality=1):
    rng = np.random.default_rng(seed)
    return tuple(
        random_model(
            rng,
            vocabulary_size=2,
            period=period,
            locality=locality,
            heads=2,
            layers=layers,
            precision_bits=bits,
            ties=seed % 2 == 0,
        )
        for _ in "fg"
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [None, 3])
def test_counts_give_the_models_outputs(seed, bits):
    f, _ = models(seed, layers=1, bits=bits)
    model = OneLayer(f, 2 * f.period, f.locality + 1)
    rng = np.random.default_rng(seed)
    for length in (1, 2, 3, 8, 17, 64):
        x = rng.integers(2, size=length)
        summary = verify.summarise(x, 2, model.period, model.locality)
        found = model.outputs(length, tuple(summary.suffix), summary.counts.reshape(1, -1))[0]
        np.testing.assert_allclose(found, f(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [None, 3])
@pytest.mark.parametrize("layers", [1, 2])
def test_strings_give_the_models_outputs(seed, bits, layers):
    f, _ = models(seed, layers=layers, bits=bits)
    rng = np.random.default_rng(seed)
    for length in (1, 2, 5, 16, 23):
        strings = hostile_strings(rng, 2, length)
        expected = [verify.reference(f, x) for x in strings]
        np.testing.assert_allclose(outputs(f, strings), expected, rtol=1e-9, atol=1e-9)


def test_all_counts_are_all_summaries():
    for length in range(1, 8):
        strings = all_strings(2, length)
        seen = {verify.summarise(x, 2, 3, 1) for x in strings}
        assert len(seen) == number_of_summaries(length, 3, 2, 1)
        prefix = length - min(length, 2)
        assert {tuple(s.counts.flat) for s in seen} == {
            tuple(row) for row in all_counts(prefix, 3, 2)
        }


@pytest.mark.parametrize("law", [FixedLaw(["1/3", "2/3"]), DirichletLaw(["1/2", "3/2"])])
def test_both_truths_and_verify_agree_on_averages(law):
    f, g = models(3, layers=1, bits=3)
    by_counts = CountTruth(f, g, laws=(law,), budget=600)
    by_strings = StringTruth(f, g, laws=(law,), budget=300)
    for length in (1, 2, 5, 7):
        expected = exact_average_error(f, g, length, law=law).mean
        for truth in (by_counts, by_strings):
            assert math.isclose(truth.averages[0].exact[length - 1], expected, rel_tol=1e-9)
        assert math.isclose(
            by_counts.linf.exact[length - 1], by_strings.linf.exact[length - 1], rel_tol=1e-9
        )


def test_averages_over_a_chain():
    f, g = models(4, layers=2, bits=None, period=1)
    law = MarkovLaw([["3/4", "1/4"], ["1/2", "1/2"]], ["2/3", "1/3"])
    truth = StringTruth(f, g, laws=(law,), budget=100)
    expected = exact_average_error(f, g, 4, law=law).mean
    assert math.isclose(truth.averages[0].exact[3], expected, rel_tol=1e-9)


def test_levels_say_which_lengths_are_too_short():
    profile = Profile((1.0, 1.0, 2.0, 1.5), {9: 3.0}, 3.0)
    levels = list(profile.levels())
    assert [(level.length, level.witness) for level in levels] == [(2, 9), (4, 9)]
    assert all(
        level.epsilon > level_error for level, level_error in zip(levels, (1.0, 2.0), strict=True)
    )
    assert all(level.target < 3 for level in levels)
    assert not list(Profile((1.0, 1.0), {5: 1.0}, 1.0).levels())
    assert not list(profile.levels(first_counted=10))
