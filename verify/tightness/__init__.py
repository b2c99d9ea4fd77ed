"""How tight it is: shortest simulations and exact worst cases, beside what is proved."""

from verify.tightness.average import AverageLength, AverageWorst, average_length, average_worst
from verify.tightness.compare import LengthComparison, compare_lengths
from verify.tightness.exact import (
    ExactLength,
    ExactWorst,
    NestedPatterns,
    WorstPair,
    exact_length,
    exact_worst,
    worst_pair,
)
from verify.tightness.shortest import Shortest, ShortestStatus, shortest
from verify.tightness.worst_input import WorstInput, worst_input
from verify.tightness.worst_pairs import WorstPairs, worst_pairs

__all__ = [
    "AverageLength",
    "AverageWorst",
    "ExactLength",
    "ExactWorst",
    "LengthComparison",
    "NestedPatterns",
    "Shortest",
    "ShortestStatus",
    "WorstInput",
    "WorstPair",
    "WorstPairs",
    "average_length",
    "average_worst",
    "compare_lengths",
    "exact_length",
    "exact_worst",
    "shortest",
    "worst_input",
    "worst_pair",
    "worst_pairs",
]
