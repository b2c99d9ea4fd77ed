"""What a campaign has found, finished or not: rows, counts, what is missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from bounds.table import Table
from verify.campaigns.store import folder_of, read, read_one
from verify.campaigns.work import CRASHED, REFUSED
from verify.certificates import Certificate, EnclosureCertificate, SoftmaxCertificate
from verify.certificates.direct.certificate import FORMAT
from verify.errors import InputError

AnyCertificate = EnclosureCertificate | Certificate | SoftmaxCertificate

_KINDS: dict[str, type[AnyCertificate]] = {
    FORMAT: EnclosureCertificate,
    Certificate.FORMAT: Certificate,
    SoftmaxCertificate.FORMAT: SoftmaxCertificate,
}

_LONGEST_NUMBER = 500
"""Of text in a claim of somebody else's that may stand for a number."""

_CLAIMED = ("epsilon", "target", "horizon")
_CASE = ("number", "claim", "input", "part")
_LENGTHS = ("length", "from_length", "proved_horizon")
COLUMNS = (*_CASE, *_CLAIMED, "status", *_LENGTHS, "low", "high", "seconds", "error")


class CampaignResult:
    """The rows of a campaign at one moment, in the order of its definition.

    Iterating gives rows, mappings from these columns to values, None where there is none:

    - number: of the case; claim: in words; input: name of the pair; part: of the claim;
    - epsilon, target, horizon: as claimed; horizon None: every length;
    - status: PROVED, REFUTED, OPEN; CERTIFIED, NO LENGTH; holds, vacuous, not shortened, no claim,
      FAILS; REFUSED: the pair is not covered; CRASHED: anything else went wrong;
    - length: N, the longest length that has to be looked at; from_length: where the claim starts;
      proved_horizon: up to which length it is proved (None: every length if PROVED or CERTIFIED,
      else none);
    - low, high: the error that the claim speaks of: attained, and proved;
    - seconds: in the worker; error: why there is no answer.

    Attributes:
        folder: where the campaign is.
        definition: claims and inputs, as plain data.
    """

    def __init__(self, folder: Path, definition: dict[str, Any], table: Table) -> None:
        self.folder = folder
        self.definition = definition
        self._table = table

    @classmethod
    def load(cls, out: str | os.PathLike[str]) -> CampaignResult:
        """Read a folder, also while its campaign is running in another process.

        Raises:
            InputError: there is no campaign in it, or one that cannot be read.
        """
        folder = folder_of(out)
        definition, found = read(folder)
        rows = []
        for number, claim, text, name, part, status, *rest in found:
            claimed = {key: _number(claim.get(key)) for key in _CLAIMED}
            case = dict(zip(_CASE, (number, text, name, part), strict=True))
            values = dict(zip((*_LENGTHS, "low", "high", "seconds", "error"), rest, strict=True))
            rows.append(case | claimed | {"status": status} | values)
        return cls(folder.absolute(), definition, Table(COLUMNS, rows))

    def table(self) -> Table:
        """Return the rows as a `bounds.sweep` table: filter, pick columns, make a DataFrame."""
        return self._table.where(lambda row: row["status"] is not None)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.table())

    def __len__(self) -> int:
        """The number of rows."""
        return self.planned - len(self.missing)

    @property
    def planned(self) -> int:
        """The number of cases."""
        return len(self._table)

    @property
    def missing(self) -> Table:
        """The cases without a row: number, claim, input, part."""
        missing = self._table.where(lambda row: row["status"] is None)
        return Table(_CASE, missing)

    @property
    def finished(self) -> bool:
        """Whether every case has a row."""
        return not self.missing

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each status that occurs."""
        found = Counter(self.table().column("status"))
        return dict(sorted(found.items(), key=lambda item: (item[0] in (REFUSED, CRASHED), item)))

    def detail(self, number: int) -> dict[str, Any]:
        """Return all that was found in one case: `to_dict()` of the verdict, certificate or report.

        Raises:
            InputError: there is no such row.
        """
        found = read_one(self.folder, number, "detail")
        if found is None:
            raise InputError("number", number, "the number of a row")
        return found

    def certificate(self, number: int) -> AnyCertificate:
        """Return the certificate of one case, for `verify.recheck`.

        Raises:
            InputError: there is none: not proved by cells, or kept only with certificate=True.
        """
        data = read_one(self.folder, number, "certificate")
        if data is None:
            allowed = "a case proved by cells, or certified, by a claim with certificate=True"
            raise InputError("number", number, allowed)
        kind = _KINDS.get(str(data.get("format")))
        if kind is None:
            allowed = f"a case whose certificate has one of the formats {', '.join(_KINDS)}"
            raise InputError("number", number, allowed)
        return kind(data)

    def to_csv(self, path: str | os.PathLike[str], *, exact: bool = False) -> None:
        """Write the rows as CSV; see `bounds.table.Table.to_csv`."""
        self.table().to_csv(Path(path), exact=exact)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the rows as JSON, also written to `path` if given."""
        return self.table().to_json(None if path is None else Path(path))

    def __str__(self) -> str:
        """Return counts in one line."""
        counts = ", ".join(f"{status} {n:,}" for status, n in self.counts.items())
        return f"{len(self):,} of {self.planned:,} cases" + (f": {counts}" if counts else "")

    def __repr__(self) -> str:
        """Return the class and what `str` says."""
        return f"<CampaignResult {self}>"


def _number(value: Any) -> Any:
    """An exact number that a claim holds, as text or not."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        with suppress(ValueError, ZeroDivisionError):
            return float.fromhex(value) if "0x" in value else Fraction(value)
    return None if isinstance(value, str) else value
