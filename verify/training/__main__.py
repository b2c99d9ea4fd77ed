"""`python -m verify.training --preset mini --out DIR`: train, measure, draw."""

from __future__ import annotations

import argparse
from pathlib import Path

from bounds.console import BAD_ARGUMENT, as_command
from verify.errors import InputError
from verify.training import store
from verify.training.draw import draw_all, write_statistics
from verify.training.measuring import measure_all
from verify.training.pipeline import train_all
from verify.training.presets import PRESETS
from verify.training.require import MissingExtra
from verify.training.shipped import ship


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the steps asked for.

    Returns:
        Exit code: 0 done, 2 bad argument, 3 internal error, 130 interrupted.
    """
    return as_command("python -m verify.training", lambda: _command(arguments))


def _command(arguments: list[str] | None) -> int:
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
        help="draw and count from csv files; needs neither weights nor jax",
    )
    parser.add_argument(
        "--tables",
        type=Path,
        help="folder of those csv files; default: --out if they are there, otherwise those of the "
        "paper preset, which come with the package",
    )
    given = parser.parse_args(arguments)
    try:
        return _run(parser, given)
    except (InputError, MissingExtra, OSError) as error:
        parser.exit(BAD_ARGUMENT, f"{parser.prog}: error: {error}\n")


def _run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    if given.ship:
        for path in ship(given.out):
            print(path)
        return 0
    if given.out is None:
        parser.error("the following arguments are required: --out")
    if given.tables is not None and not given.figures_only:
        parser.error("--tables goes with --figures-only: training writes its own to --out")
    tables = given.out
    if given.figures_only:
        own = (given.out / "runs.csv.gz").exists()
        tables = given.tables or (given.out if own else store.COMMITTED)
    else:
        train_all(PRESETS[given.preset], given.out, quiet=given.quiet)
        measure_all(PRESETS[given.preset], given.out, quiet=given.quiet)
    for path in (*draw_all(given.out, tables), write_statistics(given.out, tables)):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
