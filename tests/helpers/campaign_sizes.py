"""A campaign of many cases, on workers and in one process: the same rows; how long each takes.

python -m tests.helpers.campaign_sizes --cases 10000 --jobs 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import verify
from tests.helpers.campaign_kills import rows, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = []
        for jobs in (options.jobs, 1):
            folder = Path(name) / str(jobs)
            start = time.monotonic()
            run(folder, options.cases, jobs)
            middle = time.monotonic()
            run(folder, options.cases, jobs)  # finds all done
            end = time.monotonic()
            assert len(verify.CampaignResult.load(folder)) == options.cases
            megabytes = (folder / "campaign.sqlite").stat().st_size / 2**20
            print(
                f"{options.cases} cases, n_jobs={jobs}: {middle - start:.1f} s; "
                f"again, nothing left: {end - middle:.1f} s; {megabytes:.1f} MiB"
            )
            found.append(rows(folder))
        assert found[0] == found[1]
        print(f"{len(found[0])} rows, the same on workers and in one process")


if __name__ == "__main__":
    main()
