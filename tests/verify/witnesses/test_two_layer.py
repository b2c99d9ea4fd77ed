"""The explicit pairs of two argmax layers agree as long, and differ as much, as is claimed."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.softmax_constants import norm
from verify import reference
from verify.errors import CertificateError, InputError, WeightsError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.exact import ExactTwoLayer
from verify.witnesses.minsky import (
    BEGIN,
    HALT,
    START,
    CounterMachine,
    Instruction,
    doubling,
    machine_model,
)
from verify.witnesses.two_layer_argmax import bounded_norms, doubling_machine, gram_tents

pytestmark = [
    pytest.mark.covers("attack", "derived.lower_two_layer_argmax"),
    pytest.mark.covers("tightness", "derived.lower_two_layer_argmax"),
]

UP_DOWN = CounterMachine(
    (Instruction("p", "increment", 0, "q"), Instruction("q", "decrement", 0, "h")), "p", "h"
)
LOOP_AND_TEST = CounterMachine(
    (
        Instruction("p", "increment", 1, "p"),
        Instruction("p", "decrement", 1, "q"),
        Instruction("q", "zero", 1, "h"),
    ),
    "p",
    "h",
)
HALTS_AT_ONCE = CounterMachine((Instruction("p", "increment", 0, "p"),), "p", "p")
NEVER_HALTS = CounterMachine((Instruction("p", "zero", 0, "p"),), "p", "h")
RULES = ["hardmax", "rounded"]


def strings(letters, longest):
    for length in range(1, longest + 1):
        yield from itertools.product(range(letters), repeat=length)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("machine", "longest", "accepted"),
    # accepted inputs begin^k start run halt up to that length, counted by hand
    [(UP_DOWN, 5, 1), (LOOP_AND_TEST, 5, 0), (HALTS_AT_ONCE, 6, 10), (NEVER_HALTS, 6, 0)],
)
def test_machine_model_is_the_machine_on_all_short_strings(machine, longest, accepted, rule):
    model = ExactTwoLayer(machine_model(machine, rule), rule)
    right = 0
    for x in strings(machine.vocabulary_size, longest):
        assert model(x) == (int(machine.accepts(x)),), x
        right += machine.accepts(x)
    assert right == accepted


@pytest.mark.parametrize("rule", RULES)
def test_machine_weights_are_bounded(rule):
    allowed = {0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 4.0, -4.0}
    model = machine_model(doubling(3), rule)
    arrays = [model.embedding, model.positions, model.unembedding]
    for layer in model.layers:
        arrays += [layer.mlp_in, layer.mlp_bias, layer.mlp_out]
        arrays += [a for head in layer.heads for a in (head.query_key, head.value, head.lag_bias)]
    assert {float(v) for array in arrays for v in array.ravel()} <= allowed
    assert model.vocabulary_size == 7 * 3 + 4
    assert model.locality == 1
    assert model.heads == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("stages", range(1, 9))
def test_doubling_family_accepts_first_at_the_stated_length(stages):
    machine, witness = doubling(stages), doubling_machine(stages, "hardmax")
    run = machine.run(10**4)
    # The machine is deterministic (`run` checks it), so every accepted input contains this run.
    assert len(run) == 7 * 2**stages + 2 * stages - 3 == witness.agree_up_to + 1
    assert run.count(BEGIN) == 1
    assert machine.accepts(run)
    assert machine.vocabulary_size == 7 * stages + 4 == witness.parameters["vocabulary_size"]
    x = witness.long_input(witness.first_long).tolist()
    assert x == list(run)
    assert ExactTwoLayer(witness.f, "hardmax")(x) == (witness.gap,) == (1,)
    assert not witness.g.unembedding.any()


@pytest.mark.slow
@pytest.mark.parametrize("stages", range(1, 6))
def test_rounded_doubling_models_differ_for_ever_after(stages):
    witness = doubling_machine(stages, "rounded")
    f = ExactTwoLayer(witness.f, "rounded")
    for extra in (0, 1, 30):
        x = witness.long_input(witness.first_long + extra).tolist()
        assert len(x) == witness.first_long + extra
        assert f(x) == (1,)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_edited_runs_are_judged_as_the_simulator_judges_them(rule):
    rng = random.Random(7)
    machine = doubling(2)
    run = machine.run(100)
    model = ExactTwoLayer(machine_model(machine, rule), rule)
    verdicts = []
    for _ in range(150):
        x = list(run)
        for _ in range(rng.randint(0, 2)):
            place = rng.randrange(len(x))
            edit = rng.randrange(4)
            if edit == 0:
                x[place] = rng.randrange(machine.vocabulary_size)
            elif edit == 1:
                del x[place]
            elif edit == 2:
                x.insert(place, x[rng.randrange(len(x))])
            else:
                x = x[:place] + [BEGIN] * rng.randint(1, 3) + x[place:]
        assert model(x) == (int(machine.accepts(x)),), x
        verdicts.append(machine.accepts(x))
    assert 20 < sum(verdicts) < 130  # both answers occur often


def test_second_start_block_does_not_excuse_a_count_violation():
    # up, down, down: the second decrement is impossible; a new block restarts the encoding
    machine = CounterMachine(
        (
            Instruction("p", "increment", 0, "q"),
            Instruction("q", "decrement", 0, "q"),
            Instruction("q", "zero", 0, "h"),
        ),
        "p",
        "h",
    )
    tail = (BEGIN,) * 9 + (START, 3, 4, 5, HALT)
    for rule in RULES:
        model = ExactTwoLayer(machine_model(machine, rule), rule)
        assert model((BEGIN, START, 3, 4, 5, HALT)) == (1,)
        assert model((BEGIN, START, 3, 4, 4, 5, HALT)) == (0,)
        assert model((BEGIN, START, 3, 4, 4, 5, HALT, *tail)) == (0,)
        assert model((BEGIN, START, 3, 4, 5, HALT, *tail)) == (0,)
        assert model(tail) == (1,)


def test_run_refuses_choices_and_reports_no_halt():
    assert NEVER_HALTS.run(50) is None
    with pytest.raises(InputError, match="one step from p"):
        LOOP_AND_TEST.run(5)
    with pytest.raises(InputError, match="stages"):
        doubling(0)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 10])
def test_bounded_norms_agree_up_to_length_and_differ_by_one(length):
    pair = bounded_norms(length)
    f, g = ExactTwoLayer(pair.f, "hardmax"), ExactTwoLayer(pair.g, "hardmax")
    assert pair.agree_up_to == length
    assert all(f(x) == g(x) for x in strings(2, length))
    for size in range(pair.first_long, pair.last_long + 1):
        x = pair.long_input(size).tolist()
        assert len(x) == size
        assert f(x)[0] - g(x)[0] == pair.gap == 1
    for model in (pair.f, pair.g):
        for layer in model.layers:
            matrices = [m for h in layer.heads for m in (h.query_key, h.value)]
            assert all(norm(m) <= 2 for m in [*matrices, layer.mlp_in, layer.mlp_out])


def test_bounded_norms_in_finite_precision_need_large_logits():
    length, bits = 4, 5
    plain = bounded_norms(length, precision_bits=bits)
    exact = [ExactTwoLayer(m, "hardmax") for m in (plain.f, plain.g)]
    scale = 2.0 * bits * (length + 1) ** 2
    scaled = bounded_norms(length, logit_scale=scale, precision_bits=bits)
    for x in strings(2, length + 1):
        assert scaled.f(np.array(x)).tolist() == [float(v) for v in exact[0](x)]
        assert scaled.g(np.array(x)).tolist() == [float(v) for v in exact[1](x)]
    # With norms ≤ 2 nothing is dropped at this length: another function altogether.
    assert 0 < plain.f(plain.long_input(length + 1))[0] < 1


def test_bounded_norms_refuse_lengths_they_cannot_represent():
    with pytest.raises(InputError, match="length"):
        bounded_norms(0)
    with pytest.raises(InputError, match="length"):
        bounded_norms(10**17)
    with pytest.raises(InputError, match="7 to 12"):
        bounded_norms(6).long_input(13)
    with pytest.raises(InputError, match="at least 13"):
        doubling_machine(1, "hardmax").long_input(12)


def tents(letters, locality, denominator, lipschitz=Fraction(1), precision_bits=1):
    """The witness whose P is the given denominator."""
    target = (letters ** (locality + 1) - 1) * lipschitz / (2 * (denominator + 1))
    return gram_tents(
        vocabulary_size=letters,
        locality=locality,
        target=target,
        lipschitz=lipschitz,
        precision_bits=precision_bits,
    )


@pytest.mark.parametrize(
    ("letters", "locality", "denominator"), [(2, 0, 4), (2, 1, 16), (2, 2, 16), (4, 0, 8)]
)
def test_gram_tents_vanish_on_all_short_strings(letters, locality, denominator):
    pair = tents(letters, locality, denominator, Fraction(2), 3)
    f = ExactTwoLayer(pair.f, "hardmax")
    assert pair.agree_up_to == denominator // 2
    assert all(f(x) == (0,) for x in strings(letters, pair.agree_up_to))
    assert pair.gap == Fraction(letters ** (locality + 1) - 1, denominator)
    assert pair.gap > pair.parameters["target"]
    assert pair.first_long == denominator
    for size in (denominator, denominator + 1, 3 * denominator):
        x = pair.long_input(size).tolist()
        assert f(x) == (pair.gap,)


def test_gram_tents_in_finite_precision():
    pair = tents(2, 2, 8, precision_bits=6)
    for x in strings(2, pair.agree_up_to):
        assert abs(pair.f(np.array(x))[0]) < 1e-15
    x = pair.long_input(8)
    assert pair.f(x)[0] == pytest.approx(float(pair.gap), abs=1e-15)
    assert reference(pair.f, x) == pytest.approx(pair.f(x))
    assert pair.g(x)[0] == 0


@pytest.mark.parametrize("locality", [0, 1, 2])
@pytest.mark.parametrize("target", ["1/5", "1/50", "3/16", "0.0271"])
def test_gram_tents_exhibit_the_stated_length(locality, target):
    pair = gram_tents(vocabulary_size=2, locality=locality, target=target)
    goal = Fraction(target)
    stated = (2 ** (locality + 1) - 1) / (4 * goal) // 1 - 1
    assert stated <= pair.agree_up_to <= stated + 1
    assert pair.gap > goal
    assert float(pair.f(pair.long_input(pair.first_long))[0]) > goal


def test_gram_tents_are_lipschitz_in_the_second_attention():
    # the output as a function of the frequencies of the grams
    pair = tents(2, 1, 8, Fraction(3))
    layer = pair.f.layers[1]
    rng = np.random.default_rng(3)
    slope = 0.0
    for _ in range(2000):
        p = rng.dirichlet(np.full(4, 0.4))
        q = p + 0.02 * (rng.dirichlet(np.ones(4)) - p)
        outs = []
        for law in (p, q):
            y = np.zeros(pair.f.dimension)
            y[-4:-1] = law[1:]
            hidden = np.maximum(layer.mlp_in @ y + layer.mlp_bias, 0)
            outs.append((layer.mlp_out @ hidden)[-1])
        slope = max(slope, abs(outs[0] - outs[1]) / (abs(p - q).sum() / 2))
    assert 2.0 < slope <= 3.0 + 1e-9


def test_gram_tents_refuse_bad_arguments():
    good = {"vocabulary_size": 2, "locality": 1, "target": "1/10"}
    for name, value in [
        ("vocabulary_size", 1),
        ("locality", -1),
        ("target", "3/8"),
        ("target", 0),
        ("lipschitz", "many"),
    ]:
        with pytest.raises(InputError, match=name):
            gram_tents(**good | {name: value})
    with pytest.raises(InputError, match="length"):
        gram_tents(**good).long_input(3)


def test_exact_model_refuses_what_it_cannot_decide():
    head = Head(np.diag([1.0, 0.0]), np.eye(2), [0.0])
    layer = Layer(heads=(head,))
    model = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer, layer), np.eye(2), 4)
    exact = ExactTwoLayer(model, "rounded")
    with pytest.raises(CertificateError, match="irrational"):
        exact((1, 0, 0))
    with pytest.raises(InputError, match="x"):
        exact((0, 2))
    with pytest.raises(WeightsError, match="two layers"):
        ExactTwoLayer(
            LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,), np.eye(2), 4), "hardmax"
        )
    with pytest.raises(WeightsError, match="finite precision"):
        ExactTwoLayer(
            LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer, layer), np.eye(2), None),
            "hardmax",
        )


@pytest.mark.parametrize("seed", range(6))
def test_exact_model_equals_the_reference_where_hardmax_holds(seed):
    # integer logits and p = 1: gaps are at least 1, so hardmax holds at every length ≥ 2
    rng = np.random.default_rng(seed)
    width, letters, period = 4, 3, 1 + seed % 3

    def head():
        return Head(
            rng.integers(-1, 2, (width, width)),
            rng.integers(-2, 3, (width, width)) / 2,
            rng.integers(-1, 2, 3),
        )

    first = Layer(
        heads=(head(), head()),
        mlp_in=rng.integers(-1, 2, (3, width)),
        mlp_bias=rng.integers(-1, 2, 3),
        mlp_out=rng.integers(-1, 2, (width, 3)),
    )
    last = Layer(heads=(Head(np.zeros((width, width)), np.eye(width), [0.0, 1.0, 0.0]),))
    model = LimitTransformer(
        rng.integers(-1, 2, (letters, width)),
        rng.integers(-1, 2, (period, width)),
        (first, last),
        rng.integers(-1, 2, (2, width)),
        1,
    )
    exact = ExactTwoLayer(model, "hardmax")
    for _ in range(40):
        x = rng.integers(0, letters, rng.integers(2, 12))
        np.testing.assert_allclose(
            [float(v) for v in exact(x.tolist())], reference(model, x), rtol=1e-12, atol=1e-12
        )
