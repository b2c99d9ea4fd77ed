"""The pair behind the necessary lengths of one softmax layer: ε on every short input, then more.

The models depend on an input through its counts and its last token alone, so all inputs of one
length are covered by all counts. Outputs are enclosed in intervals, from the weights as they are.
"""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import arb, ctx, fmpq

import bounds
import verify
from verify.errors import InputError
from verify.witnesses import last_token

pytestmark = [
    pytest.mark.covers("attack", "derived.lower_softmax_exact", "derived.lower_softmax_margin"),
    pytest.mark.covers("tightness", "derived.lower_softmax_exact", "derived.lower_softmax_margin"),
]

PAIRS = [
    (5, 1),
    (5, "1/2", "1/4"),
    (2, 1, "1/2", 2),
    (2, 1, "1/2", "1/2", 1, 3),
    (4, 1, 0, "1/2", "1/2"),
    (5, 1, "1/4", 1, "3/4"),
    (8, 1, 0, 0, "3/2"),
    (4, "3/4", "1/2", "3/2", 2, 3),
]
"""L, target, ε, R, γ, |Σ|."""


def enclosed(value):
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


class Enclosed:
    """A model of one layer and one head in intervals; an input is its counts and its last token."""

    def __init__(self, f):
        (layer,) = f.layers
        (head,) = layer.heads
        types = f.embedding + f.positions[0]
        fractions = np.vectorize(Fraction, otypes=[object])
        types, query_key, value = map(fractions, (types, head.query_key, head.value))
        self.logits = types @ query_key @ types.T
        self.types, self.values = types, types @ value.T
        self.bias = Fraction(float(head.lag_bias[0]))
        self.mlp = tuple(map(fractions, (layer.mlp_in, layer.mlp_bias, layer.mlp_out)))
        self.readout = fractions(f.unembedding)[0]

    def __call__(self, counts, last):
        """The output where `counts` (|Σ|,) tokens stand before the last one."""
        length = arb(sum(counts) + 1)
        own = length ** enclosed(self.bias)
        weights = [
            enclosed(logit).exp() * (count + (own if token == last else 0))
            for token, (logit, count) in enumerate(zip(self.logits[:, last], counts, strict=True))
        ]
        total = sum(weights)
        width = self.types.shape[1]
        state = [
            enclosed(self.types[last, k])
            + sum(w * enclosed(v) for w, v in zip(weights, self.values[:, k], strict=True)) / total
            for k in range(width)
        ]
        rows, biases, back = self.mlp
        for row, bias, out in zip(rows, biases, back.T, strict=True):
            hidden = enclosed(bias) + sum(
                enclosed(a) * u for a, u in zip(row, state, strict=True) if a
            )
            if not hidden <= 0:  # certainly 0 otherwise
                state = [
                    u + enclosed(o) * hidden.max(arb(0)) if o else u
                    for u, o in zip(state, out, strict=True)
                ]
        return sum(enclosed(u) * x for u, x in zip(self.readout, state, strict=True) if u)


def splits(total, parts):
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in splits(total - first, parts - 1):
            yield (first, *rest)


def errors(pair, length):
    """|f − g| on all inputs of a length, enclosed."""
    f, g = Enclosed(pair.f), Enclosed(pair.g)
    size = pair.f.vocabulary_size
    for counts, last in product(splits(length - 1, size), range(size)):
        yield abs(f(counts, last) - g(counts, last))


def before_b(pair, length):
    """|f − g| where tokens 0 stand before one b, enclosed."""
    counts = (length - 1, *[0] * (pair.f.vocabulary_size - 1))
    return abs(Enclosed(pair.f)(counts, 1) - Enclosed(pair.g)(counts, 1))


@pytest.mark.parametrize("given", PAIRS, ids=str)
def test_within_epsilon_up_to_n_then_more_and_then_more_than_the_target(given):
    with ctx.workprec(200):
        pair = last_token(*given)
        epsilon, target = (enclosed(pair.parameters[k]) for k in ("epsilon", "target"))
        lengths = range(1, pair.agree_up_to + 1)
        chosen = lengths if len(lengths) <= 20 else [*lengths[:9], *lengths[-3:]]
        for length in chosen:
            assert all(error <= epsilon for error in errors(pair, length)), length
        assert before_b(pair, pair.agree_up_to + 1) > epsilon
        for length in (pair.first_long, 3 * pair.first_long + 1, 2**300):
            assert before_b(pair, length) >= enclosed(pair.gap), length
        assert enclosed(pair.gap) > target


@pytest.mark.parametrize("given", PAIRS, ids=str)
def test_the_value_of_the_registry_is_the_next_length_or_one_before_it(given):
    """For γ = 1 every length below the value is insufficient, and the value is not shown to be."""
    pair = last_token(*given)
    value = bounds.required_length(theorem=pair.key, **pair.parameters).length
    if pair.key == "derived.lower_softmax_exact":
        assert pair.agree_up_to == value - 1
    else:  # a closed form: 1/γ − 1 below the solution of (N − 1)N^(γ−1) = K, at most
        gamma = pair.parameters["positional_margin"]
        assert value - 1 <= pair.agree_up_to <= value - 1 + max(1, 1 / gamma)


@pytest.mark.parametrize("given", PAIRS, ids=str)
def test_constants_are_as_stated(given):
    pair = last_token(*given)
    found = verify.measure(pair.f, pair.g).parameters()
    for keyword in (
        *("lipschitz", "logit_range", "logit_range_columns", "positional_margin"),
        *("vocabulary_size", "period", "locality"),
    ):
        assert found[keyword] == pair.parameters[keyword]
    without = pair.parameters["positional_margin"] == 1
    assert ("no_lag_bias" in verify.measure(pair.f, pair.g).assume) == without


def test_an_input_of_the_stated_length_shows_the_gap():
    pair = last_token(5, "1/2", "1/4")
    for length in (pair.first_long, 10**5):
        x = pair.long_input(length)
        assert len(x) == length
        assert abs(pair.f(x)[0] - pair.g(x)[0]) >= pair.gap
    x = pair.long_input(300)
    for model in (pair.f, pair.g):
        assert model(x)[0] == pytest.approx(verify.reference(model, x)[0], abs=1e-12)


def test_all_strings():
    pair = last_token(3, 1, "1/2", 1)
    for length in range(1, 9):
        assert length <= pair.agree_up_to
        for x in product((0, 1), repeat=length):
            f, g = (verify.reference(model, np.array(x))[0] for model in (pair.f, pair.g))
            assert abs(f - g) == float(pair.epsilon)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ((5, 1, 1), "target"),
        ((1, 2), "target"),
        ((1, 1, 0, "1/3"), "logit_range"),
        ((5, 1, 0, 0, "1/3"), "margin"),
        ((5, 1, 0, 0, 0), "margin"),
        ((5, 1, 0, 0, 1, 1), "vocabulary_size"),
        ((1, 2 - Fraction(1, 10**30)), "target"),
    ],
)
def test_bad_input(given, name):
    with pytest.raises(InputError) as caught:
        last_token(*given)
    assert caught.value.name == name
