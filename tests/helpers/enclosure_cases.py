"""Certificates of a branch and bound, and random inputs with cells around them."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np

from tests.helpers.certificate_cases import random_pair
from tests.helpers.random_models import LARGEST_LAG_BIAS, random_model
from verify.certificates.contexts import pair_of
from verify.certificates.direct.certificate import enclosure_certificate
from verify.certificates.direct.pieces import least_start, pieces
from verify.certificates.direct.search import Search
from verify.certificates.direct.table import Table
from verify.certificates.recheck.cells import Cell
from verify.certificates.recheck.inputs import SingleInput, free_positions
from verify.certificates.recheck.pieces import Context, Piece
from verify.errors import InputError


def searched(f, g, *, from_length, horizon, goal, budget, most_pieces=10**6):
    """Return (certificate, largest |f − g| found); None if `goal` was not reached."""
    pair = pair_of(f, g, None)
    start = max(from_length, least_start(pair))
    found = list(islice(pieces(pair, start, horizon), most_pieces + 1))
    if len(found) > most_pieces:
        return None
    found = Search.of(Table.of(pair, found))
    if not found.run(goal, budget):
        return None
    certificate = enclosure_certificate(
        found,
        from_length=from_length,
        horizon=horizon,
        start=start,
        high=Fraction(goal(found)) * (1 + Fraction(1, 10**9)),
        low=Fraction(0),
        worst=None,
        claim="",
    )
    return certificate, found.best.value if found.best else 0.0


def random_case(seed, budget):
    """Return (f, g, certificate, largest |f − g| found) of a random pair; None: too hard.

    Even seeds: finite precision. Odd ones: infinite, all regimes.
    """
    rng = np.random.default_rng(seed)
    if seed % 2 == 0:
        f, g = random_pair(rng)
        horizon = None if rng.random() < 0.2 else 2 ** int(rng.integers(8, 41))
    else:
        f, g = random_softmax_pair(rng)
        horizon = None if rng.random() < 0.5 else 2 ** int(rng.integers(8, 300))
    relative = float(rng.choice([0.3, 0.1, 0.05]))
    length = int(rng.choice([8, 33]))

    def goal(search):
        return (search.best.value if search.best else 0.0) * (1 + relative) + 1e-3

    try:
        found = searched(
            f, g, from_length=length, horizon=horizon, goal=goal, budget=budget, most_pieces=40
        )
    except InputError:  # no end, where there must be one
        return None
    return None if found is None else (f, g, *found)


def random_softmax_pair(rng):
    """Return two random models in infinite precision: Δ 1..3, τ 0..2, H 1..2, every regime."""
    sizes = {
        "vocabulary_size": int(rng.integers(1, 4)),
        "period": int(rng.integers(1, 4)),
        "locality": int(rng.integers(0, 3)),
        "heads": int(rng.integers(1, 3)),
        "regime": [None, *LARGEST_LAG_BIAS][int(rng.integers(5))],
        "logits": float(rng.choice([0.3, 1.0, 3.0])),
        "ties": bool(rng.random() < 0.2),
    }
    return random_model(rng, **sizes), random_model(rng, **sizes)


def least_length(pair, counted):
    """Return the least length that pieces may speak of."""
    return pair.lags + pair.period if pair.finite else 1 + max(counted, default=0)


def counted_lags(pair):
    """Return the lags that are counted."""
    lags = range(pair.lags)
    return frozenset(lag for lag in lags if pair.finite or any(h.bias(lag) for h in pair.heads))


def random_input(rng, pair, length):
    """Return a random input: even, skewed, or with one or two rare tokens."""
    size, period, counted = pair.vocabulary, pair.period, counted_lags(pair)
    tokens = {lag: int(rng.integers(size)) for lag in counted | {0}}
    types = {lag: (length - lag) % period * size + s for lag, s in tokens.items()}
    counts = {}
    for r in range(period):
        number = free_positions(length, r, period, counted)
        column = [0] * size
        column[int(rng.integers(size))] = number
        most = int(np.argmax(column))
        shares = rng.dirichlet(np.full(size, rng.choice([0.1, 1.0])))
        rare = rng.random() < 0.3
        for s in range(size):
            if s != most:
                wanted = int(rng.integers(0, 3)) if rare else int(Fraction(shares[s]) * number)
                wanted = min(wanted, column[most])
                column[s] += wanted
                column[most] -= wanted
        counts |= {r * size + s: n for s, n in enumerate(column)}
    query = types[0]
    if 0 not in counted and not counts[query]:
        beside = [t for t in counts if t // size == query // size]
        counts[max(beside, key=counts.__getitem__)] -= 1
        counts[query] += 1
    return SingleInput(length, counts, {lag: types[lag] for lag in counted}, query)


def piece_of(rng, pair, numbers, x):
    """Return a piece that an input lies in, of random extent."""
    size, period = pair.vocabulary, pair.period
    tokens = {lag: t % size for lag, t in x.at_lag.items()} | {0: x.query % size}
    context = Context.of(pair, x.length % period, tokens, counted_lags(pair))
    assert context.query == x.query
    levels, allowed = None, frozenset(range(size * period))
    if pair.finite:
        levels = context.levels_of(frozenset(t for t, n in x.counts.items() if n))
        allowed = context.all_levels(10**9)[levels]
    least = least_length(pair, context.at_lag)
    for _ in range(20):
        first = max(least, x.length // int(rng.integers(1, 20)))
        first += (x.length - first) % period
        last = x.length * int(rng.integers(1, 1000)) if rng.random() < 0.8 else None
        if last is not None:
            last -= (last - x.length) % period
        piece = Piece(context, numbers, levels, allowed, first, last)
        if piece.changes_at() is None:
            return piece
    return Piece(context, numbers, levels, allowed, x.length, x.length)


def cell_around(rng, piece, x):
    """Return a random cell of a piece that holds an input."""
    low, high = [0.0] * len(piece.representatives), [1.0] * len(piece.representatives)
    for k, t in enumerate(piece.representatives):
        number = piece.context.free(t // piece.context.pair.vocabulary, x.length)
        if not number:
            continue
        share = Fraction(sum(x.counts.get(u, 0) for u in piece.members[t]), number)
        width = 10.0 ** rng.uniform(-6, 0)
        if rng.random() < 0.8:
            low[k] = max(0.0, float(share) * (1 - 1e-15) - width * rng.random())
        if rng.random() < 0.8:
            high[k] = min(1.0, float(share) * (1 + 1e-15) + width * rng.random())
        assert low[k] <= share <= high[k]
    first = max(piece.first, x.length - int(x.length * rng.random() ** 3))
    last = None if rng.random() < 0.3 else x.length + int(x.length * rng.random() ** 3)
    if piece.last is not None:
        last = piece.last if last is None else min(last, piece.last)
    return Cell(first, last, tuple(low), tuple(high))
