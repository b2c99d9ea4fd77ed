"""A campaign killed three times ends as one that was not; `.ci/campaigns` does it a hundred times."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaigns are forked")
def test_three_kills():
    command = [sys.executable, "-m", "tests.helpers.campaign_kills", "--kills", "3"]
    done = subprocess.run([*command, "--cases", "100"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "kills 3" in done.stdout
    assert "nothing lost, nothing doubled" in done.stdout
