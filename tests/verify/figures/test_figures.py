"""Fits, slope reports, k-gram errors, and the figures made from them."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.helpers.softmax_models import random_model
from verify import Head, InputError, Layer, LimitTransformer, WeightsError, figures, inputs
from verify.checks.check import check
from verify.checks.pairs import nested_pair
from verify.checks.slope_report import CHAIN, GROWING, ROUNDING, fit_power
from verify.checks.slopes import measure_slopes, replay_slopes, standard_families
from verify.checks.softmax_pairs import random_softmax_pair
from verify.model.plain import model_from
from verify.tasks.k_gram_error import k_gram_errors
from verify.tasks.lower_bounds import average_of_runs


def runs(n):
    return np.arange(60 * n) // 200 % 2


@pytest.fixture(scope="module")
def report():
    return measure_slopes(
        average_of_runs(), lengths=[100, 200, 400, 800], families={"runs": runs}, draws=5
    )


# ---------------------------------------------------------------- fits


def test_fit_of_an_exact_power():
    fit = fit_power([1, 10, 100, 1000], [3.0, 0.3, 0.03, 0.003])
    assert fit.exponent == pytest.approx(-1)
    assert fit.standard_error == pytest.approx(0, abs=1e-12)
    assert fit.points == 4
    assert str(fit) == "−1.00 ± 0.00"


def test_fit_agrees_with_the_textbook():
    rng = np.random.default_rng(0)
    n = np.geomspace(10, 1000, 12)
    errors = n**-0.5 * np.exp(rng.normal(size=12) * 0.1)
    (slope, _), covariance = np.polyfit(np.log(n), np.log(errors), 1, cov=True)
    fit = fit_power(n, errors)
    assert fit.exponent == pytest.approx(slope)
    assert fit.standard_error == pytest.approx(covariance[0, 0] ** 0.5)


def test_errors_of_zero_are_no_points():
    assert fit_power([1, 2, 3], [1.0, 0.5, 0.0]) is None
    assert fit_power([1, 2, 3, 4], [1.0, 0.5, 0.0, 0.25]).points == 3


# ---------------------------------------------------------------- slope reports


def test_report_has_a_row_per_map_and_length(report):
    assert [(row.map, row.length) for row in report.rows] == [
        (name, n) for n in (100, 200, 400, 800) for name in (GROWING, CHAIN)
    ]
    assert all(row.worst >= row.error > 0 for row in report.rows)
    assert {row.draws for row in report.rows if row.map == CHAIN} == {5}
    assert all((row.proven_error is None) == (row.map == CHAIN) for row in report.rows)
    assert report.holds
    assert report.proven_exponent == -0.5
    assert report.fit("runs", GROWING).exponent < report.fit("runs", CHAIN).exponent < 0
    assert report.worst.map == GROWING


def test_table_and_file_say_the_same(report, tmp_path):
    table = report.table()
    assert "derived.two_layer_softmax" in table
    assert str(report.fit("runs", GROWING)) in table
    report.save(tmp_path / "slopes.json")
    data = json.loads((tmp_path / "slopes.json").read_text(encoding="utf-8"))
    assert data["holds"] is True
    assert len(data["rows"]) == len(report.rows)
    fits = {entry["map"]: entry["fit"]["exponent"] for entry in data["fits"]}
    assert fits[CHAIN] == report.fit("runs", CHAIN).exponent


def test_a_bound_that_is_too_small_is_reported(monkeypatch):
    # The check must be able to fail: shrink the proven error below the measured one.
    monkeypatch.setattr("verify.simulation.softmax.balanced.two_layer_error", lambda *a, **k: 1e-6)
    found = measure_slopes(
        average_of_runs(), lengths=[100, 150], families={"runs": runs}, draws=1, name="broken"
    )
    assert not found.holds
    assert "FAILS on 2" in found.table()
    assert np.array_equal(found.counterexamples[0]["x"], runs(100))
    assert model_from(found.models["f"]) == average_of_runs()
    replayed = replay_slopes(json.loads(json.dumps(found.to_dict())))
    assert [s.error for s in replayed] == [row.worst for row in found.rows if not row.holds]
    assert all(not s.holds and s.violations for s in replayed)


def test_one_layer_models_use_the_rounding_map():
    f = random_model(np.random.default_rng(0), layers=1, regimes=["token"], size=3)
    found = measure_slopes(f, lengths=[20, 40, 80])
    assert {row.map for row in found.rows} == {ROUNDING}
    assert {row.family for row in found.rows} == set(standard_families(3, longest=80))
    assert found.theorem == "derived.one_layer_softmax"
    assert found.holds


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("lengths", {"lengths": []}), ("lengths", {"lengths": [5, 5]}), ("draws", {"draws": 0})],
)
def test_bad_arguments_are_named(name, arguments):
    with pytest.raises(InputError) as caught:
        measure_slopes(average_of_runs(), **({"lengths": [50, 60]} | arguments))
    assert caught.value.name == name


def test_finite_precision_is_refused():
    f = average_of_runs()
    finite = LimitTransformer(f.embedding, f.positions, f.layers[:1], f.unembedding, 8)
    with pytest.raises((WeightsError, InputError)):
        measure_slopes(finite, lengths=[50, 60])


# ---------------------------------------------------------------- k-gram errors


def test_k_gram_errors_are_within_their_bounds_and_count_unmatched_inputs():
    rows = k_gram_errors(2, 3, sharpness=[1.0, 8.0], lengths=[2, 200], inputs=3)
    assert len(rows) == 2 * 2 * 4
    for row in rows:
        assert (row.error is None) == (row.unmatched == row.inputs)
        assert row.error is None or row.error <= row.bound
    assert all(row.error is None for row in rows if row.length == 2)
    soft, sharp = (
        max(row.error for row in rows if row.length == 200 and row.sharpness == s)
        for s in (1.0, 8.0)
    )
    assert sharp < 0.3 * soft


# ---------------------------------------------------------------- figures


def axes():
    return Figure(figsize=(3.4, 2.6), layout="constrained").subplots()


def test_attention_on_the_suffix_is_the_closed_form():
    one = np.ones((1, 1))
    head = Head(0 * one, one, np.array([0.0, 1.3]))
    f = LimitTransformer(one, 0 * one, (Layer((head,)),), one, None)
    found = figures.attention_on_suffix(f, 0, np.zeros(500, dtype=np.int64), [1, 2, 10, 500])
    expected = [1.0, 1.0] + [(i**1.3 + 1) / (i**1.3 + i - 1) for i in (10, 500)]
    assert found == pytest.approx(expected)
    with pytest.raises(InputError, match="positions"):
        figures.attention_on_suffix(f, 0, [0, 0], [3])


def test_regimes_go_to_zero_a_share_and_one():
    ax = axes()
    assert figures.regimes(longest=20_000, ax=ax) is ax
    ends = [line.get_ydata()[-1] for line in ax.lines]
    assert ends[0] < 0.02
    assert ends[1] == pytest.approx(0.5, abs=0.01)
    assert ends[2] > 0.98
    assert ax.get_xscale() == "log"


def test_slopes_draws_the_measured_points_and_the_proven_error(report):
    ax = axes()
    assert figures.slopes(report, ax=ax) is ax
    drawn = [line for line in ax.lines if line.get_marker() == "o"]
    rows = report.lines()["runs", GROWING]
    assert drawn[0].get_ydata().tolist() == [row.error for row in rows]
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["proven error"].get_ydata()) == [row.proven_error for row in rows]
    assert min(lines["proven error"].get_ydata()) > max(row.worst for row in rows)
    assert lines["largest for any z"].get_ydata()[0] == rows[0].largest_error
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"runs: {report.fit('runs', GROWING)}" in labels
    with pytest.raises(InputError, match="family"):
        figures.slopes(report, "waves", ax=ax)
    with pytest.raises(InputError, match="map"):
        figures.slopes(report, map="folding", ax=ax)


def test_a_map_without_a_proof_gets_a_slope_that_says_so(report):
    labels = [line.get_label() for line in figures.slopes(report, map=CHAIN).lines]
    assert "slope −1/3 (paper), not a bound" in labels
    assert "proven error" not in labels


def test_slopes_figure_has_every_map_and_every_family():
    families = {"runs": runs, "pairs": lambda n: np.arange(100 * n) // 2 % 2}
    two = measure_slopes(average_of_runs(), lengths=[50, 100], families=families, draws=2)
    one = measure_slopes(
        random_softmax_pair(1, layers=1).f, lengths=[50, 100], families=families, draws=2
    )
    figure = figures.slopes_figure([two, one])
    assert figure.get_figwidth() == 6.8
    assert len(figure.axes) == 3
    for ax in figure.axes:
        assert {"runs", "pairs", "largest for any z"} <= {line.get_label() for line in ax.lines} | {
            container.get_label() for container in ax.containers
        }
    assert figures.slopes_figure([one]).get_figwidth() == 3.4


def test_lengths_beyond_any_axis_are_drawn_at_its_end():
    pair = nested_pair()
    x = inputs.make("counts_even", 0, 10**400, vocabulary_size=3)
    found = check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x])
    ax = figures.lengths([found])
    assert max(ax.lines[0].get_xdata()) == 1e250
    assert "or more" in ax.get_xlabel()
    ax.figure.savefig(io.BytesIO())


def test_k_gram_figure_takes_the_worst_over_families():
    rows = k_gram_errors(1, 2, sharpness=[1.0, 4.0], lengths=[50, 100], inputs=2)
    ax = figures.k_gram_error(rows, ax=axes())
    assert len(ax.lines) == 2
    worst = max(row.error for row in rows if row.length == 50 and row.sharpness == 1.0)
    assert ax.lines[0].get_ydata()[0] == worst
    with pytest.raises(InputError, match="series"):
        figures.k_gram_error(rows, series="colour")
    with pytest.raises(InputError, match="rows"):
        figures.k_gram_error([])


@pytest.mark.slow
def test_figures_need_no_global_state():
    code = (
        "import sys, verify.figures as f; f.regimes(longest=100);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
