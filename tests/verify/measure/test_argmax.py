"""Constants of one-layer models: by hand, by brute force, and against the naive forward pass."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import bounds
from verify import Head, InputError, Layer, LimitTransformer, measure, reference
from verify.measure import ArgmaxConstants, logit_levels
from verify.measure.line import line_lipschitz


def one_hot_model(scores, biases, unembedding, mlp=(None, None, None), positions=None, bits=8):
    """Tokens as unit vectors, V = 1: query_key[s, y] is the logit of token s for query y."""
    size = np.shape(scores)[0]
    positions = np.zeros((1, size)) if positions is None else positions
    layer = Layer((Head(scores, np.eye(size), biases),), *mlp)
    return LimitTransformer(np.eye(size), positions, (layer,), unembedding, bits)


def random_model(rng, tokens, period, locality, heads=1, hidden=3, integer=0, boost=0, bits=4):
    """Gaussian weights, or integers up to `integer`: the smaller, the more ties.

    boost: size of an integer lag bias that is added; large ones make some lags outrank others.
    """
    width = 3

    def draw(*shape):
        return rng.integers(-integer, integer + 1, shape) if integer else rng.normal(size=shape)

    layer = Layer(
        tuple(
            Head(
                draw(width, width),
                draw(width, width),
                draw(locality + 1) + rng.integers(0, boost + 1, locality + 1),
            )
            for _ in range(heads)
        ),
        draw(hidden, width),
        draw(hidden),
        draw(width, hidden),
    )
    return LimitTransformer(
        draw(tokens, width), draw(period, width), (layer,), draw(2, width), bits
    )


def exact(array):
    """An array of Fractions with the same values."""
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(np.asarray(array))


def exact_logits(f, head, x):
    """Logits of the last query of x, one per position, from the definition, as Fractions."""
    weights = f.layers[0].heads[head]
    table, rows = exact(f.embedding), exact(f.positions)
    y = [table[s] + rows[(i + 1) % f.period] for i, s in enumerate(x)]
    query = exact(weights.query_key) @ y[-1]
    bias = exact(weights.lag_bias)
    lags = range(len(x) - 1, -1, -1)
    return [
        key @ query + (bias[lag] if lag < bias.size else 0)
        for key, lag in zip(y, lags, strict=True)
    ]


def attention(f, head, x):
    """The attention of the last query of x as a law on (token, residue), in floats."""
    logits = np.array([float(a) for a in exact_logits(f, head, x)])
    weights = np.exp(math.log(len(x)) * (logits - logits.max()))
    weights[weights <= 2.0**-f.precision_bits] = 0
    law = np.zeros((f.vocabulary_size, f.period))
    for i, (s, weight) in enumerate(zip(x, weights / weights.sum(), strict=True)):
        law[s, (i + 1) % f.period] += weight
    return law


def brute_margins(f, head, longest):
    """Margin over all logits that a query meets in some input, and largest-to-next margin."""
    possible = {}
    realised = []
    for length in range(1, longest + 1):
        for x in itertools.product(range(f.vocabulary_size), repeat=length):
            logits = sorted(set(exact_logits(f, head, x)))
            possible.setdefault((x[-1], length % f.period), set()).update(logits)
            if len(logits) > 1:
                realised.append(logits[-1] - logits[-2])
    gaps = [b - a for logits in possible.values() for a, b in itertools.pairwise(sorted(logits))]
    return min(gaps, default=None), min(realised, default=None)


def test_hand_computed_model_without_mlp():
    # U·(e₀ − e₁) = 1 + 2: sharp 3; operator norms √5 · √2. Logits of query 0: 0 and ¾ beyond
    # lag 1, 1 and 1¾ at lag 1, 0 at lag 0. Query 1: 5 and 5, 6 and 6 at lag 1, 5 at lag 0.
    f = one_hot_model([[0, 5], [0.75, 5]], [0, 1], [[1, -2]])
    c = measure(f)
    assert isinstance(c, ArgmaxConstants)
    assert c.lipschitz == c.lipschitz_sharp == 3
    assert c.lipschitz_operator**2 == pytest.approx(10, rel=1e-12)
    assert (c.margin, c.margin_realised) == (Fraction(1, 4), Fraction(1, 4))
    assert (c.period, c.locality, c.heads, c.precision_bits) == (1, 1, 1, 8)
    assert c.largest_gap == Fraction(7, 4)
    # Equality in |f(x) − f(z)| ≤ L·TV: attention (1, 0) against (½, ½) on equal logits.
    flat = one_hot_model(np.zeros((2, 2)), [0], [[1, -2]])
    assert abs(reference(flat, [0, 0]) - reference(flat, [1, 0]))[0] == 3 * 0.5
    assert measure(flat).lipschitz == 3


def test_hand_computed_model_with_mlp():
    # One unit relu(u₀ − ½) writes on coordinate 1. U·w = 3, (UB)A·w = −2: sharp 3 + 2. The
    # attention output moves on a line, where the slopes are 3 (unit off) and 1 (on): 3.
    f = one_hot_model(np.zeros((2, 2)), [0], [[1, -2]], ([[1, 0]], [-0.5], [[0], [1]]))
    c = measure(f)
    assert (c.lipschitz, c.lipschitz_sharp) == (3, 5)
    assert c.lipschitz_operator**2 == pytest.approx(40, rel=1e-12)
    assert c.margin is None
    assert c.margin_realised is None


def test_margins_of_a_query_that_outranks_its_rivals():
    # Query 2 has logit 8 at its own position: the gap ½ between tokens 0 and 1 never matters.
    f = one_hot_model([[0, 0, 0], [0, 0, 0.5], [0, 0, 8]], [0], np.eye(3))
    c = measure(f)
    assert (c.margin, c.margin_realised) == (Fraction(1, 2), Fraction(15, 2))
    levels = logit_levels(f, token=2, residue=0)
    assert [level.logit for level in levels] == [8, Fraction(1, 2), 0]
    assert [{(key.token, key.lag) for key in level.keys} for level in levels] == [
        {(2, 0), (2, None)},
        {(1, None)},
        {(0, None)},
    ]


def test_margin_over_inputs_of_the_right_lengths_only():
    # One token, Δ = 2, φ(2) = 100. Queries at odd positions: T = 1 has one logit, T ≥ 3 a gap
    # near 100; the gap ¼ at lags 0 and 1 would need T = 2. Queries at even positions: T = 2, 7.
    head = Head([[7, 0], [0, 0.25]], np.eye(2), [0, 0, 100])
    f = LimitTransformer(np.zeros((1, 2)), np.eye(2), (Layer((head,)),), np.eye(2), 8)
    found = measure(f).models[0].margins[0]
    assert (found.margin, found.margin_realised) == (Fraction(1, 4), 7)
    assert (found.margin, found.margin_realised) == brute_margins(f, 0, 8)


def test_ties_split_by_float_rounding_are_ties():
    # Key 0 and key 1 have equal logits; floats add the same numbers in another order.
    numbers = np.array([0.1, 0.2, 0.3])
    assert numbers[0] + numbers[1] + numbers[2] != numbers[2] + numbers[1] + numbers[0]
    embedding = np.array([numbers, numbers[::-1], numbers + np.array([0, 0, 0.25])])
    head = Head(np.ones((3, 3)), np.eye(3), [0])
    f = LimitTransformer(embedding, np.zeros((1, 3)), (Layer((head,)),), np.eye(3), 8)
    c = measure(f)
    # Query y has logit (sum of its numbers) · (sum of the key's): the gap is the sum · ¼.
    total = sum(Fraction(v) for v in numbers)
    shift = Fraction(0.3 + 0.25) - Fraction(0.3)
    assert c.margin == total * shift
    assert c.margin > Fraction(1, 10)


def test_large_numbers_that_cancel():
    # 2^60 + 1 − 2^60: floats lose the 1, exact arithmetic keeps it.
    huge = 2.0**60
    embedding = np.array([[huge, 1, -huge], [0, 1, 0], [0, 1.5, 0]])
    query_key = np.zeros((3, 3))
    query_key[:, 1] = 1
    f = LimitTransformer(
        embedding, np.zeros((1, 3)), (Layer((Head(query_key, np.eye(3), [0]),)),), np.eye(3), 8
    )
    assert measure(f).margin == Fraction(1, 2)


def test_levels_within_a_tolerance_are_shown_as_one():
    near = 1e-9
    f = one_hot_model([[0, 0, 0], [near, 0, 0], [1, 0, 0]], [0], np.eye(3))
    top, ties = logit_levels(f, 0, 0, tie_tolerance="1/1000")
    assert (top.logit, top.spread) == (1, 0)
    assert (ties.logit, ties.spread) == (Fraction(near), Fraction(near))
    assert len(logit_levels(f, 0, 0)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_margins_equal_brute_force_over_all_inputs(seed):
    rng = np.random.default_rng(seed)
    period, locality = int(rng.integers(1, 3)), int(rng.integers(0, 3))
    tokens = 2 if period * (locality + 1) > 2 else 3
    integer, boost = (2, 0) if seed % 2 else (3, 40)
    f = random_model(rng, tokens, period, locality, integer=integer, boost=boost)
    longest = locality + 1 + 3 * period - (period == 2 and locality == 2)
    found = measure(f).models[0].margins[0]
    assert (found.margin, found.margin_realised) == brute_margins(f, 0, longest)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_outputs_move_by_at_most_l_times_total_variation(seed):
    rng = np.random.default_rng(seed)
    f = random_model(rng, 3, int(rng.integers(1, 4)), 1, heads=1 + seed % 3)
    model = measure(f).models[0]
    ratios = []
    for _ in range(40):
        last = rng.integers(0, 3)
        lengths = f.period * rng.integers(1, 8, 2) + rng.integers(1, f.period + 1)
        x, z = ([*rng.integers(0, rng.integers(1, 4), n - 1), last] for n in lengths)
        moved = np.abs(reference(f, x) - reference(f, z)).max()
        allowed = sum(
            float(constants.least) * np.abs(attention(f, head, x) - attention(f, head, z)).sum() / 2
            for head, constants in enumerate(model.lipschitz)
        )
        assert moved <= allowed * (1 + 1e-12) + 1e-12
        by_marginals = sum(
            float(constants.marginal)
            * max(np.abs(change.sum(axis=axis)).sum() / 2 for axis in (0, 1))
            for head, constants in enumerate(model.lipschitz)
            for change in [attention(f, head, x) - attention(f, head, z)]
        )
        assert moved <= by_marginals * (1 + 1e-12) + 1e-12
        if allowed > 0:
            ratios.append(moved / allowed)
    assert max(ratios) > 0.05  # the inequality is not an empty one


@pytest.mark.parametrize("seed", range(20))
def test_sharp_form_is_at_most_the_operator_form(seed):
    rng = np.random.default_rng(seed)
    f = random_model(rng, 4, 2, 1, heads=2, hidden=int(rng.integers(0, 6)))
    for head in measure(f).models[0].lipschitz:
        assert head.sharp <= head.operator
        assert head.sharp <= head.marginal  # a pair differs in its token, its residue, or both


def test_forms_agree_where_one_output_reads_one_difference():
    # One output, aligned with the only difference of values: all three forms are equal.
    f = one_hot_model(np.zeros((2, 2)), [0], [[1, -1]])
    c = measure(f)
    assert c.lipschitz == c.lipschitz_sharp == 2
    assert c.lipschitz_operator == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_slope_on_a_line_is_the_steepest_difference_quotient(seed):
    rng = np.random.default_rng(seed)
    f = random_model(rng, 2, 1, 0, hidden=6)
    slope = line_lipschitz(f)
    assert slope is not None
    assert slope <= measure(f).lipschitz_sharp
    layer, values = f.layers[0], (f.embedding + f.positions[0]) @ f.layers[0].heads[0].value.T
    shares = np.linspace(0, 1, 20001)[:, None]
    steepest = 0.0
    for query in f.embedding + f.positions[0]:
        u = query + shares * values[0] + (1 - shares) * values[1]
        out = u + np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0) @ layer.mlp_out.T
        steepest = max(steepest, np.abs(np.diff(out @ f.unembedding.T, axis=0)).max() * 20000)
    assert steepest <= float(slope) * (1 + 1e-9)
    assert steepest >= float(slope) * (1 - 1e-6)


def test_values_off_a_line_have_no_slope():
    assert line_lipschitz(one_hot_model(np.zeros((3, 3)), [0], np.eye(3))) is None


def test_least_period_and_locality():
    positions = np.array([[0.0, 1], [2, 0], [0, 1], [2, 0]])
    f = one_hot_model(np.eye(2), [0, 0.5, 0, 0], np.eye(2), positions=positions)
    c = measure(f)
    model = c.models[0]
    assert (model.period, model.locality) == (c.period, c.locality) == (2, 1)
    assert (model.declared_period, model.declared_locality) == (4, 3)


def test_pair_takes_the_worse_of_the_two():
    rng = np.random.default_rng(0)
    f = random_model(rng, 2, 2, 1, heads=2, bits=4)
    g = random_model(rng, 2, 3, 2, heads=1, bits=7)
    both, of_f, of_g = measure(f, g), measure(f), measure(g)
    assert (both.period, both.locality, both.heads, both.precision_bits) == (6, 2, 2, 7)
    assert both.lipschitz == max(of_f.lipschitz, of_g.lipschitz)
    assert both.lipschitz_other == min(of_f.lipschitz, of_g.lipschitz)
    assert of_f.lipschitz_other == of_f.lipschitz
    assert both.parameters()["lipschitz_other"] == both.lipschitz_other
    assert both.margin == min(of_f.margin, of_g.margin)
    assert both == measure(f, g)
    assert measure(g, f).parameters() == both.parameters()


def test_parameters_feed_required_length():
    f = one_hot_model([[0, 5], [0.75, 5]], [0, 1], [[1, -2]])
    c = measure(f)
    r = bounds.required_length(
        theorem="derived.one_layer_linf", error="linf", epsilon="1/2", **c.parameters()
    )
    # 2^(p/γ) = 2^32 against ⌈(3/4 + 2)((1 + 6)² − 1)⌉ = 132; N = (2^32 − 2) + 1 + 1.
    assert r.length == 2**32
    longer = c.parameters()
    assert longer["margin"] == c.margin
    assert c.parameters(realised=True)["margin"] == c.margin_realised


def test_no_two_logits_differ():
    c = measure(one_hot_model(np.zeros((2, 2)), [0], np.eye(2), bits=10))
    assert c.margin is None
    assert c.parameters()["margin"] == 10  # threshold 2^(10/10) = 2


def test_largest_gap_is_passed_on_only_where_its_theorem_applies():
    scores = np.array([[0, 0.5], [0.25, 0]])
    f = one_hot_model(scores, [0], np.eye(2))
    shifted = one_hot_model(scores + np.array([3, -1]), [0], [[1, 0], [2, 2]])
    assert measure(f, shifted).parameters()["largest_gap"] == Fraction(1, 2)
    assert "largest_gap" not in measure(f).parameters()
    assert "largest_gap" not in measure(f, one_hot_model(2 * scores, [0], np.eye(2))).parameters()
    biased = one_hot_model(scores, [0.125], np.eye(2))
    assert "largest_gap" not in measure(biased, biased).parameters()


def test_shared_logits_need_the_same_precision():
    """p = 4 and p = 20, logits ½ and 0: equal up to length 255, 0.94 apart at 256."""
    scores = np.array([[0.5, 0.5], [0, 0]])
    f, g = (one_hot_model(scores, [0], [[1, 0]], bits=bits) for bits in (4, 20))
    assert measure(f, f).shared_logits
    c = measure(f, g)
    assert not c.shared_logits
    assert "no_lag_bias" in c.assume
    assert "shared_logits" not in c.assume
    assert "largest_gap" not in c.parameters()
    x = [0] + [1] * 255
    assert reference(f, x[:255]) == pytest.approx(reference(g, x[:255]))
    assert abs(reference(f, x) - reference(g, x))[0] > 0.94


def test_order_in_common():
    """The same tokens preferred, and tied, by all heads for each query; positions do not matter."""
    low = np.array([[0, 1, 0], [0, 2, 1], [1, 0, 1]])  # keys × queries
    f = one_hot_model(low, [0], np.eye(3))
    assert measure(f, f).common_order
    assert not measure(f).common_order
    stretched = one_hot_model(np.where(low == 2, 7.5, low) - 3, [0, 0.5], np.eye(3))
    assert "common_order" in measure(f, stretched).assume
    for key, query, value in [(0, 0, 0.25), (1, 1, 1), (2, 2, 0.5), (2, 0, 0)]:
        other = low.astype(float)
        other[key, query] = value
        assert not measure(f, one_hot_model(other, [0], np.eye(3))).common_order


def test_order_in_common_with_positions():
    def model(token_weight, key_weight, query_weight, positions):
        # coordinates: token 1, constant, sign of the residue
        embedding = [[0.0, 1, 0], [1, 1, 0]]
        query_key = np.zeros((3, 3))
        query_key[0, 1], query_key[2, 1], query_key[0, 2] = token_weight, key_weight, query_weight
        head = Head(query_key, np.eye(3), [0])
        rows = [[0.0, 0, sign] for sign in positions]
        return LimitTransformer(embedding, rows, (Layer((head,)),), np.eye(3), 4)

    plain = model(1, 0, 0, [0])
    assert measure(plain, model(2, 0, 0, [1, -1])).common_order  # of period 1 and 2
    assert measure(plain, model(2, 0, 1, [1, -1, -1])).common_order
    assert not measure(plain, model(1, 0, 2, [1, -1])).common_order  # reversed at one residue
    turning = model(1, 0, 2, [1, -1])
    assert measure(turning, turning).common_order
    assert not measure(turning, model(1, 0, 2, [-1, 1])).common_order
    assert not measure(plain, model(1, 1, 0, [1, -1])).common_order  # the key's residue counts


@pytest.mark.parametrize("bias", [[0], [0, 0, 0], [0.5], [0, 0.5]])
def test_assume_never_contradicts_the_parameters(bias):
    f = one_hot_model([[0, 0.5], [0.25, 0]], bias, np.eye(2))
    g = one_hot_model([[1, 0.5], [1.25, 0]], bias, [[1, 2], [0, 1]])
    for c in (measure(f), measure(f, g), measure(f, f)):
        assert ("no_lag_bias" in c.assume) == (not any(bias))
        assert ("shared_logits" in c.assume) == (len(c.models) == 2) == c.shared_logits
        if "no_lag_bias" in c.assume:
            assert c.parameters()["locality"] == 0
        if "largest_gap" in c.parameters():
            assert c.assume >= {"no_lag_bias", "shared_logits"}
    bias_of_one = one_hot_model([[0, 0.5], [0.25, 0]], [0.125], np.eye(2))
    assert "no_lag_bias" not in measure(f, bias_of_one).assume


def test_repr_is_one_short_line():
    rng = np.random.default_rng(0)
    text = repr(measure(random_model(rng, 3, 2, 1), random_model(rng, 3, 1, 2)))
    assert "Fraction" not in text
    assert "\n" not in text
    assert len(text) < 200
    assert text.startswith("ArgmaxConstants(|Σ|=3, Δ=2, τ=2, H=1, p=4, L=")


def test_strict_floating_point_errors_change_nothing():
    f = random_model(np.random.default_rng(0), 3, 2, 1)
    tiny = one_hot_model(np.full((2, 2), 1e-300), [1e-320], [[1e-310, 1e300]])
    plain = measure(f), measure(tiny)
    with np.errstate(all="raise"):
        assert (measure(f), measure(tiny)) == plain


@pytest.mark.parametrize(
    ("arguments", "name", "words"),
    [
        (("no model",), "f", "a LimitTransformer"),
        ((one_hot_model(np.eye(2), [0], np.eye(2)), 3), "g", "a LimitTransformer"),
        (
            (one_hot_model(np.eye(2), [0], np.eye(2)), one_hot_model(np.eye(3), [0], np.eye(3))),
            "g.vocabulary_size",
            "2, as in f",
        ),
        (
            (one_hot_model(np.eye(2), [0], np.eye(2)), one_hot_model(np.eye(2), [0], [[1, 1]])),
            "g.output_dimension",
            "2, as in f",
        ),
        (
            (
                one_hot_model(np.eye(2), [0], np.eye(2)),
                one_hot_model(np.eye(2), [0], np.eye(2), bits=None),
            ),
            "g.attention",
            "argmax, as in f",
        ),
    ],
)
def test_models_that_cannot_be_measured_together(arguments, name, words):
    with pytest.raises(InputError) as caught:
        measure(*arguments)
    assert caught.value.name == name
    assert words in str(caught.value)


def test_all_mismatches_are_reported_at_once():
    with pytest.raises(InputError) as caught:
        measure(one_hot_model(np.eye(2), [0], np.eye(2)), one_hot_model(np.eye(3), [0], [[1] * 3]))
    assert [name for name, _, _ in caught.value.problems] == [
        "g.vocabulary_size",
        "g.output_dimension",
    ]


@pytest.mark.parametrize("tolerance", [-1, True, math.nan, math.inf, "near", [1]])
def test_bad_tolerance(tolerance):
    with pytest.raises(InputError, match="tie_tolerance: got"):
        logit_levels(one_hot_model(np.eye(2), [0], np.eye(2)), 0, 0, tie_tolerance=tolerance)


@pytest.mark.parametrize(
    ("query", "name"),
    [((2, 0, 0), "token"), ((0, 1, 0), "residue"), ((0, 0, 1), "head"), ((True, 0, 0), "token")],
)
def test_bad_query_of_the_table(query, name):
    with pytest.raises(InputError) as caught:
        logit_levels(one_hot_model(np.eye(2), [0], np.eye(2)), *query)
    assert caught.value.name == name


def test_two_layers_in_finite_precision_have_no_margin():
    layer = Layer((Head(np.eye(2), np.eye(2), [0]),))
    f = LimitTransformer(np.eye(2), np.zeros((1, 2)), (layer, layer), np.eye(2), 8)
    with pytest.raises(InputError, match=r"f\.layers: got 2"):
        measure(f)


def test_table_names_margins_and_lipschitz_forms():
    table = measure(one_hot_model([[0, 5], [0.75, 5]], [0, 1], [[1, -2]])).table()
    rows = {
        line[:5].strip() + line[5:].strip()[:11]: line.split()[-1] for line in table.splitlines()
    }
    assert rows["LLipschitz c"] == "3"
    assert rows["γlogit margi"] == "0.25"
    assert rows["operator no"] == "3.162"
    assert rows["named hypot"] == "heavy"
    assert "κ" not in table
    assert "no two logits differ" in measure(one_hot_model(np.eye(1), [0], [[1]])).table()
