"""The last-n simulation: exact laws, exhaustive small cases of A1, C1 and C8, and estimates."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from verify.average import (
    DirichletLaw,
    FixedLaw,
    MarkovLaw,
    SwitchedLaw,
    average_error,
    average_heads,
    average_profile,
    average_simulation_error,
    estimate,
    exact_average_error,
    exact_expectation,
    exact_simulation_error,
    last_symbols_bound,
    simulate_last,
)
from verify.errors import InputError
from verify.model.summary import summarise
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

pytestmark = pytest.mark.covers("attack", "derived.one_layer_average")

CHAIN = MarkovLaw(
    [["1/2", "1/4", "1/4"], ["1/3", "1/3", "1/3"], [0, "1/2", "1/2"]], ["1/4", "3/8", "3/8"]
)


def random_argmax(rng, *, tokens, period, locality, heads=1, gap=4):
    """Integer weights, so that ties are frequent; logits a multiple of `gap`·bits apart."""
    d = tokens + period
    embedding = np.eye(tokens, d)
    positions = np.eye(period, d, k=tokens)
    layer = Layer(
        heads=tuple(
            Head(
                gap * rng.integers(-1, 2, (d, d)).astype(float),
                rng.integers(-2, 3, (d, d)).astype(float),
                gap * rng.integers(-2, 3, locality + 1).astype(float),
            )
            for _ in range(heads)
        ),
        mlp_in=rng.integers(-1, 2, (3, d)).astype(float),
        mlp_bias=rng.integers(-1, 2, 3).astype(float),
        mlp_out=rng.integers(-1, 2, (d, 3)).astype(float),
    )
    return LimitTransformer(embedding, positions, (layer,), rng.normal(size=(1, d)), 4)


def share_of_ones(scale=1.0):
    """Uniform attention; the output is `scale` times the share of token 1."""
    head = Head(np.zeros((2, 2)), np.array([[0.0, 0.0], [1.0, 0.0]]), np.zeros(1))
    embedding = np.array([[0.0, 0.0], [1.0, 0.0]])
    return LimitTransformer(embedding, np.zeros((1, 2)), (Layer((head,)),), [[0.0, scale]], 4)


def test_simulate_last_keeps_the_ends():
    x = np.arange(10) % 3
    assert simulate_last(x, 4, period=3).tolist() == [0, 1, 2, 0]
    assert simulate_last(x, 5, keep_first=2).tolist() == [0, 1, 1, 2, 0]
    assert simulate_last(x, 10).tolist() == x.tolist()
    for n, period in [(0, 1), (11, 1), (4, 4), (True, 1), (2.0, 1)]:
        with pytest.raises(InputError, match="n: got"):
            simulate_last(x, n, period=period)
    with pytest.raises(InputError, match="keep_first"):
        simulate_last(x, 3, keep_first=3)


@pytest.mark.parametrize("law", [DirichletLaw(["1/2", 2, 1]), FixedLaw(["1/7", "2/7", "4/7"])])
@pytest.mark.parametrize("keep_first", [0, 1, 2])
def test_the_short_input_has_the_law_of_short_inputs_exactly(law, keep_first):
    length, short = 6, 4
    found = Counter()
    for x in itertools.product(range(3), repeat=length):
        z = tuple(simulate_last(x, short, keep_first=keep_first).tolist())
        found[z] += law.probability(x)
    expected = {z: law.probability(z) for z in itertools.product(range(3), repeat=short)}
    assert dict(found) == expected


def test_the_end_of_a_chain_is_a_chain():
    found = Counter()
    for x in itertools.product(range(3), repeat=5):
        found[x[2:]] += CHAIN.probability(x)
    assert all(found[z] == CHAIN.probability(z) for z in itertools.product(range(3), repeat=3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [
        DirichletLaw([1, "1/2"]),
        FixedLaw(["3/4", "1/4"]),
        MarkovLaw([["3/4", "1/4"], ["1/2", "1/2"]], ["2/3", "1/3"]),
    ],
)
@pytest.mark.parametrize(("period", "locality"), [(1, 0), (2, 1), (3, 2)])
def test_nested_summaries_have_the_exact_joint_law(law, period, locality):
    long, short = 7, 7 - period
    exact = Counter()
    for x in itertools.product(range(2), repeat=long):
        pair = tuple(summarise(np.array(x[long - n :]), 2, period, locality) for n in (long, short))
        exact[pair] += law.probability(x)
    rng = np.random.default_rng(1)
    draws = 4000
    drawn = Counter(
        tuple(law.summaries(rng, (long, short), period, locality)) for _ in range(draws)
    )
    assert set(drawn) <= set(exact)
    deviation = sum(abs(drawn[key] / draws - float(p)) for key, p in exact.items()) / 2
    # E TV ≤ ½ Σ √(p/draws); bounded differences: beyond by 0.04 with probability < 1e-5.
    assert deviation <= 0.5 * sum(math.sqrt(p / draws) for p in exact.values()) + 0.04


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_theorem_a1_exhaustively_on_small_cases(seed):
    rng = np.random.default_rng(seed)
    period, locality = int(rng.integers(1, 3)), int(rng.integers(0, 3))
    heads = int(rng.integers(1, 3))
    f = random_argmax(rng, tokens=2, period=period, locality=locality, heads=heads)
    law = DirichletLaw([Fraction(int(rng.integers(1, 9)), 4) for _ in range(2)])
    short = locality + 1 + period + int(rng.integers(0, 3))
    length = short + period * int(rng.integers(1, 3))
    bound = last_symbols_bound(f, short, law=law)
    assert bound is not None
    measured = exact_simulation_error(f, length, short, law=law).mean
    assert measured <= bound * (1 + 1e-12)
    g = random_argmax(rng, tokens=2, period=period, locality=locality, heads=heads)
    errors = [exact_average_error(f, g, n, law=law).mean for n in (length, short)]
    costs = [exact_simulation_error(m, length, short, law=law).mean for m in (f, g)]
    assert errors[0] <= errors[1] + sum(costs) + 1e-12


@pytest.mark.parametrize(
    "law", [DirichletLaw([1, 2]), DirichletLaw(["1/2", "1/2"]), FixedLaw(["1/5", "4/5"])]
)
def test_theorem_a1_where_its_bound_is_small(law):
    """Token 1 is the best class, if it occurs; its positions carry ±1 by residue."""
    query = np.zeros((3, 3))
    query[0, 1] = 4.0  # every query has coordinate 1 equal to 1
    value = np.zeros((3, 3))
    value[2, 2] = 1.0
    head = Head(query, value, np.zeros(2))
    f = LimitTransformer(
        [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]],
        [[0.0, 0, 1.0], [0, 0, -1.0]],
        (Layer((head,), [[0.0, 0, 1.0], [0, 0, -1.0]], [0.0, 0.0], [[0, 0], [0, 0], [1.0, 1.0]]),),
        [[0.0, 0.0, 1.0]],
        4,
    )
    assert [h.class_mass for h in average_heads(f, law)] == [
        law.alpha[1] if isinstance(law, DirichletLaw) else law.probabilities[1]
    ]
    costs = []
    for short in (2 * 10**4, 2 * 10**6):
        bound = last_symbols_bound(f, short, law=law)
        cost = average_simulation_error(f, 10**9, short, law=law, samples=300)
        assert cost.low <= cost.mean <= bound < float(average_heads(f, law)[0].lipschitz)
        costs.append(cost.mean)
    # Negative control: the cost is real, it shrinks with n and not faster than the bound does.
    assert 0 < costs[1] < costs[0] / 2


def softmax_model(rng, tokens, lag_bias, scale):
    d = 3
    head = Head(scale * rng.normal(size=(d, d)), rng.normal(size=(d, d)), lag_bias)
    layer = Layer((head,), rng.normal(size=(2, d)), rng.normal(size=2), rng.normal(size=(d, 2)))
    embedding = rng.normal(size=(tokens, d))
    return LimitTransformer(embedding, np.zeros((1, d)), (layer,), rng.normal(size=(1, d)), None)


def softmax_constants(f):
    layer, head = f.layers[0], f.layers[0].heads[0]
    logits = f.embedding @ head.query_key @ f.embedding.T
    values = f.embedding @ head.value.T
    diameter = max(np.linalg.norm(a - b) for a in values for b in values)
    mlp = 1 + np.linalg.norm(layer.mlp_in, 2) * np.linalg.norm(layer.mlp_out, 2)
    spread = float((logits.max(0) - logits.min(0)).max())
    return float(np.linalg.norm(f.unembedding, 2) * mlp * diameter), spread


@pytest.mark.slow
@pytest.mark.parametrize("lag_bias", [[0.4, 0.7], [1.0, 0.2], [0.3, 1.8], [-2.0, -1.0]])
@pytest.mark.parametrize("seed", range(4))
def test_theorem_c1_exhaustively_in_all_regimes(lag_bias, seed):
    rng = np.random.default_rng(seed)
    f = softmax_model(rng, 2, lag_bias, 1 + seed)
    size, spread = softmax_constants(f)
    distinct = sorted({*lag_bias, 1.0}, reverse=True)
    margin = min(1.0, distinct[0] - distinct[1])
    law = DirichletLaw([Fraction(1, 2), Fraction(3, 2)])
    for length, short in [(9, 3), (9, 6), (8, 7)]:
        shift = 0.5 * math.sqrt((2 - 1) / short)
        moved = shift * math.exp(spread) / (1 + shift * (math.exp(spread) - 1))
        leak = 2 * min(1.0, 2 * math.exp(spread) * short**-margin)
        bound = size * (moved * (max(lag_bias) <= 1) + leak)
        assert exact_simulation_error(f, length, short, law=law).mean <= bound


@pytest.mark.parametrize("law", [DirichletLaw([1, 2]), DirichletLaw(["1/3", "1/3"])])
def test_theorem_c2_by_samples_where_its_bound_is_small(law):
    rng = np.random.default_rng(3)
    for lag_bias in ([0.4, 0.2], [1.0, 0.3], [0.1, 1.6]):
        f = softmax_model(rng, 2, lag_bias, 1.0)
        size, spread = softmax_constants(f)
        distinct = sorted({*lag_bias, 1.0}, reverse=True)
        margin = distinct[0] - distinct[1]
        short, end = 10**5, 2
        periods = short - end
        if max(lag_bias) > 1:
            bound = size * end * math.exp(spread) * short**-margin
        else:
            bound = size * (
                (2 + math.sqrt(2)) * math.exp(spread / 2) / math.sqrt(periods)
                + end / short * (max(lag_bias) == 1)
                + end * math.exp(spread) * short ** (1 - margin) / periods
            )
        cost = average_simulation_error(f, 10**8, short, law=law, samples=200)
        assert cost.mean <= bound < size


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_theorem_c8_exhaustively_with_start_up_states_and_ties(seed):
    """Layer 1 copies the previous token; layer 2 is hardmax over (token, previous token)."""
    rng = np.random.default_rng(seed)
    d = 8  # own token (2), previous token (2), pair features (3), output
    embedding = np.eye(2, d)
    copy = np.zeros((d, d))
    copy[2:4, 0:2] = np.eye(2)
    first = Layer((Head(np.zeros((d, d)), copy, [0.0, 8.0]),))
    query_key = np.zeros((d, d))
    query_key[:4, :4] = 8.0 * rng.integers(-1, 2, (4, 4))
    value = np.zeros((d, d))
    value[7, :4] = rng.integers(-2, 3, 4)
    second = Layer((Head(query_key, value, 8.0 * rng.integers(-1, 2, 2)),))
    out = np.zeros((1, d))
    out[0, 7] = 1.0
    f = LimitTransformer(embedding, np.zeros((1, d)), (first, second), out, 4)
    law = DirichletLaw([1, Fraction(1, 2)])
    tau, short, length = 1, 6, 9
    states = [(a, b) for a in range(2) for b in range(2)]
    diameter = max(
        abs(value[7, s[0]] + value[7, 2 + s[1]] - value[7, t[0]] - value[7, 2 + t[1]])
        for s in states
        for t in states
    )
    cost = exact_simulation_error(f, length, short, law=law, keep_first=tau)
    assert cost.mean <= 2 * diameter + 1e-12
    # The exact law of z gives the triangle inequality, hence the theorem, at every length.
    short_mean = exact_expectation(law, short, lambda z: abs(float(f(z)[0])))
    long_mean = exact_expectation(law, length, lambda x: abs(float(f(x)[0])))
    assert long_mean <= short_mean + cost.mean + 1e-12


@pytest.mark.slow
def test_samples_agree_with_enumeration():
    rng = np.random.default_rng(5)
    f, g = (random_argmax(rng, tokens=2, period=2, locality=1) for _ in range(2))
    law = DirichletLaw([1, "1/2"])
    exact = exact_average_error(f, g, 8, law=law)
    largest = 1000.0
    for confidence in (0.9, 0.999):
        for bound in (None, largest):
            found = average_error(
                f, g, 8, law=law, samples=400, confidence=confidence, largest=bound, seed=7
            )
            assert found.low <= exact.mean <= found.high
    assert str(exact) == f"{exact.mean:.3g}"
    cost = average_simulation_error(f, 8, 4, law=law, samples=800, confidence=0.999)
    assert cost.low <= exact_simulation_error(f, 8, 4, law=law).mean <= cost.high


def test_empirical_bernstein_covers_and_student_says_what_it_is():
    rng = np.random.default_rng(0)
    misses = 0
    for _ in range(400):
        found = estimate(rng.random(50) < 0.05, confidence=0.9, largest=1.0)
        misses += not found.low <= 0.05 <= found.high
    assert misses <= 40
    assert found.method == "empirical Bernstein"
    assert estimate([0.0, 1.0]).method == "Student t"
    assert estimate(np.zeros(5), largest=1.0).low == 0.0
    for bad, name in [([1.0], "values"), ([-1.0, 1.0], "values"), ([math.nan, 1.0], "values")]:
        with pytest.raises(InputError, match=name):
            estimate(bad)
    with pytest.raises(InputError, match="largest"):
        estimate([0.0, 2.0], largest=1.0)
    with pytest.raises(InputError, match="confidence"):
        estimate([0.0, 2.0], confidence=1.0)


def test_a_profile_sets_measurement_beside_the_proved_bound():
    f, g = share_of_ones(), share_of_ones(2.0)
    rows = average_profile(f, g, [50, 10**7], short=10**6, law=DirichletLaw([2, 2]), samples=200)
    assert [row.short for row in rows] == [50, 10**6]
    assert all(row.holds for row in rows)
    assert rows[0].simulation_f.mean == 0.0
    assert 0 < rows[1].simulation_f.mean < rows[1].bound_f < 0.01
    assert rows[1].bound_g == pytest.approx(2 * rows[1].bound_f)
    assert rows[1].error.low < 0.5 < rows[1].error.high


def test_without_regularity_no_bound_exists():
    """Short inputs on one part of Σ, long ones on the rest: agreement says nothing."""
    f, g = share_of_ones(), share_of_ones(0.0)
    for switch in (10, 10**3, 10**6):
        law = SwitchedLaw(FixedLaw([1, 0]), FixedLaw([0, 1]), switch)
        assert average_error(f, g, switch, law=law, samples=2).mean == 0.0
        assert average_error(f, g, switch + 1, law=law, samples=2).mean == pytest.approx(1.0)
        with pytest.raises(InputError, match="law"):
            last_symbols_bound(f, switch, law=law)
    law = SwitchedLaw(FixedLaw([1, 0]), FixedLaw([0, 1]), 6)
    assert exact_average_error(f, g, 6, law=law).mean == 0.0
    assert exact_average_error(f, g, 7, law=law).mean == pytest.approx(1.0)
    # The property that every theorem uses is the one that fails: the end of a long input.
    ends = {
        simulate_last(x, 6)[0] for x in itertools.product(range(2), repeat=7) if law.probability(x)
    }
    assert ends == {1}
    assert law.probability((1,) * 6) == 0
    # With one law for all lengths the same pair is fine: they differ at short lengths already.
    assert average_error(f, g, 6, law=FixedLaw([0, 1]), samples=2).mean == pytest.approx(1.0)


def test_the_bound_knows_where_it_does_not_apply():
    rng = np.random.default_rng(2)
    f = random_argmax(rng, tokens=2, period=2, locality=2, gap=1)
    law = DirichletLaw([1, 1])
    assert last_symbols_bound(f, 15, law=law) is None  # below 2^(p/γ) = 16
    assert last_symbols_bound(f, 16, law=law) is not None
    assert last_symbols_bound(f, 4, law=law) is None
    soft = softmax_model(rng, 2, [0.0], 1.0)
    with pytest.raises(InputError, match="finite precision"):
        average_heads(soft, law)
    with pytest.raises(InputError, match="law"):
        average_heads(f, MarkovLaw([["1/2", "1/2"], ["1/2", "1/2"]], ["1/2", "1/2"]))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: DirichletLaw([]), "alpha"),
        (lambda: DirichletLaw([1, 0]), "alpha"),
        (lambda: DirichletLaw([1, math.nan]), "alpha"),
        (lambda: DirichletLaw(2), "alpha"),
        (lambda: FixedLaw([0.3, 0.3]), "probabilities"),
        (lambda: FixedLaw(["-1/2", "3/2"]), "probabilities"),
        (lambda: MarkovLaw([[1, 0], [0, 1]], [1, 0, 0]), "kernel"),
        (lambda: MarkovLaw([["1/2", "1/2"], [1, 0]], ["1/2", "1/2"]), "stationary"),
        (
            lambda: average_error(share_of_ones(), share_of_ones(), 3, law=DirichletLaw([1] * 3)),
            "f",
        ),
        (
            lambda: average_error(share_of_ones(), share_of_ones(), 0, law=DirichletLaw([1, 1])),
            "len",
        ),
        (
            lambda: average_simulation_error(share_of_ones(), 3, 4, law=DirichletLaw([1, 1])),
            "short",
        ),
        (
            lambda: exact_average_error(
                share_of_ones(), share_of_ones(), 30, law=DirichletLaw([1, 1])
            ),
            "length",
        ),
        (
            lambda: average_error(
                share_of_ones(), share_of_ones(), 3, law=DirichletLaw([1, 1]), samples=1
            ),
            "samples",
        ),
    ],
)
def test_bad_input_is_named(build, name):
    with pytest.raises(InputError, match=name):
        build()
