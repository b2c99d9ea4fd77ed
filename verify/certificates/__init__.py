"""Certificates for trained weights: how long a window carries, up to a horizon."""
