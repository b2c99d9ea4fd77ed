"""Margins in both layers of two argmax layers, and lengths exponential in 1/target: attacked.

Tokens a, b, c, d; s = share of a among a, b and t = share of c among c, d up to the query; `out`
is the mean over the positions of c and d of |t − 1/2| + penalty, where the penalty is
clip(5(s − 0.2)) at c and clip(5(0.8 − s)) at d (1/2 if there is no c or d). With h ≤ 1/32,
f = relu(h − out) is claimed to be 0 on every input of length n ≤ 1.5^(1/(64h) − 2), to come as
close to h as one likes on long inputs, and to be 3/2-Lipschitz in the attention of layer 2.

Evaluated in rationals, with runs of a and b of any length; and as explicit weights.
"""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer

pytestmark = [
    pytest.mark.covers("attack", "derived.lower_two_layer_argmax_margin"),
    pytest.mark.covers("tightness", "derived.lower_two_layer_argmax_margin"),
]


def clip(number):
    return min(max(number, Fraction(0)), Fraction(1))


def values(runs):
    """(letter, value) of every c and d of an input given as (token, times)."""
    count, found = dict.fromkeys("abcd", 0), []
    for token, times in runs:
        for _ in range(times if token in "cd" else 1):
            count[token] += 1 if token in "cd" else times
            if token in "cd":
                s = Fraction(count["a"], max(1, count["a"] + count["b"]))
                t = Fraction(count["c"], count["c"] + count["d"])
                far = 5 * (s - Fraction(1, 5)) if token == "c" else 5 * (Fraction(4, 5) - s)
                found.append((token, abs(t - Fraction(1, 2)) + clip(far), clip(far) == 1))
    return found


def out(runs):
    found = values(runs)
    return sum(v for _, v, _ in found) / len(found) if found else Fraction(1, 2)


def intervals(runs):
    """Number of maximal intervals of the c and d whose good letters (penalty < 1) agree."""
    good = [letter for letter, _, bad in values(runs) if not bad]
    return sum(1 for i, letter in enumerate(good) if i == 0 or good[i - 1] != letter)


def size(runs):
    return sum(times for _, times in runs)


def check(runs):
    """The claim and both steps of its proof at one input; (out, intervals)."""
    mean, parts, length = out(runs), intervals(runs), size(runs)
    found = values(runs)
    if found:
        assert max(v for _, v, _ in found) <= Fraction(3, 2)
        assert 2 * len(found) * mean >= 1
    if mean < Fraction(1, 32):
        assert 64 * parts * mean >= 1, runs
        assert length >= 1.5 ** (parts - 2), runs
        assert length > 1.5 ** (1 / (64 * float(mean)) - 2), runs
    return mean, parts


def alternating(blocks, high, low, start=0):
    """Blocks of c and d (lengths alternate c, d, c, …), with a, b added to move s across.

    Before a block of c so many b stand that s ≤ low, before one of d so many a that s ≥ high.
    """
    runs, a, b = ([("b", start)] if start else []), 0, start
    for i, block in enumerate(blocks):
        if i % 2 == 0:
            more = max(0, -(-a * low.denominator // low.numerator) - a - b) if a else 0
            b += more
            runs += [("b", more)] if more else []
        else:
            if a + b == 0:
                more = 1
            else:  # (a + more)/(a + b + more) ≥ high
                need = (high * (a + b) - a) / (1 - high)
                more = max(0, -(-need.numerator // need.denominator))
            a += more
            runs += [("a", more)] if more else []
        runs.append(("c" if i % 2 == 0 else "d", block))
    return runs


def test_every_short_string():
    least = 1
    for length in range(1, 7):
        for word in itertools.product("abcd", repeat=length):
            mean, _ = check([(token, 1) for token in word])
            least = min(least, mean)
    assert least > Fraction(1, 32)  # so f = 0 on all of them


def test_long_inputs_come_as_close_to_zero_as_one_likes():
    low, high = Fraction(1, 5), Fraction(4, 5)
    means = []
    for pairs in (4, 40, 300):
        mean, parts = check(alternating([1] * (2 * pairs), high, low))
        assert parts == 2 * pairs
        means.append(mean)
    assert means == sorted(means, reverse=True)
    assert means[-1] < Fraction(1, 250)


@pytest.mark.slow
def test_blocks_of_every_size():
    """One crossing per block; blocks that grow keep t near 1/2 for less."""
    low, high = Fraction(1, 5), Fraction(4, 5)
    reached = 0
    for first in (1, 2, 5, 10):
        for growth in (Fraction(1), Fraction(11, 10), Fraction(5, 4)):
            sizes, block = [first], Fraction(2 * first)
            while sum(sizes) < 1500:
                sizes.append(int(block))
                block *= growth
            mean, _ = check(alternating(sizes, high, low))
            reached += mean < Fraction(1, 32)
    assert reached >= 6


@pytest.mark.parametrize("seed", range(3))
def test_annealing(seed):
    """Minimise out·intervals: blocks, levels of s inside the allowed range, and bad letters."""
    rng = random.Random(seed)

    def cost(blocks, low, high):
        mean, parts = check(alternating(blocks, high, low, start=1))
        return float(mean * parts) if mean < Fraction(1, 32) else 1 + float(mean)

    blocks, low, high = [1, *[2] * 120], Fraction(1, 5), Fraction(4, 5)
    now = cost(blocks, low, high)
    for _ in range(40):
        trial, move = list(blocks), rng.randrange(4)
        place = rng.randrange(1, len(trial) - 1)
        if move == 0:
            trial[place] += rng.choice([1, 2, 4])
        elif move == 1 and trial[place] > 1:
            trial[place] -= 1
        elif move == 2:
            low = rng.choice([Fraction(1, 5), Fraction(1, 4), Fraction(3, 10), Fraction(7, 20)])
            high = 1 - low
        else:
            trial.insert(place, rng.randint(1, 4))
        new = cost(trial, low, high)
        if new <= now:
            blocks, now = trial, new
    assert 1 / 64 <= now < 1  # 1 or more would mean that no mean was below 1/32


def test_bad_letters_alone_do_not_help():
    """s is never moved: the d are all bad or all but; out stays above 1/32."""
    for word in itertools.product("cd", repeat=9):
        mean, _ = check([("b", 1), *[(token, 1) for token in word]])
        assert mean > Fraction(1, 32)


# ------------------------------------------------------------- the same as weights


def transformer(height, bits, margin):
    """f as weights: logits max(γ, p) and 0 in both layers."""
    a, b, c, d, s, t, value, result, last, one = range(10)
    top = max(bits, margin)
    embedding = np.eye(4, 10)
    embedding[:, one] = 1
    empty = np.zeros((10, 10))

    def preferring(first, second, read, where):
        keys, move = empty.copy(), empty.copy()
        keys[[first, second], one] = top
        move[where, read] = 1
        return Head(keys, move, np.zeros(1))

    units = [  # coordinates, bias, weight in the value
        ({t: 1}, -0.5, 1),
        ({t: -1}, 0.5, 1),
        ({s: 5, c: 5}, -6, 1),
        ({s: 5, c: 5}, -7, -1),
        ({s: -5, d: 5}, -1, 1),
        ({s: -5, d: 5}, -2, -1),
    ]
    mlp_in = np.zeros((len(units), 10))
    for row, (weights, _, _) in zip(mlp_in, units, strict=True):
        for where, weight in weights.items():
            row[where] = weight
    first = Layer(
        heads=(preferring(a, b, a, s), preferring(c, d, c, t)),
        mlp_in=mlp_in,
        mlp_bias=np.array([float(bias) for _, bias, _ in units]),
        mlp_out=np.outer(np.eye(10)[value], [weight for _, _, weight in units]),
    )
    row = np.zeros((1, 10))
    row[0, result] = -1
    second = Layer(
        heads=(preferring(c, d, value, result),),
        mlp_in=row,
        mlp_bias=np.array([height]),
        mlp_out=np.eye(10)[:, [last]],
    )
    return LimitTransformer(embedding, np.zeros((1, 10)), (first, second), np.eye(10)[[last]], bits)


@pytest.mark.parametrize(("bits", "margin"), [(1, 1), (4, 0.5), (2, 7.0)])
def test_explicit_weights_give_the_same_values(bits, margin):
    rng = random.Random(bits)
    model = transformer(2.0, bits, margin)  # h = 2 shows `out` itself
    for _ in range(60):
        word = [rng.choice("abcd") for _ in range(rng.randint(1, 40))]
        got = model(np.array(["abcd".index(token) for token in word]))[0]
        assert got == pytest.approx(2 - float(out([(token, 1) for token in word])), abs=1e-9)
