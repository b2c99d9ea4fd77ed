"""The balanced construction: windows, vector balancing, and the simulation lemma itself."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from verify.errors import CertificateError, InputError
from verify.simulation.softmax.balancing import Balancer
from verify.simulation.softmax.blocks import BlockPlan, plan_blocks, plan_schedule
from verify.simulation.softmax.schedule import Schedule
from verify.simulation.softmax.windows import balance_windows, suffix_types

pytestmark = pytest.mark.covers("attack", "derived.two_layer_softmax_periodic")


@st.composite
def plans(draw):
    locality, period = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    theta, repeats = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    smallest = period * theta * repeats + locality + period
    length = draw(st.integers(smallest, 60))
    total = draw(st.integers(length, 200))
    grown = {"theta": theta, "repeats": repeats}
    return (
        plan_blocks(total, length, locality=locality, period=period, **grown),
        length,
        locality,
    )


# ---------------------------------------------------------------- blocks and windows


@given(plans())
def test_a_plan_uses_as_many_pieces_as_fit(case):
    plan, length, locality = case
    assert plan.length <= length <= plan.total
    used = plan.schedule
    more = Schedule(used.theta, used.repeats, used.levels + 1).total
    assert plan.period * more + plan.tail > length
    assert locality + 1 <= plan.tail <= locality + plan.period
    assert (plan.total - plan.tail) % plan.period == 0
    assert plan.length % plan.period == plan.total % plan.period
    assert plan.end(plan.pieces) == plan.units * plan.short_units


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_a_schedule_repeats_every_length(theta, repeats, levels):
    schedule = Schedule(theta, repeats, levels)
    pieces = [schedule.piece(k) for k in range(1, schedule.pieces + 1)]
    assert pieces == [theta * math.ceil(Fraction(k, repeats)) for k in range(1, len(pieces) + 1)]
    assert len(pieces) == repeats * levels
    sums = [schedule.prefix(k) for k in range(schedule.pieces + 1)]
    assert sums == [sum(pieces[:k]) for k in range(len(sums))]
    assert schedule.total == sums[-1]
    assert schedule.last_share == Fraction(pieces[-1], sums[-1])
    assert schedule.seams == Fraction(2 * len(pieces), sums[-1])


@given(plans(), st.fractions(0, 1))
def test_windows_are_the_cyclic_windows_of_the_definition(case, share):
    plan, _, _ = case
    kappa = Fraction(plan.units, plan.short_units)
    for k in range(1, plan.pieces + 1):
        size = plan.schedule.piece(k)
        start, width = Fraction(plan.end(k - 1), plan.short_units), kappa * size
        shift = share * width * Fraction(99, 100)
        points = [math.floor(start + (shift + t) % width) for t in range(size)]
        w = plan.windows(k)
        edges = np.cumsum(w.weights)
        c = int(np.searchsorted(edges, math.floor(shift * plan.short_units), side="right"))
        runs = [
            *range(w.first[c], w.first[c] + w.first_count[c]),
            *range(w.second[c], w.second[c] + w.second_count[c]),
        ]
        assert runs == points


@given(plans())
def test_the_mean_over_windows_is_the_mean_over_the_block_exactly(case):
    plan, _, _ = case
    for k in range(1, plan.pieces + 1):
        low, high = plan.span(k)
        w = plan.windows(k)
        hits = np.zeros(high - low, dtype=object)
        for c, weight in enumerate(w.weights.tolist()):
            for start, count in (
                (w.first[c], w.first_count[c]),
                (w.second[c], w.second_count[c]),
            ):
                hits[start - low : start - low + count] += weight if count else 0
        # Each point is uniform on the block: hits ∝ overlap, with total λ_k Σ weights.
        total = int(w.weights.sum())
        size = plan.schedule.piece(k)
        assert total == plan.units * size
        assert all(int(h) == size * int(o) for h, o in zip(hits, plan.overlap(k), strict=True))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"length": 201}, "length"),
        ({"length": 2}, "length"),
        ({"length": 12, "repeats": 10}, "length"),
        ({"theta": 0}, "theta"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_plans_that_cannot_be_are_refused(changed, name):
    given = {"total": 200, "length": 50, "locality": 2, "theta": 1} | changed
    with pytest.raises(InputError) as caught:
        plan_blocks(given.pop("total"), given.pop("length"), **given)
    assert caught.value.name == name


# ---------------------------------------------------------------- vector balancing


@pytest.mark.parametrize("seed", range(6))
def test_prefix_sums_stay_within_d_diameters_in_every_seminorm(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 6))
    sets = []
    for _ in range(60):
        points = rng.normal(size=(int(rng.integers(2, 40)), d)) * rng.uniform(0.1, 3)
        sets.append(points - rng.dirichlet(np.ones(len(points))) @ points)
    balancer = Balancer(d)
    for points in sets:
        balancer.add(len(points), points.__getitem__)
    choices = balancer.finish()
    assert balancer.most_undecided <= d
    sums = np.cumsum([points[c] for points, c in zip(sets, choices, strict=True)], axis=0)
    for functional in [*np.eye(d), *rng.normal(size=(20, d))]:
        widths = [np.ptp(points @ functional) for points in sets]
        allowed = d * np.maximum.accumulate(widths)
        assert (np.abs(sums @ functional) <= allowed + 1e-6).all()
    diameters = [np.linalg.norm(p[:, None] - p[None], axis=2).max() for p in sets]
    assert (np.linalg.norm(sums, axis=1) <= d * np.maximum.accumulate(diameters) + 1e-6).all()


def test_plus_minus_one_never_leaves_a_band():
    # d = 1, V = {−1, +1}: the lemma allows 2; a plain "first vertex" rule would run away.
    balancer = Balancer(1)
    signs = np.array([[-1.0], [1.0]])
    for _ in range(200):
        balancer.add(2, signs.__getitem__)
    assert np.abs(np.cumsum([signs[c, 0] for c in balancer.finish()])).max() <= 2


def test_many_vectors_of_which_few_matter():
    # 0 is in the hull only thanks to one vector that a spread-out subset is likely to miss.
    points = np.ones((100_000, 1))
    points[-1] = -1.0
    balancer = Balancer(1)
    for _ in range(3):
        balancer.add(len(points), points.__getitem__)
    assert np.abs(np.cumsum([points[c, 0] for c in balancer.finish()])).max() <= 2


@pytest.mark.parametrize("huge", [1e12, 1e200])
def test_coordinates_of_very_different_sizes(huge):
    # The first coordinate suddenly grows by many orders; the second must still be balanced.
    rng = np.random.default_rng(0)
    sets = []
    for k in range(40):
        points = rng.normal(size=(30, 2)) * (huge if 10 <= k < 20 else 1.0, 1.0)
        sets.append(points - points.mean(axis=0))
    balancer = Balancer(2)
    for points in sets:
        balancer.add(len(points), points.__getitem__)
    choices = balancer.finish()
    sums = np.cumsum([points[c] for points, c in zip(sets, choices, strict=True)], axis=0)
    widths = np.maximum.accumulate([np.ptp(points, axis=0) for points in sets])
    assert (np.abs(sums) <= 2 * widths * (1 + 1e-6)).all()


def test_coordinates_that_are_noise_do_not_disturb():
    rng = np.random.default_rng(1)
    balancer = Balancer(2)
    for _ in range(20):
        points = rng.normal(size=(30, 2)) * (1.0, 1e-15) + (0.0, 1e-15)
        points[:, 0] -= points[:, 0].mean()
        balancer.add(len(points), points.__getitem__)
    assert len(balancer.finish()) == 20


def test_a_solver_that_gives_up_is_asked_again(monkeypatch):
    asked = []

    def moody(*args, **kwargs):
        asked.append(kwargs["options"]["presolve"])
        found = linprog(*args, **kwargs)
        if not asked[-1]:
            found.x = None
        return found

    monkeypatch.setattr("scipy.optimize.linprog", moody)
    balancer = Balancer(1)
    for _ in range(5):
        balancer.add(2, np.array([[-1.0], [1.0]]).__getitem__)
    assert np.abs(balancer.finish()).max() <= 1
    assert asked == 5 * [False, True]


def test_a_set_off_centre_is_refused():
    balancer = Balancer(2)
    with pytest.raises(CertificateError, match="set 0"):
        balancer.add(2, np.array([[1.0, 0.0], [2.0, 0.0]]).__getitem__)


# ---------------------------------------------------------------- the simulation lemma


def kinds_of_input(rng, length, size):
    """Inputs made to break averages: runs, drift, halves, periods, rare tokens, chance."""
    run = max(2, int(length**0.4))
    drift = (rng.random(length) < np.linspace(0, 1, length)).astype(np.int64) * (size - 1)
    rare = np.zeros(length, dtype=np.int64)
    rare[rng.integers(length, size=3)] = size - 1
    growing = np.repeat(np.arange(length) % size, np.arange(length) + 1 if length < 300 else 2)
    if length >= 300:
        growing = np.repeat(np.arange(200) % size, 1 + np.arange(200) ** 2)
    return {
        "runs": np.arange(length) // run % size,
        "growing runs": np.resize(growing, length),
        "halves": (np.arange(length) >= length // 2).astype(np.int64) * (size - 1),
        "drift": drift,
        "periodic": np.resize(rng.integers(size, size=7), length),
        "rare": rare,
        "uniform": rng.integers(size, size=length),
    }


class RandomFunctional:
    """p_c(w, μ) = Σ_s A_c[w, s] μ(s) with A in [0, 1]: range 1, Lipschitz constant 1 in TV."""

    def __init__(self, rng, size, locality, period, outputs):
        self.size, self.locality, self.period = size, locality, period
        shape = (period * size ** (locality + 1), period * size, outputs)
        self.table = (rng.random(shape) < 0.5).astype(float)

    def __call__(self, piece):
        code = piece.suffixes.residues.copy()
        for lag in range(self.locality + 1):
            code = code * self.size + piece.suffixes.tokens[:, lag]
        return np.einsum("nsc,s->nc", self.table[code], piece.histogram.reshape(-1))

    def average(self, x):
        """Mean of p over all positions of x, straight from the definition."""
        total = np.zeros(self.table.shape[2])
        counts = np.zeros((self.period, self.size))
        for i in range(1, len(x) + 1):
            counts[i % self.period, x[i - 1]] += 1
            code = i % self.period
            for lag in range(self.locality + 1):
                code = code * self.size + (x[i - 1 - lag] if i - 1 - lag >= 0 else 0)
            total += counts.reshape(-1) / i @ self.table[code]
        return total / len(x)


def type_histogram(x, size, period):
    residues = np.arange(1, len(x) + 1) % period
    return np.bincount(residues * size + x, minlength=period * size) / len(x)


def allowed_by_the_lemma(plan, d, locality, logarithm=0.5):
    """Lemma B3⁺ for L = D = 1: what the averages, and what the histograms, may differ by."""
    s, period = plan.schedule, plan.period
    rate = 1 / (s.repeats * (s.levels + 1))
    turns = 4 * d + (6 if period == 1 else 8)
    average = rate * (turns * (1 + logarithm * math.log(s.repeats) / s.levels) + 2 * d)
    average += 4 * locality / (s.theta * period * (s.levels + 1)) + 2 * plan.tail / plan.length
    return average, 2 * d * rate + plan.tail / plan.length


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("repeats", [1, 6])
def test_simulation_lemma_on_hostile_inputs(seed, repeats):
    rng = np.random.default_rng(seed)
    size, locality, period = (int(rng.integers(2, 4)), int(rng.integers(0, 3)), 1 + seed % 3)
    theta, outputs = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    length = int(rng.integers(40, 250)) + (60 if repeats > 1 else 0)
    total = int(length * rng.uniform(1.1, 12))
    p = RandomFunctional(rng, size, locality, period, outputs)
    grown = {"theta": theta, "repeats": repeats}
    plan = plan_blocks(total, length, locality=locality, period=period, **grown)
    for x in kinds_of_input(rng, total, size).values():
        z = balance_windows(x, [p], plan, vocabulary_size=size, locality=locality)
        d = z.dimension
        assert d == period * (size - 1) + outputs
        assert z.most_undecided <= d
        assert len(z.short) == plan.length
        average, variation = allowed_by_the_lemma(plan, d, locality)
        assert np.abs(p.average(x) - p.average(z.short)).max() <= average
        apart = type_histogram(x, size, period) - type_histogram(z.short, size, period)
        assert 0.5 * np.abs(apart).sum() <= variation


def test_several_functions_at_once_are_one_with_all_their_coordinates():
    rng = np.random.default_rng(3)
    x = rng.integers(2, size=500)
    p, q = (RandomFunctional(rng, 2, 1, 1, m) for m in (1, 2))
    plan = plan_schedule(len(x), Schedule(2, 3, 4), locality=1)

    def both(piece):
        return np.concatenate([p(piece), q(piece)], axis=1)

    apart, joined = (
        balance_windows(x, parts, plan, vocabulary_size=2, locality=1) for parts in ([p, q], [both])
    )
    assert np.array_equal(apart.short, joined.short)
    assert apart.dimension == joined.dimension == 4


def test_pieces_are_numbered_and_know_their_prefix():
    x = np.random.default_rng(4).integers(2, size=300)
    plan = plan_schedule(len(x), Schedule(1, 2, 5), locality=0)
    seen = []

    def p(piece):
        seen.append((piece.number, piece.histogram.sum(), piece.suffixes.tokens.shape[1]))
        return piece.histogram[0, 0] * np.ones((len(piece.suffixes.residues), 1))

    balance_windows(x, [p], plan, vocabulary_size=2, locality=0)
    assert [number for number, _, _ in seen] == list(range(1, 11))
    assert all(total == pytest.approx(1) and width == 1 for _, total, width in seen)


def test_a_plan_longer_than_x_is_refused():
    with pytest.raises(InputError, match="length of x, 20"):
        plan_schedule(20, Schedule(1, 4, 4), locality=0)
    assert isinstance(plan_schedule(41, Schedule(1, 4, 4), locality=0), BlockPlan)


@pytest.mark.parametrize("period", [1, 2, 3])
def test_z_is_made_of_few_runs_of_x_that_keep_their_residues(period):
    rng = np.random.default_rng(5)
    x = rng.integers(3, size=997)
    p = RandomFunctional(rng, 3, 1, period, 1)
    plan = plan_blocks(len(x), 150, locality=1, period=period)
    z = balance_windows(x, [p], plan, vocabulary_size=3, locality=1)
    assert len(z.fragments) <= 2 * plan.pieces + 1
    position = 0
    for start, count in z.fragments:
        assert (start - position) % period == 0
        assert np.array_equal(z.short[position : position + count], x[start : start + count])
        position += count
    assert position == plan.length
    assert z.fragments[-1] == (len(x) - plan.tail, plan.tail)


def test_drift_is_that_of_the_prefixes_of_z():
    # After piece k: n′-scaled type counts of z minus those of x up to the end of block k.
    rng = np.random.default_rng(2)
    x = rng.integers(2, size=400)
    plan = plan_blocks(400, 60, locality=0)
    p = RandomFunctional(rng, 2, 0, 1, 1)
    z = balance_windows(x, [p], plan, vocabulary_size=2, locality=0)
    for k in range(1, plan.pieces + 1):
        done = plan.schedule.prefix(k)
        end = Fraction(plan.end(k), plan.short_units)
        whole = math.floor(end)
        ones = Fraction(int(x[:whole].sum())) + (end - whole) * int(x[min(whole, len(x) - 1)])
        expected = int(z.short[:done].sum()) - ones * done / end
        assert z.drift[k - 1, 0] == pytest.approx(float(expected), abs=1e-9)


def test_suffix_types_name_every_position():
    x = np.array([2, 0, 1, 1, 0, 1, 1], dtype=np.int64)
    types, type_of = suffix_types(x, 2, 2)
    for i, t in enumerate(type_of):
        expected = [x[i - lag] if i >= lag else 0 for lag in range(3)]
        assert types.tokens[t].tolist() == expected
        assert types.residues[t] == (i + 1) % 2


@pytest.mark.slow
def test_the_rate_is_one_half_on_long_runs():
    # 1[x_i ≠ x_{i−1}] + |μ_i(a) − ½|: no z of length n can be better than about 1/√n here.
    def p(piece):
        change = piece.suffixes.tokens[:, 0] != piece.suffixes.tokens[:, 1]
        return (change + abs(piece.histogram[0, 0] - 0.5))[:, None]

    def average(x):
        share = np.cumsum(x == 0) / np.arange(1, len(x) + 1)
        before = np.concatenate([[0], x[:-1]])
        return float(((x != before) + np.abs(share - 0.5)).mean())

    lengths = [316, 632, 1264, 2528]
    errors = []
    for n in lengths:
        x = np.resize(np.repeat([0, 1], 400), 300 * n)
        plan = plan_blocks(len(x), n, locality=1)
        z = balance_windows(x, [p], plan, vocabulary_size=2, locality=1)
        errors.append(abs(average(x) - average(z.short)))
        rate = 1 / (plan.pieces + 1)
        assert errors[-1] <= rate * (4 * 2 + 6 + (4 + 4) * 1.5) + 6 / plan.length
        # The lower bound of [derived, Theorem B6 (i)] on any short input, minus the average of x.
        assert average(z.short) >= 0.2 / math.sqrt(len(z.short))
    slope = np.polyfit(np.log(lengths), np.log(errors), 1)[0]
    assert -0.6 <= slope <= -0.4
