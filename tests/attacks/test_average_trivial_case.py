"""Two argmax layers, average error, where the simulation error is at least Λ: which N is enough?

Claim: first layer inside the last τ + 1 positions, lengths n ≡ T modulo Δ, n ≤ T, both at least
max(h₀, τ + 1), z the last n symbols of x. Then |f(x) − f(z)| ≤ Λ = ℓ·diam(values of hard states),
so N = max(Δ + τ, ⌈h₀⌉ + Δ − 1) suffices for s ≥ Λ. Below h₀ it fails: the query of the second
layer is an output of the first, which is soft there.

Own evaluation of the definition; first-layer logits are multiples of γ, so that h₀ = 2^(p/γ).
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer

pytestmark = pytest.mark.covers(
    "attack", "derived.average_two_layer_argmax", "derived.average_two_layer_argmax_fixed"
)


class Model:
    """Random two-layer model, suffix-only first layer, f = cap·y_T + slope·(output of layer 2)."""

    def __init__(self, rng, tokens, period, locality, bits, inverse_margin):
        self.period, self.locality, self.bits = period, locality, bits
        self.inverse_margin = inverse_margin  # γ = 1/inverse_margin
        self.embedding = rng.normal(size=(tokens, period, 3))
        self.content = rng.integers(0, 3, size=(2, tokens, period, tokens, period))
        self.bias = 10 + rng.integers(0, 3, size=(2, locality + 1))  # 10γ above every other lag
        self.hidden = rng.normal(size=(8, 9))
        self.mix = rng.normal(size=(3, 8))
        self.read = rng.normal(size=3)
        self.query = rng.normal(size=3) * 20
        self.second = rng.normal(size=(3, 3))
        self.slope = rng.uniform(0, 2)

    def threshold(self):
        """⌈2^(p/γ)⌉."""
        return 2 ** (self.bits * self.inverse_margin)

    def first(self, x, total):
        """Outputs of layer 1 at total length `total` (None: hard)."""
        x = np.asarray(x)
        where = np.arange(1, len(x) + 1) % self.period
        own = self.embedding[x, where]
        outputs = []
        for i in range(len(x)):
            heads = []
            for content, bias in zip(self.content, self.bias, strict=True):
                logits = content[x[: i + 1], where[: i + 1], x[i], where[i]].copy()
                for lag in range(min(i, self.locality) + 1):
                    logits[i - lag] += bias[lag]
                gaps = logits.max() - logits
                if total is None:
                    weights = (gaps == 0).astype(float)
                else:  # T^(−kγ) ≤ 2^−p exactly where T^k ≥ 2^(p/γ)
                    kept = [total ** int(k) < self.threshold() for k in gaps]
                    weights = np.where(kept, float(total) ** (-gaps / self.inverse_margin), 0)
                    weights[gaps == 0] = 1
                heads.append(weights / weights.sum() @ own[: i + 1])
            stream = np.concatenate([own[i], *heads])
            outputs.append(own[i] + self.mix @ np.maximum(self.hidden @ stream, 0))
        return np.array(outputs)

    def __call__(self, x):
        y = self.first(x, len(x))
        logits = y @ self.second @ y[-1] * np.log(len(x))
        weights = np.exp(logits - logits.max())
        weights[weights <= 2.0**-self.bits] = 0
        return self.query @ y[-1] + self.slope * (weights / weights.sum() @ (y @ self.read))

    def constant(self, tokens):
        """Λ: slope times the diameter of the values of all states, start-up states included."""
        read = []
        for length in range(1, self.locality + self.period + 2):
            for word in itertools.product(range(tokens), repeat=length):
                read.append(self.first(word, None)[-1] @ self.read)
        return self.slope * (max(read) - min(read))


def worst_ratio(model, rng, tokens, longest):
    """Largest |f(x) − f(z)|/Λ over random x, for z of each length that stands for x."""
    constant, ratio = model.constant(tokens), 0.0
    for extra in range(1, 4 * model.period + 1):
        total = longest + extra
        short = longest - (longest - total) % model.period
        for _ in range(3):
            x = rng.integers(0, tokens, size=total)
            ratio = max(ratio, abs(model(x) - model(x[-short:])) / constant)
    return ratio


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tokens", "period", "locality", "bits", "inverse_margin"),
    [(2, 1, 1, 1, 3), (2, 2, 1, 1, 4), (3, 3, 0, 2, 2), (2, 1, 2, 1, 2), (2, 3, 1, 1, 1)],
)
def test_from_the_threshold_on_the_query_is_the_same(
    tokens, period, locality, bits, inverse_margin
):
    rng = np.random.default_rng(locality + 10 * period)
    soft = 0
    for _ in range(8):
        model = Model(rng, tokens, period, locality, bits, inverse_margin)
        longest = max(period + locality, model.threshold() + period - 1)
        assert worst_ratio(model, rng, tokens, longest) <= 1 + 1e-9
        soft += worst_ratio(model, rng, tokens, period + locality) > 1
    # Δ + τ alone is not enough where it lies below the threshold and a query can be soft.
    assert soft > 0 or period + locality >= model.threshold() or locality == 0


def own_and_previous(margin, bits=1):
    """40 after 01 once the head of biases (2, 2 − γ) drops the previous position, else 0."""
    # Coordinates: tokens 0 and 1, share of 1 under head A, previous token 0, result, one.
    embedding = np.array([[1.0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 1]])
    empty = np.zeros((6, 6))
    share, previous = empty.copy(), empty.copy()
    share[2, 1] = previous[3, 0] = 1
    first = Layer(
        heads=(
            Head(empty, share, np.array([2.0, 2 - float(margin)])),
            Head(empty, previous, np.array([0.0, 2.0])),
        ),
        mlp_in=np.array([[0, 1.0, 1, 1, 0, 0]]),
        mlp_bias=np.array([-2.9]),
        mlp_out=400 * np.eye(6)[:, [4]],
    )
    second = Layer(heads=(Head(empty, empty, np.zeros(1)),))
    return LimitTransformer(embedding, np.zeros((1, 6)), (first, second), np.eye(6)[[4]], bits)


@pytest.mark.slow
def test_the_pair_that_needs_the_threshold():
    """Λ = 0, γ = 1/3, h₀ = 8: f = 0 on every input shorter than 8, E f = 10 from 8 on."""
    f = own_and_previous(Fraction(1, 3))
    for length in range(1, 8):
        for x in itertools.product((0, 1), repeat=length):
            assert f(np.array(x))[0] == 0
    # At 8 itself the weight is exactly 2^−p, up to rounding of floats.
    mean = np.mean([f(np.array(x))[0] for x in itertools.product((0, 1), repeat=9)])
    assert mean == pytest.approx(10, abs=1e-9)
