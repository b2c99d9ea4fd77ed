"""NumPy's own handling of floating-point errors inside public calls, whatever the caller set.

Weights of attention underflow to 0 by design. Under `np.errstate(all="raise")` that would be an
exception in the middle of a forward pass. Calls run in a context of their own: `np.errstate` is
written in Python, and Ctrl-C in the middle of its end would leave the caller's handling changed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_R = TypeVar("_R")


def usual_float_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function under NumPy's defaults: underflow is ignored, the rest warns."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return copy_context().run(_run, function, args, kwargs)

    return run


def _run(function: Callable[..., _R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _R:
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        return function(*args, **kwargs)
