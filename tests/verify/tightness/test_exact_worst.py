"""The exact worst case against a linear program that is written from the statement alone."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import linprog

from verify.errors import InputError
from verify.tightness import NestedPatterns, exact_length, exact_worst, worst_pair


def what_is_seen(x, tied):
    """Laws of f and g on an input, from the definition: f sees A (and the query's position)."""
    last = 1 if tied else 2
    mine = [s for s in x if s != last] + [last] * tied or [last]
    laws = []
    for seen in (mine, list(x)):
        laws.append([Fraction(seen.count(s), len(seen)) for s in range(last + 1)])
    return laws


def largest_difference(short, long, slope, tied):
    """Max of f(x) − g(x) over Lipschitz f, g with |f − g| ≤ 1 on short inputs: an LP."""
    seen = [what_is_seen(z, tied) for z in short] + [long]
    n = len(seen)
    rows, limits = [], []
    for i in range(n):
        for j in range(n):
            for model in (0, 1):
                if i != j:
                    first, second = seen[i][model], seen[j][model]
                    far = sum(max(a - b, 0) for a, b in zip(first, second, strict=True))
                    row = np.zeros(2 * n)
                    row[model * n + i], row[model * n + j] = 1, -1
                    rows.append(row)
                    limits.append(float(slope * far))
    for i in range(n - 1):
        for sign in (1, -1):
            row = np.zeros(2 * n)
            row[i], row[n + i] = sign, -sign
            rows.append(row)
            limits.append(1.0)
    aim = np.zeros(2 * n)
    aim[n - 1], aim[2 * n - 1] = -1, 1
    bounds = [(0, 0)] + [(None, None)] * (2 * n - 1)
    return -linprog(aim, A_ub=np.array(rows), b_ub=limits, bounds=bounds).fun


def strings(length, tied):
    """One input for each pair of laws, up to a length; the last token is the query."""
    last = 1 if tied else 2
    found = {}
    for n in range(length):
        for start in product(range(last + 1), repeat=n):
            x = (*start, last)
            found.setdefault(str(what_is_seen(x, tied)), x)
    return list(found.values())


@pytest.mark.parametrize(("tied", "slope", "length"), [(False, 6, 4), (True, 8, 5), (False, 3, 4)])
def test_a_linear_program_finds_no_more_and_comes_as_near_as_one_likes(tied, slope, length):
    worst = exact_worst(NestedPatterns(tied), lipschitz=slope, epsilon=1, length=length)
    assert worst.complete
    short = strings(length, tied)
    value, law = float(worst.value), worst.law
    draw = np.random.default_rng(7)
    for _ in range(6):
        counts = draw.integers(0, 30, 2 if tied else 3)
        x = [s for s, n in enumerate(counts) for _ in range(n)] + [1 if tied else 2]
        assert largest_difference(short, what_is_seen(x, tied), slope, tied) <= value + 1e-7
    rare = Fraction(1, 10**6)
    near = [list(law), [rare * p for p in law[:-1]] + [1 - rare]]
    if tied:
        near[0] = [1 - rare, rare]
    found = largest_difference(short, near, slope, tied)
    assert value - 1e-4 < found <= value + 1e-7


@pytest.mark.parametrize(
    ("tied", "slope", "length"),
    [(False, 6, 11), (False, 12, 12), (True, 6, 29), (True, "17/2", 12)],
)
def test_the_pair_attains_the_worst_case_exactly(tied, slope, length):
    patterns = NestedPatterns(tied)
    asked = {"lipschitz": slope, "epsilon": "1/10", "length": length}
    pair, worst = worst_pair(patterns, **asked), exact_worst(patterns, **asked)
    assert pair.agreed == Fraction(1, 10)
    assert max(pair.slopes) <= Fraction(slope)
    whole = np.lcm.reduce([p.denominator for p in pair.law])
    f_sees = [int(p * int(whole)) for p in pair.law]
    g_sees = [0] * (len(f_sees) - 1) + [1]
    assert pair.f(f_sees) - pair.g(g_sees) == pair.value == worst.value
    assert 0 <= float(worst.value) - worst.low <= 1e-7
    for x in ((1,), (0, 1), (0, 0, 1)) if tied else ((2,), (0, 2), (0, 1, 1, 2), (0, 1, 2, 2)):
        laws = what_is_seen(x, tied)
        f, g = ([int(p * 12) for p in law] for law in laws)
        assert abs(pair.f(f) - pair.g(g)) <= Fraction(1, 10)


@pytest.mark.parametrize(
    ("tied", "slope", "target", "length"),
    [
        (False, 6, 3, 12),
        (False, 8, 3, 20),
        (False, 6, 5, 4),
        (False, 8, 5, 6),
        (False, 12, 5, 12),
        (True, 6, 3, 30),
        (True, 8, 3, 56),
        (True, 12, 5, 18),
    ],
)
def test_exact_lengths(tied, slope, target, length):
    found = exact_length(NestedPatterns(tied), lipschitz=slope, epsilon=1, target=target)
    assert (found.insufficient, found.length) == (length - 1, length)
    assert str(length) in str(found)


def test_both_sides_that_are_proved_enclose_the_exact_length():
    import bounds

    model = {"vocabulary_size": 2, "period": 1, "precision_bits": 1, "margin": 1}
    for slope in (6, 8, 10):
        sides = bounds.bracket(
            error="linf",
            attention="argmax",
            layers=1,
            epsilon=1,
            target=3,
            lipschitz=slope,
            locality=0,
            **model,
        )
        found = exact_length(NestedPatterns(True), lipschitz=slope, epsilon=1, target=3, longest=99)
        assert sides.necessary.length == found.length < sides.sufficient.length


def test_a_target_that_is_not_reached_is_said_to_be_above():
    found = exact_length(NestedPatterns(), lipschitz=8, epsilon=1, target=3, longest=8)
    assert (found.insufficient, found.sufficient, found.length) == (8, None, None)
    assert str(found) == "more than 8; no N that is enough was found"
    unproved = exact_length(NestedPatterns(), lipschitz=6, epsilon=1, target=5, boxes=0)
    assert (unproved.sufficient, unproved.length) == (4, None)
    trivial = exact_length(NestedPatterns(), lipschitz=1, epsilon=1, target=3)
    assert trivial.sufficient == 2


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"lipschitz": 0}, "lipschitz"),
        ({"epsilon": "nan"}, "epsilon"),
        ({"lipschitz": 10**400}, "lipschitz"),
        ({"length": 1}, "length"),
        ({"length": 2.0}, "length"),
        ({"length": 10**9}, "length"),
        ({"boxes": -1}, "boxes"),
    ],
)
def test_refusals(change, name):
    with pytest.raises(InputError, match=name):
        exact_worst(NestedPatterns(), **{"lipschitz": 6, "epsilon": 1, "length": 4, **change})


def test_refusals_of_the_others():
    with pytest.raises(InputError, match="tied"):
        NestedPatterns("yes")
    with pytest.raises(InputError, match="target"):
        exact_length(NestedPatterns(), lipschitz=6, epsilon=1, target=1)
    with pytest.raises(InputError, match="longest"):
        exact_length(NestedPatterns(), lipschitz=6, epsilon=1, target=3, longest=10**6)
    with pytest.raises(InputError, match="length"):
        worst_pair(NestedPatterns(True), lipschitz=6, epsilon=1, length=60)


def test_four_tokens_from_both_sides():
    asked = {"lipschitz": 6, "epsilon": 1, "length": 5}
    three, four = (exact_worst(NestedPatterns(vocabulary_size=n), **asked) for n in (3, 4))
    assert four.complete
    assert four.low <= four.value <= four.low + 2e-3
    # Merging two tokens brings no two inputs further apart.
    assert float(three.value) <= float(four.value) + 1e-7
    found = exact_length(NestedPatterns(vocabulary_size=4), lipschitz=6, epsilon=1, target=5)
    assert (found.insufficient, found.length) == (5, 6)
    with pytest.raises(InputError, match="patterns"):
        worst_pair(NestedPatterns(vocabulary_size=4), **asked)
    with pytest.raises(InputError, match="vocabulary_size"):
        NestedPatterns(tied=True, vocabulary_size=3)


def test_two_tokens_need_a_linear_length_above_three_epsilon():
    """The proposition of docs/tightness_exact.md: its chain on many inputs, and its bound."""

    def seen(w, n):
        return Fraction(1, w + 1), Fraction(w, n)

    for length in (2, 3, 7, 10, 25):
        bound = Fraction(1, length) + Fraction(2, length + 1)
        for n in range(length + 1, 90):
            for w in range(1, n):
                first = max(1, w * length // n)
                if first > length / 2:
                    path = [(w, n), (first, length), (first, length), (w, n)]
                    models = (1, 1, 0)
                else:
                    last = min(w, length // 2)
                    path = [(w, n), (first, length), (first, 2 * first), (last, 2 * last), (w, n)]
                    models = (1, 0, 1, 0)
                assert all(0 < a < b <= length for a, b in path[1:-1])
                steps = zip(pairwise(path), models, strict=True)
                cost = sum(abs(seen(*u)[m] - seen(*v)[m]) for (u, v), m in steps)
                assert cost <= bound
        for slope in (5, 12, 40):
            asked = {"lipschitz": slope, "epsilon": 1, "length": length}
            worst = exact_worst(NestedPatterns(tied=True), **asked)
            assert worst.value <= 3 + slope * bound
