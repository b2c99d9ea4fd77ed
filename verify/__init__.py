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
from verify.simulation import simulate
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
    "Summary",
    "VerifyError",
    "WeightsError",
    "average_error",
    "average_profile",
    "average_simulation_error",
    "check",
    "measure",
    "reference",
    "replay",
    "simulate",
    "simulate_last",
    "summarise",
    "tasks",
]
