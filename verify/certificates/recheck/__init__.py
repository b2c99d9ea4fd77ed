"""`recheck`: the independent checkers of certificates; they share no code with what made them.

`instance` checks the certificates of `verify.certify` in finite precision, `softmax` those in
infinite precision. What all checkers need is here too: weights as exact rationals (`models`),
enclosures of logarithms and exponentials (`arithmetic`), plain JSON with the path of every line
(`reading`), what they return (`result`).
"""

from __future__ import annotations

from os import PathLike
from typing import Any

from verify.certificates.recheck.instance import recheck_instance
from verify.certificates.recheck.reading import HasData, Line, read
from verify.certificates.recheck.result import Rechecked
from verify.certificates.recheck.softmax import recheck_softmax
from verify.model.weights import Weights

CHECKERS = {
    "lgbounds instance certificate": recheck_instance,
    "lgbounds softmax certificate": recheck_softmax,
}
"""The checker of each format."""


class _Data:
    """Plain data that was read already."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def to_dict(self) -> Any:
        """Return it."""
        return self._data


def recheck(certificate: HasData | str | PathLike[str], f: Weights, g: Weights) -> Rechecked:
    """Check every line of a certificate against the weights, without the code that made it.

    `claim`, `not_claimed` and `obstacle` are words for people: nothing rests on them, and they
    are not read.

    Args:
        certificate: what `verify.certify` returned, or the path of a JSON file that holds it.
        f, g: the models: one layer, in the precision that the certificate speaks of, equal
            vocabularies and output dimensions.

    Raises:
        CertificateError: the first wrong line: its path, what stands there, what is right.
        InputError: the file cannot be read, or f, g are no such models.
    """
    data = read(certificate)
    top = Line(data, "")
    top.must(isinstance(data, dict) and "format" in data, "an object with a format")
    named = data["format"] if isinstance(data["format"], str) else ""
    top["format"].must(named in CHECKERS, f"one of {list(CHECKERS)}")
    return CHECKERS[named](_Data(data), f, g)


__all__ = ["CHECKERS", "Rechecked", "recheck"]
