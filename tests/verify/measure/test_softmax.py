"""Constants of softmax models: by hand, against samples of all reachable outputs, and in logs."""

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy

import bounds
from verify import Head, InputError, Layer, LimitTransformer, measure
from verify.measure import SoftmaxConstants
from verify.measure.dyadic import Dyadic
from verify.measure.enclosure import FirstLayer

NO_MLP = (None, None, None)


def two_layer_model(rng, tokens=3, period=1, heads=2, hidden=4, scale=0.5, second=1, width=4):
    """Gaussian weights; head 0 is token dominant, head 1 position dominant, head 2 balanced."""

    def draw(*shape):
        return scale * rng.normal(size=shape)

    biases = ([0.25, -1.0], [0.0, 2.0], [1.0, 0.5])
    first = Layer(
        tuple(Head(draw(width, width), draw(width, width), biases[h % 3]) for h in range(heads)),
        draw(hidden, width),
        draw(hidden),
        draw(width, hidden),
    )
    last = Layer(
        tuple(Head(draw(width, width), draw(width, width), [0.0]) for _ in range(second)),
        draw(3, width),
        draw(3),
        draw(width, 3),
    )
    positions = draw(period, width) if period > 1 else np.zeros((1, width))
    return LimitTransformer(draw(tokens, width), positions, (first, last), draw(2, width), None)


def types_of(f):
    return (f.positions[:, None] + f.embedding[None]).reshape(-1, f.dimension)


def first_mlp(f, u):
    layer = f.layers[0]
    return u + np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0) @ layer.mlp_out.T


def reachable_points(f, rng, count):
    """First-layer outputs for random attention; every third one with attention on one type."""
    types = types_of(f)
    points = []
    for number in range(count):
        u = types[rng.integers(len(types))].copy()
        for head in f.layers[0].heads:
            weights = rng.dirichlet(np.full(len(types), rng.choice([0.05, 0.3, 1.0])))
            if number % 3 == 0:
                weights = np.eye(len(types))[rng.integers(len(types))]
            u += weights @ types @ head.value.T
        points.append(first_mlp(f, u))
    return np.array(points)


def two_layer_cases():
    shapes = itertools.product((1, 2), (1, 2, 3), (0, 5), (0.3, 0.8))
    return [pytest.param(i, *shape, id=str(shape)) for i, shape in enumerate(shapes)]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "period", "heads", "hidden", "scale"), two_layer_cases())
def test_enclosure_contains_what_is_reachable(seed, period, heads, hidden, scale):
    rng = np.random.default_rng(seed)
    f = two_layer_model(rng, period=period, heads=heads, hidden=hidden, scale=scale, second=2)
    form = measure(f).models[0].enclosed
    y = reachable_points(f, rng, 400)
    slack = 1 + 1e-12
    distances = np.linalg.norm(y[:, None] - y[None], axis=-1)
    assert distances.max() <= float(form.output_diameter) * slack
    assert np.linalg.norm(y, axis=1).max() <= float(form.output_norm) * slack
    for head, constants in zip(f.layers[1].heads, form.ingredients.heads, strict=True):
        logits = y @ head.query_key @ y.T
        assert np.ptp(logits, axis=0).max() <= float(constants.logit_range) * slack
        values = y @ head.value.T
        spread = np.linalg.norm(values[:, None] - values[None], axis=-1).max()
        assert spread <= float(constants.value_diameter) * slack
        keys = y @ head.query_key
        moved = np.linalg.norm(keys[:, None] - keys[None], axis=-1).max()
        assert moved <= float(constants.query_lipschitz) * slack
        tilt = (
            np.linalg.norm(head.value, 2)
            + spread * np.linalg.norm(y @ head.query_key.T, axis=1).max()
        )
        assert tilt <= float(constants.tilt_lipschitz) * slack


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_enclosure_withstands_climbing(seed):
    """Local search for the largest (y − y′)ᵀMq, ‖y‖ and functionals over attention weights."""
    rng = np.random.default_rng(seed)
    f = two_layer_model(rng, heads=2, hidden=6, scale=0.7)
    form = measure(f).models[0].enclosed
    types, score = types_of(f), f.layers[1].heads[0].query_key
    values = [types @ head.value.T for head in f.layers[0].heads]
    reach = FirstLayer.of(f).reachable()
    functional = rng.normal(size=f.dimension)
    _, greatest = reach.ranges(Dyadic.of(functional[None]))

    def output(weights, query):
        return first_mlp(f, types[query] + sum(w @ v for w, v in zip(weights, values, strict=True)))

    def climb(objective, arguments):
        best, state = -math.inf, None
        for step in range(600):
            if state is None or step % 150 == 0:
                trial = [
                    (rng.dirichlet(np.full(3, 0.2), size=2), int(rng.integers(3)))
                    for _ in range(arguments)
                ]
            else:
                trial = list(state)
                k = rng.integers(arguments)
                mixed = 0.7 * trial[k][0] + 0.3 * np.eye(3)[rng.integers(3, size=2)]
                trial[k] = (mixed, trial[k][1])
            found = objective(*(output(*argument) for argument in trial))
            if found > best:
                best, state = found, trial
        return best

    assert climb(lambda y: functional @ y, 1) <= float(greatest.largest()) + 1e-12
    assert climb(np.linalg.norm, 1) <= float(form.output_norm) + 1e-12
    best = climb(lambda y, z, q: (y - z) @ score @ q, 3)
    assert best <= float(form.ingredients.heads[0].logit_range) + 1e-12
    assert best > 0.1 * float(form.ingredients.heads[0].logit_range)  # not a vacuous bound


@pytest.mark.parametrize("seed", range(10))
def test_strips_around_relu_are_wide_enough(seed):
    """0 ≤ relu(z) − s z ≤ w at both ends of the exact range of z, and s z + w ≥ relu(z) at 0."""
    layer = FirstLayer.of(two_layer_model(np.random.default_rng(seed), hidden=6))
    slopes, reach = layer._slopes().fractions(), layer.reachable()
    ends = zip(layer.low.fractions(), layer.high.fractions(), strict=True)
    for slope, width, (low, high) in zip(slopes, reach.widths.fractions(), ends, strict=True):
        assert low <= high
        for z in (low, high):
            assert 0 <= max(z, 0) - slope * z <= width
        if low >= 0 or high <= 0:
            assert width == 0


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_without_mlp_the_enclosure_is_exact(heads):
    """Then 𝒴 is a union of polytopes: R₂, D_Y, D₂ and Y_max are met at vertices."""
    rng = np.random.default_rng(heads)
    f = two_layer_model(rng, hidden=0, heads=heads)
    form = measure(f).models[0].enclosed
    values = [types_of(f) @ head.value.T for head in f.layers[0].heads]
    vertices = np.array([sum(corner) for corner in itertools.product(types_of(f), *values)])
    head, constants = f.layers[1].heads[0], form.ingredients.heads[0]
    logits = vertices @ head.query_key @ vertices.T
    assert float(constants.logit_range) == pytest.approx(np.ptp(logits, axis=0).max(), rel=1e-12)
    for points, bound in (
        (vertices, form.output_diameter),
        (vertices @ head.value.T, constants.value_diameter),
        (vertices @ head.query_key, constants.query_lipschitz),
    ):
        largest = np.linalg.norm(points[:, None] - points[None], axis=-1).max()
        assert float(bound) == pytest.approx(largest, rel=1e-12)
    assert float(form.output_norm) == pytest.approx(np.linalg.norm(vertices, axis=1).max())


def test_units_that_never_switch_lose_nothing():
    """Bias +100: all units always on, −100: always off; the map is affine, the bounds exact."""
    rng = np.random.default_rng(5)
    f = two_layer_model(rng, hidden=2, heads=1)
    layer = Layer(f.layers[0].heads, f.layers[0].mlp_in, [100.0, -100.0], f.layers[0].mlp_out)
    f = LimitTransformer(f.embedding, f.positions, (layer, f.layers[1]), f.unembedding, None)
    values = types_of(f) @ layer.heads[0].value.T
    points = np.array([first_mlp(f, a + b) for a, b in itertools.product(types_of(f), values)])
    logits = points @ f.layers[1].heads[0].query_key @ points.T
    found = measure(f).models[0].enclosed.ingredients.heads[0].logit_range
    assert float(found) == pytest.approx(np.ptp(logits, axis=0).max(), rel=1e-10)


def test_many_vertices_use_the_middle_point_bound():
    rng = np.random.default_rng(1)
    f = two_layer_model(rng, tokens=9, heads=3, hidden=3, scale=0.4)
    form = measure(f).models[0].enclosed
    y = reachable_points(f, rng, 600)
    logits = y @ f.layers[1].heads[0].query_key @ y.T
    assert np.ptp(logits, axis=0).max() <= float(form.ingredients.heads[0].logit_range)
    distances = np.linalg.norm(y[:, None] - y[None], axis=-1)
    assert distances.max() <= float(form.output_diameter)


@pytest.mark.parametrize("seed", range(12))
def test_first_layer_moves_by_at_most_beta_times_total_variation(seed):
    """|Y(w, μ) − Y(w, ν)| ≤ β′ TV(μ, ν) for equal queries, and the step bound without e^R."""
    rng = np.random.default_rng(seed)
    f = two_layer_model(rng, heads=1, hidden=int(rng.integers(0, 6)), scale=0.8)
    beta = float(measure(f).models[0].enclosed.ingredients.beta_histogram.upper())
    step = FirstLayer.of(f).steps_up()
    types, head = types_of(f), f.layers[0].heads[0]
    for _ in range(300):
        mu, nu = rng.dirichlet(np.full(3, 0.3), size=2)
        if rng.random() < 0.3:
            nu = 0.99 * mu + 0.01 * np.eye(3)[rng.integers(3)]  # nearby laws: the derivative
        query = int(rng.integers(3))
        tilts = [np.exp(types @ head.query_key @ types[query]) * law for law in (mu, nu)]
        laws = [tilt / tilt.sum() for tilt in tilts]
        ends = [first_mlp(f, types[query] + law @ types @ head.value.T) for law in laws]
        moved = np.linalg.norm(ends[0] - ends[1])
        total_variation = np.abs(mu - nu).sum() / 2
        assert moved <= beta * total_variation * (1 + 1e-12) + 1e-14
        tilted = np.abs(laws[0] - laws[1]).sum() / 2
        bound = float(step.fractions()[query])
        assert moved <= bound * tilted * (1 + 1e-12) + 1e-14


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "period", "heads", "hidden", "scale"), two_layer_cases())
def test_norm_form_is_never_below_the_enclosed_form(seed, period, heads, hidden, scale):
    rng = np.random.default_rng(100 + seed)
    f = two_layer_model(rng, period=period, heads=heads, hidden=hidden, scale=scale, second=2)
    model = measure(f).models[0]
    norm, enclosed = model.norm, model.enclosed
    assert enclosed.output_diameter <= norm.output_diameter
    assert enclosed.output_norm <= norm.output_norm
    assert enclosed.ingredients.readout_lipschitz <= norm.ingredients.readout_lipschitz
    assert not enclosed.ingredients.beta > norm.ingredients.beta
    assert not enclosed.ingredients.beta_histogram > enclosed.ingredients.beta
    for sharp, loose in zip(enclosed.ingredients.heads, norm.ingredients.heads, strict=True):
        for name in ("logit_range", "value_diameter", "query_lipschitz", "tilt_lipschitz"):
            assert getattr(sharp, name) <= getattr(loose, name)
    for head in model.heads:
        assert head.logit_range <= head.logit_range_norm
        assert head.value_diameter <= head.value_diameter_norm
    assert model.log_complexity <= model.log_complexity_norm


def test_norm_form_equals_the_table_of_constants():
    f = two_layer_model(np.random.default_rng(3), heads=2)
    norm = measure(f).models[0].norm
    (first, second), e = f.layers, f.embedding
    spectral = np.linalg.norm
    diameter = max(spectral(a - b) for a in e for b in e)
    size = spectral(e, axis=1).max()
    mlp = 1 + spectral(first.mlp_in, 2) * spectral(first.mlp_out, 2)
    steps = [spectral(h.value, 2) * diameter for h in first.heads]
    ranges = [spectral(h.query_key, 2) * diameter * size for h in first.heads]
    attended = sum(spectral(e @ h.value.T, axis=1).max() for h in first.heads)
    d_y = mlp * (diameter + sum(steps))
    y_max = mlp * (size + attended) + spectral(first.mlp_out, 2) * spectral(first.mlp_bias)
    beta = mlp * sum(s * math.exp(r) for s, r in zip(steps, ranges, strict=True))
    score, value = (spectral(w, 2) for w in (second.heads[0].query_key, second.heads[0].value))
    readout = spectral(f.unembedding, 2) * (
        1 + spectral(second.mlp_in, 2) * spectral(second.mlp_out, 2)
    )
    head = norm.ingredients.heads[0]
    for found, expected in (
        (norm.mlp_lipschitz, mlp),
        (norm.output_diameter, d_y),
        (norm.output_norm, y_max),
        (norm.ingredients.beta.mid(), beta),
        # Head 1 is position dominant and does not see the histogram.
        (norm.ingredients.beta_histogram.mid(), mlp * steps[0] * math.exp(ranges[0])),
        (norm.ingredients.readout_lipschitz, readout),
        (head.logit_range, score * d_y * y_max),
        (head.value_diameter, value * d_y),
        (head.query_lipschitz, score * d_y),
        (head.tilt_lipschitz, value + score * y_max * value * d_y),
    ):
        assert float(found) == pytest.approx(expected, rel=1e-7)


def written_out(form, rate, d, period, tau, theta):
    """C of Theorem B4 (Δ = 1) or E, term by term as printed, for one second-layer head."""
    i, head = form.ingredients, form.ingredients.heads[0]
    beta, beta_h = float(i.beta.mid()), float(i.beta_histogram.mid())
    d2, l2, kappa = (
        float(v) for v in (head.value_diameter, head.tilt_lipschitz, head.query_lipschitz)
    )
    root = math.sqrt(theta * period)
    turns = 4 * d + 6 if period == 1 else 4 * d + 8
    return float(i.readout_lipschitz) * (
        (1 + d2 * kappa / 4) * (beta_h * (2 * d * root + tau + period) + 2 * beta * (tau + 1))
        + math.exp(head.logit_range)
        * (
            2 * l2 * beta * (tau + 1) / (1 - rate)
            + root * (turns * l2 * beta_h + (4 * tau / (theta * period) + 2 * d) * d2)
            + 2 * (tau + period) * d2
        )
    )


@pytest.mark.parametrize(("period", "theta"), [(1, 1), (1, 4), (2, 1), (3, 2)])
def test_complexity_is_the_formula(period, theta):
    rng = np.random.default_rng(period + theta)
    f = two_layer_model(rng, period=period, scale=0.3)
    g = two_layer_model(rng, period=period, heads=1, scale=0.3)
    c = measure(f, g, block=theta)
    assert isinstance(c, SoftmaxConstants)
    assert c.dimension == period * 2 + 4 + 4  # Δ(|Σ| − 1) and two ranks of random 4×4 matrices
    expected = []
    for model in c.models:
        rate = min(float(model.positional_margin), 0.5)
        expected.append(written_out(model.enclosed, rate, c.dimension, period, c.locality, theta))
        assert math.exp(model.log_complexity) == pytest.approx(expected[-1], rel=1e-9)
        norm = written_out(model.norm, rate, c.dimension, period, c.locality, theta)
        assert math.exp(model.log_complexity_norm) == pytest.approx(norm, rel=1e-9)
    found, other = c.complexity_balanced, c.complexity_periodic
    if period > 1:
        found, other = other, found
    assert other is None
    assert float(found) == pytest.approx(max(expected), rel=1e-9)


def test_average_complexity_is_the_formula():
    f = two_layer_model(np.random.default_rng(9), tokens=4, scale=0.3)
    c = measure(f)
    form = c.models[0].enclosed
    i, head = form.ingredients, form.ingredients.heads[0]
    beta, beta_h = float(i.beta.mid()), float(i.beta_histogram.mid())
    d2, l2, kappa = (
        float(v) for v in (head.value_diameter, head.tilt_lipschitz, head.query_lipschitz)
    )
    tau, rate = c.locality, 0.5

    def formula(spread, window, extra):
        return (
            2
            * float(i.readout_lipschitz)
            * (
                (1 + d2 * kappa / 4) * (beta * (tau + 1) + beta_h * spread / 2)
                + math.exp(head.logit_range)
                * (
                    l2 * beta * (tau + 1) / (1 - rate)
                    + l2 * beta_h * spread
                    + d2 * (window + 2 * tau + 1 + extra)
                )
            )
        )

    tokens = formula(math.sqrt(3), math.sqrt(tau + 0.5), 0)
    assert float(c.complexity_average) == pytest.approx(tokens, rel=1e-9)
    # λ = 1/2, π_min = 1/10: Θ = 3, m = ⌈log₂ 10⌉ = 4.
    chain = formula(math.sqrt(3 * 3), math.sqrt(2 * tau + 3), 4)
    found = c.markov_complexity("1/2", "1/10")
    assert float(found) == pytest.approx(chain, rel=1e-9)
    # The factor by which `bounds` covers the chain, ϱ of Theorem C5, is no smaller.
    factor = max(math.sqrt(3), (math.sqrt(3) + 1 + 4) / (1 + math.sqrt(1 / 2)))
    assert float(found) <= factor * tokens


def test_first_layer_heads_by_hand():
    # c(s, y): query 0 sees 0, 3, query 1 sees 1, 2: R = 3 for query 0, 1 for query 1.
    def head(bias):
        return Head([[0, 1], [3, 2]], np.diag([2.0, 0]), bias)

    layer = Layer(tuple(head(b) for b in ([0.5, 0.75], [1, 1], [1.5, 3, 3], [-0.5])))
    last = Layer((Head(np.eye(2), np.eye(2), [0, 0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer, last), np.eye(2), None)
    c = measure(f)
    heads = c.models[0].heads
    assert [h.regime for h in heads] == [
        "token dominant",
        "balanced",
        "position dominant",
        "token dominant",
    ]
    # τ = 2, so the shorter heads have φ = 0 at their last lags.
    margins = [Fraction(1, 4), 1, Fraction(3, 2), 1]
    assert [h.positional_margin for h in heads] == margins
    assert c.positional_margin == Fraction(1, 4)
    assert [h.query_ranges for h in heads] == [(3, 1)] * 4
    assert (c.logit_range, heads[0].value_diameter, c.heads) == (3, 2, 4)
    assert (c.locality, c.period, c.dimension) == (2, 1, 1 + 2 * 2)


def test_head_whose_biases_are_all_one_has_margin_one():
    layer = Layer((Head(np.zeros((2, 2)), np.eye(2), [1.0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,), np.eye(2), None)
    assert measure(f).positional_margin == 1


def test_one_layer_by_hand():
    # No MLP, U·V(e₀ − e₁) = 2: L = 2. R = 3. C = L e^R (|Σ|/4 + 3(τ+1)) with |Σ| = 2, τ = 0.
    layer = Layer((Head([[0, 1], [3, 2]], np.eye(2), [0.5]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,), [[1, -1]], None)
    c = measure(f)
    assert (c.layers, c.lipschitz, c.logit_range, c.positional_margin) == (1, 2, 3, Fraction(1, 2))
    assert float(c.complexity_one_layer) == pytest.approx(2 * math.exp(3) * 3.5, rel=1e-15)
    assert Fraction(c.complexity_one_layer) > 2 * Fraction(math.exp(3)) * Fraction(7, 2) * (
        1 - Fraction(1, 10**15)
    )
    assert c.parameters() == {
        "attention": "softmax",
        "layers": 1,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 0,
        "positional_margin": Fraction(1, 2),
        "lipschitz": 2,
        "lipschitz_euclidean": 2,
        "logit_range": 3,
        "logit_range_columns": 3,
    }


def one_layer_of_period_two(bias, columns=5.0):
    """Logit of a key: 3 for token 0, `columns` for residue 0; coordinates 1, token 0, residue 0."""
    query_key = np.zeros((3, 3))
    query_key[1:, 0] = 3, columns
    positions = np.array([[0, 0, 1], [0, 0, 0]])
    layer = Layer((Head(query_key, np.eye(3), bias),))
    return LimitTransformer([[1, 1, 0], [1, 0, 0]], positions, (layer,), np.eye(3), None)


@pytest.mark.parametrize(("bias", "columns"), [(0.5, 3), (1.0, 3), (1.25, 8)])
def test_logit_range_within_a_column(bias, columns):
    """Differences of residues count for position dominant heads only."""
    c = measure(one_layer_of_period_two([0.0, bias]))
    assert (c.period, c.logit_range, c.logit_range_columns) == (2, 8, columns)
    assert c.parameters()["logit_range_columns"] == columns
    (row,) = [line for line in c.table().splitlines() if line.startswith("R_c")]
    assert row.split()[-1] == str(columns)


def test_logit_ranges_are_the_larger_ones_of_f_and_g():
    f, g = one_layer_of_period_two([0.0]), one_layer_of_period_two([0.0], columns=-9.0)
    c = measure(f, g)
    assert (c.logit_range, c.logit_range_columns, c.assume) == (12, 3, {"no_lag_bias"})


def test_the_column_of_a_period_one_model_is_everything():
    f = two_layer_model(np.random.default_rng(3))
    f = LimitTransformer(f.embedding, f.positions, f.layers[:1], f.unembedding, None)
    c = measure(f)
    assert c.logit_range_columns == c.logit_range


def test_period_two_has_a_length():
    for bias, theorem in ([0.0], "no_bias_columns"), ([0.5], "columns"), ([2.0], "periodic"):
        c = measure(one_layer_of_period_two(bias))
        bound = bounds.required_length(
            error="linf", epsilon="1/10", assume=c.assume, **c.parameters()
        )
        assert bound.theorem.key == f"derived.one_layer_softmax_{theorem}"
        assert bound.length < 10**9


def test_one_layer_position_dominant_head_does_not_pay_for_the_vocabulary():
    layer = Layer((Head(np.zeros((2, 2)), np.eye(2), [2.0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer,), [[1, -1]], None)
    assert measure(f).complexity_one_layer == 4  # L = 2, R = 0, weight 2(τ + 1)


def test_two_layer_parameters_feed_required_length():
    c = measure(two_layer_model(np.random.default_rng(0), scale=0.3))
    best = bounds.required_length(error="linf", epsilon="1/10", **c.parameters())
    assert best.theorem.key == "derived.two_layer_softmax_balanced"
    (r,) = best.alternatives
    loose = bounds.required_length(
        theorem="derived.two_layer_softmax",
        epsilon="1/10",
        **(c.parameters() | {"complexity_balanced": c.complexity_balanced_norm}),
    )
    assert best.length < r.length
    assert r.log2_length < loose.log2_length


def test_the_five_numbers_of_the_output_from_their_definitions():
    rng = np.random.default_rng(1)
    f, g = (two_layer_model(rng, scale=scale) for scale in (0.3, 0.5))
    found = measure(f, g)
    names = ("lipschitz_query", "lipschitz_keys", "limit_query", "limit_keys", "influence_keys")
    by_model = []
    for model in found.models:
        m = model.enclosed.ingredients
        gain = 1 + sum(float(h.value_diameter * h.query_lipschitz) / 4 for h in m.heads)
        tilts = [math.exp(h.logit_range) * float(h.tilt_lipschitz) for h in m.heads]
        spreads = [math.exp(h.logit_range) * float(h.value_diameter) for h in m.heads]
        factors = (gain, sum(tilts), gain, sum(tilts), sum(spreads))
        betas = (m.beta_histogram, m.beta_histogram, m.beta, m.beta, 1)
        readout = float(m.readout_lipschitz)
        by_model.append([readout * a * float(b) for a, b in zip(factors, betas, strict=True)])
    for name, values in zip(names, zip(*by_model, strict=True), strict=True):
        assert float(getattr(found, name)) == pytest.approx(max(values), rel=1e-12)
        assert found.parameters()[name] == getattr(found, name)


def test_exponentials_beyond_every_float_stay_numbers():
    rng = np.random.default_rng(2)
    f = two_layer_model(rng, scale=4.0)
    c = measure(f)
    model = c.models[0]
    assert 10**4 < model.log_complexity < model.log_complexity_norm < math.inf
    assert isinstance(c.complexity_balanced, sympy.exp)
    assert float(c.complexity_balanced.args[0]) == pytest.approx(model.log_complexity, rel=1e-12)
    assert measure(two_layer_model(rng, scale=1e3)).models[0].log_complexity > 1e10


def test_weights_beyond_intervals_are_refused():
    with pytest.raises(InputError, match="weights whose logits stay below"):
        measure(two_layer_model(np.random.default_rng(2), scale=1e40))


def test_zero_complexity_is_passed_on_as_a_positive_number():
    layer = Layer((Head(np.zeros((2, 2)), np.zeros((2, 2)), [0.0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer, layer), np.eye(2), None)
    c = measure(f)
    assert c.models[0].log_complexity is None
    assert c.complexity_balanced == Fraction(1, 2**64)


def test_one_model_stands_for_two_of_its_kind():
    f = two_layer_model(np.random.default_rng(4))
    assert measure(f).dimension == measure(f, f).dimension
    assert measure(f).complexity_balanced == measure(f, f).complexity_balanced


@pytest.mark.parametrize("scale", [0.5, 4.0])
def test_constants_are_values(scale):
    """Equal weights give equal results, and results cross from one process to another."""
    f = two_layer_model(np.random.default_rng(4), scale=scale)
    assert measure(f) == measure(f)
    assert pickle.loads(pickle.dumps(measure(f))) == measure(f)
    assert hash(measure(f)) == hash(measure(f))


def test_periodic_positions_have_no_average_complexity():
    c = measure(two_layer_model(np.random.default_rng(4), period=2))
    assert c.complexity_average is None
    assert c.complexity_balanced is None
    assert {name for name in c.parameters() if "complexity" in name} == {"complexity_periodic"}
    with pytest.raises(InputError, match="two layers with period 1"):
        c.markov_complexity(1, 1)


def test_parameters_hold_every_complexity_that_is_defined():
    c = measure(two_layer_model(np.random.default_rng(4)))
    assert c.parameters() == {
        "attention": "softmax",
        "layers": 2,
        "vocabulary_size": 3,
        "period": 1,
        "locality": c.locality,
        "positional_margin": c.positional_margin,
        "complexity_balanced": c.complexity_balanced,
        "complexity_average": c.complexity_average,
        "block": 1,
        "dimension": c.dimension,
        "lipschitz_query": c.lipschitz_query,
        "lipschitz_keys": c.lipschitz_keys,
        "limit_query": c.limit_query,
        "limit_keys": c.limit_keys,
        "influence_keys": c.influence_keys,
    }
    assert c.complexity_periodic is None is c.complexity_one_layer
    assert c.complexity_average != c.complexity_balanced
    with pytest.raises(TypeError, match="average"):
        c.parameters(average=True)


@pytest.mark.parametrize("layers", [1, 2])
def test_period_is_always_passed_on(layers):
    """Positions (1), (0) against none: the period must reach the theorem."""
    layer = Layer((Head([[0]], [[0]], [0]),))
    f, g = (
        LimitTransformer([[0]], rows, (layer,) * layers, [[1]], None)
        for rows in ([[1], [0]], [[0]])
    )
    c = measure(f, g)
    assert c.parameters()["period"] == c.period == 2
    assert c.complexity_average is None is c.complexity_balanced is c.complexity_one_layer
    assert measure(g).parameters()["period"] == 1


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_assume_names_no_lag_bias_exactly_where_there_is_none(layers, bias):
    first = Layer((Head(np.eye(2), np.eye(2), [0, bias]),))
    last = Layer((Head(np.eye(2), np.eye(2), [0]),))
    stack = (first, last)[:layers]
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), stack, np.eye(2), None)
    c = measure(f)
    assert c.assume == (frozenset() if bias else {"no_lag_bias"})
    assert c.parameters()["locality"] == (1 if bias else 0)


@pytest.mark.parametrize("scale", [0.5, 4.0, 1e3])
@pytest.mark.parametrize("layers", [1, 2])
def test_repr_is_one_short_line(scale, layers):
    f = two_layer_model(np.random.default_rng(4), scale=scale)
    f = LimitTransformer(f.embedding, f.positions, f.layers[:layers], f.unembedding, None)
    text = repr(measure(f))
    assert "Fraction" not in text
    assert "\n" not in text
    assert len(text) < 200
    assert text.startswith(f"SoftmaxConstants(layers={layers}, |Σ|=3, Δ=1, τ=1, H=2, γ=0.75, R=")


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2])
def test_strict_floating_point_errors_change_nothing(layers):
    f = two_layer_model(np.random.default_rng(4), scale=1e-160, tokens=5)
    f = LimitTransformer(f.embedding, f.positions, f.layers[:layers], f.unembedding, None)
    plain = measure(f)
    with np.errstate(all="raise"):
        assert measure(f) == plain


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({"horizon": 2**20}, "horizon"),
        ({"block": 0}, "block"),
        ({"block": True}, "block"),
        ({"block": 1.5}, "block"),
    ],
)
def test_bad_keywords(keywords, name):
    with pytest.raises(InputError) as caught:
        measure(two_layer_model(np.random.default_rng(0)), **keywords)
    assert caught.value.name == name


@pytest.mark.parametrize("value", [0, 2, -1, True, "x", math.nan])
def test_bad_markov_numbers(value):
    c = measure(two_layer_model(np.random.default_rng(0), scale=0.3))
    with pytest.raises(InputError, match="spectral_gap"):
        c.markov_complexity(value, 1)
    with pytest.raises(InputError, match="stationary_min"):
        c.markov_complexity(1, value)


def test_table_shows_both_forms_of_every_constant():
    c = measure(two_layer_model(np.random.default_rng(0), scale=4.0))
    lines = c.table().splitlines()
    (row,) = [line for line in lines if line.startswith("R₂")]
    head = c.models[0].norm.ingredients.heads[0], c.models[0].enclosed.ingredients.heads[0]
    assert row.split()[-2:] == [f"{float(h.logit_range):.4g}" for h in head]
    (row,) = [line for line in lines if line.startswith("ln C")]
    assert [float(v) for v in row.split()[-2:]] == pytest.approx(
        [c.models[0].log_complexity_norm, c.models[0].log_complexity], rel=1e-5
    )
    (row,) = [line for line in lines if line.startswith("β ")]
    assert "10^" in row  # no float holds the norm form
