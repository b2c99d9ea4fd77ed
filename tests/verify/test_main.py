"""`python -m verify`: exit codes, files, and one clear line for a bad argument."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest

import verify.__main__ as command_line
from verify import figures
from verify.__main__ import main
from verify.checks.check import check
from verify.checks.pairs import BUILT_IN
from verify.checks.report import Report
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN


@pytest.mark.slow
def test_main_job_on_all_pairs(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--length", "8000"]) == 0
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


@pytest.mark.slow
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
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    reports = data["reports"]
    assert reports[0]["finished"] is True
    assert len(reports) < len(BUILT_IN) or not reports[-1]["finished"]
    assert data["finished"] is False
    assert data["holds"] is None  # nobody knows yet
    done = {report["pair"] for report in reports if report["finished"]}
    assert data["missing"] == [n for n in [*BUILT_IN, *SOFTMAX_BUILT_IN] if n not in done]


@pytest.mark.parametrize(("name", "rows"), [("nested", 5), ("softmax-1", 4)])
def test_the_pair_in_progress_keeps_its_rows(name, rows, tmp_path, capsys, monkeypatch):
    class Impatient(command_line._Progress):
        def __call__(self, report, row, total):
            if len(report.rows) == rows:
                raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_Progress", Impatient)
    names = [name, "runs"]
    assert main(["--out", str(tmp_path), "--length", "3000", "--pairs", *names]) == 130
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    (report,) = data["reports"] + data["slopes"]
    assert len(report["rows"]) == rows
    assert report["finished"] is False
    assert data["missing"] == names
    assert data["holds"] is None
    output, errors = capsys.readouterr()
    assert "(interrupted)" in output
    assert f"not finished: {name}, runs" in errors


@pytest.mark.slow
def test_the_file_says_how_it_was_made(tmp_path, capsys):
    arguments = ["--pairs", "nested", "--length", "900", "--seed", "7", "--epsilon", "1/9"]
    assert main(["--out", str(tmp_path), *arguments]) == 0
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    assert data["options"] == {
        "pairs": ["nested"],
        "epsilon": "1/9",
        "length": 900,
        "seed": 7,
        "control": None,
        "text": None,
    }
    assert datetime.fromisoformat(data["date"]).utcoffset() is not None
    assert data["version"]
    assert data["finished"] is True
    assert data["missing"] == []
    assert data["holds"] is True
    assert data["verdict"] == "holds"


def test_a_whole_pair_may_be_vacuous(tmp_path, capsys):
    arguments = ["--pairs", "nested", "--length", "900", "--epsilon", "2", "--json"]
    assert main(["--out", str(tmp_path), *arguments]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verdict"] == data["reports"][0]["verdict"] == "vacuous"


CONSOLES = [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]


def _on(console, *command):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} | console
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("console", CONSOLES)
def test_consoles_that_are_not_utf8(console, tmp_path):
    arguments = ["--pairs", "nested", "--length", "900", "--out", str(tmp_path)]
    done = _on(console, "verify", *arguments)
    assert done.returncode == 0, done.stderr
    assert b"nested: proven N" in done.stdout


@pytest.mark.slow
def test_json_on_a_console_that_is_not_utf8(tmp_path):
    arguments = ["--json", "--pairs", "simple-1", "--length", "900", "--out", str(tmp_path)]
    printed = _on({"PYTHONIOENCODING": "ascii"}, "verify", *arguments).stdout.decode("ascii")
    assert json.loads(printed)["reports"][0]["name"] == "simple, ω = 1"


@pytest.mark.slow
def test_results_are_written_before_they_are_printed(tmp_path):
    arguments = [sys.executable, "-m", "verify", "--pairs", "nested", "softmax-1"]
    arguments += ["--length", "2000", "--out", str(tmp_path)]
    reader, writer = os.pipe()
    os.close(reader)  # like `head` that has gone
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(arguments, stdout=gone, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    assert data["finished"] is True


def test_a_crash_is_no_counterexample(tmp_path, capsys, monkeypatch):
    def broken(*_, **__):
        raise OverflowError("int too large")

    monkeypatch.setattr(command_line, "extend", broken)
    assert main(["--out", str(tmp_path), "--pairs", "nested"]) == 3
    assert "internal error, not an answer (OverflowError: int too large)" in capsys.readouterr().err


def test_progress_in_a_log_comes_every_few_seconds(capsys, monkeypatch):
    now = iter(range(0, 60, 6))
    monkeypatch.setattr(command_line.time, "monotonic", lambda: next(now))
    progress = command_line._Progress("pair")
    report = Report("pair", "key", 1, None, None, {})
    for _ in range(6):
        report.rows.append(None)
        progress(report, None, 6)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["2/6", "4/6", "6/6"]


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


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "5"],
        ["--target", "1/10"],
        ["--from-length", "2"],
        ["--prove", "a", "b", "--horizon", "9**99999999"],
        ["--prove", "a", "b", "--horizon", "2**1025"],
    ],
    ids=" ".join,
)
def test_options_of_proofs_alone_and_far_horizons_are_refused_at_once(arguments, tmp_path, capsys):
    start = time.monotonic()
    try:
        code = main(["--out", str(tmp_path), *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert time.monotonic() - start < 5
    assert arguments[-2] in capsys.readouterr().err
