"""The rates of the maps x → z on the adversarial family (aʳbʳ)(aʳbʳ)…, in full size.

    python benchmarks/slopes.py [folder]

The model is `verify.tasks.lower_bounds.average_of_runs`, on which no short input of length n is
better than 0.2/√n. Prints a table with fitted slopes; with a folder, also saves slopes.json and
slopes.png there. Half a minute to a few minutes on one core.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

from verify import figures
from verify.checks.slope_report import BALANCED, CHAIN, GROWING, SlopeReport, SlopeRow
from verify.checks.slopes import measure_slopes
from verify.tasks.lower_bounds import average_of_runs

LENGTHS = [256, 512, 1024, 2048, 4096, 8192]


def runs(run: int, ratio: int, n: int) -> np.ndarray:
    return np.arange(ratio * n) // run % 2


def main() -> None:
    families = {
        "runs of 400, T = 300 n": partial(runs, 400, 300),
        "runs of 1000, T = 300 n": partial(runs, 1000, 300),
    }

    def progress(report: SlopeReport, row: SlopeRow, total: int) -> None:
        print(f"{row.family}: {row.map}, n = {row.length}: {row.error:.4f}", file=sys.stderr)

    report = measure_slopes(
        average_of_runs(),
        lengths=LENGTHS,
        families=families,
        draws=20,
        maps=(BALANCED, GROWING, CHAIN),
        name="average of runs",
        progress=progress,
    )
    print(report.table())
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        report.save(folder / "slopes.json")
        figures.slopes_figure([report]).savefig(folder / "slopes.png", dpi=200)


if __name__ == "__main__":
    main()
