"""Models of a size at which exact arithmetic is too slow: bounds in floats, and refusals."""

import time
from fractions import Fraction

import numpy as np
import pytest

from verify import Head, InputError, Layer, LimitTransformer, measure
from verify.measure import enclosure, floats, lipschitz, norms, two_layer
from verify.measure.dyadic import Dyadic
from verify.measure.lipschitz import Response, diameter_up


def random_model(rng, tokens, period=1, width=8, heads=1, hidden=8, layers=1, bits=8, scale=0.3):
    def draw(*shape):
        return scale * rng.normal(size=shape)

    def layer(biases):
        made = tuple(Head(draw(width, width), draw(width, width), biases) for _ in range(heads))
        return Layer(made, draw(hidden, width), draw(hidden), draw(width, hidden))

    stack = tuple(layer([0.5, 0.25] if k == 0 else [0.0]) for k in range(layers))
    positions = draw(period, width) if period > 1 else np.zeros((1, width))
    return LimitTransformer(draw(tokens, width), positions, stack, draw(2, width), bits)


def points(rng, kind, n=12, d=3):
    x = rng.normal(size=(n, d))
    if kind == "columns of very different size":
        x = x * 10.0 ** rng.integers(-150, 150, d)
    if kind == "far from the origin":
        x = x + 1e9
    if kind == "integers with ties":
        x = rng.integers(-2, 3, (n, d)).astype(float)
    if kind == "one point":
        x = np.broadcast_to(x[:1], (n, d))
    return Dyadic.of(x)


KINDS = [
    "plain",
    "columns of very different size",
    "far from the origin",
    "integers with ties",
    "one point",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_diameter_in_floats_is_just_above_the_exact_one(kind, seed):
    x = points(np.random.default_rng(seed), kind)
    exact = diameter_up(x)
    found = floats.diameter(x)
    assert exact * (1 - Fraction(1, 2**60)) <= found <= exact * (1 + Fraction(1, 10**10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("hidden", [0, 1, 7])
def test_response_in_floats_is_just_above_the_exact_one(kind, seed, hidden):
    rng = np.random.default_rng(seed)
    x = points(rng, kind)
    sizes = 10.0 ** rng.integers(-30, 30, (hidden, 1))
    response = Response(
        Dyadic.of(rng.normal(size=(2, 3))),
        Dyadic.of(rng.normal(size=(hidden, 3)) * sizes),
        Dyadic.of(rng.normal(size=(3, hidden)) / sizes.T),
    )
    exact = response.largest(x)
    direct, moved = x @ response.unembedding.T, x @ response.mlp_in.T
    found = floats.largest_response(direct, moved, response.gains)
    assert exact <= found <= exact * (1 + Fraction(1, 10**10))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (30, 30), (40, 26), (26, 40)])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_operator_norm_in_floats_is_just_above_the_true_one(shape, scale):
    rng = np.random.default_rng(sum(shape))
    matrices = [rng.normal(size=shape), np.ones(shape), np.eye(*shape), np.zeros(shape)]
    for plain in matrices:
        found = floats.operator_norm(Dyadic.of(plain * scale))
        below = Fraction(float(np.linalg.norm(plain, 2))) * Fraction(scale)
        assert below * (1 - Fraction(1, 10**13)) <= found <= below * (1 + Fraction(1, 10**10))
        assert found <= norms.operator_norm_up(Dyadic.of(plain * scale)) * (1 + Fraction(1, 10**7))


def test_operator_norm_is_above_powers_rounded_up():
    """Both are upper bounds of one number; powers are off by less than 10^−8 only."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        matrix = Dyadic.of(rng.normal(size=(9, 6)))
        assert floats.operator_norm(matrix) * (1 + Fraction(1, 10**8)) >= norms._power_bound(matrix)


@pytest.mark.parametrize("layers", [1, 2])
def test_float_path_of_a_whole_model_is_never_below_the_exact_path(monkeypatch, layers):
    """With every limit at 0, the constants of a small model are at least the exact ones."""
    f = random_model(np.random.default_rng(layers), 5, 2, 4, 2, 3, layers, None)
    small = measure(f)
    monkeypatch.setattr(lipschitz, "_MOST_EXACT_TERMS", 0)
    monkeypatch.setattr(norms, "_LARGEST_POWERED", 0)
    monkeypatch.setattr(enclosure, "_MOST_EXACT_PRODUCTS", 0)
    large = measure(f)
    assert large != small
    near = 1 + Fraction(1, 10**7)
    assert small.lipschitz <= large.lipschitz <= small.lipschitz * near
    assert small.logit_range == large.logit_range
    if layers == 2:
        one, two = (c.models[0].enclosed.ingredients.heads[0] for c in (small, large))
        # An exact oscillation is compared: it can only grow.
        assert one.logit_range <= two.logit_range <= one.logit_range * near


@pytest.mark.parametrize("limit", ["_MOST_ENTRIES", "_MOST_PAIRS"])
def test_left_out_parts_of_the_enclosure_only_make_constants_larger(monkeypatch, limit):
    f = random_model(np.random.default_rng(3), 4, 1, 4, 2, 3, 2, None)
    full = measure(f)
    monkeypatch.setattr(two_layer, limit, 0)
    less = measure(f)
    for name in ("complexity_balanced", "complexity_average"):
        assert float(getattr(full, name)) <= float(getattr(less, name))
    assert float(less.complexity_balanced) <= float(full.complexity_balanced_norm)
    assert full.complexity_balanced_norm == less.complexity_balanced_norm


def test_equal_signs_for_all_query_types_only_make_steps_larger(monkeypatch):
    layer = enclosure.FirstLayer.of(random_model(np.random.default_rng(5), 4, 1, 4, 2, 6, 2, None))
    exact = layer.steps_up().fractions()
    monkeypatch.setattr(enclosure, "_MOST_EXACT_STEPS", 0)
    coarse = layer.steps_up().fractions()
    assert all(a <= b for a, b in zip(exact, coarse, strict=True))
    assert exact != coarse


@pytest.mark.slow
@pytest.mark.parametrize(("tokens", "period"), [(400, 1), (1, 400)])
@pytest.mark.parametrize("bits", [8, None])
def test_hundreds_of_types_in_seconds(tokens, period, bits):
    start = time.process_time()
    c = measure(random_model(np.random.default_rng(0), tokens, period, bits=bits))
    assert time.process_time() - start < 30
    assert (c.vocabulary_size, c.period) == (tokens, period)
    assert 0 < c.lipschitz <= c.lipschitz_euclidean


@pytest.mark.slow
def test_margin_of_a_large_model_is_exact():
    """Integer weights below 2^10, so that int64 is exact too; many ties and near ties."""
    rng = np.random.default_rng(1)
    embedding, scores = rng.integers(-900, 900, (350, 3)), rng.integers(-900, 900, (3, 3))
    layer = Layer((Head(scores, np.eye(3), [0]),))
    f = LimitTransformer(embedding, np.zeros((1, 3)), (layer,), np.eye(3), 8)
    logits = np.sort(embedding @ scores @ embedding.T, axis=0)
    gaps = np.diff(logits, axis=0)
    c = measure(f)
    assert c.margin == gaps[gaps > 0].min()
    assert c.largest_gap == (logits[-1] - logits[0]).max()
    assert measure(f, f).shared_logits


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [176, 200, 400])
def test_two_softmax_layers_with_many_tokens_answer(tokens):
    c = measure(random_model(np.random.default_rng(0), tokens, layers=2, heads=2, bits=None))
    assert c.complexity_balanced is not None
    assert c.models[0].log_complexity <= c.models[0].log_complexity_norm


@pytest.mark.parametrize("bits", [8, None])
def test_too_many_types_are_refused_at_once_with_what_would_fit(bits):
    layer = Layer((Head([[0.0]], [[1.0]], [0]),))
    embedding = np.arange(20_000.0)[:, None]
    f = LimitTransformer(embedding, [[0.0]], (layer,), [[1.0]], bits)
    with pytest.raises(InputError) as caught:
        measure(f)
    assert caught.value.name == "f"
    assert "|Σ| = 20000, Δ = 1, H = 1: 400,000,000 logits" in str(caught.value)
    assert "|Σ|Δ ≤ 14,142 with 1 head" in str(caught.value)


@pytest.mark.parametrize("bits", [8, None])
def test_progress_counts_query_types_up_to_the_last(bits):
    calls = []
    f = random_model(np.random.default_rng(0), 5, 2, bits=bits)
    plain = measure(f)
    assert measure(f, progress=lambda *call: calls.append(call)) == plain
    what, done, total = calls[-1]
    assert (done, total) == (10, 10)
    assert "head 0" in what
    with pytest.raises(InputError, match="progress: got 3"):
        measure(f, progress=3)
