"""What models do: limit transformers, their constants, and simulation checked on real weights."""

from verify.errors import (
    CertificateError,
    Counterexample,
    InputError,
    VerifyError,
    WeightsError,
)

__all__ = [
    "CertificateError",
    "Counterexample",
    "InputError",
    "VerifyError",
    "WeightsError",
]
