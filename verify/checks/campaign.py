"""Many pairs in one file: what was planned, what is done, and under which options."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bounds.version import version
from verify.checks.report import Report
from verify.checks.slope_report import SlopeReport
from verify.checks.verdict import Verdict, overall
from verify.tables import write_json


@dataclass
class Campaign:
    """Reports of the pairs that were planned; the pair in progress is among them.

    Attributes:
        planned: names of the pairs, in the order in which they are run.
        options: what the run was asked for, as plain data.
        started: when, in UTC.
        found: reports by name, finished or not; it grows as the run goes on.
        proofs: verdicts about stored models, as plain data.
    """

    planned: Sequence[str]
    options: Mapping[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    found: dict[str, Report | SlopeReport] = field(default_factory=dict)
    proofs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reports(self) -> list[Report]:
        """Those of finite precision."""
        return [report for report in self.found.values() if isinstance(report, Report)]

    @property
    def slopes(self) -> list[SlopeReport]:
        """Those of softmax models."""
        return [report for report in self.found.values() if isinstance(report, SlopeReport)]

    @property
    def missing(self) -> list[str]:
        """Planned pairs that are not finished, the one in progress included."""
        return [n for n in self.planned if n not in self.found or not self.found[n].finished]

    @property
    def holds(self) -> bool | None:
        """False with a counterexample; None while pairs are missing; else True."""
        if not all(report.holds for report in self.found.values()):
            return False
        return None if self.missing else True

    @property
    def verdict(self) -> Verdict:
        """The verdict of all rows so far."""
        return overall(report.verdict for report in self.found.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "version": version(),
            "date": self.started.isoformat(timespec="seconds"),
            "options": dict(self.options),
            "finished": not self.missing,
            "missing": self.missing,
            "holds": self.holds,
            "verdict": self.verdict,
            "proofs": self.proofs,
            "reports": self._data(Report),
            "slopes": self._data(SlopeReport),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what there is; `verify.replay` reads it. The old file stays until the end."""
        write_json(path, self.to_dict())

    def _data(self, kind: type[Report] | type[SlopeReport]) -> list[dict[str, Any]]:
        pairs: Iterable[tuple[str, Report | SlopeReport]] = self.found.items()
        return [{"pair": n} | r.to_dict() for n, r in pairs if isinstance(r, kind)]
