"""Campaigns that are killed at random moments and resumed until they are done.

One process imports the package and then forks: a child runs the campaign and is killed, the next
one goes on. As a command, it compares the rows with those of a run that nobody interrupted:

    python -m tests.helpers.campaign_kills --cases 2000 --kills 100 --jobs 1
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import joblib  # noqa: F401  (here, so that children do not spend their lives on it)
import numpy as np

import verify
from verify.campaigns import Answer, Claim
from verify.errors import InputError

ROWS = "SELECT number, input, part, status, low, detail FROM report"
"""All that a row says but the seconds."""


@dataclass(frozen=True)
class OneInput(Claim):
    """|f − g| on one random input: the smallest case there is."""

    cases: int
    length: int = 40

    @property
    def parts(self) -> int:
        return self.cases

    def run(self, f, g, part, seed):
        x = np.random.default_rng(seed).integers(f.vocabulary_size, size=self.length)
        error = float(np.abs(f(x) - g(x)).max())
        return Answer("MEASURED", low=error, detail={"x": x.tolist()})


def pairs():
    pair = verify.tasks.trained_pair("mod_p", period=2, training_length=32)
    return {"mod p": pair, "swapped": (pair.target, pair.model)}


def run(folder: Path, cases: int, jobs: int) -> None:
    verify.campaign(OneInput(cases // 2), pairs(), out=folder, n_jobs=jobs)


def rows(folder: Path) -> list[tuple[object, ...]]:
    """The rows as another program reads them."""
    with sqlite3.connect(folder / "campaign.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (stored,) = connection.execute("SELECT count(*) FROM results").fetchone()
        found = connection.execute(ROWS).fetchall()
    connection.close()
    assert stored == len([row for row in found if row[3] is not None])
    return found


def forked(folder: Path, cases: int, jobs: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            run(folder, cases, jobs)
            code = 0
        finally:
            os._exit(code)
    return child


def killed_until_done(
    folder: Path, cases: int, kills: int, jobs: int, longest: float, seed: int
) -> dict[str, int]:
    """Kill and go on; raise if anything but a kill ends a run.

    Each delay is random up to `longest` seconds, every third one of any order of magnitude; once
    the kills are spent the campaign may end. One that ends before is followed by one in the next
    folder.
    """
    rng = random.Random(seed)
    told = {"kills": 0, "in the middle": 0, "campaigns": 0}
    while told["kills"] < kills or told["campaigns"] == 0:
        target = folder / str(told["campaigns"])
        finished = False
        while not finished:
            child = forked(target, cases, jobs)
            if told["kills"] < kills:
                share = 10 ** rng.uniform(-3.5, 0) if told["kills"] % 3 == 0 else rng.random()
                until = time.monotonic() + longest * share
                while time.monotonic() < until and not os.waitid(
                    os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
                ):
                    time.sleep(0.001)
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            finished = status == 0
            if not finished:
                assert os.WIFSIGNALED(status), status
                assert os.WTERMSIG(status) == signal.SIGKILL, status
                told["kills"] += 1
                told["in the middle"] += _half_finished(target)
        told["campaigns"] += 1
    return told


def _half_finished(folder: Path) -> bool:
    """Whether some rows are there and some are not, as a reader of the package sees it."""
    try:
        result = verify.CampaignResult.load(folder)
    except InputError:  # killed before the file was there, or its tables
        return False
    return 0 < len(result) < result.planned


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--longest", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child = forked(folder / "whole", options.cases, 1)
        assert os.waitpid(child, 0)[1] == 0
        expected = rows(folder / "whole")
        assert len(expected) == options.cases
        assert all(row[3] == "MEASURED" for row in expected)
        start = time.monotonic()
        told = killed_until_done(
            folder, options.cases, options.kills, options.jobs, options.longest, options.seed
        )
        for number in range(told["campaigns"]):
            assert rows(folder / str(number)) == expected
        seconds = time.monotonic() - start
    counts = ", ".join(f"{name} {count}" for name, count in told.items())
    print(f"{options.cases} cases, n_jobs={options.jobs}: {counts}; {seconds:.0f} s")
    print("nothing lost, nothing doubled, every row as in the run without kills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
