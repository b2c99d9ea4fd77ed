"""The in-context k-gram: target, explicit weights, and the error between them."""

import itertools
import math

import numpy as np
import pytest

import verify
from verify import InputError
from verify.tasks import in_context_k_gram


def target_from_the_definition(x, k, size):
    """[izzo2025, Definition 5.4] with 1-based t; uniform where no context matches."""
    length = len(x)
    counts = np.zeros(size)
    for t in range(k + 1, length + 1):
        if all(x[t - 1 - lag] == x[length - lag] for lag in range(1, k + 1)):
            counts[x[t - 1]] += 1
    return counts / counts.sum() if counts.sum() else np.full(size, 1 / size)


@pytest.mark.parametrize(("k", "size"), [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3)])
def test_target_on_every_short_input(k, size):
    task = in_context_k_gram(k, size, 1.0)
    for length in range(1, 7):
        for x in itertools.product(range(size), repeat=length):
            assert np.array_equal(task.target(x), target_from_the_definition(x, k, size))


def test_a_worked_example():
    # … b after "a b": twice c, once a. Context of the last two tokens: a b.
    a, b, c = range(3)
    x = [a, b, c, a, b, a, a, b, c, c, a, b]
    task = in_context_k_gram(2, 3, 5.0)
    assert (task.matches(x) + 1).tolist() == [3, 6, 9]
    assert task.target(x).tolist() == [1 / 3, 0, 2 / 3]


def test_a_context_without_match_gives_the_uniform_law():
    task = in_context_k_gram(2, 4, 5.0)
    for x in ([0], [0, 1], [3, 3, 3, 0, 1]):
        assert len(task.matches(x)) == 0
        assert task.target(x).tolist() == [0.25] * 4


def families(rng, length, size):
    """Independent, Markov, periodic, long runs."""
    chain = rng.dirichlet(np.ones(size), size=size).cumsum(axis=1)
    markov = np.zeros(length, dtype=np.int64)
    for i in range(1, length):
        markov[i] = min(np.searchsorted(chain[markov[i - 1]], rng.random()), size - 1)
    return {
        "independent": rng.integers(size, size=length),
        "markov": markov,
        "periodic": np.resize(rng.integers(size, size=9), length),
        "runs": np.arange(length) // 20 % size,
    }


@pytest.mark.parametrize(("k", "size"), [(1, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("margin", [1.0, 2.0])
def test_the_weights_are_within_the_proven_error(k, size, margin):
    rng = np.random.default_rng(k)
    worst = 0.0
    for sharpness in (0.0, 2.0, 5.0, 9.0):
        task = in_context_k_gram(k, size, sharpness, positional_margin=margin)
        for length in (1, 3, 20, 300, 2000):
            for x in families(rng, length, size).values():
                y = task.transformer(x)
                assert y.min() >= 0
                assert y.sum() == pytest.approx(1, abs=1e-9)
                error = np.abs(y - task.target(x)).max()
                assert error <= task.error_bound(x) + 1e-12
                worst = max(worst, error / task.error_bound(x))
    assert worst >= 0.1  # the bound is of the right order: e^(−s) over the frequency is real


def test_rare_contexts_need_sharpness():
    # Token 1 occurs twice before the end, among 4000 zeros: its contexts are 2 of 4000 keys.
    x = np.zeros(4001, dtype=np.int64)
    x[[2000, 2001, 4000]] = 1
    soft, sharp = (in_context_k_gram(1, 2, s, positional_margin=3.0) for s in (2.0, 20.0))
    assert soft.target(x).tolist() == [0.5, 0.5]
    assert np.abs(soft.transformer(x) - soft.target(x)).max() > 0.4
    assert np.abs(sharp.transformer(x) - sharp.target(x)).max() < 0.01


def test_fast_and_defining_forward_pass_agree():
    rng = np.random.default_rng(3)
    task = in_context_k_gram(2, 3, 7.0)
    for length in (1, 2, 5, 64):
        x = rng.integers(3, size=length)
        assert task.transformer(x) == pytest.approx(
            verify.reference(task.transformer, x), abs=1e-12
        )


def test_error_falls_like_the_exponential_of_the_sharpness():
    # With a large margin the leak of the first layer is negligible: error ∝ e^(−s).
    rng = np.random.default_rng(1)
    x = rng.integers(2, size=5000)
    errors = []
    for sharpness in (2.0, 3.0, 4.0, 5.0):
        task = in_context_k_gram(2, 2, sharpness, positional_margin=4.0)
        errors.append(np.abs(task.transformer(x) - task.target(x)).max())
    slope = np.polyfit([2.0, 3.0, 4.0, 5.0], np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.15)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_margin_and_growth_of_the_complexity(k):
    logs = []
    for sharpness in (1.0, 2.0, 3.0):
        constants = verify.measure(in_context_k_gram(k, 2, sharpness).transformer)
        assert constants.positional_margin == 1
        logs.append(constants.models[0].log_complexity)
    # R₂ is at least k·s (all tokens match, or none), and C contains e^{R₂}.
    assert logs[1] - logs[0] >= k
    assert logs[2] - logs[1] >= k


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("k", (0, 2, 1.0)),
        ("k", (1.5, 2, 1.0)),
        ("vocabulary_size", (1, 0, 1.0)),
        ("sharpness", (1, 2, -1.0)),
        ("sharpness", (1, 2, math.nan)),
        ("sharpness", (1, 2, "5")),
    ],
)
def test_bad_arguments_are_named(name, arguments):
    with pytest.raises(InputError) as caught:
        in_context_k_gram(*arguments)
    assert caught.value.name == name


def test_margins_below_one_are_refused():
    with pytest.raises(InputError, match="positional_margin"):
        in_context_k_gram(1, 2, 1.0, positional_margin=0.5)
