"""Campaigns: every claim on every pair of models, in a folder that survives interruptions."""

from verify.campaigns.campaign import campaign
from verify.campaigns.claims import Certify, Check, Prove
from verify.campaigns.entries import CampaignInput, pairs_of_files
from verify.campaigns.result import CampaignResult
from verify.campaigns.work import Answer, Claim

__all__ = [
    "Answer",
    "CampaignInput",
    "CampaignResult",
    "Certify",
    "Check",
    "Claim",
    "Prove",
    "campaign",
    "pairs_of_files",
]
