"""Targets up to 3ε, from the statement: what no short input can show, by counting all of them.

Nested levels: tokens o₁, ..., o_K with w₁ ≤ ... ≤ w_K = W positions; r₁ = t/(w₁+t), r_i = w_{i−1}/w_i.
Claim: Σ c_i r_i > y as long as W < t·C·q_K(y), C = Πc_i. The least sum is found level by level.
"""

from fractions import Fraction as F
from itertools import combinations_with_replacement, product
from math import ceil, sqrt

import numpy as np
import pytest

pytestmark = pytest.mark.covers("attack", "derived.lower_linf_c3", "derived.lower_presence")

HAIR = 1e-9


def least_sums(levels, tied, factors, largest):
    """Least Σ c_i r_i for every W up to `largest`, where no tied symbol is o₁ and o₁ occurs."""
    w = np.arange(1, largest + 1)
    best = tied / (w + tied)
    for level in range(1, levels):
        after = np.empty(largest)
        for k in range(largest):
            after[k] = (best[: k + 1] + factors[level] * w[: k + 1] / w[k]).min()
        best = after
    return best


def length(levels, y):
    rho = 2 * y / (levels + sqrt(levels**2 - 4 * (levels - 1) * y))
    return rho**-levels * (1 - rho) ** (2 - levels)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [1, 2, 5])
@pytest.mark.parametrize("levels", [2, 3, 4, 5])
@pytest.mark.parametrize("both", [True, False])
def test_no_short_input_has_all_shares_small(levels, tied, both):
    mine, others = (-(-levels // 2), levels // 2) if both else (levels, 0)
    factors = [mine / others if both and level % 2 else 1.0 for level in range(levels)]
    product_of_factors = np.prod(factors)
    least = least_sums(levels, tied, factors, 1500)
    reached = 0
    for y in np.linspace(0.02, 0.98, 49):
        q = tied * product_of_factors * length(levels, y)
        assert length(levels, y) >= (1 - y) * (levels / y) ** levels * (1 - HAIR)
        shown = ceil(q - HAIR) - 1
        if shown < 1:
            continue
        assert (least[: min(shown, 1500)] > y).all()
        if q < 1000:  # and not much later some input has
            first = int(np.argmax(least <= y)) + 1
            assert least[first - 1] <= y
            assert first <= 1.3 * q + 12
            reached += 1
    assert reached >= (3 if levels < 4 else 0)
    # all symbols outside the column tied, at most τ + 1 of them: one period at least
    for period, w in product([2, 3, 5], range(1, 40)):
        for first in range(1, w + 1):
            t = (period - 1) * w
            assert F(t, first + t) + F(first, w) >= 1


def attention(x, token_logits, lag_logits):
    """Positions that hardmax attends to."""
    length_ = len(x)
    logits = []
    for j, token in enumerate(x):
        lag = length_ - 1 - j
        logits.append(token_logits[token] + (lag_logits[lag] if lag < len(lag_logits) else 0))
    top = max(logits)
    return [j for j, a in enumerate(logits) if a == top]


def share_of_s(x, token_logits, tau):
    seen = attention(x, token_logits, [2] * (tau + 1))
    return F(sum(x[j] == 0 for j in seen), len(seen))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tau", "eps", "eta", "kappa"),
    [
        (0, F(1, 4), F(3, 5), None),
        (1, F(1, 4), F(7, 10), None),
        (2, F(1, 6), F(49, 100), None),
        (1, F(9, 40), F(27, 40), F(1, 10**5)),
        (2, F(3, 20), F(9, 20), F(1, 10**5)),
    ],
)
def test_the_last_symbols_at_period_one(tau, eps, eta, kappa):
    """L = 1, tokens s, o₁, o₂; all strings up to 8 and every suffix with all counts beyond."""
    d = eta - eps
    q = (tau + 1) * (1 + sqrt(1 - d)) ** 2 / float(d) ** 2
    longest = ceil(q) - 1
    above = d + F(1, 10**6)

    def pair(x):
        if x[-1] != 2:
            return F(0), eps
        p, r = share_of_s(x, (2, 1, 0), tau), share_of_s(x, (2, 2, 0), tau)
        rising = p - 1 + above if kappa is None else min(p - 1 + d + 2 * kappa, 1 + d - p)
        return max(F(0), rising), min(eps, r - eps)

    checked = 0
    for n in range(1, 8):
        for x in product(range(3), repeat=n):
            f, g = pair(x)
            assert n > longest or abs(f - g) <= eps, x
            checked += 1
    lengths = sorted({*range(tau + 2, longest + 1, 5), longest - 1, longest})
    for n in lengths:
        for suffix in product(range(3), repeat=tau):
            prefix = n - tau - 1
            step = 1 if not any(t < 2 for t in suffix) else max(1, prefix // 4)
            for s in range(0, prefix + 1, step):
                for o in {0, 1, prefix - s, (prefix - s) // 2}:
                    x = (0,) * s + (1,) * o + (2,) * (prefix - s - o) + suffix + (2,)
                    f, g = pair(x)
                    assert abs(f - g) <= eps, (n, suffix, s, o)
                    checked += 1
    assert checked > 3000
    many = 10**6
    w = 4000 * (tau + 1) if kappa is None else int((tau + 1) * (1 / kappa - 1))
    p, r = F(w, w + tau + 1), F(w, w * 4000 * many)
    rising = p - 1 + above if kappa is None else min(p - 1 + d + 2 * kappa, 1 + d - p)
    assert rising - (r - eps) > (eta - F(1, 10**3) if kappa is None else eta)


@pytest.mark.parametrize(
    ("period", "d"),
    [(2, 0.49), (2, 0.3), (2, 0.12), (3, 0.45), (3, 0.25), (4, 0.45), (4, 0.33), (5, 0.45)],
)
def test_where_tokens_stand(period, d):
    """Total variation of residues + share in the column > d, for all counts of all residues."""
    b = period - 1
    q = b / (1 - sqrt(1 - 2 * d)) ** 2
    y = d + 1e-7
    worst = 9.0
    for w_column in range(1, ceil(q - HAIR)):
        for others in combinations_with_replacement(range(w_column + 1), b):
            first = np.arange(w_column + 1)
            w = first + sum(others)
            with np.errstate(invalid="ignore"):
                rest = sum(np.maximum(0, y / b - n / w) for n in others)
                variation = np.maximum(0, 1 - y - first / w) + rest
            variation[w == 0] = 1
            worst = min(worst, float((variation + first / w_column).min()))
    assert worst > d


@pytest.mark.parametrize(
    ("size", "d"), [(3, 0.9), (3, 0.2), (4, 0.8), (4, 0.4), (5, 0.6), (6, 0.7)]
)
def test_which_tokens_are_seen(size, d):
    """Total variation of the tokens + their share > d, for all counts of all tokens."""
    b = size - 2
    y = d + 1e-7
    worst = 9.0
    largest = ceil(b / d**2 - HAIR) - 1
    for small in combinations_with_replacement(range(largest + 1), b):
        if sum(small) > largest:
            continue
        rest = np.arange(largest - sum(small) + 1)
        w = rest + sum(small)
        with np.errstate(invalid="ignore"):
            variation = sum(np.maximum(0, y / b - n / w) for n in small)
            variation = variation + np.maximum(0, 1 - y - rest / w)
        variation[w == 0] = 1
        worst = min(worst, float((variation + w / largest).min()))
    assert worst > d


def test_one_short_input_decides_up_to_three_epsilon():
    """Duality on random points: the two functions of the page, and the shortest path."""
    rng = np.random.default_rng(4)
    answers = set()
    for _ in range(400):
        points = rng.integers(0, 12, size=(2, int(rng.integers(2, 7)), 2))
        d_f, d_g = (np.abs(p[:, None] - p[None]).sum(-1).astype(float) for p in points)
        n = len(d_f)
        eps = float(rng.integers(1, 8))
        short = range(1, n)  # x is point 0
        graph = np.full((2 * n, 2 * n), np.inf)
        graph[:n, :n], graph[n:, n:] = d_f, d_g
        for z in short:
            graph[z, n + z] = graph[n + z, z] = eps
        for k in range(2 * n):
            graph = np.minimum(graph, graph[:, k : k + 1] + graph[k : k + 1])
        path = graph[n, 0]
        f, g = graph[n, :n], graph[n, n:]
        assert (np.abs(f[:, None] - f[None]) <= d_f + HAIR).all()
        assert (np.abs(g[:, None] - g[None]) <= d_g + HAIR).all()
        assert max(abs(f[z] - g[z]) for z in short) <= eps
        assert f[0] - g[0] == path
        target = eps * rng.choice([1.5, 2, 2.5, 2.9])
        one = min(d_f[0, z] + d_g[0, z] for z in short)
        assert (path > target) == (one > target - eps)
        answers.add(bool(path > target))
        if one > target - eps:
            top = min(one, 2 * eps)
            f, g = np.maximum(top - d_f[0], 0), np.minimum(eps, d_g[0] - eps)
            assert max(abs(f[z] - g[z]) for z in short) <= eps + HAIR
            assert f[0] - g[0] > target
    assert answers == {True, False}
