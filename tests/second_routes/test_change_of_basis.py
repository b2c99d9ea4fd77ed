"""Another basis: hidden coordinates permuted, their signs turned, zeros added; neurons reordered.

Theorem. Let P be a signed permutation matrix, E' = EPᵀ, positions' = positions·Pᵀ, K' = P·K·Pᵀ
(query-key), V' = P·V·Pᵀ, A' = A·Pᵀ, B' = P·B, U' = U·Pᵀ. Every vector y becomes P·y, and P is
orthogonal, so logits, MLP inputs and outputs are the same. The same with an isometry into more
coordinates (zeros added). Neurons may change places, and a neuron (row a, bias b, column c) is
(2ᵏa, 2ᵏb, 2⁻ᵏc), as relu(2ᵏt) = 2ᵏrelu(t).

Equality for what is exact: all these operations are exact in float64. Norms that are rounded up are
equal up to the rounding; products ‖A‖‖B‖ only if all neurons are rescaled alike.
"""

from dataclasses import replace

import numpy as np

from tests.second_routes import measured, relation
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import Relation
from verify import Head, Layer

NORMS = dict.fromkeys(
    (
        "lipschitz_operator",
        "lipschitz_euclidean",
        "complexity_one_layer",
        "complexity_one_layer_norm",
    )
)
"""Read from ‖A‖‖B‖."""


def turned(f, rng, extra=0, mistake=None, alike=False):
    """Return f in a random signed basis with `extra` more coordinates, neurons rescaled.

    alike: all neurons by one power.
    """
    (layer,), d = f.layers, f.dimension
    isometry = np.zeros((d + extra, d))
    isometry[rng.permutation(d + extra)[:d], np.arange(d)] = rng.choice([-1.0, 1.0], size=d)
    on_keys = isometry * 1.0
    if mistake == "sign":
        on_keys[:, 0] *= -1  # keys and queries in two bases
    powers = 2.0 ** rng.integers(-3, 4, size=layer.hidden)
    if alike:
        powers[:] = powers[:1]
    order = rng.permutation(layer.hidden)
    back = powers if mistake == "power" else 1 / powers
    heads = tuple(
        Head(on_keys @ h.query_key @ isometry.T, isometry @ h.value @ isometry.T, h.lag_bias)
        for h in layer.heads
    )
    return replace(
        f,
        embedding=f.embedding @ isometry.T,
        positions=f.positions @ isometry.T,
        layers=(
            Layer(
                heads,
                (layer.mlp_in * powers[:, None])[order] @ isometry.T,
                (layer.mlp_bias * powers)[order],
                isometry @ (layer.mlp_out * back)[:, order],
            ),
        ),
        unembedding=f.unembedding @ isometry.T,
    )


def related(seed, attention, mistake=None, alike=False):
    f, g = pair(seed, attention)
    rng = np.random.default_rng(seed)
    other = tuple(turned(m, rng, seed % 3, mistake, alike) for m in (f, g))
    return Relation((f, g), other, seed=seed)


@both_kinds
def test_every_route(attention, tally):
    for seed in seeds(1):
        r = related(seed, attention)
        relation.every_route(r, tally, "softmax")
        one, two = (measured.constants(*p) for p in (r.pair, r.other))
        measured.compare(one, two, tally, rules=NORMS, note=seed)
        one, two = (measured.constants(*p) for p in pairs_alike(seed, attention))
        measured.compare(one, two, tally, note=seed)


def pairs_alike(seed, attention):
    r = related(seed, attention, alike=True)
    return r.pair, r.other


def test_control_a_sign_or_a_power_is_wrong(tally):
    for mistake in ("sign", "power"):
        for route, cases in ((relation.outputs, 4), (relation.agreements, 6)):
            fails(lambda s, m=mistake, w=route: w(related(s, "softmax", m), tally), range(cases))

        def constants(seed, mistake=mistake):
            r = related(seed, "argmax", mistake)
            one, two = (measured.constants(*p) for p in (r.pair, r.other))
            measured.compare(one, two, tally)

        fails(constants, range(6))
    fails(lambda s: relation.certificates(related(s, "softmax", "sign"), tally), range(8))
