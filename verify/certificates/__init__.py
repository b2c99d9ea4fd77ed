"""Proofs about two given models: what they do on all inputs of some lengths, or of all lengths."""

from verify.certificates.counted_input import CountedInput
from verify.certificates.window import Agreement, LengthAgreement, agreement

__all__ = ["Agreement", "CountedInput", "LengthAgreement", "agreement"]
