"""Outputs scaled: c·f and c·g, with cε and c·target.

Theorem. Let f_c have the unembedding cU, c > 0, and be f otherwise: f_c = c·f. Every claim about
(f, g, ε, target) is the claim about (f_c, g_c, cε, c·target): |f_c − g_c| = c|f − g|, and constants
that bound a change of the output scale with it (L_c = cL), others stay.

Equality, for c a power of two and for c = 3 (weights are small dyadic numbers: 3U is exact). Norms
that are rounded up are equal up to that rounding.
"""

from dataclasses import replace
from fractions import Fraction

from tests.second_routes import measured, relation
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import Relation

FACTORS = (Fraction(3), Fraction(1, 4), Fraction(2**20), Fraction(1, 2**30))


def related(seed, attention, told=None):
    """`told`: the factor that the comparison is told, if it is not the true one."""
    f, g = pair(seed, attention)
    c = FACTORS[seed % len(FACTORS)]
    other = tuple(replace(m, unembedding=m.unembedding * float(c)) for m in (f, g))
    return Relation((f, g), other, factor=c if told is None else told * c, seed=seed)


@both_kinds
def test_every_route(attention, tally):
    for seed in seeds(1):
        r = related(seed, attention)
        relation.every_route(r, tally, "softmax")
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, factor=r.factor, note=seed)


def test_control_a_wrong_factor(tally):
    told = Fraction(9, 10)
    fails(lambda s: relation.outputs(related(s, "softmax", told), tally), range(2))
    fails(lambda s: relation.agreements(related(s, "argmax", told), tally), range(2))
    fails(lambda s: relation.certificates(related(s, "softmax", told), tally), range(4))
    fails(lambda s: relation.simulations(related(s, "argmax", told), tally), range(4))
    r = related(0, "argmax")
    one, two = (measured.constants(*p) for p in (r.pair, r.other))
    fails(lambda c: measured.compare(one, two, tally, factor=c), [r.factor * Fraction(1001, 1000)])
