"""A campaign on a Dask cluster of processes, with a case that ends its process.

python -m tests.helpers.campaign_dask
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import joblib
from distributed import Client, LocalCluster

import verify
from tests.helpers.campaign_kills import pairs
from verify.campaigns import Answer, Claim


@dataclass(frozen=True)
class Deadly(Claim):
    """One of twenty parts ends the process that it is in."""

    @property
    def parts(self) -> int:
        return 20

    def run(self, f, g, part, seed):
        if part == 7:
            os._exit(3)
        return Answer("FINE", low=seed / 2**48)


def main() -> None:
    # A task is given up with its first worker, and a worker has time to start again.
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.deploy.lost-worker-timeout": "300s",
    }
    with tempfile.TemporaryDirectory() as name, dask.config.set(settings):
        start = time.monotonic()
        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        )
        with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
            result = verify.campaign(Deadly(), pairs(), out=Path(name) / "out")
        seconds = time.monotonic() - start
    assert result.counts == {"FINE": 38, "CRASHED": 2}, result.counts
    assert all("did not survive" in row["error"] for row in result.table().where(status="CRASHED"))
    print(f"Dask, 2 processes: {result}; {seconds:.0f} s")


if __name__ == "__main__":
    main()
