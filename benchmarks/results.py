"""benchmarks.json: what was measured, and what a run that was stopped has still to do."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine


class Results:
    """The file, written anew after every benchmark.

    Entries of an earlier run stay until they are measured again; each has its own date, load,
    machine and commit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.benchmarks: dict[str, dict[str, Any]] = {}
        self.pending: list[str] = []
        if path.exists():
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                self.benchmarks, self.pending = kept["benchmarks"], kept["pending"]
            except (ValueError, KeyError, TypeError) as problem:
                raise SystemExit(f"{path} is not a file of this program: {problem!r}") from problem

    def begin(self, names: Sequence[str], quick: bool, restart: bool = False) -> list[str]:
        """What is to be measured: what a stopped run of this kind left, or all of `names`."""
        left = [name for name in names if name in self.pending]
        done = [self.benchmarks.get(name) for name in names if name not in left]
        same = all(entry is not None and entry["quick"] == quick for entry in done)
        self.pending = left if left and same and not restart else list(names)
        return list(self.pending)

    def add(
        self, name: str, rows: Sequence[Any], seconds: float, *, quick: bool, error: str = ""
    ) -> None:
        """Keep one benchmark, or the error that ended it, and write the file."""
        entry: dict[str, Any] = {"quick": quick, "seconds": round(seconds, 1)}
        entry |= machine.now() | {"machine": machine.describe(), "rows": list(rows)}
        if error:
            entry["error"] = error
        self.benchmarks[name] = entry
        self.pending = [other for other in self.pending if other != name]
        self.save()

    def save(self) -> None:
        """Write the file whole or not at all."""
        data = {"benchmarks": self.benchmarks, "pending": self.pending}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(new, self.path)
