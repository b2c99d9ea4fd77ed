"""`verify.prove(..., error="average")`: verdicts against exact averages at every short length."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.average_cases import nothing, of_share, random_hard_pair, random_law
from verify import (
    AverageVerdict,
    DirichletLaw,
    FixedLaw,
    InputError,
    MarkovLaw,
    ProofStatus,
    Verdict,
    agreement,
    prove,
    tasks,
)

PROVED, REFUTED, OPEN = ProofStatus.PROVED, ProofStatus.REFUTED, ProofStatus.OPEN
UNIFORM = DirichletLaw([1, 1])


def wave():
    return of_share([1, -2, 4, -5], [0, 0.3, 0.5, 0.8], -0.1)


def decide(target, *, law=UNIFORM, horizon=None, f=None, g=None, **given):
    f, g = f or wave(), g or nothing()
    return prove(f, g, target=target, horizon=horizon, error="average", law=law, **given)


@pytest.mark.slow
@pytest.mark.parametrize("law", [UNIFORM, FixedLaw(["1/4", "3/4"])], ids=str)
def test_every_length_is_decided(law):
    f = wave()
    exact = agreement(f, nothing(), range(1, 80), law=law)
    low, high = min(e.value for e in exact.by_length.values()), exact.value
    limit = decide(1, law=law).ladder.limit[0][0]
    for target in (1.01 * high, 0.99 * high, 1.02 * float(limit), 0.98 * float(limit), low / 2):
        for from_length in (None, 1, 7):
            verdict = decide(target, law=law, from_length=from_length, limit=10**5)
            assert verdict.status is not OPEN
            bad = {n for n, e in exact.by_length.items() if e.low > verdict.target}
            if verdict.status is PROVED:
                assert all(n < verdict.from_length for n in bad)
                assert verdict.enclosure[0] <= verdict.enclosure[1] <= verdict.target
                if from_length is None and verdict.from_length > 1:
                    assert verdict.from_length - 1 in bad or verdict.from_length > 79
            else:
                assert verdict.enclosure[1] is None
                assert limit > verdict.target or (from_length and max(bad) >= from_length)


@pytest.mark.slow
def test_verdicts_on_random_pairs_are_right():
    seen = set()
    for seed in range(24):
        rng = np.random.default_rng(seed)
        f, g = random_hard_pair(rng)
        law = random_law(rng, f.vocabulary_size)
        last = 22 if f.vocabulary_size == 2 else 12
        exact = agreement(f, g, range(1, last), law=law).by_length
        start, horizon = int(rng.integers(1, 6)), int(rng.choice([0, 12, last - 1])) or None
        scale = max(e.value for n, e in exact.items() if n >= start)
        target = Fraction(float(rng.choice([0.5, 0.9, 1.02, 1.3]))) * Fraction(scale)
        verdict = decide(
            target, f=f, g=g, law=law, horizon=horizon, from_length=start, limit=200_000
        )
        claimed = {n: e for n, e in exact.items() if start <= n <= (horizon or last)}
        seen.add((verdict.status, horizon is None))
        if verdict.status is PROVED:
            assert all(e.low <= target for e in claimed.values()), seed
        elif verdict.status is REFUTED:
            assert horizon is None or any(e.high > target for e in claimed.values()), seed
        else:
            assert horizon is None, seed  # all lengths of the others are within reach
    assert {(PROVED, True), (PROVED, False), (REFUTED, True), (REFUTED, False)} <= seen


def trained_pair():
    f = tasks.trained("mod_p", period=2, training_length=32)
    return f, tasks.mod_p(2, 0, precision_bits=8).transformer


def test_near_ties_are_decided_length_by_length_up_to_a_short_horizon():
    f, g = trained_pair()
    verdict = decide("1/1000", f=f, g=g, horizon=100)
    assert (verdict.status, verdict.from_length) == (PROVED, 3)
    exact = agreement(f, g, range(1, 101), law=UNIFORM).by_length
    assert {n for n, e in exact.items() if e.low > verdict.target} == {1, 2}


def test_near_ties_are_decided_up_to_a_horizon_by_the_ladder():
    f, g = trained_pair()
    verdict = decide("1/10", f=f, g=g, horizon=2**20, limit=10**6)
    assert verdict.status is PROVED
    assert verdict.ladder.horizon == 2**20
    assert max(rung.length for rung in verdict.ladder.rungs) < 1000
    assert verdict.enclosure[1] <= Fraction(1, 10)
    far = decide("1/1000", f=f, g=g, horizon=2**14, limit=10**5)
    assert far.status is OPEN
    assert far.worst == 2**14
    assert far.found.value < 0.001
    every = decide("1/10", f=f, g=g)
    assert every.status is OPEN
    assert "head 1 of f has logits that differ by 2.69e-05" in every.reason


def test_what_the_theorem_does_not_cover_is_open_with_the_reason():
    rng = np.random.default_rng(0)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        f, g = random_hard_pair(rng)
        verdict = decide(100, f=f, g=g, law=random_law(rng, f.vocabulary_size), limit=1000)
        if verdict.status is OPEN and "several residues" in verdict.reason:
            return
    raise AssertionError


def test_the_verdict_says_what_it_rests_on(tmp_path):
    verdict = decide("1/2", from_length=3)
    assert isinstance(verdict, AverageVerdict)
    assert str(verdict).startswith("PROVED: average |f − g| ≤ 1/2 at every length from 3 on")
    assert "every length" in verdict.explain()
    verdict.save(tmp_path / "verdict.json")
    data = json.loads((tmp_path / "verdict.json").read_text())
    assert data == verdict.to_dict()
    assert data["error"] == "average"
    assert data["enclosure"][1] <= 0.5
    refuted = decide("1/100", from_length=3)
    assert refuted.status is REFUTED
    assert "above the target" in refuted.explain()
    assert agreement(wave(), nothing(), refuted.worst, law=UNIFORM).value == refuted.found.value


def test_equal_weights_need_no_sum():
    f = wave()
    verdict = decide(0, f=f, g=dataclasses.replace(f))
    assert (verdict.status, verdict.evaluations, verdict.from_length) == (PROVED, 0, 1)
    assert verdict.enclosure == (0, 0)


def test_an_interruption_is_open():
    def interrupt(done, limit):
        raise KeyboardInterrupt

    verdict = decide("1/2", progress=interrupt)
    assert verdict.status is OPEN
    assert not verdict.finished


def test_the_claim_is_read():
    f, g = wave(), nothing()
    assert isinstance(prove(f, g, target=1, horizon=8), Verdict)
    chain = MarkovLaw([["1/2", "1/2"], ["1/2", "1/2"]], ["1/2", "1/2"])
    for name, given in {
        "law": {"error": "average"},
        "error": {"error": "mean"},
        "target": {"error": "average", "law": UNIFORM, "target": -1},
        "from_length": {"error": "average", "law": UNIFORM, "from_length": 9},
        "limit": {"error": "average", "law": UNIFORM, "limit": 0},
        "horizon": {"error": "average", "law": UNIFORM, "horizon": 0},
    }.items():
        with pytest.raises(InputError) as caught:
            prove(f, g, **({"target": 1, "horizon": 8} | given))
        assert caught.value.name == name
    for law in (UNIFORM, chain):
        with pytest.raises(InputError, match='error="linf"'):
            prove(f, g, target=1, horizon=8, law=law)
    with pytest.raises(InputError, match="average_error estimates"):
        prove(f, g, target=1, horizon=8, error="average", law=chain)
