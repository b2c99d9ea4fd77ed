"""NumPy's own handling of floating-point errors inside public calls, whatever the caller set.

Weights of attention underflow to 0 by design. Under `np.errstate(all="raise")` that would be an
exception in the middle of a forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_R = TypeVar("_R")


def usual_float_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function under NumPy's defaults: underflow is ignored, the rest warns."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            return function(*args, **kwargs)

    return run
