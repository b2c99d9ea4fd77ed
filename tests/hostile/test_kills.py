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


def kills(folder: Path, *kinds: str) -> dict[str, dict[str, int]]:
    """What came of "saves", "runs" or "training", each with a number of kills."""
    run = [sys.executable, "-m", "tests.hostile.kills", str(folder), *kinds]
    done = subprocess.run(run, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)  # shown by pytest -s
    return json.loads(done.stdout)


@pytest.mark.slow
def test_files_are_the_old_ones_or_the_new_ones_and_experiments_go_on(tmp_path):
    found = kills(tmp_path, f"saves={12 * SIZE}", f"runs={4 * SIZE}")
    assert found["saves"]["kills"] == 12 * SIZE
    assert found["saves"]["parts"] > 0 or SIZE < 100  # some met a file that was being written
    assert found["runs"]["kills"] >= 4 * SIZE


@pytest.mark.skipif(SIZE < 100, reason="minutes: LGBOUNDS_HOSTILE=100, as .ci/kills has it")
def test_training_goes_on_where_it_was_killed(tmp_path):
    pytest.importorskip("jax")
    assert kills(tmp_path, f"training={SIZE // 5}")["training"]["kills"] >= SIZE // 5
