"""Without lag bias, lengths beyond the hardmax threshold: the sharp bound for two sets, attacked.

Claim (Δ residues, S tokens, two argmax sets, every other logit at least γ below; σ ≤ 1/4 the wanted
distance, η = σ²/4, δ = σ(1−σ)(1−η), e = Δ(S+1)/4 + 1): if n ≥ e(1+δ)/(δη) and
h = (Δ(1+1/n)(1+δ)/(δ(1−η)(σ−η)))^(1/γ), every hardmax x (counts up to 10³⁰ here) has z of the
least length ≡ |x| that is at least Δn and h, so |z| ≤ max{Δn, ⌈h⌉} + Δ − 1, with the same last
token, and both attention laws within σ, although z is so short that the other logits keep some
weight in it.
"""

import math
import random
from fractions import Fraction

import pytest

import bounds

pytestmark = pytest.mark.covers("attack", "derived.one_layer_linf_limit")


def sharp_block(tokens, period, sigma, margin):
    """n and ⌈h⌉ of the claim, and δ."""
    eta = sigma**2 / 4
    delta = sigma * (1 - sigma) * (1 - eta)
    e = Fraction(period * (tokens + 1), 4) + 1
    n = math.ceil(e * (1 + delta) / (delta * eta))
    odds = period * (1 + Fraction(1, n)) * (1 + delta) / (delta * (1 - eta) * (sigma - eta))
    return n, math.ceil(float(odds) ** (1 / margin) * (1 + 1e-12)), delta


def columns(length, period):
    """How many of the positions 1..length are ≡ r, r = 0..period−1."""
    return [length // period + (1 <= r <= length % period) for r in range(period)]


def draw(rng, period, tokens, length):
    """Counts by type, mostly very uneven, with the given column sums."""
    counts = {}
    for r, column in enumerate(columns(length, period)):
        left = column
        for s in rng.sample(range(1, tokens), tokens - 1):
            share = min(left - 1, int(10 ** rng.uniform(-1, math.log10(column))))
            if share:
                counts[r, s] = share
                left -= share
        counts[r, 0] = left
    return counts


def shorten(counts, sets, goals, first, second):
    """Set 1 gets about `first` positions, the rest of set 2 `second`; common scale below."""
    light, heavy = sorted(sets, key=lambda s: sum(counts[t] for t in s))
    common = Fraction(sum(goals), sum(counts.values()))
    scale = Fraction(first) / sum(counts[t] for t in light)
    scales = dict.fromkeys(light, scale) if scale > common else {}
    if scales:
        scale = min(scale, Fraction(second) / sum(counts[t] for t in heavy))
        if scale > common:
            scales |= {t: scale for t in heavy if t not in scales}
    short = {}
    for r, goal in enumerate(goals):
        mine = [t for t in counts if t[0] == r]
        wanted = {t: scales[t] * counts[t] for t in mine if t in scales}
        left, rest = goal - sum(wanted.values()), sum(counts[t] for t in mine if t not in scales)
        if left < 0 or (not rest and left):
            return None
        wanted |= {t: left * Fraction(counts[t], rest) for t in mine if t not in scales}
        column = {t: math.floor(w) for t, w in wanted.items()}
        order = sorted(mine, key=lambda t, c=column, w=wanted: c[t] - w[t])
        for t in order[: goal - sum(column.values())]:
            column[t] += 1
        short |= column
    return short


def distance(counts, short, chosen, gap):
    """TV between hardmax on x and, on z, weights |z|^(−gap) for all types outside the set."""
    length, top = sum(short.values()), sum(counts[t] for t in chosen)
    mass = {t: c * (1.0 if t in chosen else float(length) ** -gap[t]) for t, c in short.items()}
    total = sum(mass.values())
    if not any(short[t] for t in chosen):
        return 1.0
    aim = {t: counts[t] / top if t in chosen else 0.0 for t in counts}
    return sum(abs(aim[t] - mass[t] / total) for t in counts) / 2


def attack(seed, shrink=1):
    """Worst distance / σ, or None where no z was built; `shrink` divides n."""
    rng = random.Random(seed)
    period, tokens = rng.randint(1, 3), rng.randint(2, 5)
    sigma, margin = Fraction(1, rng.choice([4, 5, 10])), rng.choice([0.5, 0.8, 1.0, 2.0])
    n, first, delta = sharp_block(tokens, period, sigma, margin)
    limit = max(period * n, first) + period - 1
    length = (limit + 1) * int(10 ** rng.uniform(0.3, 24)) + rng.randrange(period) + 1
    # |z| = Δn + (|x| mod Δ)
    n = max(1, (limit - (limit - length) % period) // period // shrink)
    counts = draw(rng, period, tokens, length)
    rare = sorted(counts, key=counts.get)
    sets = [set(rng.choice([rare[:1], rare[:2], rng.sample(rare, rng.randint(1, len(rare)))]))]
    sets.append(
        sets[0] | set(rng.sample(rare, 1)) if rng.random() < 0.6 else set(rng.sample(rare, 1))
    )
    # The query is kept by leaving its type one position.
    goals = columns(period * n + length % period, period)
    short = shorten(counts, sets, goals, delta * n / (1 + delta), n / (1 + delta))
    if short is None:
        return None
    query = rng.choice([t for t in counts if t[0] == length % period])
    if not short[query]:
        short[query] = 1
        short[max((t for t in short if t[0] == query[0]), key=short.get)] -= 1
    assert sum(short.values()) <= limit
    assert (sum(short.values()) - length) % period == 0
    gap = {t: margin * rng.choice([1.0, 1.0, 1.5, 10.0]) for t in counts}
    return max(distance(counts, short, s, gap) for s in sets) / float(sigma)


def sweep(seeds, shrink=1):
    return [attack(seed, shrink) for seed in seeds]


def test_two_sets_at_the_sharp_length():
    ratios = sweep(range(1500))
    assert None not in ratios
    assert 0.5 <= max(ratios) <= 1 - 1e-9


def test_a_shorter_length_is_not_enough_for_the_same_z():
    ratios = [r for r in sweep(range(1500), shrink=8) if r is not None]
    assert max(ratios) > 1


@pytest.mark.parametrize("period", [1, 3])
def test_registered_length_is_the_least_of_both_forms(period):
    rng = random.Random(period)
    for _ in range(60):
        tokens, inverse = rng.randint(1, 9), rng.randint(2, 60)
        margin, sigma = (
            rng.choice([Fraction(1, 2), Fraction(1), Fraction(3, 2)]),
            Fraction(1, inverse),
        )
        r = bounds.required_length(
            theorem="derived.one_layer_linf_limit",
            assume={"no_lag_bias", "limit_regime"},
            epsilon=sigma,
            lipschitz=1,
            vocabulary_size=tokens,
            period=period,
            precision_bits=10**6,
            margin=margin,
        )
        half = sigma / 2
        plain = (1 + 1 / half) ** min(2, period * (tokens - 1) + 1) - 1
        hard = math.ceil(float(2 * period * plain / (1 - half)) ** float(1 / margin) - 1e-6)
        e = Fraction(period * (tokens + 1), 4) + 1
        lengths = [max(period * math.ceil(e * plain), hard) + period - 1]
        n, first, _ = sharp_block(tokens, period, min(sigma, Fraction(1, 4)), float(margin))
        lengths.append(max(period * n, first) + period - 1)
        # The registry may round the factor 1 + 1/n up, never below the least valid length.
        assert r.length >= min(lengths)
        assert r.length <= 1.01 * min(lengths) + period
