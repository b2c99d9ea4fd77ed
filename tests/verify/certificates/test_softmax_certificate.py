"""`verify.certify` in infinite precision: from weights to the exact truth, and what it says."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers import softmax_exact
from tests.helpers.all_inputs import errors
from tests.helpers.softmax_models import random_model
from tests.helpers.table_models import table_head, table_model
from verify import (
    Certificate,
    Head,
    InputError,
    Layer,
    LimitTransformer,
    SoftmaxCertificate,
    agreement,
    certify,
    recheck,
    tasks,
)
from verify.certificates.input_class import InputClass, PairInputs
from verify.certificates.softmax.instance import SoftmaxInstance

EPSILON = Fraction(1, 10)
STORED = {2: (4, 3, 3, 3, 3), 4: (6, 7, 3, 3, 6), 6: (87, 39, 43, 30, 26), 8: (38, 42, 71, 71, 22)}
"""N at ε = 1/10 of the stored plain-softmax models, by ω, for n = 8, 16, 32, 64, 128."""


@functools.cache
def trained(omega, length):
    pair = tasks.trained_pair("simple_plain", omega=omega, training_length=length)
    return pair.model, pair.target


def near(rng, f, size):
    """Return f with other logits and outputs, `size` away."""

    def moved(array):
        return array + size * rng.normal(size=np.shape(array))

    (layer,) = f.layers
    heads = tuple(
        dataclasses.replace(h, query_key=moved(h.query_key), value=moved(h.value))
        for h in layer.heads
    )
    layer = dataclasses.replace(layer, heads=heads, mlp_bias=moved(layer.mlp_bias))
    return dataclasses.replace(f, layers=(layer,))


def random_pair(rng, **settings):
    given = {
        "size": int(rng.integers(2, 4)),
        "period": int(rng.integers(1, 4)),
        "locality": int(rng.integers(0, 3)),
        "regimes": [str(rng.choice(["token", "balanced", "position", "negative"]))],
        "scale": float(rng.choice([0.5, 1.0])),
    }
    f = random_model(rng, layers=1, **(given | settings))
    if rng.random() < 0.4 and "regimes" not in settings:
        f = without_bias(f)
    return f, near(rng, f, float(rng.choice([0.05, 0.5])))


def without_bias(f):
    (layer,) = f.layers
    heads = tuple(dataclasses.replace(h, lag_bias=[0.0]) for h in layer.heads)
    return dataclasses.replace(f, layers=(dataclasses.replace(layer, heads=heads),))


def hostile_rows(rng, one_class, number):
    """Count vectors with lone tokens, rare tokens and shares, shape (number, atoms)."""
    columns = []
    for total, parts in zip(one_class.vectors.totals, one_class.vectors.parts, strict=True):
        rows = np.zeros((number, parts))
        for row in rows:
            kind = rng.integers(4)
            if kind == 0:
                row[rng.integers(parts)] = total
            elif kind == 1 and parts > 1:
                rare, common = rng.permutation(parts)[:2]
                row[rare] = min(int(2 ** rng.uniform(0, math.log2(total + 1))), total)
                row[common] = total - row[rare]
            else:
                shares = rng.dirichlet(np.full(parts, float(rng.choice([0.2, 1, 5]))))
                row[:] = np.floor(shares * total)
                row[rng.integers(parts)] += total - row.sum()
        columns.append(rows)
    return np.concatenate([np.zeros((number, 0)), *columns], axis=1)


def largest_error(rng, f, g, length, rows=100):
    """Return the largest |f − g| of hostile inputs of one length, certified from below."""
    inputs = PairInputs(f, g)
    suffixes = rng.integers(0, inputs.vocabulary_size, (4, min(length, inputs.locality + 1)))
    found = 0.0
    for suffix in np.unique(suffixes, axis=0).tolist():
        one_class = InputClass(inputs, length, tuple(suffix))
        computed = one_class.errors(hostile_rows(rng, one_class, rows)).max()
        found = max(found, float(computed) - one_class.rounding)
    return found


# ---------------------------------------------------------------- the window theorem, by weights


@functools.cache
def windows(number, seed):
    """(share of the bound, f, g, certificate, window error) of random pairs, as a user gets them."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < number:
        f, g = random_pair(rng)
        instance = SoftmaxInstance(f, g)
        trivial = instance.cost(instance.pair.period).trivial
        budget = trivial * Fraction(int(rng.integers(5, 60)), 100)
        horizon = [None, 2**40][int(rng.integers(2))]
        certificate = certify(f, g, epsilon=budget / 2, horizon=horizon)
        if certificate.length is None:
            continue
        try:
            window = agreement(f, g, certificate.window, limit=30_000)
        except InputError:
            continue
        high = window.high + certificate.cost
        for exponent in (2, 6, 20, 38):
            length = certificate.length + int(2 ** rng.uniform(0, exponent))
            worst = largest_error(rng, f, g, length)
            assert worst <= high, (f, g, certificate)
            found.append((worst / float(high), f, g, certificate, window))
    return found


@pytest.mark.slow
def test_nothing_longer_is_above_window_plus_cost():
    found = windows(40, 0)
    rules = {certificate.rule for *_, certificate, _ in found}
    assert rules >= {"image", "joint"}
    assert max(share for share, *_ in found) > 0.8
    periods = {certificate.period for *_, certificate, _ in found}
    assert periods == {1, 2, 3}


@pytest.mark.slow
def test_all_strings_are_below_window_plus_cost():
    """Every string up to length 11 or so, not only counts; and shorter ones where that is said."""
    looked, every, share = 0, 0, 0.0
    rng = np.random.default_rng(7)
    while looked < 14:
        f, g = random_pair(rng, size=2, scale=0.4)
        instance = SoftmaxInstance(f, g)
        trivial = instance.cost(instance.pair.period).trivial
        certificate = certify(f, g, epsilon=trivial / 5, target=trivial)
        if certificate.length is None or certificate.length > 8:
            continue
        window = agreement(f, g, certificate.window)
        by_strings = {n: errors(f, g, n).max() for n in range(1, 12)}
        assert float(window.value) == pytest.approx(max(by_strings[n] for n in certificate.window))
        high = float(window.high + certificate.cost) + 1e-12
        first = 1 if certificate.every_length else certificate.window[0]
        every += certificate.every_length
        assert max(by_strings[n] for n in range(first, 12)) <= high
        share = max(share, max(by_strings.values()) / high)
        looked += 1
    assert every >= 2
    assert share > 0.5


def tent(ratio, length):
    """f = (share of attention below that of one query in `length` tokens), g = −f: b rare."""
    u = ratio / (ratio + length - 1)
    gap = math.log(ratio)
    query_key = np.zeros((3, 3))
    query_key[1, :2] = gap  # token b has the logit ln ratio at every query
    value = np.zeros((3, 3))
    value[2, 1] = 1.0
    mlp_in = np.array([[-50.0, 0.0, -1.0]])  # query a: shut
    # A linear pair of units takes the attended value itself out of the output.
    layer = Layer(
        (Head(query_key, value, [0.0]),),
        np.vstack([mlp_in, [[0.0, 0, 1]], [[0.0, 0, -1]]]),
        np.array([u, 0.0, 0.0]),
        np.array([[0.0, 0, 0], [0, 0, 0], [1, -1, 1]]),
    )
    unembedding = np.array([[0.0, 0.0, 1.0]])
    f = LimitTransformer(np.eye(3)[:2], np.zeros((1, 3)), (layer,), unembedding, None)
    return f, dataclasses.replace(f, unembedding=-unembedding)


@pytest.mark.parametrize(("ratio", "length"), [(1.0, 6), (4.0, 12), (0.5, 9)])
def test_the_bound_is_attained_where_a_query_is_rare(ratio, length):
    """Equal on every input up to N, and apart by all of the cost beyond: 0.99 of it is too little."""
    f, g = tent(ratio, length)
    instance = SoftmaxInstance(f, g)
    window = agreement(f, g, length)
    assert window.high < Fraction(1, 10**9)
    found = instance.cost(length)
    assert found.rule in ("rare query", "joint")
    inputs = PairInputs(f, g)
    one_class = InputClass(inputs, 2**40, (1,))
    reached = float(one_class.errors(np.array([[2.0**40 - 1, 0.0]])).max())
    assert 0.99 * float(found.value) < reached <= float(window.high + found.value)
    # The certificate asks for exactly this window, and not for less.
    budget = found.value * Fraction(1001, 1000)
    assert certify(f, g, epsilon=0, target=budget).length <= length
    assert certify(f, g, epsilon=0, target=found.value / 2).length > length


def test_windows_that_are_too_short_are_caught():
    """Half the length that is asked for: some tent is then above the target."""
    caught = 0
    for ratio, length in ((1.0, 6), (4.0, 12), (0.5, 9), (2.0, 30)):
        f, g = tent(ratio, length)
        cost = SoftmaxInstance(f, g).cost(length).value
        target = cost * Fraction(9, 10)
        certificate = certify(f, g, epsilon=target / 100, target=target)
        assert certificate.length > length
        half = certificate.length // 2
        one_class = InputClass(PairInputs(f, g), 2**40, (1,))
        reached = float(one_class.errors(np.array([[2.0**40 - 1, 0.0]])).max())
        agrees = agreement(f, g, half).high <= certificate.epsilon
        caught += agrees and reached > float(target)
    assert caught > 0


# ---------------------------------------------------------------- trained weights


@pytest.mark.slow
@pytest.mark.parametrize("omega", STORED)
def test_lengths_of_the_stored_models(omega):
    """Every length is claimed; the bound holds at all lengths looked at, shorter ones too."""
    rng = np.random.default_rng(omega)
    seconds = []
    for length, expected in zip((8, 16, 32, 64, 128), STORED[omega], strict=True):
        f, g = trained(omega, length)
        start = time.process_time()
        found = certify(f, g, epsilon=EPSILON)
        seconds.append(time.process_time() - start)
        assert found.length == expected
        assert found.every_length
        high = agreement(f, g, found.window).high + found.cost
        assert found.cost <= 2 * EPSILON
        for other in {*range(1, found.length, 15), found.length + 1, 2**40}:
            assert largest_error(rng, f, g, other) <= high
    assert min(seconds) < 1  # 0.2 to 0.4 on an idle machine


def test_both_sides_of_every_length():
    f, g = trained(4, 32)
    found = certify(f, g, epsilon="1/100")
    a = agreement(f, g, found.window)
    longer = agreement(f, g, 3000)
    assert a.low <= longer.high <= a.high + found.cost
    assert found.horizon is None
    assert "of every length" in found.explain()
    bounded = certify(f, g, epsilon="1/100", horizon=2**20)
    assert bounded.length == found.length
    assert not bounded.every_length


# ---------------------------------------------------------------- what is said, what is refused


def mild_pair(size=0.02):
    """Lag biases that are small, Δ = 2, two heads that live."""
    head = table_head([0.3, 0, 0.1], [0, 0.2], [0, 1, 2], [0, 0.5], bias=(0.2, -0.1))
    other = table_head([0.1, 0, 0.2], [0, 0.1], [1, 0, 1], [0, 0.2], bias=(0.0, 0.0))
    f = table_model([head, other], precision_bits=None)
    return f, near(np.random.default_rng(0), f, size)


@pytest.mark.slow
def test_files_give_back_the_same_certificate(tmp_path):
    for pair in (trained(2, 8), trained(6, 8), mild_pair()):
        found = certify(*pair, epsilon="1/2")
        path = tmp_path / "certificate.json"
        found.save(path)
        for load in (Certificate.load, SoftmaxCertificate.load):
            again = load(path)
            assert isinstance(again, SoftmaxCertificate)
            assert again == found
            assert again.explain() == found.explain()
        copy = found.to_dict()
        assert json.loads(json.dumps(copy)) == copy
        copy["contexts"][0]["cost"] = "0"
        assert found.to_dict() != copy
        recheck(path, *pair)


def test_certificates_say_what_they_claim():
    found = certify(*trained(6, 8), epsilon=EPSILON)
    assert found.window == range(found.length, found.length + 1)
    assert (found.epsilon, found.target) == (EPSILON, 3 * EPSILON)
    assert found.rule == found.context["rule"] == "rare query"
    text = found.explain()
    assert str(found.length) in text
    assert "rare query" in text
    assert "not checked" in text
    assert "shorter than the window" not in text
    assert repr(found).startswith("<SoftmaxCertificate: If f and g")
    image = certify(*mild_pair(), epsilon=1, horizon=2**50)
    assert image.rule == "image"
    assert "Kept lags" in image.explain()
    assert "shorter than the window" in image.explain()
    assert "longer than the horizon" in image.explain()
    assert len(image.window) == 2


@pytest.mark.slow
def test_a_smaller_budget_never_shortens_the_window():
    f, g = mild_pair()
    lengths = [certify(f, g, epsilon=e).length for e in (2, 1, "1/2", "1/4")]
    assert lengths == sorted(lengths)
    lengths = [certify(f, g, epsilon=1, horizon=h).length for h in (2**10, 2**20, 2**80, None)]
    assert lengths == sorted(lengths)


def test_the_window_beyond_reach_is_said():
    """A margin of 1/1000: N would have thousands of digits."""
    head = table_head([0, 0], token_values=[0, 1], bias=(0.999,))
    f = table_model([head], precision_bits=None)
    found = certify(f, f, epsilon="1/1000")
    assert (found.length, found.cost, found.window, found.context) == (None, None, None, None)
    assert found.rule is None
    text = found.explain()
    assert "nothing is claimed" in text
    assert "costs" in text
    assert recheck(found, f, f).length is None
    short = certify(*mild_pair(), epsilon="1/1000", horizon=100)
    assert short.length is None
    assert "N = 98" in short.explain()


def test_models_that_agree_by_structure_cost_nothing():
    same = table_model([table_head([0, 3], token_values=[1, 1], bias=(0.4,))], precision_bits=None)
    found = certify(same, same, epsilon="1/10")
    assert (found.length, found.cost) == (1, 0)
    f, _ = trained(2, 8)
    joint = certify(f, f, epsilon="1/1000000")
    assert joint.cost == 0  # f − g = 0: seen by the rule for both, not by constants
    assert joint.rule == "joint"


def test_finite_precision_needs_a_horizon():
    f = tasks.mod_p(2, 0).transformer
    with pytest.raises(InputError) as caught:
        certify(f, f, epsilon="1/10")
    assert caught.value.name == "horizon"
    assert "finite precision" in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({"epsilon": -1}, "epsilon"),
        ({"epsilon": "x"}, "epsilon"),
        ({"epsilon": 0}, "epsilon"),
        ({"epsilon": "1/10", "target": "1/10"}, "target"),
        ({"epsilon": "1/10", "horizon": 100.0}, "horizon"),
        ({"epsilon": "1/10", "horizon": True}, "horizon"),
        ({"epsilon": "1/10", "horizon": 3}, "horizon"),
        ({"epsilon": "1/10", "horizon": 0}, "horizon"),
    ],
)
def test_bad_arguments_are_named(keywords, name):
    with pytest.raises(InputError) as caught:
        certify(*mild_pair(), **keywords)
    assert caught.value.name == name


def test_precisions_do_not_mix():
    f, _ = trained(2, 8)
    hard = dataclasses.replace(f, precision_bits=8)
    for pair in ((f, hard), (hard, f)):
        with pytest.raises(InputError) as caught:
            certify(*pair, epsilon="1/10", horizon=100)
        assert caught.value.name == "g.precision_bits"


def test_inputs_given_by_counts_are_those_of_the_definition():
    """The evaluation on which the window rests, against ball arithmetic at length 2^40."""
    rng = np.random.default_rng(2)
    for _ in range(4):
        f, g = random_pair(rng)
        inputs = PairInputs(f, g)
        length = 2**40 + int(rng.integers(100))
        suffix = tuple(rng.integers(0, inputs.vocabulary_size, inputs.locality + 1).tolist())
        one_class = InputClass(inputs, length, suffix)
        row = hostile_rows(rng, one_class, 1)
        counts, start = [], 0
        for atoms in one_class.atoms:
            counts.append([int(c) for c in row[0, start : start + len(atoms)]])
            start += len(atoms)
        exact = softmax_exact.error(f, g, one_class.summary(counts))
        assert abs(float(exact.mid()) - one_class.errors(row)[0]) <= one_class.rounding + 1e-15
