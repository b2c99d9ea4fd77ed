"""What the code that `sympy.lambdify` makes of a formula calls (see `bounds.functions`).

Only that code imports this module, so that `import bounds` needs no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special


def first_case(*cases: tuple[Callable[[], Any], Callable[[], Any]]) -> Any:
    """The value of the first case that holds, element by element; nan where none does.

    A value is not computed where it is not asked for at all, and silently where it is
    asked for in some places: in the others it may divide by 0.
    """
    taken: Any = False
    result: Any = np.nan
    for condition, value in cases:
        here = np.logical_and(condition(), np.logical_not(taken))
        if np.any(here):
            with np.errstate(all="ignore"):
                result = np.where(here, value(), result)
        taken = np.logical_or(taken, here)
        if np.all(taken):
            break
    return result


def beta_of_floats(a: Any, b: Any) -> Any:
    """B(a, b) in floats."""
    return scipy.special.beta(a, b)


def real_lambert(argument: Any, branch: int = 0) -> Any:
    """Lambert's W in floats, on a branch where it is real."""
    return np.real(scipy.special.lambertw(argument, branch))
