"""How tight is it: the shortest simulations that exist, beside the lengths that are proved."""

from verify.tightness.shortest import Shortest, ShortestStatus, shortest

__all__ = ["Shortest", "ShortestStatus", "shortest"]
