"""Processes killed at random moments: files are the old ones or the new ones; runs go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import SIZE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills")


def kills(kind: str, count: int, folder: Path) -> dict[str, int]:
    run = [sys.executable, "-m", "tests.hostile.kills", kind, str(count), str(folder)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    print(kind, done.stdout)  # shown by pytest -s
    return json.loads(done.stdout)


@pytest.mark.slow
def test_saved_files_are_the_old_ones_or_the_new_ones(tmp_path):
    found = kills("saves", 12 * SIZE, tmp_path)
    assert found["kills"] == 12 * SIZE
    assert found["parts"] > 0 or SIZE < 100  # some kills met a file that was being written


@pytest.mark.slow
def test_experiments_go_on_where_they_were_killed(tmp_path):
    found = kills("runs", 10 * SIZE, tmp_path)
    assert found["kills"] >= 10 * SIZE


@pytest.mark.skipif(SIZE < 100, reason="minutes: LGBOUNDS_HOSTILE=100, as .ci/kills has it")
def test_training_goes_on_where_it_was_killed(tmp_path):
    pytest.importorskip("jax")
    found = kills("training", SIZE // 5, tmp_path)
    assert found["kills"] >= SIZE // 5
