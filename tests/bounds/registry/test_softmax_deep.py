"""Theorem D: what it covers, monotone in every constant, against two layers, numbers of any size."""

import time
from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import pytest
from flint import arb, ctx

import bounds
from bounds import DepthConstants, HeadConstants, LayerConstants
from bounds.depth_error import coefficients, interval

KEY = "derived.softmax_deep"
CELL = {"error": "linf", "attention": "softmax", "vocabulary_size": 2, "period": 1}


def toy(depth, norm=F(1, 4), bias="balanced", last_bias=None):
    """‖V‖ = ‖M‖ = `norm` in every layer, no networks, embeddings of norm 1 at distance 1."""
    size = diameter = F(1)
    layers = []
    for level in range(depth):
        spread = norm * diameter
        kind = bias if last_bias is None or level < depth - 1 else last_bias
        head = HeadConstants(
            *(norm * diameter * size, spread, norm + norm * size * spread, norm * diameter),
            *(1, 1, kind),
        )
        layers.append(LayerConstants(1, int(kind != "none"), (head,)))
        diameter, size = diameter + spread, size * (1 + norm)
    return DepthConstants(tuple(layers))


def ask(constants, epsilon="1/10", **given):
    given = {"positional_margin": 1} | given
    return bounds.required_length(
        layers=constants.layers, epsilon=epsilon, depth_constants=constants, **CELL | given
    )


def error(constants, gamma=F(3, 4), log_eta=-4, theta=3, q=5, J=7):
    with ctx.workprec(128):
        found = coefficients(constants, 2, 1, interval(gamma), log_eta)
        end = sum(constants.localities) + 1
        return max(
            float(one.at(arb(theta), arb(q), arb(J), 1, end, interval(gamma))) for one in found
        )


def test_the_numbers_of_the_page():
    assert [ask(toy(depth)).length for depth in (2, 3, 4)] == [5547, 572_908, 45_639_599]
    assert 1.5e10 < ask(toy(3, F(1, 2))).length < 1.6e10


def test_any_depth_and_lag_biases_in_every_layer():
    for depth in (2, 3, 5):
        answer = ask(toy(depth))
        assert answer.theorem.key == KEY
        assert answer.status is bounds.Status.PROVED
        assert answer.setting.layers == depth
        assert answer.expression is None  # searched for: no formula at other values
    late = toy(2, bias="none", last_bias="position dominant")
    assert ask(late).theorem.key == KEY


def test_depth_is_refused_where_nothing_covers_it():
    covered = "linf, softmax, 2 or more layers"
    for error_, attention in (("average", "argmax"), ("average", "softmax")):
        with pytest.raises(bounds.UnsupportedSetting, match="3 layers") as caught:
            bounds.required_length(error=error_, attention=attention, layers=3, epsilon=1)
        assert covered in caught.value.covered
    with pytest.raises(bounds.ParameterError, match="depth_constants: missing"):
        bounds.required_length(**CELL, layers=3, epsilon=1)


def test_constants_of_another_depth_are_refused():
    for layers in (1, 2, 4):
        with pytest.raises(bounds.ParameterError, match=f"asked for, {layers}"):
            bounds.required_length(**CELL, layers=layers, epsilon=1, depth_constants=toy(3))
    alone = bounds.required_length(
        theorem=KEY,
        epsilon=1,
        depth_constants=toy(3),
        vocabulary_size=2,
        period=1,
        positional_margin=1,
    )
    assert alone.setting.layers == 3
    with pytest.raises(bounds.ParameterError, match="2 or more"):
        bounds.required_length(theorem=KEY, layers=1, epsilon=1)


def test_catalogue_and_cube_know_any_depth():
    for layers in (2, 3, 100):
        found = bounds.theorems(error="linf", attention="softmax", layers=layers)
        assert KEY in [entry.key for entry in found]
    assert list(bounds.theorems(layers=1, source="lgbounds")) != []
    assert KEY not in [entry.key for entry in bounds.theorems(layers=1)]
    assert str(bounds.theorem(KEY).setting) == "linf, softmax, 2 or more layers"
    with pytest.raises(bounds.ParameterError, match="an integer ≥ 1"):
        bounds.theorems(layers="2")


def test_what_contradicts_the_constants_is_refused():
    with pytest.raises(bounds.ParameterError, match="at most 1, the largest τ"):
        ask(toy(3), locality=2)
    assert ask(toy(3), locality=1).unused == ("locality",)
    with pytest.raises(bounds.ParameterError, match="heads without lag bias"):
        ask(toy(3), assume={"no_lag_bias"})
    assert ask(toy(3, bias="none"), assume={"no_lag_bias"}).theorem.key == KEY
    with pytest.raises(bounds.ParameterError, match="infinite precision"):
        ask(toy(3), precision_bits=8)


def test_the_margin_is_needed_only_with_lag_biases():
    given = {k: v for k, v in CELL.items()}
    with pytest.raises(bounds.ParameterError, match="positional_margin: missing"):
        bounds.required_length(**given, layers=3, epsilon=1, depth_constants=toy(3))
    free = bounds.required_length(
        **given, layers=3, epsilon="1/10", depth_constants=toy(3, bias="none")
    )
    assert free.parameters["positional_margin"] == 1
    assert free.length == ask(toy(3, bias="none"), positional_margin="1/8").length


GROWING = ("logit_range", "value_diameter", "tilt_lipschitz", "query_lipschitz")


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_error_grows_with_every_constant(depth):
    start = toy(depth)
    base = error(start)
    layers = start.f
    moved = 0
    for level, layer in enumerate(layers):
        (head,) = layer.heads
        changes = [replace(layer, lipschitz=layer.lipschitz * F(5, 4))]
        changes.append(replace(layer, locality=layer.locality + 1))
        for name in GROWING:
            more = replace(head, **{name: getattr(head, name) * F(5, 4)})
            changes.append(replace(layer, heads=(more,)))
        for name in ("value_rank", "score_rank"):
            more = replace(head, **{name: getattr(head, name) + 1})
            changes.append(replace(layer, heads=(more,)))
        changes.append(replace(layer, heads=(head, head)))
        for number, change in enumerate(changes):
            grown = DepthConstants((*layers[:level], change, *layers[level + 1 :]))
            assert error(grown) >= base
            moved += error(grown) > base
            read = number < 2 or level > 0  # layer 1 has no ℓ, ‖M‖ D_Y, ranks
            if read and not (number == 7 and level in (0, depth - 1)):
                assert error(grown) > base
    assert moved > 5 * depth


def test_the_length_moves_with_constants_up_to_the_search():
    lengths = [ask(toy(3, F(k, 20))).length for k in (2, 3, 5, 7)]
    assert lengths == sorted(lengths)
    by_error = [ask(toy(3), epsilon=F(1, k)).length for k in (2, 8, 16, 32)]
    assert by_error == sorted(by_error)
    by_margin = [ask(toy(3), positional_margin=F(k, 8)).length for k in (8, 4, 1)]
    assert by_margin == sorted(by_margin)
    ratios = [b / a for a, b in pairwise(by_error)]
    assert 3.5 < ratios[-1] < 6.5  # s^−2 up to logarithms


def test_two_layers_are_theorem_b4_with_two_larger_terms():
    """P = 2, φ₂ ≡ 0, q = 1: 6τ/θ for 4τ/θ, and 2a/n for a/n in η_q; both bounds by hand."""
    c = toy(2, last_bias="none")
    (one,), (two,) = (layer.heads for layer in c.f)
    theta, K, tau, d, gamma = 1, 1000, 1, 3, 0.5
    n, eta = theta * K * (K + 1) // 2 + tau + 1, 1 / (K + 1)
    with ctx.workprec(128):
        grow = {h: float(interval(h.logit_range).exp()) for h in (one, two)}
    beta = float(one.value_diameter) * grow[one]
    D, ell, MD = map(float, (two.value_diameter, two.tilt_lipschitz, two.query_lipschitz))

    def b4(fragments, end):
        query = beta * (2 * d * eta + end * (tau + 1) / n) + 2 * beta * (tau + 1) * n**-gamma
        inner = 2 * ell * beta * (tau + 1) * n**-gamma / (1 - gamma)
        inner += eta * ((4 * d + 6) * ell * beta + (fragments * tau / theta + 2 * d) * D)
        return query * (1 + D * MD / 4) + grow[two] * (inner + 2 * (tau + 1) * D / n)

    found = error(c, gamma=F(1, 2), log_eta=0, theta=1, q=1, J=K)
    assert found == pytest.approx(b4(6, 2), rel=1e-12)
    assert found == pytest.approx(0.0142042, rel=1e-5)
    assert b4(4, 1) == pytest.approx(0.0132801, rel=1e-5)


@pytest.mark.parametrize("size", [10**3, 10**6, F(10) ** 60])
@pytest.mark.parametrize("depth", [2, 3])
def test_logit_ranges_of_any_size_get_an_answer_at_once(size, depth):
    layer = LayerConstants(1, 1, (HeadConstants(size, 1, 1, 1, 1, 1, "balanced"),))
    start = time.perf_counter()
    try:
        answer = ask(DepthConstants((layer,) * depth), positional_margin="1/2")
    except bounds.NotComputable:
        assert depth == 3
        assert size > 10**40
    else:
        assert answer.log2_length > 2 * depth * size
        assert (answer.length is None) == (size >= 10**6)
        assert str(answer)
        assert answer.explain()
    assert time.perf_counter() - start < 8  # a second or two; the margin is for a loaded machine


def test_errors_of_any_size_get_an_answer():
    for epsilon in ("1e-300", "1e300"):
        answer = ask(toy(3), epsilon=epsilon)
        assert answer.log2_length > 0
    margin = ask(toy(2), positional_margin="1e-6")
    assert margin.status is bounds.Status.TOO_LARGE
    assert margin.log2_length > 10**6
    with pytest.raises(bounds.NotComputable):
        ask(toy(2), positional_margin="1e-400")


def test_the_error_can_be_solved_for():
    given = {"depth_constants": toy(2, bias="none"), **CELL}
    value = bounds.solve_for("epsilon", length=10_000, layers=2, **given)
    assert bounds.required_length(layers=2, epsilon=value, **given).length <= 10_000
    assert bounds.required_length(layers=2, epsilon=value * F(9, 10), **given).length > 10_000
    with pytest.raises(bounds.ParameterError, match="monotone"):
        bounds.solve_for("depth_constants", length=10_000, layers=2, epsilon=1, **CELL)
