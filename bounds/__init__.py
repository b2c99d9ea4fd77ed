"""What the theorems say: how long training inputs must be, symbolically and exactly.

    import bounds
    bounds.required_length(error="linf", attention="argmax", layers=1,
                           epsilon="1/10", lipschitz=1, vocabulary_size=3,
                           period=2, locality=1, precision_bits=4, margin=1)

The answer explains itself: `.explain()`, `.alternatives`, `.cite()`.
"""

from typing import TYPE_CHECKING, Any

from bounds import models
from bounds.answer import Answer, OtherSide
from bounds.bracket import Bracket, bracket
from bounds.catalogue import TheoremList, cube, theorem, theorems
from bounds.depth_constants import DepthConstants, HeadConstants, LayerConstants
from bounds.elasticity import elasticities
from bounds.errors import (
    BoundsError,
    NoSolution,
    NotComputable,
    ParameterError,
    Problem,
    TooLong,
    UnsupportedSetting,
)
from bounds.invert import solve_for
from bounds.length import required_length
from bounds.parameters import PARAMETERS, Parameter, symbols
from bounds.result import Assumption, LengthBound, Status, Term
from bounds.solution import Solution
from bounds.sweep import sweep
from bounds.table import Table
from bounds.theorem import Direction, Setting, Source, Theorem
from bounds.version import version as _version

__version__: str
"""The version, as in setup.cfg; read when it is asked for."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _version()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "PARAMETERS",
    "Answer",
    "Assumption",
    "BoundsError",
    "Bracket",
    "DepthConstants",
    "Direction",
    "HeadConstants",
    "LayerConstants",
    "LengthBound",
    "NoSolution",
    "NotComputable",
    "OtherSide",
    "Parameter",
    "ParameterError",
    "Problem",
    "Setting",
    "Solution",
    "Source",
    "Status",
    "Table",
    "Term",
    "Theorem",
    "TheoremList",
    "TooLong",
    "UnsupportedSetting",
    "bracket",
    "cube",
    "elasticities",
    "models",
    "required_length",
    "solve_for",
    "sweep",
    "symbols",
    "theorem",
    "theorems",
]
