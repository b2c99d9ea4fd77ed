"""Two softmax layers: from the weights to N and its pieces, and what z of that length really does.

Exact agreement of two softmax models on all short inputs is rare, so that a refuted length would
be, too. What the length rests on is tested instead: with the pieces that `bounds` found for
`measure(f, g).parameters()` every long x has a z, |z| ≤ N, on which both models change by at most
s = ε. The models are such that their constants leave little room: false ones are noticed.
"""

import numpy as np
import pytest

import bounds
import verify
from bounds.registry.sufficient.schedules import LEVELS, REPEATS, THETA
from tests.attacks.test_two_layer_softmax import copier, hostile
from verify import Head, Layer, LimitTransformer
from verify.simulation.softmax.balanced import simulate_balanced

from .two_layers import softmax_pair

KEY = "derived.two_layer_softmax_balanced"
SHORTEST, LONGEST = 60, 800
pytestmark = [
    pytest.mark.slow,
    pytest.mark.covers("soundness", "derived.two_layer_softmax_balanced"),
]


def counter(size):
    """Layer 1 averages all tokens, layer 2 averages these averages: τ = 0, γ = 1, β = L_v = 1."""
    d = 2 * size
    copy = np.zeros((d, d))
    copy[size:, :size] = np.eye(size) / np.sqrt(2)
    second = np.zeros((d, d))
    second[0, size] = np.sqrt(2)
    layers = (
        Layer((Head(np.zeros((d, d)), copy, np.zeros(1)),)),
        Layer((Head(np.zeros((d, d)), second, np.zeros(1)),)),
    )
    return LimitTransformer(np.eye(size, d), np.zeros((1, d)), layers, np.eye(1, d), None)


def attending(lag, slope):
    """As `copier`, with logits in the second layer: a copied token 0 weighs e^slope."""
    f = copier(2, lag)
    first, second = f.layers
    (head,) = second.heads
    keys = np.zeros_like(head.query_key)
    keys[2, :2] = slope
    return LimitTransformer(
        f.embedding,
        f.positions,
        (first, Layer((Head(keys, head.value, head.lag_bias),))),
        f.unembedding,
        None,
    )


PAIRS = {
    "copies": lambda: (copier(2, 1), copier(2, 1)),
    "copies from afar": lambda: (copier(3, 3), copier(3, 2)),
    "means of means": lambda: (counter(2), counter(2)),
    "copies that are looked for": lambda: (attending(1, 0.5), attending(2, -0.5)),
}


def lengths_and_pieces(given):
    """N and (θ, q, J) for ε = 1, 1/2, 1/4, … while N is moderate."""
    for halvings in range(12):
        epsilon = 2.0**-halvings
        bound = bounds.required_length(error="linf", epsilon=epsilon, **given)
        assert bound.theorem.key == KEY
        assert all(other.length >= bound.length for other in bound.alternatives)
        if bound.length > LONGEST:
            return
        if not bound.choice[LEVELS].is_Symbol and bound.length >= SHORTEST:
            yield epsilon, bound.length, [int(bound.choice[k]) for k in (THETA, REPEATS, LEVELS)]


def shares(f, g, given, *, seed=0, most=1):
    """error/ε of z for hostile inputs, at moderate N."""
    rng = np.random.default_rng(seed)
    for epsilon, length, (theta, repeats, levels) in list(lengths_and_pieces(given))[:most]:
        total = 12 * length + int(rng.integers(7))
        inputs = hostile(rng, total, f.vocabulary_size, 1, repeats * levels)
        for name in ("runs", "half of each block", "every other block", "by chance"):
            x = inputs[name]
            grown = {"theta": theta, "repeats": repeats, "levels": levels}
            z = simulate_balanced(x, f, g, length=length, **grown).short
            assert len(z) <= length
            yield max(np.abs(model(x) - model(z)).max() for model in (f, g)) / epsilon


@pytest.mark.parametrize("name", PAIRS)
def test_z_of_the_length_that_weights_give(name):
    f, g = PAIRS[name]()
    found = list(shares(f, g, verify.measure(f, g).parameters()))
    assert len(found) == 4
    assert 0.002 < max(found) <= 1


def test_random_pairs():
    found = []
    for seed in range(4):
        case = softmax_pair(np.random.default_rng([5, seed]))
        if case.f.period == case.g.period == 1:
            given = verify.measure(case.f, case.g).parameters()
            found += shares(case.f, case.g, given, seed=seed)
    assert len(found) >= 4
    assert 0 < max(found) <= 1


@pytest.mark.parametrize("names", [("limit_query", "limit_keys", "influence_keys")])
def test_false_constants_are_noticed(names):
    f, g = PAIRS["copies from afar"]()
    given = verify.measure(f, g).parameters()
    # The closed forms would be the shorter ones for constants that are not spoilt.
    given = {k: v for k, v in given.items() if not k.startswith("complexity")}
    assert max(shares(f, g, given)) <= 1
    spoilt = given | {name: given[name] / 100 for name in names}
    assert max(shares(f, g, spoilt)) > 1
