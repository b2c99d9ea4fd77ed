"""Average error: laws of inputs, the last-n simulation, estimates and exact values."""

from verify.average.error import (
    average_error,
    average_simulation_error,
    exact_average_error,
    exact_expectation,
    exact_simulation_error,
    simulate_last,
)
from verify.average.estimate import Estimate, estimate
from verify.average.last_symbols import AverageHead, average_heads, last_symbols_bound
from verify.average.laws import DirichletLaw, FixedLaw, Law, MarkovLaw, SwitchedLaw
from verify.average.profile import AverageRow, average_profile

__all__ = [
    "AverageHead",
    "AverageRow",
    "DirichletLaw",
    "Estimate",
    "FixedLaw",
    "Law",
    "MarkovLaw",
    "SwitchedLaw",
    "average_error",
    "average_heads",
    "average_profile",
    "average_simulation_error",
    "estimate",
    "exact_average_error",
    "exact_expectation",
    "exact_simulation_error",
    "last_symbols_bound",
    "simulate_last",
]
