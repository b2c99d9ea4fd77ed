"""`recheck`: the independent checkers of certificates; they share no code with what made them.

`instance` checks the certificates of `verify.certify` in finite precision, `softmax` those in
infinite precision, `enclosure` those of a branch and bound. What all checkers need is here too:
weights as exact rationals (`models`), enclosures of logarithms and exponentials (`arithmetic`),
plain JSON with the path of every line (`reading`), what they return (`result`). `enclosure` has
single inputs (`inputs`), pieces (`pieces`), functions of the length (`powers`), bounds on cells
(`cells`), and arrays of intervals (`intervals`) of its own.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

from verify.certificates.recheck.enclosure import RecheckedEnclosure, recheck_enclosure
from verify.certificates.recheck.instance import recheck_instance
from verify.certificates.recheck.reading import HasData, Line, read
from verify.certificates.recheck.result import Rechecked
from verify.certificates.recheck.softmax import recheck_softmax
from verify.float_errors import usual_float_errors
from verify.model.weights import Weights

CHECKERS: dict[str, Any] = {
    "lgbounds instance certificate": recheck_instance,
    "lgbounds softmax certificate": recheck_softmax,
    "lgbounds enclosure certificate": recheck_enclosure,
}
"""The checker of each format."""


class _Data:
    """Plain data that was read already."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def to_dict(self) -> Any:
        """Return it."""
        return self._data


@usual_float_errors
def recheck(
    certificate: HasData | str | PathLike[str], f: Weights, g: Weights
) -> Rechecked | RecheckedEnclosure:
    """Check every line of a certificate against the weights, without the code that made it.

    What is words for people (`claim`, `not_claimed`, `obstacle`) is not read: nothing rests on it.

    Args:
        certificate: a certificate, or the path of a JSON file that holds it.
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
    found: Rechecked | RecheckedEnclosure = CHECKERS[named](_Data(data), f, g)
    return found


__all__ = ["CHECKERS", "Rechecked", "RecheckedEnclosure", "recheck"]
