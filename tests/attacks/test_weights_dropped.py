"""Two argmax layers where only small weights are dropped: the machine model attacked.

Claim (any p in (0, ∞], two-counter machine with m instructions, m + 4 tokens): 0 ≤ f ≤ 1, and
f(x) > 0 only if x = b^k s t_1..t_r h #^M with k, M ≥ 1 and t_1..t_r a halting run from empty
counters; f(x) = 1 on these as soon as |x| ≥ max(2^(2p(k+1+r)), 2^(p/2)).

Evaluated from the definition in rationals, with runs of b and # of any length; and from the
explicit weights, in floats and with certified signs.
"""

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from verify.errors import CertificateError, InputError
from verify.witnesses import RunLengths, padded_doubling, padded_machine_model, padded_run
from verify.witnesses.minsky import CounterMachine, Instruction, doubling
from verify.witnesses.padded_machine import padding

pytestmark = pytest.mark.covers("attack", "derived.no_bound_two_layer_argmax")

BEGIN, START, HALT, PAD = "b", "s", "h", "#"
END = "end"

# Instructions (state, operation, counter, next state); state 0 is the first, END halts.
MACHINES = {
    "up and down": ((0, "inc", 1, 1), (1, "dec", 1, 2), (2, "zero", 1, END)),
    "never halts": ((0, "zero", 1, 1), (1, "dec", 2, END)),
    "loops": ((0, "inc", 1, 0), (0, "zero", 2, 1), (1, "dec", 1, 1), (1, "zero", 1, END)),
    "halts at once": ((END, "inc", 1, END),),  # the first state halts
}


def first_state(machine):
    return machine[0][0]


def tokens(machine):
    return [BEGIN, START, HALT, PAD, *machine]


def allowed(machine, before, after):
    """Whether `after` may follow `before` without a local violation."""
    if before in (BEGIN, HALT, PAD):
        return after in ((BEGIN, START) if before == BEGIN else (PAD,))
    state = first_state(machine) if before == START else before[3]
    if after == HALT:
        return state == END
    return not isinstance(after, str) and after[0] == state and state != END


def halting_run(machine, word):
    """Whether the instructions are a halting run from empty counters: the simulation itself."""
    state, counters = first_state(machine), {1: 0, 2: 0}
    for source, operation, counter, goal in word:
        if source != state or state == END:
            return False
        counters[counter] += {"inc": 1, "dec": -1, "zero": 0}[operation]
        if counters[counter] < 0 or (operation == "zero" and counters[counter]):
            return False
        state = goal
    return state == END


def accepted(machine, runs):
    """k and r if the input, a list of (token, times), is b^k s run h #^M; else None."""
    names = [token for token, _ in runs]
    if len(names) < 4 or names[0] != BEGIN or names[1] != START or names[-2:] != [HALT, PAD]:
        return None
    word = names[2:-2]
    if any(isinstance(token, str) for token in word) or not halting_run(machine, word):
        return None
    return runs[0][1], len(word)


def relu(number):
    return max(number, Fraction(0))


def layer_one(machine, token, before, counts, total, leak):
    """Logit and value of one position; `counts` includes it, `before` is the previous token."""
    position = sum(counts.values())
    kinds = tokens(machine)
    if position == 1:
        seen = {token: Fraction(1)}
    else:
        mass = 1 + leak * (position - 1)
        seen = {t: leak * (counts[t] - (t == before)) / mass for t in kinds}
        seen[before] += 1 / mass
    share = {t: Fraction(counts[t], position) for t in kinds}
    local = sum(
        relu(
            sum(seen.get(t, 0) for t in kinds if not allowed(machine, t, goal))
            + (token == goal)
            - Fraction(3, 2)
        )
        for goal in kinds
    )
    count = Fraction(0)
    for counter in (1, 2):
        drift = sum(share[t] for t in machine if t[1:3] == ("dec", counter))
        drift -= sum(share[t] for t in machine if t[1:3] == ("inc", counter))
        down = not isinstance(token, str) and token[1:3] == ("dec", counter)
        zero = not isinstance(token, str) and token[1:3] == ("zero", counter)
        count += relu(drift + down - 1) + relu(drift + zero - 1) + relu(-drift + zero - 1)
    instruction = not isinstance(token, str)
    start = relu(share[START] + instruction - 1)
    valid = relu((token == START) + seen.get(BEGIN, Fraction(0)) - Fraction(3, 2))
    logit = 10 * local + count - start / 2 - 2 * (token in (BEGIN, HALT, PAD))
    return logit, 2 * valid - instruction - 10 * local


def dropped(gap, total, bits):
    """Whether total^(−gap) ≤ 2^(−bits); exact where the two are close."""
    if bits == math.inf:
        return False
    distance = float(gap) * math.log2(total) - float(bits)
    if abs(distance) > 1e-6:
        return distance > 0
    power = gap.denominator * bits.denominator
    return total ** int(gap * power) >= 2 ** int(bits * power)


def evaluate(machine, runs, bits):
    """f of an input given as (token, times), times > 1 for b and # only.

    Inside a run of b or # every position has logit −2 and value 0: its predecessor allows it, and
    the leak of the other tokens is at most 1/9 < 1/2.
    """
    total = sum(times for _, times in runs)
    leak = Fraction(1, total**3)
    if total == 1 or dropped(Fraction(3), total, bits):
        leak = Fraction(0)
    counts, before, keys = dict.fromkeys(tokens(machine), 0), None, []
    for token, times in runs:
        counts[token] += 1
        logit, value = layer_one(machine, token, before, counts, total, leak)
        keys.append((logit, value, 1))
        if times > 1:
            assert token in (BEGIN, PAD)
            counts[token] += times - 1
            keys.append((Fraction(-2), Fraction(0), times - 1))
        before = token
    top = max(logit for logit, _, _ in keys)
    kept = [key for key in keys if not dropped(top - key[0], total, bits)]
    weights = [times * float(total) ** -float(top - logit) for logit, _, times in kept]
    out = math.fsum(w * float(v) for w, (_, v, _) in zip(weights, kept, strict=True))
    out /= math.fsum(weights)
    return max(0.0, out + (runs[-1][0] == PAD) - 1)


def check(machine, runs, bits):
    """The claim at one input; the value."""
    value = evaluate(machine, runs, bits)
    run = accepted(machine, runs)
    assert value <= 1 + 1e-12
    if run is None:
        assert value == 0, (runs, bits, value)
    elif bits != math.inf:
        total = sum(times for _, times in runs)
        if math.log2(total) >= max(2 * bits * (run[0] + 1 + run[1]), bits / 2):
            assert value == pytest.approx(1, abs=1e-12)
    return value


def in_runs(word):
    """A word as (token, times), with runs of b and of # collected."""
    runs = []
    for token in word:
        if runs and runs[-1][0] == token and token in (BEGIN, PAD):
            runs[-1] = (token, runs[-1][1] + 1)
        else:
            runs.append((token, 1))
    return runs


def padded(word, times):
    runs = in_runs([*word, PAD])
    return [*runs[:-1], (PAD, runs[-1][1] + times - 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_positive_on_halting_runs_only(name):
    machine = MACHINES[name]
    positive = 0
    for length in range(1, 4):
        for word in itertools.product(tokens(machine), repeat=length):
            for times, bits in [(1, Fraction(2)), (10**3, Fraction(1)), (10**9, math.inf)]:
                positive += check(machine, padded(word, times), bits) > 0
    assert (positive > 0) == (name == "halts at once")  # the other runs are longer


@pytest.mark.parametrize("name", ["up and down", "loops", "never halts"])
def test_mutated_runs_are_refused(name):
    machine, rng = MACHINES[name], random.Random(1)
    order = [0, 0, 1, 2, 2, 3] if name == "loops" else range(len(machine))
    run = [machine[i] for i in order]
    seen = 0
    for _ in range(250):
        word = [BEGIN] * rng.randint(1, 3) + [START, *run, HALT]
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            kind, place = rng.randrange(3), rng.randrange(len(word))
            if kind == 0 and len(word) > 1:
                del word[place]
            elif kind == 1:
                word.insert(place, rng.choice(tokens(machine)))
            else:
                word[place] = rng.choice(tokens(machine))
        times = 10 ** rng.randint(0, 60)
        bits = rng.choice([Fraction(1, 2), Fraction(1), Fraction(2), Fraction(5), math.inf])
        seen += check(machine, padded(word, times), bits) > 0
    assert (seen > 12) == (name != "never halts")


def test_where_the_first_positive_length_lies():
    """p = 1, r = 3, k = 1: 0 up to 4^(k+r) − 1, (1 − w)/(1 + w) there, 1 from 4^(k+1+r) on."""
    machine = MACHINES["up and down"]
    word = [BEGIN, START, *machine, HALT]
    weight = 2 ** Fraction(-4, 5)
    for total, wanted in [(255, 0), (256, (1 - weight) / (1 + weight)), (1023, None), (1024, 1)]:
        value = evaluate(machine, padded(word, total - len(word)), Fraction(1))
        assert wanted is None or value == pytest.approx(wanted, abs=1e-12), total
    assert sum(t for _, t in padded(word, 256 - len(word))) == 256


# ------------------------------------------------------------- the same as weights

OPERATIONS = {"inc": "increment", "dec": "decrement", "zero": "zero"}


def library(machine):
    """The machine for `verify.witnesses`, and the number of every token there."""
    steps = tuple(
        Instruction(str(state), OPERATIONS[operation], counter - 1, str(goal))
        for state, operation, counter, goal in machine
    )
    numbers = {token: k for k, token in enumerate([BEGIN, START, HALT, *machine, PAD])}
    return CounterMachine(steps, str(first_state(machine)), END), numbers


def written(numbers, runs):
    return [(numbers[token], times) for token, times in runs]


def entries(model):
    arrays = [model.embedding, model.positions, model.unembedding]
    for layer in model.layers:
        arrays += [layer.mlp_in, layer.mlp_bias, layer.mlp_out]
        arrays += [m for head in layer.heads for m in (head.query_key, head.value, head.lag_bias)]
    return {float(x) for array in arrays for x in np.ravel(array)}


@pytest.mark.parametrize("name", MACHINES)
def test_one_set_of_bounded_weights_for_every_precision(name):
    machine, numbers = library(MACHINES[name])
    models = [padded_machine_model(machine, bits) for bits in (1, 7)]
    assert replace(models[1], precision_bits=1) == models[0]
    assert entries(models[0]) <= {0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 3, 10, -10}
    assert models[0].vocabulary_size == len(MACHINES[name]) + 4 == len(numbers)
    assert (models[0].heads, models[0].locality, models[0].period) == ((2, 1), 1, 1)
    assert padding(machine) == numbers[PAD]


@pytest.mark.parametrize("bits", [1, 3])
def test_explicit_weights_give_the_same_values(bits):
    machine, rng = MACHINES["loops"], random.Random(bits)
    counter_machine, numbers = library(machine)
    model = padded_machine_model(counter_machine, bits)
    kinds = tokens(machine)
    word = [BEGIN, START, machine[0], machine[1], machine[2], machine[3], HALT]
    words = [[rng.choice(kinds) for _ in range(rng.randint(1, 12))] for _ in range(40)]
    words += [[*word, *[PAD] * times] for times in (1, 30, 250, 1018)]  # no length at a threshold
    words += [[START, BEGIN, START, BEGIN, START, *[PAD] * 9], [machine[0]] * 5 + [PAD]]
    seen = set()
    for word in words:
        got = model(np.array([numbers[token] for token in word]))[0]
        wanted = evaluate(machine, in_runs(word), Fraction(bits))
        assert got == pytest.approx(wanted, abs=1e-9), word
        seen.add(wanted > 0.1)
    assert seen == ({True, False} if bits == 1 else {False})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["up and down", "halts at once"])
def test_every_padded_short_string_through_the_weights(name):
    """Exact signs: f > 0 on accepted inputs only, with so much padding that these are positive."""
    machine = MACHINES[name]
    counter_machine, numbers = library(machine)
    model = padded_machine_model(counter_machine)
    evaluators = [(bits, RunLengths(model, bits)) for bits in (1, None)]
    for length in range(1, 3):
        for word in itertools.product(tokens(machine), repeat=length):
            runs = padded([BEGIN, *word], 10**20)
            for bits, exact in evaluators:
                value = exact(written(numbers, runs))
                # "halts at once" may also go on from its halting state: the library's simulator
                # is asked, for the run without its #.
                run = [numbers[token] for token in [BEGIN, *word]]
                while run[-1] == numbers[PAD]:
                    del run[-1]
                if numbers[PAD] not in run and counter_machine.accepts(run):
                    assert value > 0, (word, bits)
                else:
                    assert value == 0, (word, bits)


def test_mutated_runs_through_the_weights():
    rng, positive = random.Random(5), 0
    cases = [("up and down", (0, 1, 2)), ("loops", (0, 0, 1, 2, 2, 3))]
    precisions = [Fraction(1, 2), Fraction(1), Fraction(2), Fraction(5), math.inf]
    for name, order in cases:
        machine = MACHINES[name]
        counter_machine, numbers = library(machine)
        model = padded_machine_model(counter_machine)
        exact = {b: RunLengths(model, None if b == math.inf else b) for b in precisions}
        for _ in range(25):
            word = [BEGIN] * rng.randint(1, 3) + [START, *(machine[i] for i in order), HALT]
            for _ in range(rng.choice([0, 1, 1, 2])):
                place = rng.randrange(len(word))
                word[place : place + rng.randint(0, 1)] = [rng.choice(tokens(machine))]
            runs = padded(word, 10 ** rng.randint(0, 60))
            bits = rng.choice(precisions)
            value = exact[bits](written(numbers, runs))
            assert float(value) == pytest.approx(evaluate(machine, runs, bits), abs=1e-9)
            if accepted(machine, runs) is None:
                assert value == 0, (runs, bits)
            positive += value > 0
    assert positive > 5


def test_halting_runs_tend_to_one_at_every_precision():
    machine = MACHINES["up and down"]
    counter_machine, numbers = library(machine)
    model = padded_machine_model(counter_machine)
    for k, bits in itertools.product((1, 3), (Fraction(1, 2), Fraction(1), Fraction(30), None)):
        run, exact = [BEGIN] * k + [START, *machine, HALT], RunLengths(model, bits)
        if bits is not None:
            least = math.ceil(max(2 ** (2 * bits * (k + 4)), 2 ** (bits / 2)))
            assert exact(written(numbers, padded(run, least - len(run)))) == 1
        else:
            values = [exact(written(numbers, padded(run, 10**n))) for n in (10, 40, 400)]
            assert values[0] < values[1] < values[2]
            assert 0.999 < float(values[2]) < 1 + 1e-12


def test_values_at_the_first_positive_lengths_through_the_weights():
    counter_machine, _ = library(MACHINES["up and down"])
    exact = RunLengths(padded_machine_model(counter_machine))
    weight = 2 ** Fraction(-4, 5)
    for total, wanted in [(255, 0), (256, (1 - weight) / (1 + weight)), (1023, 0.33329), (1024, 1)]:
        value = exact(padded_run(counter_machine, total, steps=3))
        assert float(value) == pytest.approx(wanted, abs=1e-5), total
    assert exact(padded_run(counter_machine, 255, steps=3)) == 0


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_doubling_agrees_up_to_a_length_doubly_exponential_in_the_tokens(stages):
    pair, machine = padded_doubling(stages), doubling(stages)
    assert pair.agree_up_to == 4 ** (7 * 2**stages + 2 * stages - 5) - 1
    assert pair.first_long == pair.agree_up_to + 1
    assert pair.f.vocabulary_size == 7 * stages + 5
    f = RunLengths(pair.f)

    def at(length):
        return f(padded_run(machine, length, steps=10**3))

    shortest = 7 * 2**stages + 2 * stages - 2
    for length in (shortest, 10 * shortest, pair.agree_up_to // 2, pair.agree_up_to):
        assert at(length) == 0
    for factor in (1, 2, 3):
        assert float(at(pair.first_long * factor)) > pair.gap == Fraction(3, 10)
    assert at(4 * pair.first_long) == 1
    with pytest.raises(InputError, match="length"):
        pair.long_input(pair.agree_up_to)


def test_doubling_at_more_bits():
    pair, machine = padded_doubling(1, precision_bits=3), doubling(1)
    f = RunLengths(pair.f)
    assert f(padded_run(machine, pair.agree_up_to, steps=99)) == 0
    assert f(padded_run(machine, pair.first_long, steps=99)) == 1
    assert pair.gap == 1
    assert pair.agree_up_to + 1 == 2 ** (6 * (10 + 3 - 8))
    with pytest.raises(InputError, match="stages"):
        padded_doubling(1, precision_bits=4)


def test_runs_that_cannot_be_counted_are_refused():
    counter_machine, _ = library(MACHINES["up and down"])
    f = RunLengths(padded_machine_model(counter_machine))
    with pytest.raises(InputError, match="x"):
        f([(0, 0)])
    with pytest.raises(InputError, match="precision_bits"):
        RunLengths(padded_machine_model(counter_machine), 0)
    with pytest.raises(CertificateError, match="not constant"):
        f([(0, 1), (1, 1), (3, 9), (4, 30)])  # the share of decrements grows
    with pytest.raises(InputError, match="at least 7"):
        padded_run(counter_machine, 6, steps=3)
    with pytest.raises(InputError, match="halts within 2"):
        padded_run(counter_machine, 60, steps=2)
