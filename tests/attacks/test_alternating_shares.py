"""Margins in both layers of two argmax layers, and lengths exponential in L/target: attacked.

Tokens a, b, c, d; s = share of a among a, b and t = share of c among c, d up to the query (0 if
there is none); `out` is the mean over the positions of c and d of |t − 1/2| + penalty, where the
penalty is min(1/2, k·s) at c and min(1/2, k(1 − s)) at d (1/2 if there is no c or d). Claims for
every input of length n: out ≥ v_K/8, K the number of intervals of the c and d whose letters with
penalty below 1/2 agree, v_1 = 1, v_(K+1) = v_K − v_K²/4; n ≥ (2k − 1)^(K − 2); and values in
[0, 1], so that f = L·relu(h − out) is L-Lipschitz in the attention of the second layer. Hence
f = 0 while n ≤ (2k − 1)^(K − 2), K least with v_K < 8h.

Evaluated in rationals, with runs of a and b of any length; and as explicit weights.
"""

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import bounds
from verify import Head, Layer, LimitTransformer
from verify.errors import CertificateError, InputError
from verify.witnesses import RunLengths, alternating_shares, alternation
from verify.witnesses.alternation import alternations
from verify.witnesses.exact import ExactTwoLayer
from verify.witnesses.run_lengths import as_runs

pytestmark = [
    pytest.mark.covers("attack", "derived.lower_two_layer_argmax_margin"),
    pytest.mark.covers("tightness", "derived.lower_two_layer_argmax_margin"),
]

KEY = "derived.lower_two_layer_argmax_margin"
HALF = Fraction(1, 2)


def values(runs, slope):
    """(letter, value, bad) of every c and d of an input given as (token, times)."""
    count, found = dict.fromkeys("abcd", 0), []
    for token, times in runs:
        if token in "ab":
            count[token] += times
            continue
        s = Fraction(count["a"], max(1, count["a"] + count["b"]))
        penalty = min(HALF, slope * (s if token == "c" else 1 - s))
        for _ in range(times):
            count[token] += 1
            t = Fraction(count["c"], count["c"] + count["d"])
            found.append((token, abs(t - HALF) + penalty, penalty == HALF))
    return found


def mean(found):
    return sum(v for _, v, _ in found) / len(found) if found else HALF


def intervals(found):
    good = [letter for letter, _, bad in found if not bad]
    return max(1, sum(1 for i, letter in enumerate(good) if i == 0 or good[i - 1] != letter))


def steps(number):
    """v_1 … v_number in floats, a little less than they are."""
    v = [1.0]
    while len(v) < number:
        v.append((v[-1] - v[-1] ** 2 / 4) * (1 - 1e-15))
    return [x * (1 - 1e-12) for x in v]


V = steps(4000)


def check(runs, slope):
    """The claims at one input; (out, intervals)."""
    found = values(runs, slope)
    out, number = mean(found), intervals(found)
    assert all(0 <= v <= 1 for _, v, _ in found)
    assert 8 * out >= V[number - 1], runs
    assert sum(times for _, times in runs) >= (2 * slope - 1) ** (number - 2), runs
    return out, number


def alternating(blocks, most, slope):
    """Blocks of c and d in turn, with so many a, b between that k·s or k(1 − s) is ≤ `most`."""
    runs, small, large = [], 0, 0
    for i, block in enumerate(blocks):
        if i:
            small, large = large, small
            more = max(1, math.ceil(small * slope / most) - small - large)
            large += more
            runs.append(("ab"[i % 2 == 0], more))
        runs.append(("cd"[i % 2], block))
    return runs


@pytest.mark.parametrize("slope", [2, 10])
def test_every_short_string(slope):
    least = 1
    for length in range(1, 6):
        for word in itertools.product("abcd", repeat=length):
            out, _ = check([(token, 1) for token in word], slope)
            least = min(least, out)
    assert least > Fraction(1, 8)  # so f = 0 on all of them


def test_bad_letters_do_not_help():
    """s is never moved: every d is bad; and with s in between all letters are."""
    for word in itertools.product("cd", repeat=9):
        for start in ([], [("b", 1)], [("a", 1), ("b", 1)]):
            out, number = check([*start, *((token, 1) for token in word)], 3)
            assert number == 1
            assert out > Fraction(1, 8)


@pytest.mark.parametrize("seed", range(3))
def test_random_walks_with_good_and_bad_letters(seed):
    """c and d at random in long blocks, s moved across or not: only the claims are asked for."""
    rng, low = random.Random(seed), 1
    for _ in range(60):
        slope, runs = rng.choice([2, 3, 10]), []
        grow, wrong = rng.choice([3, 30, 1000]), rng.choice([0, 0.02, 0.2])
        total = 1
        for i in range(rng.randint(1, 60)):
            total *= grow
            runs.append((rng.choice("ab") if rng.random() < 0.1 else "ab"[i % 2], total))
            for _ in range(rng.randint(1, 4)):
                runs.append(("cd"[(i + (rng.random() >= wrong)) % 2], 1))
        out, _ = check(runs, slope)
        low = min(low, out)
    assert low < Fraction(1, 8)


def least_means(letters, most, reach):
    """The least `out` over all words of c and d with penalties 0 or 1/2, by number of intervals.

    Dynamic programming over the intervals so far, the letter of the present one, and #c − #d.
    """
    cost = np.full((most, 2, 2 * reach + 1), np.inf)
    cost[0, :, reach] = 0
    best = np.full(most, np.inf)
    for place in range(1, letters + 1):
        new = np.full_like(cost, np.inf)
        for letter in (0, 1):  # c moves #c − #d up, d down
            moved = np.full_like(cost, np.inf)
            to, source = (np.s_[..., 1:], np.s_[..., :-1])[:: 1 if letter == 0 else -1]
            moved[to] = cost[source]
            new = np.minimum(new, moved + 0.5)  # bad
            new[:, letter] = np.minimum(new[:, letter], moved[:, letter])
            new[1:, letter] = np.minimum(new[1:, letter], moved[:-1, 1 - letter])
        cost = new + np.abs(np.arange(-reach, reach + 1)) / (2 * place)
        best = np.minimum(best, cost.min(axis=(1, 2)) / place)
    return np.minimum.accumulate(best)


def test_no_word_at_all_has_a_smaller_mean():
    """All words with up to 1500 letters; the claim is sharp up to a third, and ever sharper."""
    ratios = 8 * least_means(1500, 12, 60) / V[:12]
    assert (ratios >= 1).all()
    assert (np.diff(ratios) < 0).all()
    assert ratios[-1] < 1.27


def test_long_inputs_come_as_close_to_zero_as_one_likes():
    means = []
    for pairs in (4, 40, 300):
        out, number = check(alternating([1] * (2 * pairs), Fraction(1, 200), 10), 10)
        assert number == 2 * pairs
        means.append(out)
    assert means == sorted(means, reverse=True)
    assert means[-1] < Fraction(1, 100)


# ------------------------------------------------------------- the pair


def one_by_one(token, times):
    return [(token, times)] if token < 2 else [(token, 1)] * times


def raised(pair: LimitTransformer, height: float) -> LimitTransformer:
    """The pair's f with another h, so that `out` itself is seen."""
    first, last = pair.layers
    return replace(pair, layers=(first, replace(last, mlp_bias=np.array([height]))))


@pytest.mark.parametrize(("bits", "margin", "slope"), [(1, 1, 10), (4, "1/2", 2), (2, 7, 3)])
def test_explicit_weights_give_the_same_values(bits, margin, slope):
    rng = random.Random(bits)
    pair = alternating_shares("1/9", 1, bits, margin, slope)
    model = raised(pair.f, 2.0)
    exact, counted = ExactTwoLayer(model, "dropped"), RunLengths(model)
    for _ in range(25):
        word = [rng.choice("abcd") * rng.choice([1, 1, 4]) for _ in range(rng.randint(1, 20))]
        x = ["abcd".index(token) for token in "".join(word)]
        wanted = 2 - mean(values([(token, 1) for token in "".join(word)], slope))
        assert exact(x) == (wanted,)
        assert model(np.array(x))[0] == pytest.approx(float(wanted), abs=1e-9)
        # in a run of c or d the values differ: one by one
        runs = [r for token, times in as_runs(x) for r in one_by_one(token, times)]
        assert float(counted(runs)) == pytest.approx(float(wanted), abs=1e-9)
    logits = [h.query_key for layer in pair.f.layers for h in layer.heads]
    assert {float(v) for m in logits for v in m.ravel()} == {0.0, max(bits, Fraction(margin))}
    weights = [m for layer in pair.f.layers for m in (layer.mlp_in, layer.mlp_out)]
    assert max(abs(m).max() for m in weights) == slope


@pytest.mark.parametrize("target", ["1/9", "1/12"])
def test_the_pair_agrees_as_long_as_the_registry_says_and_then_differs(target):
    goal = Fraction(target)
    pair = alternating_shares(goal)
    stated = bounds.required_length(theorem=KEY, epsilon=0, target=goal, lipschitz=1).length
    assert pair.agree_up_to >= stated
    assert pair.gap > goal
    _, limit = alternations(goal)
    runs = alternation(Fraction(math.nextafter(float(limit), 0)) - goal, 10)
    assert sum(times for _, times in runs) == pair.first_long
    assert float(RunLengths(pair.f)(runs)) > pair.gap
    # exactly 0 through the public call on what comes nearest among short inputs
    for blocks in itertools.product((1, 2, 3), repeat=3):
        for most in (Fraction(1, 2), Fraction(1, 8)):
            written = alternating(blocks, most, 10)
            x = ["abcd".index(token) for token, times in written for _ in range(times)]
            if len(x) <= 400:
                assert pair.f(np.array(x))[0] == 0
    with pytest.raises(InputError, match="10⁹"):
        pair.long_input(pair.first_long)


def test_the_number_of_alternations_is_what_the_closed_form_says():
    for denominator in [8.5, 9, 12, 20, 33, 70, 150, 400]:
        goal = Fraction(1) / Fraction(denominator)
        number, limit = alternations(goal)
        v = steps(number + 1)
        assert v[number - 1] <= 8 * goal < v[number - 2] * (1 + 1e-9)
        assert float(8 * limit) == pytest.approx(v[number - 2], rel=1e-9)
        closed = denominator / 2 - 3 - math.log((denominator - 3) / 5)
        assert closed < number <= closed + 1.2
    for name, bad in [("target", "1/7"), ("slope", 1), ("target", "1/1000")]:
        with pytest.raises(InputError, match=name):
            alternating_shares(**{"target": "1/9"} | {name: bad})


def test_without_a_bound_on_the_first_layer_no_length_is_enough():
    """One neuron of the first layer: L = 0 in the second, any margin, any target."""
    pair = alternating_shares("1/9")
    width = pair.f.dimension
    nothing = np.zeros((width, width))
    for length, target in [(3, 1.0), (6, 50.0)]:
        share = nothing.copy()
        share[4, 0] = 1
        row = np.zeros((1, width))
        row[0, [0, 4]] = 2, -2 * length
        first = Layer(
            heads=(Head(nothing, share, np.zeros(1)),),
            mlp_in=row,
            mlp_bias=np.zeros(1),
            mlp_out=target * np.eye(width)[:, [8]],
        )
        last = Layer(heads=(Head(nothing, nothing, np.zeros(1)),))
        f = LimitTransformer(
            np.eye(2, width), np.zeros((1, width)), (first, last), np.eye(width)[[8]], 3
        )
        exact = ExactTwoLayer(f, "dropped")
        for size in range(1, length + 1):
            assert all(exact(x) == (0,) for x in itertools.product((0, 1), repeat=size))
        assert f(np.array([1] * (2 * length) + [0]))[0] > target


def test_a_run_whose_ends_agree_but_not_its_middle_is_refused():
    """c⁶d¹⁸: |t − ½| is ¼ at both ends of the run of d and 0 at its sixth. It was taken as ¼."""
    model = raised(alternating_shares("1/17").f, 2)
    counted = RunLengths(model)
    with pytest.raises(CertificateError, match="18 times token 3: not constant"):
        counted([(2, 6), (3, 18)])
    one_by_one = counted([(2, 6), *[(3, 1)] * 18])
    assert float(one_by_one) == pytest.approx(model([2] * 6 + [3] * 18)[0], rel=1e-8)
    assert float(one_by_one) == pytest.approx(1.3798842053, rel=1e-9)
