"""`python -m verify --campaign FILE.toml`: every claim on every pair, resumable."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from bounds.console import BAD_ARGUMENT, INTERNAL_ERROR, INTERRUPTED, show
from verify.campaigns import CampaignResult, campaign
from verify.campaigns.work import CRASHED, REFUSED
from verify.commands.campaign_file import read_campaign_file

_EXIT_CODES: tuple[tuple[Collection[str], int], ...] = (
    (("REFUTED", "FAILS", "NO LENGTH"), 1),
    ((CRASHED,), INTERNAL_ERROR),
    ((REFUSED,), BAD_ARGUMENT),
    (("OPEN",), 4),
)
"""The first of these that any row has; an interruption stands behind the first."""


def run_campaign(file: str, out: Path, jobs: int, *, as_json: bool) -> int:
    """Run a campaign, or go on with it; return the exit code.

    Raises:
        InputError: the file or the folder cannot be used.
    """
    claims, inputs = read_campaign_file(Path(file))
    result = campaign(claims, inputs, out=out, n_jobs=jobs, progress=True)
    saved = [out / "campaign.csv", out / "campaign.json"]
    result.to_csv(saved[0])
    text = result.to_json(saved[1])
    show(text if as_json else f"{result.table()}\n\n{result}\nsaved: {', '.join(map(str, saved))}")
    if not result.finished:
        print(
            f"not finished: {len(result.missing):,} cases; the same command goes on",
            file=sys.stderr,
        )
    return exit_code(result)


def exit_code(result: CampaignResult) -> int:
    """Return what the rows say as an exit code, the gravest first."""
    for statuses, code in _EXIT_CODES:
        if any(status in statuses for status in result.counts):
            return code
        if not result.finished:
            return INTERRUPTED
    return 0
