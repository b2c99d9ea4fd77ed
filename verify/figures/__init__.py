"""Figures of `verify`: functions that take and return matplotlib Axes.

`error_profile` shows what is proved of two models; `counts` looks at one simulation, `errors` and
`lengths` at checks of one-layer models, `error_against_epsilon` and `short_against_long` at several
simulations, `lengths_compared` at what is proved beside what was found; `regimes`, `slopes` and
`k_gram_error` at softmax models.
The `..._figure` functions compose them at column width.
"""

from verify.figures.checks import errors, lengths
from verify.figures.checks import figure as check_figure
from verify.figures.counts import counts
from verify.figures.proofs import error_profile, error_profile_figure
from verify.figures.simulations import error_against_epsilon, short_against_long
from verify.figures.softmax import (
    attention_on_suffix,
    k_gram_error,
    regimes,
    slopes,
    slopes_figure,
)
from verify.figures.tightness import lengths_compared, lengths_compared_figure

__all__ = [
    "attention_on_suffix",
    "check_figure",
    "counts",
    "error_against_epsilon",
    "error_profile",
    "error_profile_figure",
    "errors",
    "k_gram_error",
    "lengths",
    "lengths_compared",
    "lengths_compared_figure",
    "regimes",
    "short_against_long",
    "slopes",
    "slopes_figure",
]
