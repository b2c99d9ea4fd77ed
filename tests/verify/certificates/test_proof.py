"""`verify.prove` and `verify.ladder`: against all strings up to a small horizon, and beyond.

The environment variable CERTIFICATE_PAIRS sets how many random pairs are compared with brute
force, and how many hostile inputs are tried on proofs, 50 for each pair (default 16; 1000 take
some minutes).
"""

import dataclasses
import itertools
import json
import os
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.all_inputs import errors
from tests.helpers.model_pairs import near_ties, random_pair
from tests.helpers.random_models import random_model
from verify import (
    CountedInput,
    Head,
    InputError,
    Layer,
    LimitTransformer,
    ProofStatus,
    Summary,
    ladder,
    prove,
    tasks,
)
from verify.certificates import instance
from verify.certificates.digest import digest
from verify.certificates.input_class import PairInputs
from verify.certificates.search import worst_found
from verify.certificates.unbounded import carried_loss, settled_exponent
from verify.certificates.window import agreement

PAIRS = int(os.environ.get("CERTIFICATE_PAIRS", "16"))
HORIZON = 14
PROVED, REFUTED, OPEN = ProofStatus.PROVED, ProofStatus.REFUTED, ProofStatus.OPEN


def nudged(f, size, seed=0):
    """Return the model with its outputs changed by about this share."""
    factor = 1 + size * np.random.default_rng(seed).normal(size=f.unembedding.shape)
    return dataclasses.replace(f, unembedding=f.unembedding * factor)


def simple_pair(size=0.02):
    f = dataclasses.replace(tasks.simple(2).transformer, precision_bits=8)
    return f, nudged(f, size)


def mod_p_pair(size=0.02, ties=0.0):
    f = tasks.mod_p(3, 1).transformer
    g = nudged(f, size)
    return f, near_ties(np.random.default_rng(1), g, ties) if ties else g


# ---------------------------------------------------------------- against all strings


def _tiny_pair(seed):
    rng = np.random.default_rng(seed)
    f, g = random_pair(rng, vocabulary_size=int(rng.integers(1, 3)))
    if rng.random() < 0.7:  # nearly the same model: a proof by a window is possible
        noise = 0.05 * rng.normal(size=f.unembedding.shape)
        g = dataclasses.replace(f, unembedding=f.unembedding + noise)
        if rng.random() < 0.5:
            g = near_ties(rng, g, 0.02)
    return rng, f, g


def _agrees(verdict, f, g, by_length):
    """Assert that nothing in the verdict contradicts the errors at all lengths."""
    target = float(verdict.target)
    above = [length for length, error in by_length.items() if error > target]
    if verdict.status is PROVED:
        assert all(length < verdict.from_length for length in above)
        low, high = verdict.enclosure
        true = max(e for length, e in by_length.items() if length >= verdict.from_length)
        assert float(low) <= true + 1e-12
        assert true <= float(high) + 1e-12
        assert high <= verdict.target
    if verdict.status is REFUTED:
        worst = verdict.counterexample
        assert worst.length in above
        assert worst.error(f, g) > target
        x = worst.tokens()
        assert np.abs(f(x) - g(x)).max() > target
    for rung in verdict.rungs:  # of OPEN as well
        lengths = range(min(rung.window.by_length), rung.reach + 1)
        assert max(by_length[n] for n in lengths) <= float(rung.high) + 1e-12
    for shown in (verdict.direct, verdict.shorter):
        for length, entry in shown.items():
            assert entry.value == pytest.approx(by_length[length], abs=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("route", [None, "windows"])
@pytest.mark.parametrize("block", range(2))
def test_verdicts_agree_with_all_strings(block, route):
    kinds = set()
    for seed in range(block * PAIRS // 2, (block + 1) * PAIRS // 2):
        rng, f, g = _tiny_pair(seed)
        by_length = {n: errors(f, g, n).max() for n in range(1, HORIZON + 1)}
        scale = max(by_length.values())
        if rng.random() < 0.5:  # within reach of the window theorem
            scale += instance.cost(f, g, PairInputs(f, g).period, HORIZON).value
        target = Fraction(scale * rng.uniform(0.4, 1.2)).limit_denominator(1000)
        target += Fraction(1, 10**6)
        half = (HORIZON + 1) // 2

        free = prove(f, g, target=target, horizon=HORIZON, route=route)
        _agrees(free, f, g, by_length)
        above = [n for n, error in by_length.items() if error > float(target)]
        assert free.status is (REFUTED if max(above, default=0) >= half else PROVED), seed
        if free.status is PROVED:  # the least start
            assert free.from_length == max(above, default=0) + 1
            assert free.from_length <= half
        else:
            assert free.counterexample.length >= half

        start = int(rng.integers(1, HORIZON + 1))
        fixed = prove(f, g, target=target, horizon=HORIZON, from_length=start, route=route)
        _agrees(fixed, f, g, by_length)
        assert fixed.status is (REFUTED if max(above, default=0) >= start else PROVED), seed
        assert fixed.from_length == start

        # With few evaluations much stays open, but nothing false is said.
        limit = int(rng.integers(50, 600))
        poor = prove(f, g, target=target, horizon=HORIZON, limit=limit, route=route)
        _agrees(poor, f, g, by_length)
        kinds |= {(v.status, len(v.rungs) > 0) for v in (free, fixed, poor)}
    expected = {(PROVED, False), (REFUTED, False)}
    assert expected | ({(PROVED, True)} if route == "windows" else set()) <= kinds


def _tiny_softmax_pair(seed):
    rng = np.random.default_rng(seed)
    settings = {
        "vocabulary_size": int(rng.integers(1, 3)),
        "period": int(rng.integers(1, 4)),
        "locality": int(rng.integers(0, 3)),
        "heads": int(rng.integers(1, 3)),
        "regime": rng.choice([None, "token dominant", "balanced", "position dominant", "negative"]),
    }
    f = random_model(rng, **settings)
    if rng.random() < 0.5:
        return rng, f, random_model(rng, **settings)
    return rng, f, nudged(f, 0.1, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(2))
def test_softmax_verdicts_agree_with_all_strings(block):
    kinds = set()
    for seed in range(block * PAIRS // 2, (block + 1) * PAIRS // 2):
        rng, f, g = _tiny_softmax_pair(seed)
        by_length = {n: errors(f, g, n).max() for n in range(1, HORIZON - 1)}
        horizon = max(by_length)
        target = Fraction(max(by_length.values()) * rng.uniform(0.4, 1.2)).limit_denominator(1000)
        target += Fraction(1, 10**6)
        above = [n for n, error in by_length.items() if error > float(target)]
        half = (horizon + 1) // 2
        free = prove(f, g, target=target, horizon=horizon)
        _agrees(free, f, g, by_length)
        assert free.status is (REFUTED if max(above, default=0) >= half else PROVED), seed
        if free.status is PROVED:
            assert free.from_length == max(above, default=0) + 1
        start = int(rng.integers(1, horizon + 1))
        fixed = prove(f, g, target=target, horizon=horizon, from_length=start)
        _agrees(fixed, f, g, by_length)
        assert fixed.status is (REFUTED if max(above, default=0) >= start else PROVED), seed
        if fixed.proved_horizon is not None:
            assert all(not start <= n <= fixed.proved_horizon for n in above)
        forever = prove(f, g, target=target, horizon=None, from_length=start)
        if above and max(above) >= start:
            assert forever.status is REFUTED
        if forever.status is REFUTED:
            assert forever.counterexample.length >= start
            assert forever.counterexample.error(f, g) > float(target) - 1e-9
        kinds |= {free.status, fixed.status, forever.status}
    assert {PROVED, REFUTED} <= kinds


@pytest.mark.slow
def test_enclosures_hold_on_all_strings():
    widths = []
    for seed in range(12):
        rng, f, g = _tiny_pair(1000 + seed)
        period = PairInputs(f, g).period
        length = period + int(rng.integers(0, 3))
        found = ladder(f, g, length=length, horizon=HORIZON, factor=1.5)
        true = max(errors(f, g, n).max() for n in range(length - period + 1, HORIZON + 1))
        assert float(found.low) <= true + 1e-12
        assert true <= float(found.high) + 1e-12
        assert found.worst.error(f, g) == pytest.approx(float(found.low), abs=1e-9)
        widths.append(float(found.high - found.low))
    assert min(widths) < 1


# ---------------------------------------------------------------- proofs that carry far


def _hostile(rng, inputs, lengths):
    """Return a summary: counts that are rare, nested, equal, or random, at some length."""
    length = int(np.exp(rng.uniform(np.log(lengths[0]), np.log(lengths[1] + 1))))
    length = int(np.clip(length, *lengths))
    sizes = inputs.column_sizes(length)
    counts = np.zeros((inputs.period, inputs.vocabulary_size), dtype=object)
    style = rng.choice(["one", "rare", "even", "random", "nested"])
    for residue, size in enumerate(sizes):
        first, second = rng.permutation(inputs.vocabulary_size)[:2].tolist()
        share = {
            "one": 0,
            "rare": min(int(rng.integers(1, 4)), size),
            "even": size // 2,
            "random": int(rng.random() * size),
            "nested": min(int(np.exp(rng.uniform(0, np.log(size + 1)))), size),
        }[style]
        counts[residue, second] += share
        counts[residue, first] += size - share
    suffix = rng.integers(0, inputs.vocabulary_size, min(length, inputs.locality + 1))
    return CountedInput(Summary(counts, suffix, length))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("f", "g"),
    [simple_pair(), mod_p_pair(), mod_p_pair(0.01, 1e-4), mod_p_pair(0.01, 1e-2)],
    ids=["simple", "mod_p", "near ties", "wider ties"],
)
def test_nothing_found_violates_a_proof(f, g):
    verdict = prove(f, g, target="1/5", horizon=2**40)
    assert verdict.status is PROVED
    windows = prove(f, g, target="1/5", horizon=2**40, route="windows")
    assert windows.status is PROVED
    assert windows.length < 1000
    assert max(windows.enclosure[0], verdict.enclosure[0]) <= verdict.enclosure[1]
    assert verdict.enclosure[0] <= windows.enclosure[1]
    inputs = PairInputs(f, g)
    rng = np.random.default_rng(0)
    low, high = verdict.enclosure
    found = max(
        _hostile(rng, inputs, (verdict.from_length, 2**40)).error(f, g)
        for _ in range(50 * PAIRS // 4)
    )
    assert found <= float(high) <= 0.2
    assert found > 0.3 * float(low)  # the search is no walk in the desert
    for exponent in range(4, 41, 6):
        for length in range(2**exponent, 2**exponent + inputs.period):
            assert worst_found(inputs, length, seed=exponent).high <= high


def test_a_verdict_says_what_it_rests_on(tmp_path):
    f, g = mod_p_pair()
    v = prove(f, g, target=Fraction(3, 10), horizon=2**20, route="windows")
    assert v.status is PROVED
    (rung,) = v.rungs
    assert v.length == rung.length
    assert v.window_error + v.cost == rung.high <= v.target == Fraction(3, 10)
    window = range(v.length - 2, v.length + 1)
    assert v.window_error == agreement(f, g, window).high
    assert v.cost == instance.cost(f, g, v.length, 2**20).value
    assert v.inputs >= agreement(f, g, range(1, v.length + 1)).evaluations
    text = v.explain()
    for part in ("PROVED", "One window", f"{v.length}", "1,048,576", "a + c"):
        assert part in text
    v.save(tmp_path / "verdict.json")
    data = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert data["status"] == "PROVED"
    assert data["weights"] == {"f": digest(f), "g": digest(g)}
    assert Fraction(data["window_error"]) >= v.window_error
    assert Fraction(data["enclosure"][0]) <= v.enclosure[0]
    assert v.enclosure[1] <= Fraction(data["enclosure"][1])


def test_a_counterexample_can_be_run_again():
    f, g = mod_p_pair(ties=0.1)
    v = prove(f, g, target="3/10", horizon=10**6)
    assert v.status is REFUTED
    assert v.counterexample.length >= 500_000
    again = CountedInput.from_dict(json.loads(json.dumps(v.to_dict()))["counterexample"])
    assert again == v.counterexample
    assert again.residue == again.length % 3
    x = again.tokens()
    assert x.size == again.length
    assert np.abs(f(x) - g(x)).max() == pytest.approx(again.error(f, g), abs=1e-9)
    assert again.error(f, g) > 0.3
    assert "Error" in v.explain()
    assert v.enclosure[1] is None


def test_several_windows_prove_what_one_cannot():
    f, g = mod_p_pair(0.01, 0.1)
    target, horizon = Fraction(2713, 10_000), 2**10
    proved = prove(f, g, target=target, horizon=horizon, limit=20_000, route="windows")
    assert proved.status is PROVED
    assert len(proved.rungs) > 1
    for rung, after in itertools.pairwise(proved.rungs):
        assert rung.reach == after.length
        assert rung.high <= target
    assert proved.rungs[-1].reach == horizon
    assert f"{len(proved.rungs)} windows" in proved.reason
    carried = instance.cost(f, g, proved.length, horizon).value
    assert proved.rungs[0].window.high + carried > target  # the first window alone does not do
    low, high = ladder(f, g, length=proved.length, horizon=horizon).enclosure
    assert max(low, proved.enclosure[0]) <= min(high, proved.enclosure[1])


def test_a_length_that_fails_is_below_the_claim_and_shown():
    # All heads read residue 0. At T = 1 there is none, and g values residue 1 differently.
    query_key, value = np.zeros((4, 4)), np.zeros((4, 4))
    query_key[2, :2] = 8
    value[0, 0] = 1
    other = value.copy()
    other[0, 3] = 5
    f, g = (
        LimitTransformer(
            np.eye(4)[:2], np.eye(4)[2:], [Layer([Head(query_key, v, [0.0])])], np.eye(4)[:1], 4
        )
        for v in (value, other)
    )
    v = prove(f, g, target="1/10", horizon=2**16)
    assert v.status is PROVED
    assert v.from_length == 2
    assert list(v.shorter) == [1]
    assert v.shorter[1].value == pytest.approx(5)
    assert "the error reaches 5" in v.explain()
    fixed = prove(f, g, target="1/10", horizon=2**16, from_length=1)
    assert fixed.status is REFUTED
    assert fixed.counterexample.length == 1
    assert prove(f, g, target="1/10", horizon=2**16, from_length=2).status is PROVED


# ---------------------------------------------------------------- every length


def test_exact_ties_are_proved_for_every_length():
    f, g = simple_pair()
    v = prove(f, g, target="3/10", horizon=None)
    windows = prove(f, g, target="3/10", horizon=None, route="windows")
    for verdict in (v, windows):
        assert verdict.status is PROVED
        assert verdict.horizon is None
        assert "any length" in verdict.explain()
    for exponent in (10, 50, 200, 800):
        assert instance.cost(f, g, windows.length, 2**exponent).value <= windows.cost
        assert worst_found(PairInputs(f, g), 2**exponent).high <= v.enclosure[1]


def test_a_failure_at_every_length_is_refuted_for_every_length():
    f, g = simple_pair(0.2)
    by_cells = prove(f, g, target="1/100", horizon=None)
    assert by_cells.status is REFUTED
    assert "beyond every length" in by_cells.reason
    assert by_cells.counterexample.error(f, g) > 0.01
    v = prove(f, g, target="1/100", horizon=None, route="windows")
    assert v.status is REFUTED
    assert v.horizon is None
    assert "beyond every bound" in v.reason
    # The construction itself: all counts but one of each longer column times s.
    inputs = PairInputs(f, g)
    loss = carried_loss(inputs, v.counterexample.summary)
    error = v.counterexample.error(f, g)
    for factor in (2, 3, 1000):
        summary = v.counterexample.summary
        longer = (summary.length - summary.suffix.size) * factor + summary.suffix.size
        scaled = Summary(summary.counts.astype(object) * factor, summary.suffix, longer)
        assert CountedInput(scaled).error(f, g) >= error - float(loss) - 1e-9


@pytest.mark.parametrize("seed", range(30))
def test_scaled_inputs_lose_no_more_than_is_said(seed):
    rng = np.random.default_rng(seed)
    f, g = (
        random_model(
            rng,
            vocabulary_size=2,
            period=int(rng.integers(1, 4)),
            locality=int(rng.integers(0, 3)),
            heads=int(rng.integers(1, 3)),
            precision_bits=int(rng.integers(1, 6)),
            ties=True,
            dimension=2,
        )
        for _ in range(2)
    )
    inputs = PairInputs(f, g)
    settled = 2 ** settled_exponent(inputs)
    x = _hostile(rng, inputs, (settled + 20, 4 * settled + 40)).summary
    sizes = np.array(inputs.column_sizes(x.length))
    extra = np.zeros_like(x.counts)
    for residue in np.flatnonzero(sizes > sizes.min()):
        extra[residue, int(np.argmax(x.counts[residue]))] = 1
    for factor in (2, 7, 10**6):
        counts = (x.counts.astype(object) - extra) * factor + extra
        longer = Summary(counts, x.suffix, int(counts.sum()) + x.suffix.size)
        lost = CountedInput(x).error(f, g) - CountedInput(longer).error(f, g)
        assert lost <= float(carried_loss(inputs, x)) + 1e-9


@pytest.mark.slow
def test_near_ties_are_open_with_the_largest_horizon():
    f, g = simple_pair(0.01)
    g = near_ties(np.random.default_rng(1), g, 0.003)
    by_cells = prove(f, g, target="3/10", horizon=None)
    assert by_cells.status is OPEN
    v = prove(f, g, target="3/10", horizon=None, route="windows")
    assert by_cells.proved_horizon >= v.proved_horizon
    assert prove(f, g, target="3/10", horizon=by_cells.proved_horizon).status is PROVED
    assert v.status is OPEN
    assert v.proved_horizon > 2**40
    assert "nearly equal" in v.reason
    (rung,) = v.rungs
    assert rung.reach == v.proved_horizon
    assert rung.high <= v.target
    assert rung.cost == instance.cost(f, g, rung.length, rung.reach).value


@pytest.mark.slow
def test_wider_ties_are_refuted_beyond_the_largest_horizon():
    f, g = simple_pair(0.01)
    g = near_ties(np.random.default_rng(1), g, 0.05)
    v = prove(f, g, target="3/10", horizon=None)
    assert v.status is REFUTED
    assert v.counterexample.length > 2**40
    assert v.counterexample.error(f, g) > 0.3
    assert v.proved_horizon < v.counterexample.length
    assert prove(f, g, target="3/10", horizon=v.proved_horizon).status is PROVED
    assert prove(f, g, target="3/10", horizon=None, from_length=20).status is REFUTED


# ---------------------------------------------------------------- the search


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_search_finds_what_is_there(seed):
    rng = np.random.default_rng(seed)
    f, g = random_pair(rng, vocabulary_size=2, period=1)
    length = int(rng.integers(500, 3000))
    found, best = worst_found(PairInputs(f, g), length), agreement(f, g, length)
    assert found.value <= best.value
    assert found.value > 0.95 * best.value
    assert found.worst.error(f, g) == pytest.approx(found.value, abs=1e-9)


@pytest.mark.slow
def test_the_search_copes_with_many_tokens_and_long_inputs():
    settings = {"vocabulary_size": 20, "period": 1, "locality": 1, "heads": 1}
    f = random_model(np.random.default_rng(0), precision_bits=6, dimension=3, **settings)
    found = worst_found(PairInputs(f, nudged(f, 0.1)), 2**300 + 1)
    assert found.worst.length == 2**300 + 1
    assert found.low > 0


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 5, 6])
def test_horizons_below_two_periods(horizon):
    f, g = mod_p_pair()
    by_length = [agreement(f, g, n).value for n in range(1, horizon + 1)]
    v = prove(f, g, target=1, horizon=horizon, from_length=1)
    assert v.status is (PROVED if max(by_length) <= 1 else REFUTED)
    assert prove(f, g, target=100, horizon=horizon).from_length == 1


# ---------------------------------------------------------------- what is missing, refusals


@pytest.mark.slow
def test_an_open_verdict_says_why():
    rng = np.random.default_rng(2)
    f = random_model(
        rng, vocabulary_size=3, period=1, locality=1, heads=1, precision_bits=30, dimension=3
    )
    g = nudged(f, 1e-4)
    v = prove(f, g, target=1, horizon=10**6, limit=20_000)
    assert v.status is OPEN
    assert "20,000 evaluations" in v.reason
    assert v.enclosure[1] is None or v.enclosure[1] > v.target
    assert OPEN.value in v.explain()


def test_an_interruption_keeps_the_work():
    f, g = mod_p_pair()

    def stop(done, _):
        raise KeyboardInterrupt

    v = prove(f, g, target="3/10", horizon=2**20, progress=stop)
    assert v.status is OPEN
    assert not v.finished
    assert "interrupted" in v.reason
    assert v.inputs > 0

    def later(done, total):
        if done > total / 3:
            raise KeyboardInterrupt

    part = ladder(f, g, length=12, horizon=200, progress=later)
    assert not part.finished
    assert 12 < part.horizon < 200
    whole = ladder(f, g, length=12, horizon=200)
    assert part.rungs == whole.rungs[: len(part.rungs)]
    assert whole.horizon == 200
    assert len(whole.table().splitlines()) == 2 + len(whole.rungs)
    assert json.loads(json.dumps(whole.to_dict()))["horizon"] == 200


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("target", {"target": -1}),
        ("target", {"target": "much"}),
        ("horizon", {"horizon": 0}),
        ("horizon", {"horizon": 2.5}),
        ("horizon", {"horizon": 2**901}),
        ("from_length", {"from_length": 0}),
        ("from_length", {"from_length": 101}),
        ("limit", {"limit": 0}),
    ],
)
def test_bad_arguments_are_named(name, arguments):
    f, g = simple_pair()
    with pytest.raises(InputError) as caught:
        prove(f, g, **({"target": 1, "horizon": 100} | arguments))
    assert caught.value.name == name


@pytest.mark.parametrize("changes", [{"layers": 2}, {"precision_bits": None}])
def test_models_that_are_not_covered_are_refused(changes):
    settings = {"vocabulary_size": 2, "period": 1, "locality": 0, "heads": 1, "precision_bits": 4}
    f = random_model(np.random.default_rng(0), **(settings | changes))
    g = random_model(np.random.default_rng(1), **settings)  # finite precision, one layer
    for other in (f, g):
        with pytest.raises(InputError):
            prove(f, other, target=1, horizon=10, route="windows")
    with pytest.raises(InputError):
        prove(f, g, target=1, horizon=10)
    with pytest.raises(InputError):
        ladder(f, f, length=1, horizon=10)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("length", {"length": 2}), ("horizon", {"horizon": 11}), ("factor", {"factor": 1})],
)
def test_bad_ladders_are_named(name, arguments):
    with pytest.raises(InputError) as caught:
        ladder(*mod_p_pair(), **({"length": 12, "horizon": 100} | arguments))
    assert caught.value.name == name


def test_a_ladder_beyond_reach_is_refused():
    with pytest.raises(InputError, match="at most 1,000 evaluations"):
        ladder(*mod_p_pair(), length=12, horizon=10**5, limit=1000)


def test_a_model_given_twice_is_equal_to_itself_without_a_search():
    f = tasks.trained("mod_p", period=2, training_length=32)
    for horizon in (None, 2**20, np.int64(2**20)):
        verdict = prove(f, f, target=0, horizon=horizon, limit=1)
        assert verdict.status is ProofStatus.PROVED
        assert verdict.inputs == 0
        assert verdict.explain()
    g = tasks.trained("mod_p", period=2, training_length=64)
    assert prove(f, g, target=0, horizon=2**20).status is not ProofStatus.PROVED
