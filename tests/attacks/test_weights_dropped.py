"""Two argmax layers where only small weights are dropped: the machine model attacked.

Claim (any p in (0, ∞], two-counter machine with m instructions, m + 4 tokens): 0 ≤ f ≤ 1, and
f(x) > 0 only if x = b^k s t_1..t_r h #^M with k, M ≥ 1 and t_1..t_r a halting run from empty
counters; f(x) = 1 on these as soon as |x| ≥ max(2^(2p(k+1+r)), 2^(p/2)).

Evaluated from the definition in rationals, with runs of b and # of any length; and the same model
as explicit weights in `LimitTransformer`.
"""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer

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


def transformer(machine, bits):
    kinds = tokens(machine)
    size = len(kinds)
    place = {token: i for i, token in enumerate(kinds)}
    # Coordinates: token, frequencies, previous token, logit, value, result of layer 2, f, one.
    logit, value, result, last, one = range(3 * size, 3 * size + 5)
    width = one + 1
    embedding = np.eye(size, width)
    embedding[:, one] = 1
    copies = [np.zeros((width, width)) for _ in range(2)]
    for i in range(size):
        copies[0][size + i, i] = copies[1][2 * size + i, i] = 1

    units = []  # (weights on coordinates, bias, weight in logit, weight in value)

    def unit(weights, bias, to_logit, to_value):
        row = np.zeros(width)
        for where, weight in weights:
            row[where] += weight
        units.append((row, bias, to_logit, to_value))

    instructions = [(place[t], 1) for t in machine]
    for goal in kinds:
        wrong = [(2 * size + place[t], 1) for t in kinds if not allowed(machine, t, goal)]
        unit([*wrong, (place[goal], 1)], -1.5, 10, -10)
    for counter in (1, 2):
        drift = [
            (size + place[t], {"dec": 1, "inc": -1}[t[1]])
            for t in machine
            if t[2] == counter and t[1] != "zero"
        ]
        down = [(place[t], 1) for t in machine if t[1:3] == ("dec", counter)]
        zero = [(place[t], 1) for t in machine if t[1:3] == ("zero", counter)]
        unit([*drift, *down], -1, 1, 0)
        unit([*drift, *zero], -1, 1, 0)
        unit([*[(where, -weight) for where, weight in drift], *zero], -1, 1, 0)
    unit([(size + place[START], 1), *instructions], -1, -0.5, 0)
    unit([(place[START], 1), (2 * size + place[BEGIN], 1)], -1.5, 0, 2)
    mlp_out = np.zeros((width, len(units)))
    mlp_out[logit] = [u[2] for u in units]
    mlp_out[value] = [u[3] for u in units]
    nothing = np.zeros((width, width))
    first = Layer(
        heads=(Head(nothing, copies[0], np.zeros(2)), Head(nothing, copies[1], np.array([0, 3.0]))),
        mlp_in=np.array([u[0] for u in units]),
        mlp_bias=np.array([u[1] for u in units]),
        mlp_out=mlp_out,
    )
    keys, read = nothing.copy(), nothing.copy()
    keys[logit, one] = read[result, value] = 1
    for token in (BEGIN, HALT, PAD):
        keys[place[token], one] = -2
    for where, _ in instructions:
        read[result, where] = -1
    row = np.zeros((1, width))
    row[0, [result, place[PAD]]] = 1
    second = Layer(
        heads=(Head(keys, read, np.zeros(1)),),
        mlp_in=row,
        mlp_bias=np.array([-1.0]),
        mlp_out=np.eye(width)[:, [last]],
    )
    return LimitTransformer(
        embedding, np.zeros((1, width)), (first, second), np.eye(width)[[last]], bits
    )


@pytest.mark.parametrize("bits", [1, 3])
def test_explicit_weights_give_the_same_values(bits):
    machine, rng = MACHINES["loops"], random.Random(bits)
    model = transformer(machine, bits)
    entries = [model.embedding, model.unembedding]
    for layer in model.layers:
        entries += [layer.mlp_in, layer.mlp_bias, layer.mlp_out]
        entries += [m for head in layer.heads for m in (head.query_key, head.value, head.lag_bias)]
    used = {float(x) for matrix in entries for x in np.ravel(matrix)}
    assert used <= {0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 3, 10, -10}

    kinds = tokens(machine)
    word = [BEGIN, START, machine[0], machine[1], machine[2], machine[3], HALT]
    words = [[rng.choice(kinds) for _ in range(rng.randint(1, 12))] for _ in range(40)]
    words += [[*word, *[PAD] * times] for times in (1, 30, 250, 1018)]  # no length at a threshold
    words += [[START, BEGIN, START, BEGIN, START, *[PAD] * 9], [machine[0]] * 5 + [PAD]]
    seen = set()
    for word in words:
        got = model(np.array([kinds.index(token) for token in word]))[0]
        wanted = evaluate(machine, in_runs(word), Fraction(bits))
        assert got == pytest.approx(wanted, abs=1e-9), word
        seen.add(wanted > 0.1)
    assert seen == ({True, False} if bits == 1 else {False})
