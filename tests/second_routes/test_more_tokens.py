"""More tokens: one that is never needed, and one that is a copy.

(a) Theorem. Let Σ' contain Σ, with the same embedding there. The inputs over Σ are inputs over Σ', so
max |f − g| over Σ is at most that over Σ', at every length and over all; what is proved over Σ' is not
refuted over Σ. Constants that are largest over (pairs of) types grow, margins that are least over
pairs shrink (inequalities).

(b) Theorem. If the new token has the embedding of an old one, f(x) = f(x with the old one in its
place): the image of the inputs is the same, and so is every sup (equality; enclosures meet), and every
constant but |Σ|, as the set of vectors is the same.
"""

from dataclasses import replace

import numpy as np

import verify
from tests.second_routes import measured, relation
from tests.second_routes.cases import FACTOR, both_kinds, dyadic, fails, pair, seeds
from tests.second_routes.relation import HORIZON, LIMIT, Relation, enclosed, implies


def with_token(f, vector):
    return replace(f, embedding=np.vstack([f.embedding, vector]))


def enlarged(seed, attention):
    f, g = pair(seed, attention, vocabulary_size=2)
    rng = np.random.default_rng(seed)
    return (f, g), tuple(with_token(m, dyadic(rng, m.dimension)) for m in (f, g))


GROWS = (
    "lipschitz",
    "lipschitz_other",
    "lipschitz_sharp",
    "lipschitz_marginal",
    "lipschitz_euclidean",
    "lipschitz_operator",
    "vocabulary_size",
    "largest_gap",
    "logit_range",
    "logit_range_columns",
)
SHRINKS = ("margin", "margin_realised")


def only_grows(small, large, tally):
    for length in range(1, 4):
        low = verify.agreement(*small, length).low
        assert low <= verify.agreement(*large, length).high, length
        tally["agreements"] += 1
    horizon = HORIZON[small[0].attention]
    few, many = enclosed(small, horizon), enclosed(large, horizon)
    assert few.low <= many.high
    tally["enclosures"] += 1
    for target in (few.low * 9 / 10, many.high)[FACTOR == 1 :]:
        verdicts = [
            verify.prove(*p, target=target, horizon=horizon, from_length=1, limit=LIMIT).status
            for p in (large, small)
        ]
        implies(*verdicts, target)
        tally["proofs"] += 1
    constants_only_grow(small, large, tally)


def constants_only_grow(small, large, tally):
    one, two = (measured.constants(*p) for p in (small, large))
    for name in one.keys() & {*GROWS, *SHRINKS}:
        first, second = one[name], two[name]
        if name in SHRINKS:  # None: no two logits differ
            assert first is None or second <= first, (name, first, second)
        else:
            assert second >= first, (name, first, second)
        tally["constants"] += 1


@both_kinds
def test_a_further_token(attention, tally):
    for seed in seeds(1):
        only_grows(*enlarged(seed, attention), tally)


def test_control_the_smaller_alphabet_does_not_contain_the_larger(tally):
    fails(lambda s: only_grows(*enlarged(s, "argmax")[::-1], tally), range(6))
    fails(lambda s: constants_only_grow(*enlarged(s, "argmax")[::-1], tally), range(6))
    fails(lambda s: constants_only_grow(*enlarged(s, "softmax")[::-1], tally), range(6))


def copied(seed, attention, change=0.0):
    f, g = pair(seed, attention, vocabulary_size=2)
    other = tuple(with_token(m, m.embedding[0] + change) for m in (f, g))
    return Relation((f, g), other, back=lambda z: np.where(z == 2, 0, z), seed=seed)


SOME = (relation.outputs, relation.agreements, relation.proofs, relation.shortest)
COPY = {"vocabulary_size": lambda one, two: two == one + 1} | dict.fromkeys(
    ("dimension", "complexity_one_layer", "complexity_one_layer_norm", "depth_constants")
)


@both_kinds
def test_a_copy_of_a_token(attention, tally):
    for seed in seeds(1):
        r = copied(seed, attention)
        relation.every_route(r, tally, "softmax", SOME)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=COPY, note=seed)
        if FACTOR > 1 or attention == "softmax":
            relation.certificates(r, tally, no_shorter)


def no_shorter(one, two, note):
    assert two is None or (one is not None and two >= one), (note, one, two)


def test_control_not_quite_a_copy(tally):
    fails(lambda s: relation.agreements(copied(s, "argmax", 2.0), tally), range(4))

    def constants(seed):
        r = copied(seed, "softmax", 2.0)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=COPY)

    fails(constants, range(4))
