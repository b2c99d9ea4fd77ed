"""One softmax layer: the limit of the first layer (Lemma B1) and the rounding map (Theorem B5)."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verify
from tests.helpers.softmax_models import BIASES, hostile_inputs, random_model
from verify import Head, InputError, Layer, LimitTransformer, WeightsError
from verify.simulation.softmax.first_layer import limit_outputs, prefix_histograms, regime
from verify.simulation.softmax.one_layer import (
    largest_remainders,
    rounded_input,
    simulate_softmax_one_layer,
)
from verify.simulation.softmax.proven_error import one_layer_error
from verify.simulation.softmax.rounding import softmax_rounding
from verify.simulation.softmax.windows import Suffixes, suffix_types


def outputs_of_layer(f, x):
    """y_i of the first layer at the last position of x, from the definition."""
    first = LimitTransformer(f.embedding, f.positions, f.layers[:1], np.eye(f.dimension), None)
    return verify.reference(first, x)


def all_suffixes(rng, f, locality, count):
    size, period = f.vocabulary_size, f.period
    return Suffixes(
        rng.integers(size, size=(count, locality + 1)), rng.integers(period, size=count)
    )


def modulus(logit_range, variation):
    """ω_R(δ) = δe^R/(1 + δ(e^R − 1))."""
    return variation * math.exp(logit_range) / (1 + variation * math.expm1(logit_range))


# ---------------------------------------------------------------- Lemma B1


@pytest.mark.slow
@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_first_layer_is_lipschitz_in_the_histogram(name, seed):
    rng = np.random.default_rng(seed)
    f = random_model(
        rng, layers=2, regimes=[name, "token"], size=3, locality=2, scale=1.0, period=1 + seed % 2
    )
    model = verify.measure(f).models[0]
    lipschitz = float(model.enclosed.mlp_lipschitz)
    suffixes = all_suffixes(rng, f, 2, 40)
    types = f.period * 3
    for spread in (0.05, 1.0, 20.0):
        mu = rng.dirichlet(np.full(types, spread), size=40).reshape(40, f.period, 3)
        step = rng.uniform(0.0, 1.0, size=(40, 1, 1)) ** 3
        nu = (1 - step) * mu + step * rng.dirichlet(np.full(types, spread), size=40).reshape(
            40, f.period, 3
        )
        moved = np.linalg.norm(
            limit_outputs(f, suffixes, mu) - limit_outputs(f, suffixes, nu), axis=1
        )
        variation = 0.5 * np.abs(mu - nu).sum(axis=(1, 2))
        for distance, delta in zip(moved, variation, strict=True):
            exact = lipschitz * sum(
                float(h.value_diameter) * modulus(float(h.logit_range), delta)
                for h in model.heads
                if h.regime != "position dominant"
            )
            assert distance <= exact + 1e-12
            assert distance <= float(model.enclosed.ingredients.beta_histogram) * delta + 1e-12


@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("seed", range(2))
def test_the_first_layer_is_close_to_its_limit(name, seed):
    rng = np.random.default_rng(10 + seed)
    f = random_model(rng, layers=2, regimes=[name], size=2, locality=1, scale=0.8, period=1 + seed)
    model = verify.measure(f).models[0]
    lipschitz, beta = float(model.enclosed.mlp_lipschitz), float(model.enclosed.ingredients.beta)
    rate = float(min(model.positional_margin, Fraction(1, 2)))
    for x in hostile_inputs(rng, 400, 2).values():
        types, type_of = suffix_types(x, 1, f.period)
        histograms = prefix_histograms(x, 0, len(x), np.zeros((f.period, 2), dtype=np.int64), 2)
        suffixes = Suffixes(types.tokens[type_of], types.residues[type_of])
        limits = limit_outputs(f, suffixes, histograms)
        for i in (1, 2, 3, 5, 17, 60, 399, 400):
            distance = np.linalg.norm(outputs_of_layer(f, x[:i]) - limits[i - 1])
            sharp = lipschitz * sum(
                float(h.value_diameter)
                * min(
                    1.0,
                    2 * math.exp(float(h.logit_range)) * i ** -float(min(h.positional_margin, 1)),
                )
                for h in model.heads
            )
            assert distance <= sharp + 1e-12
            assert distance <= 2 * beta * i**-rate + 1e-12


@pytest.mark.parametrize("logit_range", [0.5, 2.0, 5.0])
def test_the_modulus_e_to_the_r_is_attained_within_one_percent(logit_range):
    # Tokens 0 and 1 with logits 0 and R; one token 1 among T: the share 1/T is moved to 1.
    value = np.array([[0.0, 0.0], [0.0, 1.0]])
    query_key = np.array([[0.0, 0.0], [logit_range, logit_range]])
    f = LimitTransformer(
        np.eye(2),
        np.zeros((1, 2)),
        (Layer((Head(query_key, value, np.zeros(1)),)), Layer((Head(value, value, np.zeros(1)),))),
        np.eye(2),
        None,
    )
    length = 10**6
    x = np.zeros(length, dtype=np.int64)
    x[5] = 1
    one = LimitTransformer(f.embedding, f.positions, f.layers[:1], np.eye(2), None)
    moved = np.linalg.norm(one(x) - one(np.zeros(length, dtype=np.int64)))
    beta = float(verify.measure(f).models[0].enclosed.ingredients.beta_histogram)
    assert beta == pytest.approx(math.exp(logit_range), rel=1e-9)
    assert 0.99 * beta <= moved * length <= beta


def test_prefix_histograms_are_the_counts():
    rng = np.random.default_rng(0)
    x = rng.integers(3, size=50)
    before = np.zeros((2, 3), dtype=np.int64)
    for i, token in enumerate(x[:20], start=1):
        before[i % 2, token] += 1
    found = prefix_histograms(x, 20, 50, before, 3)
    counts = before.copy()
    for i in range(21, 51):
        counts[i % 2, x[i - 1]] += 1
        assert found[i - 21] == pytest.approx(counts / i, abs=1e-15)


def test_regimes_are_decided_exactly_at_one():
    def head(*bias):
        return Head(np.zeros((1, 1)), np.zeros((1, 1)), np.array(bias))

    assert regime(head(0.5, -3.0)) == "token dominant"
    assert regime(head(-3.0)) == "token dominant"
    assert regime(head(0.0, 1.0)) == "balanced"
    assert regime(head(np.nextafter(1.0, 2.0))) == "position dominant"
    assert regime(head(np.nextafter(1.0, 0.0))) == "token dominant"


# ---------------------------------------------------------------- rounding


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.integers(0, 500))
def test_largest_remainders_are_near_the_exact_shares(counts, total):
    rounded = largest_remainders(np.array(counts), total)
    whole = sum(counts)
    assert rounded.min() >= 0
    assert rounded.sum() == (total if whole else 0)
    if whole:
        misses = [
            abs(Fraction(c * total, whole) - int(r)) for c, r in zip(counts, rounded, strict=True)
        ]
        assert sum(misses) / 2 <= Fraction(len(counts), 4)
        assert max(misses) < 1


@pytest.mark.parametrize("period", [1, 3])
def test_the_rounded_input_keeps_shares_residues_and_tail(period):
    rng = np.random.default_rng(1)
    x = rng.choice(3, size=1000, p=[0.7, 0.29, 0.01])
    tail = 4 + (1000 - 4) % period
    z = rounded_input(verify.summarise(x, 3, period, tail), 20, tail)
    assert len(z) == 20 * period + tail
    assert len(z) % period == 1000 % period
    assert np.array_equal(z[-tail:], x[-tail:])
    for residue in range(period):
        long, short = x[residue : 1000 - tail : period], z[residue : len(z) - tail : period]
        shares = np.bincount(long, minlength=3) / len(long)
        assert np.abs(np.bincount(short, minlength=3) / 20 - shares).sum() / 2 <= 3 / 80


# ---------------------------------------------------------------- Theorem B5


@pytest.mark.slow
@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("scale", [0.1, 0.5, 1.5])
def test_rounding_map_on_hostile_inputs(name, scale):
    rng = np.random.default_rng(int(10 * scale))
    for period in (1, 2):
        f = random_model(
            rng, layers=1, regimes=[name, "token"], size=3, scale=scale, period=period, outputs=2
        )
        g = random_model(rng, layers=1, regimes=[name], size=3, locality=2, scale=scale)
        for x in hostile_inputs(rng, 3000, 3).values():
            for length in (5, 12, 100, 1000):
                s = simulate_softmax_one_layer(x, f, g, length=length)
                assert s.length == len(s.short) <= s.limit <= length
                assert s.length > length - period
                assert s.error_f == np.abs(f(x) - f(s.short)).max()
                assert s.error_g == np.abs(g(x) - g(s.short)).max()
                assert s.holds


def test_a_wrong_map_breaks_the_proven_error():
    # First half zeros, second half ones: the first n tokens are not a fair sample.
    rng = np.random.default_rng(4)
    f = random_model(rng, layers=1, regimes=["negative"], size=2, scale=0.1)
    x = hostile_inputs(rng, 20_000, 2)["halves"]
    s = simulate_softmax_one_layer(x, f, length=2000)
    assert s.error_f <= s.proven_error
    truncated = np.concatenate([x[:1998], x[-2:]])
    assert np.abs(f(x) - f(truncated)).max() > s.proven_error


def test_the_proven_error_falls_like_one_over_n_and_agrees_with_the_complexity():
    rng = np.random.default_rng(6)
    f = random_model(rng, layers=1, regimes=["token", "negative"], size=3, locality=1)
    constants = verify.measure(f)
    c = float(constants.complexity_one_layer)
    rate = float(min(constants.positional_margin, 1))
    for length in (10, 1000, 10**6):
        exact = one_layer_error(f, length, tail=2, period=1, locality=1)
        assert exact <= c * length**-rate * (1 + 1e-12)
    assert one_layer_error(f, 1, tail=2, period=1, locality=1) == pytest.approx(c, rel=1e-12)


def exact_softmax_output(f, x):
    """f(x) with 60 digits, for models without MLP."""
    with mpmath.workdps(60):
        rows = [[mpmath.mpf(float(v)) for v in f.embedding[t]] for t in x]
        for layer in f.layers:
            rows = [exact_position(layer, rows, i) for i in range(1, len(rows) + 1)]
        return [
            mpmath.fsum(mpmath.mpf(float(u)) * v for u, v in zip(row, rows[-1], strict=True))
            for row in f.unembedding
        ]


def exact_position(layer, rows, i):
    query, result = rows[i - 1], list(rows[i - 1])
    for head in layer.heads:
        m = mpmath.matrix(head.query_key.tolist())
        projected = m * mpmath.matrix(query)
        weights = []
        for j in range(i):
            lag = i - 1 - j
            bias = float(head.lag_bias[lag]) if lag < len(head.lag_bias) else 0.0
            logit = mpmath.fdot(rows[j], projected) + mpmath.log(i) * bias
            weights.append(mpmath.exp(logit))
        total = mpmath.fsum(weights)
        mean = [
            mpmath.fdot(weights, [row[c] for row in rows[:i]]) / total for c in range(len(query))
        ]
        moved = mpmath.matrix(head.value.tolist()) * mpmath.matrix(mean)
        result = [r + v for r, v in zip(result, moved, strict=True)]
    return result


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_rounding_stays_within_its_allowance(layers, scale):
    rng = np.random.default_rng(layers)
    f = random_model(rng, layers=layers, regimes=["balanced", "position"], scale=scale)
    bare = tuple(Layer(layer.heads) for layer in f.layers)
    f = LimitTransformer(f.embedding, f.positions, bare, f.unembedding, None)
    for length in (1, 7, 40):
        x = rng.integers(2, size=length)
        exact = exact_softmax_output(f, x)
        wrong = max(abs(mpmath.mpf(float(a)) - b) for a, b in zip(f(x), exact, strict=True))
        assert wrong <= softmax_rounding(f, length)
    assert softmax_rounding(f, 40) < 1e-8 * 10**scale


def test_rounding_is_no_counterexample():
    # All tokens have the same value vector: attention cannot matter, and 0 is proven.
    rng = np.random.default_rng(0)
    f = random_model(rng, layers=1, regimes=["token"], size=3)
    same = np.tile(f.embedding[:1], (3, 1))
    f = LimitTransformer(same * 0.1, f.positions, f.layers, f.unembedding * 1e3, None)
    for x in hostile_inputs(rng, 3000, 3).values():
        s = simulate_softmax_one_layer(x, f, length=100)
        assert s.proven_error == 0
        assert s.holds


def test_short_inputs_stay_as_they_are():
    rng = np.random.default_rng(0)
    f = random_model(rng, layers=1, regimes=["balanced"])
    s = simulate_softmax_one_layer([0, 1, 1, 0], f, length=10)
    assert s.short.tolist() == [0, 1, 1, 0]
    assert s.error == 0
    assert s.error_g is None
    assert s.holds


def test_what_the_theorem_does_not_cover_is_refused():
    rng = np.random.default_rng(0)
    one = random_model(rng, layers=1, regimes=["balanced"])
    two = random_model(rng, layers=2, regimes=["balanced"])
    finite = LimitTransformer(one.embedding, one.positions, one.layers, one.unembedding, 8)
    x = np.zeros(50, dtype=np.int64)
    with pytest.raises(WeightsError, match=r"f\.layers"):
        simulate_softmax_one_layer(x, two, length=20)
    with pytest.raises(WeightsError, match=r"g\.precision_bits"):
        simulate_softmax_one_layer(x, one, finite, length=20)
    with pytest.raises(InputError, match="length"):
        simulate_softmax_one_layer(x, one, length=1)
    with pytest.raises(InputError, match="length"):
        simulate_softmax_one_layer(x, one, length=20.5)
    with pytest.raises(InputError, match=r"x\[0\]"):
        simulate_softmax_one_layer(x + 7, one, length=20)
