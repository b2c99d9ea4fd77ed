"""Every notebook runs from top to bottom; notebooks are committed as percent scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(script, tmp_path):
    notebook = tmp_path / f"{script.stem}.ipynb"
    convert = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--output", notebook, script]
    subprocess.run(convert, check=True, capture_output=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "-q", notebook.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
