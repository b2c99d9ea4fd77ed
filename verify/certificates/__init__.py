"""Proofs about two given models: what they do on all inputs of some lengths, or of all lengths."""

from verify.certificates.agreement import agreement
from verify.certificates.average.exact import AverageAgreement, LengthAverage
from verify.certificates.average.ladder import AverageLadder, AverageRung, enclose_average
from verify.certificates.average.proof import prove_average
from verify.certificates.average.verdict import AverageVerdict
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
    "AverageLadder",
    "AverageRung",
    "AverageVerdict",
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
    "enclose_average",
    "prove",
    "prove_average",
    "recheck",
]
