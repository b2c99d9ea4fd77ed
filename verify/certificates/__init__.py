"""Proofs about two given models: what they do on all inputs of some lengths, or of all lengths."""

from verify.certificates.agreement import agreement
from verify.certificates.average.exact import AverageAgreement, LengthAverage
from verify.certificates.average.ladder import AverageLadder, AverageRung, enclose_average
from verify.certificates.average.proof import prove_average
from verify.certificates.average.verdict import AverageVerdict
from verify.certificates.certificate import Certificate
from verify.certificates.certify import certify
from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.direct.enclosure import Enclosure, enclose
from verify.certificates.direct.profile import Profile, Stretch, error_profile
from verify.certificates.ladder import Ladder, Rung, ladder
from verify.certificates.proof import prove
from verify.certificates.recheck import Rechecked, recheck
from verify.certificates.softmax import SoftmaxCertificate
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
    "Enclosure",
    "EnclosureCertificate",
    "Ladder",
    "LengthAgreement",
    "LengthAverage",
    "Profile",
    "ProofStatus",
    "Rechecked",
    "Rung",
    "SoftmaxCertificate",
    "Stretch",
    "Verdict",
    "agreement",
    "certify",
    "enclose",
    "enclose_average",
    "error_profile",
    "ladder",
    "prove",
    "prove_average",
    "recheck",
]
