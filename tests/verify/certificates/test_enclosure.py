"""`verify.enclose` and `error_profile`, as a user calls them: stored models, budgets, resuming."""

import dataclasses
import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.random_models import random_model
from verify import (
    CountedInput,
    EnclosureCertificate,
    Head,
    InputError,
    Layer,
    LimitTransformer,
    Summary,
    agreement,
    enclose,
    error_profile,
    ladder,
    prove,
    tasks,
)
from verify.certificates.ladder import window_lengths
from verify.tasks.trained import all_trained, trained_pair

WIDTH = Fraction(1, 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["mod_p", "simple"])
def test_stored_models_in_finite_precision_from_24_on(task):
    for pair in all_trained(task):
        for start in (24, 4096):
            found = enclose(pair.model, pair.target, from_length=start, horizon=2**20)
            assert found.finished, pair.name
            assert found.width <= WIDTH
            assert start <= found.worst.length <= 2**20
            error = found.worst.error(pair.model, pair.target)
            assert error == pytest.approx(float(found.low), abs=1e-9)


@pytest.mark.slow
def test_stored_softmax_models_at_every_length():
    within = {"3/10": 0, "9/100": 0}
    for pair in all_trained("simple_plain"):
        found = enclose(pair.model, pair.target, horizon=None, tolerance="1/1000")
        assert found.finished
        assert found.width <= Fraction(1, 1000)
        assert found.worst.error(pair.model, pair.target) == pytest.approx(
            float(found.low), abs=1e-9
        )
        for target in within:
            verdict = prove(pair.model, pair.target, target=target, horizon=None)
            proved = verdict.status.name == "PROVED"
            assert proved == (found.low <= Fraction(target))
            assert proved or verdict.status.name == "REFUTED"
            within[target] += proved
    assert within == {"3/10": 14, "9/100": 8}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("mod_p", {"period": 2, "training_length": 32}),
        ("mod_p", {"period": 3, "training_length": 64}),
        ("simple", {"omega": 2, "training_length": 32}),
        ("simple", {"omega": 8, "training_length": 128}),
    ],
)
def test_the_ladder_of_windows_agrees(task, settings):
    pair = trained_pair(task, **settings)
    windows = ladder(pair.model, pair.target, length=256, horizon=2**12, factor=2)
    start = windows.from_length
    found = enclose(pair.model, pair.target, from_length=start, horizon=2**12)
    assert found.low <= windows.high
    assert windows.low <= found.high
    assert found.width < (windows.high - windows.low) / 4
    for length in (start, 300, 2**12):  # and the exact maximum of single lengths
        exact = agreement(pair.model, pair.target, window_lengths_of(pair, length))
        assert exact.low <= found.high


def window_lengths_of(pair, length):
    from verify.certificates.input_class import PairInputs

    return window_lengths(PairInputs(pair.model, pair.target), length)


def small_pair(precision_bits, seed=0):
    rng = np.random.default_rng(seed)
    settings = {"vocabulary_size": 2, "period": 2, "locality": 1, "heads": 1}
    f = random_model(rng, precision_bits=precision_bits, **settings)
    g = dataclasses.replace(f, unembedding=f.unembedding + 0.1 * rng.normal(size=(4, 4)))
    return f, g


@pytest.mark.parametrize("precision_bits", [None, 4])
def test_single_lengths_are_the_exact_maximum(precision_bits):
    f, g = small_pair(precision_bits)
    for length in (1, 2, 5, 9, 30):
        exact = agreement(f, g, length)
        if length > 4:
            found = enclose(f, g, from_length=length, horizon=length)
            assert found.low <= exact.high
            assert exact.low <= found.high
            assert found.finished
            assert found.worst.length == length
    profile = error_profile(f, g, horizon=64, single=10)
    for stretch in profile.stretches:
        looked = agreement(f, g, range(stretch.first, stretch.last + 1))
        assert stretch.low <= looked.high
        assert looked.low <= stretch.high
        assert stretch.high - stretch.low <= WIDTH
    for before, after in itertools.pairwise(profile.stretches):
        assert after.first == before.last + 1
    assert profile.enclosure[0] == profile.largest.low
    assert len(profile.table().splitlines()) == 1 + len(profile.stretches)
    assert json.loads(json.dumps(profile.to_dict()))["stretches"][0]["first"] == 1


@pytest.mark.parametrize("precision_bits", [None, 4])
def test_a_spent_budget_leaves_true_sides_and_resumes(precision_bits):
    f, g = small_pair(precision_bits)
    whole = enclose(f, g, from_length=6, horizon=2**12)
    assert whole.finished
    part = enclose(f, g, from_length=6, horizon=2**12, limit=2000)
    assert not part.finished
    assert part.width > WIDTH
    assert part.low <= whole.low + WIDTH
    assert part.high >= whole.low
    sides = [part]
    for _ in range(3):
        sides.append(sides[-1].resume(limit=5000))
    for before, after in itertools.pairwise(sides):
        assert after.cells >= before.cells
        assert before.low <= after.low
        assert after.high <= before.high
    last = sides[-1].resume()
    assert last.finished
    assert max(last.low, whole.low) <= min(last.high, whole.high)
    assert "stopped" in str(part)
    assert "stopped" not in str(last)


@pytest.mark.parametrize("precision_bits", [None, 4])
def test_a_saved_certificate_is_taken_up_again(precision_bits, tmp_path):
    f, g = small_pair(precision_bits)
    lengths = {"from_length": 6, "horizon": 2**12}
    part = enclose(f, g, limit=20_000, **lengths)
    assert not part.finished
    part.certificate().save(tmp_path / "part.json")
    saved = EnclosureCertificate.load(tmp_path / "part.json")
    again = enclose(f, g, limit=1, resume=saved, **lengths)
    # One cell more is halved: none of the work is lost.
    assert again.low <= again.high <= part.high
    assert float(part.high - again.high) < 0.2 * float(part.high - part.low)
    assert again.certificate().cells == saved.cells + 1
    whole = enclose(f, g, resume=saved, **lengths)
    assert whole.finished
    fresh = enclose(f, g, **lengths)
    assert max(whole.low, fresh.low) <= min(whole.high, fresh.high)
    with pytest.raises(InputError, match="resume"):
        enclose(g, f, resume=saved, **lengths)
    with pytest.raises(InputError, match="resume"):
        enclose(f, g, from_length=7, horizon=2**12, resume=saved)
    tree = saved.to_dict()["pieces"][0]["tree"]
    for forged in (tree[:-1], [*tree, None], [], [[7]], [["T", None], None, None], 3):
        data = saved.to_dict()
        data["pieces"][0]["tree"] = forged
        with pytest.raises(InputError, match="resume"):
            enclose(f, g, resume=EnclosureCertificate(data), **lengths)


def test_an_interruption_is_a_spent_budget():
    f, g = small_pair(None)
    calls = []

    def stop(done, total):
        calls.append((done, total))
        if done > 3000:
            raise KeyboardInterrupt

    part = enclose(f, g, from_length=6, horizon=2**12, limit=10**6, progress=stop)
    assert not part.finished
    assert calls[-1][1] == 10**6
    assert part.resume().finished


def test_exact_ties_by_position_are_enclosed_to_infinity():
    f = tasks.mod_p(3, 1).transformer
    factor = 1 + 0.02 * np.random.default_rng(0).normal(size=f.unembedding.shape)
    g = dataclasses.replace(f, unembedding=f.unembedding * factor)
    found = enclose(f, g, horizon=None)
    assert found.finished
    for exponent in (8, 40, 400):
        assert enclose(f, g, from_length=1, horizon=2**exponent).low <= found.high
    verdict = prove(f, g, target="3/10", horizon=None)
    assert verdict.status.name == "PROVED"
    assert verdict.cells is not None
    assert "any length" in str(verdict)


def test_near_ties_have_no_enclosure_to_infinity():
    pair = trained_pair("mod_p", period=2, training_length=32)
    with pytest.raises(InputError, match="horizon"):
        enclose(pair.model, pair.target, horizon=None)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("horizon", {"horizon": 0}),
        ("horizon", {"horizon": 3}),
        ("from_length", {"from_length": 0}),
        ("from_length", {"from_length": 2000}),
        ("tolerance", {"tolerance": 0}),
        ("tolerance", {"tolerance": "narrow"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": True}),
    ],
)
def test_bad_arguments_are_named(name, arguments):
    f, g = small_pair(4)
    with pytest.raises(InputError) as caught:
        enclose(f, g, **({"horizon": 1000} | arguments))
    assert caught.value.name == name


@pytest.mark.parametrize("bias", [0.999, 1.001])
def test_lag_biases_near_one_are_decided_beyond_all_floats(bias):
    rng = np.random.default_rng(1)

    def head():
        return Head(rng.normal(size=(2, 2)) / 4, rng.normal(size=(2, 2)), (bias, 0.0))

    def model():
        layer = Layer(
            (head(),), rng.normal(size=(9, 2)), rng.normal(size=9), rng.normal(size=(2, 9))
        )
        return LimitTransformer(
            np.eye(2), np.zeros((1, 2)), (layer,), rng.normal(size=(1, 2)), None
        )

    f, g = model(), model()
    found = enclose(f, g, horizon=None, tolerance="1/1000")
    assert found.finished
    for exponent in (10, 1000, 50_000):
        error = agreement_at(f, g, 1 << exponent)
        assert error <= float(found.high)
    verdict = prove(f, g, target=2 * found.high, horizon=None)
    assert verdict.status.name == "PROVED"


def agreement_at(f, g, length):
    """Return the largest |f − g| of some inputs of one length of any size."""
    errors = []
    for share in range(17):
        for last in (0, 1):
            counts = np.array([[(length - 2) * share // 16, 0]], dtype=object)
            counts[0, 1] = length - 2 - counts[0, 0]
            given = CountedInput(Summary(counts, np.array([last, last]), length))
            errors.append(given.error(f, g))
    return max(errors)


def test_mixed_precisions_are_refused():
    (f, _), (g, _) = small_pair(None), small_pair(4)
    with pytest.raises(InputError, match="precision_bits"):
        enclose(f, g, horizon=100)


def test_results_show_as_one_line():
    pair = trained_pair("simple_plain", omega=4, training_length=32)
    models = pair.model, pair.target
    found = enclose(*models, horizon=None)
    verdict = prove(*models, target="1/10", horizon=None)
    for result in (found, verdict, agreement(*models, 3)):
        assert repr(result) == f"<{type(result).__name__} {result}>"
        assert len(repr(result)) < 200
    with pytest.raises(InputError, match=r"1 to 2\^900, or None for every length"):
        enclose(*models, horizon="inf")
