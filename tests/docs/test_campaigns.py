"""The page on campaigns: its Python runs, and its TOML file is run from the shell."""

import csv
from pathlib import Path

from tests.helpers.page_blocks import blocks, failures
from verify import tasks
from verify.__main__ import main

PAGE = Path(__file__).parents[2] / "docs" / "campaigns.md"


def test_python_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert failures(PAGE, ("python",)) == 0


def test_the_toml_file_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = (code for kind, code in blocks(PAGE) if kind == "toml")
    (command,) = (code for kind, code in blocks(PAGE) if kind == "bash")
    Path("campaign.toml").write_text(code, "utf-8")
    pair = tasks.trained_pair("simple_plain", omega=2, training_length=64)
    Path("runs/a").mkdir(parents=True)
    pair.model.save("runs/a/f.safetensors")
    pair.target.save("g.safetensors")
    _, _, _, *arguments = command.split()
    arguments[-1] = "1"  # workers have a test of their own
    assert main(arguments) == 1
    with open("campaign/campaign.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert [row["target"] for row in rows if row["status"] == "REFUTED"] == ["0.04"]
    assert "9 of 9 cases" in capsys.readouterr().out
