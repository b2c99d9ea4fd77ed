"""`verify.compare_lengths`: what suffices for a class and for a pair, and what a search found.

    longest found ≤ certified for this pair ≤ sufficient for its class;  necessary ≤ sufficient

The necessary length is about the worst pair of the class, so it may exceed what is certified for
this one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bounds
from bounds import LengthBound
from bounds.errors import BoundsError
from verify.certificates.certify import certify
from verify.errors import InputError
from verify.lengths import show_integer
from verify.measure import measure
from verify.model.transformer import LimitTransformer
from verify.tables import aligned
from verify.tightness.request import Query
from verify.tightness.worst_input import LIMIT, Progress, WorstInput, worst_input

SIDES = ("paper", "class", "certified", "found", "necessary")


@dataclass(frozen=True)
class LengthComparison:
    """Five lengths for one pair and one claim.

    Attributes:
        paper: the paper's order of growth at C = 1, no guarantee; None where it does not cover
            the class.
        class_bound: sufficient for every pair with the measured constants.
        certified: sufficient for this pair, `verify.certify`; None: no certificate was found.
        worst: the longest shortest simulation found, with its input.
        necessary: for the worst pair of the class, not for this one.
        reasons: why a side is None.
    """

    paper: LengthBound | None
    class_bound: LengthBound | None
    certified: int | None
    worst: WorstInput
    necessary: LengthBound | None
    reasons: dict[str, str]

    @property
    def log2(self) -> dict[str, float | None]:
        """log2 of the five lengths, by the names of SIDES."""
        return {
            "paper": None if self.paper is None else self.paper.log2_length,
            "class": None if self.class_bound is None else self.class_bound.log2_length,
            "certified": None if self.certified is None else math.log2(self.certified),
            "found": math.log2(self.worst.length),
            "necessary": None if self.necessary is None else self.necessary.log2_length,
        }

    def ratio(self, upper: str, lower: str) -> float | None:
        """Return one length divided by another, by the names of SIDES; inf beyond float64."""
        logs = self.log2
        if logs[upper] is None or logs[lower] is None:
            return None
        difference = logs[upper] - logs[lower]  # type: ignore[operator]
        return 2.0**difference if difference < 1000 else math.inf

    @property
    def violations(self) -> tuple[str, ...]:
        """What contradicts the inequalities above; empty unless somebody made an error."""
        exact: dict[str, int | None] = {
            "class": None if self.class_bound is None else self.class_bound.length,
            "certified": self.certified,
            "found": int(self.worst.length),
            "necessary": None if self.necessary is None else self.necessary.length,
        }
        pairs = (("found", "certified"), ("certified", "class"), ("necessary", "class"))
        return tuple(
            f"{low} = {exact[low]} > {high} = {exact[high]}"
            for low, high in (*pairs, ("found", "class"))
            if exact[low] is not None and exact[high] is not None and exact[low] > exact[high]  # type: ignore[operator]
        )

    @property
    def holds(self) -> bool:
        """Whether all inequalities hold."""
        return not self.violations

    def table(self) -> str:
        """Return a line per length, with its ratio to the longest found."""
        kinds = {
            "paper": "order of growth at C = 1, no guarantee",
            "class": "sufficient for the class",
            "certified": "sufficient for this pair",
            "found": "longest shortest simulation found",
            "necessary": "necessary for the worst pair of the class, not for this one",
        }
        bounds_of = {
            "paper": self.paper,
            "class": self.class_bound,
            "necessary": self.necessary,
        }
        cells = [["length", "÷ found", "what it is", "by"]]
        for side in SIDES:
            bound = bounds_of.get(side)
            by = {"certified": "verify.certify", "found": self.worst.family}.get(side, "")
            if bound is not None:
                by = bound.theorem.key
            ratio = self.ratio(side, "found")
            by = by if ratio is not None else self.reasons.get(side, "")
            shown = "" if ratio is None else f"{ratio:.3g}"
            cells.append([self._length(side), shown, kinds[side], by])
        return "\n".join(aligned(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "lengths": {side: self._length(side) for side in SIDES},
            "log2": self.log2,
            "theorems": {
                "paper": self.paper and self.paper.theorem.key,
                "class": self.class_bound and self.class_bound.theorem.key,
                "necessary": self.necessary and self.necessary.theorem.key,
            },
            "reasons": dict(self.reasons),
            "violations": list(self.violations),
            "worst": self.worst.to_dict(),
        }

    def __str__(self) -> str:
        """Return the table."""
        return self.table()

    def _length(self, side: str) -> str:
        if side == "certified":
            return "–" if self.certified is None else show_integer(self.certified)
        if side == "found":
            return show_integer(int(self.worst.length))
        bound = {"paper": self.paper, "class": self.class_bound}.get(side, self.necessary)
        if bound is None:
            return "–"
        return show_integer(bound.length) if bound.length else f"2^{bound.log2_length:.0f}"


def compare_lengths(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    epsilon: Any,
    target: Any = None,
    horizon: int,
    query: Query = "same",
    budget: int = 8000,
    seed: int = 0,
    inputs: Sequence[Any] = (),
    limit: int = LIMIT,
    resume: WorstInput | None = None,
    progress: Progress | None = None,
) -> LengthComparison:
    """Return how long training must be by each account, for one pair in finite precision.

    The class is that of the measured constants: with exact ties, or with those that training has
    split taken for ties up to the horizon, whichever needs less.

    Args:
        f, g: one-layer models in finite precision with the same |Σ| and number of outputs.
        epsilon, target, horizon: as in `verify.certify`.
        query, budget, seed, inputs, limit, resume, progress: as in `verify.worst_input`.

    Raises:
        InputError: an argument is not usable.
    """
    certificate = certify(f, g, epsilon=epsilon, target=target, horizon=horizon)
    worst = worst_input(
        f,
        g,
        epsilon=epsilon,
        target=target,
        horizon=horizon,
        query=query,
        budget=budget,
        seed=seed,
        inputs=inputs,
        limit=limit,
        resume=resume,
        progress=progress,
    )
    reasons: dict[str, str] = {}
    if certificate.length is None:
        reasons["certified"] = "no length below the horizon was found"
    found = _bracket(f, g, epsilon, target, horizon, reasons)
    return LengthComparison(
        paper=None if found is None else found.paper,
        class_bound=None if found is None else found.sufficient,
        certified=certificate.length,
        worst=worst,
        necessary=None if found is None else found.necessary,
        reasons=reasons,
    )


def _bracket(
    f: LimitTransformer,
    g: LimitTransformer,
    epsilon: Any,
    target: Any,
    horizon: int,
    reasons: dict[str, str],
) -> bounds.Bracket | None:
    """Return the bracket of the class that needs less; `reasons` gets why sides are missing."""
    given = {"epsilon": epsilon} | ({} if target is None else {"target": target})
    found: list[bounds.Bracket] = []
    for longest in (None, horizon):
        try:
            constants: Any = measure(f, g, horizon=longest)
            found.append(bounds.bracket(error="linf", measured=constants, **given))
        except (BoundsError, InputError) as problem:
            reasons["class"] = str(problem)
    covered = [(b.sufficient.log2_length, k) for k, b in enumerate(found) if b.sufficient]
    known = [(log, k) for log, k in covered if log is not None]
    if not known:
        reasons.update(found[0].reasons if found else {})
        return found[0] if found else None
    best = found[min(known)[1]]
    reasons.pop("class", None)
    reasons.update({side: why for side, why in best.reasons.items() if side != "sufficient"})
    return best
