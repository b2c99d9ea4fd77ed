"""Which lines of the changed files each test runs, by `sys.monitoring` (Python ≥ 3.12)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

Lines = set[tuple[str, int]]


def code_objects(code: CodeType) -> Iterator[CodeType]:
    """The code and all code inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from code_objects(const)


class LineRecorder:
    """Records lines of some files.

    Attributes:
        imported: lines that ran while modules were imported and tests collected.
    """

    def __init__(self, files: set[str]) -> None:
        """`files`: full paths."""
        self._files = files
        self._now: Lines = set()
        self.imported: Lines = set()
        self._monitoring = sys.monitoring
        self._tool = self._monitoring.COVERAGE_ID
        self._monitoring.use_tool_id(self._tool, "mutation")
        events = self._monitoring.events
        self._monitoring.register_callback(self._tool, events.PY_START, self._started)
        self._monitoring.register_callback(self._tool, events.LINE, self._line)
        self._monitoring.set_events(self._tool, events.PY_START)

    def _started(self, code: CodeType, offset: int) -> object:
        if code.co_filename in self._files:
            self._monitoring.set_local_events(self._tool, code, self._monitoring.events.LINE)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> object:
        self._now.add((code.co_filename, line))
        return self._monitoring.DISABLE

    def collected(self) -> None:
        """What ran so far ran while modules were imported."""
        self.imported, self._now = self._now, set()
        self.stop()

    def start(self) -> None:
        """Record, in this process."""
        self._monitoring.set_events(self._tool, self._monitoring.events.PY_START)

    def stop(self) -> None:
        """Record nothing that has not begun to be recorded."""
        self._monitoring.set_events(self._tool, 0)

    @contextmanager
    def recorded(self) -> Iterator[Lines]:
        """The lines that run inside; they count for what is around it too."""
        outer, inner = self._now, set()
        self._now = inner
        self._monitoring.restart_events()
        try:
            yield inner
        finally:
            outer |= inner
            self._now = outer

    def release(self) -> None:
        """Record no more, in this process."""
        self._monitoring.set_events(self._tool, 0)
        self._monitoring.free_tool_id(self._tool)
