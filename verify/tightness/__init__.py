"""How tight it is: exact worst cases beside the lengths that are proved."""

from verify.tightness.average import AverageLength, AverageWorst, average_length, average_worst
from verify.tightness.exact import (
    ExactLength,
    ExactWorst,
    NestedPatterns,
    WorstPair,
    exact_length,
    exact_worst,
    worst_pair,
)

__all__ = [
    "AverageLength",
    "AverageWorst",
    "ExactLength",
    "ExactWorst",
    "NestedPatterns",
    "WorstPair",
    "average_length",
    "average_worst",
    "exact_length",
    "exact_worst",
    "worst_pair",
]
