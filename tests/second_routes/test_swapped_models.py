"""f and g swapped, and both turned round (−f, −g).

Theorem. |f − g| = |g − f| = |(−f) − (−g)|, and every constant of a pair is a symmetric function
(largest, smallest, least common multiple) of those of its models. So every number for (g, f), and
for (−f, −g), is that for (f, g).

Equality; enclosures of the same number meet.
"""

from dataclasses import replace

from tests.second_routes import measured, relation
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import Relation

APART = ("head_lipschitz",)


def swapped(seed, attention):
    f, g = pair(seed, attention)
    return Relation((f, g), (g, f), seed=seed)


def negated(seed, attention, turned=(True, True)):
    f, g = pair(seed, attention)
    other = tuple(
        replace(m, unembedding=-m.unembedding) if turn else m
        for m, turn in zip((f, g), turned, strict=True)
    )
    return Relation((f, g), other, seed=seed)


ROUTES = relation.ALL[1:]
"""f and g change places, or sign: |f − g| is what is compared."""


@both_kinds
def test_swapped(attention, tally):
    for seed in seeds(1):
        r = swapped(seed, attention)
        relation.every_route(r, tally, "argmax", ROUTES)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, note=seed)


@both_kinds
def test_negated(attention, tally):
    for seed in seeds(1):
        r = negated(seed, attention)
        relation.every_route(r, tally, None, ROUTES)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, note=seed)


def test_control_one_model_is_turned_round_or_shifted(tally):
    fails(lambda s: relation.agreements(negated(s, "argmax", (True, False)), tally), range(4))
    fails(lambda s: relation.agreements(negated(s, "softmax", (False, True)), tally), range(4))

    def against_itself(seed):
        f, g = pair(seed, "argmax")
        relation.certificates(Relation((f, g), (f, f), seed=seed), tally)

    fails(against_itself, range(6))

    def constants(seed):
        f, g = pair(seed, "softmax")
        measured.compare(measured.constants(f, g), measured.constants(g, g), tally)

    fails(constants, range(4))
