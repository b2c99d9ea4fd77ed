"""What models do: limit transformers, their constants, and simulation checked on real weights."""

from bounds.version import version as _version
from verify import adapters, tasks
from verify.average import (
    DirichletLaw,
    FixedLaw,
    MarkovLaw,
    average_error,
    average_profile,
    average_simulation_error,
    simulate_last,
)
from verify.campaigns import CampaignResult, Certify, Check, Prove, campaign
from verify.certificates import (
    Agreement,
    AverageAgreement,
    AverageLadder,
    AverageVerdict,
    Certificate,
    CountedInput,
    Enclosure,
    EnclosureCertificate,
    Ladder,
    Profile,
    ProofStatus,
    Rechecked,
    SoftmaxCertificate,
    Verdict,
    agreement,
    certify,
    enclose,
    enclose_average,
    error_profile,
    ladder,
    prove,
    recheck,
)
from verify.checks import inputs as inputs
from verify.checks.check import check
from verify.checks.replay import replay
from verify.checks.report import Report
from verify.checks.slope_report import SlopeReport
from verify.checks.slopes import measure_slopes
from verify.errors import (
    CertificateError,
    Counterexample,
    InputError,
    VerifyError,
    WeightsError,
)
from verify.measure import measure
from verify.model.reference import reference
from verify.model.summary import Summary, summarise
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.simulation import Simulation, simulate
from verify.simulation.softmax.balanced import simulate_balanced
from verify.simulation.softmax.deep import simulate_deep
from verify.simulation.softmax.one_layer import simulate_softmax_one_layer
from verify.simulation.softmax.random_chain import simulate_random_chain
from verify.tightness import (
    LengthComparison,
    Shortest,
    ShortestStatus,
    WorstInput,
    WorstPair,
    compare_lengths,
    shortest,
    worst_input,
    worst_pair,
)

__version__ = _version()
"""The version, as in setup.cfg; that of `bounds`, too."""

__all__ = [
    "Agreement",
    "AverageAgreement",
    "AverageLadder",
    "AverageVerdict",
    "CampaignResult",
    "Certificate",
    "CertificateError",
    "Certify",
    "Check",
    "CountedInput",
    "Counterexample",
    "DirichletLaw",
    "Enclosure",
    "EnclosureCertificate",
    "FixedLaw",
    "Head",
    "InputError",
    "Ladder",
    "Layer",
    "LengthComparison",
    "LimitTransformer",
    "MarkovLaw",
    "Profile",
    "ProofStatus",
    "Prove",
    "Rechecked",
    "Report",
    "Shortest",
    "ShortestStatus",
    "Simulation",
    "SlopeReport",
    "SoftmaxCertificate",
    "Summary",
    "Verdict",
    "VerifyError",
    "WeightsError",
    "WorstInput",
    "WorstPair",
    "adapters",
    "agreement",
    "average_error",
    "average_profile",
    "average_simulation_error",
    "campaign",
    "certify",
    "check",
    "compare_lengths",
    "enclose",
    "enclose_average",
    "error_profile",
    "ladder",
    "measure",
    "measure_slopes",
    "prove",
    "recheck",
    "reference",
    "replay",
    "shortest",
    "simulate",
    "simulate_balanced",
    "simulate_deep",
    "simulate_last",
    "simulate_random_chain",
    "simulate_softmax_one_layer",
    "summarise",
    "tasks",
    "worst_input",
    "worst_pair",
]
