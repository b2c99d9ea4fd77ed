"""Two softmax layers with the best pieces: lengths that are found by search, and proved."""

import itertools
import math
from fractions import Fraction
from random import Random

import pytest
import sympy

import bounds
from bounds.registry.sufficient import schedules

LEMMA, THEOREM = "derived.simulation_balanced", "derived.two_layer_softmax_balanced"
ORDINARY = {
    "epsilon": "1/100",
    "positional_margin": 1,
    "period": 1,
    "locality": 1,
    "dimension": 4,
    "lipschitz_query": 1,
    "lipschitz_keys": 2,
    "limit_query": 1,
    "limit_keys": 3,
    "influence_keys": 1,
}


def answer(key, **given):
    return bounds.required_length(theorem=key, **given)


def pieces(bound):
    chosen = {str(name): value for name, value in bound.choice.items()}
    return tuple(int(chosen[name]) for name in ("theta", "q", "J"))


@pytest.mark.parametrize("s", ["1/10000", "1/10", "1/2", 1, 2])
def test_fifty_times_shorter_than_with_pieces_of_lengths_all_different(s):
    given = {"averages_error": s, "amplitude": "1/2", "lipschitz_histogram": 20}
    given |= {"locality": 2, "dimension": 27}
    new, old = (answer(key, **given).length for key in (LEMMA, "derived.simulation"))
    assert 50 * new <= old
    assert 75 * new >= old
    # Linear in d: of order 8τD((4d+6)L + 2dD)/s².
    assert new <= 1.25 * 8 * 2 * (114 * 20 + 54) / Fraction(s) ** 2


def test_without_suffixes_the_exponent_is_1_up_to_a_logarithm():
    given = {"amplitude": "1/2", "lipschitz_histogram": 20, "dimension": 27, "period": 1}
    logs = {}
    for locality in (0, 1):
        logs[locality] = [
            answer(LEMMA, averages_error=f"1e-{k}", locality=locality, **given).log2_length
            for k in range(2, 14)
        ]
    slopes = {t: [(b - a) / math.log2(10) for a, b in itertools.pairwise(logs[t])] for t in logs}
    assert all(1 < slope < 1.07 for slope in slopes[0])
    assert slopes[0] == sorted(slopes[0], reverse=True)  # the logarithm loses its weight
    assert all(1.98 < slope < 2.01 for slope in slopes[1])


@pytest.mark.parametrize(
    ("locality", "margin", "exponent"),
    [(0, 1, 1), (0, 2, 1), (0, "1/2", 2), (0, "2/3", 1.5), (1, 1, 2), (1, "1/3", 3)],
)
def test_the_exponent_of_two_layers(locality, margin, exponent):
    given = ORDINARY | {"locality": locality, "positional_margin": margin}
    logs = [answer(THEOREM, **given | {"epsilon": f"1e-{k}"}).log2_length for k in (9, 10, 12)]
    for (a, b), decades in zip(itertools.pairwise(logs), (1, 2), strict=True):
        slope = (b - a) / (decades * math.log2(10))
        logarithm = 0.05 if exponent == 1 else 0
        assert exponent - 0.01 <= slope <= exponent + logarithm + 0.01


def test_lengths_grow_about_linearly_in_the_dimension_and_in_the_locality():
    for keyword, value in (("dimension", 400), ("locality", 40)):
        given = ORDINARY | {"epsilon": "1e-6", keyword: value}
        one, two = (answer(THEOREM, **given | {keyword: n * value}).length for n in (1, 2))
        assert 1.9 * one <= two <= 2.1 * one


def test_the_shortest_is_the_answer_and_the_closed_forms_stand_beside_it():
    both = ORDINARY | {"complexity_balanced": 1000, "vocabulary_size": 3}
    bound = bounds.required_length(error="linf", attention="softmax", layers=2, **both)
    assert bound.theorem.key == THEOREM
    assert [other.theorem.key for other in bound.alternatives] == ["derived.two_layer_softmax"]
    only = {k: both[k] for k in ("epsilon", "complexity_balanced", "positional_margin")}
    bound = bounds.required_length(
        error="linf", attention="softmax", layers=2, vocabulary_size=3, period=1, locality=1, **only
    )
    assert bound.theorem.key == "derived.two_layer_softmax"
    assert "lipschitz_query" in bound.not_applicable[THEOREM]


def test_pieces_found_are_shown_and_are_no_formula_elsewhere():
    bound = answer(THEOREM, **ORDINARY)
    theta, q, levels = pieces(bound)
    assert bound.length == theta * q * levels * (levels + 1) // 2 + 2
    assert f"q = {q}" in bound.explain()
    assert bound.expression is None


def test_a_dimension_that_forgets_the_tokens_is_refused():
    with pytest.raises(bounds.ParameterError, match="dimension"):
        answer(THEOREM, **ORDINARY | {"vocabulary_size": 6})
    with pytest.raises(bounds.ParameterError, match="dimension"):
        answer(THEOREM, **ORDINARY | {"vocabulary_size": 3, "period": 3})
    assert answer(THEOREM, **ORDINARY | {"vocabulary_size": 5}).length > 1


def test_constants_that_are_0_and_errors_that_are_large():
    nothing = dict.fromkeys((k for k in ORDINARY if k.startswith(("li", "influence"))), 0)
    bound = answer(THEOREM, **ORDINARY | nothing | {"period": 3})
    assert bound.length == 3 + 1 + 3  # one piece of one period, and the end
    assert answer(THEOREM, **ORDINARY | {"epsilon": 10**6}).length == 3


@pytest.mark.parametrize("exponent", [10**4, 10**5, 10**7, 10**12])
def test_astronomical_lengths_are_answered_by_their_logarithm(exponent):
    huge = {"lipschitz_query": sympy.exp(exponent), "influence_keys": sympy.exp(exponent)}
    bound = answer(THEOREM, **ORDINARY | huge)
    # About 2·A·B/s² with A ~ 2d(L_q + L_v) and B = 4τL_v: e^(2·exponent).
    assert bound.log2_length == pytest.approx(2 * exponent / math.log(2), rel=0.01)
    assert (bound.length is None) == (exponent >= 10**5)
    assert str(bound)
    assert bound.explain()
    assert bound.to_dict()


@pytest.mark.parametrize("s", ["1e-300", "1e-4000"])
def test_tiny_errors(s):
    bound = answer(THEOREM, **ORDINARY | {"epsilon": s})
    digits = int(s[3:])
    assert bound.log2_length == pytest.approx(2 * digits * math.log2(10), rel=0.02)
    assert bound.length is not None


def test_the_search_is_near_the_best_of_all_pieces():
    rng = Random(0)
    worst = 1.0
    for _ in range(25):
        falling = schedules.Falling(
            turns=rng.uniform(-2, 4),
            flat=rng.uniform(-2, 4),
            seams=rng.choice([-math.inf, rng.uniform(-3, 4)]),
            ends=rng.uniform(-2, 3),
            late=rng.uniform(-2, 2),
            mean=rng.uniform(-2, 2),
            rate=rng.choice([1.0, 0.7, 0.5]),
            period=rng.choice([1, 3]),
            first=rng.randint(1, 4),
        )
        point = schedules._search(falling)
        found = best = round(math.exp(schedules._size(point)))
        for levels in itertools.count(1):
            level = levels * (levels + 1)
            if level >= best:
                break
            for q in range(1, best // level + 1):
                low, high = 1, (best - 1) // (q * level)
                if high < 1 or not falling.fits((math.log(high), math.log(q), math.log(levels))):
                    continue
                while low < high:
                    middle = (low + high) // 2
                    fits = falling.fits((math.log(middle), math.log(q), math.log(levels)))
                    low, high = (low, middle) if fits else (middle + 1, high)
                best = low * q * level
        worst = max(worst, found / best)
    assert worst <= 1.05


GRID = {
    "epsilon": ["1/1000", "1/10", 5],
    "dimension": [1, 6, 60],
    "period": [1, 2, 5],
    "locality": [0, 1, 7],
    "positional_margin": ["1/4", "2/3", 1, 3],
    "lipschitz_query": [0, 1, 30],
    "lipschitz_keys": [0, 1, 30],
    "limit_query": [0, 1, 30],
    "limit_keys": [0, 1, 30],
    "influence_keys": [0, 1, 30],
}
GRID_OF_LEMMA = {
    "averages_error": ["1/1000", "1/10", 5],
    "amplitude": [0, 1, 4],
    "lipschitz_histogram": [0, 1, 4],
    "locality": [0, 1, 9],
    "period": [1, 2, 5],
    "dimension": [1, 2, 30],
}


@pytest.mark.slow
@pytest.mark.parametrize(("key", "grid"), [(THEOREM, GRID), (LEMMA, GRID_OF_LEMMA)])
def test_monotone_in_every_parameter(key, grid):
    rng = Random(key)
    effects = {row.keyword: row.effect for row in bounds.PARAMETERS}
    moved = set()
    for _ in range(4):
        point = {k: rng.choice(v) for k, v in grid.items()}
        for keyword, values in grid.items():
            sizes = [answer(key, **point | {keyword: value}).length for value in values]
            # ε alone sets the target 3ε, so lengths fall with it as with a margin.
            if keyword == "epsilon" or effects[keyword] < 0:
                sizes.reverse()
            assert sizes == sorted(sizes), (keyword, point)
            if sizes[0] < sizes[-1]:
                moved.add(keyword)
    assert moved == set(grid)


@pytest.mark.slow
def test_solving_for_the_error():
    wanted = answer(THEOREM, **ORDINARY).length
    rest = {k: v for k, v in ORDINARY.items() if k != "epsilon"}
    value = bounds.solve_for("epsilon", length=wanted, theorem=THEOREM, **rest)
    assert answer(THEOREM, **rest, epsilon=value).length <= wanted
    assert answer(THEOREM, **rest, epsilon=value * Fraction(9, 10)).length > wanted
