"""`python -m verify.training --preset mini --out DIR`: train, measure, draw."""

from __future__ import annotations

import argparse
from pathlib import Path

from verify.training.pipeline import train_all
from verify.training.presets import PRESETS


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the steps asked for."""
    parser = argparse.ArgumentParser(prog="python -m verify.training", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mini")
    parser.add_argument("--out", type=Path, required=True, help="folder for results; resumable")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args(arguments)
    train_all(PRESETS[given.preset], given.out, quiet=given.quiet)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
