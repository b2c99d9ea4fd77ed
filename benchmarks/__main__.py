"""`python -m benchmarks`: measure everything, write docs/benchmarks.json and the page's tables.

A run can be stopped with Ctrl-C and goes on where it was when it is started again. Benchmarks that
fail are named, in the file and on the page, and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks.plan import PLAN, Benchmark
from benchmarks.report import tables, with_tables
from benchmarks.results import Results

DOCS = Path(__file__).resolve().parent.parent / "docs"
QUICK = Path("build") / "benchmarks"
"""Where --quick writes, so that it does not replace the page's numbers."""


def main(arguments: Sequence[str] | None = None, plan: Sequence[Benchmark] = PLAN) -> int:
    """Run what was asked for; the exit code."""
    options = _parser(plan).parse_args(arguments)
    if options.list:
        for benchmark in plan:
            print(f"{benchmark.name:15}{benchmark.about}")
        return 0
    _on_one_thread()
    out = options.out or (QUICK if options.quick else DOCS)
    by_name = {benchmark.name: benchmark for benchmark in plan}
    results = Results(out / "benchmarks.json")
    if options.tables:
        _write(out / "benchmarks.md", results)
        return 0
    names = options.only or list(by_name)
    todo = names if options.only else results.begin(names, options.quick, options.restart)
    if len(todo) < len(names):
        kept = [name for name in names if name not in todo]
        _say(f"going on with a run that was stopped; kept: {', '.join(kept)} (--restart: all anew)")
    failed = []
    for number, name in enumerate(todo, 1):
        _say(f"[{number}/{len(todo)}] {name}: {by_name[name].about}")
        try:
            if not _run(by_name[name], results, options.quick):
                failed.append(name)
        except KeyboardInterrupt:
            _say(f"stopped in {name}; what was finished is in {results.path}")
            return 130
    _write(out / "benchmarks.md", results)
    _say(f"written: {results.path}, {out / 'benchmarks.md'}")
    if failed:
        _say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _on_one_thread() -> None:
    """Read when NumPy, PyTorch and JAX are imported, which nothing has done so far."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")


def _parser(plan: Sequence[Benchmark]) -> argparse.ArgumentParser:
    about = "Measure everything; write docs/benchmarks.json and the tables of docs/benchmarks.md."
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    names = [benchmark.name for benchmark in plan]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="only these")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--out", type=Path, help=f"folder; docs, or {QUICK} with --quick")
    parser.add_argument("--restart", action="store_true", help="do not go on with a stopped run")
    parser.add_argument("--tables", action="store_true", help="only write the tables again")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    return parser


def _run(benchmark: Benchmark, results: Results, quick: bool) -> bool:
    rows, start, error = [], time.perf_counter(), ""
    try:
        for row in benchmark.rows(quick):
            rows.append(row)
            _say(f"  {time.perf_counter() - start:5.1f} s  {row['what']}: {brief(row)}")
    except Exception as problem:  # the others go on; the file and the page say so
        traceback.print_exc()
        error = f"{type(problem).__name__}: {problem}"
    results.add(benchmark.name, rows, time.perf_counter() - start, quick=quick, error=error)
    return not error


def brief(row: dict) -> str:
    """The number of a row, for the progress."""
    if row["kind"] == "ratio":
        low, high = row["quartiles"]
        return f"{row['median']:.3g} ({low:.3g} … {high:.3g}) times {row['against']}"
    if row["kind"] == "growth":
        return f"{row['size']}^({row['exponent']:.2f} ± {row['standard_error']:.2f})"
    if row["kind"] == "seconds":
        return f"at most {max(row['seconds']):.2g} s"
    if row["kind"] == "memory":
        return f"peak at most {max(p['peak'] for p in row['points']) / 2**20:.0f} MiB"
    return f"{row['against']}: {row['why']}"


def _write(page: Path, results: Results) -> None:
    if page.exists():
        page.write_text(
            with_tables(page.read_text(encoding="utf-8"), results.benchmarks), encoding="utf-8"
        )
    else:
        page.write_text(f"# Benchmarks\n\n{tables(results.benchmarks)}\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
