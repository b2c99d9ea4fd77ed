"""`verify.shortest`: equal to looking at everything, and z always passes the exact check."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import scipy

import verify
import verify.witnesses
from tests.helpers.model_pairs import random_pair
from tests.helpers.random_models import random_model
from tests.helpers.short_inputs import shortest_length
from verify.errors import InputError
from verify.tightness.exact_outputs import hardmax_laws
from verify.tightness.program import attention_minimum, is_simulation
from verify.tightness.request import read_request
from verify.tightness.shortest import ShortestStatus

MEANINGS = ("outputs", "each output", "attention")


def _input(rng, f, longest):
    length = int(rng.integers(1, longest + 1))
    x = rng.integers(0, f.vocabulary_size, length)
    return np.where(rng.random(length) < 0.8, x[0], x) if rng.random() < 0.5 else x


def _attention_case(rng):
    """A pair, an input with its attention, and a δ for each head; δ = 1 where it has none."""
    while True:
        f, g = random_pair(rng)
        pair = read_request(f, g, 1, None).inputs.pair
        if pair.period > 3:
            continue
        longest = {1: 30, 2: 18, 3: 12}[f.vocabulary_size]
        x = verify.summarise(_input(rng, f, longest), f.vocabulary_size, pair.period, pair.locality)
        laws = hardmax_laws(pair, x)
        tolerances = [
            Fraction(int(rng.integers(1, 24)), 40) if law is not None else Fraction(1)
            for law in laws
        ]
        if any(delta < 1 for delta in tolerances):
            return pair, x, laws, tolerances


def check_outputs(seed, cases):
    """Compare with looking at everything; return how many were shortened, by what."""
    rng = np.random.default_rng(seed)
    shortened = dict.fromkeys(MEANINGS, 0)
    for case in range(cases):
        f, g = random_pair(rng)
        x = _input(rng, f, 11 if f.vocabulary_size < 3 else 8)
        meaning, epsilon = MEANINGS[case % 3], Fraction(int(rng.integers(1, 60)), 10)
        request = read_request(f, g, epsilon, None, meaning)
        pair, summary = request.inputs.pair, request.summary(x)
        tolerances = request.tolerances()
        laws = hardmax_laws(pair, summary)
        try:
            found = verify.shortest(x, f, g, epsilon=epsilon, reproduces=meaning)
        except InputError:
            assert any(law is None and d < 1 for law, d in zip(laws, tolerances, strict=True))
            continue

        def simulates(z, own=request, at=summary, of_x=laws, deltas=tolerances):
            if own.reproduces == "attention":
                return is_simulation(own.inputs.pair, z, of_x, deltas)
            return own.close(at, z)

        true = shortest_length(summary, pair.period, f.vocabulary_size, pair.locality, simulates)
        assert found.status is ShortestStatus.EXACT
        assert found.length == true
        assert simulates(found.short_summary)
        shortened[meaning] += true < len(x)
    return shortened


def check_attention(seed, cases):
    """Compare the program with looking at everything; return (shortened, proved)."""
    rng = np.random.default_rng(seed)
    shortened = proved = 0
    for _ in range(cases):
        pair, x, laws, tolerances = _attention_case(rng)
        found = attention_minimum(pair, x, laws, tolerances, x, 500)

        def simulates(z, at=(pair, laws, tolerances)):
            return is_simulation(at[0], z, at[1], at[2])

        true = shortest_length(x, pair.period, pair.vocabulary_size, pair.locality, simulates)
        assert simulates(found.short)
        assert found.lower <= true <= found.short.length
        shortened += true < x.length
        proved += found.lower == found.short.length
    return shortened, proved


def test_outputs_equal_looking_at_everything():
    assert min(check_outputs(0, 30).values()) >= 1


def test_attention_equals_looking_at_everything():
    shortened, proved = check_attention(1, 30)
    assert shortened >= 15
    assert proved == 30


def test_a_wrong_solver_cannot_make_a_wrong_answer(monkeypatch):
    """Proposals that violate constraints are refused; bounds hold for any dual values."""
    rng = np.random.default_rng(5)
    honest = scipy.optimize.linprog

    def wrong_dual_values(*args, **kwargs):
        result = honest(*args, **kwargs)
        if result.x is not None:
            noise = rng.normal(size=result.eqlin.marginals.shape)
            result.eqlin.marginals = result.eqlin.marginals * 3 + noise
            if "ineqlin" in result and kwargs["A_ub"] is not None:
                result.ineqlin.marginals = -result.ineqlin.marginals
            result.x = result.x + rng.normal(size=result.x.shape)
        return result

    def wrong_point(_, constraints, **kwargs):
        low, high = kwargs["bounds"].lb, kwargs["bounds"].ub
        return type("Result", (), {"x": np.floor(low + (high - low) * rng.random(low.shape))})

    monkeypatch.setattr(scipy.optimize, "linprog", wrong_dual_values)
    monkeypatch.setattr(scipy.optimize, "milp", wrong_point)
    shortened, _ = check_attention(1, 15)
    assert shortened >= 5


@pytest.mark.parametrize(("inverse", "length"), [(4, 8), (6, 18), (8, 32)])
def test_nested_sets_need_the_square(inverse, length):
    """A light set of two types at shares just above δ, inside a heavy one: 1/(2δ²), proved."""
    witness = verify.witnesses.nested_classes(4, "1/10", "3/10")
    pair = read_request(witness.f, witness.g, 1, None).inputs.pair
    delta, light = Fraction(1, inverse), 10**6
    rare = light // inverse + light // 10**4
    x = verify.Summary(
        np.array([[rare, light - rare, 10**15 - light]], dtype=object), np.array([2]), 10**15 + 1
    )
    found = attention_minimum(pair, x, hardmax_laws(pair, x), [delta, delta], x, 500)
    assert found.lower == found.short.length == length
    assert length >= (Fraction(1) / (4 * delta**2)) - 1


def test_the_other_query_is_never_longer():
    f = verify.tasks.trained("mod_p", period=2, training_length=32)
    g = verify.tasks.mod_p(2, 0, precision_bits=8).transformer
    x = [1, 0, 1, 1, 0, 0, 1] * 300
    lengths = [verify.shortest(x, f, g, epsilon="3/100", query=q).length for q in ("same", "any")]
    assert lengths[1] <= lengths[0] < 20


def test_three_meanings_imply_each_other():
    f = verify.tasks.mod_p(2, 1).transformer
    x = [0, 0, 0, 1, 1, 1, 0] * 500 + [1]
    found = {m: verify.shortest(x, f, epsilon="1/40", reproduces=m) for m in MEANINGS}
    assert all(s.status is ShortestStatus.EXACT for s in found.values())
    assert found["outputs"].length <= found["each output"].length <= found["attention"].length
    construction = verify.simulate(x, f, epsilon="1/40")
    assert found["attention"].length <= construction.length
    assert found["attention"].error_f.high <= Fraction(1, 40)
    (variation, other) = found["attention"].variations
    assert variation == other <= found["attention"].tolerances[0]


def test_counts_of_any_size():
    f = verify.tasks.mod_p(2, 1).transformer
    big = 10**15
    counts = np.array([[big, big], [7 * big // 4, big // 4 + 1]], dtype=object)
    x = verify.Summary(counts, np.array([0]), 4 * big + 2)
    found = verify.shortest(x, f, epsilon="1/40", reproduces="attention")
    assert found.status is ShortestStatus.EXACT
    assert verify.shortest(x, f, epsilon="1/40").length <= found.length < 100
    data = json.loads(json.dumps(found.to_dict()))
    assert data["status"] == "EXACT"
    assert str(found).startswith("shortest z for an input of length")


def test_a_limit_leaves_bounds():
    f = verify.tasks.mod_p(2, 1).transformer
    x = [0, 0, 0, 1, 1, 1, 0] * 500 + [1]
    full = verify.shortest(x, f, epsilon="1/40")
    for limit in (0, 20):
        some = verify.shortest(x, f, epsilon="1/40", limit=limit)
        assert some.status is ShortestStatus.BOUNDS
        assert some.lower_bound <= full.length <= some.length < len(x)
    none = verify.shortest(x, f, epsilon="1/40", limit=0, reproduces="attention")
    assert none.lower_bound <= full.length <= none.length


def test_infinite_precision_by_outputs():
    pair = verify.tasks.trained_pair("simple_plain", omega=2, training_length=32)
    x = [0, 0, 1, 0, 1] * 200
    found = verify.shortest(x, pair.model, pair.target, epsilon="1/20")
    assert found.status is ShortestStatus.EXACT
    assert found.length < 60
    for name, model in (("error_f", pair.model), ("error_g", pair.target)):
        measured = np.abs(model(x) - model(found.short)).max()
        side = getattr(found, name)
        assert abs(float(side.low) - measured) < 1e-9


def test_what_cannot_be_used_is_refused():
    f = verify.tasks.mod_p(2, 1).transformer
    plain = verify.tasks.trained_pair("simple_plain", omega=2, training_length=32).model
    trained = verify.tasks.trained("mod_p", period=2, training_length=32)
    for arguments, name in (
        (dict(x=[0, 1], f=f, epsilon=0), "epsilon"),
        (dict(x=[0, 1], f=f, epsilon="x"), "epsilon"),
        (dict(x=[0, 1], f=f, epsilon=1, target=1), "target"),
        (dict(x=[0, 1], f=f, epsilon=1, reproduces="all"), "reproduces"),
        (dict(x=[0, 1], f=f, epsilon=1, query="none"), "query"),
        (dict(x=[0, 1], f=f, epsilon=1, query="any", reproduces="attention"), "query"),
        (dict(x=[0, 1], f=f, epsilon=1, limit=-1), "limit"),
        (dict(x=[0, 1], f=plain, epsilon=1, reproduces="attention"), "f.precision_bits"),
        (dict(x=[0, 5], f=f, epsilon=1), "x"),
        (dict(x=[0, 1] * 9, f=trained, epsilon="1/10", reproduces="attention"), "x, head 0 of f"),
    ):
        with pytest.raises(InputError) as caught:
            verify.shortest(arguments.pop("x"), arguments.pop("f"), **arguments)
        assert caught.value.name.startswith(name.split("[")[0]), caught.value


def test_one_model_alone_is_the_pair_with_itself():
    rng = np.random.default_rng(3)
    f = random_model(
        rng, vocabulary_size=2, period=2, locality=1, heads=1, precision_bits=3, ties=True
    )
    x = rng.integers(0, 2, 30)
    alone, twice = (
        verify.shortest(x, *models, epsilon="1/2", reproduces="each output")
        for models in ((f,), (f, f))
    )
    assert alone.length == twice.length
    assert alone.error_f == alone.error_g


@pytest.mark.slow
def test_more_cases():
    check_outputs(7, 60)
    check_attention(8, 40)
