"""The exact worst case over all Lipschitz heads with given attention, by shortest paths."""

from verify.tightness.exact.length import ExactLength, exact_length
from verify.tightness.exact.pair import WorstPair, worst_pair
from verify.tightness.exact.patterns import NestedPatterns
from verify.tightness.exact.worst import ExactWorst, exact_worst

__all__ = [
    "ExactLength",
    "ExactWorst",
    "NestedPatterns",
    "WorstPair",
    "exact_length",
    "exact_worst",
    "worst_pair",
]
