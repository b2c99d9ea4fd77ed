"""What a worker does: one case, answered whatever happens in it.

A case is a claim, a pair and a part. It travels to its worker with the weights themselves, so that
the worker needs no file; what comes back is plain data.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bounds.errors import BoundsError
from verify.errors import VerifyError
from verify.model.transformer import LimitTransformer

REFUSED, CRASHED = "REFUSED", "CRASHED"
"""Statuses of cases without an answer: the pair is not covered; anything else went wrong."""

_ONE_AT_A_TIME = threading.Lock()
"""Threads take turns, Dask's for instance: the precision of ball arithmetic is the process's."""


@dataclass(frozen=True)
class Answer:
    """What a claim says of a pair; the columns of its row.

    Attributes:
        status: one word or two, such as PROVED.
        length: N, the longest length that has to be looked at, or None.
        from_length: the shortest length of the claim, or None.
        proved_horizon: the longest length up to which the claim is proved; None: every length if
            the status is PROVED, else none.
        low, high: the error that the claim speaks of: attained, and proved; None where unknown.
        detail: all the rest, as plain data for JSON.
        certificate: what `verify.recheck` reads, as plain data, or None.

    Lengths are ints and errors floats, not NumPy's int64 nor fractions: a case whose answer is
    otherwise is CRASHED.
    """

    status: str
    length: int | None = None
    from_length: int | None = None
    proved_horizon: int | None = None
    low: float | None = None
    high: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None


class Claim(ABC):
    """Something to find out about a pair; a subclass is a frozen dataclass.

    Its name and its fields are what it is known by: numbers, text, None, laws, and tuples of them.
    Where its code changes what comes out, a field has to change too, such as a version.
    """

    NAME: ClassVar[str] = ""

    @property
    def parts(self) -> int:
        """Into how many cases it is divided for each pair."""
        return 1

    @abstractmethod
    def run(self, f: LimitTransformer, g: LimitTransformer, part: int, seed: int) -> Answer | None:
        """Find out; None where a Ctrl-C came in between.

        Args:
            f, g: the pair.
            part: 0, …, parts − 1.
            seed: of this case, from what the case is; not from the order of cases.

        Raises:
            VerifyError, BoundsError: the pair is not covered; the case is then REFUSED.
        """


@dataclass(frozen=True, eq=False)
class Case:
    """One claim on one pair, or one part of it."""

    number: int
    claim: Claim
    f: LimitTransformer
    g: LimitTransformer
    part: int
    seed: int
    caller: int = field(default_factory=os.getpid)


@dataclass(frozen=True)
class Found:
    """The row of a case, its last two entries as JSON."""

    number: int
    answer: Answer
    seconds: float
    error: str | None
    detail: str
    certificate: str | None


def run_case(case: Case) -> Found | None:
    """Answer one case; None where a Ctrl-C came in between."""
    with _ONE_AT_A_TIME:
        _end_with(case.caller)
        start = time.perf_counter()
        try:
            answer = case.claim.run(case.f, case.g, case.part, case.seed)
            if answer is None:
                return None
            _check_answer(answer)
            detail = _json(answer.detail)
            certificate = None if answer.certificate is None else _json(answer.certificate)
            answer = replace(answer, status=writable(answer.status), detail={}, certificate=None)
        except (VerifyError, BoundsError) as error:
            return without_answer(case.number, REFUSED, str(error), {}, start)
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {_said(error)}"
            where = {"traceback": traceback.format_exc()}
            return without_answer(case.number, CRASHED, text, where, start)
        seconds = time.perf_counter() - start
        return Found(case.number, answer, seconds, None, detail, certificate)


_watched: set[int] = set()


def _end_with(caller: int) -> None:
    """End this process with the caller, if that started it: a killed one cannot tell it.

    A worker would go on with a case that nobody waits for, beside the campaign that was resumed.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != caller or caller in _watched:
        return
    _watched.add(caller)

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="campaign parent", daemon=True).start()


def _check_answer(answer: Any) -> None:
    """Raise TypeError if a claim's answer is none: where it is made, not where it is stored."""
    if not isinstance(answer, Answer):
        raise TypeError(f"run() returned a {type(answer).__name__}; allowed: an Answer or None")
    if not isinstance(answer.status, str) or not answer.status:
        raise TypeError(f"status is {answer.status!r}; allowed: a word")
    for names, kind, allowed in (
        (("length", "from_length", "proved_horizon"), int, "an int or None"),
        (("low", "high"), float, "a float or None"),
    ):
        for name in names:
            value = getattr(answer, name)
            good = isinstance(value, kind) and not isinstance(value, bool) and value == value
            if value is not None and not good:
                raise TypeError(
                    f"{name} is {value!r}, of type {type(value).__name__}; allowed: {allowed}"
                )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message cannot be had)"


def without_answer(
    number: int, status: str, error: str, detail: Mapping[str, Any], start: float | None = None
) -> Found:
    """Return the row of a case that has no answer, with the reason."""
    seconds = 0.0 if start is None else time.perf_counter() - start
    return Found(number, Answer(status), seconds, writable(error), _json(detail), None)


def writable(text: str) -> str:
    """Return text that UTF-8 can write: file names, and so messages, may hold bytes it cannot."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _json(data: Mapping[str, Any]) -> str:
    return writable(json.dumps(data, allow_nan=False, ensure_ascii=False))
