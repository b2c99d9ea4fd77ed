"""`check`, `simulate` and `python -m verify` on softmax models."""

import json

import numpy as np
import pytest

import verify
from verify import InputError, inputs
from verify.__main__ import main
from verify.checks.check_softmax import DRAWS, check_softmax
from verify.checks.slope_report import BALANCED, CHAIN, ROUNDING, SlopeReport
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN, runs_pair

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
    maps = [ROUNDING] if len(pair.f.layers) == 1 else [BALANCED, CHAIN]
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
        progress=lambda row, total: seen.append((row, total)),
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


def test_control_is_for_finite_precision(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--pairs", "runs", "--control", "thinned"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "--control" in capsys.readouterr().err


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
