"""What `verify.prove` answers: proved, refuted or open, with all that it rests on."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.certificate import EnclosureCertificate, enclosure_certificate
from verify.certificates.direct.enclosure import Enclosure
from verify.certificates.direct.search import Search
from verify.certificates.ladder import Rung
from verify.certificates.window import LengthAgreement, float_down, float_up
from verify.errors import InputError
from verify.lengths import show_long
from verify.tables import show_fraction, write_json


class ProofStatus(Enum):
    """What is known about the claim, and what to do about it: the value is the advice."""

    PROVED = (
        "Proved: the error is within the target on every input of the lengths claimed. "
        "Trust it for these two sets of weights as they are, in exact arithmetic."
    )
    REFUTED = (
        "Refuted: the counterexample is an input on which the error is above the target. "
        "Run it; train longer inputs, or ask for a larger target."
    )
    OPEN = (
        "Open: neither a proof nor a counterexample was found. The reason says what is missing; "
        "a larger target, a shorter horizon or a larger limit may decide it."
    )

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Verdict:
    """Is |f − g| ≤ target on every input of length from_length … horizon?

    Attributes:
        status: PROVED, REFUTED or OPEN.
        target: the error allowed, exact.
        horizon: the longest length claimed; None: every length.
        from_length: where the claim starts. PROVED: |f − g| ≤ target from there on. Where the
            start was left open: the least one that is proved, None if there is none.
        reason: why, in one sentence.
        rungs: the windows on which a proof rests, each with what it carries; those of OPEN are
            the best that was found.
        direct: lengths of the claim at which all inputs were looked at, outside the windows.
        shorter: the same for lengths below the claim, for information.
        counterexample: REFUTED: the input; else None.
        found: the largest |f − g| that was met at the lengths claimed, with its input; None if
            nothing was evaluated there.
        proved_horizon: OPEN: the largest horizon found for which the claim is proved, or None.
        inputs: number of count vectors looked at.
        weights: SHA-256 of f and of g, as `verify.certificates.digest` says.
        finished: False if the run was interrupted.
        cells: the branch and bound over all lengths at once, where it decided, or came furthest.
        proof: PROVED by cells: the search whose cells are all within the target.
    """

    status: ProofStatus
    target: Fraction
    horizon: int | None
    from_length: int | None
    reason: str
    rungs: tuple[Rung, ...]
    direct: dict[int, LengthAgreement]
    shorter: dict[int, LengthAgreement]
    counterexample: CountedInput | None
    found: LengthAgreement | None
    proved_horizon: int | None
    inputs: int
    weights: dict[str, str]
    finished: bool = True
    cells: Enclosure | None = None
    proof: Search | None = field(default=None, repr=False, compare=False)

    @property
    def length(self) -> int | None:
        """N, the longest length of the (first) window; None where cells decided, or nothing."""
        return self.rungs[0].length if self.rungs else None

    @property
    def window_error(self) -> Fraction | None:
        """a: the largest |f − g| over the window that decides, rounded up."""
        return self._decides.window.high if self.rungs else None

    @property
    def cost(self) -> Fraction | None:
        """c: what the window theorem adds for all longer inputs, rounded up."""
        return self._decides.cost if self.rungs else None

    @property
    def enclosure(self) -> tuple[Fraction, Fraction | None]:
        """(low, high) of sup |f − g| over the lengths claimed; low is attained.

        high is None where no bound was found (REFUTED, OPEN without a bound up to the horizon).
        """
        low = self.found.low if self.found is not None else Fraction(0)
        low = max([low, *(rung.low for rung in self.rungs)])
        low = max([low, *(entry.low for entry in self.direct.values())])
        if self.cells is not None and self.status is not ProofStatus.REFUTED:
            return max(low, self.cells.low), self.cells.high
        if self.status is not ProofStatus.PROVED:
            return low, None
        highs = [rung.high for rung in self.rungs]
        highs += [entry.high for entry in self.direct.values()]
        return low, max(highs, default=low)

    @property
    def _decides(self) -> Rung:
        return max(self.rungs, key=lambda rung: rung.high)

    def explain(self) -> str:
        """Return the verdict and what it rests on, in sentences."""
        lines = [str(self), self.reason]
        for rung in self.rungs:
            lines.append(
                f"All inputs of length {_span(rung.window.by_length)} were looked at "
                f"({rung.window.evaluations:,} count vectors): the error is at most "
                f"a = {float_up(rung.window.high):.6g}. Longer "
                f"inputs up to {self._reach(rung)} cost at most c = {float_up(rung.cost):.6g} "
                f"more: a + c = {float_up(rung.high):.6g}."
            )
        if self.cells is not None:
            lines.append(
                f"Token shares and lengths in {self.cells.cells:,} cells, each with a bound: "
                f"{self.cells}."
            )
        if self.direct:
            worst = max(entry.value for entry in self.direct.values())
            lines.append(
                f"All inputs of length {_span(self.direct)} were looked at as well: at most "
                f"{worst:.6g}."
            )
        if self.shorter:
            worst = max(entry.value for entry in self.shorter.values())
            lines.append(
                f"Below that, not part of the claim, the error reaches {worst:.6g} "
                f"(length {_span(self.shorter)})."
            )
        if self.counterexample is not None and self.found is not None:
            lines.append(f"Error {self.found.value:.6g} on this input: {self.counterexample}.")
        lines.append(self.status.value)
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; bounds rounded to the safe side."""
        low, high = self.enclosure
        return {
            "status": self.status.name,
            "advice": self.status.value,
            "claim": str(self),
            "weights": self.weights,
            "target": str(self.target),
            "horizon": self.horizon,
            "from_length": self.from_length,
            "length": self.length,
            "window_error": None if self.window_error is None else float_up(self.window_error),
            "cost": None if self.cost is None else float_up(self.cost),
            "enclosure": [float_down(low), None if high is None else float_up(high)],
            "inputs": self.inputs,
            "reason": self.reason,
            "rungs": [rung.to_dict() for rung in self.rungs],
            "direct": {str(n): entry.value for n, entry in self.direct.items()},
            "shorter": {str(n): entry.value for n, entry in self.shorter.items()},
            "counterexample": (
                None if self.counterexample is None else self.counterexample.to_dict()
            ),
            "proved_horizon": self.proved_horizon,
            "cells": None if self.cells is None else self.cells.to_dict(),
            "finished": self.finished,
        }

    def certificate(self) -> EnclosureCertificate:
        """Return what `verify.recheck` can check: cells that are all within the target.

        Raises:
            InputError: the verdict is not PROVED by cells.
        """
        if self.proof is None or self.cells is None or self.from_length is None:
            raise InputError("verdict", self.status.name, 'PROVED by cells (route="cells")')
        return enclosure_certificate(
            self.proof,
            from_length=self.from_length,
            horizon=self.horizon,
            start=self.proof.start,
            high=self.target,
            low=self.cells.low,
            worst=self.cells.worst,
            claim=str(self),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the verdict as JSON; an existing file stays until the new one is complete."""
        write_json(path, self.to_dict())

    def _reach(self, rung: Rung) -> str:
        last = rung is self.rungs[-1] and self.status is ProofStatus.PROVED
        return "any length" if last and self.horizon is None else show_long(rung.reach)

    def __str__(self) -> str:
        """Return the verdict in one line."""
        claim = f"|f − g| ≤ {show_fraction(self.target)} on every input"
        to = "any length" if self.horizon is None else f"length {show_long(self.horizon)}"
        if self.from_length is None:
            return f"{self.status.name}: {claim} up to {to}, wherever one starts"
        return f"{self.status.name}: {claim} from length {show_long(self.from_length)} to {to}"

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<Verdict {self}>"


def _span(lengths: Collection[int]) -> str:
    least, most = min(lengths), max(lengths)
    return show_long(least) if least == most else f"{show_long(least)} … {show_long(most)}"
