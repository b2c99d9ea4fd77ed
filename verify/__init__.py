"""What models do: limit transformers, their constants, and simulation checked on real weights."""

from verify.errors import (
    CertificateError,
    Counterexample,
    InputError,
    VerifyError,
    WeightsError,
)
from verify.measure import measure
from verify.reference import reference
from verify.summary import Summary, summarise
from verify.transformer import Head, Layer, LimitTransformer

__all__ = [
    "CertificateError",
    "Counterexample",
    "Head",
    "InputError",
    "Layer",
    "LimitTransformer",
    "Summary",
    "VerifyError",
    "WeightsError",
    "measure",
    "reference",
    "summarise",
]
