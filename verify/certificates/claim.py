"""One claim with a horizon: |f − g| ≤ target on every input of length from_length … T*.

Three tools, from the cheapest to the dearest: a search at long lengths for an input that refutes
the claim; the window theorem, which carries the maximum over Δ lengths to all longer ones
(`verify.certificates.instance`), at once or in several rungs; and looking at all inputs of a
length (`verify.certificates.window`), which decides whatever it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from verify.certificates.digest import digest
from verify.certificates.input_class import PairInputs
from verify.certificates.instance import cost, least_length
from verify.certificates.ladder import Rung, window_lengths
from verify.certificates.search import worst_found
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import Agreement, LengthAgreement, Progress, evaluate
from verify.lengths import show_long

_CLASS = 200
"""Evaluations that take as long as it takes to set up a suffix at a length."""

_STEP = 1.25
"""Ratio of two lengths whose windows are tried one after the other."""

_FACTORS = (_STEP, 2, 8, 64)
"""How far a rung tries to carry, before it tries the horizon."""

_MOST_STEPS = 200
"""Windows that are tried for a proof by several rungs."""

_ATTEMPTS = 12
"""Windows that are tried for a proof by one window."""


@dataclass
class Claim:
    """One claim with a finite horizon, and all that was looked at so far."""

    inputs: PairInputs
    target: Fraction
    horizon: int
    from_length: int | None
    limit: int
    progress: Progress | None
    looked: dict[int, LengthAgreement] = field(default_factory=dict)
    searched: list[LengthAgreement] = field(default_factory=list)
    best: Rung | None = None
    reached: int | None = None
    used: int = 0

    def verdict(self, extend: bool = True, rungs: bool = True) -> Verdict:
        """Return the verdict.

        Args:
            extend: look at the lengths below the proof as well.
            rungs: try several rungs, and all lengths, where one window does not do.
        """
        try:
            return self._decide(extend, rungs)
        except KeyboardInterrupt:
            return replace(self._open("interrupted before the end"), finished=False)

    @property
    def half(self) -> int:
        """The first length at which a violation refutes the claim."""
        return self.from_length or (self.horizon + 1) // 2

    def _decide(self, extend: bool, rungs: bool) -> Verdict:
        self._search()
        if self._violation() is not None:
            return self._refuted()
        ways = [self._one_window, self._look_at_all, self._climb] if rungs else [self._one_window]
        for way in ways:
            found = way()
            if self._violation() is not None:
                return self._refuted()
            if found is not None and self._covered(self._start(found), found):
                return self._proved(found, extend)
        return self._open(self._obstacle())

    def _start(self, rungs: tuple[Rung, ...]) -> int:
        """Return where a claim with these rungs starts."""
        if self.from_length is not None or not rungs:
            return self.half
        return min(rungs[0].window.by_length)

    def _covered(self, start: int, rungs: tuple[Rung, ...]) -> bool:
        """Return whether every length of the claim is proved, by a rung or one by one."""
        position = start
        while position <= self.horizon:
            reach = max((r.reach for r in rungs if min(r.window.by_length) <= position), default=0)
            if reach >= position:
                position = reach + 1
            elif self._within([position]):
                position += 1
            else:
                return False
        return True

    # ------------------------------------------------------------ looking

    def _search(self) -> None:
        """Look for a violation at the ends of the claim and of its longer half."""
        ends = (self.horizon, (self.horizon + 1) // 2 + self.inputs.period - 1, self.half)
        lengths = {n for end in ends for n in window_lengths(self.inputs, end)}
        for length in sorted(lengths, reverse=True):
            if self.half <= length <= self.horizon:
                self.searched.append(worst_found(self.inputs, length))
                self.used += self.searched[-1].evaluations
                if self.searched[-1].low > self.target:
                    return

    def _look(self, lengths: Iterable[int]) -> bool:
        """Look at all inputs of these lengths, in this order; False if that is too many.

        Stops at a violation of the claim.
        """
        for length in lengths:
            if length not in self.looked:
                if self.used + self.inputs.number_of_suffixes(length) > self.limit:
                    return False
                classes = list(self.inputs.classes(length))
                number = sum(one_class.number for one_class in classes)
                if self.used + number > self.limit:
                    return False
                result = evaluate({length: classes}, self._report)
                self.looked[length] = result.by_length[length]
                self.used += number
            if length >= self.half and self.looked[length].low > self.target:
                return True
        return True

    def _affordable(self, lengths: Iterable[int]) -> bool:
        """Return whether all these lengths are within the limit, before any is looked at."""
        total = self.used
        for length in lengths:
            total += _CLASS * self.inputs.number_of_suffixes(length)
            if total <= self.limit:
                classes = self.inputs.classes(length)
                total += sum(one_class.number for one_class in classes)
            if total > self.limit:
                return False
        return True

    def _report(self, done: int, _: int) -> None:
        if self.progress is not None:
            self.progress(self.used + done, self.limit)

    def _window(self, length: int) -> Agreement | None:
        """Return the maximum over the Δ lengths up to this one; None if that is too many."""
        lengths = window_lengths(self.inputs, length)
        if not self._look(lengths) or any(n not in self.looked for n in lengths):
            return None
        return Agreement({n: self.looked[n] for n in lengths})

    def _within(self, lengths: Iterable[int]) -> bool:
        return all(n in self.looked and self.looked[n].high <= self.target for n in lengths)

    def _violation(self) -> LengthAgreement | None:
        """Return the largest error found at a length that refutes the claim, if above target."""
        found = self._largest()
        return found if found is not None and found.low > self.target else None

    def _largest(self) -> LengthAgreement | None:
        looked = [entry for n, entry in self.looked.items() if self.half <= n <= self.horizon]
        return max([*looked, *self.searched], key=lambda entry: entry.value, default=None)

    # ------------------------------------------------------------ windows

    def _rung(self, length: int, reach: int, window: Agreement) -> Rung | None:
        """Return the rung if it stays within the target; remember the best up to the horizon."""
        carried = cost(self.inputs.pair.f, self.inputs.pair.g, length, reach).value
        rung = Rung(length, reach, window, carried)
        if reach == self.horizon and (self.best is None or rung.high < self.best.high):
            self.best = rung
        return rung if rung.high <= self.target else None

    def _one_window(self) -> tuple[Rung, ...] | None:
        """Return one rung up to the horizon, as short as is found, if there is one."""
        period = self.inputs.period
        length = period if self.from_length is None else self.from_length + period - 1
        last = min(self.half + period - 1, self.horizon - 1)
        if self.from_length is not None:
            last = self.horizon - 1
        budget = self.target
        for _ in range(_ATTEMPTS):
            if length > last or self.horizon < 2 * period:
                return None
            pair = self.inputs.pair
            found, _ = least_length(pair.f, pair.g, budget, self.horizon)
            if found is None:
                return None
            length = max(length, found)
            window = self._window(length) if length <= last else None
            if window is None or self._violation() is not None:
                return None
            rung = self._rung(length, self.horizon, window)
            if rung is not None:
                direct = range(self.from_length or length, length - period + 1)
                return (rung,) if self._look(direct) else None
            room = self.target - window.high
            budget = room if room > 0 else self.target
            length = length + 1 if room > 0 else 2 * length
        return None

    def _climb(self) -> tuple[Rung, ...] | None:
        """Return rungs up to the horizon without a gap, if they are found.

        Where a window does not carry on, all inputs of the next lengths are looked at if the
        start of the claim is given; otherwise the claim starts anew.
        """
        period = self.inputs.period
        length = period if self.from_length is None else self.from_length + period - 1
        rungs: list[Rung] = []
        for _ in range(_MOST_STEPS):
            if length >= self.horizon:
                break
            window = self._window(length)
            if window is None or self._violation() is not None:
                return None
            rung = self._furthest(length, window)
            if rung is not None:
                rungs.append(rung)
                self.reached = length = rung.reach
                continue
            onward = min(max(int(length * _STEP), length + 1), self.horizon)
            if self.from_length is None:
                rungs = []
                if onward > self.half + period - 1:
                    return None
            elif not self._look(range(length + 1, onward + 1)):
                return None
            length = onward
        return tuple(rungs)

    def _look_at_all(self) -> tuple[Rung, ...] | None:
        """Return no rungs, if all lengths of the claim can be looked at."""
        lengths = range(self.horizon, self.half - 1, -1)
        return () if self._affordable(lengths) and self._look(lengths) else None

    def _furthest(self, length: int, window: Agreement) -> Rung | None:
        """Return the rung from this window that is found to carry furthest."""
        if window.high > self.target:
            return None
        found = None
        reaches = {min(max(int(length * k), length + 1), self.horizon) for k in _FACTORS}
        for reach in sorted({*reaches, self.horizon}):
            rung = self._rung(length, reach, window)
            if rung is None:
                break
            found = rung
        return found

    # ------------------------------------------------------------ verdicts

    def _proved(self, rungs: tuple[Rung, ...], extend: bool) -> Verdict:
        start = self._start(rungs)
        shorter: dict[int, LengthAgreement] = {}
        if self.from_length is None and extend:
            start = self._extended(start)
            shorter = {n: self.looked[n] for n in sorted(self.looked) if n < start}
        windows = {n for rung in rungs for n in rung.window.by_length}
        direct = {n: e for n, e in sorted(self.looked.items()) if n >= start and n not in windows}
        if len(rungs) == 1:
            reason = "One window carries to the horizon."
        elif rungs:
            reason = f"{len(rungs)} windows carry to the horizon, each to the next."
        else:
            reason = "All inputs of all these lengths were looked at."
        return self._verdict(ProofStatus.PROVED, start, reason, rungs, direct, shorter)

    def _extended(self, first: int) -> int:
        """Look at the lengths below `first`, if all of them are within reach; return the start."""
        self.used = 0
        lengths = range(first - 1, 0, -1)
        if self._affordable(lengths):
            self._look(lengths)
        start = first
        while start > 1 and self._within([start - 1]):
            start -= 1
        return start

    def _refuted(self) -> Verdict:
        found = self._violation()
        assert found is not None
        reason = (
            f"An input of length {show_long(found.worst.length)} has an error above the target."
        )
        verdict = self._verdict(ProofStatus.REFUTED, self.from_length, reason, (), {}, {})
        return replace(verdict, counterexample=found.worst)

    def _open(self, reason: str) -> Verdict:
        rungs = () if self.best is None else (self.best,)
        verdict = self._verdict(ProofStatus.OPEN, self.from_length, reason, rungs, {}, {})
        return replace(verdict, proved_horizon=self.reached)

    def _verdict(
        self,
        status: ProofStatus,
        start: int | None,
        reason: str,
        rungs: tuple[Rung, ...],
        direct: dict[int, LengthAgreement],
        shorter: dict[int, LengthAgreement],
    ) -> Verdict:
        evaluations = sum(entry.evaluations for entry in self.looked.values())
        evaluations += sum(entry.evaluations for entry in self.searched)
        return Verdict(
            status=status,
            target=self.target,
            horizon=self.horizon,
            from_length=start,
            reason=reason,
            rungs=rungs,
            direct=direct,
            shorter=shorter,
            counterexample=None,
            found=self._largest(),
            proved_horizon=None,
            inputs=evaluations,
            weights={"f": digest(self.inputs.pair.f), "g": digest(self.inputs.pair.g)},
        )

    def _obstacle(self) -> str:
        """Say why there is neither a proof nor a counterexample."""
        largest = self._largest()
        if largest is not None and largest.high > self.target:
            return "The largest error found equals the target, up to rounding."
        if self.best is not None:
            return (
                f"The best bound proved up to the horizon is a + c = {float(self.best.high):.6g}, "
                "above the target; more lengths cannot be looked at within the limit of "
                f"{self.limit:,} evaluations."
            )
        carried = cost(
            self.inputs.pair.f,
            self.inputs.pair.g,
            max(self.horizon - self.inputs.period, self.inputs.period),
            self.horizon,
        )
        return (
            f"No window within the limit of {self.limit:,} evaluations carries to the horizon. "
            f"(The window just below the horizon, beyond reach, would add "
            f"{float(carried.value):.6g}: {carried.context}.)"
        )
