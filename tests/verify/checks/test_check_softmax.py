"""`check`, `simulate` and `python -m verify` on softmax models."""

import json

import numpy as np
import pytest

import verify
from verify import InputError, inputs
from verify.__main__ import main
from verify.checks.check_softmax import DRAWS, check_softmax
from verify.checks.slope_report import CHAIN, GROWING, ROUNDING, SlopeReport, slope_summary
from verify.checks.slopes import (
    extend_slopes,
    new_slope_report,
    replay_slopes,
    standard_families,
)
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN, runs_pair
from verify.checks.verdict import Verdict
from verify.tasks.k_gram import in_context_k_gram

PAIR = runs_pair()
X = np.arange(3000) // 40 % 2


@pytest.mark.parametrize("name", SOFTMAX_BUILT_IN)
def test_every_built_in_pair_holds(name):
    pair = SOFTMAX_BUILT_IN[name]()
    x = np.arange(1500) // 50 % pair.f.vocabulary_size
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x], name=pair.name)
    assert isinstance(report, SlopeReport)
    assert report.holds
    assert report.limit > 100
    assert {row.length for row in report.rows} == {64, 128}
    maps = [ROUNDING] if len(pair.f.layers) == 1 else [GROWING, CHAIN]
    assert [row.map for row in report.rows] == maps * 2
    for row in report.rows:
        assert row.error > 0
        assert row.draws == (DRAWS if row.map == CHAIN else 1)
        assert row.proven_error is None or row.worst <= row.proven_error


def test_the_proven_length_is_that_of_bounds():
    import bounds

    report = verify.check(PAIR.f, PAIR.g, epsilon="1/2", inputs=[X])
    constants = verify.measure(PAIR.f, PAIR.g)
    expected = bounds.required_length(error="linf", epsilon="1/2", **constants.parameters())
    assert report.limit == expected.length
    assert report.theorem == expected.theorem.key
    assert "proven N" in report.headline()


def test_default_inputs_and_progress():
    seen = []
    report = check_softmax(
        PAIR.f,
        epsilon=1,
        length=1100,
        progress=lambda report, row, total: seen.append((row, total)),
        more={"mine": lambda n: X},
    )
    assert [row for row, _ in seen] == report.rows
    assert {total for _, total in seen} == {len(report.rows)}
    assert {row.input_length for row in report.rows if row.family != "mine"} == {1100}
    assert "mine" in {row.family for row in report.rows}


def test_inputs_may_be_named_or_very_short():
    entry = inputs.make("halves", 3, 2000, vocabulary_size=2)
    report = verify.check(PAIR.f, epsilon=1, inputs=[entry, [0, 1, 1]])
    assert {row.family for row in report.rows} == {entry.name, "given[1]"}
    assert all(row.error == 0 for row in report.rows if row.family == "given[1]")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("epsilon", {"epsilon": 0}),
        ("length", {"length": 0}),
        ("control", {"control": "thinned"}),
        ("theorem", {"theorem": "izzo2025.5.2"}),
        ("x[1]", {"inputs": [[0, 2]]}),
        ("inputs[0]", {"inputs": [[0.5, 1.0]]}),
    ],
)
def test_bad_arguments_are_named(name, arguments):
    with pytest.raises(InputError) as caught:
        verify.check(PAIR.f, PAIR.g, **({"epsilon": 1} | arguments))
    assert caught.value.name == name


def test_simulate_covers_softmax_models():
    pair = SOFTMAX_BUILT_IN["softmax-1"]()
    x = np.arange(40_000) // 50 % 3
    s = verify.simulate(x, pair.f, pair.g, epsilon="1/2")
    assert s.length == s.limit < len(x)
    assert s.error <= 0.5
    assert s.theorem == "derived.one_layer_softmax"
    with pytest.raises(InputError, match="theorem"):
        verify.simulate(x, pair.f, epsilon=1, theorem="derived.two_layer_softmax")


@pytest.mark.slow
def test_command_line(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--length", "2000", "--pairs", "runs", "softmax-1"]
    assert main(arguments) == 0
    output, errors = capsys.readouterr()
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    assert data["reports"] == []
    assert [report["holds"] for report in data["slopes"]] == [True, True]
    assert any(row["family"].startswith("text") for row in data["slopes"][0]["rows"])
    assert (tmp_path / "slopes.png").read_bytes().startswith(b"\x89PNG")
    assert "fitted slope" in output
    assert "runs: " in errors


def test_no_softmax_pair_is_thinned(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--pairs", "runs", "--control", "thinned"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "--control" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", SOFTMAX_BUILT_IN)
def test_the_theorem_bites_and_the_control_fails_where_its_map_holds(name):
    """At the largest n, on one family: same x, same n, same proven error, another choice of z."""
    pair = SOFTMAX_BUILT_IN[name]()
    n = 2**14
    families = standard_families(pair.f.vocabulary_size, longest=n, most=8 * n)
    late = {label: families[label] for label in ("late constant", "late runs", "drift")}

    def measured(control):
        report = new_slope_report(pair.f, pair.g, name=name, control=control)
        extend_slopes(report, pair.f, pair.g, [n], late, range(1))
        return [row for row in report.rows if row.map != CHAIN], report

    right, holding = measured(None)
    wrong, failing = measured("truncated")
    assert holding.verdict is Verdict.HOLDS
    assert {row.verdict for row in right} == {Verdict.HOLDS}
    assert [row.proven_error for row in right] == [row.proven_error for row in wrong]
    assert [row.short_length for row in right] == [row.short_length for row in wrong]
    assert failing.verdict is Verdict.FAILS
    assert max(row.share for row in wrong) > 1
    assert not any(s.holds for s in replay_slopes(failing.to_dict()))


def test_an_error_above_all_that_can_be_is_vacuous():
    report = verify.check(PAIR.f, PAIR.g, epsilon="1/2", inputs=[X, [0, 1, 1]])
    assert {row.verdict for row in report.rows} == {
        Verdict.VACUOUS,
        Verdict.NO_CLAIM,
        Verdict.NOT_SHORTENED,
    }
    assert report.verdict is Verdict.VACUOUS
    for row in report.rows:
        if row.verdict is Verdict.VACUOUS:
            assert row.proven_error >= row.largest_error == 1.5
        if row.verdict is Verdict.NOT_SHORTENED:
            assert row.short_length == row.input_length == 3
    assert "vacuous on 3" in report.table()
    assert "holds" not in report.table()
    data = report.to_dict()
    assert data["verdict"] == "vacuous"
    assert data["verdicts"] == {"vacuous": 3, "not shortened": 6, "no claim": 3}
    assert data["rows"][0]["verdict"] == "vacuous"


def test_tables_and_files_show_what_is_proved():
    pair = SOFTMAX_BUILT_IN["softmax-1"]()
    x = np.arange(4000) // 50 % 3
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x])
    row = report.rows[-1]
    assert row.verdict is Verdict.HOLDS
    assert row.share == row.worst / row.proven_error
    table = report.table()
    assert f"{row.proven_error:.2g}" in table
    assert f"{report.worst.share:.1%}" in table
    assert report.to_dict()["rows"][-1]["share"] == row.share
    assert f"{report.worst.share:.1%}" in slope_summary([report])


def test_an_infinite_proven_error_is_written():
    steep = in_context_k_gram(1, 2, 2000.0).transformer
    report = verify.check(steep, epsilon="1/2", inputs=[X], name="steep")
    assert report.rows[0].proven_error == np.inf
    assert report.verdict is Verdict.VACUOUS
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["rows"][0]["share"] == 0


@pytest.mark.slow
def test_a_counterexample_is_saved_and_replayed(tmp_path, capsys, monkeypatch):
    # With a proven error that is too small the check must fail, and replay must see it again.
    arguments = ["--out", str(tmp_path), "--length", "600", "--pairs", "runs"]
    monkeypatch.setattr("verify.simulation.softmax.balanced.two_layer_error", lambda *a, **k: 1e-9)
    assert main(arguments) == 1
    assert "FAILS" in capsys.readouterr().out
    saved = str(tmp_path / "verify.json")
    assert main(["--replay", saved]) == 1
    assert "proven" in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["--replay", saved, "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert all(run["error_f"] <= run["proven_error"] for run in runs)
