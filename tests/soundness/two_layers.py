"""Families of two-layer pairs: suffix-only and counting first layers, softmax with small norms."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from tests.helpers import softmax_models
from verify import Head, Layer, LimitTransformer, witnesses

from .case import Case, chance, pick
from .one_layer import random_chain, random_laws
from .two_layer_constants import two_layer_constants

Generator = np.random.Generator


def suffix_only(rng: Generator) -> Case:
    """Argmax; the lag biases of the first layer keep hardmax attention inside the suffix.

    Below 2^(p/γ) the same heads look further back: what is alike there need not stay so.
    """
    vocabulary_size, period = pick(rng, 1, 2, 2), pick(rng, 1, 1, 2)
    locality = pick(rng, 0, 1, 1, 2) if vocabulary_size == 1 else pick(rng, 0, 1)
    gap = pick(rng, 0.375, 0.5, 1.0, 2.0)
    value_scale = pick(rng, 0.0, 0.0625, 0.25, 1.0)
    d = 5

    def numbers(*size: int, density: float = 0.6) -> np.ndarray:
        return rng.integers(-2, 3, size=size) * (rng.random(size) < density) * 1.0

    def suffix_head() -> Head:
        bias = np.zeros(locality + 1)
        target = int(rng.integers(locality + 1))
        bias[target] = gap * int(rng.integers(1, 3))
        if locality and chance(rng, 0.5):  # another lag just below: soft for a long time
            others = [lag for lag in range(locality + 1) if lag != target]
            bias[pick(rng, *others)] = bias[target] - gap if bias[target] > gap else 0.0
        if target:  # at the start the lag does not exist: lag 0 must do
            bias[:target] = np.maximum(bias[:target], gap)
            bias[target] = max(bias[target], 2 * gap)
        return Head(np.zeros((d, d)), numbers(d, d), bias)

    def model(bits: int) -> LimitTransformer:
        heads = tuple(suffix_head() for _ in range(pick(rng, 1, 2)))
        m = pick(rng, 0, 2, 4)
        first = Layer(heads, numbers(m, d), rng.integers(-4, 5, size=m) / 2, numbers(d, m))
        second_heads = tuple(
            Head(
                numbers(d, d, density=0.15) * pick(rng, 0.0, 0.5),
                numbers(d, d) * value_scale,
                np.zeros(locality + 1),
            )
            for _ in range(pick(rng, 1, 1, 2))
        )
        m = pick(rng, 0, 2)
        second = Layer(second_heads, numbers(m, d), numbers(m), numbers(d, m) / 2)
        return LimitTransformer(
            numbers(vocabulary_size, d),
            numbers(period, d) if period > 1 else np.zeros((1, d)),
            (first, second),
            numbers(1, d, density=0.9),
            bits,
        )

    bits = pick(rng, 1, 1, 2, 4)
    f = model(bits)
    relation = pick(rng, "other", "precision", "readout", "sharper")
    if relation == "precision":
        g = replace(f, precision_bits=bits + pick(rng, 1, 3))
    elif relation == "readout":
        g = replace(f, unembedding=np.zeros_like(f.unembedding))
    elif relation == "sharper":  # the same hardmax, reached at another length
        first, second = f.layers
        heads = tuple(replace(h, lag_bias=h.lag_bias * 4) for h in first.heads)
        g = replace(f, layers=(replace(first, heads=heads), second))
    else:
        g = model(bits)
    longest = locality + 1 + period + locality
    constants: dict[str, Any] = two_layer_constants((f, g), longest)
    states = period * vocabulary_size ** (locality + 1)
    constants |= {"states": states, "path_states": states + locality}
    laws = random_laws(rng, vocabulary_size)
    facts = {"suffix_only_first_layer", "finite_state_first_layer"}
    return Case("suffix-only first layer", f, g, laws, frozenset(facts), constants)


def generic(rng: Generator) -> Case:
    """Argmax; equal first-layer logits of a query belong to one type, so to one value."""
    locality, unit, d = pick(rng, 0, 1), pick(rng, 0.5, 1.0, 2.0), 5
    value_scale = pick(rng, 0.0, 0.25, 1.0)

    def numbers(*size: int, density: float = 0.6) -> np.ndarray:
        return rng.integers(-2, 3, size=size) * (rng.random(size) < density) * 1.0

    def first_head() -> Head:
        query_key = np.zeros((d, d))
        query_key[1, 0] = unit * pick(rng, 1, -1)  # tokens 0 and 1 differ by one unit
        lags = unit * rng.integers(-2, 3, size=locality + 1)
        # Half a unit off: a lag never ties with another token.
        return Head(query_key, numbers(d, d), lags + np.where(lags, unit / 2, 0.0))

    def model(bits: int) -> LimitTransformer:
        embedding = numbers(2, d)
        embedding[:, 0], embedding[:, 1] = 1.0, [0.0, 1.0]
        m = pick(rng, 0, 2, 4)
        heads = tuple(first_head() for _ in range(pick(rng, 1, 2)))
        first = Layer(heads, numbers(m, d), rng.integers(-4, 5, size=m) / 2, numbers(d, m))
        keys = numbers(d, d, density=0.15) * pick(rng, 0.0, 0.5)
        second = Layer((Head(keys, numbers(d, d) * value_scale, np.zeros(1)),))
        readout = numbers(1, d, density=0.9)
        return LimitTransformer(embedding, np.zeros((1, d)), (first, second), readout, bits)

    bits = pick(rng, 1, 2)
    f = model(bits)
    g = model(bits)
    if chance(rng, 0.5):
        g = replace(f, precision_bits=bits + 2)
    elif chance(rng, 0.5):
        g = replace(f, unembedding=np.zeros_like(f.unembedding))
    constants: dict[str, Any] = two_layer_constants((f, g), 7)
    facts = frozenset({"generic_first_layer"})
    return Case("generic first layer", f, g, (), facts, constants)


def counters(rng: Generator) -> Case:
    """Argmax; the first layer counts up to a limit, as a finite automaton can."""
    return _length_counter(rng) if chance(rng, 0.6) else _token_counter(rng)


def _length_counter(rng: Generator) -> Case:
    """One token, Δ = 2: the share of odd positions, ½ + 1/(2i) at odd i, tells the length.

    The flag is 0 at every even position and at odd ones below the limit, and 1 at odd ones from
    there on. States: the positions below the limit, then two that alternate.
    """
    limit = 2 * int(rng.integers(1, 30)) + 1
    share = [0.5 + 1 / (2 * max(i, 1)) for i in (limit - 2, limit)]
    height = 1 / (share[0] - share[1])
    positions = np.zeros((2, _WIDTH))
    positions[1, 4] = 1.0
    reads = np.zeros(_WIDTH)
    reads[2], reads[4] = -height, 8 * height
    head = Head(np.zeros((_WIDTH, _WIDTH)), _entry(2, 4), np.zeros(1))
    embedding = np.zeros((1, _WIDTH))
    embedding[:, 0] = 1.0
    offset = height * share[0] - 8 * height
    states = {"states": 2, "path_states": limit + 1}
    return _counting_case(rng, embedding, positions, head, reads, offset, states, limit + 2)


def _token_counter(rng: Generator) -> Case:
    """Two tokens: the mean over all tokens 1 and the query 0 is c/(c + 1) after c tokens 1.

    The flag is 1 at a token 0 from c = limit on. States: c up to the limit, and the last token.
    """
    limit = int(rng.integers(1, 10))
    edge, before = limit / (limit + 1), (limit - 1) / limit
    height = 1 / (edge - before)
    embedding = np.zeros((2, _WIDTH))
    embedding[:, 0] = embedding[1, 1] = 1.0
    reads = np.zeros(_WIDTH)
    reads[2], reads[1] = height, -4 * height
    # A query 0 ties with the tokens 1 by its lag; a query 1 stands above all.
    head = Head(_entry(1, 0), _entry(2, 1), np.ones(1))
    states = {"states": 2, "path_states": 2 * limit + 1}
    positions = np.zeros((1, _WIDTH))
    offset = -height * before
    return _counting_case(rng, embedding, positions, head, reads, offset, states, limit + 2)


_WIDTH = 6
"""Coordinates: 1, own token, the mean that is read, the flag, odd position, second layer."""


def _entry(row: int, column: int) -> np.ndarray:
    matrix = np.zeros((_WIDTH, _WIDTH))
    matrix[row, column] = 1.0
    return matrix


def _counting_case(
    rng: Generator,
    embedding: np.ndarray,
    positions: np.ndarray,
    head: Head,
    reads: np.ndarray,
    offset: float,
    states: dict[str, int],
    longest: int,
) -> Case:
    """Return f = flag, or its mean, against a model with another readout; hardmax from length 2."""
    bits = pick(rng, 1, 2, 4)
    scaled = replace(head, query_key=head.query_key * bits, lag_bias=head.lag_bias * bits)
    forget = np.zeros(_WIDTH)
    forget[2] = 1.0  # the mean itself is no function of the state: taken out again
    mlp_out = np.zeros((_WIDTH, 3))
    mlp_out[3, :2], mlp_out[2, 2] = (1.0, -1.0), -1.0
    first = Layer((scaled,), np.array([reads, reads, forget]), [offset, offset - 1, 0], mlp_out)
    spread = pick(rng, 0.0, 0.0, 0.25, 1.0)
    second = Layer((Head(np.zeros((_WIDTH, _WIDTH)), _entry(5, 3) * spread, np.zeros(1)),))
    readout = np.zeros((1, _WIDTH))
    readout[0, 3], readout[0, 5] = pick(rng, 0.0, 1.0, 1.0), 1.0
    f = LimitTransformer(embedding, positions, (first, second), readout, bits)
    g = replace(f, unembedding=readout * pick(rng, 0.0, 0.5))
    constants = two_layer_constants((f, g), longest) | states
    facts = frozenset({"finite_state_first_layer"})
    return Case("counting first layer", f, g, (), facts, constants)


def grams(rng: Generator) -> Case:
    """Argmax; the pair behind `derived.lower_two_layer_argmax`."""
    target = Fraction(1, int(rng.integers(8, 40)))
    w = witnesses.gram_tents(vocabulary_size=2, locality=1, target=target)
    constants = two_layer_constants((w.f, w.g), 4)
    constants |= {"states": 4, "path_states": 5}
    facts = frozenset({"suffix_only_first_layer", "finite_state_first_layer"})
    laws = random_laws(rng, 2)
    return Case("gram tents", w.f, w.g, laws, facts, constants, watched=(w.first_long,))


def softmax_pair(rng: Generator) -> Case:
    """Softmax with small norms: sizes, regimes and periods at random, or a unary alphabet."""
    size, period = pick(rng, 1, 2, 2, 2), pick(rng, 1, 1, 2, 3)
    locality = pick(rng, 0, 1)
    scale = pick(rng, 0.0, 0.1, 0.3, 0.6)

    def model() -> LimitTransformer:
        regimes = [pick(rng, *softmax_models.BIASES) for _ in range(pick(rng, 1, 1, 2))]
        f = softmax_models.random_model(
            rng, layers=2, regimes=regimes, size=size, locality=locality, scale=0.5, period=period
        )
        first, second = f.layers
        first = replace(
            first, heads=tuple(replace(h, value=_dyadic(h.value * scale)) for h in first.heads)
        )
        loud = pick(rng, 0.0, 0.25, 1.0)
        second = replace(
            second, heads=tuple(replace(h, value=_dyadic(h.value * loud)) for h in second.heads)
        )
        return replace(f, layers=(first, second))

    f, g = model(), model()
    if chance(rng, 0.3):
        g = replace(f, unembedding=np.zeros_like(f.unembedding))
    elif chance(rng, 0.3):
        g = replace(f, positions=np.zeros((1, f.dimension)))
    laws = (*random_laws(rng, size), random_chain(rng, size))
    return Case("softmax, two layers", f, g, laws)


def softmax_late_bias(rng: Generator) -> Case:
    """The same with lag biases in the second layer, or a third layer: Theorem D alone covers it."""
    base = softmax_pair(rng)
    locality = pick(rng, 0, 1)

    def late(f: LimitTransformer) -> LimitTransformer:
        kinds = list(softmax_models.BIASES.values())

        def biased(head: Head) -> Head:
            bias = np.round(pick(rng, *kinds)(rng, locality + 1) * 64) / 64
            return replace(head, lag_bias=np.where(bias, bias, 0.5))

        first, second = f.layers
        second = replace(second, heads=tuple(map(biased, second.heads)))
        return replace(f, layers=(first, second))

    return Case("softmax, late lag bias", late(base.f), late(base.g))


def _dyadic(array: np.ndarray) -> np.ndarray:
    return np.round(array * 1024) / 1024
