"""`python -m verify`: check the one-layer simulation on built-in models, or on a text of yours."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from bounds.numbers import exact
from verify import figures_check
from verify.check import extend, new_report, standard_inputs
from verify.errors import InputError
from verify.inputs import Input, from_text
from verify.pairs import BUILT_IN
from verify.replay import replay
from verify.report import Report, Row, summary_table, write_json
from verify.simulation import OneLayerSimulator, simulator
from verify.simulation.controls import CONTROLS

HOLDS, COUNTEREXAMPLE, BAD_ARGUMENT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0, 1 (counterexample), 2 (bad argument)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.replay is not None:
            return _replay(options.replay, as_json=options.json)
        return _run(options)
    except InputError as error:
        parser.exit(BAD_ARGUMENT, f"{parser.prog}: error: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m verify",
        description="Shorten long inputs of built-in one-layer models with the map of Theorem 1 "
        "and test all it promises: |z| ≤ N, and errors of f and g at most ε.",
        epilog="Exit code: 0 all holds, 1 a counterexample was found and saved, 2 bad argument.",
    )
    parser.add_argument(
        "--text",
        metavar="FILE",
        help="also check this text: characters as tokens, rare ones pooled",
    )
    parser.add_argument(
        "--out", metavar="DIR", default="verify-out", help="folder for verify.json and verify.png"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON, no tables")
    parser.add_argument(
        "--epsilon", type=_positive, metavar="E", help="ε for every pair, e.g. 1/10"
    )
    parser.add_argument(
        "--length", type=_count, default=10**6, metavar="T", help="length of the long token inputs"
    )
    parser.add_argument(
        "--pairs", nargs="+", metavar="NAME", choices=list(BUILT_IN), default=list(BUILT_IN),
        help=f"which pairs f, g: {', '.join(BUILT_IN)}",
    )  # fmt: skip
    parser.add_argument("--seed", type=_seed, default=0, help="first seed of the inputs")
    parser.add_argument(
        "--control", choices=list(CONTROLS), help="run a known-wrong map, to see the check fail"
    )
    parser.add_argument("--replay", metavar="FILE", help="run saved counterexamples again")
    return parser


def _run(options: argparse.Namespace) -> int:
    out = _folder(options.out)
    texts = [Path(options.text)] if options.text else []
    reports: list[Report] = []
    started, interrupted = time.monotonic(), False
    try:
        for name in options.pairs:
            pair = BUILT_IN[name]()
            epsilon = options.epsilon or pair.epsilon
            run = simulator(pair.f, pair.g, epsilon=epsilon, control=options.control)
            report = new_report(run, pair.name)
            reports.append(report)
            extend(report, run, _inputs(run, options, texts), _Progress(name, started))
            if not options.json:
                print(report.table(), end="\n\n", flush=True)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted; saving what was done", file=sys.stderr)
    data = {"holds": all(r.holds for r in reports), "reports": [r.to_dict() for r in reports]}
    write_json(out / "verify.json", data)
    if any(report.rows for report in reports):
        figures_check.figure(reports).savefig(out / "verify.png", dpi=200)
    if options.json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        print(summary_table(reports))
        print(f"\nsaved: {out / 'verify.json'}, {out / 'verify.png'}")
    if not data["holds"]:
        print(
            f"counterexample found; see it again: python -m verify --replay {out / 'verify.json'}",
            file=sys.stderr,
        )
        return COUNTEREXAMPLE
    return INTERRUPTED if interrupted else HOLDS


def _inputs(run: OneLayerSimulator, options: argparse.Namespace, texts: list[Path]) -> list[Input]:
    inputs = standard_inputs(run, length=options.length, seed=options.seed)
    with resources.as_file(resources.files("verify") / "data" / "sample.txt") as sample:
        for path in [sample, *texts]:
            inputs.append(from_text(path, run.f.vocabulary_size))
            if inputs[-1].length < options.length:
                inputs.append(from_text(path, run.f.vocabulary_size, options.length))
    return inputs


class _Progress:
    """One line on standard error, rewritten after every input."""

    def __init__(self, name: str, started: float) -> None:
        self.name, self.started = name, started

    def __call__(self, report: Report, row: Row, total: int) -> None:
        done = len(report.rows)
        seconds = time.monotonic() - self.started
        line = f"{self.name}: {done}/{total} inputs, {seconds:.0f} s"
        end = "\n" if done == total or not sys.stderr.isatty() else ""
        if sys.stderr.isatty():
            print(f"\r{line}\033[K", end=end, file=sys.stderr, flush=True)
        elif done == total:
            print(line, file=sys.stderr, flush=True)


def _replay(path: str, *, as_json: bool) -> int:
    simulations = replay(path)
    lines: list[dict[str, Any]] = [
        {
            "length": s.summary.length,
            "short_length": s.length,
            "limit": s.limit,
            "error_f": s.error_f,
            "error_g": s.error_g,
            "epsilon": str(s.epsilon),
            "violations": list(s.violations),
        }
        for s in simulations
    ]
    if as_json:
        print(json.dumps(lines, ensure_ascii=False))
    else:
        for line in lines:
            verdict = "; ".join(line["violations"]) or "holds now"
            print(f"T = {line['length']:,}, |z| = {line['short_length']:,}: {verdict}")
    return HOLDS if all(s.holds for s in simulations) else COUNTEREXAMPLE


def _folder(name: str) -> Path:
    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", name, f"a folder that can be written ({error})") from None
    return path


def _positive(text: str) -> Fraction:
    try:
        value: Any = exact(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: {error}") from None
    if value <= 0:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: a number > 0")
    return Fraction(value)


def _count(text: str) -> int:
    return _integer(text, 1)


def _seed(text: str) -> int:
    return _integer(text, 0)


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: an integer, at least {least}")
    return value


if __name__ == "__main__":
    sys.exit(main())
