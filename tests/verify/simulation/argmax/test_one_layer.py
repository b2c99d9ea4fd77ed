"""Theorem 1 on real weights: every conclusion, with outputs computed exactly by other code."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import numpy as np
import pytest

import bounds
import verify
from verify import Head, InputError, Layer, LimitTransformer, Summary, inputs
from verify.checks.pairs import nested_pair, random_model, random_pair
from verify.model.summary import summarise
from verify.simulation import simulate, simulator
from verify.simulation.argmax.attention import ExactLogits
from verify.simulation.argmax.controls import CONTROLS
from verify.simulation.argmax.summaries import coarsened, expanded


def exact_hardmax_output(model, summary):
    """f on a summary in rationals, straight from the definition, attention hardmax."""
    F = Fraction
    E = [[F(v) for v in row] for row in model.embedding.tolist()]
    P = [[F(v) for v in row] for row in model.positions.tolist()]

    def times(matrix, vector):
        return [
            sum((F(a) * b for a, b in zip(row, vector, strict=True)), F(0))
            for row in matrix.tolist()
        ]

    def plus(*vectors):
        return [sum(parts, F(0)) for parts in zip(*vectors, strict=True)]

    keys = []  # (vector, how many, lag or None)
    for r, row in enumerate(summary.counts.tolist()):
        keys += [(plus(E[s], P[r % model.period]), c, None) for s, c in enumerate(row) if c]
    for lag, s in enumerate(summary.suffix.tolist()[::-1]):
        keys.append((plus(E[s], P[(summary.length - lag) % model.period]), 1, lag))
    query = plus(E[summary.suffix[-1]], P[summary.length % model.period])
    layer = model.layers[0]
    stream = query
    for head in layer.heads:
        projected = times(head.query_key, query)
        bias = head.lag_bias.tolist()
        logits = [
            sum(a * b for a, b in zip(y, projected, strict=True))
            + (F(bias[lag]) if lag is not None and lag < len(bias) else 0)
            for y, _, lag in keys
        ]
        chosen = [key for key, logit in zip(keys, logits, strict=True) if logit == max(logits)]
        total = sum(c for _, c, _ in chosen)
        mean = [sum(c * y[k] for y, c, _ in chosen) / F(total) for k in range(model.dimension)]
        stream = plus(stream, times(head.value, mean))
    hidden = [
        max(v + F(b), F(0))
        for v, b in zip(times(layer.mlp_in, stream), layer.mlp_bias.tolist(), strict=True)
    ]
    return times(model.unembedding, plus(stream, times(layer.mlp_out, hidden)))


def exact_error(model, x, z):
    a, b = (exact_hardmax_output(model, s) for s in (x, z))
    return max(abs(u - v) for u, v in zip(a, b, strict=True))


def assert_conclusions(run, s):
    """The theorem's conclusions, from the summaries alone."""
    assert s.holds, s.violations
    assert s.length <= s.limit
    assert (s.length - s.summary.length) % run.period == 0
    if s.epsilon >= run.constants.lipschitz:  # one type only: L = 0, any z will do
        assert s.limit == run.period
        return
    assert np.array_equal(s.summary.suffix, s.short_summary.suffix)
    assert not np.any((s.summary.counts == 0) & (s.short_summary.counts > 0))
    if s.length < s.summary.length:
        assert s.hardmax
        assert s.length > s.limit - run.period  # the window of training lengths
        for model, measured in ((run.f, s.error_f), (run.g, s.error_g)):
            exact = exact_error(model, s.summary, s.short_summary)
            assert exact <= s.epsilon
            assert abs(measured - exact) <= s.rounding_allowance


def law(model, summary):
    """Per head, the uniform law on its argmax set, on prefix types and single suffix lags."""
    laws = []
    for head in ExactLogits(model).attention(summary):
        assert head.hardmax
        weight = head.as_set().weight(summary.counts.tolist())
        parts = {t: Fraction(int(summary.counts[t]), weight) for t in head.types}
        laws.append(parts | {("lag", lag): Fraction(1, weight) for lag in head.suffix})
    return laws


@pytest.mark.slow
def test_output_moves_by_at_most_l_times_tv():
    """The claim under the theorem, on inputs that have nothing to do with its map."""
    closest = 0
    for seed in range(100):
        heads = 1 + seed % 3
        model = random_model([seed, 11], heads, 3, 2, 1, 6)
        constants = verify.measure(model).models[0].lipschitz
        rng = np.random.default_rng(seed)
        suffix = rng.integers(3, size=2)
        a, b = (
            Summary(
                np.array([rng.multinomial(total, rng.dirichlet([0.4] * 3)) for _ in range(2)]),
                suffix,
                2 * total + 2,
            )
            for total in (50, 400)
        )
        bound = Fraction(0)
        for constant, p, q in zip(constants, law(model, a), law(model, b), strict=True):
            moved = sum(abs(p.get(k, 0) - q.get(k, 0)) for k in {*p, *q}) / 2
            bound += constant.least * moved
        error = exact_error(model, a, b)
        assert error <= bound
        if bound:
            closest = max(closest, error / bound)
    assert closest > Fraction(4, 5)  # a constant a fifth smaller would be found out


def some_pair(seed):
    """A random pair with Δ 1..5, |Σ| 1..6, τ 0..4, H 1..3, and an N that can be written out."""
    rng = random.Random(seed)
    heads = 1 + seed % 3
    return random_pair(
        seed,
        heads=heads,
        vocabulary_size=rng.randint(1, 6),
        period=rng.randint(1, 5),
        locality=rng.randint(0, 4),
        steps={1: rng.choice([2, 5, 12]), 2: rng.choice([2, 4]), 3: 2}[heads],
    )


@pytest.mark.slow
@pytest.mark.parametrize("block", range(6))
def test_random_pairs_on_hostile_counts(block):
    shortened = 0
    for seed in range(12 * block, 12 * block + 12):
        pair = some_pair(seed)
        run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
        sizes = {
            "vocabulary_size": run.f.vocabulary_size,
            "period": run.period,
            "locality": run.locality,
        }
        rng = random.Random(seed)
        for number in range(20):
            family = rng.choice(["counts_heavy", "counts_heavy", "counts_even", "counts_once"])
            length = rng.choice([run.bound.length + rng.randint(1, 9), 10 ** rng.randint(6, 15)])
            x = inputs.make(family, number, length, **sizes).build()
            s = run(x)
            assert_conclusions(run, s)
            shortened += s.length < length
    assert shortened > 160


@pytest.mark.slow
def test_token_inputs_of_every_family():
    for seed in range(12):
        pair = some_pair(seed)
        run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
        for family in inputs.TOKEN_FAMILIES:
            length = min(run.bound.length + 1 + seed, 300_000)
            x = inputs.make(family, seed, length, vocabulary_size=run.f.vocabulary_size).build()
            s = run(x)
            assert_conclusions(run, s)
            assert s.short.shape == (s.length,)
            # z as tokens is the z whose counts were measured, also for the models as given.
            z = summarise(s.short, run.f.vocabulary_size, run.period, run.locality)
            assert z == s.short_summary
            for model, error in ((pair.f, s.error_f), (pair.g, s.error_g)):
                measured = np.abs(model(x) - model(s.short)).max()
                assert abs(measured - error) <= s.rounding_allowance


def test_against_the_reference_forward_pass():
    pair = random_pair(0, heads=1, vocabulary_size=3, period=1, locality=1, steps=4)
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    length = run.bound.length + 5
    assert length < 2000
    for seed in range(10):
        x = inputs.make("nested", seed, length, vocabulary_size=3).build()
        s = run(x)
        assert s.length < length
        for model, error in ((pair.f, s.error_f), (pair.g, s.error_g)):
            measured = np.abs(verify.reference(model, x) - verify.reference(model, s.short)).max()
            assert measured <= float(pair.epsilon) + s.rounding_allowance
            assert abs(measured - error) <= s.rounding_allowance


def test_limit_is_that_of_bounds_and_block_fits():
    pair = some_pair(4)
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    constants = verify.measure(pair.f, pair.g)
    bound = bounds.required_length(
        theorem="derived.one_layer_linf", epsilon=pair.epsilon, **constants.parameters()
    )
    s = run(inputs.make("uniform", 0, bound.length + 1, vocabulary_size=6).build() % 2)
    assert s.limit == bound.length
    assert s.log2_limit == bound.log2_length
    assert (run.bound.length - run.locality) % run.period == 0


def test_short_inputs_stay_as_they_are():
    pair = nested_pair()
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    for length in (1, 2, 3, run.bound.length):
        x = np.arange(length, dtype=np.int16) % 3
        s = run(x)
        assert s.holds
        assert np.array_equal(s.short, x)
        assert s.short.dtype == np.int64
        assert s.error_f == s.error_g == 0.0
    assert run(np.arange(run.bound.length + 1) % 3).length == run.bound.length


def mixed_periods():
    """f with Δ = 2, τ = 2 and g with Δ = 3, τ = 0."""
    f = random_model([7, 0], 1, 3, 2, 2, 6)
    g = random_model([7, 1], 2, 3, 3, 0, 6)
    return f, g


def test_lcm_of_periods_and_larger_locality():
    f, g = mixed_periods()
    epsilon = verify.measure(f, g).lipschitz / 3
    run = simulator(f, g, epsilon=epsilon)
    assert (run.period, run.locality) == (6, 2)
    for seed in range(5):
        x = inputs.make("nested", seed, run.bound.length + 7, vocabulary_size=3).build()
        s = run(x)
        assert s.length < x.size
        assert s.holds
        for model in (f, g):
            assert np.abs(model(x) - model(s.short)).max() <= float(epsilon)


def test_declared_period_and_locality_need_not_be_the_least():
    pair = random_pair(1, heads=1, vocabulary_size=3, period=2, locality=1, steps=6)
    (head,) = pair.f.layers[0].heads
    padded = dataclasses.replace(head, lag_bias=np.append(head.lag_bias, [0.0, 0.0]))
    wide = dataclasses.replace(
        pair.f,
        positions=np.tile(pair.f.positions, (3, 1)),
        layers=(dataclasses.replace(pair.f.layers[0], heads=(padded,)),),
    )
    narrow, loose = (simulator(f, pair.g, epsilon=pair.epsilon) for f in (pair.f, wide))
    assert (narrow.period, narrow.locality) == (loose.period, loose.locality)
    assert narrow.bound.length == loose.bound.length
    x = inputs.make("nested", 3, narrow.bound.length + 50, vocabulary_size=3).build()
    assert np.array_equal(narrow(x).short, loose(x).short)
    assert loose(x).holds


def test_hardmax_is_decided_not_assumed():
    # Margin 1, p = 6: below 64 = 2^6 the other residue still has weight, at 64 it has none.
    task = verify.tasks.mod_p(2, 1, precision_bits=6)
    head = task.transformer.layers[0].heads[0]
    weak = dataclasses.replace(head, query_key=head.query_key / 6)
    f = dataclasses.replace(task.transformer, layers=(Layer((weak,)),))
    run = simulator(f, epsilon="1/2")
    assert run.marks()[1] == 64
    for length, hardmax in ((62, False), (63, False), (64, True), (65, True)):
        x = np.arange(length) // 2 % 2
        assert run(x).hardmax is hardmax
        assert run(x).holds
    assert run(np.zeros(1, dtype=int)).hardmax


def test_a_head_that_is_not_hardmax_past_the_threshold_is_a_violation():
    pair = nested_pair()
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    low = dataclasses.replace(
        pair.f.layers[0].heads[0], query_key=pair.f.layers[0].heads[0].query_key / 80
    )
    # The constants of the pair, the logits of a model with a tenth of a unit as margin.
    run._logits = (type(run._logits[0])(dataclasses.replace(pair.f, layers=(Layer((low,)),))),)
    s = run(np.arange(100) % 3)
    assert not s.hardmax
    assert any("not hardmax at |x| = 100" in text for text in s.violations)


def test_large_epsilon_is_trivial():
    pair = mod = verify.tasks.mod_p(3, 1).transformer
    s = simulate(np.arange(1000) % 2, pair, mod, epsilon=1)
    assert s.limit == 3
    assert s.length == 1
    assert s.holds
    assert s.error_f <= 1
    x = np.ones(1001, dtype=int)
    z = simulate(x, mod, epsilon=1).short
    assert z.tolist() == [1, 1]


def test_astronomical_limit_leaves_inputs_alone():
    model = random_model([3, 3], 1, 3, 1, 0, 6)
    head = model.layers[0].heads[0]
    tiny = dataclasses.replace(head, query_key=head.query_key * 2.0**-60)
    f = dataclasses.replace(model, layers=(dataclasses.replace(model.layers[0], heads=(tiny,)),))
    s = simulate(np.arange(500) % 3, f, epsilon="1/100")
    assert s.limit is None
    assert s.log2_limit > 10**17
    assert s.length == 500
    assert s.holds


def test_summary_input_of_any_length():
    pair = nested_pair()
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    counts = np.array([[10**30, 1, 2]], dtype=object)
    x = Summary(counts, np.array([0]), 10**30 + 4)
    s = run(x)
    assert s.holds
    assert s.length <= s.limit
    assert s.short_summary.counts[0, 1:].tolist() == [1, 2]
    assert summarise(s.short, 3, 1, 0) == s.short_summary
    with pytest.raises(InputError, match="length"):
        expanded(x)


def test_coarsened_is_the_summary_of_the_same_input():
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 5, 17, 60):
        x = rng.integers(3, size=length)
        for period, locality in ((1, 0), (2, 1), (3, 3), (6, 4), (2, 0)):
            fine = summarise(x, 3, 6, 4)
            assert coarsened(fine, period, locality) == summarise(x, 3, period, locality)


def test_rounding_allowance_covers_float64():
    for seed in range(60):
        model = random_model([seed, 5], 1 + seed % 3, 4, 2, 1, 6)
        x = inputs.make("nested", seed, 500 + seed, vocabulary_size=4).build()
        summary = summarise(x, 4, 2, 1)
        exact = exact_hardmax_output(model, summary)
        allowance = verify.simulation.argmax.one_layer.rounding_allowance(model, x.size)
        error = max(abs(Fraction(float(a)) - b) for a, b in zip(model(x), exact, strict=True))
        assert error <= allowance < 1e-9


@pytest.mark.parametrize("control", CONTROLS)
def test_known_wrong_maps_fail(control):
    pair = nested_pair()
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon, control=control)
    kinds = set()
    for seed in range(24):
        x = inputs.make("counts_heavy", seed, 10**12, vocabulary_size=3).build()
        s = run(x)
        assert s.length == run.bound.length  # only the choice of tokens is wrong
        assert s.holds == (not s.violations)
        kinds |= {text.split(":")[-1].split()[0] for text in s.violations}
    assert "error" in kinds


def test_each_conclusion_is_really_tested():
    pair = random_pair(1, heads=1, vocabulary_size=3, period=2, locality=1, steps=6)
    run = simulator(pair.f, pair.g, epsilon=pair.epsilon)
    x = summarise(np.arange(40) % 3, 3, 2, 1)
    found = run._violations_of_length(x, summarise(np.arange(39) % 3, 3, 2, 1))
    assert any("mod 2" in text for text in found)
    run.bound = dataclasses.replace(run.bound, length=20)
    found = run._violations_of_length(x, x)
    assert any("> N = 20" in text for text in found)
    long = summarise(np.arange(4000) % 3, 3, 2, 1)
    found = run._violations_of_length(long, summarise(np.arange(2) % 3, 3, 2, 1))
    assert any("≥ 2^(p/γ)" in text for text in found)

    other = summarise((np.arange(40) + 1) % 3, 3, 2, 1)
    heads = run._attention(x)
    found = run._violations_of_attention(x, other, heads, run._attention(other))
    assert "the last τ + 1 tokens of z are not those of x" in found
    alone = summarise(np.zeros(40, dtype=int), 3, 2, 1)
    found = run._violations_of_attention(alone, x, run._attention(alone), heads)
    assert "the prefix of z has a type that x has not" in found
    assert any("argmax set" in text for text in found)


F = nested_pair().f
TWO_LAYERS = dataclasses.replace(F, layers=F.layers * 2)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"f": "model"}, "f"),
        ({"g": 3}, "g"),
        ({"epsilon": 0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"epsilon": True}, "epsilon"),
        ({"epsilon": "1/0"}, "epsilon"),
        ({"f": TWO_LAYERS}, "f"),
        ({"f": dataclasses.replace(F, precision_bits=None)}, "g.precision_bits"),
        ({"g": TWO_LAYERS}, "g"),
        ({"g": dataclasses.replace(F, precision_bits=9)}, "g.precision_bits"),
        ({"g": dataclasses.replace(F, embedding=F.embedding[:2])}, "g.vocabulary_size"),
        ({"g": dataclasses.replace(F, unembedding=np.ones((2, 4)))}, "g.output_dimension"),
        ({"theorem": "izzo2025.4.1"}, "theorem"),
        ({"x": []}, "x"),
        ({"x": [0.5]}, "x"),
        ({"x": [True]}, "x"),
        ({"x": [0, 3]}, "x[1]"),
        ({"x": Summary(np.array([[1, 0]]), np.array([0]), 2)}, "x"),
    ],
)
def test_bad_arguments(arguments, name):
    given = {"x": [0, 1, 2], "f": F, "g": F, "epsilon": "1/10", "theorem": None} | arguments
    with pytest.raises(InputError) as caught:
        simulate(
            given["x"], given["f"], given["g"], epsilon=given["epsilon"], theorem=given["theorem"]
        )
    assert caught.value.name == name
    assert len(str(caught.value).splitlines()) == 1


def test_control_must_be_known():
    with pytest.raises(InputError, match="control"):
        simulator(F, epsilon="1/10", control="shuffled")


def test_head_without_differences():
    # All logits equal, values all zero: L = 0, and every ε is large.
    head = Head(np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1))
    f = LimitTransformer(np.ones((2, 1)), np.zeros((1, 1)), (Layer((head,)),), np.ones((1, 1)), 8)
    s = simulate([0, 1, 1, 0], f, epsilon="1/1000")
    assert (s.length, s.limit, s.error_f) == (1, 1, 0.0)
    assert s.holds
