"""A layer that changes nothing, before or after the others.

Theorem. A layer whose heads have V = 0 and whose MLP has B = 0 leaves every vector as it is: y + 0 + 0.
So f with such a layer before or after its own is f, in either precision (equality), although another
forward pass runs (two layers). Constants of a pair of softmax models of different depth are those of
the shorter one padded by a layer of zeros (`measure`: "padded, which is exact"): equal to those of the
pair that is padded by hand. What `simulate` shortens for two layers, one layer must bear out:
|f(x) − f(z)| ≤ ε with f evaluated as one layer.
"""

from dataclasses import replace

import numpy as np

import verify
from tests.second_routes import exact_forward
from tests.second_routes.cases import both_kinds, dyadic, fails, pair, seeds, strings
from verify import Head, Layer
from verify.measure import depth_constants


def idle(rng, dimension, value=0.0):
    """A layer with random logits and neurons, none of which is heard."""
    head = Head(dyadic(rng, dimension, dimension), np.eye(dimension) * value, [0.0])
    return Layer((head,), dyadic(rng, 2, dimension), dyadic(rng, 2), np.zeros((dimension, 2)))


def padded(f, rng, before, value=0.0):
    layer = idle(rng, f.dimension, value)
    return replace(f, layers=(layer, *f.layers) if before else (*f.layers, layer))


def same_outputs(seed, attention, tally, value=0.0):
    rng = np.random.default_rng(seed)
    for f in pair(seed, attention):
        for before in (True, False):
            deep = padded(f, rng, before, value)
            for x in strings(rng, f.vocabulary_size, 2):
                assert np.allclose(deep(x), f(x), rtol=0, atol=1e-12), (seed, before, x)
                assert np.allclose(verify.reference(deep, x), f(x), rtol=0, atol=1e-12)
                tally["outputs"] += 2
            x = strings(rng, f.vocabulary_size, 1, most=5)[0]
            for one, two in zip(
                exact_forward.output(f, x), exact_forward.output(deep, x), strict=True
            ):
                difference = one - two
                zero = difference == 0 if not hasattr(difference, "mid") else difference.contains(0)
                assert zero, (seed, before, x)
                tally["exact outputs"] += 1


@both_kinds
def test_outputs(attention, tally):
    for seed in seeds(2):
        same_outputs(seed, attention, tally)


def by_hand(f):
    """The layer that `measure` pads with: no logits, no values, no MLP."""
    nothing = np.zeros((f.dimension, f.dimension))
    return replace(f, layers=(*f.layers, Layer((Head(nothing, nothing, [0.0]),))))


def measured_as_padded(seed, tally, pad=by_hand):
    rng = np.random.default_rng(seed)
    f, g = pair(seed, "softmax")
    deep = padded(f, rng, before=False)
    one = verify.measure(deep, g)
    two = depth_constants((deep, pad(g)))
    assert one.depth_constants == two, seed
    assert one.layers == 2
    both = verify.measure(deep, pad(g))
    for name in ("vocabulary_size", "period", "locality", "lipschitz"):
        assert getattr(one, name) == getattr(both, name), (seed, name)
        tally["constants"] += 1
    # Heads without a lag bias count as γ = 1 in the one and not in the other; no γ > 1 is read.
    assert min(one.positional_margin, 1) == min(both.positional_margin, 1), seed


def test_the_shorter_model_counts_as_padded(tally):
    for seed in seeds(2):
        measured_as_padded(seed, tally)


def borne_out(seed, tally, replaced=None):
    """`replaced`: what makes another input of z."""
    rng = np.random.default_rng(seed)
    f = pair(seed, "softmax", period=1, locality=seed % 2)[0]
    f = replace(f, unembedding=f.unembedding / 2.0 ** (2 + seed % 4))
    x = rng.integers(0, f.vocabulary_size, size=400)
    z = np.asarray(verify.simulate(x, padded(f, rng, before=True), epsilon=0.25).short)
    z = z if replaced is None else replaced(z)
    assert np.abs(f(x) - f(z)).max() <= 0.25 + 1e-12, seed
    tally["simulations"] += 1
    tally["shortened"] += len(z) < len(x)


def test_simulations_of_two_layers_are_borne_out_by_one(tally):
    for seed in seeds(4):
        borne_out(seed, tally)
    assert tally["shortened"]


def test_control_a_layer_that_is_heard_and_a_constant_that_is_off(tally):
    for attention in ("argmax", "softmax"):
        fails(lambda s, a=attention: same_outputs(s, a, tally, value=2.0**-20), range(2))
    fails(
        lambda s: measured_as_padded(s, tally, lambda f: padded(f, np.random.default_rng(0), True)),
        range(2),
    )
    fails(lambda s: borne_out(s, tally, lambda z: np.roll(z, 1) * 0), range(8))
