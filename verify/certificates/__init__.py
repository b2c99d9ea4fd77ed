"""Certificates for trained weights: how long a window carries, up to a horizon."""

from verify.certificates.certificate import Certificate, certify
from verify.certificates.recheck import Rechecked, recheck

__all__ = ["Certificate", "Rechecked", "certify", "recheck"]
