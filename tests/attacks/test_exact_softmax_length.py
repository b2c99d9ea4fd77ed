"""Brute force for one softmax layer without lag bias, two tokens, one head each.

Write s > 0 for the share of token b in an input that ends in b, h(s) = F(π_f(s)) − G(π_g(s)),
π(s) = e^R s/(e^R s + 1 − s) the attention on b of a head that prefers b by R (each model its own,
of either sign), F and G any functions with Lipschitz constant L. Which |h| are possible if
|h| ≤ ε at every share k/n with n ≤ N is a question of difference constraints: the largest h(s) is
the length of a shortest path from G(π_g(s)) to F(π_f(s)), along both lines at the price L and
across at the price ε wherever an input of length ≤ N is.
"""

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from math import exp

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

import bounds

pytestmark = [
    pytest.mark.covers(
        "attack",
        "derived.one_layer_softmax_no_bias",
        "derived.lower_softmax_exact",
        "derived.lower_softmax_margin",
    ),
    pytest.mark.covers(
        "tightness", "derived.one_layer_softmax_no_bias", "derived.lower_softmax_exact"
    ),
]

RANGES = [0.0, 0.5, 1.0, 1.5, 2.0]
SLOPES = [Fraction(4, 5), Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3)]
AGREEMENTS = [Fraction(0), Fraction(1, 5), Fraction(1, 3)]
ROUNDING = 1e-11


def seen(longest):
    """The shares of b in inputs of length ≤ N that end in b."""
    return sorted({Fraction(k, n) for n in range(1, longest + 1) for k in range(1, n + 1)})


@lru_cache(maxsize=256)
def as_floats(longest):
    return np.array([float(share) for share in seen(longest)])


def attention(share, preference):
    return exp(preference) * share / (exp(preference) * share + 1 - share)


def shortest_path(share, longest, preferences, slope, agreement):
    """The largest h at a share, by Dijkstra's algorithm on the graph of all constraints."""
    known = seen(longest)
    points = sorted({*known, share})
    edges = []  # nodes: (line, point), numbered line · |points| + index
    for line, preference in enumerate(preferences):
        places = [attention(float(p), preference) for p in points]
        for index, (left, right) in enumerate(pairwise(places)):
            node = line * len(points) + index
            edges.append((node, node + 1, slope * (right - left)))
    for index, point in enumerate(points):
        if point in known:
            edges.append((index, len(points) + index, max(agreement, 1e-15)))  # 0 is no edge
    rows, columns, prices = (np.array(column) for column in zip(*edges, strict=True))
    graph = coo_matrix((prices, (rows, columns)), shape=(2 * len(points),) * 2).tocsr()
    start = points.index(share)
    return dijkstra(graph, directed=False, indices=start)[len(points) + start]


def largest(longest, preferences, slope, agreement):
    """The supremum of h over all shares.

    Between two neighbours the shorter way is over the nearer one, on both lines; below the first
    there is no way but over it.
    """
    places = sum(attention(as_floats(longest), preference) for preference in preferences)
    between = np.diff(places).max(initial=0.0)
    return float(agreement + slope * max(places[0], between / 2))


@pytest.mark.parametrize(
    ("longest", "preferences", "agreement"),
    [(1, (1.0, 1.0), 0.2), (3, (2.0, -1.0), 0.0), (5, (0.0, 1.5), 0.3), (8, (2.0, 2.0), 0.0)],
)
def test_the_supremum_is_that_of_the_shortest_paths(longest, preferences, agreement):
    grid = [Fraction(k, 997) for k in range(1, 997)] + [Fraction(1, 10**9)]
    found = max(shortest_path(share, longest, preferences, 2.0, agreement) for share in grid)
    expected = largest(longest, preferences, 2.0, agreement)
    assert expected - 0.05 <= found <= expected + ROUNDING


def least_sufficient(reach, slope, agreement):
    """The least N after which no pair of heads in this class exceeds 1."""
    preferences = [-reach, -reach / 2, 0.0, reach / 2, reach]
    longest = 1
    while any(
        largest(longest, pair, float(slope), float(agreement)) > 1 + ROUNDING
        for pair in product(preferences, repeat=2)
    ):
        longest += 1
    return longest


def cases():
    """All in which s < L."""
    for reach, slope, agreement in product(RANGES, SLOPES, AGREEMENTS):
        if (1 - agreement) / 2 < slope:
            yield reach, slope, agreement


def test_there_are_enough_cases():
    assert len(list(cases())) >= 70


@pytest.mark.parametrize("reach", RANGES)
def test_what_suffices_is_what_is_necessary_is_what_brute_force_finds(reach):
    """1 + e^R (L/s − 1), rounded up, on both sides, for two tokens and for three."""
    for other, slope, agreement in cases():
        if other != reach:
            continue
        given = {
            "epsilon": agreement,
            "target": 1,
            "lipschitz": slope,
            "logit_range": reach,
            "assume": {"no_lag_bias"},
        }
        least = least_sufficient(reach, slope, agreement)
        necessary = bounds.required_length(theorem="derived.lower_softmax_exact", **given)
        assert necessary.length == least, given
        for size in (2, 3):
            enough = bounds.required_length(
                theorem="derived.one_layer_softmax_no_bias",
                vocabulary_size=size,
                period=1,
                **given,
            )
            assert enough.length == least, given


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_brute_force_refutes_less(share):
    """Control: 1 + share·e^R (L/s − 1) is exceeded somewhere."""
    found = 0
    for reach, slope, agreement in cases():
        s = (1 - agreement) / 2
        shorter = int(np.ceil(1 + share * exp(reach) * float(slope / s - 1)))
        pair = (reach, reach)
        found += largest(shorter, pair, float(slope), float(agreement)) > 1 + ROUNDING
    assert found >= 10


def test_the_closed_form_for_a_margin_is_never_above_the_solution():
    """The least N with (N − 1)·N^(γ−1) ≥ K, by counting up; it is at most 1/γ more, or so."""
    rng = np.random.default_rng(5)
    met = 0
    for _ in range(300):
        gamma = Fraction(int(rng.integers(1, 33)), 8)
        odds = Fraction(int(rng.integers(1, 200)), int(rng.choice([1, 7, 64])))
        if odds ** (1 / gamma) > 20000:
            continue
        longest = 1
        while (longest - 1) * longest ** (float(gamma) - 1) < float(odds) * (1 - ROUNDING):
            longest += 1
        found = bounds.required_length(
            theorem="derived.lower_softmax_margin",
            epsilon=0,
            target=2,
            lipschitz=odds + 1,
            logit_range=0,
            positional_margin=gamma,
        ).length
        assert found <= longest <= found + max(1, 1 / gamma), (gamma, odds)
        met += found == longest
    assert met > 100
