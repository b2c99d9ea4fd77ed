"""One layer: the pass by counts equals the definition, in both precisions and for any counts."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.random_models import LARGEST_LAG_BIAS, assert_same, random_model
from verify import (
    Head,
    InputError,
    Layer,
    LimitTransformer,
    Summary,
    WeightsError,
    reference,
    summarise,
)

SIZES = {
    "vocabulary_size": st.integers(1, 6),
    "period": st.integers(1, 5),
    "locality": st.integers(0, 4),
    "heads": st.integers(1, 3),
}


@pytest.mark.slow
@settings(max_examples=1000)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(1, 130) | st.sampled_from([1, 2, 15, 16, 17, 63, 64, 65]),
    precision_bits=st.none() | st.sampled_from([1, 2, 4, 6, 8, 40]),
    ties=st.booleans(),
    logits=st.sampled_from([0.1, 3.0, 500.0]),
    regime=st.none() | st.sampled_from(sorted(LARGEST_LAG_BIAS)),
    **SIZES,
)
def test_the_fast_pass_is_the_reference(seed, length, ties, logits, regime, **sizes):
    rng = np.random.default_rng(seed)
    f = random_model(rng, ties=ties, logits=logits, regime=regime, **sizes)
    x = rng.integers(0, f.vocabulary_size, size=length)
    assert f.method == "counts"
    assert_same(f(x), reference(f, x))
    assert (
        f(x).tobytes()
        == f.of_summary(summarise(x, f.vocabulary_size, f.period, f.locality)).tobytes()
    )


def two_tokens(gap, precision_bits, lag_bias=(0.0,)):
    """Return a model whose key token 1 has a logit larger by `gap`; output: the mean token."""
    value = np.array([[0.0, 0.0], [0.0, 1.0]])
    head = Head(np.array([[0.0, 0.0], [gap, 0.0]]), value, np.array(lag_bias))
    embedding = np.array([[1.0, 0.0], [1.0, 1.0]])
    output = np.array([[0.0, 1.0]])
    return LimitTransformer(embedding, np.zeros((1, 2)), (Layer((head,)),), output, precision_bits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gap", "bits", "first_dropped"),
    [
        (1.0, 6, 64),
        (0.5, 3, 64),
        (1.5, 9, 64),
        (0.25, 2, 256),
        (2 / 3, 4, 65),  # the float lies below 2/3: at T = 64 the weight is above 2^−4
        (float(np.nextafter(2 / 3, 1)), 4, 64),
        (1 / 3, 2, 65),
        (0.1, 1, 1024),  # the float lies above 1/10
        (float(np.nextafter(0.1, 0)), 1, 1025),
    ],
)
def test_rounding_at_the_threshold_length(gap, bits, first_dropped):
    f = two_tokens(gap, bits)
    for length in (first_dropped - 1, first_dropped, first_dropped + 1):
        x = np.zeros(length, dtype=int)
        x[0] = 1
        weight = 0.0 if length >= first_dropped else (length - 1) * length**-gap
        assert f(x) == pytest.approx([1 / (1 + weight)], rel=1e-13)
        assert reference(f, x) == pytest.approx([1 / (1 + weight)], rel=1e-13)


@pytest.mark.parametrize("length", [63, 64, 65])
def test_rounding_at_the_threshold_length_by_lag_bias(length):
    f = two_tokens(0.0, 6, lag_bias=(0.0, 1.0))
    x = np.zeros(length, dtype=int)
    x[-2] = 1
    weight = 0.0 if length >= 64 else (length - 1) / length
    assert f(x) == pytest.approx([1 / (1 + weight)], rel=1e-13)
    assert reference(f, x) == pytest.approx([1 / (1 + weight)], rel=1e-13)


@pytest.mark.parametrize("seed", range(30))
def test_hardmax_from_the_threshold_on(seed):
    """Integer weights: gaps are at least 1, so that from T = 2^p on attention is an average."""
    rng = np.random.default_rng(seed)
    f = random_model(
        rng, vocabulary_size=3, period=2, locality=2, heads=2, ties=True, precision_bits=5
    )
    x = rng.integers(0, 3, size=32 + seed % 3)
    layer = f.layers[0]
    keys = [
        [int(e + p) for e, p in zip(f.embedding[s], f.positions[i % 2], strict=True)]
        for i, s in enumerate(x, start=1)
    ]
    u = [Fraction(k) for k in keys[-1]]
    for head in layer.heads:
        qk, value = head.query_key.astype(int), head.value.astype(int)
        logits = [int(np.array(key) @ qk @ np.array(keys[-1])) for key in keys]
        for lag, phi in enumerate(head.lag_bias):
            logits[-1 - lag] += int(phi)
        top = [j for j, a in enumerate(logits) if a == max(logits)]
        total = value @ sum(np.array(keys[j]) for j in top)
        u = [a + Fraction(int(b), len(top)) for a, b in zip(u, total, strict=True)]
    u = np.array([float(a) for a in u])
    hidden = np.maximum(layer.mlp_in @ u + layer.mlp_bias, 0)
    assert_same(f(x), f.unembedding @ (u + layer.mlp_out @ hidden))


def from_counts(f, counts, suffix, length):
    """Return the output by 60 digits, one key per type with its count, as the definition says."""
    with mpmath.workdps(450):
        keys, weights = [], []
        for r in range(f.period):
            for s in range(f.vocabulary_size):
                keys.append((s, r, None, counts[r][s]))
        for k, s in enumerate(suffix):
            lag = len(suffix) - 1 - k
            keys.append((s, (length - lag) % f.period, lag, 1))
        keys = [key for key in keys if key[3] > 0]
        rows = [
            [
                mpmath.mpf(e) + mpmath.mpf(p)
                for e, p in zip(f.embedding[s], f.positions[r], strict=True)
            ]
            for s, r, _, _ in keys
        ]
        u = list(rows[-1])
        d = range(f.dimension)
        for head in f.layers[0].heads:
            logits = []
            for (_, _, lag, _), row in zip(keys, rows, strict=True):
                a = sum(
                    row[k] * mpmath.mpf(head.query_key[k][m]) * rows[-1][m] for k in d for m in d
                )
                phi = 0.0 if lag is None or lag >= len(head.lag_bias) else head.lag_bias[lag]
                scale = mpmath.log(length)
                a = a + scale * phi if f.precision_bits is None else scale * (a + phi)
                logits.append(a)
            weights = [mpmath.exp(a - max(logits)) for a in logits]
            if f.precision_bits is not None:
                weights = [w if w > mpmath.mpf(2) ** -f.precision_bits else 0 for w in weights]
            weights = [w * c for w, (_, _, _, c) in zip(weights, keys, strict=True)]
            mean = [
                sum(w * row[k] for w, row in zip(weights, rows, strict=True)) / sum(weights)
                for k in d
            ]
            for k in d:
                u[k] += sum(mpmath.mpf(head.value[k][m]) * mean[m] for m in d)
        u = np.array([float(a) for a in u])
        layer = f.layers[0]
        hidden = np.maximum(layer.mlp_in @ u + layer.mlp_bias, 0)
        return f.unembedding @ (u + layer.mlp_out @ hidden)


@pytest.mark.parametrize("precision_bits", [None, 8, 200, 3000])
@pytest.mark.parametrize("magnitude", [10**3, 10**12, 10**18, 10**25, 10**400])
def test_counts_of_any_size(precision_bits, magnitude):
    rng = np.random.default_rng(magnitude % 1000 + (precision_bits or 0))
    for regime in (None, *LARGEST_LAG_BIAS):
        f = random_model(
            rng,
            vocabulary_size=3,
            period=2,
            locality=2,
            heads=2,
            regime=regime,
            precision_bits=precision_bits,
        )
        # Frequencies over the whole range, one type absent; both residues have the same total.
        first = [magnitude, 0, magnitude // 10**3 + 1]
        second = [7, sum(first) - 7 - magnitude // 2, magnitude // 2]
        suffix = [0, 2, 1]
        length = 2 * sum(first) + len(suffix)
        summary = Summary(np.array([first, second], dtype=object), suffix, length)
        assert_same(f.of_summary(summary), from_counts(f, [first, second], suffix, length))


def test_short_inputs_are_all_suffix():
    rng = np.random.default_rng(3)
    for precision_bits in (None, 3):
        f = random_model(
            rng, vocabulary_size=2, period=3, locality=4, heads=2, precision_bits=precision_bits
        )
        for length in range(1, 8):
            x = rng.integers(0, 2, size=length)
            assert_same(f(x), reference(f, x))


def test_the_output_depends_on_the_summary_alone():
    rng = np.random.default_rng(4)
    f = random_model(rng, vocabulary_size=3, period=2, locality=1, heads=3, precision_bits=4)
    x = rng.integers(0, 3, size=41)
    y = x.copy()
    for r in (0, 1):
        y[r:39:2] = rng.permutation(y[r:39:2])
    assert (x != y).any()
    assert f(x).tolist() == f(y).tolist()


def test_summaries_of_other_sizes_are_refused():
    rng = np.random.default_rng(5)
    sizes = {"vocabulary_size": 3, "period": 2, "locality": 1, "heads": 1}
    f = random_model(rng, **sizes)
    x = [0, 1, 2, 0, 1]
    with pytest.raises(
        InputError, match=r"summary.counts.shape: got \(2, 4\).*\(Δ, \|Σ\|\) = \(2, 3\)"
    ):
        f.of_summary(summarise(x, 4, 2, 1))
    with pytest.raises(InputError, match=r"summary.suffix.size: got 1.*min\(T, τ\+1\) = 2 tokens"):
        f.of_summary(summarise(x, 3, 2, 0))
    two = random_model(rng, layers=2, **sizes)
    with pytest.raises(InputError, match=r"layers: got 2 .*one layer"):
        two.of_summary(summarise(x, 3, 2, 1))


@pytest.mark.parametrize("precision_bits", [None, 8])
@pytest.mark.parametrize("evaluate", [LimitTransformer.__call__, reference])
def test_overflow_is_an_error(precision_bits, evaluate):
    f = random_model(
        np.random.default_rng(6),
        vocabulary_size=2,
        period=1,
        locality=1,
        heads=1,
        precision_bits=precision_bits,
    )
    layer = f.layers[0]
    for name, change in {
        "query_key": {"embedding": 1e200 * f.embedding},
        "mlp_in": {
            "layers": (dataclasses.replace(layer, mlp_in=1e308 * np.sign(layer.mlp_in)),),
            "embedding": 10 * f.embedding,
        },
        "unembedding": {"unembedding": 1e308 * np.sign(f.unembedding)},
    }.items():
        message = rf"^{name}: got .*weights whose results float64 can hold"
        with pytest.raises(WeightsError, match=message):
            evaluate(dataclasses.replace(f, **change), [0, 1, 1, 0])


def test_a_lag_bias_beyond_float64():
    rng = np.random.default_rng(7)
    f = random_model(rng, vocabulary_size=2, period=1, locality=1, heads=1)
    steep = dataclasses.replace(f.layers[0].heads[0], lag_bias=[1.7e308, 0.0])
    f = dataclasses.replace(f, layers=(dataclasses.replace(f.layers[0], heads=(steep,)),))
    with pytest.raises(WeightsError, match=r"^lag_bias: got inf"):
        f([0, 1, 0])
    # In finite precision nothing overflows: all other keys are dropped.
    g = dataclasses.replace(f, precision_bits=8)
    assert_same(g([0, 1, 0]), reference(g, [0, 1, 0]))
