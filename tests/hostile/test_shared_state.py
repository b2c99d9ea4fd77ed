"""Whatever the process shares stays as it was: after answers, refusals and Ctrl-C; in threads too.

FLINT's precision is one number for all threads: before a lock stood around it, eight threads left
it changed, and certificates came out otherwise than alone.
"""

from __future__ import annotations

import decimal
import locale
import os
import random
import signal
import sys
import threading
import time
import warnings
from typing import Any

import matplotlib as mpl
import mpmath
import numpy as np
import pytest
from flint import ctx

import bounds
import verify
from bounds.precision import FLINT
from tests.helpers.calls import CALLS, CELLS, argmax_pair, softmax_pair
from tests.hostile import SIZE

INTERRUPTS = 6 * SIZE
NAMES = (
    tuple(CALLS)
    if SIZE > 1
    else ("lengths", "both_sides", "proved_softmax", "certified", "enclosed")
)


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return {name: CALLS[name]() for name in NAMES}


def state() -> dict[str, Any]:
    """All that other code in the process would notice."""
    return {
        "FLINT": (ctx.prec, ctx.cap, ctx.pretty, ctx.threads),
        "NumPy": np.geterr(),
        "decimal": repr(decimal.getcontext()),
        "mpmath": (mpmath.mp.prec, mpmath.iv.prec),
        "warnings": list(warnings.filters),
        "matplotlib": dict(mpl.rcParams),
        "locale": locale.setlocale(locale.LC_ALL),
        "random": random.getstate(),
        "numpy.random": str(np.random.get_state()),  # noqa: NPY002
        "sys": (sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.getswitchinterval()),
        "os": (os.getcwd(), dict(os.environ), signal.getsignal(signal.SIGINT)),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook),
        "lock": lock_is_free(),
    }


def lock_is_free() -> bool:
    """Whether another thread could take the lock around FLINT's precision."""
    found: list[bool] = []

    def take() -> None:
        if FLINT.acquire(timeout=5):
            found.append(True)
            FLINT.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    return bool(found)


REFUSED = {
    "no number": lambda: bounds.required_length(epsilon="nan", **CELLS[0]),
    "impossible": lambda: bounds.required_length(epsilon=-1, **CELLS[1]),
    "too much": lambda: bounds.required_length(epsilon="1e-9999", **CELLS[1] | {"layers": 9}),
    "other models": lambda: verify.prove(argmax_pair()[0], softmax_pair()[0], target=1, horizon=9),
    "tokens": lambda: verify.simulate([0, 7], argmax_pair()[0], epsilon="1/20"),
    "weights": lambda: verify.Head([[1e400]], [[1]], [0]),
    "no file": lambda: verify.recheck("nowhere", *argmax_pair()),
}


@pytest.mark.parametrize("bits", (2, 53, 500) if SIZE > 1 else (2,))
def test_answers_and_refusals_leave_everything_as_it_was(alone, bits):
    """Nor does an answer depend on the precision that someone set."""
    usual = ctx.prec
    ctx.prec = bits
    try:
        before = state()
        for name, answer in alone.items():
            assert CALLS[name]() == answer, name
        for call in REFUSED.values():
            with pytest.raises((bounds.BoundsError, verify.VerifyError)):
                call()
        assert state() == before
    finally:
        ctx.prec = usual


@pytest.mark.slow
def test_eight_threads_get_the_answers_of_one(alone):
    before, interval, wrong = state(), sys.getswitchinterval(), []

    def work(seed: int) -> None:
        names = list(NAMES)
        random.Random(seed).shuffle(names)
        for name in names[:SIZE]:
            try:
                if CALLS[name]() != alone[name]:
                    wrong.append(name)
            except BaseException as error:
                wrong.append(f"{name}: {error!r}")

    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert state() == before


def test_a_thread_keeps_its_precision_while_another_sets_its_own():
    """Without the lock this fails at once: the second thread computes with 500 bits."""
    seen = []

    def other() -> None:
        with FLINT, ctx.workprec(20):
            seen.append(ctx.prec)

    thread = threading.Thread(target=other)
    with FLINT, ctx.workprec(500):
        thread.start()
        time.sleep(0.02)
        assert ctx.prec == 500
        assert not seen
    thread.join()
    assert seen == [20]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes fork on POSIX only")
def test_a_forked_process_can_take_the_lock():
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with FLINT, ctx.workprec(300):
            holding.set()
            done.wait(0.05)

    thread, before = threading.Thread(target=hold), ctx.prec
    thread.start()
    holding.wait()
    with warnings.catch_warnings():
        # Threads and fork: what is tested. Python and, where it is loaded, JAX warn of it.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        os._exit(0 if lock_is_free() and ctx.prec == before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    thread.join()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_ctrl_c_at_any_moment_leaves_everything_as_it_was(alone):
    rng, names, caught = random.Random(1), list(NAMES), 0
    before, main = state(), threading.main_thread().ident
    for number in range(INTERRUPTS):
        name = names[number % len(names)]
        timer = threading.Timer(rng.random() * 0.1, signal.pthread_kill, (main, signal.SIGINT))
        try:
            timer.start()
            CALLS[name]()
            timer.join()
            time.sleep(0)
        except KeyboardInterrupt:
            caught += 1
        timer.join()
        assert state() == before, name
    assert caught >= INTERRUPTS // 4
    for name, answer in alone.items():
        assert CALLS[name]() == answer
