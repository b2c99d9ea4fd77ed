"""A theorem's length at many points at once: log2 in floats, each with a proven error.

A value at many points is a `Lanes`: floats and an error that covers all roundings on the way.
Values beyond the range of floats are kept as their log2. Where a rounding to an integer, a case
or a difference is too close for floats, the certified evaluator decides, up to so many points;
what is left says so in its error.

Arrays have an axis per dimension of the grid and length 1 where a value does not depend on
it, so that a part of a formula is computed once per combination that it depends on.

Two things are taken for granted: + − × ÷ and √ are rounded as IEEE 754 says, and NumPy's exp,
exp2, log, log2, power and cosh err by at most 8 units in the last place.

Only code that works on arrays imports this module, so that `import bounds` needs no NumPy.
"""

from bounds.vectorised.cases import holds
from bounds.vectorised.formulas import evaluation, rounded_log2
from bounds.vectorised.lanes import Bools, Floats, Lanes, lanes_of, lanes_of_array
from bounds.vectorised.points import Axis, Point, Points
from bounds.vectorised.walk import Evaluation, NotVectorised

__all__ = [
    "Axis",
    "Bools",
    "Evaluation",
    "Floats",
    "Lanes",
    "NotVectorised",
    "Point",
    "Points",
    "evaluation",
    "holds",
    "lanes_of",
    "lanes_of_array",
    "rounded_log2",
]
