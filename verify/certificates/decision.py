"""Is |f − g| ≤ target on every input of the claim? Decided by branch and bound over cells.

Where the start of the claim is left open, the longer half of the lengths comes first (without a
horizon: inputs longer than any that could be run): an input above the target there refutes the
claim however late it starts. Then all lengths: whenever an input above the target is found, the
claim starts after it, until no cell is left above the target. So the start is the least possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from verify.certificates.contexts import Pair, pair_of
from verify.certificates.digest import digest
from verify.certificates.direct.enclosure import (
    CELL,
    TOLERANCE,
    Enclosure,
    counted,
    enclosure_of,
    run,
    search_of,
    shorter_lengths,
)
from verify.certificates.direct.inputs import attained
from verify.certificates.direct.pieces import least_start
from verify.certificates.direct.search import Found, Search
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import LengthAgreement, Progress, float_down
from verify.errors import InputError
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer
from verify.tables import show_digits

_LATE = 2**60
"""Without a horizon, where the search for inputs that refute the claim starts."""

_REFINED = 20_000
"""Cells spent, after a proof, on both sides of the largest |f − g|."""


@dataclass
class Decision:
    """One claim, and what was found of it.

    Attributes:
        refine: after a proof, enclose the largest |f − g| from both sides.
        cells: how many cells were bounded.
        violation: an input above the target that refutes the claim.
    """

    f: LimitTransformer
    g: LimitTransformer
    target: Fraction
    horizon: int | None
    from_length: int | None
    limit: int
    progress: Progress | None
    refine: bool = True
    cells: int = 0
    violation: LengthAgreement | None = None

    def verdict(self) -> Verdict:
        """Return the verdict.

        Raises:
            InputError: no pieces cover the lengths of the claim, or there are more short inputs
                to be looked at one by one than the limit allows.
        """
        pair = pair_of(self.f, self.g, None)
        first = least_start(pair)
        if self.horizon is not None and max(first, self.from_length or 1) > self.horizon:
            return self._one_by_one(self.horizon)
        if self.from_length is not None:
            return self._from(pair, max(first, self.from_length))
        late = _LATE if self.horizon is None else (self.horizon + 1) // 2
        settled = self._search(pair, max(first, late), moves=self.horizon is None)
        if self.violation is not None:
            return self._refuted()
        if settled.interrupted or settled.upper > float_down(self.target):
            return self._open(settled)
        if late <= first:
            return self._proved(settled, first)
        search = self._search(pair, first, moves=True)
        if search.interrupted:
            return self._open(search)
        if search.upper > float_down(self.target):  # the budget is spent
            return self._proved(settled, settled.start)
        return self._proved(search, search.start)

    def _from(self, pair: Pair, start: int) -> Verdict:
        """Decide a claim whose start is given."""
        search = self._search(pair, start, moves=False)
        if self.violation is not None:
            return self._refuted()
        if search.interrupted or search.upper > float_down(self.target):
            return self._open(search)
        return self._proved(search, start)

    def _search(self, pair: Pair, start: int, moves: bool) -> Search:
        """Halve cells until all are within the target, or an input is above it.

        Args:
            pair: f and g.
            start: the shortest length.
            moves: whether the start moves behind an input that is above the target.
        """
        search = search_of(pair, start, self.horizon)
        self.cells += search.cells
        goal = float_down(self.target)
        behind = False

        def found(best: Found) -> bool:
            nonlocal behind
            if best.value - best.rounding <= goal:
                return False
            behind = moves and not self._forever(search, best)
            if behind:
                return True
            entry = attained(search.table, best, (best.value - goal) / 2, search.start)
            if entry.low > self.target:
                self.violation = entry
            return self.violation is not None

        while True:
            behind = False
            budget = max(self.limit // CELL - self.cells + search.cells, 1)
            before = search.cells
            run(search, lambda _: goal, budget, counted(self.progress, self.limit), found)
            self.cells += search.cells - before
            if not behind:
                return search
            assert search.best is not None
            search.shorten(int(search.best.length) + 1)

    def _forever(self, search: Search, best: Found) -> bool:
        """Whether |f − g| is above the target at lengths beyond every bound, as at this point."""
        return bool(np.isinf(best.length)) or (
            self.horizon is None and bool(search.table.constant[best.piece])
        )

    def _one_by_one(self, horizon: int) -> Verdict:
        """Decide a claim about lengths that are all too short for cells."""
        looked = shorter_lengths(self.f, self.g, self.from_length or 1, horizon + 1, self.limit)
        half = self.from_length or (horizon + 1) // 2
        above = {n: entry for n, entry in looked.items() if entry.high > self.target}
        late = [entry for n, entry in above.items() if n >= half]
        worst = max(late or looked.values(), key=lambda entry: entry.low)
        if late and worst.low > self.target:
            self.violation = worst
            return self._refuted()
        start = self.from_length if late else max(above, default=(self.from_length or 1) - 1) + 1
        reason = "All inputs of all these lengths were looked at."
        status = ProofStatus.PROVED
        if late:
            status, reason = (
                ProofStatus.OPEN,
                "The largest error equals the target, up to rounding.",
            )
        verdict = self._verdict(status, start, reason, None)
        return replace(
            verdict,
            direct={n: entry for n, entry in looked.items() if n >= (start or half)},
            shorter={n: entry for n, entry in looked.items() if n < (start or half)},
            found=worst,
            inputs=sum(entry.evaluations for entry in looked.values()),
        )

    # ------------------------------------------------------------ verdicts

    def _proved(self, search: Search, start: int) -> Verdict:
        """Return the proof, with shorter lengths that are within the target as well."""
        first = self.from_length or 1
        shorter: dict[int, LengthAgreement] = {}
        if search.start <= least_start(search.table.pair):
            try:
                shorter = shorter_lengths(self.f, self.g, first, start, self.limit)
            except InputError:
                if self.from_length is not None:
                    raise
        within = {n: entry for n, entry in shorter.items() if entry.high <= self.target}
        if self.from_length is not None and len(within) < len(shorter):
            self.violation = max(shorter.values(), key=lambda entry: entry.low)
            if self.violation.low > self.target:
                return self._refuted()
            return self._open(search)
        begin = start
        while begin - 1 in within:
            begin -= 1
        claimed = {n: entry for n, entry in shorter.items() if n >= begin}
        refined = search
        if self.refine:
            refined = search_of(search.table.pair, start, self.horizon)
            width = float(TOLERANCE)
            run(refined, lambda s: s.lower + width, min(_REFINED, self.limit // CELL + 1), None)
        cells = enclosure_of(refined, True, begin, self.horizon, TOLERANCE, claimed)
        if cells.low > self.target:
            raise AssertionError("an input above the target in a claim that was proved")
        cells = replace(cells, high=min(cells.high, self.target))
        verdict = self._verdict(
            ProofStatus.PROVED, begin, "Branch and bound covers all inputs of these lengths.", cells
        )
        below = {n: entry for n, entry in shorter.items() if n < begin}
        return replace(verdict, direct=claimed, shorter=below, proof=search, found=cells.largest)

    def _refuted(self) -> Verdict:
        assert self.violation is not None
        length = show_long(self.violation.worst.length)
        reason = f"An input of length {length} has an error above the target."
        if self.horizon is None and self.from_length is None:
            reason = (
                f"{reason} There are such inputs beyond every length: their shares have a limit "
                "at which the error is above the target."
            )
        verdict = self._verdict(ProofStatus.REFUTED, self.from_length, reason, None)
        return replace(verdict, counterexample=self.violation.worst, found=self.violation)

    def _open(self, search: Search) -> Verdict:
        start = self.from_length or search.start
        cells = enclosure_of(search, False, start, self.horizon, TOLERANCE, {})
        reason = (
            f"After {search.cells:,} cells the largest error from length {show_long(search.start)} "
            f"on is between {show_digits(cells.low, 6)} and {show_digits(cells.high, 6)}."
        )
        rounding = search.best_or_any.rounding
        if math.isfinite(rounding) and cells.high - self.target < Fraction(rounding):
            reason = "The largest error equals the target, up to rounding."
        if search.interrupted:
            reason = f"interrupted before the end. {reason}"
        verdict = self._verdict(ProofStatus.OPEN, self.from_length, reason, cells)
        return replace(verdict, found=cells.largest, finished=not search.interrupted)

    def _verdict(
        self, status: ProofStatus, start: int | None, reason: str, cells: Enclosure | None
    ) -> Verdict:
        return Verdict(
            status=status,
            target=self.target,
            horizon=self.horizon,
            from_length=start,
            reason=reason,
            rungs=(),
            direct={},
            shorter={},
            counterexample=None,
            found=None,
            proved_horizon=None,
            inputs=self.cells,
            weights={"f": digest(self.f), "g": digest(self.g)},
            cells=cells,
        )
