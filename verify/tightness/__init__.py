"""How tight is it: the shortest simulations that exist, beside the lengths that are proved."""

from verify.tightness.compare import LengthComparison, compare_lengths
from verify.tightness.shortest import Shortest, ShortestStatus, shortest
from verify.tightness.worst_input import WorstInput, worst_input
from verify.tightness.worst_pair import WorstPair, worst_pair

__all__ = [
    "LengthComparison",
    "Shortest",
    "ShortestStatus",
    "WorstInput",
    "WorstPair",
    "compare_lengths",
    "shortest",
    "worst_input",
    "worst_pair",
]
