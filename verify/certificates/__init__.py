"""Proofs about two given models: what they do on all inputs of some lengths, or of all lengths."""

from verify.certificates.agreement import agreement
from verify.certificates.average.exact import AverageAgreement, LengthAverage
from verify.certificates.certificate import Certificate, certify
from verify.certificates.counted_input import CountedInput
from verify.certificates.ladder import Ladder, Rung, enclose
from verify.certificates.proof import prove
from verify.certificates.recheck import Rechecked, recheck
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import Agreement, LengthAgreement

__all__ = [
    "Agreement",
    "AverageAgreement",
    "Certificate",
    "CountedInput",
    "Ladder",
    "LengthAgreement",
    "LengthAverage",
    "ProofStatus",
    "Rechecked",
    "Rung",
    "Verdict",
    "agreement",
    "certify",
    "enclose",
    "prove",
    "recheck",
]
