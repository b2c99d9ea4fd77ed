"""`recheck`: the independent checkers of certificates; they share no code with what made them.

`instance` checks the certificates of `verify.certify` in finite precision. What all checkers need
is here too: weights as exact rationals (`models`), enclosures of logarithms and exponentials
(`arithmetic`), plain JSON with the path of every line (`reading`).
"""

from verify.certificates.recheck.instance import Rechecked, recheck

__all__ = ["Rechecked", "recheck"]
