"""`python -m verify`: check the simulations on built-in models, or on a text of yours."""

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

import numpy as np

from bounds.numbers import exact
from verify import figures
from verify.checks.check import extend, new_report, standard_inputs
from verify.checks.check_softmax import check_softmax
from verify.checks.inputs import Input, from_text
from verify.checks.pairs import BUILT_IN
from verify.checks.replay import replay
from verify.checks.report import Report, Row, summary_table
from verify.checks.slope_report import SlopeReport, SlopeRow
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN
from verify.errors import InputError
from verify.simulation import OneLayerSimulator, simulator
from verify.simulation.argmax.controls import CONTROLS
from verify.simulation.result import Simulation
from verify.tables import write_json

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
        description="Shorten long inputs of built-in models and test all that is proved of the "
        "short ones. Finite precision: |z| ≤ N, and errors of f and g at most ε. Softmax: errors "
        "at most the proven one at every length n, with fitted slopes.",
        epilog="Exit code: 0 all holds, 1 a counterexample was found and saved, 2 bad argument.",
    )
    parser.add_argument(
        "--text",
        metavar="FILE",
        help="also check this text: characters as tokens, rare ones pooled",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="verify-out",
        help="folder for verify.json, verify.png and slopes.png",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON, no tables")
    parser.add_argument(
        "--epsilon", type=_positive, metavar="E", help="ε for every pair, e.g. 1/10"
    )
    parser.add_argument(
        "--length", type=_count, default=10**6, metavar="T", help="length of the long token inputs"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="NAME",
        choices=[*BUILT_IN, *SOFTMAX_BUILT_IN],
        help=f"which pairs f, g; finite precision: {', '.join(BUILT_IN)}; "
        f"softmax: {', '.join(SOFTMAX_BUILT_IN)}; default: all (with --control: no softmax)",
    )
    parser.add_argument("--seed", type=_seed, default=0, help="first seed of the inputs")
    parser.add_argument(
        "--control",
        choices=list(CONTROLS),
        help="run a known-wrong map on pairs of finite precision, to see the check fail",
    )
    parser.add_argument("--replay", metavar="FILE", help="run saved counterexamples again")
    return parser


def _run(options: argparse.Namespace) -> int:
    out = _folder(options.out)
    texts = [Path(options.text)] if options.text else []
    names = options.pairs or [*BUILT_IN, *([] if options.control else SOFTMAX_BUILT_IN)]
    softmax = [name for name in names if name in SOFTMAX_BUILT_IN]
    if softmax and options.control:
        raise InputError("--control", options.control, f"no softmax pairs ({', '.join(softmax)})")
    reports: list[Report] = []
    slopes: list[SlopeReport] = []
    started, interrupted = time.monotonic(), False
    try:
        for name in names:
            if name in SOFTMAX_BUILT_IN:
                continue
            pair = BUILT_IN[name]()
            epsilon = options.epsilon or pair.epsilon
            run = simulator(pair.f, pair.g, epsilon=epsilon, control=options.control)
            report = new_report(run, pair.name)
            reports.append(report)
            extend(report, run, _inputs(run, options, texts), _Progress(name, started))
            if not options.json:
                print(report.table(), end="\n\n", flush=True)
        for name in softmax:
            slopes.append(_slopes(name, options, texts, started))
            if not options.json:
                print(slopes[-1].table(), end="\n\n", flush=True)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted; saving what was done", file=sys.stderr)
    holds = all(r.holds for r in reports) and all(r.holds for r in slopes)
    data = {
        "holds": holds,
        "reports": [r.to_dict() for r in reports],
        "slopes": [r.to_dict() for r in slopes],
    }
    write_json(out / "verify.json", data)
    saved = [out / "verify.json"]
    if any(report.rows for report in reports):
        saved.append(out / "verify.png")
        figures.check_figure(reports).savefig(saved[-1], dpi=200)
    if slopes:
        saved.append(out / "slopes.png")
        figures.slopes_figure(slopes).savefig(saved[-1], dpi=200)
    if options.json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        if reports:
            print(summary_table(reports), end="\n\n")
        print(f"saved: {', '.join(map(str, saved))}")
    if not holds:
        print(
            f"counterexample found; see it again: python -m verify --replay {out / 'verify.json'}",
            file=sys.stderr,
        )
        return COUNTEREXAMPLE
    return INTERRUPTED if interrupted else HOLDS


def _slopes(
    name: str, options: argparse.Namespace, texts: list[Path], started: float
) -> SlopeReport:
    """Check one softmax pair on the default inputs and on texts."""
    pair = SOFTMAX_BUILT_IN[name]()
    size, most = pair.f.vocabulary_size, options.length
    done = 0

    def progress(row: SlopeRow, total: int) -> None:
        nonlocal done
        done += 1
        _show_progress(name, done, total, "rows", started)

    with resources.as_file(resources.files("verify") / "data" / "sample.txt") as sample:
        more = {}
        for path in [sample, *texts]:
            x = np.asarray(from_text(path, size).build(), dtype=np.int64)[:most]
            more[f"text {path.name}"] = lambda n, x=x: x
        return check_softmax(
            pair.f,
            pair.g,
            epsilon=options.epsilon or pair.epsilon,
            length=options.length,
            seed=options.seed,
            name=pair.name,
            progress=progress,
            more=more,
        )


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
        _show_progress(self.name, len(report.rows), total, "inputs", self.started)


def _show_progress(name: str, done: int, total: int, things: str, started: float) -> None:
    line = f"{name}: {done}/{total} {things}, {time.monotonic() - started:.0f} s"
    end = "\n" if done == total or not sys.stderr.isatty() else ""
    if sys.stderr.isatty():
        print(f"\r{line}\033[K", end=end, file=sys.stderr, flush=True)
    elif done == total:
        print(line, file=sys.stderr, flush=True)


def _replay(path: str, *, as_json: bool) -> int:
    simulations = replay(path)
    lines: list[dict[str, Any]] = [
        {
            "length": s.input_length if isinstance(s, Simulation) else s.summary.length,
            "short_length": s.length,
            "limit": s.limit,
            "error_f": s.error_f,
            "error_g": s.error_g,
            "violations": list(s.violations),
        }
        | (
            {"proven_error": s.proven_error}
            if isinstance(s, Simulation)
            else {"epsilon": str(s.epsilon)}
        )
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
