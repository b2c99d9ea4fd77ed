"""Constants that cancel: to both outputs, to all logits of a query, to all values.

Theorem. Let the vectors get one more coordinate that is 1 at every position (a column of ones in the
positions). (a) A column b of U at that coordinate adds b to the output. (b) A row r of the
query-key matrix there adds r·y_i to the logits of *all* keys of query i, so that no attention weight
changes, dropped ones included: finite precision looks at gaps. (c) A column w of V there adds w to
what the head writes, as its weights add up to 1; with the MLP's bias made smaller by A·w, the output
changes by the constant U·w.

The differences |f − g|, all gaps of logits, and all differences of values are the same, and so is
every number: equality, the constant in the outputs apart.
"""

from dataclasses import replace

import numpy as np

from tests.second_routes import measured, relation
from tests.second_routes.cases import both_kinds, dyadic, fails, pair, seeds
from tests.second_routes.relation import Relation
from verify import Head, Layer

NORMS = dict.fromkeys(
    ("lipschitz_operator", "complexity_one_layer_norm"),
    lambda one, two: one is None or two >= one,
)
"""Norms of whole matrices see the added columns; they are for comparison only."""


def shifted(f, output, rows, columns, *, constant=1.0):
    """Return f with the three constants; `constant`: the added coordinate, but at residue 0."""
    layer, d = f.layers[0], f.dimension

    def wide(array):
        return np.pad(array, ((0, 0), (0, 1)))

    heads, bias = [], layer.mlp_bias.copy()
    for head, row, column in zip(layer.heads, rows, columns, strict=False):
        query_key = np.pad(head.query_key, ((0, 1), (0, 1)))
        value = np.pad(head.value, ((0, 1), (0, 1)))
        query_key[d, :d] = row
        value[:d, d] = column
        bias = bias - layer.mlp_in @ column
        heads.append(Head(query_key, value, head.lag_bias))
    positions = np.hstack([f.positions, np.full((f.period, 1), constant)])
    positions[0, -1] = 1.0
    unembedding = wide(f.unembedding)
    unembedding[:, d] = output
    return replace(
        f,
        embedding=wide(f.embedding),
        positions=positions,
        layers=(Layer(heads, wide(layer.mlp_in), bias, np.pad(layer.mlp_out, ((0, 1), (0, 0)))),),
        unembedding=unembedding,
    )


def related(seed, attention, *, constant=1.0, other_output=0.0):
    f, g = pair(seed, attention, period=None if constant == 1.0 else 2)
    rng = np.random.default_rng(seed)
    total = dyadic(rng, f.output_dimension, unit=0.25)
    rows = dyadic(rng, 2, f.dimension, unit=0.5)
    columns = [dyadic(rng, f.dimension, unit=0.25), np.zeros(f.dimension)]
    # Both outputs move by `total`: the column of U makes up for U·w.
    other = tuple(
        shifted(m, total - m.unembedding @ columns[0] + extra, rows, columns, constant=constant)
        for m, extra in ((f, 0.0), (g, other_output))
    )
    return Relation((f, g), other, shift=total, seed=seed)


@both_kinds
def test_every_route(attention, tally):
    for seed in seeds(1):
        r = related(seed, attention)
        relation.every_route(r, tally, "argmax")
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=NORMS, note=seed)


def test_control_one_output_moves_alone_or_the_coordinate_is_not_constant(tally):
    for attention in ("argmax", "softmax"):
        fails(lambda s, a=attention: relation.outputs(related(s, a, other_output=1), tally), [0])
        fails(
            lambda s, a=attention: relation.agreements(related(s, a, constant=2.0), tally), range(4)
        )

    def constants(seed):
        r = related(seed, "softmax", constant=2.0)
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally)

    fails(constants, range(4))
