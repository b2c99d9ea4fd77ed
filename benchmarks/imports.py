"""How long the imports take, and the first answers after them: CPU time of whole processes.

Modules are read as they are after an installation: compiled once, into a folder of this run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.rows import Row, ratio_row
from benchmarks.timing import Ratio, ratio, times

MODEL = "lipschitz=1, vocabulary_size=3, period=2, locality=1, precision_bits=8, margin=1"
ROOT = Path(__file__).resolve().parent.parent

STATEMENTS = {
    "start": "pass",
    "sympy": "import sympy",
    "numpy, sympy": "import numpy, sympy",
    "bounds": "import bounds",
    "verify": "import verify",
    "required_length": f"import bounds; bounds.required_length(epsilon='1/10', {MODEL}, "
    "theorem='derived.one_layer_linf')",
    "bracket": "import bounds; bounds.bracket(epsilon='1/10', **bounds.models.MOD_P)",
}

COMPARED = (
    ("`import bounds`", "bounds", "`import sympy`", "sympy", "≤ 1.3"),
    ("`import verify`", "verify", "`import numpy, sympy`", "numpy, sympy", ""),
    (
        "`import bounds` and a first `required_length`",
        "required_length",
        "`import sympy`",
        "sympy",
        "",
    ),
    ("`import bounds` and a first `bracket`", "bracket", "`import sympy`", "sympy", ""),
)


def _process(statement: str, cache: str) -> Callable[[], object]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache
    command = [sys.executable, "-c", statement]
    return lambda: subprocess.run(command, check=True, env=environment, cwd=ROOT)


def imports(quick: bool) -> Iterator[Row]:
    """Without the time in which the interpreter starts; quick: only the first comparison."""
    compared = COMPARED[: 1 if quick else None]
    names = ["start", *dict.fromkeys(n for _, ours, _, other, _ in compared for n in (ours, other))]
    with tempfile.TemporaryDirectory() as cache:
        programs = {name: _process(STATEMENTS[name], cache) for name in names}
        found = times(programs, 3 if quick else 7, _of_children)
    for what, ours, against, other, goal in compared:
        yield ratio_row(what, against, _without_start(found, ours, other), goal=goal)


def _of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _without_start(found: dict[str, list[float]], ours: str, other: str) -> Ratio:
    start = min(found["start"])
    return ratio([s - start for s in found[ours]], [s - start for s in found[other]])
