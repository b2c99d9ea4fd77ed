"""The exact worst average error of two tokens and uniform attention, by linear programs."""

from verify.tightness.average.length import AverageLength, average_length
from verify.tightness.average.worst import AverageWorst, average_worst

__all__ = ["AverageLength", "AverageWorst", "average_length", "average_worst"]
