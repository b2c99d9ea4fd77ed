"""`python -m verify`: exit codes, files, and one clear line for a bad argument."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from verify import figures
from verify.__main__ import main
from verify.checks.check import check
from verify.checks.pairs import BUILT_IN


def test_main_job_on_all_pairs(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--length", "30000"]) == 0
    output, errors = capsys.readouterr()
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    assert data["holds"] is True
    assert len(data["reports"]) == len(BUILT_IN)
    assert all(report["finished"] and report["rows"] for report in data["reports"])
    assert any(row["family"] == "text" for row in data["reports"][0]["rows"])
    assert (tmp_path / "verify.png").read_bytes().startswith(b"\x89PNG")
    for name in BUILT_IN:
        assert name in errors  # progress
    assert "proven N" in output
    assert "FAILS" not in output


def test_json_output_and_own_text(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 100, encoding="utf-8")
    arguments = ["--out", str(tmp_path), "--pairs", "nested", "--length", "5000", "--json"]
    assert main([*arguments, "--text", str(text), "--epsilon", "0.1"]) == 0
    data = json.loads(capsys.readouterr().out)
    (report,) = data["reports"]
    assert report["epsilon"] == "1/10"
    texts = [row["length"] for row in report["rows"] if row["family"].startswith("text")]
    assert texts.count(5000) == 1
    assert 4400 in texts


def test_counterexample_is_saved_and_replayed(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--pairs", "nested", "--length", "5000"]
    assert main([*arguments, "--control", "truncated"]) == 1
    output, errors = capsys.readouterr()
    assert "FAILS" in output
    assert "--replay" in errors
    saved = str(tmp_path / "verify.json")
    assert main(["--replay", saved]) == 1
    assert "error" in capsys.readouterr().out
    assert main(["--replay", saved, "--json"]) == 1
    assert all(run["violations"] for run in json.loads(capsys.readouterr().out))
    assert (tmp_path / "verify.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epsilon", "0"], "--epsilon"),
        (["--epsilon", "ten"], "--epsilon"),
        (["--length", "0"], "--length"),
        (["--length", "1e6"], "--length"),
        (["--seed", "-1"], "--seed"),
        (["--pairs", "unknown"], "--pairs"),
        (["--control", "unknown"], "--control"),
        (["--replay", "/nonexistent.json"], "replay"),
        (["--pairs", "nested", "--text", "/nonexistent.txt"], "text"),
        (["--out", "/dev/null/folder"], "--out"),
    ],
)
def test_bad_argument_is_one_line_and_code_2(arguments, words, capsys, tmp_path):
    out = [] if "--out" in arguments else ["--out", str(tmp_path)]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, *out])
    assert caught.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1
    assert words in lines[0]


def test_interrupt_saves_what_was_done(tmp_path):
    # A shell starts background jobs with Ctrl-C ignored, and children inherit that: undo it.
    code = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "runpy.run_module('verify', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", code, "--out", str(tmp_path), "--length", "3000000"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        first = process.stderr.readline()  # progress after the first pair
        assert "simple-1" in first
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    reports = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))["reports"]
    assert reports[0]["finished"] is True
    assert len(reports) < len(BUILT_IN) or not reports[-1]["finished"]


def test_figures_take_and_return_axes():
    from matplotlib.figure import Figure

    pair = BUILT_IN["nested"]()
    report = check(pair.f, pair.g, epsilon=pair.epsilon, length=3000, name=pair.name)
    ax = Figure().subplots()
    assert figures.errors([report], ax) is ax
    assert figures.errors([report]).get_xscale() == "log"
    lower = figures.lengths([report])
    marks = {tuple(line.get_xdata()) for line in lower.lines}
    assert (report.limit,) in marks
    drawn = figures.errors([report]).lines[0].get_xdata()
    assert max(drawn) == pytest.approx(report.worst.error / float(report.epsilon))
    assert figures.check_figure([report, report]).get_figwidth() == 3.4
