"""The average over a law of inputs: by counting, by going through all strings, and by drawing.

(a) Theorem. A one-layer model is a function of counts and suffix, and a law that makes tokens exchangeable
gives each string of a count vector the same probability; so `agreement(law=)`, a sum over count vectors,
is Σ_x P(x)|f(x) − g(x)| over all strings. Here P is written down from the definition, and |f − g| in balls:
the sum lies in [low, high] (containment, exact).

(b) Theorem. If π permutes Σ, E over the law of πx of |f^π − g^π| is E over the law of x of |f − g|; for
f = f^π and g = g^π a law may be permuted alone. Two enclosures of one number meet.

(c) `average_error` draws: with values in [0, B], |mean − E| > B·√(ln(2/q)/(2n)) has probability at most q
(Hoeffding). Here q = 10⁻⁹ for each comparison, at fixed seeds: one failure in a billion, were the seeds drawn.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

import verify
from tests.second_routes import exact_forward
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import meet
from tests.second_routes.test_relabelled_tokens import related
from verify import DirichletLaw, FixedLaw


def law_of(seed, size):
    """A law, and the probability of a string by its definition."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        parts = [int(n) for n in rng.integers(1, 9, size=size)]
        shares = [Fraction(n, sum(parts)) for n in parts]
        return FixedLaw(shares), lambda x: math.prod((shares[s] for s in x), start=Fraction(1))
    alpha = [Fraction(int(n), 2) for n in rng.integers(1, 7, size=size)]
    return DirichletLaw(alpha), lambda x: polya(alpha, x)


def polya(alpha, x):
    """Pólya's urn: each draw puts one more of its token in."""
    urn, found = list(alpha), Fraction(1)
    for s in x:
        found *= urn[s] / sum(urn)
        urn[s] += 1
    return found


def enumerated(seed, attention, tally, probability_of=None):
    f, g = pair(seed, attention)
    law, probability = law_of(seed, f.vocabulary_size)
    probability = probability_of or probability
    for length in (1, 3, 4 if f.vocabulary_size == 2 else 2):
        truth = arb(0)
        for x in itertools.product(range(f.vocabulary_size), repeat=length):
            p = probability(x)
            truth += exact_forward.difference(f, g, x) * fmpq(p.numerator, p.denominator)
        entry = verify.agreement(f, g, length, law=law).by_length[length]
        low, high = (arb(fmpq(e.numerator, e.denominator)) for e in (entry.low, entry.high))
        assert not truth < low, (seed, length)
        assert not truth > high, (seed, length)
        tally["averages by strings"] += 1


@both_kinds
def test_counting_is_going_through_all_strings(attention, tally):
    for seed in seeds(2):
        enumerated(seed, attention, tally)


def permuted_law(seed, attention, tally, told=None):
    r = related(seed, attention)
    size = r.pair[0].vocabulary_size
    law, _ = law_of(seed, size)
    order = np.asarray(r.string(np.arange(size)))
    weights = list(law.probabilities if seed % 2 else law.alpha)
    moved = [None] * size
    for s, weight in enumerate(weights):
        moved[order[s] if told is None else told] = weight
    if None in moved:
        moved = weights
    other = FixedLaw(moved) if seed % 2 else DirichletLaw(moved)
    one = verify.agreement(*r.pair, range(1, 9), law=law).by_length
    two = verify.agreement(*r.other, range(1, 9), law=other).by_length
    for length in one:
        meet(*((e.low, e.high) for e in (one[length], two[length])), (seed, length))
        tally["relabelled laws"] += 1


@both_kinds
def test_tokens_and_law_relabelled(attention, tally):
    for seed in seeds(3):
        permuted_law(seed, attention, tally)


def drawn(seed, tally, samples=400, shift=0.0):
    f, g = pair(seed, "argmax" if seed % 3 else "softmax")
    law, _ = law_of(seed, f.vocabulary_size)
    length = 12
    truth = verify.agreement(f, g, length, law=law)
    most = float(verify.agreement(f, g, length).high)
    found = verify.average_error(f, g, length, law=law, samples=samples, seed=seed)
    radius = most * math.sqrt(math.log(2 / 1e-9) / (2 * samples))
    assert abs(found.mean + shift * most - truth.value) <= radius, seed
    tally["averages by drawing"] += 1


def test_drawing(tally):
    for seed in seeds(2):
        drawn(seed, tally)


def test_control_wrong_laws_and_means(tally):
    uniform = lambda x: Fraction(1, 3 ** len(x))  # noqa: E731
    fails(lambda s: enumerated(s, "argmax", tally, uniform), range(2))
    fails(lambda s: permuted_law(s, "softmax", tally, told=0), range(4))
    fails(lambda s: drawn(s, tally, shift=0.4), range(2))
