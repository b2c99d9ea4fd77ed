"""`campaign`: every claim on every pair, on as many workers as there are, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from verify.campaigns.definition import Definition
from verify.campaigns.progress import Progress
from verify.campaigns.result import CampaignResult
from verify.campaigns.running import answered, read_jobs
from verify.campaigns.store import Store, folder_of
from verify.campaigns.work import REFUSED, Case, Claim, without_answer
from verify.errors import InputError


def campaign(
    claims: Claim | Iterable[Claim],
    inputs: Any,
    *,
    out: str | os.PathLike[str],
    n_jobs: int | None = None,
    progress: bool | None = None,
    retry: bool = False,
) -> CampaignResult:
    """Answer every claim for every pair; what is done stays in the folder `out`, come what may.

    Run again with the same claims and pairs, it goes on where it stopped: after Ctrl-C (which ends
    it with what is done), a crash, a full disk, a reboot. The rows depend on claims and weights
    alone, not on the number of workers nor on any order.

    Workers are joblib's: `with joblib.parallel_config(backend="dask"):` runs the cases on a
    cluster. A pair that is not covered, a case that fails, a worker that dies are rows that say
    so. (With one worker cases run in this process, which then dies with its case.)

    Args:
        claims: `verify.Prove`, `verify.Certify`, `verify.Check`, or a `verify.campaigns.Claim` of
            your own.
        inputs: pairs: (f, g), each a model or the path of its file; stored pairs such as
            `verify.tasks.all_trained("mod_p")`; `verify.campaigns.pairs_of_files(...)`; or a
            mapping from names to pairs.
        out: the folder; made if it is not there.
        n_jobs: how many workers; −1: as many as there are cores; None: what
            `joblib.parallel_config` says, or one, which is this process.
        progress: whether standard error shows a line; None: if it is a terminal.
        retry: run those that crashed again.

    Returns:
        What is done; `.missing` has the rest, after an interruption.

    Raises:
        InputError: an argument is not usable; the folder holds another campaign, cannot be
            written to, or another process is at work in it.
        Exception: what joblib says where no worker can be had; the rows are kept.
    """
    jobs = read_jobs(n_jobs)
    if progress not in (True, False, None):
        raise InputError("progress", progress, "True, False or None")
    if retry not in (True, False):
        raise InputError("retry", retry, "True or False")
    folder = folder_of(out)
    definition = Definition.of(claims, inputs)
    with Store.opened(folder, definition) as store:
        numbers = store.numbers(crashed=bool(retry))
        unreadable, cases, total = [], [], 0
        for planned in definition.cases():
            total += 1
            entry = definition.inputs[planned.input]
            number = numbers.get((planned.digest, entry.name))
            if number is None:
                continue
            if entry.f is None or entry.g is None:
                unreadable.append(without_answer(number, REFUSED, entry.problem, {}))
            else:
                claim = definition.claims[planned.claim]
                cases.append(Case(number, claim, entry.f, entry.g, planned.part, planned.seed))
        shown = Progress(total, total - len(numbers), progress)
        try:
            for found in unreadable:
                store.add(found)
                shown(found.answer.status)
            with closing(answered(cases, jobs)) as rows:
                for found in rows:
                    store.add(found)
                    shown(found.answer.status)
        except KeyboardInterrupt:
            pass  # what is done is kept, and the result says what is missing
    return CampaignResult.load(folder)
