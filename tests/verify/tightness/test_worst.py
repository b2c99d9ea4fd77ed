"""The searches: reproducible, resumable, and never above what is proved."""

from __future__ import annotations

import importlib
import json
from fractions import Fraction

import numpy as np
import pytest

import verify
from tests.helpers.model_pairs import random_pair
from tests.helpers.short_inputs import inputs_of_length, shortest_length
from verify.errors import InputError
from verify.tightness.request import read_request
from verify.tightness.sieve import Points, Sieve
from verify.tightness.worst_pairs import FAMILIES

module = importlib.import_module("verify.tightness.worst_input")  # the function has its name


def _pair():
    found = verify.tasks.trained_pair("mod_p", period=2, training_length=64)
    return found.model, found.target


def search(f, g=None, **changes):
    """A short search; ε = 1/10, horizon 2^20."""
    given = {"epsilon": "1/10", "horizon": 2**20, "budget": 400} | changes
    return verify.worst_input(f, g, **given)


@pytest.mark.parametrize("meaning", ["outputs", "each output"])
@pytest.mark.parametrize("query", ["same", "any"])
def test_the_sieve_equals_looking_at_everything(meaning, query):
    rng = np.random.default_rng([11, len(meaning), len(query)])
    shortened = 0
    for _ in range(12):
        f, g = random_pair(rng)
        length = int(rng.integers(2, 10 if f.vocabulary_size < 3 else 7))
        epsilon = Fraction(int(rng.integers(5, 80)), 10)
        request = read_request(f, g, epsilon, None, meaning, query)
        pair = request.inputs.pair
        x = request.summary(rng.integers(0, f.vocabulary_size, length))
        outputs = np.array([np.concatenate(request.exact.rounded(x))])
        points = Points(length % pair.period, int(x.suffix[-1]), outputs, 1e-12)
        ((found,),) = Sieve(request, 10**6).lengths([points], [length])

        def simulates(z, own=request, at=x):
            return own.close(at, z)

        true = shortest_length(x, pair.period, f.vocabulary_size, pair.locality, simulates, query)
        assert found == true
        shortened += true < length
    assert shortened >= 3


def test_the_longest_of_all_inputs_is_found():
    """Every input of up to 6 tokens, one by one: the search finds the worst of them."""
    f, g = _pair()
    pair = read_request(f, g, 1, None).inputs.pair
    longest = max(
        verify.shortest(x, f, g, epsilon="1/10").length
        for length in range(1, 7)
        for x in inputs_of_length(length, 2, pair.period, pair.locality)
    )
    assert search(f, g, horizon=6, budget=800).length == longest


def test_certified_and_found_are_equal_for_a_trained_pair():
    f, g = _pair()
    worst = search(f, g)
    certificate = verify.certify(f, g, epsilon="1/10", horizon=2**20)
    assert worst.length == certificate.length == 22
    again = verify.shortest(worst.input, f, g, epsilon="1/10")
    assert again.length == worst.shortest.length == 22
    assert again.status is verify.ShortestStatus.EXACT
    assert json.loads(json.dumps(worst.to_dict()))["length"] == 22
    assert "needs |z| ≥ 22" in str(worst)


def test_the_same_arguments_give_the_same_result():
    f, g = _pair()
    first, second = search(f, g), search(f, g)
    assert first.kept == second.kept
    assert first.input == second.input
    assert search(f, g, seed=1).kept != first.kept


def test_a_search_goes_on_as_if_there_had_been_no_interruption(monkeypatch):
    f, g = _pair()
    whole = search(f, g, budget=1200)
    part = search(f, g, budget=400)
    assert search(f, g, budget=1200, resume=part).kept == whole.kept
    read = verify.WorstInput.from_dict(json.loads(json.dumps(part.to_dict())))
    assert read == part
    assert search(f, g, budget=1200, resume=read).kept == whole.kept

    honest, calls = module._Search.round, []

    def interrupted(self):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        honest(self)

    monkeypatch.setattr(module._Search, "round", interrupted)
    stopped = search(f, g, budget=1200)
    assert not stopped.finished
    assert stopped.tried == 800
    monkeypatch.setattr(module._Search, "round", honest)
    assert search(f, g, budget=1200, resume=stopped).kept == whole.kept
    with pytest.raises(InputError, match="resume"):
        search(f, g, epsilon="1/20", resume=part)


def test_a_limit_is_said():
    f, g = _pair()
    some = search(f, g, epsilon="1/100", limit=300)
    assert some.exhausted is not None
    assert some.length >= some.exhausted


def test_progress_is_reported():
    f, g = _pair()
    seen = []
    search(f, g, budget=800, progress=lambda *state: seen.append(state))
    assert [done for done, _, _ in seen] == [400, 800]
    assert {total for _, total, _ in seen} == {800}


def test_pairs_behind_necessary_lengths_need_more_than_they_agree_on():
    """By the triangle inequality: agreement up to N, then apart, so no z of N tokens does."""
    found = verify.worst_pairs(epsilon="1/5", lipschitz=4, budget=7 * 400, limit=40_000)
    assert found.finished
    lengths = {pair.family: pair for pair in found.pairs}
    for name in ("presence", "own share", "tents"):
        assert lengths[name].worst.length > lengths[name].witness.agree_up_to
    assert found.worst.worst.length == max(p.worst.length for p in found.pairs)
    assert set(lengths) | set(found.refused) == set(FAMILIES)
    assert "agrees up to" in str(found)
    # The pairs behind the exponent 2 need far more than the others.
    assert found.worst.family in ("nested levels", "nested classes")
    assert found.worst.worst.length > 2 * lengths["tents"].worst.length
    wide = bounds_of_class()
    assert found.worst.worst.length <= wide


def bounds_of_class():
    """The sufficient length of the class of the test above."""
    import bounds

    return bounds.required_length(
        theorem="derived.one_layer_linf",
        epsilon="1/5",
        lipschitz=4,
        vocabulary_size=2,
        period=1,
        locality=0,
        precision_bits=8,
        margin=8,
    ).length


def test_lengths_stand_in_order():
    f, g = verify.tasks.mod_p(2, 0).transformer, verify.tasks.mod_p(2, 1).transformer
    found = verify.compare_lengths(f, g, epsilon="1/10", horizon=2**20, budget=400)
    assert found.holds
    logs = found.log2
    assert logs["found"] <= logs["certified"] <= logs["class"] <= logs["wide"] <= logs["paper"]
    assert logs["necessary"] <= logs["wide"]
    # The worst pair of the class needs more than what is certified for this one.
    assert logs["necessary"] > logs["certified"]
    assert found.ratio("certified", "found") <= 1.1
    assert len(str(found).splitlines()) == 7
    data = json.loads(json.dumps(found.to_dict()))
    assert data["violations"] == []
    assert data["theorems"]["necessary"] == "derived.lower_linf_c3"


def test_a_violation_is_said():
    f, g = verify.tasks.mod_p(2, 0).transformer, verify.tasks.mod_p(2, 1).transformer
    found = verify.compare_lengths(f, g, epsilon="1/10", horizon=2**20, budget=400)
    object.__setattr__(found, "certified", 3)
    assert found.violations == (f"found = {found.worst.length} > certified = 3",)


def test_what_is_missing_is_said():
    f = verify.tasks.trained("mod_p", period=5, training_length=8)
    g = verify.tasks.mod_p(5, 0, precision_bits=8).transformer
    found = verify.compare_lengths(f, g, epsilon="3/100", horizon=2**20, budget=400, limit=3000)
    assert found.certified is None
    assert "certified: no length below the horizon was found" in str(found)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"horizon": 0}, "horizon"),
        ({"horizon": 2**60}, "horizon"),
        ({"budget": 0}, "budget"),
        ({"seed": -1}, "seed"),
        ({"limit": 0}, "limit"),
        ({"reproduces": "attention"}, "reproduces"),
        ({"inputs": [[0, 7]]}, "x"),
    ],
)
def test_what_cannot_be_used_is_refused(changes, name):
    f, g = _pair()
    with pytest.raises(InputError) as caught:
        search(f, g, **changes)
    assert caught.value.name.split("[")[0] == name
    with pytest.raises(InputError):
        verify.worst_pairs(epsilon="1/5", lipschitz="1/100")
