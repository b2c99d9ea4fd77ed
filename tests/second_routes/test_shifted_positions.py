"""Positions: the table of positions written twice, a period that nothing reads, and a prefix.

(a) Theorem. Position i uses row i mod Δ, so the rows written twice (2Δ rows) give the same model.
Equality, the declared period apart.

(b) Theorem. A coordinate that no matrix reads and that alternates with period 2Δ changes no logit, no
value, no output. The least period that the weights show is then lcm-doubled, and with it the number
of types: constants that are extremes over pairs of types are those over pairs of the same vectors,
read more often, so they stay. Sups are the same number: enclosures meet. What keeps the
length mod 2Δ keeps it mod Δ, so the shortest inputs, and the certified windows of 2Δ lengths, may grow
and never shrink.

(c) Theorem. Let f have hard attention: gaps of logits are 0 or at least p, so that T ≥ 2 drops all
that is below, T^(−p) ≤ 2^(−p). Let ⊥ be a further token whose logits lie p below all others, for every
query. Then f(⊥ᵏx) = f⁽ᵏ⁾(x), where f⁽ᵏ⁾ has the rows of `positions` rotated by k: the key at position i
of x stands at i + k. So max |f⁽ᵏ⁾ − g⁽ᵏ⁾| over the inputs of length T is at most max |f − g| over those
of length T + k with ⊥ (inequality). Constants of f⁽ᵏ⁾ are those of f: the same set of types (equality).
"""

from dataclasses import replace

import numpy as np

import verify
from tests.second_routes import measured, relation
from tests.second_routes.cases import FACTOR, both_kinds, dyadic, fails, pair, seeds
from tests.second_routes.relation import Relation
from verify import Head, Layer, LimitTransformer

DECLARED = {"declared_period": None}


def twice(f, change=0.0):
    positions = np.vstack([f.positions, f.positions])
    positions[-1] += change
    return replace(f, positions=positions)


@both_kinds
def test_rows_written_twice(attention, tally):
    for seed in seeds(1):
        p = pair(seed, attention)
        r = Relation(p, tuple(map(twice, p)), seed=seed)
        relation.every_route(r, tally, "argmax")
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, note=seed)


def unread(f, read=0.0):
    """Return f with a coordinate that alternates; `read`: by how much the outputs read it."""
    (layer,), rows = f.layers, 2 * f.period
    alternating = (-1.0) ** (np.arange(rows) // f.period)
    tiled = np.vstack([f.positions, f.positions])

    def square(matrix):
        return np.pad(matrix, ((0, 1), (0, 1)))

    heads = [Head(square(h.query_key), square(h.value), h.lag_bias) for h in layer.heads]
    mlp_in = np.pad(layer.mlp_in, ((0, 0), (0, 1)))
    unembedding = np.pad(f.unembedding, ((0, 0), (0, 1)))
    unembedding[:, -1] = read
    return LimitTransformer(
        np.pad(f.embedding, ((0, 0), (0, 1))),
        np.hstack([tiled, alternating[:, None]]),
        (Layer(heads, mlp_in, layer.mlp_bias, np.pad(layer.mlp_out, ((0, 1), (0, 0)))),),
        unembedding,
        f.precision_bits,
    )


LARGER = dict.fromkeys(("period",), lambda one, two: two in (one, 2 * one))
DIMENSIONS = {"dimension": None, "depth_constants": None} | {
    name: None for name in ("complexity_one_layer", "complexity_one_layer_norm")
}
"""A number of coordinates of Δ(|Σ| − 1), and what the theorems for Δ = 1 alone read."""


@both_kinds
def test_a_coordinate_that_nothing_reads(attention, tally):
    for seed in seeds(1):
        p = pair(seed, attention)
        r = Relation(p, tuple(map(unread, p)), seed=seed)
        relation.every_route(r, tally, "softmax", relation.ALL[:3])
        relation.shortest(r, tally, relation.at_most)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=LARGER | DIMENSIONS, note=seed)
        if FACTOR > 1 or attention == "argmax":
            relation.certificates(r, tally, no_shorter)


def no_shorter(one, two, note):
    """The lengths of the model with more types are no shorter."""
    assert two is None or (one is not None and two >= one), (note, one, two)


def hard(seed):
    """A pair with hard attention, Δ = 2, |Σ| = 2, and the same with ⊥ as a third token."""
    rng, bits = np.random.default_rng(seed), 3
    made = []
    for _ in range(2):
        # Coordinates: 1, ⊥, two for tokens and positions.
        embedding = np.hstack([np.ones((3, 1)), [[0.0], [0.0], [1.0]], dyadic(rng, 3, 2, most=1)])
        embedding[2, 2:] = 0
        positions = np.hstack([np.zeros((2, 2)), dyadic(rng, 2, 2, most=1)])
        query_key = np.zeros((4, 4))
        query_key[2:, 0] = bits * rng.integers(-1, 2, size=2)
        query_key[1, 0] = -10.0 * bits
        value = np.zeros((4, 4))
        value[2:, 2:] = dyadic(rng, 2, 2)
        layer = Layer((Head(query_key, value, bits * dyadic(rng, 2, most=1)),))
        unembedding = np.hstack([np.zeros((1, 2)), dyadic(rng, 1, 2)])
        made.append(LimitTransformer(embedding, positions, (layer,), unembedding, bits))
    return [replace(m, embedding=m.embedding[:2]) for m in made], made


def rotated(f, k):
    """Row r of the new table is row r + k of the old one."""
    return replace(f, positions=np.roll(f.positions, -k, axis=0))


def prefixed(seed, tally, k_rotated=1):
    inner, outer = hard(seed)
    rng = np.random.default_rng(seed)
    for f, with_prefix in zip(inner, outer, strict=True):
        f = rotated(f, k_rotated)
        for length in (2, 3, 6, 11):
            x = rng.integers(0, 2, size=length)
            found = with_prefix(np.concatenate([[2], x]))
            assert np.allclose(f(x), found, rtol=0, atol=1e-12), (seed, x)
            tally["prefixed outputs"] += 1
    one = [rotated(f, k_rotated) for f in inner]
    for length in range(2, 6):
        high = verify.agreement(*outer, length + 1).high
        assert verify.agreement(*one, length).low <= high, (seed, length)
        tally["prefixed agreements"] += 1
    measured.compare(measured.constants(*inner), measured.constants(*one), tally, note=seed)


def test_positions_rotated_are_a_prefix_that_nobody_attends_to(tally):
    for seed in seeds(3):
        prefixed(seed, tally)


def test_control_rows_and_rotations_that_are_wrong(tally):
    def rows(seed):
        p = pair(seed, "argmax", period=2)
        relation.outputs(Relation(p, tuple(twice(f, 0.25) for f in p), seed=seed), tally)

    def read(seed):
        p = pair(seed, "softmax")
        other = tuple(unread(f, x) for f, x in zip(p, (0.25, 0.0), strict=True))
        relation.agreements(Relation(p, other, seed=seed), tally)

    fails(rows, range(4))
    fails(read, range(4))
    fails(lambda seed: prefixed(seed, tally, k_rotated=0), range(4))
