"""One line on standard error: what is done, how fast, and how long the rest will take."""

from __future__ import annotations

import sys
import time
from collections import Counter

_SECONDS_BETWEEN_LINES = 10.0
"""How often progress is reported where no terminal shows it."""
_SECONDS_BETWEEN_REWRITES = 0.1


class Progress:
    """Rewritten in a terminal; in a log a line every ten seconds.

    Args:
        total: number of cases; done: how many of them an earlier run has done.
        shown: True, False, or None: where standard error is a terminal.
    """

    def __init__(self, total: int, done: int, shown: bool | None) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = sys.stderr is not None and (self._terminal if shown is None else shown)
        self._total, self._done, self._before = total, done, done
        self._statuses: Counter[str] = Counter()
        self._started = time.monotonic()
        self._last = self._started - _SECONDS_BETWEEN_REWRITES

    def __call__(self, status: str) -> None:
        """Count a row."""
        self._done += 1
        self._statuses[status] += 1
        if not self._shown:
            return
        now = time.monotonic()
        pause = _SECONDS_BETWEEN_REWRITES if self._terminal else _SECONDS_BETWEEN_LINES
        if self._done < self._total and now - self._last < pause:
            return
        self._last = now
        line = self.line(now - self._started)
        if self._terminal:
            end = "\n" if self._done == self._total else ""
            print(f"\r{line}\033[K", end=end, file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """Return what is shown, after so many seconds of this run."""
        rate = (self._done - self._before) / max(seconds, 1e-9)
        parts = [f"campaign: {self._done:,}/{self._total:,} cases", f"{_time(seconds)}"]
        parts.append(f"{rate:,.1f} a second" if rate >= 1 else f"{rate * 60:,.1f} a minute")
        if self._done < self._total:
            parts.append(f"{_time((self._total - self._done) / max(rate, 1e-9))} left")
        counts = ", ".join(f"{status} {n:,}" for status, n in sorted(self._statuses.items()))
        return f"{', '.join(parts)}; {counts}"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 100 * 3600 else f"{seconds / 86400:,.0f} days"
