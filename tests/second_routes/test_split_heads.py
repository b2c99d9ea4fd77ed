"""A head split in two with half its values: the same function, with one head more.

Theorem. A head (logits, V) may be replaced by two heads (logits, V/2): the attention is the same,
and V/2·mean + V/2·mean = V·mean. So outputs, agreement, enclosures and shortest inputs are the same.

Of the constants, H grows; L in the sharp form Σ_h max |U w_h| + … is linear in each head's values,
so it stays exactly, as do Λ and the marginal form; the steepest slope is read for a single head
only, so `lipschitz` may grow, never shrink; margins and ranges of logits stay. Proven lengths of the
theorems are not monotone in an argument of this kind, but may only be bounds: what is claimed from a
certified length of the split pair is still true of the pair itself (checked against the truth).
"""

from dataclasses import replace
from fractions import Fraction

import verify
from tests.second_routes import measured, relation
from tests.second_routes.cases import FACTOR, both_kinds, fails, pair, seeds
from tests.second_routes.relation import Relation
from verify import Head, Layer

SOME = (relation.outputs, relation.agreements, relation.proofs, relation.shortest)

MAY_GROW = dict.fromkeys(("lipschitz", "lipschitz_other", "heads"), lambda one, two: two >= one) | {
    "head_lipschitz": None,
    "complexity_one_layer": None,
    "complexity_one_layer_norm": None,
}
"""The steepest slope is for single heads."""


def split(f, share=0.5, which=0):
    """f with a head replaced by two, with `share` of its values and the rest."""
    (layer,) = f.layers
    heads = list(layer.heads)
    head = heads[which % len(heads)]
    heads[which % len(heads)] = Head(head.query_key, head.value * share, head.lag_bias)
    heads.append(Head(head.query_key, head.value * 0.5, head.lag_bias))
    return replace(f, layers=(Layer(heads, layer.mlp_in, layer.mlp_bias, layer.mlp_out),))


def related(seed, attention, share=0.5):
    f, g = pair(seed, attention)
    return Relation((f, g), (split(f, share, seed), split(g, share, seed)), seed=seed)


@both_kinds
def test_every_route(attention, tally):
    for seed in seeds(1):
        r = related(seed, attention)
        relation.every_route(r, tally, "softmax", SOME)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=MAY_GROW, note=seed)
        if FACTOR > 1 or attention == "argmax":
            certified_lengths_are_true(r, tally)


def certified_lengths_are_true(r, tally):
    """What the split pair's certificate carries from its window, the pair itself obeys."""
    period, horizon = r.pair[0].period * r.pair[1].period, 64
    found = verify.certify(*r.other, epsilon=Fraction(1, 8), target=Fraction(3), horizon=horizon)
    if found.length is None or found.length >= 24:
        tally["long certificates"] += 1
        return
    window = range(max(1, found.length - period + 1), found.length + 1)
    beyond = range(found.length + 1, min(found.length + 2 * period, horizon) + 1)
    cost = Fraction(3) - Fraction(1, 8)
    high = verify.agreement(*r.pair, window).high
    assert verify.agreement(*r.pair, beyond).low <= high + cost, r.seed
    tally["certified claims"] += 1


def test_control_not_quite_half(tally):
    fails(lambda s: relation.outputs(related(s, "softmax", 0.5 + 2**-10), tally), range(2))
    fails(lambda s: relation.agreements(related(s, "argmax", 0.75), tally), range(4))
    fails(lambda s: relation.enclosures(related(s, "softmax", 8.0), tally), range(4))

    def constants(seed):
        r = related(seed, "argmax", 0.75)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=MAY_GROW)

    fails(constants, range(2))
