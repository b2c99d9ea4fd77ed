"""Is |f − g| ≤ target on every input of length from_length … horizon? A proof, or an input.

Three tools, from the cheapest to the dearest: a search at long lengths for an input that refutes
the claim; the window theorem, which carries the maximum over Δ lengths to all longer ones
(`verify.certificates.instance`), at once or in several rungs; and looking at all inputs of a
length (`verify.certificates.window`), which decides whatever it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from bounds.numbers import exact
from verify.certificates.digest import digest
from verify.certificates.input_class import LONGEST, PairInputs
from verify.certificates.instance import cost, least_length
from verify.certificates.ladder import Rung, read_length, window_lengths
from verify.certificates.search import worst_found
from verify.certificates.unbounded import carried_loss, settled_exponent
from verify.certificates.verdict import ProofStatus, Verdict, show_long
from verify.certificates.window import LIMIT, Agreement, LengthAgreement, Progress, evaluate
from verify.errors import InputError
from verify.model.transformer import LimitTransformer

_STEP = 1.25
"""Ratio of two lengths whose windows are tried one after the other."""

_FACTORS = (_STEP, 2, 8, 64)
"""How far a rung tries to carry, before it tries the horizon."""

_SETTLED = 40
"""Least exponent of the horizon that stands for all of them: windows are small beside it."""

_CLASS = 200
"""Evaluations that take as long as it takes to set up a suffix at a length."""

_MOST_STEPS = 200
"""Windows that are tried for a proof by several rungs."""

_ATTEMPTS = 12
"""Windows that are tried for a proof by one window."""


def prove(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    target: Any,
    horizon: int | None,
    from_length: int | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Verdict:
    """Decide whether |f − g| ≤ target on every input of length from_length … horizon.

    Without `from_length` the claim starts where it can: at the least length from which it is
    proved. It is refuted, then, if it fails however late one starts: by an input of at least half
    the horizon (horizon=None: by inputs of unbounded length, one of them explicit).

    An interruption (Ctrl-C) gives OPEN with what was done; `.finished` is then False.

    Args:
        f: a model of one layer in finite precision.
        g: the other one, with the same |Σ| and number of outputs.
        target: the error allowed, ≥ 0: an int, float, Fraction or text such as "3/10".
        horizon: the longest length of the claim; None: every length.
        from_length: the shortest length of the claim; None: as short as can be.
        limit: the largest number of evaluations for the proof, and again for the shorter
            lengths beside it.
        progress: called with the evaluations done and `limit`.

    Raises:
        InputError: an argument is not usable.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g)
    allowed_error = _read_target(target)
    if horizon is not None:
        read_length("horizon", horizon, 1)
    if from_length is not None:
        read_length("from_length", from_length, 1)
        if horizon is not None and from_length > horizon:
            raise InputError("from_length", from_length, f"at most the horizon, {horizon}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("limit", limit, "an integer ≥ 1")
    if horizon is None:
        return _without_horizon(inputs, allowed_error, from_length, limit, progress)
    return _Proof(inputs, allowed_error, horizon, from_length, limit, progress).verdict()


@dataclass
class _Proof:
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
            if length > last or self.horizon <= period:
                return None
            found, _cost = least_length(
                self.inputs.pair.f, self.inputs.pair.g, budget, self.horizon
            )
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
            max(self.horizon - 1, self.inputs.period),
            self.horizon,
        )
        return (
            "No window that can be looked at carries to the horizon "
            f"({self.limit:,} evaluations); even the longest one costs {float(carried.value):.6g} "
            f"({carried.context})."
        )


def _without_horizon(
    inputs: PairInputs,
    target: Fraction,
    from_length: int | None,
    limit: int,
    progress: Progress | None,
) -> Verdict:
    """Decide the claim for every length, or say how far it is proved."""

    def proof(horizon: int) -> _Proof:
        return _Proof(inputs, target, horizon, from_length, limit, progress)

    exponent = max(settled_exponent(inputs) + 1, _SETTLED)
    exponent = max(exponent, 2 * (from_length or 1).bit_length())
    if 2**exponent <= LONGEST:
        settled = 2**exponent
        found = proof(settled).verdict()
        if found.status is ProofStatus.PROVED and found.rungs:
            last = found.rungs[-1]
            pair = inputs.pair
            if last.reach == settled and all(
                cost(pair.f, pair.g, last.length, reach).value <= last.cost
                for reach in (settled * settled, settled**4)
            ):
                return replace(found, horizon=None)
        if found.status is ProofStatus.REFUTED and found.counterexample and found.found:
            if from_length is not None:
                return replace(found, horizon=None)
            loss = carried_loss(inputs, found.counterexample.summary)
            if found.found.low - loss > target:
                reason = (
                    f"{found.reason} The same shares at any greater length change f and g by at "
                    f"most {float(loss):.3g} together: it fails at lengths beyond every bound."
                )
                return replace(found, horizon=None, reason=reason)
        reason = (
            f"Not decided for every length. Up to length 2^{exponent}: {found.status.name}. "
            f"{found.reason}"
        )
        proved = settled if found.status is ProofStatus.PROVED else None
        if proved is not None or not found.finished:
            return _opened(found, reason, proved)
    else:
        reason = (
            f"Logits that are nearly equal part only at lengths about 2^{exponent - 1}: no window "
            "carries to every length."
        )
    return _largest_horizon(proof, reason, exponent)


def _largest_horizon(proof: Any, reason: str, exponent: int) -> Verdict:
    """Return OPEN (or what refutes) with the largest power of two that is proved."""
    low, high = 0, 0
    best: Verdict | None = None
    last: Verdict | None = None
    step = 20
    while not high or high - low > 1:
        middle = (low + high) // 2 if high else min(low + step, exponent, LONGEST.bit_length() - 1)
        if middle == low:
            break
        attempt = proof(2**middle)
        if attempt.from_length is not None and attempt.from_length > attempt.horizon:
            low = middle
            continue
        last = attempt.verdict(extend=False, rungs=False)
        if last.status is ProofStatus.REFUTED and attempt.from_length is not None:
            return replace(last, horizon=None)
        if last.status is ProofStatus.PROVED:
            low, best, step = middle, last, 2 * step
        else:
            high = middle
        if not last.finished:
            break
    if best is None:
        assert last is not None
        return _opened(last, reason, None)
    found = proof(2**low).verdict()
    return _opened(found, f"{reason} Proved up to length 2^{low}.", 2**low)


def _opened(found: Verdict, reason: str, proved_horizon: int | None) -> Verdict:
    return replace(
        found,
        status=ProofStatus.OPEN,
        horizon=None,
        reason=reason,
        counterexample=None,
        proved_horizon=proved_horizon,
    )


def _read_target(target: Any) -> Fraction:
    """Return the target as an exact number.

    Raises:
        InputError: it is no rational number ≥ 0.
    """
    allowed = 'a rational number ≥ 0: an int, float, Fraction or text such as "3/10"'
    try:
        number = exact(target)
    except ValueError as problem:
        raise InputError("target", target, f"{allowed}; {problem}") from None
    if not isinstance(number, Fraction) or number < 0:
        raise InputError("target", target, allowed)
    return number
