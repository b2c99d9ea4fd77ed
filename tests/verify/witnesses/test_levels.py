"""Nested levels, exhibited: equal on every short input, apart on long ones, L from the weights."""

from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import ceil, floor

import numpy as np
import pytest

import bounds
import verify
from verify.errors import InputError
from verify.model.summary import Summary
from verify.witnesses import levels_of_one, nested_levels, own_share, two_residues

pytestmark = [
    pytest.mark.covers("attack", "derived.lower_presence", "derived.lower_linf_c3"),
    pytest.mark.covers("tightness", "derived.lower_presence", "derived.lower_linf_c3"),
]

ROUNDING = 1e-12


def summary(column, others, suffix, period, length):
    """The input with these tokens in the prefix of the column of position 1, `others` elsewhere."""
    size = len(column)
    counts = np.zeros((period, size), dtype=object)
    for i in range(1, length - len(suffix) + 1):
        counts[i % period, others] += 1
    counts[1 % period] = column
    return Summary(counts, np.array(suffix), length)


def short_inputs(witness, lengths, rng=None):
    """All counts of the column, all suffixes (or some); what no head reads is the last token."""
    size, period = witness.f.vocabulary_size, witness.f.period
    tau = witness.parameters["locality"]
    for length in lengths:
        kept = min(length, tau + 1)
        prefix = sum(i % period == 1 % period for i in range(1, length - kept + 1))
        suffixes = list(product(range(size), repeat=kept))
        if rng is not None:
            suffixes = [suffixes[i] for i in rng.choice(len(suffixes), min(9, len(suffixes)))]
            suffixes.append((size - 1,) * kept)
        for tokens in combinations_with_replacement(range(size), prefix):
            column = [tokens.count(t) for t in range(size)]
            for suffix in suffixes:
                yield summary(column, size - 1, suffix, period, length)


def apart(witness, s):
    return witness.f.of_summary(s)[0] - witness.g.of_summary(s)[0]


def limit_input(witness, levels, tied, ratio):
    """The summary of a long input with every missing share about 1/ratio, tokens never written."""
    size, period = witness.f.vocabulary_size, witness.f.period
    tau = witness.parameters["locality"]
    sizes = [tied * ratio**level for level in range(1, levels + 1)]
    length = period * (sizes[-1] + tau + 2)
    prefix = length - tau - 1
    per_residue = [(prefix - r) // period + (r > 0) for r in range(period)]
    counts = np.zeros((period, size), dtype=object)
    counts[:, levels - 1] = per_residue
    start = 0
    for token in range(levels - 1):
        counts[1 % period, token] = sizes[token] - start
        counts[1 % period, levels - 1] -= sizes[token] - start
        start = sizes[token]
    return Summary(counts, np.array([levels - 1] * (tau + 1)), length)


PAIRS = [
    # L, target, |Σ|, Δ, τ, H; ε = 1
    ("5", 3, 2, 1, 0, 1),  # 20 of the table: d = .4
    ("11/4", "5/2", 2, 1, 3, 1),
    ("9/2", 3, 2, 2, 0, 1),
    ("4", 3, 2, 2, 3, 1),
    ("4", "29/10", 3, 3, 2, 1),
    ("9/2", 3, 3, 1, 0, 2),
    ("41/10", 3, 4, 1, 0, 2),
]


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_within_epsilon_up_to_the_entry_then_apart(pair):
    slope, target, size, period, tau, heads = pair
    witness = nested_levels(slope, 1, target, size, period, tau, heads)
    given = {k: v for k, v in witness.parameters.items() if k != "precision_bits"}
    value = bounds.required_length(theorem=witness.key, **given).length
    assert witness.agree_up_to == value - 1
    rng = np.random.default_rng(1)
    multiples = [n for n in range(1, value) if n % period == 0]
    if size > 2:
        multiples = multiples[:: max(1, len(multiples) // 6)] + multiples[-1:]
        multiples = [n for n in multiples if n // period <= (28 if size == 3 else 14)]
    worst = max(abs(apart(witness, s)) for s in short_inputs(witness, multiples, rng))
    assert worst <= 1 + ROUNDING
    for length in (n for n in range(1, min(value, 12)) if n % period):
        for s in short_inputs(witness, [length], rng):
            assert abs(apart(witness, s)) <= 1 + ROUNDING
    levels = min(2 * heads, size, 2 * ceil(Fraction(slope) / (Fraction(target) - 1)) - 2)
    tied = 1 if period == 1 else tau + 1 - floor((tau + 1) / period)
    long = limit_input(witness, levels, tied, 10**7)
    assert apart(witness, long) >= witness.gap > Fraction(target)


@pytest.mark.parametrize(("period", "tau", "size"), [(1, 0, 2), (2, 1, 2), (3, 3, 2), (1, 2, 3)])
def test_all_strings(period, tau, size):
    for witness in (
        nested_levels("9/2", 1, 3, size, period, tau, 2),
        levels_of_one(5, 1, "11/5", size, period, tau, 2),
        levels_of_one(5, 0, "1/2", size, period, tau, 3),
    ):
        for length in range(1, 8 if size == 2 else 6):
            assert length <= witness.agree_up_to
            for x in product(range(size), repeat=length):
                difference = witness.f(np.array(x))[0] - witness.g(np.array(x))[0]
                assert abs(difference) <= witness.epsilon + ROUNDING, x


def test_the_long_input_is_one():
    for witness in (
        nested_levels(2, 1, "5/2", 2, 1, 0),
        nested_levels(2, 1, "5/2", 2, 2, 1),
        levels_of_one(5, 0, 1, 1, 2, 4),
        levels_of_one(5, 1, "3", 3, 3, 1, 1),
        own_share(5, 0, 2, 3, 3),
        own_share(5, 1, "11/2", 2, 1),
    ):
        x = witness.long_input(50)
        assert x.size >= 50
        assert abs(witness.f(x)[0] - witness.g(x)[0]) >= witness.gap > witness.parameters["target"]
    assert verify.reference(witness.f, x)[0] == pytest.approx(witness.f(x)[0], abs=1e-10)


def test_visible_soon_after():
    """d = .4: 20 is necessary, and at 20 to 22 symbols the pair is more than ε apart."""
    witness = nested_levels(5, 1, 3)
    assert witness.agree_up_to == 19
    inputs = list(short_inputs(witness, range(20, 23)))
    assert max(abs(apart(witness, s)) for s in inputs) > 1.001


@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize(("heads", "size", "tau"), [(1, 2, 0), (1, 3, 2), (2, 3, 1), (3, 6, 1)])
def test_the_constant_is_that_of_the_weights(period, heads, size, tau):
    for witness in (
        nested_levels(20, 1, 3, size, period, tau, heads),
        levels_of_one(40, 1, 4, size, period, tau, heads if period == 1 and heads > 1 else 2),
        own_share(7, 1, 3, size, period),
    ):
        found = verify.measure(witness.f, witness.g)
        assert found.lipschitz == pytest.approx(float(witness.parameters["lipschitz"]))
        assert found.margin is None or found.margin >= 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slope", "epsilon", "target", "size", "period", "tau", "heads"),
    [
        (5, 0, 1, 1, 2, 3, 1),
        (6, 1, "5/2", 1, 3, 4, 1),
        (4, "1/10", 1, 2, 1, 0, 2),
        ("9/2", 0, 1, 2, 2, 1, 2),
        ("19/2", 0, 3, 3, 1, 0, 3),
    ],
)
def test_one_model_is_constant(slope, epsilon, target, size, period, tau, heads):
    witness = levels_of_one(slope, epsilon, target, size, period, tau, heads)
    given = {k: v for k, v in witness.parameters.items() if k != "precision_bits"}
    found = bounds.required_length(theorem=witness.key, **given)
    assert witness.agree_up_to == found.terms["levels"].length - 1
    lengths = range(1, min(witness.agree_up_to, 28 * period) + 1)
    inputs = short_inputs(witness, lengths, np.random.default_rng(2))
    assert max(abs(apart(witness, s)) for s in inputs) <= witness.epsilon + ROUNDING
    levels = min(heads, size)
    tied = 1 if period == 1 else tau + 1 - floor((tau + 1) / period)
    long = limit_input(witness, levels, tied, 10**7)
    assert apart(witness, long) >= witness.gap > Fraction(target)


@pytest.mark.parametrize("period", [1, 2, 3])
def test_the_share_of_the_query_itself(period):
    witness = own_share(7, 1, 3, 2, period)
    given = {k: v for k, v in witness.parameters.items() if k != "precision_bits"}
    found = bounds.required_length(theorem=witness.key, assume={"no_lag_bias"}, **given)
    assert found.length == witness.agree_up_to + 1 == period * 3 + 1
    worst = {}
    for length in range(1, 11):
        found = [witness.f(np.array(x))[0] for x in product(range(2), repeat=length)]
        worst[length] = max(map(abs, found))
    assert max(worst[n] for n in range(1, min(10, witness.agree_up_to) + 1)) <= 1 + ROUNDING
    if period * 4 + 1 <= 10:
        assert worst[period * 4 + 1] > 1.01


@pytest.mark.slow
@pytest.mark.parametrize(("slope", "target"), [(6, 3), ("9/2", 3), ("41/10", "29/10")])
def test_where_the_tokens_stand(slope, target):
    """`residues`, Δ = 2: all counts of both columns; the constant as it is on pairs of inputs."""
    witness = two_residues(slope, 1, target)
    given = {k: v for k, v in witness.parameters.items() if k != "precision_bits"}
    found = bounds.required_length(theorem=witness.key, assume={"true_lipschitz"}, **given)
    assert found.terms["residues"].length == witness.agree_up_to + 1
    values = {}
    for length in range(1, witness.agree_up_to + 12):
        odd, even = (length + 1) // 2, length // 2
        columns = [(odd - (length % 2), even - (length % 2 == 0))]
        for query in (0, 1):
            for first, second in product(*(range(n + 1) for n in columns[0])):
                counts = [[second, columns[0][1] - second], [first, columns[0][0] - first]]
                s = Summary(np.array(counts), np.array([query]), length)
                values[length, query, first, second] = (
                    witness.f.of_summary(s)[0],
                    witness.g.of_summary(s)[0],
                )
    short = {k: f - g for k, (f, g) in values.items() if k[0] <= witness.agree_up_to}
    assert max(map(abs, short.values())) <= 1 + ROUNDING
    assert max(abs(f - g) for f, g in values.values()) > 1 + 1e-3  # soon after
    x = witness.long_input(10)
    assert witness.f(x)[0] - witness.g(x)[0] >= witness.gap - ROUNDING > target_of(target)
    same = [(k, f) for k, (f, _) in values.items() if k[0] % 2 == 0 and k[1] == 1 and k[2] + k[3]]
    for (a, f), (b, h) in product(same[::7], same[::11]):
        shares = [Fraction(k[3], k[2] + k[3]) for k in (a, b)]
        assert abs(f - h) <= float(Fraction(slope) * abs(shares[0] - shares[1])) + ROUNDING


def target_of(target):
    return float(Fraction(target))


def test_bad_input():
    for make in (
        lambda: nested_levels(2, 1, 3),
        lambda: nested_levels(9, 1, "3.01"),
        lambda: nested_levels(9, 1, 1),
        lambda: nested_levels(9, 1, 3, 1),
        lambda: levels_of_one(5, 0, 1),
        lambda: levels_of_one(2, 0, 1, 1, 2),
        lambda: own_share(2, 1, 3),
        lambda: own_share(5, 1, 3, 1),
        lambda: two_residues(4, 1, 3),
        lambda: two_residues(9, 1, "3.1"),
    ):
        with pytest.raises(InputError):
            make()
