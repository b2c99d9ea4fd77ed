"""What models do: limit transformers, their constants, and simulation checked on real weights."""

from verify import tasks
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
    "Head",
    "InputError",
    "Layer",
    "LimitTransformer",
    "Report",
    "Summary",
    "VerifyError",
    "WeightsError",
    "check",
    "measure",
    "reference",
    "replay",
    "simulate",
    "summarise",
    "tasks",
]
