"""What `verify.prove` answers for average errors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.average.laws import Law
from verify.certificates.average.exact import LengthAverage
from verify.certificates.average.ladder import AverageLadder, AverageRung
from verify.certificates.verdict import ProofStatus
from verify.certificates.window import float_down, float_up
from verify.lengths import show_long
from verify.tables import show_fraction, write_json

_ADVICE = {
    ProofStatus.PROVED: (
        "Proved: the average error is within the target at every length claimed. Trust it for "
        "these two sets of weights as they are, in exact arithmetic, and for inputs of this law."
    ),
    ProofStatus.REFUTED: (
        "Refuted: at some lengths claimed the average error is above the target. Train longer "
        "inputs, or ask for a larger target."
    ),
    ProofStatus.OPEN: (
        "Open: neither proved nor refuted. The reason says what is missing; a larger target, a "
        "shorter horizon or a larger limit may decide it."
    ),
}


@dataclass(frozen=True)
class AverageVerdict:
    """Is ‖f − g‖_T ≤ target at every length T = from_length … horizon?

    Attributes:
        status: PROVED, REFUTED or OPEN.
        target: the average error allowed, exact.
        law: of the inputs.
        horizon: the longest length claimed; None: every length.
        from_length: where the claim starts. Where that was left open: the least start that is
            proved, None if there is none.
        reason: why, in one sentence.
        ladder: what carries from some lengths to all others; None if nothing does. Where nothing
            is proved, its rungs may begin before the claim.
        direct: lengths of the claim whose averages were computed beside the ladder.
        shorter: the same for lengths below the claim, for information.
        worst: the length with the largest average found, among those claimed; None: none.
        found: that average.
        evaluations: number of count vectors looked at.
        weights: SHA-256 of f and of g, as `verify.certificates.digest` says.
        finished: False if the run was interrupted.
    """

    status: ProofStatus
    target: Fraction
    law: Law
    horizon: int | None
    from_length: int | None
    reason: str
    ladder: AverageLadder | None
    direct: dict[int, LengthAverage]
    shorter: dict[int, LengthAverage]
    worst: int | None
    found: LengthAverage | None
    evaluations: int
    weights: dict[str, str]
    finished: bool = True

    @property
    def enclosure(self) -> tuple[Fraction, Fraction | None]:
        """(low, high) of sup ‖f − g‖_T over the lengths claimed; high is None unless proved."""
        low = self.found.low if self.found is not None else Fraction(0)
        if self.ladder is not None and self.horizon is None:
            low = max([low, *(limit for limit, _ in self.ladder.limit.values())])
        if self.status is not ProofStatus.PROVED:
            return low, None
        highs = [entry.high for entry in self.direct.values()]
        for rung in self._rungs:
            # Beyond a horizon that is reached, the last rung need not carry.
            carries = rung.reach is not None or self.horizon is None or rung.length < self.horizon
            claimed = [
                entry.high
                for n, entry in rung.averages.by_length.items()
                if self.horizon is None or n <= self.horizon
            ]
            highs += [rung.high] if carries else claimed
        return low, max(highs, default=low)

    @property
    def _rungs(self) -> tuple[AverageRung, ...]:
        """The rungs of the ladder that speak of lengths of the claim."""
        return tuple(
            rung
            for rung in (() if self.ladder is None else self.ladder.rungs)
            if self.horizon is None or min(rung.averages.by_length) <= self.horizon
        )

    def explain(self) -> str:
        """Return the verdict and what it rests on, in sentences."""
        lines = [str(self), self.reason]
        rungs = self._rungs
        if rungs and self.status is ProofStatus.PROVED:
            highest = max(rungs, key=lambda rung: rung.high)
            to = "every length" if highest.reach is None else f"length {show_long(highest.reach)}"
            lines.append(
                f"The rungs go from length {show_long(rungs[0].length)} to "
                f"{show_long(rungs[-1].length)}; the largest bound is "
                f"{float_up(highest.high):.6g}, from length {show_long(highest.length)} to {to}."
            )
        if self.direct and self.ladder is not None:
            lines.append(
                f"Lengths computed beside that: {len(self.direct)}; their averages are at most "
                f"{max(entry.value for entry in self.direct.values()):.6g}."
            )
        if self.shorter:
            worst = max(self.shorter, key=lambda n: self.shorter[n].value)
            lines.append(
                f"Below that, not part of the claim, the average reaches "
                f"{self.shorter[worst].value:.6g} (length {show_long(worst)})."
            )
        if self.found is not None and self.worst is not None:
            lines.append(
                f"The largest average found is {self.found.value:.6g}, at length "
                f"{show_long(self.worst)}."
            )
        lines.append(_ADVICE[self.status])
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; bounds rounded to the safe side."""
        low, high = self.enclosure
        return {
            "status": self.status.name,
            "advice": _ADVICE[self.status],
            "claim": str(self),
            "error": "average",
            "law": str(self.law),
            "weights": self.weights,
            "target": str(self.target),
            "horizon": self.horizon,
            "from_length": self.from_length,
            "enclosure": [float_down(low), None if high is None else float_up(high)],
            "reason": self.reason,
            "ladder": None if self.ladder is None else self.ladder.to_dict(),
            "direct": {str(n): float_up(entry.high) for n, entry in self.direct.items()},
            "shorter": {str(n): float_up(entry.high) for n, entry in self.shorter.items()},
            "worst": self.worst,
            "found": None if self.found is None else self.found.value,
            "evaluations": self.evaluations,
            "finished": self.finished,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the verdict as JSON; an existing file stays until the new one is complete."""
        write_json(path, self.to_dict())

    def __str__(self) -> str:
        """Return the verdict in one line."""
        claim = f"average |f − g| ≤ {show_fraction(self.target)} at every length"
        to = "on" if self.horizon is None else f"to {show_long(self.horizon)}"
        if self.from_length is None:
            to = "" if self.horizon is None else f" up to {show_long(self.horizon)}"
            return f"{self.status.name}: {claim}{to}, wherever one starts"
        return f"{self.status.name}: {claim} from {show_long(self.from_length)} {to}"

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<AverageVerdict {self}>"
