"""What models do: limit transformers, their constants, and simulation checked on real weights."""

from verify import tasks
from verify.average import (
    DirichletLaw,
    FixedLaw,
    MarkovLaw,
    average_error,
    average_profile,
    average_simulation_error,
    simulate_last,
)
from verify.check import check
from verify.errors import (
    CertificateError,
    Counterexample,
    InputError,
    VerifyError,
    WeightsError,
)
from verify.measure import measure
from verify.reference import reference
from verify.replay import replay
from verify.report import Report
from verify.simulation import Simulation, simulate
from verify.simulation.balanced import simulate_balanced
from verify.simulation.random_chain import simulate_random_chain
from verify.simulation.softmax_one_layer import simulate_softmax_one_layer
from verify.slope_report import SlopeReport
from verify.slopes import measure_slopes
from verify.summary import Summary, summarise
from verify.transformer import Head, Layer, LimitTransformer

__all__ = [
    "CertificateError",
    "Counterexample",
    "DirichletLaw",
    "FixedLaw",
    "Head",
    "InputError",
    "Layer",
    "LimitTransformer",
    "MarkovLaw",
    "Report",
    "Simulation",
    "SlopeReport",
    "Summary",
    "VerifyError",
    "WeightsError",
    "average_error",
    "average_profile",
    "average_simulation_error",
    "check",
    "measure",
    "measure_slopes",
    "reference",
    "replay",
    "simulate",
    "simulate_balanced",
    "simulate_last",
    "simulate_random_chain",
    "simulate_softmax_one_layer",
    "summarise",
    "tasks",
]
