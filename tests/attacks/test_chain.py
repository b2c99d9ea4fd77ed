"""The chain theorem of one argmax layer, attacked from its statement with exact rationals.

Claim (one head each, m ≥ 0, 0 < δ < ½, K ≥ max(2, δ^(−1/(m+1))), e = Δ(|Σ|/4 + 2) + τ + 1,
n = ⌈(K+3)e/δ⌉, N = max{Δ(n+1) + τ, ⌊K(⌈h₀⌉ − 2)⌋ + Δ + 1}): every x longer than N has strings
u_0, u_0', u_1, …, u_I of length ≤ N and ≥ h₀, congruent to |x| modulo Δ, with the suffix of x and no other types, I ≤ m, and

    TV_f(x, u_0) ≤ δ,  TV_g(u_i, u_i') ≤ 2δ,  TV_f(u_i', u_{i+1}) = 0,  TV_g(u_I, x) ≤ 2δ.

Everything depends on counts alone: counts per type (residue, token) before the suffix, the two
argmax sets of types, and the numbers of suffix positions in them.
"""

import math
import random
from fractions import Fraction

import pytest

pytestmark = pytest.mark.covers("attack", "derived.one_layer_linf_chain")


class Case:
    """Counts of one long input, its two argmax sets and the parameters of the theorem."""

    def __init__(self, rng, hardmax_length=0):
        self.period, self.tokens = rng.choice([1, 1, 2, 3]), rng.randint(1, 5)
        self.locality, self.links = rng.randint(0, 3), rng.randint(0, 6)
        self.delta = rng.choice([Fraction(2, 5), Fraction(1, 4), Fraction(1, 10), Fraction(1, 60)])
        root = float(self.delta) ** (-1 / (self.links + 1))
        self.factor = max(Fraction(2), Fraction(math.ceil(root * 2**20) + 1, 2**20))
        assert self.factor ** (self.links + 1) >= 1 / self.delta
        self.e = self.period * (Fraction(self.tokens, 4) + 2) + self.locality + 1
        self.unit = self.e / self.delta
        self.extra = rng.randrange(self.period)
        self.n = math.ceil((self.factor + 3) * self.unit)
        self.limit = max(
            self.period * (self.n + 1) + self.locality,
            math.floor(self.factor * (hardmax_length - 2)) + self.period + 1,
        )
        # Columns of u_i' must reach the threshold; they are shorter by the factor K at most.
        suffix = self.locality + 1
        least = -((self.extra + suffix - hardmax_length) // self.period)
        while math.ceil(self.n / self.factor) < least:
            self.n = max(self.n + 1, math.floor(self.factor * (least - 1)))
        assert self.period * self.n + self.extra + suffix <= self.limit
        self._draw_counts(rng)
        self._draw_sets(rng)

    def _draw_counts(self, rng):
        periods = math.ceil(self.n * 10 ** rng.choice([0.01, 0.3, 1, 3, 6, 9]))
        extra = self.extra
        family = rng.choice(["heavy", "edge", "single", "even"])
        marks = [1, self.e, self.factor * self.e, self.unit, (self.factor + 2) * self.unit]
        self.counts = {}
        for r in range(self.period):
            left = periods + (r < extra)
            for s in range(self.tokens - 1):
                if family == "heavy":
                    c = int(10 ** rng.uniform(0, 12))
                elif family == "edge":
                    c = int(rng.choice(marks)) + rng.randint(-1, 1)
                elif family == "single":
                    c = rng.choice([0, 0, 1, 2])
                else:
                    c = periods // self.tokens
                c = min(max(c, 0), left)
                self.counts[r, s] = c
                left -= c
            self.counts[r, self.tokens - 1] = left
        self.whole = periods

    def _draw_sets(self, rng):
        types = [t for t, c in self.counts.items() if c]
        rng.shuffle(types)
        types.sort(key=lambda t: self.counts[t] * 10 ** rng.uniform(-2, 2))
        small = types[: rng.randint(1, len(types))]
        kind = rng.choice(["nested", "apart", "any", "equal"])
        if kind == "nested":
            large = small + rng.sample(types, rng.randint(0, len(types)))
        elif kind == "apart":
            large = [t for t in types if t not in small] or small
        elif kind == "equal":
            large = small
        else:
            large = rng.sample(types, rng.randint(1, len(types)))
        sets = [(set(small), rng.randint(0, self.locality + 1))]
        sets.append((set(large), rng.randint(0, self.locality + 1)))
        self.f, self.g = sorted(sets, key=lambda s: self.weight(self.counts, s))

    def weight(self, counts, argmax):
        return sum(counts[t] for t in argmax[0]) + argmax[1]

    def column(self, r):
        return [(r, s) for s in range(self.tokens)]

    def distance(self, u, v, argmax):
        """Total variation of the uniform laws on an argmax set; suffix positions are classes."""
        types, suffix = argmax
        a, b = self.weight(u, argmax), self.weight(v, argmax)
        assert a > 0
        assert b > 0
        total = sum(abs(Fraction(u[t], a) - Fraction(v[t], b)) for t in types)
        return (total + suffix * abs(Fraction(1, a) - Fraction(1, b))) / 2


def rounded(targets, total):
    """Largest remainders: integers ⌊e⌋ or ⌈e⌉ with the given sum."""
    low = {t: math.floor(e) for t, e in targets.items()}
    up = total - sum(low.values())
    order = sorted(targets, key=lambda t: low[t] - targets[t])
    assert 0 <= up <= sum(e != low[t] for t, e in targets.items())
    return {t: low[t] + (k < up) for k, t in enumerate(order)}


def chain(case):
    """The strings u_0, u_0', u_1, …, u_I of the statement, as counts."""
    c, n, K = case.counts, case.n, case.factor
    light, heavy = case.f[0], case.g[0] - case.f[0]
    rate = Fraction(case.period * n + case.extra, case.period * case.whole + case.extra)
    w_f, w_g = case.weight(c, case.f), case.weight(c, case.g)
    beta = (K + 2) * case.unit / w_g
    scales = [max(rate, min(Fraction(1), case.unit / w_f))]
    while not (scales[-1] == rate or scales[-1] <= beta or scales[-1] * w_f <= K * case.e):
        scales.append(max(rate, scales[-1] / K))

    def shared(types, total):
        """`total` among types in proportion to their counts."""
        number = sum(c[t] for t in types)
        assert number > 0 or total == 0
        return {t: total * Fraction(c[t], number) if number else Fraction(0) for t in types}

    def targets(i, r):
        size, column = n + (r < case.extra), case.column(r)
        alpha, second = scales[i], max(rate, min(scales[i], beta))
        if i == 0 and alpha == rate:
            return shared(column, size)
        fixed = {t: alpha * c[t] for t in column if t in light}
        if second > rate:
            fixed |= {t: second * c[t] for t in column if t in heavy}
        rest = size - sum(fixed.values())
        assert rest >= 0
        return fixed | shared([t for t in column if t not in fixed], rest)

    columns = range(case.period)
    u = {}
    for r in columns:
        u |= rounded(targets(0, r), n + (r < case.extra))
    strings = [u]
    for i in range(len(scales) - 1):
        shrink = scales[i] / scales[i + 1]
        assert shrink <= K
        primed, u = {}, {}
        for r in columns:
            goal = {t: e / shrink for t, e in targets(i, r).items()}
            size = math.ceil(n / shrink) + (r < case.extra)
            spare = next(t for t in case.column(r) if t not in light and c[t])
            goal[spare] += size - sum(goal.values())
            primed |= rounded(goal, size)
        for r in columns:
            kept = {t: primed[t] for t in case.column(r) if t in light}
            rest = n + (r < case.extra) - sum(kept.values())
            free = {t: e for t, e in targets(i + 1, r).items() if t not in light}
            number = sum(free.values())
            u |= kept | rounded({t: rest * e / number for t, e in free.items()}, rest)
        strings += [primed, u]
    return strings


def check(case, hardmax_length=0):
    """Assert every claim; return I and the worst ratios to δ."""
    strings = chain(case)
    links = (len(strings) - 1) // 2
    assert links <= case.links
    suffix = case.locality + 1
    for u in strings:
        length = sum(u.values()) + suffix
        assert hardmax_length <= length <= case.limit
        assert (length - suffix - sum(case.counts.values())) % case.period == 0
        sizes = [sum(u[t] for t in case.column(r)) for r in range(case.period)]
        assert sizes == [min(sizes) + (r < case.extra) for r in range(case.period)]
        assert all(v >= 0 and (v == 0 or case.counts[t]) for t, v in u.items())
    worst = [case.distance(case.counts, strings[0], case.f) / case.delta, Fraction(0)]
    assert worst[0] <= 1
    for i in range(links):
        u, primed, following = strings[2 * i : 2 * i + 3]
        worst[1] = max(worst[1], case.distance(u, primed, case.g) / case.delta)
        assert case.distance(primed, following, case.f) == 0
    worst.append(case.distance(strings[-1], case.counts, case.g) / case.delta)
    assert worst[1] <= 2
    assert worst[2] <= 2
    return links, worst


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_chain_on_random_and_extreme_counts(seed):
    rng = random.Random(seed)
    compressed, linked, deepest, worst = 0, 0, 0, [0, 0, 0]
    for _ in range(2000):
        length = rng.choice([0, 0, 10, 500])
        case = Case(rng, length)
        if case.whole <= case.n:
            continue
        links, ratios = check(case, length)
        compressed += 1
        linked += links > 0
        deepest = max(deepest, links)
        worst = [max(a, b) for a, b in zip(worst, ratios, strict=True)]
    # The attack reaches what it aims at: chains with several links, and tight steps.
    assert compressed > 1800
    assert linked > 100
    assert deepest >= 2
    assert worst[0] > 0.2
    assert worst[2] > 0.3


def test_truncation_is_no_substitute_for_the_chain():
    """The check can fail: proportional thinning loses the light set."""
    rng = random.Random(1)
    failures = 0
    for _ in range(400):
        case = Case(rng)
        if case.whole <= case.n:
            continue
        u = {}
        for r in range(case.period):
            size = case.n + (r < case.extra)
            number = sum(case.counts[t] for t in case.column(r))
            u |= rounded({t: Fraction(size * case.counts[t], number) for t in case.column(r)}, size)
        empty = any(case.weight(u, s) == 0 for s in (case.f, case.g))
        failures += empty or case.distance(case.counts, u, case.f) > case.delta
    assert failures > 20
