"""The average ladder: its enclosure against exact averages at many lengths, and weaker versions.

The environment variable AVERAGE_PAIRS sets how many random pairs are compared (default 60).
"""

import dataclasses
import json
import os
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from tests.helpers.average_cases import nothing, of_share, random_hard_pair, random_law
from tests.helpers.model_pairs import near_ties
from tests.helpers.table_models import table_head, table_model
from verify import (
    DirichletLaw,
    FixedLaw,
    Head,
    InputError,
    Layer,
    LimitTransformer,
    MarkovLaw,
    agreement,
    enclose_average,
    tasks,
)
from verify.certificates.average import shape as shape_module
from verify.certificates.average.ladder import Climb
from verify.certificates.average.limit import mean_absolute
from verify.certificates.average.shape import Shape, shape_of
from verify.certificates.contexts import Context
from verify.certificates.input_class import PairInputs

PAIRS = int(os.environ.get("AVERAGE_PAIRS", "60"))


def climbed(f, g, law, tops=None, more=0):
    """Return a Climb and its ladder with these rungs; without them, one rung, `more` further on."""
    climb = Climb(PairInputs(f, g), law, 10**6)
    tops = [climb.start(None) + more] if tops is None else tops
    for top in tops:
        climb.look(top)
    return climb, climb.assembled(tops, True)


def bound_at(ladder, length):
    """Return what the ladder proves at one length."""
    for rung in ladder.rungs:
        last = rung.reach is None or length < rung.reach - len(rung.by_residue) + 1
        if last and length >= min(rung.averages.by_length):
            return rung.by_residue[length % len(rung.by_residue)]
    raise AssertionError


def violations(f, g, law, ladder, lengths):
    """Return the lengths at which the average is above what the ladder proves."""
    found = agreement(f, g, lengths, law=law)
    return [n for n, entry in found.by_length.items() if entry.low > bound_at(ladder, n).high]


def random_cases(number):
    """Yield hard pairs with a law that the theorem covers, and a first rung; at least `number`."""
    seed = found = 0
    while found < number:
        rng = np.random.default_rng(seed)
        f, g = random_hard_pair(rng)
        law = random_law(rng, f.vocabulary_size)
        more = int(rng.integers(0, 6))
        seed += 1
        try:
            climb, ladder = climbed(f, g, law, more=more)
        except InputError:
            continue
        if ladder.rungs[0].length < 40:
            found += 1
            yield f, g, law, climb, ladder


def lengths_after(first, period, tokens):
    ends = (20, 31, 50, 51) if tokens == 2 else (15,)
    return sorted({*range(first - period + 1, first + 8), *(first + n for n in ends)})


def campaign(number):
    kinds, needs = set(), {"curvature": 0, "drift": 0}
    for f, g, law, climb, ladder in random_cases(number):
        first, period = ladder.rungs[0].length, len(ladder.rungs[0].by_residue)
        lengths = lengths_after(first, period, f.vocabulary_size)
        found = agreement(f, g, lengths, law=law)
        climb.look(first + 4 * period)
        two = climb.assembled([first, first + 4 * period], True)
        for each in (ladder, two):
            for n, entry in found.by_length.items():
                bound = bound_at(each, n)
                assert entry.low <= bound.high, (f, g, law, n)
                needs["curvature"] += entry.low > bound.error + bound.drift
                needs["drift"] += entry.low > bound.error + bound.curvature
            assert each.low <= each.high
        for shape in climb._shapes.values():
            kinds.add((type(law).__name__, period > 1, len(shape.groups), bool(shape.pieces)))
    return kinds, needs


def test_the_ladder_holds_at_every_length_of_some_pairs():
    campaign(3)


@pytest.mark.slow
def test_the_ladder_holds_at_every_length():
    kinds, needs = campaign(PAIRS)
    for law in ("DirichletLaw", "FixedLaw"):
        for several in (False, True):
            assert (law, several, 1, True) in kinds
            assert (law, several, 2, False) in kinds
    assert needs["drift"] > 50
    if PAIRS >= 300:
        assert needs["curvature"] > 0


# ---------------------------------------------------------------- each term is needed


def tent(end):
    """Return 1/2 − |t − 1/2|: concave, and longer inputs have more of it."""
    return of_share([1, -2], [0, 0.5], end=end)


LAWS = [DirichletLaw([1, 1]), DirichletLaw(["1/2", 3]), FixedLaw(["1/2", "1/2"])]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_curvature_of_a_tent_is_all_used(law):
    f, lengths = tent(end=False), [9, 10, 11, 20, 40, 400]
    _, ladder = climbed(f, nothing(), law, [9])
    assert violations(f, nothing(), law, ladder, lengths) == []
    bound = ladder.rungs[0].by_residue[0]
    assert bound.drift < Fraction(1, 10**9)
    limit, _ = ladder.limit[0]
    assert float(bound.high) == pytest.approx(float(limit), abs=1e-9)  # nothing is lost
    assert violations(f, nothing(), law, without(ladder, curvature=0), lengths) == lengths[2:]
    half = without(ladder, curvature=Fraction(1, 2))
    assert 400 in violations(f, nothing(), law, half, lengths)


def without(ladder, curvature=1, drift=1):
    """Return a weaker version of the ladder."""
    rungs = [
        dataclasses.replace(
            rung,
            by_residue={
                r: dataclasses.replace(c, curvature=c.curvature * curvature, drift=c.drift * drift)
                for r, c in rung.by_residue.items()
            },
        )
        for rung in ladder.rungs
    ]
    return dataclasses.replace(ladder, rungs=tuple(rungs))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_query_joins_what_is_attended(law):
    # The query token 0 lowers the share of token 1 in short inputs by more; with token 1 |F| is 0.
    f = LimitTransformer(
        np.eye(2, 3),
        [[0.0, 0, 0]],
        [Layer([Head(np.zeros((3, 3)), [[0, 0, 0], [0, 0, 0], [0, 1.0, 0]], [0.0])],
               [[0.0, -9, 1]], [0.0], [[0.0], [0.0], [1.0]])],
        [[0.0, 0, 0]],
        8,
    )  # fmt: skip
    unit = [[0.0, 0, 1.0]]
    f = dataclasses.replace(f, unembedding=np.array(unit))
    # f = own + share + relu(share − 9·[query 1]); minus the share, relu alone is left.
    lengths = [6, 7, 9, 30, 200]
    _, ladder = climbed(f, nothing(), law, [6])
    assert violations(f, nothing(), law, ladder, lengths) == []
    assert violations(f, nothing(), law, without(ladder, drift=0), lengths) != []


def test_columns_of_unequal_size_move_the_mean():
    """Given x, z has other shares of the residues than x: without this term the bound is false."""
    f = table_model(
        [table_head([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [-8.0])], precision_bits=8
    )
    law = DirichletLaw([1, 1])
    _, ladder = climbed(f, nothing(), law, [5])
    assert violations(f, nothing(), law, ladder, range(4, 40)) == []
    assert 38 in violations(f, nothing(), law, without(ladder, drift=0), range(4, 40))


def test_classes_that_cut_several_columns_are_refused():
    """There the mean given x is not that of x: the classes of derived.lower_average."""
    f = table_model(
        [table_head([-4.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, -1.0])], precision_bits=8
    )
    with pytest.raises(InputError, match="several residues"):
        enclose_average(f, nothing(), law=DirichletLaw([1, 1]))
    # In one column they are covered.
    g = table_model(
        [table_head([-4.0, 0.0], [-8.0, 0.0], [0.0, 1.0], [1.0, -1.0])], precision_bits=8
    )
    law = DirichletLaw([1, 2])
    _, ladder = climbed(g, nothing(), law)
    first = ladder.rungs[0].length
    assert violations(g, nothing(), law, ladder, range(first - 1, first + 30)) == []


# ---------------------------------------------------------------- near ties


def leaning(f, size):
    """Return the model with the logits of token 1 raised by `size`."""
    layer = f.layers[0]
    query_key = layer.heads[0].query_key.copy()
    query_key[1] += [size, size, 0]
    head = Head(query_key, layer.heads[0].value, layer.heads[0].lag_bias)
    changed = Layer([head], layer.mlp_in, layer.mlp_bias, layer.mlp_out)
    return dataclasses.replace(f, layers=(changed,))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_near_ties_cost_their_reweighting(law):
    g = of_share([1], [0])
    f = leaning(g, 0.01)
    ladder = enclose_average(f, g, law=law, length=6, horizon=3000, accuracy=10)
    assert ladder.horizon == 3000
    assert ladder.limit == {}
    lengths = [6, 7, 20, 100, 1000, 3000]
    assert violations(f, g, law, ladder, lengths) == []
    rungs = [
        dataclasses.replace(
            rung,
            by_residue={
                r: dataclasses.replace(c, ties=Fraction(0)) for r, c in rung.by_residue.items()
            },
        )
        for rung in ladder.rungs
    ]
    weaker = dataclasses.replace(ladder, rungs=tuple(rungs))
    assert 3000 in violations(f, g, law, weaker, lengths)
    with pytest.raises(InputError, match="nearly equal"):
        enclose_average(f, g, law=law)


def test_logits_neither_equal_nor_apart_up_to_the_horizon_are_refused():
    # p = 4 and T* = 2^10: 0.4 is dropped, 0.2 is not, so that 0, 0.2, 0.4 are no levels.
    head = table_head([0.0, 0.25, 0.5], token_values=[0.0, 1.0, 3.0])
    f = table_model([head], precision_bits=4)
    law = DirichletLaw([1, 1, 1])
    with pytest.raises(InputError, match="neither nearly equal nor far apart"):
        enclose_average(f, nothing(3), law=law, horizon=2**10)
    assert enclose_average(f, nothing(3), law=law, horizon=2**7, accuracy=10).horizon == 2**7


@pytest.mark.slow
def test_the_ladder_holds_up_to_a_horizon_with_near_ties():
    needed = found = seed = 0
    while found < 16:
        rng = np.random.default_rng(seed)
        seed += 1
        f, g = (
            near_ties(rng, model, float(rng.choice([1e-3, 0.05])))
            for model in random_hard_pair(rng)
        )
        law, horizon = random_law(rng, f.vocabulary_size), int(rng.choice([40, 300]))
        climb = Climb(PairInputs(f, g), law, 10**6, None, horizon)
        try:
            first = climb.start(None)
            if first > 30:
                continue
            climb.look(first)
        except InputError:
            continue
        ladder = climb.assembled([first], True)
        found += 1
        lengths = lengths_after(first, climb.inputs.period, f.vocabulary_size)
        lengths = [n for n in lengths if n <= min(horizon, 40)]
        exact = agreement(f, g, lengths, law=law).by_length
        for n, entry in exact.items():
            bound = bound_at(ladder, n)
            assert entry.low <= bound.high, seed
            needed += entry.low > bound.high - bound.ties
    assert needed > 0


# ---------------------------------------------------------------- the convex function


def test_the_function_with_its_kinks_is_convex():
    rng = np.random.default_rng(0)
    for f, g, law, climb, _ in random_cases(6):
        for (residue, suffix), shape in climb._shapes.items():
            if not shape.groups:
                continue
            inputs = climb.inputs
            general = general_shape(inputs, Context(residue, suffix[::-1]), law)
            for each in {id(shape): shape, id(general): general}.values():
                for _ in range(10):
                    a, b = (attention(rng, each) for _ in range(2))
                    middle = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
                    values = [above(each, point) for point in (a, b, middle)]
                    assert values[2] <= (values[0] + values[1]) / 2 + 1e-9
                    moved = sum(
                        s * np.abs(x - y).sum() / 2
                        for s, x, y in zip(each.steepness, a, b, strict=True)
                    )
                    assert abs(values[0] - values[1]) <= moved * (1 + 1e-9) + 1e-9
        del f, g


def general_shape(inputs, context, law):
    """Return the shape that does not use that attention is one number."""
    kept = shape_module._on_a_line
    shape_module._on_a_line = lambda group: None
    try:
        return shape_of(inputs, context, law)
    finally:
        shape_module._on_a_line = kept


def attention(rng, shape: Shape):
    """Return random attention of each group, on the keys that can be attended."""
    found = []
    for group in shape.groups:
        weights = np.zeros(len(group.values))
        weights[group.attended] = rng.dirichlet(np.full(len(group.attended), 0.5))
        found.append(weights)
    return found


def above(shape: Shape, point):
    """Return Φ: the largest |F_o| plus the weighted kinks."""
    own = np.array([float(v) for v in shape.own])
    kinks = np.zeros(shape.weights.size)
    for group, table, weights in zip(shape.groups, shape.rounded, point, strict=True):
        own = own + weights @ group.values.astype(float)
        kinks = kinks + weights @ table
    units = shape.gains.shape[1]
    outputs = own[units:] + shape.gains @ np.maximum(own[:units], 0)
    return np.abs(outputs).max() + shape.weights @ np.abs(kinks)


# ---------------------------------------------------------------- the limit


@pytest.mark.parametrize(
    ("values", "theta"),
    [((-1, 2), (1, 2)), ((-1, 2, 1), (1, 2, 3)), ((-3, 1, 1), ("1/2", "1/3", 2)),
     ((1, 2, 0), (1, 1, 1)), ((-1, 5, 2, -4), (7, 1, 30, "1/4"))],
)  # fmt: skip
def test_means_of_linear_functionals_of_dirichlet_laws(values, theta):
    values, theta = [Fraction(v) for v in values], [Fraction(t) for t in theta]
    found = float(mean_absolute(values, theta))
    # E|Σ λ_t G_t|/Σθ by the characteristic function, in another form: ∫ (1 − Re φ)/s².
    numbers = [(float(v), float(t)) for v, t in zip(values, theta, strict=True)]

    def integrand(log_s):
        s = np.exp(log_s)
        phi = np.exp(-sum(t * np.log(1 - 1j * v * s) for v, t in numbers))
        return (1 - phi.real) / s

    total, _ = integrate.quad(integrand, -25, 25, limit=2000)
    by_hand = total * 2 / np.pi / float(sum(theta))
    assert found == pytest.approx(by_hand, rel=1e-6)
    rng = np.random.default_rng(0)
    q = rng.dirichlet([t for _, t in numbers], size=100_000)
    assert found == pytest.approx(np.abs(q @ [v for v, _ in numbers]).mean(), abs=0.02)
    if len(values) == 2:
        law = stats.beta(float(theta[1]), float(theta[0]))
        by_density = integrate.quad(lambda x: abs(-1 + 3 * x) * law.pdf(x), 0, 1, limit=500)[0]
        assert found == pytest.approx(by_density, rel=1e-7)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_averages_tend_to_the_limit(law):
    f = of_share([1, -2, 4, -5], [0, 0.3, 0.5, 0.8], -0.1)
    ladder = enclose_average(f, nothing(), law=law)
    low, high = ladder.limit[0]
    assert high - low < Fraction(1, 10**9)
    found = agreement(f, nothing(), [2000, 32_000], law=law)
    gaps = [abs(entry.value - float(low)) for entry in found.by_length.values()]
    assert gaps[1] < gaps[0] / 3 < 0.01
    assert low <= ladder.high


def test_three_tokens_with_one_class_have_exact_kinks_in_the_limit():
    head = table_head([0.0, 0.0, 0.0], token_values=[0.0, 1.0, 3.0], bias=[-8.0])
    f = table_model([head], precision_bits=8, mlp=([-2.0], [1.0]))
    law = DirichletLaw([1, 2, "1/2"])
    highs = [
        float(climbed(f, nothing(3), law, [n])[1].high)
        - float(climbed(f, nothing(3), law, [n])[1].low)
        for n in (10, 40, 160)
    ]
    assert highs[1] < highs[0] / 2
    assert highs[2] < highs[1] / 2


# ---------------------------------------------------------------- the call


def test_the_enclosure_is_narrow_and_says_so():
    f, law = of_share([1, -2, 4, -5], [0, 0.3, 0.5, 0.8], -0.1), DirichletLaw([2, 5])
    ladder = enclose_average(f, nothing(), law=law, accuracy=1e-2)
    low, high = ladder.enclosure
    assert low <= high <= low * Fraction(102, 100)
    assert ladder.from_length == 2
    assert ladder.by_residue == {0: (low, high)}
    exact = agreement(f, nothing(), range(2, 60), law=law)
    assert exact.low <= high
    assert low <= max(exact.high, ladder.limit[0][1])
    assert str(ladder).startswith("0.")
    assert len(ladder.table().splitlines()) == len(ladder.rungs) + 2
    data = json.loads(json.dumps(ladder.to_dict()))
    assert Fraction(data["low"]) <= low <= high <= Fraction(data["high"])
    assert data["rungs"][-1]["reach"] is None


def test_near_ties_are_refused_with_the_head_and_the_gap():
    f = tasks.trained("mod_p", period=2, training_length=32)
    g = tasks.mod_p(2, 0, precision_bits=8).transformer
    with pytest.raises(InputError, match=r"head 1 of f has logits that differ by 2\.69e-05"):
        enclose_average(f, g, law=DirichletLaw([1, 1]))


def test_arguments_are_read():
    f, law = tent(end=True), DirichletLaw([1, 1])
    markov = MarkovLaw([["1/2", "1/2"], ["1/2", "1/2"]], ["1/2", "1/2"])
    for name, change in {
        "law": {"law": markov},
        "length": {"length": 1},
        "factor": {"factor": 1},
        "accuracy": {"accuracy": 0},
        "limit": {"length": 1000, "limit": 100},
    }.items():
        with pytest.raises(InputError) as caught:
            enclose_average(f, nothing(), **({"law": law} | change))
        assert caught.value.name == name
    assert enclose_average(f, f, law=law).high < Fraction(1, 10**12)


def test_an_interruption_leaves_an_enclosure():
    f, law = tent(end=True), DirichletLaw([1, 1])

    def interrupt(done, limit):
        if done > 30:
            raise KeyboardInterrupt

    ladder = enclose_average(f, nothing(), law=law, length=8, accuracy=1e-9, progress=interrupt)
    assert not ladder.finished
    assert violations(f, nothing(), law, ladder, range(8, 60)) == []


def test_hard_from_the_exact_length_on():
    # Logits 0 and 1, p = 4: from 2^4 on only the larger one counts.
    head = table_head([0.0, 1.0], token_values=[1.0, 3.0])
    f = table_model([head], precision_bits=4)
    climb = Climb(PairInputs(f, nothing()), DirichletLaw([1, 1]), 1000)
    assert climb.least_length()[0] == 16
    with pytest.raises(InputError, match="at least 16"):
        enclose_average(f, nothing(), law=DirichletLaw([1, 1]), length=15)
    ladder = enclose_average(f, nothing(), law=DirichletLaw([1, 1]), length=16)
    assert ladder.from_length == 16


def test_fixed_laws_leave_out_what_does_not_occur():
    # The token of probability 0 would be a class of its own.
    head = table_head([0.0, 0.0, 4.0], token_values=[0.0, 1.0, 9.0], bias=[-8.0])
    f = table_model([head], precision_bits=8, mlp=([-2.0], [0.5]))
    law = FixedLaw(["1/3", "2/3", 0])
    _, ladder = climbed(f, nothing(3), law, [6])
    assert violations(f, nothing(3), law, ladder, [6, 7, 8, 20, 60]) == []
    assert ladder.high < 2
