"""Cases on workers, by joblib: all are answered, also those whose worker dies.

No backend is named here, so that `joblib.parallel_config(backend="dask")` decides, or nobody. What
comes out of joblib as an exception is never a case's own (those come back as rows): a worker died.
Then the cases that were under way run again one by one, and one that fails alone, while another
task does not, is to blame.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from verify.campaigns.work import CRASHED, Case, Found, run_case, without_answer
from verify.errors import InputError

_A = TypeVar("_A")
_B = TypeVar("_B")

_SECONDS_BETWEEN_LOOKS = 0.5
_TRIES, _SECONDS_BETWEEN_TRIES = 20, 3.0
"""How often workers are asked for after some died, until others have started in their place."""


def read_jobs(n_jobs: Any) -> int | None:
    """Return a usable number of workers.

    Raises:
        InputError: it is no integer, or 0.
    """
    if n_jobs is None:
        return None
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        allowed = "an integer, −1 for all cores; or None: what joblib.parallel_config says, or 1"
        raise InputError("n_jobs", n_jobs, allowed)
    return n_jobs


def answered(cases: Sequence[Case], n_jobs: int | None) -> Generator[Found, None, None]:
    """Yield the row of each case, as they come.

    Raises:
        KeyboardInterrupt: Ctrl-C, here or in a worker.
        Exception: workers cannot be had, or none survives; what joblib says.
    """
    left = {case.number: case for case in cases}
    # One worker for one case would be this process: it is to survive.
    jobs = n_jobs if n_jobs is None or n_jobs < 2 else min(n_jobs, max(len(left), 2))
    tries = 1
    while left:
        sent: list[Case] = []
        try:
            with closing(_mapped(run_case, _noted(list(left.values()), sent), jobs, tries)) as rows:
                for found in rows:
                    if found is None:
                        raise KeyboardInterrupt
                    del left[found.number]
                    yield found
        except Exception as error:
            suspects = [case for case in sent if case.number in left]
            if not suspects:
                raise
            tries = _TRIES
            for case in suspects:
                yield _alone(case, jobs, error)
                del left[case.number]


def _noted(cases: Iterable[Case], sent: list[Case]) -> Iterator[Case]:
    for case in cases:
        sent.append(case)
        yield case


def _alone(case: Case, n_jobs: int | None, death: Exception) -> Found:
    """Run a case with no other beside it; a row that says so if its worker dies of it.

    Raises:
        Exception: no worker is to be had for it; `death` is why it is run alone.
    """
    jobs = n_jobs if n_jobs is None or n_jobs < 2 else 2
    for _ in range(_TRIES):
        sent: list[Case] = []
        try:
            tasks = ((one, _this_process()) for one in _noted([case], sent))
            ((ran, found),) = _mapped(_elsewhere, tasks, jobs, _TRIES)
        except Exception as error:
            if not sent:
                raise
            # Whether workers work at all; if not, the case is not to blame, and this raises.
            (alive,) = _mapped(abs, [case.number], jobs, _TRIES)
            assert alive == case.number
            return _fatal(case, error)
        if ran and found is None:
            raise KeyboardInterrupt
        if found is not None:
            return found
        time.sleep(_SECONDS_BETWEEN_TRIES)
    raise death


def _elsewhere(task: tuple[Case, tuple[str, int]]) -> tuple[bool, Found | None]:
    """Run a case that may be fatal, unless here: where one worker is left, joblib does without."""
    case, caller = task
    return (False, None) if caller == _this_process() else (True, run_case(case))


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _fatal(case: Case, error: Exception) -> Found:
    said = " ".join(str(error).split())
    text = (
        "its worker did not survive it, though no other case ran beside it (out of memory, "
        f"perhaps); {type(error).__name__}: {said if len(said) < 200 else said[:199] + '…'}"
    )
    return without_answer(case.number, CRASHED, text, {})


def _mapped(
    function: Callable[[_A], _B], items: Iterable[_A], n_jobs: int | None, tries: int
) -> Generator[_B, None, None]:
    """Yield function(item) for all items, as they come."""
    # Here, since it takes long to import and most users of this package have no campaign.
    from joblib import Parallel, delayed

    tasks = (delayed(function)(item) for item in items)
    for attempt in range(1, tries + 1):
        try:
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
            results = parallel(tasks)
            break
        except Exception as error:  # no workers, and no task sent
            if isinstance(error, ValueError) and "return_as" in str(error):
                allowed = "a backend that gives results as they come: loky, threading, dask or ray"
                raise InputError("joblib.parallel_config", str(error), allowed) from None
            if attempt == tries:
                raise
            time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        with _Watch(parallel):
            for result in results:  # noqa: UP028  ("yield from" would close it with warnings)
                yield result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that tasks are cancelled is what is meant
            results.close()


class _Watch:
    """Tells joblib of batches whose worker is gone for good.

    joblib's Dask backend keeps the failure of a batch to itself (1.6 does; 1.5 has the same lines):
    its future has an exception, and the call waits for ever. This looks at the futures.
    Backends that report failures themselves are not touched: joblib ignores a second report.
    """

    def __init__(self, parallel: Any) -> None:
        self._parallel = parallel
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="campaign watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        failed: set[int] = set()
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            for batch in list(getattr(self._parallel, "_jobs_set", ())):
                future: Any = getattr(batch, "job", None)
                if not (hasattr(future, "exception") and future.done()):
                    continue
                if id(batch) in failed:  # twice: joblib had the time to see it itself
                    batch._register_outcome({"status": "Error", "result": future.exception()})
                elif future.exception() is not None:
                    failed.add(id(batch))
