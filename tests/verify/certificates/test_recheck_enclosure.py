"""The checker of enclosure certificates: its bounds are true, what is honest passes, nothing else."""

from __future__ import annotations

import copy
import itertools
import json
import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import verify
from tests.helpers.certificate_cases import random_pair
from tests.helpers.enclosure_cases import (
    cell_around,
    counted_lags,
    least_length,
    piece_of,
    random_case,
    random_input,
    random_softmax_pair,
    searched,
)
from tests.helpers.random_models import random_model
from tests.helpers.table_models import table_head, table_model
from verify import CertificateError, InputError, recheck
from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.recheck import RecheckedEnclosure, enclosure
from verify.certificates.recheck.cells import halves, largest, tightened
from verify.certificates.recheck.inputs import (
    Evaluator,
    SingleInput,
    all_inputs,
    free_positions,
    how_many_inputs,
)
from verify.certificates.recheck.intervals import (
    Intervals,
    floats_around,
    matrix_product,
    point,
    simplex_sum,
)
from verify.certificates.recheck.models import ExactPair
from verify.certificates.recheck.pieces import Numbers
from verify.certificates.recheck.powers import Function, FunctionTable, is_kept
from verify.model.reference import reference
from verify.tasks.trained import trained_pair

# Arithmetic.


def random_intervals(rng, shape):
    """Return intervals and rational numbers in them; some ends are equal, some tiny or large."""
    a = rng.normal(size=shape) * 10.0 ** rng.integers(-12, 12, size=shape)
    b = np.where(rng.random(shape) < 0.3, a, a + np.abs(a) * rng.random(shape))
    weight = [Fraction(float(w)) for w in rng.random(a.size)]
    ends = zip(a.ravel().tolist(), b.ravel().tolist(), weight, strict=True)
    inside = [Fraction(x) + w * (Fraction(y) - Fraction(x)) for x, y, w in ends]
    return Intervals(a, b), np.array(inside, dtype=object).reshape(shape)


def holds(intervals, numbers):
    ends = zip(intervals.low.ravel(), intervals.high.ravel(), np.ravel(numbers), strict=True)
    return all(Fraction(float(a)) <= x <= Fraction(float(b)) for a, b, x in ends)


def test_interval_operations_enclose():
    rng = np.random.default_rng(0)
    for _ in range(100):
        (a, x), (b, y) = random_intervals(rng, (2, 5)), random_intervals(rng, (2, 5))
        assert holds(a + b, x + y)
        assert holds(a - b, x - y)
        assert holds(a * b, x * y)
        assert holds(-a, -x)
        assert holds(a * a.middle, x * np.vectorize(Fraction, otypes=[object])(a.middle))
        positive = Intervals(np.abs(b.low), np.abs(b.low) + np.abs(b.high))
        inside = abs(np.vectorize(Fraction, otypes=[object])(b.low))
        assert holds(a.times_positive(positive), x * inside)
        assert holds(a.over(positive), x / inside)
        assert holds(a.sum(1), x.sum(axis=1))
        left = rng.normal(size=(3, 2))
        exact = np.vectorize(Fraction, otypes=[object])(left)
        assert holds(matrix_product(left, a), exact @ x)


def test_the_intervals_are_narrow():
    """Of numbers, an operation loses a few units in the last place of its largest term."""
    rng = np.random.default_rng(7)
    for _ in range(30):
        a, b = rng.normal(size=(2, 3, 6)) * 10.0 ** rng.integers(-5, 5, size=(2, 3, 6))
        left = rng.normal(size=(4, 3))
        x, y, positive = point(a), point(b), point(np.abs(b))
        size = np.abs(a) + np.abs(b)
        for found, unit in (
            (x + y, size),
            (x - y, size),
            (x * y, np.abs(a * b)),
            (x * b, np.abs(a * b)),
            (x.times_positive(positive), np.abs(a * b)),
            (x.over(positive), np.abs(a / b)),
            (x.sum(1), 6 * np.abs(a).sum(axis=1)),
            (matrix_product(left, x), 3 * np.abs(left) @ np.abs(a)),
        ):
            assert np.all(found.high - found.low <= 10 * 2.0**-52 * unit + 1e-298)
            assert np.all(found.low < found.high)
        assert np.all(x.sum(1).high - x.sum(1).low > 0)
    one = Intervals(np.array([1.0, 0.0]), np.array([2.0, 3.0]))
    two = Intervals(np.array([-1.0, 1.0]), np.array([1.5, 9.0]))
    assert one.within(two).low.tolist() == [1.0, 1.0]
    assert one.within(two).high.tolist() == [1.5, 3.0]
    assert two.positive().low.tolist() == [0.0, 1.0]
    assert (-two).positive().high.tolist() == [1.0, 0.0]
    assert one.middle.tolist() == [1.5, 1.5]
    assert two.sum(0).low.item() <= 0.0 <= 10.5 <= two.sum(0).high.item()
    assert one[None].sum(0).low.tolist() == [1.0, 0.0]  # one term is not rounded


def test_unbounded_intervals_stay_unbounded():
    wide = Intervals(np.array([-np.inf]), np.array([np.inf]))
    with np.errstate(all="ignore"):
        for found in (
            wide + wide,
            wide * wide,
            wide - wide,
            wide[None].sum(1),
            wide.over(point(np.zeros(1))),
        ):
            assert found.low.item() == -np.inf
            assert found.high.item() == np.inf
        nothing = wide * point(np.zeros(1))
    assert -1e-299 < nothing.low.item() <= 0 <= nothing.high.item() < 1e-299


def test_floats_around_rational_numbers():
    for number in (Fraction(1, 3), Fraction(-2, 7), Fraction(5), Fraction(1, 10**400), Fraction(0)):
        low, high = floats_around(number)
        assert Fraction(low) <= number <= Fraction(high)
        assert low == high or high == math.nextafter(math.nextafter(low, math.inf), math.inf)
    assert floats_around(Fraction(3, 4)) == (0.75, 0.75)
    assert floats_around(Fraction(10**400))[0] == -floats_around(-Fraction(10**400))[1] > 1e308
    assert floats_around(Fraction(10**400))[1] == math.inf
    assert floats_around(Fraction(-(10**400)))[0] == -math.inf


@pytest.mark.parametrize("classes", [1, 2, 3, 5])
def test_sums_over_a_simplex(classes):
    rng = np.random.default_rng(classes)
    for _ in range(200):
        c, x = random_intervals(rng, (classes,))
        shares = rng.dirichlet(np.full(classes, 0.5))
        low = np.maximum(shares - rng.random(classes) * 0.3, 0)
        high = np.minimum(shares + rng.random(classes) * 0.3, 1)
        exact = [Fraction(float(s)) for s in shares]
        total = sum(exact)
        around = Intervals(*(np.array(end) for end in floats_around(total)))
        found = simplex_sum(c, low, high, around)
        assert holds(found, [sum(a * b for a, b in zip(exact, x, strict=True))])


def test_sums_over_a_simplex_of_numbers_are_the_best_ones():
    rng = np.random.default_rng(6)
    for _ in range(100):
        c, shares = rng.normal(size=4), rng.dirichlet(np.ones(4))
        low = np.maximum(shares - rng.random(4) * 0.3, 0)
        high = np.minimum(shares + rng.random(4) * 0.3, 1)
        found = simplex_sum(point(c), low, high, point(np.ones(())))
        for sign, end in ((1, found.high), (-1, -found.low)):
            best, left = float(low @ c * sign), 1 - low.sum()
            for k in np.argsort(-sign * c):
                step = min(left, high[k] - low[k])
                best, left = best + sign * c[k] * step, left - step
            assert float(end) == pytest.approx(best, abs=1e-12)


def test_what_is_dropped_is_decided_exactly():
    for length, number, bits in itertools.product(range(1, 70), range(1, 25), range(1, 7)):
        # T^(−n/4) > 2^(−p) iff T^n < 2^(4p)
        assert is_kept(Fraction(number, 4), length, bits) == (length**number < 2 ** (4 * bits))
    assert is_kept(Fraction(0), 10**900, 1)
    near = Fraction(1) - Fraction(1, 2**3000)
    assert is_kept(near, 256, 8)
    assert not is_kept(Fraction(1), 256, 8)
    # 3^x = 2^8 for x = 8/log₂3: rational numbers within 2^(−200) of it.
    with verify_precision() as mpmath:
        x = Fraction(int(mpmath.mpf(2) ** 200 * 8 / mpmath.log(3, 2)), 2**200)
    assert is_kept(x, 3, 8)
    assert not is_kept(x + Fraction(1, 2**200), 3, 8)


def verify_precision():
    import contextlib

    import mpmath

    @contextlib.contextmanager
    def precise():
        with mpmath.workprec(400):
            yield mpmath

    return precise()


def test_ranges_of_the_functions_of_the_length():
    rng = np.random.default_rng(1)
    for _ in range(200):
        table = FunctionTable()
        exponent = -Fraction(float(rng.choice([0, 0.001, 0.5, 1, 2.5])))
        over, under = (None if rng.random() < 0.3 else int(rng.integers(-3, 6)) for _ in range(2))
        number = table.number(Function(exponent, over, under, int(rng.integers(1, 4))))
        assert table.number(Function(exponent, over, under, table.functions[0].factor)) == number
        first = 6 + int(2.0 ** rng.uniform(0, 40))
        last = None if rng.random() < 0.2 else first + int(first * rng.random())
        found = table.ranges([(first, last)])
        for _ in range(5):
            length = first + int(rng.random() * ((last or 10 * first) - first))
            value = length ** float(exponent) * table.functions[0].factor
            value *= (length - (over or 0)) / (length - (under or 0))
            assert found.low[0, 0] * (1 - 1e-13) <= value <= found.high[0, 0] * (1 + 1e-13)


# Single inputs.


def as_single(pair, tokens):
    """Return a string as the checker sees it."""
    length, size = len(tokens), pair.vocabulary
    lags = range(min(length, pair.lags))
    types = [(i + 1) % pair.period * size + int(s) for i, s in enumerate(tokens)]
    counts = {}
    for i, t in enumerate(types):
        if length - 1 - i not in lags:
            counts[t] = counts.get(t, 0) + 1
    at_lag = {lag: types[length - 1 - lag] for lag in lags}
    return SingleInput(length, counts, at_lag, types[-1])


def test_single_inputs_are_evaluated_as_the_definition_says():
    rng = np.random.default_rng(2)
    for number in range(60):
        f, g = random_pair(rng) if number % 2 else random_softmax_pair(rng)
        pair = ExactPair(f, g, finite=bool(number % 2))
        evaluator = Evaluator(pair)
        for _ in range(5):
            tokens = rng.integers(f.vocabulary_size, size=int(rng.integers(1, 20)))
            low, high = evaluator.error(as_single(pair, tokens), Fraction(-1), below=False)
            right = np.abs(reference(f, tokens) - reference(g, tokens)).max()
            assert high - low < Fraction(1, 10**20)
            assert float(low) == pytest.approx(right, abs=1e-9 * (1 + right))


def test_a_rational_error_is_exact():
    head = table_head([0, 1], [0], [0, 1], [0])
    f = table_model([head], precision_bits=1)
    g = table_model([table_head([0, 0], [0], [0, 0], [0])], precision_bits=1)
    evaluator = Evaluator(ExactPair(f, g))
    x = SingleInput(7, {0: 6}, {0: 1}, 1)
    assert evaluator.error(x, Fraction(1), below=True) == (1, 1)
    x = SingleInput(7, {0: 3, 1: 3}, {0: 0}, 0)
    assert evaluator.error(x, Fraction(1), below=True) == (1, 1)


def test_all_inputs_of_a_length_are_there():
    rng = np.random.default_rng(3)
    for _ in range(12):
        f, g = random_softmax_pair(rng)
        pair = ExactPair(f, g, finite=False)
        for length in range(1, 6):
            found = list(all_inputs(pair, length))
            assert len(found) == how_many_inputs(pair, length)
            strings = itertools.product(range(pair.vocabulary), repeat=length)

            def key(x):
                counts = frozenset((t, n) for t, n in x.counts.items() if n)
                return counts, tuple(sorted(x.at_lag.items()))

            assert {key(as_single(pair, s)) for s in strings} == {key(x) for x in found}
            assert len({key(x) for x in found}) == len(found)


def test_free_positions_are_counted():
    for period, length in itertools.product(range(1, 5), range(12)):
        lags = frozenset(lag for lag in (0, 2) if lag < length)
        free = [i for i in range(1, length + 1) if length - i not in lags]
        for r in range(period):
            right = sum(i % period == r for i in free)
            assert free_positions(length, r, period, lags) == right


# Bounds on cells.


@pytest.mark.parametrize(("seed", "pairs"), [(11, 4), pytest.param(4, 40, marks=pytest.mark.slow)])
def test_every_input_of_a_cell_is_below_its_bound(seed, pairs):
    rng, narrow, cells = np.random.default_rng(seed), 0, 0
    for number in range(pairs):
        f, g = random_pair(rng) if number % 2 else random_softmax_pair(rng)
        pair = ExactPair(f, g, finite=bool(number % 2))
        numbers, evaluator = Numbers(pair), Evaluator(pair)
        least = least_length(pair, counted_lags(pair))
        for _ in range(3):
            length = least + int(2.0 ** rng.uniform(0, rng.choice([4, 12, 40]))) - 1
            x = random_input(rng, pair, length)
            piece = piece_of(rng, pair, numbers, x)
            _ = piece.attention
            low, _high = evaluator.error(x, Fraction(-1), below=True)
            for _ in range(3):
                tight = tightened(piece, cell_around(rng, piece, x))
                assert tight is not None
                assert tight.cell.first <= length <= (tight.cell.last or length)
                for wanted in (0.0, math.inf):  # both ways of bounding, and one alone
                    bound = largest(piece, [tight.cell], wanted)[0]
                    assert float(low) <= bound
                cells += 1
                narrow += bound < float(low) * 1.01 + 1e-9
                parts = [p for way in halves(piece, tight.cell)[:2] for p in way]
                parts = [t.cell for t in (tightened(piece, p) for p in parts) if t is not None]
                held = [p for p in parts if p.first <= length <= (p.last or length)]
                assert not parts or held or len(parts) < 4
    assert narrow > cells / 3


def test_cells_of_one_input_and_of_none():
    head = table_head([0, 1], [0], [0, 1], [0])
    f = table_model([head], precision_bits=4)
    pair = ExactPair(f, f)
    rng = np.random.default_rng(5)
    x = SingleInput(10, {0: 8, 1: 1}, {0: 0}, 0)
    piece = piece_of(rng, pair, Numbers(pair), x)
    cell = cell_around(rng, piece, x)
    whole = type(cell)(10, 10, (0.0, 0.0), (1.0, 1.0))
    assert tightened(piece, whole).counts is None
    assert tightened(piece, type(cell)(10, 10, (0.8, 0.0), (1.0, 1.0))).counts == (8, 1)
    assert tightened(piece, type(cell)(10, 10, (0.9, 0.0), (1.0, 1.0))) is None  # level 1 is absent
    assert tightened(piece, type(cell)(11, 10, (0.0, 0.0), (1.0, 1.0))) is None
    assert tightened(piece, type(cell)(10, 20, (0.0, 0.0), (1.0, 0.05))) is None
    assert tightened(piece, type(cell)(10, 20, (0.0, 0.0), (0.4, 0.4))) is None


# Honest certificates.


def to(value):
    return lambda search: value


STORED = [
    ("simple", {"omega": 2}, 32, 33, 2**20, 0.08),
    ("simple", {"omega": 4}, 64, 65, 2**900, 1.9),
    ("simple", {"omega": 8}, 128, 129, 2**20, 0.15),
    ("mod_p", {"period": 2}, 8, 24, 2**20, 0.4),
    ("mod_p", {"period": 3}, 64, 65, 2**900, 0.1),
    ("mod_p", {"period": 5}, 128, 129, 2**20, 0.008),
    ("simple_plain", {"omega": 2}, 32, 1, None, 0.06),
    ("simple_plain", {"omega": 8}, 8, 1, None, 0.65),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", STORED, ids=lambda case: f"{case[0]}-{case[2]}")
def test_stored_models_pass(case, tmp_path):
    task, sizes, trained, from_length, horizon, target = case
    stored = trained_pair(task, training_length=trained, **sizes)
    f, g = stored.model, stored.target
    honest, _ = searched(
        f, g, from_length=from_length, horizon=horizon, goal=to(target), budget=20_000
    )
    honest.save(tmp_path / "enclosure.json")
    found = recheck(tmp_path / "enclosure.json", f, g)
    assert isinstance(found, RecheckedEnclosure)
    assert (found.from_length, found.horizon) == (from_length, horizon)
    assert found.high == honest.high
    assert found.cells == honest.cells
    assert found.pieces == len(honest.data["pieces"])
    assert found.further <= 0.1 * found.cells + 20


@cache
def random_cases():
    """Return 50 cases of random pairs, both precisions, that a short search decides."""
    found = (random_case(seed, 400) for seed in itertools.count())
    return list(itertools.islice((case for case in found if case is not None), 50))


@pytest.mark.slow
def test_random_pairs_pass():
    finite = 0
    for f, g, honest, _ in random_cases():
        found = recheck(honest, f, g)
        assert found.cells == honest.cells
        finite += f.precision_bits is not None
    assert 15 <= finite <= 35


@pytest.mark.slow
def test_a_bound_below_the_truth_never_passes():
    for f, g, honest, truth in random_cases():
        data = honest.to_dict()
        data["high"] = str(Fraction(truth) * Fraction(99, 100) - Fraction(1, 10**6))
        with pytest.raises(CertificateError, match=r"high|which \|f − g\| is at length"):
            recheck(EnclosureCertificate(data), f, g)


# Forgeries.


@cache
def example(name):
    """Return (f, g, certificate): small, with all that a certificate can have."""
    if name == "finite":
        f = table_model(
            [table_head([0, 0.3], [0, 0.01], [1, -1], [0, 0.5], (0, 0.2))],
            precision_bits=3,
            mlp=([1.0, -2.0], [0.1, 0.4]),
        )
        g = table_model([table_head([0, 0.3], [0, 0], [1, -1], [0, 0.4])], precision_bits=3)
        length, horizon = 2, 2**30
    else:
        rng = np.random.default_rng(8)
        sizes = {"vocabulary_size": 2, "period": 2, "locality": 2, "heads": 1}
        f = random_model(rng, **sizes, regime="token dominant", logits=1.0)
        g = random_model(rng, **sizes, regime="balanced", logits=1.0)
        length, horizon = 2, None

    def goal(search):
        return 1.1 * (search.best.value if search.best else 0.0) + 1e-3

    honest, _ = searched(f, g, from_length=length, horizon=horizon, goal=goal, budget=20_000)
    data = honest.to_dict()
    tau, period = data["locality"], data["period"]
    rng, error = np.random.default_rng(9), 0.0
    for tokens in (rng.random((200, 20)) < rng.random((200, 1))).astype(int).tolist():
        counts = np.zeros((period, 2), dtype=int)
        for i, s in enumerate(tokens[: 20 - tau - 1]):
            counts[(i + 1) % period, s] += 1
        worst = {"counts": counts.tolist(), "suffix": tokens[-tau - 1 :], "length": 20}
        here = CountedInput.from_dict(worst).error(f, g)
        if here > error:
            data["worst"], error = worst, here
    data["low"] = str(Fraction(error) - Fraction(1, 10**9))
    assert 0.01 < Fraction(data["low"]) < Fraction(data["high"])
    return f, g, EnclosureCertificate(data)


def test_the_examples_pass():
    for name in ("finite", "infinite"):
        f, g, honest = example(name)
        found = recheck(honest, f, g)
        assert found.inputs > 0
        assert found.low > 0
        assert found.further == 0
    assert any(piece["levels"] for piece in example("finite")[2].data["pieces"])
    blocks = {
        (p["residue"], str(p["tokens"]), str(p["levels"]))
        for p in example("finite")[2].data["pieces"]
    }
    assert len(blocks) < len(example("finite")[2].data["pieces"])


def block(data, more=lambda pieces, k: True):
    """Return the number of a piece that another one of the same context and levels follows."""
    keys = [(p["residue"], p["tokens"], p["levels"]) for p in data["pieces"]]
    for k, piece in enumerate(data["pieces"]):
        for j, other in enumerate(data["pieces"]):
            follows = piece["last"] is not None and other["first"] == piece["last"] + data["period"]
            if keys[k] == keys[j] and follows:
                return k, j
    return None


def put(path, value):
    """Return a forgery that sets one entry; the path is what the error must name."""

    def forge(data):
        *above, last = path
        where = data
        for key in above:
            where = where[key]
        if isinstance(where, dict):
            assert last in where
        where[last] = value(where[last]) if callable(value) else value
        return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).lstrip(".")

    return forge


def divided(data):
    """Return (piece, node) of a cell that is divided by a share."""
    for k, piece in enumerate(data["pieces"]):
        for j, node in enumerate(piece["tree"]):
            if node is not None and node[0] != "T":
                return k, j
    raise AssertionError


def in_tree(change, where=None):
    def forge(data):
        k, j = divided(data)
        change(data["pieces"][k]["tree"], j)
        return f"pieces[{k}].tree" + ("" if where is None else f"[{j}]{where}")

    return forge


def missing_piece(data):
    del data["pieces"][-1]
    return "pieces"


def missing_block(data):
    both = block(data)
    if both is None:
        return None
    del data["pieces"][both[0]]
    return "pieces"


def missing_last_block(data):
    both = block(data)
    if both is None:
        return None
    del data["pieces"][both[1]]
    return "pieces"


def shifted_later(data):
    both = block(data)
    if both is None:
        return None
    data["pieces"][both[1]]["first"] += data["period"]
    return f"pieces[{both[1]}].first"


def shifted_earlier(data):
    both = block(data)
    if both is None:
        return None
    data["pieces"][both[1]]["first"] -= data["period"]
    return f"pieces[{both[1]}].first"


def joined_blocks(data):
    both = block(data)
    if both is None:
        return None
    data["pieces"][both[0]]["last"] = data["pieces"][both[1]]["last"]
    del data["pieces"][both[1]]
    return f"pieces[{both[0]}].last"


def twice(data):
    data["pieces"].append(copy.deepcopy(data["pieces"][0]))
    return "pieces"


def empty_piece(data):
    """A piece without lengths must not hide a gap."""
    data["pieces"][0]["last"] = data["pieces"][0]["first"] - 1
    return "pieces[0].last"


def tiny_piece_that_jumps(data):
    first = copy.deepcopy(data["pieces"][0])
    first["last"] = first["first"]
    data["pieces"][0]["first"] += 2 * data["period"]
    data["pieces"].append(first)
    return "pieces[0].first"


def wrong_levels(data):
    if data["precision"] == "infinite":
        data["pieces"][0]["levels"] = ["0", "0"]
    else:
        data["pieces"][0]["levels"][0] = "1/3"
    return "pieces[0].levels"


def other_levels(data):
    """Levels of another context."""
    if data["precision"] == "infinite":
        return None
    pieces = data["pieces"]
    key = (pieces[0]["residue"], pieces[0]["tokens"])
    own = [p["levels"] for p in pieces if (p["residue"], p["tokens"]) == key]
    other = next(p["levels"] for p in pieces if p["levels"] not in own)
    pieces[0]["levels"] = other
    return "pieces[0].levels"


def one_level_left_out(data):
    if data["precision"] == "infinite":
        return None
    pieces = data["pieces"]
    for piece in pieces:
        same = [
            p for p in pieces if (p["residue"], p["tokens"]) == (piece["residue"], piece["tokens"])
        ]
        if any(p["levels"] != piece["levels"] for p in same):
            data["pieces"] = [p for p in pieces if p not in same or p["levels"] != piece["levels"]]
            return "pieces"
    raise AssertionError


def horizon_widened(data):
    if data["horizon"] is None:
        return None
    data["horizon"] *= 2
    return "pieces["


def horizon_dropped(data):
    if data["horizon"] is None:
        return None
    data["horizon"] = None
    return "pieces["


def no_end(data):
    if data["horizon"] is None:
        return None
    both = block(data)
    data["pieces"][both[0]]["last"] = None
    return f"pieces[{both[0]}].last"


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def lowered(data):
    """A bound that one of the cells does not keep."""
    data["high"] = str(Fraction(data["low"]) * Fraction(99, 100))
    data["low"], data["worst"] = "0", None
    return ""


def low_above(data):
    data["low"] = str(Fraction(data["low"]) + Fraction(1, 10**6))
    return "worst"


def crossed(data):
    data["low"] = str(Fraction(data["high"]) + 1)
    return "high"


FORGERIES = {
    "format": put(["format"], "lgbounds enclosure"),
    "version": put(["version"], 2),
    "version true": put(["version"], True),
    "weights": lambda data: put(["weights", "f"], "0" * 64)(data) and "weights",
    "vocabulary": put(["vocabulary_size"], 3),
    "period": put(["period"], lambda period: 2 * period),
    "locality": put(["locality"], lambda tau: tau + 1),
    "precision": put(["precision"], "double"),
    "precision a list": put(["precision"], []),
    "from_length zero": put(["from_length"], 0),
    "from_length text": put(["from_length"], "5"),
    "from_length lowered": put(["from_length"], -3),
    "horizon below": put(["horizon"], 1),
    "horizon a float": put(["horizon"], 1e9),
    "horizon widened": horizon_widened,
    "horizon dropped": horizon_dropped,
    "low above the truth": low_above,
    "low huge": lambda data: put(["low"], "1" * 2000)(data) and "high",
    "low negative": put(["low"], "-1"),
    "low above high": crossed,
    "low without worst": lambda data: put(["worst"], None)(data) and "low",
    "high a number": put(["high"], 3.5),
    "high no number": put(["high"], "nan"),
    "high infinite": put(["high"], "1/0"),
    "high lowered": lowered,
    "worst counts": lambda data: (
        put(["worst", "counts", 0, 0], lambda n: n + 1)(data) and "worst.counts[0]"
    ),
    "worst negative": lambda data: (
        put(["worst", "counts", 0, 0], lambda n: n + 100)(data)
        and put(["worst", "counts", 0, 1], lambda n: n - 100)(data)
    ),
    "worst short": lambda data: put(["worst", "suffix"], [0])(data),
    "worst token": put(["worst", "suffix", 0], 7),
    "worst length": put(["worst", "length"], 1),
    "worst long": lambda data: put(["worst", "length"], 24)(data) and "worst.counts",
    "worst text": put(["worst"], "ab"),
    "start too early": put(["start"], 1),
    "start too late": lambda data: put(["start"], 10**6)(data),
    "start later": lambda data: put(["start"], lambda n: n + 2)(data) and "pieces[",
    "missing piece": missing_piece,
    "no pieces": put(["pieces"], []),
    "pieces null": put(["pieces"], None),
    "missing block": missing_block,
    "missing last block": missing_last_block,
    "block later": shifted_later,
    "block earlier": shifted_earlier,
    "joined blocks": joined_blocks,
    "piece twice": twice,
    "empty piece": empty_piece,
    "gap": tiny_piece_that_jumps,
    "block without end": no_end,
    "first of another residue": put(["pieces", 0, "first"], lambda n: n + 1),
    "last below first": put(["pieces", 0, "last"], 1),
    "last text": put(["pieces", 0, "last"], "null"),
    "residue": put(["pieces", 0, "residue"], 5),
    "residue of another": lambda data: (
        put(["pieces", 0, "residue"], lambda r: 1 - r)(data) and "pieces"
    ),
    "token": put(["pieces", 0, "tokens", 0, 1], 9),
    "lag": put(["pieces", 0, "tokens", 0, 0], 4),
    "tokens missing": lambda data: put(["pieces", 0, "tokens"], [])(data),
    "token of another": lambda data: (
        put(["pieces", 0, "tokens", 0, 1], lambda s: 1 - s)(data) and "pieces"
    ),
    "levels": wrong_levels,
    "levels of another": other_levels,
    "levels left out": one_level_left_out,
    "dropped subtree": in_tree(lambda tree, j: tree.__delitem__(j + 1)),
    "longer tree": in_tree(lambda tree, j: tree.append(None)),
    "empty tree": in_tree(lambda tree, j: tree.clear()),
    "tree no list": lambda data: put(["pieces", 0, "tree"], {"0": None})(data),
    "coordinate": in_tree(lambda tree, j: tree.__setitem__(j, [77, 0.5]), "[0]"),
    "coordinate true": in_tree(lambda tree, j: tree.__setitem__(j, [True, 0.5]), "[0]"),
    "coordinate text": in_tree(lambda tree, j: tree.__setitem__(j, ["t", 5]), "[0]"),
    "share text": in_tree(lambda tree, j: tree[j].__setitem__(1, "0.5"), "[1]"),
    "share true": in_tree(lambda tree, j: tree[j].__setitem__(1, True), "[1]"),
    "share above 1": in_tree(lambda tree, j: tree[j].__setitem__(1, 1.5), "[1]"),
    "share huge": in_tree(lambda tree, j: tree[j].__setitem__(1, 10**400), "[1]"),
    "share null": in_tree(lambda tree, j: tree[j].__setitem__(1, None), "[1]"),
    "length a float": in_tree(lambda tree, j: tree.__setitem__(j, ["T", 100.0]), "[1]"),
    "length zero": in_tree(lambda tree, j: tree.__setitem__(j, ["T", 0]), "[1]"),
    "node of three": in_tree(lambda tree, j: tree[j].append(1), ""),
    "node a number": in_tree(lambda tree, j: tree.__setitem__(j, 3), ""),
    "nested": in_tree(lambda tree, j: tree.__setitem__(j, nested(300)), ""),
    "one field more": lambda data: data.__setitem__("note", "") or "certificate",
    "one field less": lambda data: data.__delitem__("claim") or "certificate",
    "piece with more": lambda data: data["pieces"][0].__setitem__("note", 1) or "pieces[0]",
    "piece a list": put(["pieces", 0], [1, 2]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORGERIES)
def test_each_kind_of_forgery_is_named(kind):
    tried = 0
    for name in ("finite", "infinite"):
        f, g, honest = example(name)
        data = honest.to_dict()
        place = FORGERIES[kind](data)
        if place is None:
            continue
        tried += 1
        with pytest.raises(CertificateError) as caught:
            recheck(EnclosureCertificate(data), f, g)
        path = str(caught.value).split(": ")[0]
        assert path.startswith(place)
        assert "got " in str(caught.value)
    assert tried


def test_other_precision_and_other_models():
    f, g, honest = example("finite")
    data = honest.to_dict() | {"precision": "infinite"}
    with pytest.raises(InputError, match="infinite precision"):
        recheck(EnclosureCertificate(data), f, g)
    with pytest.raises(CertificateError, match="weights"):
        recheck(honest, g, f)
    sizes = {"vocabulary_size": 3, "period": 1, "locality": 0, "heads": 1, "precision_bits": 3}
    three = random_model(np.random.default_rng(0), **sizes)
    two_layers = random_model(np.random.default_rng(0), **{**sizes, "layers": 2})
    for wrong in (None, three, two_layers):
        with pytest.raises(InputError):
            recheck(honest, f, wrong)


HOSTILE = {
    "no JSON": lambda text: text[:-1],
    "a field twice": lambda text: text[:-1] + ', "version": 1}',
    "a list": lambda text: f"[{text}]",
    "null": lambda text: "null",
    "not a number": lambda text: text.replace('"version": 1', '"version": NaN'),
    "infinity": lambda text: text.replace('"start": ', '"start": Infinity, "extra": '),
    "minus infinity": lambda text: text.replace('"version": 1', '"version": -Infinity'),
    "deep lists": lambda text: text[:-1] + ', "deep": ' + "[" * 10**5 + "]" * 10**5 + "}",
    "deep objects": lambda text: text[:-1] + ', "deep": ' + '{"a":' * 10**5 + "1" + "}" * 10**6,
    "many digits": lambda text: text.replace('"version": 1', '"version": 1' + "0" * 10**5),
    "long float": lambda text: text.replace('"version": 1', '"version": 1e999'),
    "long rational": lambda text: text.replace('"low": "', '"low": "' + "1" * 10**5),
    "format a list": lambda text: text.replace('"format": "', '"format": ["x"], "other": "'),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused(kind, tmp_path):
    f, g, honest = example("finite")
    text = json.dumps(honest.to_dict())
    forged = HOSTILE[kind](text)
    assert forged != text
    (tmp_path / "hostile.json").write_text(forged)
    with pytest.raises(CertificateError):
        recheck(tmp_path / "hostile.json", f, g)


def test_hostile_objects_are_refused():
    class Given:
        def __init__(self, data):
            self.data = data

        def to_dict(self):
            return self.data

    f, g, _ = example("finite")
    for data in (nested(10**5), {"format": math.nan}, {"format": {1}}, 3, None, [], {}):
        with pytest.raises(CertificateError):
            recheck(Given(data), f, g)


def test_too_much_is_refused(monkeypatch):
    f, g, honest = example("finite")
    monkeypatch.setattr(enclosure, "MOST_NODES", 3)
    with pytest.raises(CertificateError, match="at most 3 nodes"):
        recheck(honest, f, g)
    monkeypatch.undo()
    monkeypatch.setattr(enclosure, "MOST_INPUTS", 3)
    with pytest.raises(CertificateError, match="too many to look at"):
        recheck(honest, f, g)


def test_a_deep_tree_is_read(monkeypatch):
    f, g, honest = example("finite")
    data = honest.to_dict()
    k, j = divided(data)
    coordinate, _ = data["pieces"][k]["tree"][j]
    data["pieces"][k]["tree"] = [[coordinate, 0.0]] * 5000 + data["pieces"][k]["tree"]
    with pytest.raises(CertificateError, match="more cells"):
        recheck(EnclosureCertificate(data), f, g)


def test_a_coarser_tree_is_divided_further(monkeypatch):
    stored = trained_pair("simple_plain", omega=2, training_length=8)
    f, g = stored.model, stored.target
    honest, _ = searched(f, g, from_length=1, horizon=None, goal=to(0.14), budget=1000)
    data = honest.to_dict()
    for piece in data["pieces"]:
        piece["tree"] = [None]
    found = recheck(EnclosureCertificate(data), f, g)
    assert found.cells == found.pieces
    assert found.further > 0
    monkeypatch.setattr(enclosure, "MOST_FURTHER", 2)
    with pytest.raises(CertificateError, match=r"tree\[0\].*only .* was found here"):
        recheck(EnclosureCertificate(data), f, g)


def test_short_inputs_are_looked_at():
    f, g, honest = example("finite")
    data = honest.to_dict() | {"from_length": 1}
    pair = ExactPair(f, g)
    evaluator = Evaluator(pair)
    lengths = range(1, data["start"])
    largest_short = max(
        evaluator.error(x, Fraction(-1), below=True)[1]
        for n in lengths
        for x in all_inputs(pair, n)
    )
    if largest_short > Fraction(data["high"]):
        with pytest.raises(CertificateError, match=r"high: .* which .* is at length"):
            recheck(EnclosureCertificate(data), f, g)
        data["high"] = str(largest_short)
    number = sum(how_many_inputs(pair, n) for n in lengths)
    assert recheck(EnclosureCertificate(data), f, g).inputs == number
    data["high"] = str(largest_short - Fraction(1, 10**12))
    data["low"], data["worst"] = "0", None
    with pytest.raises(CertificateError):
        recheck(EnclosureCertificate(data), f, g)


def test_numbers_of_any_size_are_read():
    f, g, honest = example("finite")
    lengths = {"from_length": 10**999, "horizon": 10**1000, "start": 10**999 + 1}
    data = honest.to_dict() | lengths
    data |= {"pieces": [], "low": "0", "worst": None, "high": "1" * 3000}
    with pytest.raises(CertificateError, match=r"start: .* too many to look at"):
        recheck(EnclosureCertificate(data), f, g)
    data["from_length"] += 1
    with pytest.raises(CertificateError, match="all pieces"):
        recheck(EnclosureCertificate(data), f, g)
    data["horizon"] += 1
    with pytest.raises(CertificateError, match=r"horizon: .* at most 10\^1000"):
        recheck(EnclosureCertificate(data), f, g)


def test_only_short_lengths():
    f, g, honest = example("finite")
    data = honest.to_dict() | {"from_length": 1, "horizon": 3, "pieces": [], "high": "100"}
    data |= {"low": "0", "worst": None, "claim": {"any": ["thing"]}}
    found = recheck(EnclosureCertificate(data), f, g)
    assert (found.horizon, found.pieces, found.cells) == (3, 0, 0)


def test_a_very_long_worst_input():
    f, g, honest = example("finite")
    data = honest.to_dict() | {"horizon": 2**900}
    tau, period = data["locality"], data["period"]
    suffix = [1] * (tau + 1)
    counts = [
        [0, free_positions(2**890, r, period, frozenset(range(tau + 1)))] for r in range(period)
    ]
    counts[0] = [counts[0][1] // 2, counts[0][1] - counts[0][1] // 2]
    data["worst"] = {"counts": counts, "suffix": suffix, "length": 2**890}
    error = CountedInput.from_dict(data["worst"]).error(f, g)
    assert error > 0.01
    for loss, path in ((-1e-9, "worst: "), (1e-9, "pieces")):
        data["low"] = str(Fraction(error) - Fraction(loss))
        data["high"] = "10"
        with pytest.raises(CertificateError, match=path):
            recheck(EnclosureCertificate(data), f, g)


def test_finite_precision_without_an_end():
    head = table_head([0, 0], [0, 5], [1, -1], [0, 0.5])
    other = table_head([0, 0], [0, 6], [1, -1.1], [0, 0.5])
    f, g = (table_model([h], precision_bits=4) for h in (head, other))
    honest, truth = searched(f, g, from_length=4, horizon=None, goal=to(0.15), budget=500)
    found = recheck(honest, f, g)
    assert found.horizon is None
    assert 0.1 - 1e-6 < truth <= found.high
    data = honest.to_dict()
    data["high"] = str(Fraction(truth) - Fraction(1, 10**6))
    with pytest.raises(CertificateError):
        recheck(EnclosureCertificate(data), f, g)


def test_the_interface():
    assert verify.recheck is recheck
    f, g, honest = example("finite")
    found = recheck(honest, f, g)
    with pytest.raises(AttributeError):
        found.high = 0
    assert found.start == honest.data["start"]
