"""Peak memory, in a process of its own for every point.

    python -m benchmarks.memory MODULE JOB SIZE

runs MODULE.JOB(SIZE), which returns a function that is then called: what is done before (imports,
the input) is told apart from the peak. Peaks are those of the kernel (VmHWM), which no
allocation by-passes. `getrusage` is used where there is no /proc; on Linux its number would start
from the peak of the process that started this one.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Peak:
    """Bytes: after imports; with the input; the peak of the whole run."""

    imported: int
    with_input: int
    peak: int


def in_a_fresh_process(module: str, job: str, size: int) -> Peak:
    """The peak of MODULE.JOB(SIZE).

    Raises:
        RuntimeError: the process failed; with the end of what it wrote.
    """
    command = [sys.executable, "-m", "benchmarks.memory", module, job, str(size)]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr.strip()[-500:]}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def allocate(size: int) -> Callable[[], Any]:
    """A job that needs `size` bytes: to test the meter."""
    return lambda: b"\1" * size


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def main(module: str, job: str, size: str) -> None:
    """Run one job and print its peaks."""
    prepare = getattr(importlib.import_module(module), job)
    imported = peak_bytes()
    program = prepare(int(size))
    with_input = peak_bytes()
    program()
    print(json.dumps({"imported": imported, "with_input": with_input, "peak": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
