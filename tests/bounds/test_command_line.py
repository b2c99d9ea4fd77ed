"""`python -m bounds` on any console, and exit codes that tell an answer from a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import bounds.__main__ as command_line

WORDS = [
    "--theorem",
    "derived.one_layer_linf",
    "--epsilon",
    "1/10",
    "--lipschitz",
    "1",
    "--vocabulary-size",
    "3",
]
WORDS += ["--period", "2", "--locality", "1", "--precision-bits", "8", "--margin", "1"]
CONSOLES = [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]


@pytest.mark.slow
@pytest.mark.parametrize("console", CONSOLES)
@pytest.mark.parametrize("more", [[], ["--json"], ["--list"], ["--epsilon", "-1"]])
def test_consoles_that_are_not_utf8(console, more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} | console
    command = [sys.executable, "-m", "bounds", *WORDS, *more]
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == (2 if "-1" in more else 0), done.stderr
    if more == ["--json"]:
        assert json.loads(done.stdout.decode("ascii"))["length"] == 963
    elif not more:
        assert b"963" in done.stdout


def test_a_crash_is_no_answer(monkeypatch, capsys):
    def broken(**_):
        raise OverflowError("too large")

    monkeypatch.setattr(command_line.bounds, "required_length", broken)
    assert command_line.main(WORDS) == 3
    assert "internal error, not an answer (OverflowError: too large)" in capsys.readouterr().err


def test_an_interrupt_has_its_own_code(monkeypatch, capsys):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line.bounds, "required_length", interrupted)
    assert command_line.main(WORDS) == 130


def test_a_sweep_prints_a_row_per_value(capsys):
    words = [*WORDS[:2], *WORDS[4:], "--sweep", "epsilon=1/10, 1/20,-1", "--sweep", "heads=1,2"]
    assert command_line.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert sum("963" in line for line in lines) == 1
    assert sum("epsilon: got '-1'" in line for line in lines) == 2
    assert command_line.main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["length"] for row in rows if row["heads"] == 1] == [963, 3523, None]


@pytest.mark.parametrize("option", ["epsilon", "epsilon=", "perod=1,2"])
def test_a_sweep_that_cannot_be_read_is_a_bad_argument(option, capsys):
    assert command_line.main([*WORDS[:2], *WORDS[4:], "--sweep", option]) == 2
    assert option.split("=")[0] in capsys.readouterr().err


def test_the_version_is_that_of_the_distribution(capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("lgbounds ")


def test_what_is_solved_for_has_either_name_and_a_decimal(capsys):
    constants = ["--lipschitz", "1", "--period", "2", "--locality", "1", "--precision-bits", "8"]
    asked = [*constants, "--length", "4096", "--margin", "1"]
    for name in ("vocabulary-size", "vocabulary_size"):
        assert command_line.main([*asked, "--epsilon", "1/10", "--solve", name]) == 0
        assert capsys.readouterr().out.startswith("vocabulary_size = 29\n")
    assert command_line.main([*asked, "--vocabulary-size", "3", "--solve", "epsilon"]) == 0
    assert capsys.readouterr().out.startswith("epsilon = 29565379/639749355 ≈ 0.046214\n")
