"""Above 3ε, from the statement: every chain of short inputs costs more, by going through all chains.

Tokens: k of A_f and one more. f sees the law of those of A_f, g their share too. x has a profile that
is farther than r_w = (k−1)/(8e(w+k−1)) from all histograms of w items, w < 2^(k−1). Claim: x → z₁ → z₂
→ ... → z_{2j+1} → x, alternately near for f and for g, j ≤ m, costs more than d as soon as the number
of positions is below min{2^(k−1), (k−1)/(16e)·d^(−1−1/(m+1))} and d ≤ (16e)^(−m−1).
"""

import itertools
import math

import numpy as np
import pytest

pytestmark = pytest.mark.covers("attack", "derived.lower_linf_chain")


def histograms(w, k):
    for bars in itertools.combinations(range(w + k - 1), k - 1):
        edges = (-1, *bars, w + k - 1)
        yield [b - a - 1 for a, b in itertools.pairwise(edges)]


def radius(w, k):
    return (k - 1) / (8 * math.e * (w + k - 1))


def states(k, largest):
    """Laws that f and g see, with the token o last, of all inputs with up to `largest` positions."""
    f, g = [], []
    for w in range(largest + 1):
        for counts in histograms(w, k) if w else [[0] * k]:
            for size in range(max(w, 1), largest + 1):
                f.append([*(c / max(w, 1) for c in counts), float(w == 0)])
                g.append([*(c / size for c in counts), 1 - w / size])
    return np.array(f), np.array(g)


def distances(a, b):
    return np.array([np.abs(row - b).sum(axis=1) / 2 for row in a])


def then(cost, steps):
    """Cheapest continuation of a path by one step."""
    return np.array([(cost + column).min() for column in steps.T])


def far_profile(k, largest, rng):
    """A law that is farther than r_w from all histograms, as the volumes promise."""
    shown = [np.array(list(histograms(w, k))) / w for w in range(1, largest + 1)]
    tried = 0
    while True:
        p = rng.dirichlet(np.ones(k))
        tried += 1
        if all((np.abs(h - p).sum(1) / 2).min() > radius(h_w, k) for h_w, h in enumerate(shown, 1)):
            return p, tried


@pytest.mark.slow
@pytest.mark.parametrize(("k", "links"), [(2, 3), (3, 3), (4, 2), (5, 1)])
def test_every_chain_costs_more(k, links):
    rng = np.random.default_rng(k)
    largest = min(2 ** (k - 1) - 1, 8)
    f, g = states(k, largest)
    if len(f) > 1400:
        kept = np.sort(rng.choice(len(f), 1400, replace=False))
        f, g = f[kept], g[kept]
    d_f, d_g = distances(f, f), distances(g, g)
    for _ in range(3):
        p, tried = far_profile(k, largest, rng)
        assert tried < 50
        start = distances(f, np.array([[*p, 0.0]]))[:, 0]
        share = 1e-9
        end = distances(g, np.array([[*(share * p), 1 - share]]))[:, 0]
        assert start.min() > 0
        cost = start
        for m in range(links + 1):  # 2m + 1 short inputs
            if m:
                cost = then(then(cost, d_g), d_f)
            least = (cost + end).min()
            # the greatest d for which the statement speaks of `largest` positions
            d = min(
                (16 * math.e) ** -(m + 1),
                ((k - 1) / (16 * math.e * largest)) ** ((m + 1) / (m + 2)),
            )
            assert least > d


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_volumes_and_counts(k):
    """A ball of radius r holds at most (4r)^(k−1) of the simplex; histograms are as many as said."""
    rng = np.random.default_rng(3)
    points = rng.dirichlet(np.ones(k), size=40_000)
    for r in (0.05, 0.1, 0.2):
        for centre in (np.ones(k) / k, np.eye(k)[0], rng.dirichlet(np.ones(k))):
            inside = (np.abs(points - centre).sum(1) / 2 <= r).mean()
            assert inside <= (4 * r) ** (k - 1) + 0.01
    for w in range(1, 12):
        number = sum(1 for _ in histograms(w, k))
        assert number == math.comb(w + k - 1, k - 1)
        assert number <= (math.e * (w + k - 1) / (k - 1)) ** (k - 1)
        assert number * (4 * radius(w, k)) ** (k - 1) <= 2.0 ** -(k - 1) * (1 + 1e-12)


def test_what_g_sees_is_at_least_the_share_times_the_profile():
    rng = np.random.default_rng(5)
    f, g = states(3, 7)
    for a, b in rng.integers(0, len(f), size=(4000, 2)):
        seen = np.abs(g[a] - g[b]).sum() / 2
        assert seen >= (1 - g[a][-1]) * np.abs(f[a] - f[b]).sum() / 2 - 1e-12
