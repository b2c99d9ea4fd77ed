"""Clusters of near ties and attended sets: against the definitions, over all inputs of small models."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import bounds
from tests.verify.measure.test_argmax import exact_logits, one_hot_model
from verify import Head, InputError, Layer, LimitTransformer, measure, tasks
from verify.model.precision import is_dropped


def near_tie_model(rng, tokens, period, locality, heads, bits, width=3):
    """Integer weights, with many ties, some of them broken by a few 2^−7."""

    def draw(*shape):
        return rng.integers(-1, 2, shape).astype(float)

    def broken(*shape):
        few = rng.random(shape) < 0.3
        return draw(*shape) + few * rng.integers(-3, 4, shape) * 2.0**-7

    layer = Layer(
        tuple(
            Head(broken(width, width), draw(width, width), broken(locality + 1))
            for _ in range(heads)
        )
    )
    positions = draw(period, width) if rng.random() < 0.7 else np.zeros((period, width))
    return LimitTransformer(draw(tokens, width), positions, (layer,), draw(1, width), bits)


def near_tie_pair(seed):
    rng = np.random.default_rng(seed)
    tokens = int(rng.integers(1, 4))
    shape = [(2, 1), (1, 2), (1, 1), (2, 2)] if tokens < 3 else [(1, 1)]
    periods = shape[int(rng.integers(len(shape)))]
    bits = rng.integers(2, 7, size=2)
    if seed % 3:
        bits[1] = bits[0]
    return [
        near_tie_model(rng, tokens, period, int(rng.integers(2)), int(rng.integers(1, 3)), int(p))
        for period, p in zip(periods, bits, strict=True)
    ]


def logits_by_query(models):
    """The logits of all classes, of every query (token, residue) and head: from strings."""
    period = math.lcm(*(m.period for m in models))
    locality = max(m.locality for m in models)
    tokens = models[0].vocabulary_size
    found = {}
    for length in range(locality + 1 + period, locality + 1 + 2 * period):
        # Every token at every position, all others alike: a logit depends on no third token.
        for last, other in itertools.product(range(tokens), repeat=2):
            x = [other] * (length - 1) + [last]
            for number, model in enumerate(models):
                for head in range(model.heads[0]):
                    key = (last, length % period, number, head)
                    found.setdefault(key, set()).update(exact_logits(model, head, x))
    return found


def brute_clusters(logits, most_dropped, kept):
    """The partitions of one query whose clusters are kept whole and wide enough apart."""
    values = sorted(logits)
    gaps = [b - a for a, b in itertools.pairwise(values)]
    for cuts in itertools.product([False, True], repeat=len(gaps)):
        parts, part = [], [values[0]]
        for value, cut in zip(values[1:], cuts, strict=True):
            if cut:
                parts.append(part)
                part = []
            part.append(value)
        parts.append(part)
        diameter = max(part[-1] - part[0] for part in parts)
        distance = min((b[0] - a[-1] for a, b in itertools.pairwise(parts)), default=None)
        if kept(diameter) and (distance is None or most_dropped(distance)):
            yield diameter, distance


@pytest.mark.parametrize("seed", range(40))
def test_clusters_are_the_only_partition_that_the_definition_allows(seed):
    models = near_tie_pair(seed)
    bits = [m.precision_bits for m in models]
    by_query = logits_by_query(models)
    for horizon in (1, 10, 300, 2**12, 10**6):
        found = [
            list(
                brute_clusters(
                    logits,
                    lambda gap, t=horizon: is_dropped(t, gap, max(bits)),
                    lambda gap, t=horizon: not is_dropped(t, gap, min(bits)),
                )
            )
            for logits in by_query.values()
        ]
        assert all(len(parts) <= 1 for parts in found)
        c = measure(*models, horizon=horizon)
        assert c.candidates[0] == measure(*models).clustering
        exact = [b - a for v in by_query.values() for a, b in itertools.pairwise(sorted(v))]
        assert c.candidates[0].tie_tolerance == 0
        assert c.candidates[0].margin == min(exact, default=None)
        if all(found):
            kappa = max(diameter for ((diameter, _),) in found)
            distances = [distance for ((_, distance),) in found if distance is not None]
            assert (c.tie_tolerance, c.margin) == (kappa, min(distances, default=None))
        else:
            assert len(c.candidates) == 1


def test_random_pairs_have_near_ties_often_enough():
    pairs = [near_tie_pair(seed) for seed in range(40)]
    near = [measure(*pair, horizon=300).tie_tolerance > 0 for pair in pairs]
    assert 8 <= sum(near) <= 36


def test_a_chain_of_near_ties_is_one_cluster_of_its_whole_length():
    scores = np.array([[0.0] * 4, [0.25] * 4, [0.5] * 4, [9.0] * 4])
    f = one_hot_model(scores, [0], np.eye(4), bits=8)
    # Gaps of ¼ are joined up to T* = 2^10; the diameter is ½, and ½ · 10 < 8 < 8.5 · 10.
    c = measure(f, horizon=2**10)
    assert (c.tie_tolerance, c.margin, c.clustering.clusters) == (
        Fraction(1, 2),
        Fraction(17, 2),
        2,
    )
    # At T* = 2^20 the ends of the chain are 10 > 8 apart, but its links 5 < 8: no clusters.
    c = measure(f, horizon=2**20)
    assert len(c.candidates) == 1
    assert (c.tie_tolerance, c.margin) == (0, Fraction(1, 4))


def attended(model, head, present, suffix, residue, limit):
    """Prefix types (token, residue) that the definition attends to, for one kind of input.

    Built from clusters of all classes of the query; `present` are the prefix types of x, `suffix`
    its last tokens, the query last. None where the attended cluster has no prefix type of x.
    """
    weights = model.layers[0].heads[head]
    vector = {
        (s, r): model.embedding[s] + model.positions[r % model.period]
        for s in range(model.vocabulary_size)
        for r in range(2 * model.period)
    }
    query = vector[suffix[-1], residue % model.period]

    def logit(token, r, lag=None):
        content = vector[token, r % model.period] @ weights.query_key @ query
        bias = weights.lag_bias[lag] if lag is not None and lag < weights.lag_bias.size else 0
        return content + bias

    every = {logit(s, r) for s, r in vector}
    for lag in range(len(suffix)):
        allowed = range(model.vocabulary_size) if lag else [suffix[-1]]
        every |= {logit(s, (residue - lag) % model.period, lag) for s in allowed}
    cluster, number = {}, 0
    for before, value in itertools.pairwise([None, *sorted(every)]):
        number += before is not None and Fraction(value) - Fraction(before) >= limit
        cluster[value] = number
    own = [
        cluster[logit(s, (residue - lag) % model.period, lag)] for lag, s in enumerate(suffix[::-1])
    ]
    highest = max(own + [cluster[logit(*t)] for t in present])
    return frozenset(t for t in present if cluster[logit(*t)] == highest)


def over_all_inputs(models, clustering):
    """The most attended sets, the most light ones, and whether all are unions of columns.

    Over all sets of prefix types that occur, with each residue, and all suffixes.
    """
    period = math.lcm(*(m.period for m in models))
    tokens, locality = models[0].vocabulary_size, max(m.locality for m in models)
    apart = Fraction(10**9) if clustering.margin is None else clustering.margin
    columns = [[(s, r) for s in range(tokens)] for r in range(period)]
    subsets = [
        [c for n in range(1, tokens + 1) for c in itertools.combinations(column, n)]
        for column in columns
    ]
    most_sets, most_light, positional = 0, 0, True
    for chosen, suffix, residue in itertools.product(
        itertools.product(*subsets),
        itertools.product(range(tokens), repeat=locality + 1),
        range(period),
    ):
        present = [t for column in chosen for t in column]
        sets = {
            attended(model, head, present, suffix, residue, apart)
            for model in models
            for head in range(model.heads[0])
        } - {frozenset()}
        heavy = {p for p in sets if any(set(column) <= p for column in chosen)}
        most_sets, most_light = max(most_sets, len(sets)), max(most_light, len(sets - heavy))
        whole = all(set(column) <= p or not set(column) & p for p in sets for column in chosen)
        positional = positional and whole
    return most_sets, most_light, positional


@pytest.mark.parametrize("seed", range(100, 130))
def test_groups_and_named_hypotheses_hold_in_every_input(seed):
    models = near_tie_pair(seed)
    measured = measure(*models, horizon=300)
    for c in map(measured.candidate, range(len(measured.candidates))):
        sets, light, positional = over_all_inputs(models, c.clustering)
        assert sets <= c.clustering.attended_groups <= sum(m.heads[0] for m in models)
        assert light <= c.clustering.light_groups <= c.clustering.attended_groups
        assert c.parameters()["light_groups"] == c.clustering.light_groups
        assert "heavy" in c.assume
        if "positional_attention" in c.assume:
            assert positional
            assert light == 0
        if "all_light" in c.assume:
            assert sets <= c.parameters()["light_groups"]


def test_groups_are_mostly_counted_exactly_and_of_all_kinds():
    exact, kinds = [], set()
    for seed in range(100, 125):
        models = near_tie_pair(seed)
        for clustering in measure(*models, horizon=300).candidates:
            sets, light, positional = over_all_inputs(models, clustering)
            exact.append(
                (clustering.attended_groups, clustering.light_groups, clustering.positional)
                == (sets, light, positional)
            )
            left_out = clustering.light_groups < clustering.attended_groups
            kinds.add((clustering.positional, clustering.light_groups > 0, left_out))
    assert np.mean(exact) > 0.5
    assert kinds == {(True, False, True), (False, True, True), (False, True, False)}


def test_groups_of_heads_with_one_order_are_counted_once():
    low = [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    f = one_hot_model(low, [0], np.eye(3))
    same_order = one_hot_model(3 * np.array(low), [0], np.eye(3))
    other = one_hot_model(low[::-1], [0], np.eye(3))
    assert measure(f, same_order).clustering.light_groups == 1
    assert measure(f, other).clustering.light_groups == 2
    # One model alone stands for a pair: each has its own group.
    assert measure(f).clustering.light_groups == 2
    assert measure(f, f).assume == {
        "no_lag_bias",
        "shared_logits",
        "common_order",
        "heavy",
        "all_light",
    }


def test_a_set_with_a_whole_column_is_heavy_whatever_occurs():
    # Δ = 2: residue 1 has logit 1 with both tokens, and token 0 of residue 0 has it, too.
    head = Head(np.array([[1, 1], [0, 0]]), np.eye(2), [0])
    f = LimitTransformer([[1.0, 1], [1, 2]], [[0.0, 0], [0, 0]], (Layer((head,)),), np.eye(2), 8)
    c = measure(f, f)
    assert c.clustering.positional
    assert c.parameters()["light_groups"] == 0
    assert {"heavy", "positional_attention"} <= c.assume
    assert "all_light" not in c.assume


def test_parameters_of_near_ties_are_safe_for_both_precisions():
    scores = np.array([[2.0, 2], [2.0 - 2**-6, 2], [0, 0]])
    scores = np.hstack([scores, scores[:, :1]])
    f, g = (one_hot_model(scores, [0], np.eye(3), bits=bits) for bits in (4, 6))
    c = measure(f, g, horizon=2**10)
    near = c.parameters()
    # Kept: by p = 4; dropped from 2^(p/γ) on: by p = 6.
    assert c.precision_bits == 6
    assert near["precision_bits"] == 4
    assert near["precision_bits"] / near["margin"] == 6 / c.margin
    assert near["tie_tolerance"] == Fraction(1, 64)
    # A longer horizon than p = 4 allows is refused by `bounds`, not only by `measure`.
    longer = near | {"horizon": 2**256}
    with pytest.raises(bounds.ParameterError, match="no member of the highest cluster"):
        bounds.required_length(
            theorem="derived.one_layer_linf_horizon", epsilon="1/10", target=9, **longer
        )
    exact = c.candidate(0).parameters()
    assert (exact["precision_bits"], exact["margin"]) == (6, Fraction(1, 64))


def noisy(f, size, seed):
    """The model with Gaussian noise on its logits, as training leaves it."""
    rng = np.random.default_rng(seed)
    (layer,) = f.layers
    (head,) = layer.heads
    moved = replace(head, query_key=head.query_key + size * rng.normal(size=head.query_key.shape))
    return replace(f, layers=(replace(layer, heads=(moved,)),))


@pytest.mark.parametrize("period", [2, 3, 5])
def test_weights_as_training_leaves_them_get_a_length_one_can_use(period):
    g = tasks.mod_p(period, 1).transformer
    f = noisy(g, 1e-3, period)
    question = {"error": "linf", "epsilon": "1/10"}
    near = measure(f, g, horizon=2**20, epsilon="1/10")
    bound = bounds.required_length(assume=near.assume, **near.parameters(), **question)
    assert bound.theorem.key == "derived.one_layer_linf_positional"
    assert bound.length < 40 * period
    exact = measure(f, g)
    assert (
        bounds.required_length(assume=exact.assume, **exact.parameters(), **question).log2_length
        > 1000
    )


def test_epsilon_takes_what_gives_the_shorter_length():
    # Near ties of ⅜: θ = tanh(⅜ ln(2^15)/4) = 0.75 of L costs too much; exact ties: N = 2^16.
    scores = np.array([[0.0] * 3, [0.375] * 3, [4.0] * 3])
    f = one_hot_model(scores, [0], [[0.0, 4, 1]], bits=6)
    g = one_hot_model(scores, [0], [[0.0, 4, 2]], bits=6)
    default = measure(f, g, horizon=2**15)
    assert default.chosen == 1
    chosen = measure(f, g, horizon=2**15, epsilon="1/100")
    assert chosen == default.candidate(0)
    assert "κ=0," in repr(chosen)
    assert "near ties" in chosen.table()
    assert "not taken" in chosen.table()
    # A wide target pays for them.
    assert measure(f, g, horizon=2**15, epsilon="1/100", target=9).chosen == 0  # s ≥ L: N = Δ
    cheap = one_hot_model(scores, [0], [[0.0, 0.5, 0.5]], bits=6)
    assert measure(cheap, cheap, horizon=2**15, epsilon="1/5").chosen == 1


def test_without_a_horizon_only_equal_logits_are_ties():
    f = one_hot_model([[0, 0], [2**-20, 0]], [0], np.eye(2))
    c = measure(f)
    assert (c.horizon, c.tie_tolerance, c.margin) == (None, 0, Fraction(1, 2**20))
    assert not {"horizon", "tie_tolerance"} & set(c.parameters())
    assert "T*" not in c.table()


def test_table_and_repr_show_the_clusters():
    f = one_hot_model([[0, 0], [2**-20, 0]], [0], np.eye(2))
    c = measure(f, horizon=2**20)
    for text in (c.table(), repr(c)):
        assert "1048576" in text
        assert "9.537e-07" in text
    table = c.table()
    assert "taken as ties" in table
    assert "heavy, no_lag_bias, positional_attention" in table
    assert "largest logit of an input" not in table
    assert "\n" not in repr(c)


def test_candidates_of_another_number_and_realised_margins():
    f = one_hot_model([[0, 0], [2**-20, 0]], [0], np.eye(2))
    c = measure(f, horizon=2**20)
    assert c.candidate(1) == c
    assert c.candidate(0).parameters()["tie_tolerance"] == 0
    assert c.candidate(0).parameters(realised=True)["margin"] == c.margin_realised
    with pytest.raises(InputError, match=r"number: got 2.*0\.\.1"):
        c.candidate(2)
    with pytest.raises(InputError, match="number: got True"):
        c.candidate(True)
    with pytest.raises(InputError, match="realised: got True"):
        c.parameters(realised=True)


def test_near_ties_have_no_largest_gap():
    f = one_hot_model([[0, 0], [2**-20, 0]], [0], np.eye(2))
    c = measure(f, f, horizon=2**20)
    assert "largest_gap" in c.candidate(0).parameters()
    assert "largest_gap" not in c.parameters()


@pytest.mark.parametrize(
    ("keywords", "name", "words"),
    [
        ({"horizon": 0}, "horizon", "an integer ≥ 1"),
        ({"horizon": 1.5}, "horizon", "an integer ≥ 1"),
        ({"horizon": True}, "horizon", "an integer ≥ 1"),
        ({"epsilon": "1/10"}, "epsilon", "give horizon"),
        ({"target": "1/10"}, "target", "without epsilon"),
        ({"horizon": 99, "target": "1/10"}, "target", "without epsilon"),
        ({"horizon": 99, "epsilon": -1}, "epsilon", "≥ 0"),
        ({"horizon": 99, "epsilon": "x"}, "epsilon", "≥ 0"),
        ({"horizon": 99, "epsilon": 0}, "target", "> 0"),
        ({"horizon": 99, "epsilon": 1, "target": "1/2"}, "target", "greater than epsilon"),
    ],
)
def test_bad_horizons_and_errors(keywords, name, words):
    with pytest.raises(InputError) as caught:
        measure(one_hot_model(np.eye(2), [0], np.eye(2)), **keywords)
    assert caught.value.name == name
    assert words in str(caught.value)
    with pytest.raises(TypeError):
        measure(one_hot_model(np.eye(2), [0], np.eye(2)), tie_tolerance=1)
