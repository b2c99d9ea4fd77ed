"""Proofs about two given models: what they do on all inputs of some lengths, or of all lengths."""

from verify.certificates.certificate import Certificate
from verify.certificates.certify import certify
from verify.certificates.counted_input import CountedInput
from verify.certificates.ladder import Ladder, Rung, enclose
from verify.certificates.proof import prove
from verify.certificates.recheck import Rechecked, recheck
from verify.certificates.softmax import SoftmaxCertificate
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import Agreement, LengthAgreement, agreement

__all__ = [
    "Agreement",
    "Certificate",
    "CountedInput",
    "Ladder",
    "LengthAgreement",
    "ProofStatus",
    "Rechecked",
    "Rung",
    "SoftmaxCertificate",
    "Verdict",
    "agreement",
    "certify",
    "enclose",
    "prove",
    "recheck",
]
