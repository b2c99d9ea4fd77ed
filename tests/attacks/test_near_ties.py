"""Near ties up to a horizon, whole columns, light and heavy sets, instance certificates, attacked.

Long inputs are counts up to 2⁴⁰; z is built as in the proofs, with exact rounding; images of x and
z are evaluated from the definition and compared with the bounds. T* is the length of x, so that
the bounds are as sharp as they can be. Controls leave out one term and must fail.
"""

import itertools
import math
from fractions import Fraction as F

from tests.helpers.counted_heads import (
    Head,
    Input,
    ball,
    by_columns,
    columns_of,
    hat,
    image,
    joined,
    largest_remainder,
    least_threshold,
    targets,
    theta,
    variation,
)
from tests.helpers.instance_bound import Instance


def shares(rng, tokens, total, unit):
    """Counts of one column: random, rare, equal, half-integral, one token, near the unit."""
    if total == 0:
        return dict.fromkeys(tokens, 0)
    order = rng.sample(tokens, len(tokens))
    style = rng.randrange(6)
    counts = dict.fromkeys(order, 0)
    left = total
    for token in order[:-1]:
        wanted = (
            rng.randint(0, left),
            rng.randint(0, 3),
            total // len(tokens),
            (2 * rng.choice([0, 0, 1, rng.randint(0, unit)]) + 1) * total // (2 * unit),
            0,
            max(1, unit * rng.choice([1, 1, 2, 5]) // rng.choice([1, 3, 8]) + rng.randint(-1, 1)),
        )[style]
        counts[token] = min(left, wanted)
        left -= counts[token]
    counts[order[-1]] = left
    return counts


def clustered_head(rng, size, kappa, gamma, by_column, values=None):
    """Logits in clusters of diameter ≤ κ at distance ≥ γ, biases of both signs among them."""
    period, tokens, locality, bits = size
    step = kappa + gamma
    of_column = [rng.randrange(3) for _ in range(period)]
    of_type, of_lag = rng.choice([(kappa, 0), (F(kappa, 2), F(kappa, 2)), (0, kappa)])
    logits = {}
    for token, residue in itertools.product(range(tokens), range(period)):
        level = of_column[residue] if by_column or rng.random() < 0.4 else rng.randrange(3)
        logits[token, residue] = level * step + of_type * rng.choice([0, 1, F(1, 2)])
    bias = tuple(
        step * rng.choice([-1, 0, 0, 1]) + of_lag * rng.choice([0, 1, 1])
        for _ in range(locality + 1)
    )
    return Head(logits, bias, bits, values)


def long_input(rng, size, length, unit):
    """A long input with awkward counts."""
    period, tokens, locality, _ = size
    prefix = {}
    for residue, number in enumerate(columns_of(length - locality - 1, period)):
        found = shares(rng, list(range(tokens)), number, unit)
        prefix.update({(token, residue): n for token, n in found.items()})
    lags = tuple((rng.randrange(tokens), (length - lag) % period) for lag in range(locality + 1))
    return Input(prefix, lags)


def attended(head, given, step):
    """P and S: the highest cluster of what occurs (clusters are `step` apart)."""
    level = {kind: head.logit(kind) // step for kind in given.classes()}
    top = [kind for kind, number in level.items() if number == max(level.values())]
    prefix = frozenset(kind for kind in top if not isinstance(kind[1], tuple))
    return prefix, {kind[0] for kind in top if kind not in prefix}


def draw(rng):
    """Sizes, κ-free: period, tokens, locality, bits; and a margin."""
    size = rng.randint(1, 3), rng.randint(2, 3), rng.randint(0, 2), rng.randint(3, 7)
    return size, F(rng.choice([1, 2, 3, 4]))


def near(rng, length, bits):
    """κ with κ log₂ T* < p, zero now and then."""
    return rng.choice([0, F(1, 64), F(1, 16), F(1, 4), F(7, 8)]) * F(bits, length.bit_length())


def length_beyond(rng, training):
    """A length above `training`, a little or up to 2⁴⁰."""
    if rng.random() < 0.5:
        return training + rng.randint(1, 4 * training)
    return training + rng.randint(1, 2 ** rng.randint(4, 40))


def attack_nested(rng, mode, omit=()):
    """One instance of Theorem H or S: (excess over the bound is certain) for each head."""
    size, gamma = draw(rng)
    period, tokens, locality, bits = size
    e = F(period * (tokens + 1), 4) + locality + 1
    heads_number = rng.choice([2, 2, 3])
    equal = F(rng.randint(2, 8), 10)
    deltas = [equal if mode == "H" else F(rng.randint(1, 9), 10) for _ in range(heads_number)]
    hard = -(-(least_threshold(gamma, bits) - locality - 1) // period)
    whole = math.prod(1 + 1 / d for d in deltas)
    most = math.ceil(e * (whole - 1))
    length = length_beyond(rng, period * (max(most, hard, 1) + 1) + locality)
    kappa = near(rng, length, bits)
    heads = [clustered_head(rng, size, kappa, gamma, False) for _ in range(heads_number)]
    given = long_input(rng, size, length, max(1, rng.choice([most, math.ceil(e / deltas[0])])))
    sets = [attended(head, given, kappa + gamma) for head in heads]
    present = {t for t, n in given.prefix.items() if n}

    def full(prefix):
        return [r for r in range(period) if all(t in prefix for t in present if t[1] == r)]

    groups = {}
    for number, (prefix, _) in enumerate(sets):
        if prefix and (mode == "H" or not full(prefix)):
            key = number if mode == "H" else frozenset(prefix)
            groups.setdefault(key, []).append(number)
    listed = [
        (sets[g[0]][0], min(len(sets[i][1]) for i in g), deltas[g[0]]) for g in groups.values()
    ]
    error = e - (locality + 1 if "suffix" in omit else 0)
    kept = error * (math.prod((1 + 1 / g[2] for g in listed), start=F(1)) - 1)
    if mode == "H":
        kept = error * (whole - 1)
    n = max(math.ceil(kept), hard, 1)
    training = period * (n + 1) + locality
    rest = (length - locality - 1) % period
    long, short = (
        columns_of(number, period) for number in (length - locality - 1, period * n + rest)
    )
    real, _ = targets(given.prefix, long, short, listed, error)
    counts = joined(largest_remainder(part) for part in by_columns(real, period) if part)
    z = Input(counts, given.lags)
    assert training - period < z.length <= training
    light = {i: deltas[g[0]] for g in groups.values() for i in g}
    for number, head in enumerate(heads):
        if not sets[number][0]:
            delta = F(0)
        elif number in light:
            delta = light[number]
        else:
            error_of = 0 if "kept" in omit else kept
            delta = (error_of + e) / (len(full(sets[number][0])) * F(n))
        bound = ball(delta) if "hat" in omit else hat(kappa, training, delta)
        if "theta" not in omit:
            bound += theta(kappa, F(length, training - period + 1))
        yield variation(image(head, given), image(head, z)) > bound


def attack_columns(rng, omit=()):
    """One instance of Theorem P."""
    size, gamma = draw(rng)
    period, tokens, locality, bits = size
    e = F(tokens, 4) + locality + 1
    hard = -(-(least_threshold(gamma, bits) - locality - 1) // period)
    n = max(hard, 1, math.ceil(e * F(rng.randint(11, 40), 10)))
    training = period * (n + 1) + locality
    length = length_beyond(rng, training)
    kappa = near(rng, length, bits)
    heads = [clustered_head(rng, size, kappa, gamma, True) for _ in range(4)]
    given = long_input(rng, size, length, n)
    rest = (length - locality - 1) % period
    long, short = (
        columns_of(number, period) for number in (length - locality - 1, period * n + rest)
    )
    real = [
        {t: F(c * short[r], long[r]) for t, c in part.items() if c}
        for r, part in enumerate(by_columns(given.prefix, period))
    ]
    z = Input(joined(map(largest_remainder, real)), given.lags)
    delta = (e - (locality + 1 if "suffix" in omit else 0)) / n
    if "rounding" in omit:
        delta -= F(tokens, 4) / n
    for head in heads:
        bound = ball(delta) if "hat" in omit else hat(kappa, training, delta)
        if "theta" not in omit:
            bound += theta(kappa, F(length, training - period + 1))
        yield variation(image(head, given), image(head, z)) > bound


def attack_instance(rng, omit=()):
    """One instance of Theorem C, or nothing where the choice is not valid."""
    size, _ = draw(rng)
    period, tokens, locality, bits = size
    length = rng.randint(2, 30) * period + rng.randint(0, 2 ** rng.randint(2, 40))
    length = max(length, locality + 2)
    kappa = near(rng, length, bits)
    heads = [certified_head(rng, size, kappa, length) for _ in range(rng.randint(1, 4))]
    given = long_input(rng, size, length, rng.randint(1, 40))
    choice = Instance(rng, heads, given, period, tokens)
    if not choice.valid or not choice.prepare(omit):
        return
    z = choice.build()
    for cut, bound in zip(choice.cuts, choice.bounds(omit), strict=True):
        moved = variation(image(cut.head, given), image(cut.head, z))
        yield moved > 0 if bound is None else moved > bound


def certified_head(rng, size, kappa, length):
    """Logits in near ties or far apart; biases small (for mild lags) or large, of both signs."""
    period, tokens, locality, bits = size
    step = kappa + F(rng.choice([1, 2, 4]))
    head = clustered_head(rng, size, kappa, step - kappa, rng.random() < 0.3)
    small = F(bits, 4 * length.bit_length())
    bias = tuple(b if rng.random() < 0.4 else small * F(rng.randint(-8, 8), 8) for b in head.bias)
    values = {t: rng.choice([0, 0, 1, 2]) if rng.random() < 0.7 else t[0] for t in head.logits}
    return Head(head.logits, bias, bits, values)
