"""Try to refute every claimed length: python -m tests.soundness --cases 10000 --seed 1."""

from __future__ import annotations

import argparse
import sys

from .report import table
from .runner import FAMILIES, Result, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soundness", description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", action="append", default=[], choices=list(FAMILIES))
    parser.add_argument("--levels", type=int, default=4, help="pairs (ε, target) per question")
    parser.add_argument("--subsets", type=int, default=4, help="ways to assume, per question")
    parser.add_argument("--budget", type=int, default=40_000, help="inputs to go through per case")
    parser.add_argument("--show", type=int, default=5, help="violations to print per theorem")
    given = parser.parse_args()

    def progress(result: Result) -> None:
        if sys.stderr.isatty():
            print(f"\r{result.cases}/{given.cases}", end="", file=sys.stderr, flush=True)

    result = run(
        given.cases,
        given.seed,
        families=tuple(given.family),
        most_levels=given.levels,
        most_subsets=given.subsets,
        budget=given.budget,
        progress=progress,
    )
    print(table(result))
    for key in result.tallies:
        for violation in [v for v in result.violations if v.theorem == key][: given.show]:
            print(f"\n{violation}")
    return 1 if result.violations else 0


sys.exit(main())
