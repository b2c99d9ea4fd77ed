"""What a campaign is: claims and pairs, and the cases that they make, each with a digest.

A digest depends on what a case is (the claim, the weights, the part) and on nothing else: not on
its place, not on the number of workers. Random inputs start from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from numbers import Integral
from typing import Any

from verify.campaigns.entries import CampaignInput, read_inputs
from verify.campaigns.work import Claim
from verify.errors import InputError

MOST_CASES = 10**6

_SEED_DIGITS = 12
"""Hexadecimal digits of the digest that are the seed: 48 bits."""

_MOST_BITS = 2**13
"""Of an integer in a claim, which is written in decimal: Python has a limit of 4300 digits."""


@dataclass(frozen=True)
class PlannedCase:
    """One claim, one pair, one part, and their digest."""

    claim: int
    input: int
    part: int
    digest: str

    @property
    def seed(self) -> int:
        """Where the random inputs of this case start."""
        return int(self.digest[:_SEED_DIGITS], 16)


@dataclass(frozen=True)
class Definition:
    """Claims and pairs, each once.

    Attributes:
        claims: in the order given.
        inputs: in the order given, under different names.
    """

    claims: tuple[Claim, ...]
    inputs: tuple[CampaignInput, ...]

    @classmethod
    def of(cls, claims: Any, inputs: Any) -> Definition:
        """Read claims and pairs.

        Raises:
            InputError: they cannot be used, or there are none, or too many.
        """
        definition = cls(_read_claims(claims), read_inputs(inputs))
        cases = len(definition.inputs) * sum(map(_parts, definition.claims))
        if cases > MOST_CASES:
            allowed = f"at most {MOST_CASES:,} cases in one campaign; these are {cases:,}"
            raise InputError("claims", len(definition.claims), allowed)
        return definition

    def cases(self) -> Iterator[PlannedCase]:
        """Yield the cases: claim after claim, pair after pair, part after part."""
        for k, claim in enumerate(self.claims):
            written = _text(claim_data(claim))
            for n, entry in enumerate(self.inputs):
                for part in range(claim.parts):
                    named = "\n".join([written, *entry.weights, str(part)])
                    yield PlannedCase(k, n, part, hashlib.sha256(named.encode()).hexdigest())

    def data(self) -> dict[str, Any]:
        """Return what is stored of the definition, as plain data, in an order of its own."""
        claims = sorted((claim_data(claim) for claim in self.claims), key=_text)
        inputs = sorted([entry.name, *entry.weights] for entry in self.inputs)
        return {"claims": claims, "inputs": inputs}

    @property
    def digest(self) -> str:
        """SHA-256 of the data; the order of claims and of pairs plays no role."""
        return digest_of(self.data())


def digest_of(data: dict[str, Any]) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(_text(data).encode()).hexdigest()


def claim_data(claim: Claim) -> dict[str, Any]:
    """Return a claim as plain data: its name and all its fields.

    Raises:
        InputError: a field is not of a kind that can be written down.
    """
    kind = type(claim)
    # A claim that somebody else wrote may have any name: its module tells it apart.
    built_in = kind.__module__ == "verify.campaigns.claims"
    name = kind.NAME if built_in else f"{kind.__module__}.{kind.__qualname__}"
    values = {f.name: _plain(getattr(claim, f.name), f.name) for f in fields(claim)}  # type: ignore[arg-type]
    return {"claim": name} | values


def _read_claims(claims: Any) -> tuple[Claim, ...]:
    allowed = "claims such as verify.Prove(target=..., horizon=...), or one of them"
    given = [claims] if isinstance(claims, Claim) else claims
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise InputError("claims", claims, allowed)
    once: dict[str, Claim] = {}
    for k, claim in enumerate(given):
        if not isinstance(claim, Claim) or not is_dataclass(claim):
            raise InputError(f"claims[{k}]", claim, allowed)
        once.setdefault(_text(claim_data(claim)), claim)
    if not once:
        raise InputError("claims", claims, "at least one claim")
    return tuple(once.values())


def _parts(claim: Claim) -> int:
    parts = claim.parts
    if not isinstance(parts, int) or isinstance(parts, bool) or parts < 1:
        raise InputError("parts", parts, f"an integer, at least 1, of {type(claim).__name__}")
    return parts


def _in_decimal(number: int, name: str) -> int:
    if number.bit_length() > _MOST_BITS:
        raise InputError(name, number, f"integers, and fractions of integers, to 2^{_MOST_BITS:,}")
    return number


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):  # NumPy's too
        return _in_decimal(int(value), name)
    if isinstance(value, Fraction):
        _in_decimal(value.numerator, name), _in_decimal(value.denominator, name)
        return str(value)
    if isinstance(value, float):
        return float(value).hex()
    if isinstance(value, tuple | list):
        return [_plain(entry, name) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        return {kind: {f.name: _plain(getattr(value, f.name), name) for f in fields(value)}}
    raise InputError(name, value, "a number, text, None, a law, or a tuple of them")


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True)
