"""Command line: run the mutants, show the results."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from tests.mutation.report import report
from tests.mutation.runner import Options, Plugin

ROOMS = {
    "bounds/**/*.py": 1.0,
    "verify/certificates/recheck/*.py": 2.0,
    "verify/simulation/argmax/*.py": 2.0,
    "verify/simulation/softmax/rounding.py": 2.0,
    "verify/certificates/counts.py": 2.0,
    "verify/certificates/counted_input.py": 2.0,
    "verify/certificates/levels.py": 2.0,
    "verify/certificates/input_class.py": 2.0,
    "verify/certificates/values.py": 2.0,
}
"""What is changed; a weight of 2 samples twice as many where not all can be run."""

TESTS = [
    "tests/bounds",
    "tests/second_formulas",
    "tests/verify/certificates",
    "tests/verify/simulation",
]


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run mutants")
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    run.add_argument("--seconds", type=float, default=600)
    run.add_argument("--budget", type=float, default=4)
    run.add_argument("--slowest", type=float, default=8)
    run.add_argument("--seed", type=int, default=2026)
    run.add_argument("--files", nargs="*", help="patterns of files to change")
    run.add_argument("--only", type=Path, help="a file of keys, one a line")
    run.add_argument("--baseline", type=Path, help="tests.json.gz of an earlier run")
    run.add_argument("--quick", action="store_true", help="leave out the tests marked slow")
    run.add_argument("--tests", nargs="*", default=TESTS)
    show = commands.add_parser("report", help="tables of results")
    show.add_argument("results", type=Path, nargs="+")
    show.add_argument("--survivors", action="store_true")
    options = parser.parse_args()
    if options.command == "report":
        report(options.results, options.survivors)
        return 0
    os.environ["MUTATION"] = "1"
    root = Path.cwd()
    rooms = {pattern: 1.0 for pattern in options.files} if options.files else ROOMS
    weights = {
        str(path.relative_to(root)): weight
        for pattern, weight in rooms.items()
        for path in sorted(root.glob(pattern))
    }
    only = frozenset(options.only.read_text().split()) if options.only else frozenset()
    options.out.mkdir(parents=True, exist_ok=True)
    plugin = Plugin(
        Options(
            root,
            options.out,
            weights,
            jobs=options.jobs,
            seconds=options.seconds,
            budget=options.budget,
            slowest=options.slowest,
            seed=options.seed,
            only=only,
            baseline=options.baseline,
        )
    )
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "-s", "-q", "-o", "addopts="]
    arguments += ["--strict-markers", "--doctest-glob=README.md"]
    if options.quick:
        arguments += ["-m", "not slow"]
    return int(pytest.main([*arguments, *options.tests], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(_main())
