"""Families of one-layer pairs: random weights of every form, readers of shares, known witnesses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from verify import DirichletLaw, FixedLaw, Head, Layer, LimitTransformer, MarkovLaw, witnesses
from verify.average.laws import Law
from verify.witnesses.witness import Neuron, build

from .case import Case, chance, pick, same_law

Generator = np.random.Generator


def random_laws(rng: Generator, vocabulary_size: int) -> tuple[Law, ...]:
    """Return one fixed law and one prior; probabilities may be 0, or small."""
    if vocabulary_size == 1:
        return (FixedLaw([1]), DirichletLaw([pick(rng, "1/2", 1, 3)]))
    parts = rng.integers(0 if chance(rng, 0.2) else 1, pick(rng, 6, 60), size=vocabulary_size)
    parts[rng.integers(vocabulary_size)] += 1
    fixed = FixedLaw([Fraction(int(n), int(parts.sum())) for n in parts])
    alpha = [pick(rng, "1/4", "1/2", 1, 2, 5) for _ in range(vocabulary_size)]
    return (pick(rng, fixed, same_law(vocabulary_size)), DirichletLaw(alpha))


def random_chain(rng: Generator, vocabulary_size: int) -> MarkovLaw:
    """Return a reversible chain of two tokens, or the independent one."""
    if vocabulary_size != 2:
        third = [f"1/{vocabulary_size}"] * vocabulary_size
        return MarkovLaw([third] * vocabulary_size, third)
    up, down = (Fraction(int(rng.integers(1, 8)), 8) for _ in range(2))
    return MarkovLaw([[1 - up, up], [down, 1 - down]], [down / (up + down), up / (up + down)])


def random_pair(rng: Generator, attention: str) -> Case:
    """f and g with random dyadic weights; g stands in one of many relations to f."""
    vocabulary_size = pick(rng, 1, 2, 2, 2, 3)
    shape = _Shape(rng, vocabulary_size, attention)
    f = shape.model()
    g = _related(rng, f, shape)
    laws = random_laws(rng, vocabulary_size)
    if chance(rng, 0.25):
        laws = (*laws, random_chain(rng, vocabulary_size))
    return Case(f"random, {attention}", f, g, laws, watched=thresholds(f, g))


def share_readers(rng: Generator, attention: str) -> Case:
    """f and g sum up bumps of the attention's shares: nothing is seen where no share meets one."""
    vocabulary_size, period = pick(rng, 2, 2, 2, 3), pick(rng, 1, 1, 2)
    if period > 1:
        vocabulary_size = pick(rng, 1, 2)
    gamma = pick(rng, 0.25, 0.5, 1, 2)
    tokens = {t: gamma * int(rng.integers(0, 3)) for t in range(vocabulary_size)}
    residues = {r: gamma * int(rng.integers(0, 2)) for r in range(period)} if period > 1 else None
    lag = (0.0,) if chance(rng, 0.5) else (float(gamma * rng.integers(-2, 3)),)
    bits = int(rng.integers(1, 5))

    def model(precision_bits: int) -> LimitTransformer:
        neurons: list[Neuron] = []
        for _ in range(int(rng.integers(1, 3))):
            kind, index = pick(rng, *[("token", t) for t in range(vocabulary_size)])
            if period > 1 and chance(rng, 0.5):
                kind, index = "residue", int(rng.integers(period))
            start, width = float(rng.integers(0, 16)) / 16, pick(rng, 1 / 32, 1 / 16, 1 / 4)
            height = pick(rng, 1.0, 2.0, -1.0)
            shares = {f"{kind}_shares": {index: 1.0}}
            outs = pick(rng, (1, -2, 1), (1, -1, 0), (1, 0, 0))
            neurons += [
                Neuron(height * out, -(start + place * width), **shares)
                for place, out in enumerate(outs)
                if out
            ]
        return build(
            vocabulary_size=vocabulary_size,
            period=period,
            precision_bits=precision_bits,
            neurons=neurons,
            constant=pick(rng, 0.0, 0.0, 0.25),
            token_logits=tokens,
            residue_logits=residues,
            lag_bias=lag,
        )

    f = model(bits)
    if chance(rng, 0.3):  # the same model in another precision
        g = replace(f, precision_bits=bits + int(rng.integers(1, 8)))
    elif chance(rng, 0.5):
        g = replace(f, unembedding=np.zeros_like(f.unembedding))
    else:
        g = model(bits)
    if attention == "softmax":
        f, g = replace(f, precision_bits=None), replace(g, precision_bits=None)
    laws = random_laws(rng, vocabulary_size)
    return Case(f"share readers, {attention}", f, g, laws, watched=thresholds(f, g))


def by_residue(rng: Generator) -> Case:
    """Softmax with period 2 or 3: residues differ in logit more than tokens, and f = −g.

    f is the excess of a level over the attention on token 1, if the input ends in it: 0 while no
    short input has so little (the pairs behind the necessary lengths, with positions). Or it is
    the excess over a level of the attention on a residue's token 0.
    """
    vocabulary_size, period = pick(rng, 2, 2, 3), pick(rng, 2, 2, 3)
    residues = {r: float(rng.integers(0, 2)) for r in range(period)}
    lag = pick(rng, (0.0,), (0.0,), (0.0,), (0.5,), (0.0, 0.5), (1.0,), (2.0,))
    level = float(rng.integers(2, 13)) / 32
    rare = chance(rng, 0.7)
    query = dict.fromkeys((t for t in range(vocabulary_size) if t != 1), -1.0) if rare else {}
    neuron = Neuron(1.0, level if rare else level - 1, {1: -1.0 if rare else 1.0}, {}, query)
    f = build(
        vocabulary_size=vocabulary_size,
        period=period,
        precision_bits=None,
        neurons=[neuron],
        token_logits={1: pick(rng, 0.0, 0.5, 1.0, 2.0)},
        residue_logits=residues,
        lag_bias=lag,
    )
    return Case("by residue, softmax", f, replace(f, unembedding=-f.unembedding))


def on_a_line(rng: Generator, attention: str) -> Case:
    """f and g read one mean linearly, so that L = Λ is small: attention alone tells them apart."""
    vocabulary_size, period = pick(rng, 1, 2, 2, 3), pick(rng, 1, 1, 2)
    unit, bits = pick(rng, 0.25, 0.5, 1.0), int(rng.integers(1, 5))
    # Coordinates: 1, value, logit, mean.
    embedding, positions = np.zeros((vocabulary_size, 4)), np.zeros((period, 4))
    embedding[:, 0] = 1.0
    embedding[:, 1] = rng.integers(-2, 3, size=vocabulary_size) / 2
    embedding[:, 2] = rng.integers(0, 3, size=vocabulary_size)
    if period > 1:
        positions[:, 1:3] = rng.integers(-1, 2, size=(period, 2))
    query_key, value = np.zeros((4, 4)), np.zeros((4, 4))
    query_key[2, 0] = unit if attention == "argmax" else pick(rng, 0.0, unit / 2)
    value[3, 1] = 1.0
    readout = np.array([[0.0, pick(rng, 0.0, 0.0, 1.0), 0.0, 1.0]])

    def bias() -> np.ndarray:
        lags = pick(rng, 1, 1, 2)
        if attention == "softmax":
            return rng.integers(-4, 9, size=lags) / 4
        return unit * rng.integers(-2, 3, size=lags) * float(chance(rng, 0.5))

    def model(lag_bias: np.ndarray, precision_bits: int) -> LimitTransformer:
        layer = Layer((Head(query_key, value, lag_bias),))
        p = precision_bits if attention == "argmax" else None
        return LimitTransformer(embedding, positions, (layer,), readout, p)

    f = model(bias(), bits)
    if attention == "argmax" and chance(rng, 0.6):
        g = replace(f, precision_bits=bits + int(rng.integers(1, 10)))
    elif chance(rng, 0.2):
        g = replace(f, unembedding=np.zeros_like(readout))
    else:
        g = model(bias(), bits)
    laws = random_laws(rng, vocabulary_size)
    return Case(f"on a line, {attention}", f, g, laws, watched=thresholds(f, g))


def known_pairs(rng: Generator) -> Case:
    """The pairs behind the necessary lengths, at sizes that can be gone through."""
    kind = pick(rng, "presence", "tents", "nested", "residues", "one residue", "window", "limit")
    bits = int(rng.integers(2, 6))
    if kind == "presence":
        w = witnesses.presence(int(rng.integers(4, 40)), precision_bits=bits)
    elif kind == "tents":
        period = pick(rng, 1, 2)
        w = witnesses.tents(int(rng.integers(11, 30)) * 4, 10, 2, period, bits)
    elif kind == "nested":
        size = pick(rng, 3, 3, 4)
        target = Fraction(int(rng.integers(11, 30)), 10)
        w = witnesses.nested_classes(int(rng.integers(5, 9)), 1, target, size, 1, bits)
    elif kind == "residues":
        w = witnesses.threshold_residues(pick(rng, 2, 3), bits, pick(rng, "1/2", "1"), 1)
    elif kind == "one residue":
        w = witnesses.threshold_one_residue(12, 1, 3, bits, "1/2")
    elif kind == "window":
        w = witnesses.threshold_window(bits, "1/4")
    else:
        w = witnesses.limit_residues(int(rng.integers(3, 9)), 1, 2, 12, "1/2")
    f, g = (w.f, w.g) if chance(rng, 0.5) else (w.g, w.f)
    watched = (*thresholds(f, g), w.first_long)
    return Case(f"witness {kind}", f, g, watched=watched)


def known_average_pairs(rng: Generator) -> Case:
    """The pairs behind the necessary lengths for the average error."""
    kind = pick(rng, "ring", "fair coin", "window", "rare token")
    if kind == "ring":
        w = witnesses.ring(2 * int(rng.integers(4, 60)))
    elif kind == "fair coin":
        w = witnesses.fair_coin(int(rng.integers(4, 200)))
    elif kind == "window":
        w = witnesses.window(int(rng.integers(2, 60)), pick(rng, 0.25, 0.375))
    else:
        w = witnesses.rare_token(int(rng.integers(10, 60)), pick(rng, "1/2", 1), 1)
    laws = (w.law, *random_laws(rng, 2))
    return Case(f"witness {kind}", w.f, w.g, laws, watched=thresholds(w.f, w.g))


def thresholds(*models: LimitTransformer) -> tuple[int, ...]:
    """Lengths around 2^(p/γ) for gaps γ that the weights suggest, at most 2^50."""
    found: set[int] = set()
    for f in models:
        if f.precision_bits is None:
            continue
        keys = (f.embedding[:, None] + f.positions[None]).reshape(-1, f.dimension)
        for head in f.layers[0].heads:
            levels = (keys @ head.query_key @ keys.T).T
            levels = np.concatenate([levels[:, :, None] + b for b in {0.0, *head.lag_bias}], axis=1)
            for row in levels[:, :, 0]:
                gaps = np.diff(np.unique(row))
                for gap in gaps[gaps > 0]:
                    power = f.precision_bits / gap
                    if power <= 50:
                        first = int(np.ceil(2.0**power))
                        found |= {first - 1, first, first + 1}
    return tuple(sorted(t for t in found if t > 0))[:24]


class _Shape:
    """Random sizes and scales, and random models of them."""

    def __init__(self, rng: Generator, vocabulary_size: int, attention: str) -> None:
        self.rng, self.vocabulary_size, self.attention = rng, vocabulary_size, attention
        self.dimension = 4
        self.period = pick(rng, 1, 1, 2, 2, 3) if vocabulary_size < 3 else pick(rng, 1, 1, 2)
        self.locality = pick(rng, 0, 0, 1, 2)
        self.heads = pick(rng, 1, 1, 1, 2, 3)
        self.bits = int(rng.integers(1, 7))
        self.unit = pick(rng, 0.125, 0.25, 0.5, 1.0, 2.0)
        self.value_scale = pick(rng, 0.0, 0.0, 1 / 64, 1 / 16, 0.25, 1.0, 1.0, 2.0)
        self.position_scale = pick(rng, 0.0, 0.125, 1.0, 1.0)
        self.token_scale = pick(rng, 0.0, 0.5, 0.5, 1.0)
        self.bias_kind = pick(rng, "none", "none", "positive", "negative", "both")
        self.hidden = pick(rng, 0, 0, 2, 4)
        self.on_a_line = self.heads == 1 and chance(rng, 0.3)

    def numbers(self, *size: int, density: float = 0.6) -> np.ndarray:
        """Return small integers, many of them 0, so that ties are common."""
        return self.rng.integers(-2, 3, size=size) * (self.rng.random(size) < density) * 1.0

    def head(self) -> Head:
        d = self.dimension
        if self.on_a_line:
            value = np.zeros((d, d))
            value[1] = self.numbers(d)
        else:
            value = self.numbers(d, d)
        return Head(self.logits(), value * self.value_scale, self.bias())

    def logits(self) -> np.ndarray:
        scale = self.unit if self.attention == "argmax" else self.unit / 4
        return self.numbers(self.dimension, self.dimension, density=0.25) * scale

    def bias(self) -> np.ndarray:
        lags = self.locality + 1
        if self.bias_kind == "none":
            return np.zeros(lags)  # the locality declared is then more than that of the weights
        bias = self.rng.integers(-2, 3, size=lags) * self.unit
        if self.attention == "softmax":
            bias = self.rng.integers(-4, 8, size=lags) / 4
        if self.bias_kind == "both":
            return bias
        return np.abs(bias) if self.bias_kind == "positive" else -np.abs(bias)

    def layer(self) -> Layer:
        d, m = self.dimension, self.hidden
        return Layer(
            tuple(self.head() for _ in range(self.heads)),
            self.numbers(m, d),
            self.rng.integers(-4, 5, size=m) / 4,
            self.numbers(d, m) / 2,
        )

    def model(self) -> LimitTransformer:
        d = self.dimension
        embedding = self.numbers(self.vocabulary_size, d) * self.token_scale
        if chance(self.rng, 0.7):
            embedding[:, 0] = 1.0
        bits = self.bits if self.attention == "argmax" else None
        return LimitTransformer(
            embedding,
            self.numbers(self.period, d) * self.position_scale,
            (self.layer(),),
            self.numbers(int(self.rng.integers(1, 3)), d, density=0.9),
            bits,
        )


def _related(rng: Generator, f: LimitTransformer, shape: _Shape) -> LimitTransformer:
    """Return a model that agrees with f in some respects and not in others."""
    (layer,) = f.layers
    relations = ["other", "other", "readout", "values", "precision", "logits", "near tie", "zero"]
    if f.period > 1:
        relations += ["positions", "later positions", "later positions"]
    relation = pick(rng, *relations)
    if relation == "later positions":  # alike at length 1
        rows = np.zeros_like(f.positions)
        rows[1] = f.positions[1]
        return replace(f, positions=rows)
    if relation == "precision":
        if f.precision_bits is not None:
            return replace(f, precision_bits=int(rng.integers(1, 16)))
        relation = "logits"
    if relation == "readout":
        return replace(f, unembedding=f.unembedding * pick(rng, 0.5, 0.875, 2.0))
    if relation == "zero":
        return replace(f, unembedding=np.zeros_like(f.unembedding))
    if relation == "positions":
        return replace(f, positions=f.positions * pick(rng, 0.0, 0.5))
    if relation in ("values", "logits", "near tie"):
        head = layer.heads[0]
        if relation == "values":
            head = replace(head, value=shape.head().value)
        elif relation == "logits":
            head = replace(head, query_key=shape.logits(), lag_bias=shape.bias())
        else:
            moved = head.query_key + shape.numbers(*head.query_key.shape, density=0.2) * 2.0**-6
            head = replace(head, query_key=moved)
        heads = (head, *layer.heads[1:])
        return replace(f, layers=(replace(layer, heads=heads),))
    outputs = f.output_dimension
    shape.period, shape.locality = pick(rng, f.period, 1), pick(rng, 0, f.locality)
    if not shape.on_a_line:
        shape.heads = pick(rng, 1, 2)
    other = shape.model()
    readout = np.resize(other.unembedding, (outputs, f.dimension))
    return replace(other, unembedding=readout)
