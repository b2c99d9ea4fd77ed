"""The words for what a check showed, and the range that decides between them."""

from __future__ import annotations

import numpy as np
import pytest

import verify
from tests.helpers.random_models import random_model
from verify.checks.output_range import largest_error, output_range
from verify.checks.pairs import BUILT_IN, nested_pair
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN
from verify.checks.verdict import Verdict, counts_of, overall, tally

PAIRS = BUILT_IN | SOFTMAX_BUILT_IN


def test_a_pair_gets_the_gravest_verdict_of_its_rows():
    rows = [Verdict.NOT_SHORTENED, Verdict.VACUOUS, Verdict.VACUOUS, Verdict.NO_CLAIM]
    assert overall(rows) is Verdict.VACUOUS
    assert tally(rows) == "vacuous on 2, not shortened 1, no claim 1"
    assert counts_of(rows) == {"vacuous": 2, "not shortened": 1, "no claim": 1}
    assert overall([*rows, Verdict.HOLDS]) is Verdict.HOLDS
    assert overall([*rows, Verdict.HOLDS, Verdict.FAILS]) is Verdict.FAILS
    assert overall([]) is Verdict.NO_CLAIM


def test_inputs_up_to_n_are_not_shortened():
    pair = nested_pair()
    batch = [np.arange(n) % 3 for n in (881, 882)]
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=batch)
    assert [row.verdict for row in report.rows] == [Verdict.NOT_SHORTENED, Verdict.HOLDS]
    assert "holds on 1, not shortened 1" in report.table()
    assert report.to_dict()["verdicts"] == {"holds": 1, "not shortened": 1}


def test_an_epsilon_above_the_range_is_vacuous():
    pair = nested_pair()
    assert largest_error(pair.f, pair.g) == 1
    report = verify.check(pair.f, pair.g, epsilon=1, inputs=[np.arange(9000) % 3])
    assert report.verdict is Verdict.VACUOUS
    assert report.holds
    assert "vacuous" in report.table()


def _spread(f, rng, inputs=200):
    """The largest change seen between inputs with one last token and one length mod Δ."""
    outputs = []
    for _ in range(inputs):
        law = rng.dirichlet(np.full(f.vocabulary_size, 0.2))
        x = rng.choice(f.vocabulary_size, size=f.period * int(rng.integers(1, 40)), p=law)
        x[-1] = 0
        outputs.append(f(np.sort(x)[::-1] if rng.random() < 0.5 and x.min() == 0 else x))
    return float(np.ptp(outputs, axis=0).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_no_output_moves_farther_than_its_range(name):
    pair = PAIRS[name]()
    for model in (pair.f, pair.g):
        assert _spread(model, np.random.default_rng(0)) <= output_range(model) * (1 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_the_range_holds_for_random_models(layers, seed):
    rng = np.random.default_rng(seed)
    sizes = {"vocabulary_size": 3, "period": 1 + seed % 2, "locality": 1, "heads": 1 + seed % 3}
    f = random_model(rng, **sizes, layers=layers)
    if layers == 2:
        second = [verify.Head(h.query_key, h.value, [0.0]) for h in f.layers[1].heads]
        last = f.layers[1]
        last = verify.Layer(tuple(second), last.mlp_in, last.mlp_bias, last.mlp_out)
        f = verify.LimitTransformer(
            f.embedding, f.positions, (f.layers[0], last), f.unembedding, None
        )
    assert _spread(f, rng) <= output_range(f) * (1 + 1e-12)


def test_the_range_is_exact_where_it_is_known():
    """k-gram outputs are frequencies, from 0 to 1; mod p gives a share of the tokens."""
    assert output_range(SOFTMAX_BUILT_IN["k-gram-1"]().f) == 1
    assert output_range(BUILT_IN["mod-p-5"]().f) == 1


def test_large_vocabularies_fall_back_on_lipschitz_constants():
    f = verify.tasks.mod_p(40, 3).transformer
    assert f.vocabulary_size * f.period >= 40
    assert 1 <= output_range(f) <= verify.measure(f).lipschitz


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_control_fails_on_every_pair_of_finite_precision(name):
    pair = BUILT_IN[name]()
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, length=200_000, control="truncated")
    assert report.verdict is Verdict.FAILS
    assert report.worst.error > pair.epsilon
