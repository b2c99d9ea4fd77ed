"""Tokens relabelled: a permutation π of Σ changes nothing.

Theorem. Let f^π have the embedding rows E^π[π(s)] = E[s], and be f otherwise. Then
f^π(πx) = f(x) for every input x: the vectors at every position are the same. So every number that
is about all inputs, or about the weights, is the same for (f^π, g^π) as for (f, g).

Equality for what is exact (constants, certified and proven lengths); enclosures of the same number
meet; no verdict contradicts.
"""

from dataclasses import replace

import numpy as np
import pytest

from tests.second_routes import measured, relation
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import Relation


def relabelled(f, order):
    """f^π with π(s) = order[s]."""
    embedding = np.empty_like(f.embedding)
    embedding[order] = f.embedding
    return replace(f, embedding=embedding)


def related(seed, attention):
    f, g = pair(seed, attention)
    order = np.random.default_rng(seed).permutation(f.vocabulary_size)
    if (order == np.arange(order.size)).all():
        order = np.roll(order, 1)
    back = np.argsort(order)
    other = tuple(relabelled(m, order) for m in (f, g))
    return Relation((f, g), other, lambda x: order[x], lambda z: back[z], seed=seed)


@both_kinds
def test_every_route(attention, tally):
    for seed in seeds(1):
        r = related(seed, attention)
        relation.every_route(r, tally, "argmax")
        measured.compare(
            measured.constants(*r.pair), measured.constants(*r.other), tally, note=seed
        )


@pytest.mark.parametrize("route", [*relation.ALL, measured.compare], ids=lambda r: r.__name__)
def test_control_two_tokens_get_the_vector_of_one(route, tally):
    def check(seed):
        r = related(seed, "argmax")
        other = tuple(merged(m) for m in r.other)
        if route is measured.compare:
            route(measured.constants(*r.pair), measured.constants(*other), tally)
        else:
            route(replace(r, other=other), tally)

    fails(check, range(12))


def merged(f):
    embedding = f.embedding.copy()
    embedding[0] = embedding[1]
    return replace(f, embedding=embedding)
