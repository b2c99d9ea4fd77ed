"""Certificates for trained weights: how long a window carries, up to a horizon."""

from verify.certificates.certificate import Certificate, certify

__all__ = ["Certificate", "certify"]
