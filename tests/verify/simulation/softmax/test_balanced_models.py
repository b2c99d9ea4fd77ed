"""The balanced map on two-layer models: Theorem B4, its constants, and its rate."""

import math

import numpy as np
import pytest

import verify
from tests.helpers.softmax_models import BIASES, hostile_inputs, random_model
from verify import Head, InputError, Layer, LimitTransformer, WeightsError
from verify.measure import complexity
from verify.simulation.softmax.attention_features import attention_features
from verify.simulation.softmax.balanced import (
    balanced_dimension,
    balanced_plan,
    simulate_balanced,
)
from verify.simulation.softmax.blocks import plan_blocks
from verify.simulation.softmax.first_layer import limit_outputs, prefix_histograms
from verify.simulation.softmax.pair import SoftmaxPair
from verify.simulation.softmax.proven_error import two_layer_error
from verify.simulation.softmax.random_chain import simulate_random_chain
from verify.simulation.softmax.simulator import SoftmaxSimulator
from verify.simulation.softmax.windows import Piece, Suffixes, suffix_types
from verify.tasks import in_context_k_gram
from verify.tasks.lower_bounds import average_of_runs

pytestmark = pytest.mark.covers("attack", "derived.two_layer_softmax")


def features_along(f, x):
    """Ψ(Y_j) at every position of x."""
    features, _ = attention_features(f, x)
    types, type_of = suffix_types(x, f.layers[0].locality, f.period)
    size = f.vocabulary_size
    histograms = prefix_histograms(x, 0, len(x), np.zeros((f.period, size), dtype=np.int64), size)
    return np.array(
        [
            features(Piece(1, Suffixes(types.tokens[[t]], types.residues[[t]]), h))[0]
            for t, h in zip(type_of, histograms, strict=True)
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("period", [1, 2])
def test_features_sum_to_zero_and_predict_the_attention_output(name, period):
    rng = np.random.default_rng(7)
    f = random_model(rng, layers=2, regimes=[name], period=period, last=2, scale=0.7)
    x = rng.integers(2, size=3000)
    values = features_along(f, x)
    assert np.abs(values.sum(axis=0)).max() <= 1e-9 * len(x)
    assert 0.01 <= np.abs(values).max() <= 10  # of the order of 1, as the solver needs it


def test_attention_output_tends_to_its_limit():
    # o* is what the second layer's head adds on a long input, up to O(T^(−γ̄)).
    rng = np.random.default_rng(8)
    f = random_model(rng, layers=2, regimes=["negative"], scale=0.7)
    head = f.layers[1].heads[0]
    bare = LimitTransformer(
        f.embedding, f.positions, (f.layers[0], Layer((head,))), np.eye(f.dimension), None
    )
    first = LimitTransformer(f.embedding, f.positions, f.layers[:1], np.eye(f.dimension), None)
    gaps = []
    for length in (300, 3000, 30_000):
        x = np.arange(length) // 7 % 2
        types, type_of = suffix_types(x, 1, 1)
        h = prefix_histograms(x, 0, length, np.zeros((1, 2), dtype=np.int64), 2)
        y = limit_outputs(f, Suffixes(types.tokens[type_of], types.residues[type_of]), h)
        weights = np.exp(y @ (head.query_key @ first(x)))
        limit = weights @ (y @ head.value.T) / weights.sum()
        gaps.append(np.linalg.norm(bare(x) - first(x) - limit))
    assert gaps[2] < gaps[1] < gaps[0]
    assert gaps[2] < 0.05 * gaps[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("scale", [0.15, 0.6])
def test_one_z_serves_both_models_within_the_proven_error(name, scale):
    rng = np.random.default_rng(int(100 * scale))
    for period, last in ((1, 1), (2, 2)):
        f = random_model(
            rng, layers=2, regimes=[name, "token"], scale=scale, period=period, last=last, outputs=2
        )
        g = random_model(rng, layers=2, regimes=[name], locality=2, scale=scale)
        for x in hostile_inputs(rng, 1500, 2).values():
            for length in (40, 120):
                s = simulate_balanced(x, f, g, length=length)
                assert s.length == len(s.short) == s.limit <= length
                assert s.length % period == len(x) % period
                assert np.array_equal(s.short[-3:], x[-3:])
                assert s.error_f == np.abs(f(x) - f(s.short)).max()
                assert s.error_g == np.abs(g(x) - g(s.short)).max()
                assert s.holds


@pytest.mark.slow
def test_second_layer_logits_may_be_large():
    # Frozen histograms can have attention e^50 above anything along x: z must still exist.
    rng = np.random.default_rng(4)
    for name in ("negative", "balanced"):
        f = random_model(rng, layers=2, regimes=[name, "token"], scale=2.5, period=2, last=2)
        for x in hostile_inputs(rng, 1500, 2).values():
            s = simulate_balanced(x, f, length=60)
            assert s.holds
            assert s.length <= 60
    sharp = in_context_k_gram(2, 2, 2000.0).transformer
    s = simulate_balanced(np.arange(3000) // 11 % 2, sharp, length=200)
    assert s.holds
    assert s.proven_error == math.inf


@pytest.mark.slow
def test_text_with_a_larger_vocabulary():
    rng = np.random.default_rng(0)
    text = "the map of a long input to a short one keeps the averages of the functions " * 40
    letters = sorted(set(text))
    x = np.array([letters.index(c) for c in text])
    f = random_model(rng, layers=2, regimes=["balanced"], size=len(letters), scale=0.2)
    for length in (100, 500):
        s = simulate_balanced(x, f, length=length)
        assert s.holds
        assert s.error_f <= 0.1


def test_declared_and_smallest_period_give_the_same_z():
    rng = np.random.default_rng(1)
    f = random_model(rng, layers=2, regimes=["token"])
    doubled = LimitTransformer(
        f.embedding, np.repeat(f.positions, 2, axis=0), f.layers, f.unembedding, None
    )
    x = hostile_inputs(rng, 1000, 2)["runs"]
    one, two = (simulate_balanced(x, model, length=100) for model in (f, doubled))
    assert np.array_equal(one.short, two.short)
    assert one.proven_error == two.proven_error


# ---------------------------------------------------------------- the bound


def by_hand(form, plan, d, locality):
    """Theorem B4⁺'s display in floats, written once more; a(n) is summed."""
    m, n, a = form.ingredients, plan.length, plan.tail
    theta, q, levels = plan.schedule.theta, plan.schedule.repeats, plan.schedule.levels
    beta, beta_histogram = float(m.beta), float(m.beta_histogram)
    rate = min(float(m.positional_margin), 1.0)
    scale = beta * (locality + 1)
    mean = scale * float(np.mean(np.arange(1.0, n + 1) ** -rate))
    eta_q = beta_histogram * (2 * d / (q * (levels + 1)) + a / n) + 2 * scale * n**-rate
    turns = (4 * d + (6 if plan.period == 1 else 8)) * (1 + math.log(q) / (2 * levels))
    total = eta_q
    for h in m.heads:
        d2, l2 = float(h.value_diameter), float(h.tilt_lipschitz)
        total += eta_q * d2 * float(h.query_lipschitz) / 4
        total += math.exp(float(h.logit_range)) * (
            2 * l2 * mean
            + (turns * l2 * beta_histogram + 2 * d * d2) / (q * (levels + 1))
            + 4 * locality * d2 / (theta * plan.period * (levels + 1))
            + 2 * a * d2 / n
        )
    return float(m.readout_lipschitz) * total


@pytest.mark.slow
@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize(("theta", "repeats"), [(1, 1), (2, 1), (1, 3)])
def test_proven_error_is_the_formula_and_at_most_c_times_the_rate(period, theta, repeats):
    rng = np.random.default_rng(5)
    f = random_model(
        rng, layers=2, regimes=["balanced", "position"], period=period, scale=0.4, last=2
    )
    model = verify.measure(f).models[0]
    rate = float(min(model.positional_margin, 0.5))
    for length in (50, 400, 20_000):
        grown = {"theta": theta, "repeats": repeats}
        plan = plan_blocks(10**6, length, locality=1, period=period, **grown)
        for name, form in (("enclosed", model.enclosed), ("norm", model.norm)):
            exact = two_layer_error(f, plan, dimension=7, locality=1, form=name)
            summed = by_hand(form, plan, 7, 1)
            assert summed <= exact * (1 + 1e-9)
            assert exact <= 1.05 * summed  # the sum against its integral
            assert plan.length >= 2 * (1 + period)
            if repeats == 1:
                c = complexity.two_layer(form.ingredients, 7, period, 1, theta)
                assert exact <= float(c) * plan.length**-rate
    enclosed, norm = (
        two_layer_error(f, plan, dimension=7, locality=1, form=form)
        for form in ("enclosed", "norm")
    )
    assert enclosed <= norm


def test_bounds_beyond_floats_are_infinite_not_wrong():
    task = in_context_k_gram(1, 2, 2000.0)
    plan = plan_blocks(10**4, 100, locality=1)
    assert two_layer_error(task.transformer, plan, dimension=3, locality=1) == math.inf


# ---------------------------------------------------------------- rates


@pytest.mark.slow
def test_balanced_beats_the_random_chain_on_long_runs():
    f = average_of_runs()
    lengths = [300, 600, 1200, 2400]
    balanced, random = [], []
    for n in lengths:
        x = np.resize(np.repeat([0, 1], 300), 100 * n)
        s = simulate_balanced(x, f, length=n, theta=1)
        assert s.holds
        balanced.append(s.error_f)
        chains = [simulate_random_chain(x, f, length=n, seed=seed).error_f for seed in range(8)]
        random.append(np.mean(chains))
    slope = np.polyfit(np.log(lengths), np.log(balanced), 1)[0]
    slope_random = np.polyfit(np.log(lengths), np.log(random), 1)[0]
    assert slope <= -0.40
    assert -0.42 <= slope_random <= -0.2
    assert balanced[-1] < 0.5 * random[-1]


# ---------------------------------------------------------------- refusals


def test_what_the_theorem_does_not_cover_is_refused():
    rng = np.random.default_rng(0)
    f = random_model(rng, layers=2, regimes=["token"])
    x = np.zeros(100, dtype=np.int64)
    head = f.layers[1].heads[0]
    biased = Layer((Head(head.query_key, head.value, np.array([0.0, 1.0])),))
    lagged = LimitTransformer(f.embedding, f.positions, (f.layers[0], biased), f.unembedding, None)
    other = random_model(rng, layers=2, regimes=["token"], size=3)
    with pytest.raises(WeightsError, match="lag_bias of g"):
        simulate_balanced(x, f, lagged, length=20)
    with pytest.raises(WeightsError, match="vocabulary_size"):
        simulate_balanced(x, f, other, length=20)
    with pytest.raises(WeightsError, match=r"f\.layers"):
        simulate_balanced(x, random_model(rng, layers=1, regimes=["token"]), length=20)
    with pytest.raises(InputError, match="length"):
        simulate_balanced(x, f, length=2)
    with pytest.raises(InputError, match="theta"):
        simulate_balanced(x, f, length=20, theta=0)


@pytest.mark.parametrize(("locality", "more"), [(0, 0.01), (2, 0.6)])
def test_the_best_pieces_have_a_smaller_bound_than_those_of_lengths_all_different(locality, more):
    rng = np.random.default_rng(6)
    f = random_model(rng, layers=2, regimes=["token"], locality=locality, scale=0.3)
    pair = SoftmaxPair(f, None, layers=2)
    for length in (40, 400, 4000, 400_000):
        best, old = (
            two_layer_error(f, plan, dimension=balanced_dimension(pair), locality=pair.locality)
            for plan in (
                balanced_plan(pair, 10**7, length),
                balanced_plan(pair, 10**7, length, (1, 1, None)),
            )
        )
        assert best <= old
    assert best <= more * old


def test_pieces_that_do_not_fit_are_refused():
    f = random_model(np.random.default_rng(0), layers=2, regimes=["token"])
    x = np.zeros(1000, dtype=np.int64)
    with pytest.raises(InputError, match="the length of these pieces"):
        simulate_balanced(x, f, length=50, theta=2, repeats=3, levels=6)
    with pytest.raises(InputError, match="levels"):
        simulate_balanced(x, f, length=50, levels=0)
    with pytest.raises(InputError, match="repeats"):
        simulate_balanced(x, f, length=50, repeats=0)


def test_short_inputs_stay_as_they_are():
    f = random_model(np.random.default_rng(0), layers=2, regimes=["token"])
    s = simulate_balanced([0, 1, 1], f, f, length=50)
    assert s.short.tolist() == [0, 1, 1]
    assert s.error == 0
    assert s.error_g == 0


# ---------------------------------------------------------------- at a wanted error


def test_the_proven_length_for_an_epsilon_is_enough():
    rng = np.random.default_rng(2)
    f = random_model(rng, layers=2, regimes=["negative"], scale=0.1)
    g = random_model(rng, layers=2, regimes=["token"], scale=0.1)
    run = SoftmaxSimulator(f, g, "1/2")
    assert run.theorem == "derived.two_layer_softmax_balanced"
    x = np.arange(3 * run.bound.length + 1000) // 90 % 2
    s = run(x)
    assert s.length == s.limit == run.bound.length
    assert s.error <= s.proven_error <= 0.5
    few = x[: run.bound.length]
    assert run(few).short.tolist() == few.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", ["1/20", "1/200"])
def test_z_has_the_length_that_bounds_says(epsilon):
    rng = np.random.default_rng(3)
    pair = [
        random_model(rng, layers=2, regimes=["token"], scale=0.1, period=period)
        for period in (1, 3)
    ]
    run = SoftmaxSimulator(*pair, epsilon)
    for extra in (1, 2, 3):
        x = np.arange(run.bound.length + extra) // 7 % 2
        s = run(x)
        assert run.bound.length - 2 <= s.length <= run.bound.length < len(x)
        assert (s.length - len(x)) % 3 == 0
        assert s.error <= s.proven_error <= float(run.epsilon)


def test_lengths_too_large_to_shorten_to_leave_x_alone():
    task = in_context_k_gram(1, 2, 500.0)
    run = SoftmaxSimulator(task.transformer, None, "1/10")
    assert run.bound.log2_length > 1000
    x = np.array([0, 1, 0, 0, 1])
    assert run(x).short.tolist() == x.tolist()


def test_one_layer_at_an_epsilon_and_where_any_last_token_will_do():
    rng = np.random.default_rng(3)
    f = random_model(rng, layers=1, regimes=["negative"], scale=0.3, locality=2)
    x = rng.integers(2, size=20_000)
    fine = SoftmaxSimulator(f, None, "1/100")(x)
    assert fine.length <= fine.limit < len(x)
    assert fine.error <= fine.proven_error <= 0.01
    coarse = SoftmaxSimulator(f, None, 1000)(x)
    assert coarse.short.tolist() == x[-1:].tolist()
    assert coarse.error <= 1000


@pytest.mark.parametrize("epsilon", [0, -1, "abc", math.nan])
def test_epsilon_must_be_positive(epsilon):
    with pytest.raises(InputError, match="epsilon"):
        SoftmaxSimulator(average_of_runs(), None, epsilon)


def test_one_layer_with_positions_has_no_proven_length():
    f = random_model(np.random.default_rng(0), layers=1, regimes=["token"], period=2)
    with pytest.raises(InputError, match="positions"):
        SoftmaxSimulator(f, None, 1)
