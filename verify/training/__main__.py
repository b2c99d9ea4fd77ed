"""`python -m verify.training --preset mini --out DIR`: train, measure, draw."""

from __future__ import annotations

import argparse
from pathlib import Path

from verify.training.draw import draw_all, write_statistics
from verify.training.measuring import measure_all
from verify.training.pipeline import train_all
from verify.training.presets import PRESETS
from verify.training.shipped import ship


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the steps asked for."""
    parser = argparse.ArgumentParser(prog="python -m verify.training", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mini")
    parser.add_argument("--out", type=Path, help="folder for results; resumable")
    parser.add_argument(
        "--ship", action="store_true", help="train the weights that come with the package again"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument(
        "--figures-only",
        action="store_true",
        help="draw and count from the csv files in --out; needs neither weights nor jax",
    )
    given = parser.parse_args(arguments)
    if given.ship:
        for path in ship(given.out):
            print(path)
        return 0
    if given.out is None:
        parser.error("the following arguments are required: --out")
    if not given.figures_only:
        train_all(PRESETS[given.preset], given.out, quiet=given.quiet)
        measure_all(PRESETS[given.preset], given.out, quiet=given.quiet)
    for path in (*draw_all(given.out), write_statistics(given.out)):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
