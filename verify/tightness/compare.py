"""`verify.compare_lengths`: what suffices for a class and for a pair, and what a search found.

    longest found ≤ certified for this pair ≤ sufficient for its class
    necessary ≤ sufficient in the wide class

The *class* is that of all measured constants and hypotheses, the *wide class* that of Δ, τ, |Σ|, H,
p, γ and L (near ties: κ and T* too). The necessary length is about the worst pair of the wide
class, so it may exceed what is certified for this one.
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

_WIDE = (
    *("attention", "layers", "vocabulary_size", "period", "locality", "heads", "precision_bits"),
    *("margin", "lipschitz", "tie_tolerance", "horizon"),
)
"""What describes the wide class; L is the least constant there."""

SIDES = ("paper", "wide", "class", "certified", "found", "necessary")


@dataclass(frozen=True)
class LengthComparison:
    """Six lengths for one pair and one claim.

    Attributes:
        paper: the paper's order of growth at C = 1, no guarantee; None where it does not cover
            the class.
        wide_bound: sufficient for every pair of the wide class.
        class_bound: sufficient for every pair with the measured constants and hypotheses.
        certified: sufficient for this pair, `verify.certify`; None: no certificate was found.
        worst: the longest shortest simulation found, with its input.
        necessary: for the worst pair of the wide class, not for this one.
        reasons: why a side is None.
    """

    paper: LengthBound | None
    wide_bound: LengthBound | None
    class_bound: LengthBound | None
    certified: int | None
    worst: WorstInput
    necessary: LengthBound | None
    reasons: dict[str, str]

    @property
    def log2(self) -> dict[str, float | None]:
        """log2 of the six lengths, by the names of SIDES."""
        return {
            "paper": None if self.paper is None else self.paper.log2_length,
            "wide": None if self.wide_bound is None else self.wide_bound.log2_length,
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
            "wide": None if self.wide_bound is None else self.wide_bound.length,
            "class": None if self.class_bound is None else self.class_bound.length,
            "certified": self.certified,
            "found": int(self.worst.length),
            "necessary": None if self.necessary is None else self.necessary.length,
        }
        pairs = (("found", "certified"), ("certified", "class"), ("necessary", "wide"))
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
            "wide": "sufficient for the wide class",
            "class": "sufficient for the class",
            "certified": "sufficient for this pair",
            "found": "longest shortest simulation found",
            "necessary": "necessary for the worst pair of the wide class",
        }
        bounds_of = {
            "paper": self.paper,
            "wide": self.wide_bound,
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
            shown = "" if ratio is None else f"{ratio:.3g}"
            cells.append([self._length(side), shown, kinds[side], by])
        missing = [f"{side}: {self.reasons[side]}" for side in SIDES if side in self.reasons]
        return "\n".join([*aligned(cells), *missing])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "lengths": {side: self._length(side) for side in SIDES},
            "log2": self.log2,
            "theorems": {
                "paper": self.paper and self.paper.theorem.key,
                "wide": self.wide_bound and self.wide_bound.theorem.key,
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
        bound = {
            "paper": self.paper,
            "wide": self.wide_bound,
            "class": self.class_bound,
            "necessary": self.necessary,
        }[side]
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

    Either class has exact ties, or the ties that training has split taken for ties up to the
    horizon, whichever needs less.

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
    of_class, wide = _brackets(f, g, epsilon, target, horizon, reasons)
    return LengthComparison(
        paper=None if wide is None else wide.paper,
        wide_bound=None if wide is None else wide.sufficient,
        class_bound=None if of_class is None else of_class.sufficient,
        certified=certificate.length,
        worst=worst,
        necessary=None if wide is None else wide.necessary,
        reasons=reasons,
    )


def _brackets(
    f: LimitTransformer,
    g: LimitTransformer,
    epsilon: Any,
    target: Any,
    horizon: int,
    reasons: dict[str, str],
) -> tuple[bounds.Bracket | None, bounds.Bracket | None]:
    """Return the brackets of the class and of the wide class; `reasons` gets what is missing."""
    given = {"epsilon": epsilon} | ({} if target is None else {"target": target})
    found: dict[str, list[bounds.Bracket]] = {"class": [], "wide": []}
    for longest in (None, horizon):
        try:
            constants: Any = measure(f, g, horizon=longest)
        except InputError as problem:
            reasons["class"] = reasons["wide"] = str(problem)
            continue
        measured = dict(constants.parameters())
        plain = {name: value for name, value in measured.items() if name in _WIDE}
        for side, values, assume in (
            ("class", measured, set(constants.assume)),
            ("wide", plain, {"true_lipschitz"}),
        ):
            try:
                found[side].append(bounds.bracket(error="linf", assume=assume, **values, **given))
            except BoundsError as problem:
                reasons[side] = str(problem)
    best = {side: _least(brackets) for side, brackets in found.items()}
    for side, chosen in best.items():
        if chosen is not None and chosen.sufficient is not None:
            reasons.pop(side, None)
    return best["class"], best["wide"]


def _least(found: list[bounds.Bracket]) -> bounds.Bracket | None:
    """Return the bracket with the shortest sufficient length, if there is one."""
    known = [
        (b.sufficient.log2_length, k)
        for k, b in enumerate(found)
        if b.sufficient is not None and b.sufficient.log2_length is not None
    ]
    if known:
        return found[min(known)[1]]
    return found[0] if found else None
