"""Is ‖f − g‖_T ≤ target at every length T = from_length … horizon? The ladder, and exact sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from verify.average.laws import DirichletLaw, FixedLaw, Law
from verify.certificates.average.exact import (
    INSTEAD,
    LengthAverage,
    averages,
    number_of_evaluations,
)
from verify.certificates.average.ladder import MOST_RUNGS, AverageLadder, Climb
from verify.certificates.average.verdict import AverageVerdict
from verify.certificates.average.weighted import check_law
from verify.certificates.digest import digest
from verify.certificates.input_class import PairInputs
from verify.certificates.ladder import read_length
from verify.certificates.target import read_target
from verify.certificates.verdict import ProofStatus
from verify.certificates.window import LIMIT, Progress
from verify.errors import InputError
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer

_FACTOR = 2
_CLASS = 200
"""Evaluations that take as long as it takes to set up a suffix at a length."""


def prove_average(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    target: Any,
    law: Law,
    horizon: int | None,
    from_length: int | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> AverageVerdict:
    """Decide whether the average of |f − g| is at most the target at every length of a range.

    Without `from_length` the claim starts where it can: at the least length from which it is
    proved. It is refuted, then, if it fails however late one starts: at a length of at least half
    the horizon (horizon=None: in the limit). An interruption (Ctrl-C) gives OPEN with what was
    done; `.finished` is then False.

    Args:
        f, g: two models of one layer with the same |Σ| and number of outputs.
        target: the average error allowed, ≥ 0: an int, float, Fraction or text such as "3/10".
        law: of the inputs, a DirichletLaw or a FixedLaw.
        horizon: the longest length of the claim; None: every length.
        from_length: the shortest length of the claim; None: as short as can be.
        limit: the largest number of evaluations.
        progress: called with the evaluations done and `limit`.

    Raises:
        InputError: an argument is not usable.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g)
    known = check_law(law, inputs.vocabulary_size, INSTEAD)
    allowed_error = read_target(target)
    if horizon is not None:
        horizon = read_length("horizon", horizon, 1, or_none=True)
    if from_length is not None:
        from_length = read_length("from_length", from_length, 1)
        if horizon is not None and from_length > horizon:
            raise InputError("from_length", from_length, f"at most the horizon, {horizon}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("limit", limit, "an integer ≥ 1")
    claim = _Claim(inputs, known, allowed_error, horizon, from_length, limit, progress)
    return claim.verdict(f == g)


@dataclass
class _Claim:
    """One claim and all averages that were computed for it."""

    inputs: PairInputs
    law: DirichletLaw | FixedLaw
    target: Fraction
    horizon: int | None
    from_length: int | None
    limit: int
    progress: Progress | None
    known: dict[int, LengthAverage] = field(default_factory=dict)
    ladder: AverageLadder | None = None
    obstacle: str = ""

    def __post_init__(self) -> None:
        self.climb = Climb(self.inputs, self.law, self.limit, self.progress, self.horizon)

    def verdict(self, equal: bool) -> AverageVerdict:
        """Return the verdict; `equal`: whether f and g have the same weights."""
        if equal:
            reason = "f and g have the same weights."
            return self._verdict(ProofStatus.PROVED, self.from_length or 1, reason)
        try:
            return self._by_ladder() or self._by_sums() or self._open()
        except KeyboardInterrupt:
            return self._verdict(
                ProofStatus.OPEN, self.from_length, "interrupted before the end", finished=False
            )

    # ------------------------------------------------------------ the ladder

    def _by_ladder(self) -> AverageVerdict | None:
        period = self.inputs.period
        first, near = self.climb.least_length()
        if first is None:
            self.obstacle = f"The theorem asks for logits without near ties: {near}."
            return None
        if self.from_length is not None:
            first = max(first, self.from_length + period - 1)
        if self.horizon is not None and first > self.horizon:
            return None
        if not self._look(first):
            return None
        tops = [first]
        while True:
            self.ladder = ladder = self.climb.assembled(tops, True)
            refuted = self._refuted()
            if refuted is not None:
                return refuted
            start = self._start_of(ladder)
            if start is not None:
                proved = self._proved(start)
                if proved is not None:
                    return proved
            top = self._next(tops, ladder, start) if len(tops) < MOST_RUNGS else None
            if top is None or not self._look(top):
                self.obstacle = self.obstacle or (
                    f"The best bound found for all lengths is {float(ladder.high):.6g}, above the "
                    f"target, with {len(tops)} rungs."
                )
                return None
            tops = sorted([*tops, top])

    def _look(self, top: int) -> bool:
        """Compute the averages at a rung; False if that is too much or not covered."""
        if not self.climb.affordable(top):
            self.obstacle = (
                f"Length {show_long(top)} is out of reach within the limit of {self.limit:,} "
                "evaluations."
            )
            return False
        try:
            self.climb.look(top)
        except InputError as problem:
            self.obstacle = f"The theorem does not cover these models: {problem}."
            return False
        self.known |= self.climb.averages(top).by_length
        return True

    def _start_of(self, ladder: AverageLadder) -> int | None:
        """Return the index of the first rung after all lengths at which the claim fails."""
        bad = [n for n in self.known if self._fails(n)]
        if not bad:
            return 0
        for index, rung in enumerate(ladder.rungs):
            if min(rung.averages.by_length) > max(bad):
                return index
        return None

    def _unproved(self, ladder: AverageLadder, start: int) -> list[int]:
        """Return the rungs from `start` on that do not carry as far as they have to."""
        return [
            index
            for index, rung in enumerate(ladder.rungs)
            if index >= start
            and rung.high > self.target
            and not (self.horizon is not None and min(rung.averages.by_length) > self.horizon)
            and not (
                rung.reach is None
                and self.horizon is not None
                and rung.length >= self.horizon
                and all(e.high <= self.target for e in self._claimed(rung.averages.by_length))
            )
        ]

    def _claimed(self, entries: dict[int, LengthAverage]) -> list[LengthAverage]:
        return [e for n, e in entries.items() if self.horizon is None or n <= self.horizon]

    def _next(self, tops: list[int], ladder: AverageLadder, start: int | None) -> int | None:
        """Return the next rung to be looked at."""
        if start is None:
            return self._onward(tops)
        wrong = self._unproved(ladder, start)
        if not wrong:
            return None
        # Rungs above the target need no refinement: the claim fails there, or it is too close.
        worst = max(wrong, key=lambda index: ladder.rungs[index].high)
        if worst == len(tops) - 1:
            return self._onward(tops)
        return self.climb.between(tops, worst, _FACTOR)

    def _onward(self, tops: list[int]) -> int | None:
        top = self.climb.between(tops, len(tops) - 1, _FACTOR)
        if top is None or self.horizon is None:
            return top
        period = self.inputs.period
        last = tops[-1] + -(-(self.horizon - tops[-1]) // period) * period
        return min(top, last) if last > tops[-1] else None

    def _proved(self, start: int) -> AverageVerdict | None:
        """Return the proof, if the rungs from this one on carry and the rest can be looked at."""
        ladder = self.ladder
        assert ladder is not None
        if self._unproved(ladder, start):
            return None
        first = min(ladder.rungs[start].averages.by_length)
        if self.from_length is not None:
            if not self._sums(range(self.from_length, first)):
                return None
            if any(self.known[n].high > self.target for n in range(self.from_length, first)):
                return None
            begin = self.from_length
        else:
            begin = self._extended(first)
        self.ladder = replace(ladder, rungs=ladder.rungs[start:])
        number = len(self.ladder.rungs)
        every = self.ladder.horizon is None and (
            self.horizon is None or self.ladder.rungs[-1].length < self.horizon
        )
        to = "every length" if every else "the horizon"
        reason = f"The averages at {number} rung{'s carry' if number > 1 else ' carries'} to {to}."
        return self._verdict(ProofStatus.PROVED, begin, reason)

    def _extended(self, first: int) -> int:
        """Look at lengths below `first` while the claim holds there; return the start."""
        start = first
        while start > 1 and self._sums([start - 1]) and self.known[start - 1].high <= self.target:
            start -= 1
        return start

    # ------------------------------------------------------------ exact sums

    def _by_sums(self) -> AverageVerdict | None:
        """Look at every length of a finite claim, if that is within the limit."""
        if self.horizon is None:
            return None
        lengths = range(self.horizon, self._half - 1, -1)
        if not self._sums(lengths, stop=True):
            return None
        refuted = self._refuted()
        if refuted is not None:
            return refuted
        if any(self.known[n].high > self.target for n in lengths):
            self.obstacle = "The largest average found equals the target, up to rounding."
            return None
        begin = self._extended(self._half) if self.from_length is None else self._half
        self.ladder = None
        return self._verdict(
            ProofStatus.PROVED, begin, "The averages at all these lengths were computed."
        )

    @property
    def _half(self) -> int:
        """The first length at which a violation refutes a claim with a horizon."""
        return self.from_length or ((self.horizon or 1) + 1) // 2

    def _sums(self, lengths: Iterable[int], stop: bool = False) -> bool:
        """Compute the averages at these lengths; False if that is too much.

        Args:
            stop: stop at a length that refutes the claim.
        """
        missing = [n for n in lengths if n not in self.known]
        total = self.climb.used + _CLASS * sum(map(self.inputs.number_of_suffixes, missing))
        for length in missing:
            if total > self.limit:
                return False
            total += number_of_evaluations(self.inputs, self.law, length, self.limit)
        if total > self.limit:
            return False
        for length in missing:
            found = averages(self.inputs, self.law, [length], self.limit)
            self.known |= found.by_length
            self.climb.count(found.evaluations)
            if stop and self._fails(length):
                break
        return True

    # ------------------------------------------------------------ verdicts

    def _fails(self, length: int) -> bool:
        inside = self.horizon is None or length <= self.horizon
        return inside and self.known[length].low > self.target

    def _refuted(self) -> AverageVerdict | None:
        """Return the refutation, if there is one."""
        half = 1 if self.from_length is not None else self._half
        if self.horizon is not None or self.from_length is not None:
            least = max(half, self.from_length or 1)
            bad = [n for n in self.known if n >= least and self._fails(n)]
            if bad:
                reason = f"At length {show_long(max(bad))} the average is above the target."
                return self._verdict(ProofStatus.REFUTED, self.from_length, reason)
        if self.horizon is None and self.ladder is not None:
            low = max((low for low, _ in self.ladder.limit.values()), default=Fraction(0))
            if low > self.target:
                reason = (
                    f"For long inputs the average tends to {float(low):.6g}, above the target: "
                    "it fails at lengths beyond every bound."
                )
                return self._verdict(ProofStatus.REFUTED, self.from_length, reason)
        return None

    def _open(self) -> AverageVerdict:
        for length in (self.from_length, self.horizon):
            if length is not None:
                self._sums([length])
        refuted = self._refuted()
        if refuted is not None:
            return refuted
        reason = self.obstacle or (
            f"The lengths cannot all be looked at within the limit of {self.limit:,} evaluations."
        )
        return self._verdict(ProofStatus.OPEN, self.from_length, reason)

    def _verdict(
        self, status: ProofStatus, start: int | None, reason: str, finished: bool = True
    ) -> AverageVerdict:
        first = start or 1
        inside = {
            n: e
            for n, e in sorted(self.known.items())
            if n >= first and (self.horizon is None or n <= self.horizon)
        }
        worst = max(inside, key=lambda n: inside[n].value, default=None)
        rungs = {
            n for r in (self.ladder.rungs if self.ladder else ()) for n in r.averages.by_length
        }
        return AverageVerdict(
            status=status,
            target=self.target,
            law=self.law,
            horizon=self.horizon,
            from_length=start,
            reason=reason,
            ladder=self.ladder,
            direct={n: e for n, e in inside.items() if n not in rungs},
            shorter={n: e for n, e in sorted(self.known.items()) if n < first},
            worst=worst,
            found=None if worst is None else inside[worst],
            evaluations=self.climb.used,
            weights={"f": digest(self.inputs.pair.f), "g": digest(self.inputs.pair.g)},
            finished=finished,
        )
